"""What a test needs from the machine, and what happens where it is missing."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.cluster.kube import TestCluster


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
