"""Git repositories to read from, and remotes that point to them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

import pytest

from fleet.model.repositories import Remote, RepositoryAuth, RepositoryOptions, RepositoryType
from fleet.source import AddressRules, Mirrors

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


@pytest.fixture
def make_repo(tmp_path: Path) -> Callable[[str], Repo]:
    """Make an empty repository below ``tmp_path/git``."""

    def make(name: str) -> Repo:
        path = tmp_path / "git" / name
        path.mkdir(parents=True)
        repo = Repo(path)
        repo.git("init", "--quiet", "--initial-branch=main")
        return repo

    return make


@pytest.fixture
def repo(make_repo: Callable[[str], Repo]) -> Repo:
    """A repository with one commit."""
    repo = make_repo("shop")
    repo.write("web/deploy.yaml", "kind: Deployment\n")
    repo.write("web/values.yaml", "replicas: 1\n")
    repo.write("README.md", "shop\n")
    repo.commit("first\n\nWhy it was made.")
    return repo


@pytest.fixture
def rules(tmp_path: Path) -> AddressRules:
    """Loopback and the test's own folder are allowed, as `make demo` does."""
    return AddressRules(
        allowed_networks=(ip_network("127.0.0.0/8"), ip_network("::1/128")),
        allowed_file_roots=(str(tmp_path / "git"),),
    )


@pytest.fixture
def mirrors(tmp_path: Path, rules: AddressRules) -> Mirrors:
    return Mirrors(tmp_path / "home", rules=rules, deadline_seconds=30)


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
