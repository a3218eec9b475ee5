"""What the tests of the source room start from."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

import pytest

from fleet.source import AddressRules, Mirrors
from tests.integration.source.repos import Repo


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
