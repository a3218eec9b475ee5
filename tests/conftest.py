"""Fixtures that any test may ask for, and what holds for the whole run.

Everything that costs seconds is started once a run and shared by the xdist workers
(``tests/keeper.py``); everything that a test can spoil is made anew for each test.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import keeper
from tests.cluster import build
from tests.cluster.kube import TestCluster
from tests.keeper import State
from tests.servers.postgres import EMPTY, TestDatabase, create_database, drop_database

BARE = ("bare-1", "bare-2", "bare-3")
FOLDERS = ("unit", "integration", "acceptance", "migrations", "rules")


def require(condition: object, message: str) -> None:
    """Skip when a service is missing; under CI=true that is a failure."""
    if condition:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def kubectl(cluster: TestCluster, *arguments: str, stdin: str = "") -> str:
    """What the real kubectl prints when it is run as the cluster's admin."""
    found = shutil.which("kubectl")
    require(found, "no kubectl on PATH: install it, or run `fleet tools install`")
    return cluster.kubectl(*arguments, stdin=stdin, kubectl=str(found))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by its folder, and by the cluster it needs."""
    for item in items:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        if folder in FOLDERS:
            item.add_marker(folder)
        if {"full_cluster", "bare_clusters"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("cluster")


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
def control_plane(pytestconfig: pytest.Config) -> str:
    """The address of the keeper of all clusters."""
    require(build.is_built(), f"no test control plane: {build.HOW}")
    state = keeper.obtain(
        _run_dir(pytestconfig), "tests.cluster.control_plane", _owner_pid(pytestconfig)
    )
    return str(state["keeper"])


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
def postgres(pytestconfig: pytest.Config) -> State:
    """The PostgreSQL server of this run."""
    return keeper.obtain(_run_dir(pytestconfig), "tests.servers.postgres", _owner_pid(pytestconfig))


@pytest.fixture
def database(postgres: State) -> Iterator[TestDatabase]:
    """A database of this test's own, with the newest schema."""
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
def fleet_home() -> Iterator[Path]:
    """A FLEET_HOME that the account PostgreSQL runs as can enter; pytest's tmp_path is 0700."""
    with tempfile.TemporaryDirectory(prefix="fleet-home-", dir=keeper.FAST_FOLDER) as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)
