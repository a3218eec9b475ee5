"""Git repositories: one bare mirror per repository and credential, and what is read from it.

A poll is one ``ls-remote`` and touches no file. A fetch asks for the commits that are wanted
and no more. Everything else (trees, hashes, files, commit facts) is read from the mirror and
works while the remote is down, for commits that were fetched before.

Layout below ``root``: ``mirrors/<key>`` bare repositories, ``mirrors/<key>.lock`` their locks,
``trees/`` checked-out trees, ``scratch/`` files of one command.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from fleet.errors import RevisionNotFound, SourceError
from fleet.model.renders import SourceTree
from fleet.model.repositories import Remote
from fleet.source import upkeep
from fleet.source.addresses import AddressRules
from fleet.source.blobs import Damaged, TreeWriter
from fleet.source.credentials import Credentials
from fleet.source.failures import failure, is_corrupt
from fleet.source.listing import Limits, normalise_path, parse_listing
from fleet.source.objects import parse_batch_check, parse_blob
from fleet.source.process import Invocation, Outcome, run
from fleet.source.revisions import RemoteRefs, is_ref, is_sha, is_short_sha, parse_ls_remote
from fleet.source.transport import confirm_repository, opened
from fleet.source.trees import TreeStore
from fleet.source.urls import parse_url

PACKS_BEFORE_REPACK = 50
_COMMIT_FORMAT = "%an <%ae>%x00%aI%x00%s%x00%b"


@dataclass(frozen=True, slots=True)
class CommitInfo:
    """``author`` is ``Name <email>``; ``subject`` the first paragraph in one line."""

    author: str
    date: datetime
    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class MirrorLimits:
    """``fetch_bytes`` bounds one pack that a remote sends; ``tree`` one checked-out tree."""

    fetch_bytes: int = 4 * 1024 * 1024 * 1024
    tree: Limits = Limits()


class Mirrors:
    """All git repositories of one home.

    Args:
        root: a directory of our own; made if absent. Other processes may share it.
        deadline_seconds: for one command that talks to a remote, from start to kill.
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
        self._root = root
        self._rules = rules
        self._credentials = credentials or Credentials(rules)
        self._deadline = deadline_seconds
        self._limits = limits or MirrorLimits()
        self._trees = TreeStore(root / "trees")
        self._locks: dict[Path, asyncio.Lock] = {}
        for folder in ("mirrors", "trees", "scratch"):
            (root / folder).mkdir(parents=True, exist_ok=True, mode=0o700)

    @property
    def trees(self) -> TreeStore:
        """The store of checked-out trees; charts are kept in it as well."""
        return self._trees

    async def ls_remote(self, remote: Remote) -> RemoteRefs:
        """All branches and tags of ``remote``, and its HEAD, in one exchange.

        Raises:
            SourceUnreachable, SourceAuthFailed, AddressForbidden, SourceError: see
                ``failures``.
        """
        patterns = ("HEAD", "refs/heads/*", "refs/tags/*")
        async with self._opened(remote) as ask:
            outcome = await ask(("ls-remote", "--symref"), patterns, Path("/dev/null"))
        refs = parse_ls_remote(outcome.stdout.decode(errors="replace"))
        if not refs.refs:
            await confirm_repository(remote, self._rules, self._credentials)
        return refs

    async def fetch(self, remote: Remote, wanted: Sequence[str], depth: int = 0) -> None:
        """Bring ``wanted`` into the mirror; nothing is asked of the remote for commits that
        are there already.

        Args:
            wanted: full commit SHAs, or full ref names (``refs/…``).
            depth: commits of history; 0 means the repository's option, whose 0 means all.

        Raises:
            RevisionNotFound: the remote does not have one of them. The others as ls_remote.
        """
        for want in wanted:
            if not is_sha(want) and not (want.startswith("refs/") and is_ref(want)):
                raise RevisionNotFound(f"{want[:80]!r} is neither a full SHA nor a full ref")
        mirror = self._mirror(remote)
        if not await self._missing(mirror, wanted):
            return
        async with self._exclusive(mirror):
            missing = await self._missing(mirror, wanted)
            if missing:
                await self._fetch_or_clone_again(remote, mirror, missing, depth)

    async def find_commit(self, remote: Remote, short_sha: str) -> str | None:
        """The full SHA of the one commit in the mirror that starts with ``short_sha``."""
        mirror = self._mirror(remote)
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

        One process, however many paths. ``""`` is the whole tree; symlinks are followed, so
        that a change of what they point to is seen.

        Raises:
            SourceError: a path leaves the repository.
        """
        names = [f"{sha}:{normalise_path(path)}" for path in paths]
        # The first question is about the commit itself, to tell "no path" from "no commit".
        stdin = "\n".join((f"{sha}^{{tree}}", *names)) + "\n"
        arguments = ("cat-file", "--batch-check=%(objectname)", "--follow-symlinks")
        outcome = await self._read(remote, sha, Invocation(arguments, stdin=stdin.encode()))
        ids = parse_batch_check(outcome.stdout)
        if len(ids) != len(paths) + 1 or ids[0] is None:
            raise RevisionNotFound(f"{remote.url}: no commit {sha[:12]}")
        return dict(zip(paths, ids[1:], strict=True))

    async def read_file(self, remote: Remote, sha: str, path: str, limit: int) -> bytes | None:
        """The content of one file at the commit; None when there is no such file.

        Raises:
            SourceError: it is longer than ``limit`` bytes, or no regular file.
        """
        stdin = f"{sha}:{normalise_path(path)}\n".encode()
        check = ("cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize)")
        follow = "--follow-symlinks"
        outcome = await self._read(remote, sha, Invocation((*check, follow), stdin=stdin))
        kind = outcome.stdout.decode(errors="replace").split()
        if len(kind) != 3 or not is_sha(kind[0]):
            return None
        if kind[1] != "blob":
            raise SourceError(f"{path}: not a file at {sha[:12]}")
        if int(kind[2]) > limit:
            raise SourceError(f"{path}: {kind[2]} bytes are more than the limit of {limit}")
        content = Invocation(("cat-file", "--batch"), stdin=kind[0].encode() + b"\n")
        return parse_blob((await self._read(remote, sha, content)).stdout)

    async def commit_info(self, remote: Remote, sha: str) -> CommitInfo:
        """Who wrote the commit, when and what for.

        Raises:
            RevisionNotFound: neither the mirror nor the remote has it.
        """
        arguments = ("log", "-1", "--no-mailmap", "--no-show-signature", "--encoding=UTF-8")
        show = Invocation((*arguments, f"--format={_COMMIT_FORMAT}", sha))
        outcome = await self._read(remote, sha, show)
        author, date, subject, body = outcome.stdout.decode(errors="replace").split("\0", 3)
        return CommitInfo(author, datetime.fromisoformat(date), subject, body.strip())

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
        chosen = None if paths is None else tuple(sorted({normalise_path(p) for p in paths}))
        mirror = self._mirror(remote)
        identity = "\0".join((mirror.name, sha, *(chosen if chosen is not None else ("*",))))

        async def build(folder: Path) -> int:
            return await self._write_tree(remote, sha, chosen, folder)

        root = await self._trees.obtain(identity, build)
        return SourceTree(str(root), sha, remote.url)

    async def sweep(self, max_bytes: int) -> int:
        """Keep the checked-out trees below ``max_bytes``; returns the bytes removed."""
        return await self._trees.sweep(max_bytes)

    async def forget(self, remote: Remote) -> None:
        """Remove the mirror of a repository that is no longer registered."""
        mirror = self._mirror(remote)
        async with self._exclusive(mirror):
            await asyncio.to_thread(upkeep.discard, mirror)

    def _mirror(self, remote: Remote) -> Path:
        name = f"{remote.cache_key}\0{parse_url(remote.url).canonical}"
        return self._root / "mirrors" / hashlib.sha256(name.encode()).hexdigest()[:40]

    @contextlib.asynccontextmanager
    async def _exclusive(self, mirror: Path) -> AsyncIterator[None]:
        lock = mirror.with_name(mirror.name + ".lock")
        # Twice the deadline: one fetch and one more from scratch.
        async with (
            self._locks.setdefault(mirror, asyncio.Lock()),
            upkeep.locked(lock, 2 * self._deadline),
        ):
            yield

    @contextlib.asynccontextmanager
    async def _opened(
        self, remote: Remote
    ) -> AsyncIterator[Callable[[tuple[str, ...], tuple[str, ...], Path], Awaitable[Outcome]]]:
        """A function that runs git against the remote: (arguments, operands after the URL,
        git directory) → Outcome; a failure is raised as what it means."""
        scratch = self._root / "scratch"
        async with opened(remote, self._rules, self._credentials, scratch) as transport:

            async def ask(
                arguments: tuple[str, ...], operands: tuple[str, ...], git_dir: Path
            ) -> Outcome:
                outcome = await run(
                    Invocation(
                        arguments,
                        (transport.url, *operands),
                        str(git_dir),
                        transport.environment,
                        transport.config,
                        deadline_seconds=self._deadline,
                        file_bytes=self._limits.fetch_bytes,
                    )
                )
                if outcome.code:
                    if is_corrupt(outcome.stderr):
                        raise Damaged(outcome.stderr)
                    raise failure(outcome.stderr, transport.target, transport.secrets)
                return outcome

            yield ask

    async def _missing(self, mirror: Path, wanted: Sequence[str]) -> tuple[str, ...]:
        """What has to be asked of the remote: refs always, commits that are not here."""
        if not upkeep.is_mirror(mirror):
            return tuple(wanted)
        commits = [want for want in wanted if is_sha(want)]
        stdin = "".join(f"{sha}^{{commit}}\n" for sha in commits).encode()
        check = ("cat-file", "--batch-check=%(objectname)")
        outcome = await run(Invocation(check, git_dir=str(mirror), stdin=stdin))
        if outcome.code:
            return tuple(wanted)
        here = {
            sha for sha, id_ in zip(commits, parse_batch_check(outcome.stdout), strict=True) if id_
        }
        return tuple(want for want in wanted if want not in here)

    async def _fetch_or_clone_again(
        self, remote: Remote, mirror: Path, missing: tuple[str, ...], depth: int
    ) -> None:
        try:
            await self._fetch_once(remote, mirror, missing, depth)
        except Damaged:
            await asyncio.to_thread(upkeep.discard, mirror)
            try:
                await self._fetch_once(remote, mirror, missing, depth)
            except Damaged as error:
                raise SourceError(f"{remote.url}: the remote sends damaged data") from error

    async def _fetch_once(
        self, remote: Remote, mirror: Path, missing: tuple[str, ...], depth: int
    ) -> None:
        await self._prepare(mirror, missing)
        before = await asyncio.to_thread(upkeep.packs, mirror)
        depth = depth or remote.options.depth
        try:
            await self._fetch_wanted(remote, mirror, missing, depth)
        except BaseException:
            # Failing for hours must not fill the disk: what came with the failure goes.
            await asyncio.to_thread(upkeep.remove_leftovers, mirror)
            await asyncio.to_thread(upkeep.remove_packs, mirror, before)
            raise
        if len(before) >= PACKS_BEFORE_REPACK:
            await self._repack(mirror)

    async def _fetch_wanted(
        self, remote: Remote, mirror: Path, missing: tuple[str, ...], depth: int
    ) -> None:
        arguments = (
            "fetch",
            "--no-tags",
            "--no-recurse-submodules",
            "--no-write-fetch-head",
            "--atomic",
            "--quiet",
            *((f"--depth={depth}",) if depth else ()),
        )
        exact = tuple(
            f"+{want}:refs/fleet/{want if is_sha(want) else want.removeprefix('refs/')}"
            for want in missing
        )
        async with self._opened(remote) as ask:
            try:
                await ask(arguments, exact, mirror)
            except RevisionNotFound:
                # Some servers give out only what a ref points to. Then everything it has is
                # fetched, once, and looked through.
                if not all(is_sha(want) for want in missing):
                    raise
                everything = ("+refs/heads/*:refs/fleet/heads/*", "+refs/tags/*:refs/fleet/tags/*")
                await ask(arguments, everything, mirror)
        lost = [want for want in await self._missing(mirror, missing) if is_sha(want)]
        if lost:
            raise RevisionNotFound(
                f"{remote.url}: no commit {lost[0][:12]}",
                hint="It may have been removed by a forced push, or is further back than depth.",
            )

    async def _prepare(self, mirror: Path, wanted: tuple[str, ...]) -> None:
        if upkeep.is_mirror(mirror):
            await asyncio.to_thread(upkeep.remove_leftovers, mirror)
            return
        await asyncio.to_thread(upkeep.discard, mirror)
        object_format = "sha256" if any(is_sha(w) and len(w) == 64 for w in wanted) else "sha1"
        arguments = ("init", "--bare", "--quiet", "--template=", f"--object-format={object_format}")
        outcome = await run(Invocation(arguments, git_dir=str(mirror)))
        if outcome.code:
            raise SourceError(
                f"the mirror cannot be made: {outcome.stderr.strip()[:200]}",
                hint="Is the disk full?",
            )

    async def _repack(self, mirror: Path) -> None:
        """Fold many small packs into one. Failing costs nothing but the space."""
        for arguments in (("pack-refs", "--all"), ("repack", "-a", "-d", "-q")):
            await run(
                Invocation(arguments, git_dir=str(mirror), deadline_seconds=5 * self._deadline)
            )

    async def _read(
        self,
        remote: Remote,
        sha: str,
        invocation: Invocation,
        sink: Callable[[bytes], None] | None = None,
    ) -> Outcome:
        """Run git on the mirror, after making sure that the commit is there.

        A mirror that turns out damaged is fetched again once.
        """
        mirror = self._mirror(remote)
        invocation = replace(invocation, git_dir=str(mirror))
        await self.fetch(remote, (sha,))
        outcome = await run(invocation, sink)
        if outcome.code and sink is None:
            async with self._exclusive(mirror):
                await asyncio.to_thread(upkeep.discard, mirror)
            await self.fetch(remote, (sha,))
            outcome = await run(invocation)
        if outcome.code:
            raise failure(outcome.stderr, parse_url(remote.url))
        return outcome

    async def _write_tree(
        self, remote: Remote, sha: str, paths: tuple[str, ...] | None, folder: Path
    ) -> int:
        try:
            return await self._write_tree_once(remote, sha, paths, folder)
        except Damaged:
            mirror = self._mirror(remote)
            async with self._exclusive(mirror):
                await asyncio.to_thread(upkeep.discard, mirror)
            await asyncio.to_thread(upkeep.empty, folder)
        try:
            return await self._write_tree_once(remote, sha, paths, folder)
        except Damaged as error:
            raise SourceError(f"{remote.url}: {sha[:12]} cannot be read") from error

    async def _write_tree_once(
        self, remote: Remote, sha: str, paths: tuple[str, ...] | None, folder: Path
    ) -> int:
        # Pathspecs are taken literally: ":(exclude)" and "*" are names like others.
        arguments = ("ls-tree", "-r", "-l", "-z", "--full-tree", sha)
        operands = tuple(path for path in paths or () if path)
        if paths is not None and "" in paths:
            operands = ()
        listing = await self._read(remote, sha, Invocation(arguments, operands))
        entries = parse_listing(listing.stdout, self._limits.tree)
        writer = TreeWriter(folder, entries)
        batch = Invocation(
            ("cat-file", "--batch", "--buffer"),
            git_dir=str(self._mirror(remote)),
            stdin=writer.stdin,
            output_bytes=writer.output_bytes,
            deadline_seconds=5 * self._deadline,
        )
        try:
            outcome = await run(batch, writer.feed)
            if outcome.code:
                raise Damaged(outcome.stderr)
            await asyncio.to_thread(writer.finish)
        finally:
            writer.close()
        return sum(entry.size for entry in entries)
