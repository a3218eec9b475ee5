"""Lists, single objects, logs and discovery against real API servers."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from fleet.cluster import (
    ClusterClient,
    apply,
    get_metadata,
    get_object,
    list_metadata,
    open_client,
    pod_logs,
)
from fleet.errors import KindUnknown, ObjectRejected, SpecInvalid
from fleet.model.clusters import ApiKind
from fleet.model.objects import ObjectRef
from tests.cluster.kube import TestCluster
from tests.integration.cluster.conftest import (
    CLUSTER_ROLE,
    CONFIG_MAP,
    Gate,
    config_map,
    connection_to,
)

WIDGET = ApiKind("example.org", "v1", "Widget", "widgets", namespaced=True)


async def _apply_all(client: ClusterClient, spot: str, count: int) -> None:
    gate = Gate()
    names = [f"cm-{number:02}" for number in range(count)]
    await asyncio.gather(
        *(
            apply(client, CONFIG_MAP, config_map(spot, name), force=False, gate=gate)
            for name in names
        )
    )


async def test_a_list_is_all_pages_of_one_snapshot(client: ClusterClient, spot: str) -> None:
    await _apply_all(client, spot, 7)
    client.requests.clear()

    paged = await list_metadata(client, CONFIG_MAP, namespace=spot, limit=3)
    whole = await list_metadata(client, CONFIG_MAP, namespace=spot)

    assert [meta.ref.name for meta in paged.items] == [f"cm-{n:02}" for n in range(7)]
    assert paged.items == whole.items
    assert paged.resource_version
    assert client.requests == {("list", "ConfigMap"): 3 + 1}


async def test_a_list_carries_what_a_pass_decides_by(
    client: ClusterClient, spot: str, gate: Gate
) -> None:
    manifest = config_map(spot)
    manifest["metadata"] |= {"labels": {"a": "b"}, "annotations": {"c": "d"}}
    stored = (await apply(client, CONFIG_MAP, manifest, force=False, gate=gate)).object

    [meta] = (await list_metadata(client, CONFIG_MAP, namespace=spot)).items

    assert meta.ref == ObjectRef("", "ConfigMap", spot, "settings")
    assert meta.uid == stored["metadata"]["uid"]
    assert meta.resource_version == stored["metadata"]["resourceVersion"]
    assert (meta.labels, meta.annotations) == ({"a": "b"}, {"c": "d"})
    assert [entry["manager"] for entry in meta.managed_fields] == ["fleet"]
    assert await get_metadata(client, CONFIG_MAP, spot, "settings") == meta


async def test_a_selector_narrows_a_list(client: ClusterClient, spot: str, gate: Gate) -> None:
    await _apply_all(client, spot, 2)
    marked = config_map(spot, "marked")
    marked["metadata"]["labels"] = {"fleet.dev/instance": "x"}
    await apply(client, CONFIG_MAP, marked, force=False, gate=gate)

    found = await list_metadata(client, CONFIG_MAP, label_selector="fleet.dev/instance=x")

    assert "marked" in {meta.ref.name for meta in found.items}
    assert {meta.labels["fleet.dev/instance"] for meta in found.items} == {"x"}


async def test_absent_is_none_and_an_unserved_kind_is_an_error(
    client: ClusterClient, spot: str
) -> None:
    assert await get_object(client, CONFIG_MAP, spot, "none") is None
    assert await get_metadata(client, CONFIG_MAP, spot, "none") is None
    assert await get_object(client, CLUSTER_ROLE, "", "none:such") is None
    unserved = ApiKind("apps", "v1", "Gizmo", "gizmos", namespaced=True)
    for kind in (WIDGET, unserved):
        with pytest.raises(KindUnknown):
            await get_object(client, kind, spot, "none")
        with pytest.raises(KindUnknown):
            await list_metadata(client, kind)


@pytest.mark.parametrize("name", ["../secrets/x", "a/b", "..", "a%2Fb"])
async def test_a_name_that_would_address_something_else_is_refused(
    client: ClusterClient, spot: str, name: str
) -> None:
    with pytest.raises(SpecInvalid):
        await get_object(client, CONFIG_MAP, spot, name)


@pytest.mark.parametrize("name", ["x?dryRun=All", "x#y", "x y", "ü", "x;y=1"])
async def test_an_odd_name_stays_inside_its_segment(
    client: ClusterClient, spot: str, name: str
) -> None:
    assert await get_object(client, CONFIG_MAP, spot, name) is None


async def test_logs_come_line_by_line(
    full_cluster: TestCluster, namespace: str, gate: Gate
) -> None:
    pod = {
        "metadata": {"name": "talker"},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }
    pods = ApiKind("", "v1", "Pod", "pods", namespaced=True)
    async with open_client(connection_to(full_cluster)) as client:
        full_cluster.request("POST", f"/api/v1/namespaces/{namespace}/pods", pod)
        async with asyncio.timeout(30):
            while (await get_object(client, pods, namespace, "talker") or {})["status"][
                "phase"
            ] != "Running":
                await asyncio.sleep(0.1)
        async with aclosing(pod_logs(client, namespace, "talker", tail_lines=5)) as lines:
            found = [line async for line in lines]
        with pytest.raises(ObjectRejected) as absent:
            await anext(pod_logs(client, namespace, "nobody"))

    assert found == ["hello from a container"]
    assert absent.value.reason == "NotFound"
