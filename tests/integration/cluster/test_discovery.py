"""What real clusters say that they serve, and who they are."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator

import pytest

from fleet.cluster import ClusterClient, discover, facts, list_metadata, open_client, probe
from fleet.cluster.discovery import discover_by_walking
from fleet.errors import ObjectRejected
from fleet.model.clusters import ApiKind, Discovery
from fleet.model.objects import GroupKind
from tests.cluster.kube import TestCluster
from tests.integration.cluster.conftest import CONFIG_MAP, DEPLOYMENT, connection_to

GROUP = "broken.example.org"


def named(found: Discovery) -> set[tuple[str, str, str, str, bool]]:
    return {(k.group, k.version, k.kind, k.plural, k.namespaced) for k in found.kinds}


async def test_both_ways_to_ask_find_the_same(client: ClusterClient) -> None:
    quick = await discover(client)
    requests = sum(client.requests.values())
    thorough = await discover_by_walking(client)

    assert requests == 2
    assert named(quick) == named(thorough)
    assert quick.preferred == thorough.preferred
    assert quick.failed_groups == thorough.failed_groups == frozenset()


async def test_kinds_are_found_as_the_cluster_serves_them(client: ClusterClient) -> None:
    found = await discover(client)

    deployment = found.find(GroupKind("apps", "Deployment"))
    config_map = found.find(GroupKind("", "ConfigMap"), "v1")
    assert deployment is not None
    assert config_map is not None
    assert (deployment.api_version, deployment.plural) == ("apps/v1", DEPLOYMENT.plural)
    assert {"patch", "watch", "list"} <= deployment.verbs
    assert config_map.plural == CONFIG_MAP.plural
    assert found.find(GroupKind("example.org", "Widget")) is None
    assert not any("/" in kind.plural for kind in found.kinds)
    assert {"apps/v1", "apps/v1/Deployment", "v1/ConfigMap"} <= set(found.api_versions())


async def test_facts_tell_who_the_cluster_is(
    bare_clusters: list[TestCluster], client: ClusterClient
) -> None:
    first = await probe(client)
    again = await facts(client, await discover(client))
    async with open_client(connection_to(bare_clusters[1])) as other:
        second = await probe(other)

    assert first == again
    assert first.version.startswith("v1.")
    assert first.uid
    assert first.uid != second.uid


@pytest.fixture
def broken_api(full_cluster: TestCluster) -> Iterator[TestCluster]:
    """The full cluster with an aggregated API whose service does not exist."""
    name = f"v1.{GROUP}"
    path = "/apis/apiregistration.k8s.io/v1/apiservices"
    full_cluster.request(
        "POST",
        path,
        {
            "metadata": {"name": name},
            "spec": {
                "group": GROUP,
                "version": "v1",
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "insecureSkipTLSVerify": True,
                "service": {"name": f"none-{secrets.token_hex(3)}", "namespace": "default"},
            },
        },
    )
    yield full_cluster
    full_cluster.request("DELETE", f"{path}/{name}")


async def test_an_api_that_is_down_is_unknown_not_absent(broken_api: TestCluster) -> None:
    async with open_client(connection_to(broken_api)) as client:
        async with asyncio.timeout(30):
            # The aggregator looks at a new APIService when it gets to it.
            while GROUP not in (found := await discover(client)).failed_groups:
                await asyncio.sleep(0.1)
        thorough = await discover_by_walking(client)
        widget = ApiKind(GROUP, "v1", "Widget", "widgets", namespaced=True)
        with pytest.raises(ObjectRejected) as refused:
            await list_metadata(client, widget)

    assert found.failed_groups == thorough.failed_groups == {GROUP}
    assert found.find(GroupKind("apps", "Deployment")) is not None
    assert refused.value.reason == "ServiceUnavailable"
