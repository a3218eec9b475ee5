"""The servers of the contract, once a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.cluster import build
from tests.cluster.kube import TestCluster
from tests.contract.running import Pair, Side
from tests.contract.targets import Target
from tests.keeper import State
from tests.needs import require


@pytest.fixture(scope="session")
def sandboxes(kept: Callable[[str], State]) -> State:
    """Addresses of two sandbox clusters."""
    return kept("tests.contract.sandboxes")


@pytest.fixture(scope="session")
def alone(kept: Callable[[str], State], sandboxes: State) -> Iterator[Pair]:
    """An API server alone, and a sandbox in which nothing happens by itself."""
    require(build.is_built(), f"no test control plane: {build.HOW}")
    real = Target(**kept("tests.contract.plane")["alone"], real=True)
    yield from _pair(real, Target(**sandboxes["alone"], real=False))


@pytest.fixture(scope="session")
def controlled(full_cluster: TestCluster, sandboxes: State) -> Iterator[Pair]:
    """The full control plane, and a sandbox with its controllers."""
    real = Target(full_cluster.server, full_cluster.ca_pem, full_cluster.admin_token, real=True)
    yield from _pair(real, Target(**sandboxes["controlled"], real=False))


def _pair(real: Target, sandbox: Target) -> Iterator[Pair]:
    with real.client() as one, sandbox.client() as other:
        yield Pair(Side(real, one), Side(sandbox, other))
