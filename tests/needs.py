"""What a test needs from the machine, and what happens where it is missing."""

from __future__ import annotations

import os

import pytest

from fleet.render.tools import find_tools
from tests.cluster.kube import TestCluster
from tests.tools import tools_home


def require(condition: object, message: str) -> None:
    """Skip when a service is missing; under CI=true that is a failure."""
    if condition:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def kubectl(cluster: TestCluster, *arguments: str, stdin: str = "") -> str:
    """What the real kubectl prints when it is run as the cluster's admin."""
    program = find_tools(tools_home()).kubectl.path
    return cluster.kubectl(*arguments, stdin=stdin, kubectl=program)
