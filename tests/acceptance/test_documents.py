"""What README and quickstart show is what happens: every command in them is run, in their order."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.fleet_process import Machine, machine, typed
from tests.cluster.kube import TestCluster
from tests.documents import commands
from tests.keeper import ROOT
from tests.servers.git_http import GitHttpServer
from tests.servers.git_ssh import GitSshServer
from tests.tools import tools_home

#: Not run here, because another test does.
ELSEWHERE = {"make demo": "tests/acceptance/test_demo.py"}
PASSWORD = "geheim"
PAGE = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "page"}})


class Reader:
    """Someone with a checkout, a cluster and repositories, who types what a document says.

    Args:
        here: what the document calls things, and what they are called on this machine.
    """

    def __init__(self, machine: Machine, folder: Path, here: dict[str, str]) -> None:
        self._machine = machine
        self._folder = folder
        self._here = here

    @contextlib.contextmanager
    def reading(self, document: str) -> Iterator[list[str]]:
        """Everything was typed; what was not, when the block is entered. ``fleet up`` ends
        with it."""
        untyped = []
        with contextlib.ExitStack() as running:
            for command in commands((ROOT / document).read_text()):
                if command in ELSEWHERE:
                    untyped.append(command)
                elif command == "fleet up":
                    running.enter_context(self._machine.up())
                else:
                    self._type(command)
            yield untyped

    def _type(self, command: str) -> None:
        meant = command
        for shown, real in self._here.items():
            meant = meant.replace(shown, real)
        done = typed(meant, self._folder, self._machine.environment)
        assert done.code == 0, f"$ {command}\n{done.out}{done.err}{self._machine.log()}"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What `make setup` and a reader need of one, with nothing else lying about."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("Makefile", "constraints.txt", "pyproject.toml", ".venv"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "password.txt").write_text(f"{PASSWORD}\n")
    return folder


@pytest.fixture
def reader(
    full_cluster: TestCluster,
    namespace: str,
    git_http: GitHttpServer,
    git_ssh: GitSshServer,
    checkout: Path,
) -> Iterator[Reader]:
    repository = git_http.repository("shop")
    repository.commit({"web/page.yaml": PAGE})
    git_http.require_basic("ci", PASSWORD)
    over_ssh = git_ssh.repository("shop")
    over_ssh.commit({"web/page.yaml": PAGE})
    with machine() as made:
        home = made.home.parent
        (made.home / "tools").symlink_to(tools_home() / "tools")
        (home / ".kube").mkdir()
        (home / ".kube" / "config").symlink_to(full_cluster.kubeconfig)
        (home / ".ssh").mkdir(mode=0o700)
        (home / ".ssh" / "id_ed25519").write_text(git_ssh.client_key.private)
        yield Reader(
            made,
            checkout,
            {
                "https://git.example/shop.git": repository.url,
                "https://git.example/": f"{git_http.url}/",
                "ssh://git@git.example/shop.git": over_ssh.url,
                "--context eu-1": f"--context {full_cluster.name}",
                "ssh-keyscan git.example": f"ssh-keyscan -p {git_ssh.port} 127.0.0.1",
                "--dest-namespace shop": f"--dest-namespace {namespace}",
                "eu-*,shop": f"eu-*,{namespace}",
            },
        )


@pytest.mark.parametrize("document", ["README.md", "docs/quickstart.md"])
def test_every_command_works(
    reader: Reader, document: str, full_cluster: TestCluster, namespace: str
) -> None:
    with reader.reading(document) as untyped:
        found = full_cluster.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/page")
        assert found["metadata"]["name"] == "page"
    assert [(ROOT / ELSEWHERE[command]).exists() for command in untyped] == [True] * len(untyped)
