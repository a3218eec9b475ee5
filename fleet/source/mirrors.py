"""Git repositories: what a remote offers, and what its mirror says about a commit.

A poll is one ``ls-remote`` and touches no file. Everything else (trees, hashes, files, commit
facts) is read from the mirror, fetched into it first if it is missing, and works while the
remote is down for commits that were fetched before.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from fleet.errors import RevisionNotFound, SourceError
from fleet.model.renders import SourceTree
from fleet.model.repositories import Remote
from fleet.source import upkeep
from fleet.source.addresses import AddressRules
from fleet.source.checkout import TreeBuilder
from fleet.source.clones import Clones, local_ref
from fleet.source.committing import NewCommit
from fleet.source.credentials import Credentials
from fleet.source.listing import Limits, covers, normalise_path
from fleet.source.objects import (
    parse_batch_check,
    parse_commit,
    parse_objects,
    parse_tree_ids,
)
from fleet.source.process import Invocation, run
from fleet.source.revisions import RemoteRefs, is_sha, is_short_sha
from fleet.source.submodules import gitlinks
from fleet.source.trees import TreeStore

MIRROR_IDLE_SECONDS = 30 * 86_400.0
PATHS_FOR_LISTING = 200  # from here on one listing is cheaper than that many questions


@dataclass(frozen=True, slots=True)
class MirrorLimits:
    """``fetch_bytes`` bounds one pack that a remote sends; ``tree`` one checked-out tree."""

    fetch_bytes: int = 4 * 1024 * 1024 * 1024
    tree: Limits = Limits()


class Mirrors:
    """All git repositories of one home.

    Args:
        root: a directory of our own; made if absent. Other processes may share it.
        deadline_seconds: for one command that talks to a remote, from start to kill; the
            first fetch of a repository may take five times as long.
    """

    def __init__(
        self,
        root: Path,
        *,
        rules: AddressRules,
        credentials: Credentials | None = None,
        deadline_seconds: float = 120.0,
        limits: MirrorLimits | None = None,
    ) -> None:
        self._limits = limits or MirrorLimits()
        credentials = credentials or Credentials(rules)
        self._clones = Clones(
            root,
            rules=rules,
            credentials=credentials,
            deadline_seconds=deadline_seconds,
            fetch_bytes=self._limits.fetch_bytes,
        )
        self._builder = TreeBuilder(
            self._clones, rules=rules, credentials=credentials, limits=self._limits.tree
        )
        self._trees = TreeStore(root / "trees")

    @property
    def trees(self) -> TreeStore:
        """The store of checked-out trees; charts are kept in it as well."""
        return self._trees

    async def ls_remote(self, remote: Remote, also: Sequence[str] = ()) -> RemoteRefs:
        """All branches and tags of ``remote``, and its HEAD, in one exchange.

        Args:
            also: full names of refs outside ``refs/heads`` and ``refs/tags`` that somebody
                tracks, like ``refs/pull/1/head``.

        Raises:
            SourceUnreachable, SourceAuthFailed, AddressForbidden, SourceError: see
                ``failures``.
        """
        return await self._clones.ls_remote(remote, also)

    async def fetch(self, remote: Remote, wanted: Sequence[str], depth: int = 0) -> None:
        """Bring ``wanted`` into the mirror; nothing is asked of the remote for commits that
        are there already.

        Args:
            wanted: full commit SHAs, or full ref names (``refs/…``).
            depth: commits of history; 0 means the repository's option, whose 0 means all.

        Raises:
            RevisionNotFound: the remote does not have one of them. The others as ls_remote.
        """
        await self._clones.fetch(remote, wanted, depth)

    async def find_commit(self, remote: Remote, short_sha: str) -> str | None:
        """The full SHA of the one commit in the mirror that starts with ``short_sha``."""
        mirror = self._clones.mirror(remote)
        if not is_short_sha(short_sha) or not upkeep.is_mirror(mirror):
            return None
        arguments = ("rev-parse", "--verify", "--quiet", f"{short_sha}^{{commit}}")
        outcome = await run(Invocation(arguments, git_dir=str(mirror)))
        found = outcome.stdout.decode().strip()
        return found if outcome.code == 0 and is_sha(found) else None

    async def tree_hashes(
        self, remote: Remote, sha: str, paths: Sequence[str]
    ) -> dict[str, str | None]:
        """The git object id of each path at the commit, None where there is nothing.

        One or two processes, however many paths. ``""`` is the whole tree. Symlinks are
        followed, so that a change of what they point to is seen.

        Raises:
            SourceError: a path leaves the repository.
        """
        normal = {path: normalise_path(path) for path in paths}
        unanswered = set(normal.values())
        found: dict[str, str | None] = {}
        if len(unanswered) >= PATHS_FOR_LISTING:
            found = await self._listed_hashes(remote, sha, unanswered)
            unanswered -= found.keys()
        found |= await self._asked_hashes(remote, sha, sorted(unanswered))
        hashes = {path: found[name] for path, name in normal.items()}
        if remote.options.enable_submodules:
            hashes |= await self._submodule_hashes(remote, sha, hashes)
        return hashes

    async def _listed_hashes(
        self, remote: Remote, sha: str, paths: Set[str]
    ) -> dict[str, str | None]:
        """From one listing of the whole commit: asking path by path makes git read the same
        large directories again and again. Leaves out what only following symlinks can tell."""
        listing = Invocation(("ls-tree", "-r", "-t", "-z", "--full-tree", sha))
        outcome = await self._clones.read(remote, sha, listing)
        found, has_links = parse_tree_ids(outcome.stdout, paths)
        if outcome.code or has_links:
            return dict(found)
        return {path: found.get(path) for path in paths if path}

    async def _asked_hashes(
        self, remote: Remote, sha: str, paths: Sequence[str]
    ) -> dict[str, str | None]:
        # The first question is about the commit itself, to tell "no path" from "no commit".
        names = (f"{sha}^{{tree}}", *(f"{sha}:{path}" for path in paths))
        stdin = "".join(f"{name}\n" for name in names).encode()
        arguments = ("cat-file", "--batch-check=%(objectname)", "--follow-symlinks")
        outcome = await self._clones.read(remote, sha, Invocation(arguments, stdin=stdin))
        ids = parse_batch_check(outcome.stdout)
        if len(ids) != len(names) or ids[0] is None:
            raise RevisionNotFound(f"{remote.url}: no commit {sha[:12]}")
        return dict(zip(paths, ids[1:], strict=True))

    async def _submodule_hashes(
        self, remote: Remote, sha: str, hashes: dict[str, str | None]
    ) -> dict[str, str | None]:
        """For each path in or at a submodule the commit that it is pinned to: the best that
        can be said without fetching it, and it changes whenever the content may."""
        links = await gitlinks(self._clones, remote, sha)
        found: dict[str, str | None] = {}
        for path, known in hashes.items():
            normal = normalise_path(path)
            for link in links:
                if known is None and covers((link.path,), normal):
                    found[path] = link.sha
        return found

    async def raw_commits(self, remote: Remote, shas: Sequence[str]) -> list[bytes]:
        """Commit objects as git keeps them, in the order asked for.

        Raises:
            RevisionNotFound: neither the mirror nor the remote has one of them.
        """
        if not shas:
            return []
        stdin = "".join(f"{sha}\n" for sha in shas).encode()
        outcome = await self._clones.read(
            remote, shas[0], Invocation(("cat-file", "--batch"), stdin=stdin)
        )
        found = parse_objects(outcome.stdout, "commit")
        if len(found) != len(shas):
            raise RevisionNotFound(f"{remote.url}: no commit {shas[0][:12]}")
        return found

    async def describe(self, remote: Remote, sha: str) -> tuple[str, int, str]:
        """A commit's author, its time (seconds since 1970) and the first line of its message,
        in printable letters.

        Raises:
            RevisionNotFound: neither the mirror nor the remote has it.
        """
        (raw,) = await self.raw_commits(remote, [sha])
        return parse_commit(raw)

    async def tag_object(self, remote: Remote, ref: str, sha: str) -> bytes | None:
        """The tag object that ``ref`` is; None for a tag that is only a name.

        Raises:
            SourceError: it is not a tag of the commit ``sha`` (any more).
        """
        await self._clones.fetch(remote, [ref])
        stdin = f"{local_ref(ref)}\n{local_ref(ref)}^{{commit}}\n".encode()
        check = Invocation(("cat-file", "--batch-check=%(objectname)"), stdin=stdin)
        ids = parse_batch_check((await self._clones.read(remote, sha, check)).stdout)
        if len(ids) != 2 or ids[0] is None or ids[1] != sha:
            raise SourceError(f"{remote.url}: {ref} moved while it was looked at")
        if ids[0] == sha:
            return None
        show = Invocation(("cat-file", "--batch"), stdin=f"{ids[0]}\n".encode())
        outcome = await self._clones.read(remote, sha, show)
        found = parse_objects(outcome.stdout, "tag")
        if len(found) != 1 or not found[0].startswith(f"object {sha}\n".encode()):
            raise SourceError(f"{remote.url}: {ref} is no tag of a commit")
        return found[0]

    async def ancestry(self, remote: Remote, sha: str) -> list[tuple[str, tuple[str, ...]]] | None:
        """The commit and all before it with their parents, children first; None when the
        mirror has not all of them."""
        listing = Invocation(("rev-list", "--topo-order", "--parents", sha))
        outcome = await self._clones.read(remote, sha, listing)
        if outcome.code or (self._clones.mirror(remote) / "shallow").exists():
            return None
        lines = (line.split() for line in outcome.stdout.decode().splitlines())
        return [(commit, tuple(parents)) for commit, *parents in lines]

    async def commit(self, remote: Remote, new: NewCommit) -> str:
        """Make a commit in the mirror; its SHA. Its parent is fetched if it is missing.

        Raises:
            SourceError: git refuses it; otherwise as fetch.
        """
        if new.parent:
            await self._clones.fetch(remote, (new.parent,))
        return await self._clones.commit(remote, new)

    async def push(self, remote: Remote, sha: str, branch: str) -> bool:
        """Have a branch of the remote point to a commit of the mirror that comes after what it
        points to, or begin it. False: it moved meanwhile, and was left alone.

        Raises:
            SourceAuthFailed, SourceUnreachable, SourceError: as ``failures`` says.
        """
        return await self._clones.push(remote, sha, branch)

    async def checkout(
        self, remote: Remote, sha: str, *, paths: tuple[str, ...] | None = None
    ) -> SourceTree:
        """The files of the commit as a read-only directory, without ``.git``.

        Bytes are as committed: no line-end conversion, no filters, no keywords. Callers that
        ask for the same tree share one directory; it is complete or absent.

        Args:
            paths: only these files and directories; None means everything.

        Raises:
            SourceError: a symlink leads out of the tree, or the tree is too large.
            RevisionNotFound: neither the mirror nor the remote has the commit.
        """
        if not is_sha(sha):
            raise RevisionNotFound(f"{sha[:80]!r} is not a full commit SHA")
        options = remote.options
        if options.enable_submodules:
            paths = None  # a path may lead into a submodule, which only the whole shows
        chosen = ("",) if paths is None else tuple(sorted({normalise_path(p) for p in paths}))
        flags = f"{options.enable_submodules:d}{options.enable_lfs:d}"
        identity = "\0".join((self._clones.mirror(remote).name, sha, flags, *chosen))

        async def build(folder: Path) -> int:
            return await self._builder.build(remote, sha, chosen, folder)

        root = await self._trees.obtain(identity, build)
        return SourceTree(str(root), sha, remote.url)

    async def sweep(self, max_bytes: int, idle_seconds: float = MIRROR_IDLE_SECONDS) -> int:
        """Keep the checked-out trees below ``max_bytes``, and remove mirrors that nobody used
        for ``idle_seconds``; returns the bytes of trees removed."""
        await self._clones.sweep(idle_seconds)
        return await self._trees.sweep(max_bytes)

    async def forget(self, remote: Remote) -> None:
        """Remove the mirror of a repository that is no longer registered."""
        await self._clones.forget(remote)
