"""A commit → a directory with its files, submodules and large files included on request."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fleet.errors import SourceError
from fleet.model.repositories import Remote
from fleet.source import lfs, upkeep
from fleet.source.addresses import AddressRules
from fleet.source.blobs import Damaged, TreeWriter
from fleet.source.clones import Clones
from fleet.source.credentials import Credentials
from fleet.source.listing import Entry, Limits, parse_listing
from fleet.source.process import Invocation, run
from fleet.source.submodules import Submodule, list_submodules

MAX_SUBMODULE_DEPTH = 5
_WRITE_SECONDS = 600.0


class TreeBuilder:
    """Fills directories from mirrors."""

    def __init__(
        self, clones: Clones, *, rules: AddressRules, credentials: Credentials, limits: Limits
    ) -> None:
        self._clones = clones
        self._rules = rules
        self._credentials = credentials
        self._limits = limits

    async def build(self, remote: Remote, sha: str, paths: tuple[str, ...], folder: Path) -> int:
        """Write the files at ``paths`` (``""`` is everything) into the empty ``folder``.

        Returns the bytes written.

        Raises:
            SourceError: a symlink leads out, the tree is too large, a submodule or large
                file cannot be had. AddressForbidden: a submodule is at a host not allowed.
        """
        return await self._fill(remote, sha, paths, folder, self._limits, 0)

    async def _fill(
        self,
        remote: Remote,
        sha: str,
        paths: tuple[str, ...],
        folder: Path,
        limits: Limits,
        level: int,
    ) -> int:
        try:
            entries = await self._write(remote, sha, paths, folder, limits)
        except Damaged:
            await self._clones.heal(remote, sha)
            await asyncio.to_thread(upkeep.empty, folder)
            try:
                entries = await self._write(remote, sha, paths, folder, limits)
            except Damaged as error:
                raise SourceError(f"{remote.url}: {sha[:12]} cannot be read") from error
        size = sum(entry.size for entry in entries)
        if remote.options.enable_lfs:
            left = Limits(limits.files, limits.size_bytes - size)
            size += await lfs.fill(
                folder, entries, remote, self._rules.of(remote), self._credentials, left.size_bytes
            )
        if remote.options.enable_submodules:
            for module in await list_submodules(self._clones, remote, sha, entries):
                left = Limits(limits.files - len(entries), limits.size_bytes - size)
                size += await self._fill_submodule(module, folder, left, level)
        return size

    async def _fill_submodule(
        self, module: Submodule, folder: Path, limits: Limits, level: int
    ) -> int:
        if level == MAX_SUBMODULE_DEPTH:
            raise SourceError(f"{module.path}: submodules nest deeper than {MAX_SUBMODULE_DEPTH}")
        target = folder / module.path
        return await self._fill(module.remote, module.sha, ("",), target, limits, level + 1)

    async def _write(
        self, remote: Remote, sha: str, paths: tuple[str, ...], folder: Path, limits: Limits
    ) -> tuple[Entry, ...]:
        operands = () if "" in paths else paths
        if not paths:
            return ()
        arguments = ("ls-tree", "-r", "-l", "-z", "--full-tree", sha)
        listing = await self._clones.read(remote, sha, Invocation(arguments, operands))
        if listing.code:
            raise Damaged(listing.stderr)
        entries = parse_listing(listing.stdout, limits)
        writer = TreeWriter(folder, entries)
        batch = Invocation(
            ("cat-file", "--batch", "--buffer"),
            git_dir=str(self._clones.mirror(remote)),
            stdin=writer.stdin,
            output_bytes=writer.output_bytes,
            deadline_seconds=_WRITE_SECONDS,
        )
        try:
            outcome = await run(batch, writer.feed)
            if outcome.code:
                raise Damaged(outcome.stderr)
            await asyncio.to_thread(writer.finish)
        finally:
            writer.close()
        return entries
