"""Git repositories on disk that tests commit to, and remotes that point somewhere."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from fleet.model.repositories import Remote, RepositoryAuth, RepositoryOptions, RepositoryType
from fleet.source import Mirrors

IDENTITY = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")


@dataclass(frozen=True)
class Repo:
    """A working repository on disk that tests commit to."""

    path: Path

    @property
    def url(self) -> str:
        return f"file://{self.path}"

    def git(self, *arguments: str, stdin: bytes = b"") -> str:
        command = ["git", "-C", str(self.path), *IDENTITY, *arguments]
        done = subprocess.run(command, check=True, capture_output=True, input=stdin)
        return done.stdout.decode().strip()

    def write(self, path: str, text: str) -> None:
        file = self.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def commit(self, message: str = "change") -> str:
        """Commit everything; the full SHA."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")


def remote_to(
    url: str,
    *,
    auth: RepositoryAuth | None = None,
    options: RepositoryOptions | None = None,
    type: RepositoryType = RepositoryType.GIT,
    cache_key: str = "key",
    ca_pem: str = "",
    known_hosts: str = "",
    registered: bool = True,
) -> Remote:
    """A Remote with everything but the URL defaulted."""
    return Remote(
        url=url,
        type=type,
        auth=auth or RepositoryAuth(),
        options=options or RepositoryOptions(),
        cache_key=cache_key,
        ca_pem=ca_pem,
        known_hosts=known_hosts,
        registered=registered,
    )


def disk_use(folder: Path) -> int:
    """Bytes in all files below ``folder``."""
    return sum(file.lstat().st_size for file in folder.rglob("*") if not file.is_dir())


async def message_of(mirrors: Mirrors, remote: Remote, sha: str) -> str:
    """What the author of a commit wrote about it."""
    (commit,) = await mirrors.raw_commits(remote, [sha])
    return commit.partition(b"\n\n")[2].decode().strip()
