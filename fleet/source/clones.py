"""Bare clones of repositories: asking a remote, fetching into a mirror, healing it.

A fetch asks for the commits that are wanted and no more. One at a time works on a mirror,
whichever process it is in. A fetch that fails leaves nothing behind, and a mirror that turns
out damaged is thrown away and fetched again.

Layout below ``root``: ``mirrors/<key>`` bare repositories, ``mirrors/<key>.lock`` their locks,
``scratch/`` files of one command.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

from fleet.errors import RevisionNotFound, SourceError
from fleet.model.repositories import Remote
from fleet.source import upkeep
from fleet.source.addresses import AddressRules
from fleet.source.blobs import Damaged
from fleet.source.committing import NewCommit, came_too_late, import_of
from fleet.source.credentials import Credentials
from fleet.source.failures import failure, is_corrupt
from fleet.source.objects import parse_batch_check
from fleet.source.process import Invocation, Outcome, run
from fleet.source.revisions import RemoteRefs, is_ref, is_sha, parse_ls_remote
from fleet.source.transport import confirm_repository, opened
from fleet.source.urls import parse_url

PACKS_BEFORE_REPACK = 50
#: What was committed last; in a mirror one commits at a time.
_MADE = "refs/fleet/committed"
CLONE_PATIENCE = 5  # deadlines that the first fetch into a mirror may take
_EVERYTHING = ("+refs/heads/*:refs/fleet/all/heads/*", "+refs/tags/*:refs/fleet/all/tags/*")


class _CameTooLateError(Exception):
    """The branch that was pushed to moved before."""


class Clones:
    """The mirrors below ``root``.

    Args:
        deadline_seconds: for one command that talks to a remote, from start to kill.
        fetch_bytes: bounds one pack that a remote sends.
    """

    def __init__(
        self,
        root: Path,
        *,
        rules: AddressRules,
        credentials: Credentials,
        deadline_seconds: float,
        fetch_bytes: int,
    ) -> None:
        self._root = root
        self._rules = rules
        self._credentials = credentials
        self._deadline = deadline_seconds
        self._fetch_bytes = fetch_bytes
        self._locks: dict[Path, asyncio.Lock] = {}
        for folder in ("mirrors", "scratch"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        root.chmod(0o700)  # private repositories are below

    async def ls_remote(self, remote: Remote, also: Sequence[str] = ()) -> RemoteRefs:
        """As ``Mirrors.ls_remote``."""
        wanted = [ref for ref in also if ref.startswith("refs/") and is_ref(ref)]
        patterns = ("HEAD", "refs/heads/*", "refs/tags/*", *wanted)
        async with self._opened(remote) as ask:
            outcome = await ask(("ls-remote", "--symref"), patterns, Path("/dev/null"))
        upkeep.touch(self.mirror(remote))
        refs = parse_ls_remote(outcome.stdout.decode(errors="replace"))
        if not refs.refs:
            await confirm_repository(remote, self._rules.of(remote), self._credentials)
        return refs

    async def fetch(self, remote: Remote, wanted: Sequence[str], depth: int = 0) -> None:
        """As ``Mirrors.fetch``."""
        for want in wanted:
            if not is_sha(want) and not (want.startswith("refs/") and is_ref(want)):
                raise RevisionNotFound(f"{want[:80]!r} is neither a full SHA nor a full ref")
        mirror = self.mirror(remote)
        if not await self._missing(mirror, wanted):
            return
        async with self._exclusive(mirror):
            missing = await self._missing(mirror, wanted)
            if missing:
                await self._fetch_or_clone_again(remote, mirror, missing, depth)

    async def commit(self, remote: Remote, new: NewCommit) -> str:
        """Make a commit in the mirror, which has its parent; returns its SHA."""
        mirror = self.mirror(remote)
        async with self._exclusive(mirror):
            await self._prepare(mirror, (new.parent,))
            outcome = await run(replace(import_of(new, _MADE), git_dir=str(mirror)))
            if outcome.code == 0:
                parse = Invocation(("rev-parse", "--verify", _MADE), git_dir=str(mirror))
                outcome = await run(parse)
            made = outcome.stdout.decode().strip()
            if outcome.code or not is_sha(made):
                raise SourceError(f"{remote.url}: git could not commit: {outcome.stderr[:200]}")
            await self._keep(mirror, [made])
        return made

    async def push(self, remote: Remote, sha: str, branch: str) -> bool:
        """Move a branch of the remote forward to a commit; never by force. False: it is not
        any more where it was."""
        arguments = ("push", "--porcelain", "--no-verify", "--atomic")
        operands = (f"{sha}:refs/heads/{branch}",)
        async with self._opened(remote) as ask:
            try:
                await ask(arguments, operands, self.mirror(remote))
            except _CameTooLateError:
                return False
        return True

    async def read(self, remote: Remote, sha: str, invocation: Invocation) -> Outcome:
        """Run git on the mirror, after making sure that the commit is there.

        A mirror that turns out damaged is made anew, once; other failures are the caller's
        to read from ``code``.
        """
        mirror = self.mirror(remote)
        invocation = replace(invocation, git_dir=str(mirror))
        upkeep.touch(mirror)
        await self.fetch(remote, (sha,))
        outcome = await run(invocation)
        if outcome.code and is_corrupt(outcome.stderr):
            await self.heal(remote, sha)
            outcome = await run(invocation)
        return outcome

    async def heal(self, remote: Remote, sha: str) -> None:
        """Replace a damaged mirror by a new one that has the commit. The damaged one stays
        while the remote cannot be reached: some of it may still be read."""
        mirror = self.mirror(remote)
        async with self._exclusive(mirror):
            await self._clone_again(remote, mirror, (sha,), 0)

    async def forget(self, remote: Remote) -> None:
        """Remove the mirror."""
        mirror = self.mirror(remote)
        async with self._exclusive(mirror):
            await asyncio.to_thread(upkeep.discard, mirror)

    async def sweep(self, idle_seconds: float) -> int:
        """Remove the mirrors that nobody asked anything of for so long: of repositories that
        no application names any more, or of credentials that were replaced. Returns how many."""
        removed = 0
        for mirror in await asyncio.to_thread(upkeep.idle, self._root / "mirrors", idle_seconds):
            async with self._exclusive(mirror):
                if await asyncio.to_thread(upkeep.is_idle, mirror, idle_seconds):
                    await asyncio.to_thread(upkeep.discard, mirror)
                    removed += 1
        return removed

    def mirror(self, remote: Remote) -> Path:
        """Where the mirror is, or would be."""
        name = f"{remote.cache_key}\0{parse_url(remote.url).canonical}"
        return self._root / "mirrors" / hashlib.sha256(name.encode()).hexdigest()[:40]

    @contextlib.asynccontextmanager
    async def _exclusive(self, mirror: Path) -> AsyncIterator[None]:
        lock = mirror.with_name(mirror.name + ".lock")
        # As long as the holder may take: one fetch, and one more from scratch.
        patience = (1 + CLONE_PATIENCE) * self._deadline
        async with (
            self._locks.setdefault(mirror, asyncio.Lock()),
            upkeep.locked(lock, patience),
        ):
            yield

    @contextlib.asynccontextmanager
    async def _opened(
        self, remote: Remote, patience: int = 1
    ) -> AsyncIterator[Callable[[tuple[str, ...], tuple[str, ...], Path], Awaitable[Outcome]]]:
        """A function that runs git against the remote: (arguments, operands after the URL,
        git directory) → Outcome; a failure is raised as what it means.

        Args:
            patience: how many deadlines one command may take.
        """
        scratch = self._root / "scratch"
        async with opened(remote, self._rules.of(remote), self._credentials, scratch) as transport:

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
                        deadline_seconds=patience * self._deadline,
                        file_bytes=self._fetch_bytes,
                    )
                )
                if outcome.code:
                    if arguments[0] == "push" and came_too_late(outcome.stdout.decode("latin-1")):
                        raise _CameTooLateError
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
            await self._clone_again(remote, mirror, missing, depth)

    async def _clone_again(
        self, remote: Remote, mirror: Path, wanted: tuple[str, ...], depth: int
    ) -> None:
        fresh = mirror.with_name(f"{mirror.name}.new")
        await asyncio.to_thread(upkeep.discard, fresh)
        try:
            await self._fetch_once(remote, fresh, wanted, depth)
            await asyncio.to_thread(upkeep.replace, mirror, fresh)
        except Damaged as error:
            raise SourceError(f"{remote.url}: the remote sends damaged data") from error
        finally:
            await asyncio.to_thread(upkeep.discard, fresh)

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
        exact = tuple(f"+{want}:{local_ref(want)}" for want in missing)
        first = not await asyncio.to_thread(upkeep.packs, mirror)
        async with self._opened(remote, CLONE_PATIENCE if first else 1) as ask:
            try:
                await ask(arguments, exact, mirror)
            except RevisionNotFound:
                # Some servers give out only what a ref points to. Then everything it has is
                # fetched, once, and looked through.
                if not all(is_sha(want) for want in missing):
                    raise
                await ask((*arguments, "--prune"), _EVERYTHING, mirror)
        lost = [want for want in await self._missing(mirror, missing) if is_sha(want)]
        if lost:
            raise RevisionNotFound(
                f"{remote.url}: no commit {lost[0][:12]}",
                hint="It may have been removed by a forced push, or is further back than depth.",
            )
        await self._keep(mirror, [want for want in missing if is_sha(want)])

    async def _keep(self, mirror: Path, commits: Sequence[str]) -> None:
        """Give each commit a ref of its own: its branch may be rewritten, and then pruned."""
        stdin = "".join(f"update {local_ref(sha)} {sha}\n" for sha in commits)
        update = ("update-ref", "--stdin")
        await run(Invocation(update, git_dir=str(mirror), stdin=stdin.encode()))

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


def local_ref(want: str) -> str:
    """Where a commit or a remote's ref is kept. Names are hashed: a branch ``a`` and a later
    branch ``a/b`` could not be beside each other."""
    name = want if is_sha(want) else f"named/{hashlib.sha256(want.encode()).hexdigest()[:40]}"
    return f"refs/fleet/{name}"
