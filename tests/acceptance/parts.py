"""Parts of Fleet as processes of their own, over the database of a test.

The promise is that a part that was killed is replaced within fifteen seconds, on a machine of
its own; here only a hang is a failure.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.operations.harness import until

DEADLINE = 180  # seconds; only a hang takes so long


@dataclass
class Part:
    """A running ``fleet`` process and the file that it writes its log to."""

    process: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    async def ended(self) -> int:
        """Its exit code, once it has ended by itself."""
        return await asyncio.to_thread(self.process.wait, DEADLINE)

    async def ready(self) -> Part:
        async def said() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            return "ready" in self.log.read_text()

        await until(said, seconds=DEADLINE)
        return self


Run = Callable[..., Awaitable[Part]]


@dataclass
class Parts:
    """Starts parts, and kills them at the end.

    Args:
        database_url: of the database that all of them share.
        folder: where their home and their logs are, and repositories may be.
    """

    database_url: str
    folder: Path
    started: list[Part] = field(default_factory=list)

    def environment(self, **changes: str) -> dict[str, str]:
        """Of a part, or of a command that works on the same database."""
        return {
            **os.environ,
            "FLEET_HOME": str(self.folder / "home"),
            "FLEET_DATABASE_URL": self.database_url,
            "FLEET_ALLOWED_FILE_ROOTS": str(self.folder),
            "FLEET_ALLOWED_NETWORKS": "127.0.0.0/8",
            "FLEET_ALLOW_UNSAFE_DATABASE": "true",
            **changes,
        }

    async def start(self, *what: str, inside: Sequence[str] = (), **environment: str) -> Part:
        """A part, ready: ``start("worker", FLEET_CRASH_AT=…)``.

        Args:
            inside: a command line that runs it, e.g. in a network of its own.
        """
        log = self.folder / f"{what[0]}-{len(self.started)}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [*inside, sys.executable, "-m", "fleet", *what],
                env=self.environment(**environment),
                stderr=file,
            )
        self.started.append(Part(process, log))
        return await self.started[-1].ready()

    def end(self) -> None:
        for part in self.started:
            with contextlib.suppress(ProcessLookupError):
                part.kill()
