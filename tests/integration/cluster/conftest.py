"""Clients for the test clusters, kinds, and namespaces that nobody else uses."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fleet.cluster import ClusterClient, open_client
from fleet.model.clusters import ApiKind, Connection
from fleet.model.objects import ObjectRef
from fleet.model.secret import Secret
from tests.cluster.kube import TestCluster

CONFIG_MAP = ApiKind("", "v1", "ConfigMap", "configmaps", namespaced=True)
SECRET = ApiKind("", "v1", "Secret", "secrets", namespaced=True)
SERVICE = ApiKind("", "v1", "Service", "services", namespaced=True)
NAMESPACE = ApiKind("", "v1", "Namespace", "namespaces", namespaced=False)
DEPLOYMENT = ApiKind("apps", "v1", "Deployment", "deployments", namespaced=True)
CLUSTER_ROLE = ApiKind(
    "rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", namespaced=False
)


class Gate:
    """Lets everything through and remembers it; ``refuse`` makes it say no."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self.refuse: Exception | None = None

    def __call__(self, kind: ApiKind, namespace: str, name: str, verb: str) -> None:
        self.seen.append((verb, str(ObjectRef(kind.group, kind.kind, namespace, name))))
        if self.refuse:
            raise self.refuse


def connection_to(cluster: TestCluster, **changes: Any) -> Connection:
    """A connection by the admin's token, with ``changes``."""
    fields: dict[str, Any] = {
        "server": cluster.server,
        "ca_pem": cluster.ca_pem,
        "token": Secret(cluster.admin_token),
    }
    return Connection(**{**fields, **changes})


def config_map(namespace: str, name: str = "settings", **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": data or {"colour": "blue"},
    }


def deployment(namespace: str, name: str = "web", image: str = "nginx:1") -> dict[str, Any]:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "containers": [
                        {
                            "name": "web",
                            "image": image,
                            "resources": {"limits": {"cpu": "1000m"}},
                            "ports": [{"containerPort": 80}],
                        }
                    ]
                },
            },
        },
    }


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def bare(bare_clusters: list[TestCluster]) -> TestCluster:
    return bare_clusters[0]


@pytest.fixture
async def client(bare: TestCluster) -> AsyncIterator[ClusterClient]:
    """A client of a bare cluster, called ``eu-1`` in messages."""
    async with open_client(connection_to(bare), name="eu-1") as opened:
        yield opened


@pytest.fixture
def spot(bare: TestCluster) -> str:
    """A namespace of the bare cluster for this test alone; nothing ever deletes it."""
    name = f"t-{secrets.token_hex(5)}"
    bare.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    return name
