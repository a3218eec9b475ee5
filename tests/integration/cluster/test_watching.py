"""Watches against a real API server: events, bookmarks, expiry, clean ends."""

from __future__ import annotations

import asyncio
import itertools
import json
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from fleet.cluster import ClusterClient, apply, delete, list_metadata, open_client, watch
from fleet.cluster.calls import call_about
from fleet.cluster.paths import path_of, with_query
from fleet.errors import ClusterUnreachable, KindUnknown, WatchExpired
from fleet.model.clusters import ApiKind
from fleet.model.live import WatchEvent
from tests.cluster import build
from tests.cluster.control_plane import control_plane
from tests.cluster.kube import TestCluster
from tests.conftest import require
from tests.integration.cluster.conftest import CONFIG_MAP, Gate, config_map, connection_to

EVENT = ApiKind("", "v1", "Event", "events", namespaced=True)


async def test_events_tell_what_happened_to_the_metadata(
    client: ClusterClient, spot: str, gate: Gate
) -> None:
    start = (await list_metadata(client, CONFIG_MAP, namespace=spot)).resource_version
    created = await apply(client, CONFIG_MAP, config_map(spot), force=False, gate=gate)
    changed = await apply(client, CONFIG_MAP, config_map(spot, a="b"), force=False, gate=gate)
    uid = created.object["metadata"]["uid"]
    await delete(client, CONFIG_MAP, spot, "settings", uid=uid, gate=gate, propagation="background")

    events: list[WatchEvent] = []
    async with (
        asyncio.timeout(30),
        aclosing(watch(client, CONFIG_MAP, resource_version=start, namespace=spot)) as stream,
    ):
        async for event in stream:
            events.append(event)
            if event.type == "DELETED":
                break

    assert [event.type for event in events] == ["ADDED", "MODIFIED", "DELETED"]
    assert events[0].meta is not None
    assert events[0].meta.uid == uid
    assert events[0].meta.managed_fields[0]["manager"] == "fleet"
    assert events[1].resource_version == changed.object["metadata"]["resourceVersion"]


async def test_bookmarks_move_a_silent_watch_on(
    client: ClusterClient, spot: str, gate: Gate
) -> None:
    start = (await list_metadata(client, CONFIG_MAP, namespace=spot)).resource_version
    elsewhere = config_map("default", f"other-{spot}")

    async def write() -> None:
        for number in itertools.count():
            elsewhere["data"] = {"n": str(number)}
            await apply(client, CONFIG_MAP, elsewhere, force=False, gate=gate)

    writing = asyncio.create_task(write())
    try:
        # The API server sends one two seconds before the end, if the kind has moved.
        events = [
            event
            async for event in watch(
                client, CONFIG_MAP, resource_version=start, namespace=spot, timeout_seconds=4
            )
        ]
    finally:
        writing.cancel()
        await asyncio.wait([writing])

    assert {(event.type, event.meta) for event in events} == {("BOOKMARK", None)}
    assert int(events[-1].resource_version) > int(start)


async def test_a_selector_narrows_a_watch(client: ClusterClient, spot: str, gate: Gate) -> None:
    start = (await list_metadata(client, CONFIG_MAP, namespace=spot)).resource_version
    await apply(client, CONFIG_MAP, config_map(spot, "plain"), force=False, gate=gate)
    marked = config_map(spot, "marked")
    marked["metadata"]["labels"] = {"m": spot}
    await apply(client, CONFIG_MAP, marked, force=False, gate=gate)

    async with (
        asyncio.timeout(30),
        aclosing(
            watch(client, CONFIG_MAP, resource_version=start, label_selector=f"m={spot}")
        ) as stream,
    ):
        event = await anext(stream)

    assert event.meta is not None
    assert event.meta.ref.name == "marked"


@pytest.fixture
def compacted(tmp_path: Path) -> Iterator[TestCluster]:
    """A cluster with an etcd of its own: compaction would break others' lists in flight."""
    require(build.is_built(), f"no test control plane: {build.HOW}")
    with control_plane(tmp_path) as plane:
        state = plane.handle({"do": "bare", "names": ["own"]})["own"]
        yield TestCluster.from_state({**state, "keeper": ""})


async def test_what_etcd_has_forgotten_is_expired(compacted: TestCluster, gate: Gate) -> None:
    async with open_client(connection_to(compacted)) as client:
        for name in ("a", "b", "c"):
            await apply(client, CONFIG_MAP, config_map("default", name), force=False, gate=gate)
        old = await list_metadata(client, CONFIG_MAP, namespace="default")
        for name in ("a", "b", "c"):
            changed = config_map("default", name, x="y")
            await apply(client, CONFIG_MAP, changed, force=False, gate=gate)
        await asyncio.to_thread(_compact, compacted)

        # Events are not in the watch cache: etcd itself says no, inside the stream.
        with pytest.raises(WatchExpired):
            await anext(watch(client, EVENT, resource_version=old.resource_version))
        token = {"v": "meta.k8s.io/v1", "rv": int(old.resource_version), "start": "default/a"}
        path = with_query(
            path_of(EVENT, "default"),
            limit=1,
            **{"continue": b64encode(json.dumps(token).encode()).decode().rstrip("=")},
        )
        with pytest.raises(WatchExpired):
            await client.send(call_about("list", EVENT, "GET", path, page=True))


def _compact(cluster: TestCluster) -> None:
    """Let etcd forget everything before now."""

    def ask(path: str, body: dict[str, object]) -> dict[str, dict[str, str]]:
        data = json.dumps(body).encode()
        request = urllib.request.Request(cluster.etcd_endpoint + path, data)
        with urllib.request.urlopen(request, timeout=10) as answer:
            found: dict[str, dict[str, str]] = json.load(answer)
            return found

    revision = ask("/v3/kv/range", {"key": b64encode(b"x").decode()})["header"]["revision"]
    ask("/v3/kv/compaction", {"revision": revision, "physical": True})


async def test_an_unserved_kind_cannot_be_watched(client: ClusterClient) -> None:
    widget = ApiKind("example.org", "v1", "Widget", "widgets", namespaced=True)

    with pytest.raises(KindUnknown):
        await anext(watch(client, widget, resource_version="1"))


async def test_a_watch_ends_when_its_client_closes(
    client: ClusterClient, spot: str, gate: Gate
) -> None:
    start = (await list_metadata(client, CONFIG_MAP, namespace=spot)).resource_version
    await apply(client, CONFIG_MAP, config_map(spot), force=False, gate=gate)
    stream = watch(client, CONFIG_MAP, resource_version=start, namespace=spot)
    await anext(stream)

    await client.close()

    with pytest.raises(ClusterUnreachable):
        await anext(stream)
