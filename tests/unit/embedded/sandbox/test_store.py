"""The store: versions, events, snapshots, owners."""

from __future__ import annotations

import pytest

from fleet.embedded.sandbox import store as stores
from fleet.embedded.sandbox.kinds import Kinds, builtin_kind
from fleet.embedded.sandbox.objects import Object
from fleet.embedded.sandbox.store import Event, Expired, Store

MAPS = builtin_kind("v1", "ConfigMap")
PODS = builtin_kind("v1", "Pod")


def config_map(name: str, namespace: str = "default", **data: str) -> Object:
    return {"metadata": {"name": name, "namespace": namespace}, "data": data}


def test_put_gives_a_new_version_and_the_kind() -> None:
    store = Store()
    one = store.put(MAPS, config_map("one", k="1"))
    assert one["kind"] == "ConfigMap"
    assert one["apiVersion"] == "v1"
    two = store.put(MAPS, config_map("one", k="2"))
    assert int(two["metadata"]["resourceVersion"]) > int(one["metadata"]["resourceVersion"])
    assert store.get(MAPS, "default", "one") == two


@pytest.mark.parametrize(
    "again",
    [
        {"metadata": {"name": "one", "namespace": "default"}, "data": {"a": "1", "b": "2"}},
        {"data": {"b": "2", "a": "1"}, "metadata": {"namespace": "default", "name": "one"}},
    ],
)
def test_put_of_the_same_writes_nothing(again: Object) -> None:
    store = Store()
    first = store.put(MAPS, config_map("one", a="1", b="2"))
    told: list[Event] = []
    store.listeners.append(lambda _, event: told.append(event))
    assert store.put(MAPS, again) == first
    assert told == []


def test_what_is_read_is_the_readers_own() -> None:
    store = Store()
    store.put(MAPS, config_map("one", k="1"))
    found = store.get(MAPS, "default", "one")
    assert found is not None
    found["data"]["k"] = "changed"
    assert store.list(MAPS)[0]["data"] == {"k": "1"}


def test_objects_come_in_the_order_of_their_keys() -> None:
    """``a-b/…`` is before ``a/…``, as etcd has it."""
    store = Store()
    for namespace in ("b", "a", "a-b"):
        for name in ("y", "x"):
            store.put(MAPS, config_map(name, namespace))
    assert [key for key, _ in store.entries(MAPS)] == ["a-b/x", "a-b/y", "a/x", "a/y", "b/x", "b/y"]
    assert [key for key, _ in store.entries(MAPS, "a")] == ["a/x", "a/y"]
    assert store.count(MAPS, "a-b") == 2
    store.remove(MAPS, "a", "x")
    assert [key for key, _ in store.entries(MAPS, "a")] == ["a/y"]


def test_events_after_a_version() -> None:
    store = Store()
    store.put(MAPS, config_map("one", k="1"))
    since = store.version
    store.put(MAPS, config_map("one", k="2"))
    store.put(PODS, {"metadata": {"name": "p", "namespace": "default"}})
    store.put(MAPS, config_map("two"))
    removed = store.remove(MAPS, "default", "one")
    assert removed is not None
    events = store.events(MAPS, since)
    assert [(event.type, event.key) for event in events] == [
        ("MODIFIED", "default/one"),
        ("ADDED", "default/two"),
        ("DELETED", "default/one"),
    ]
    assert events[-1].object == removed
    assert removed["metadata"]["resourceVersion"] == str(store.version)


def test_history_that_is_gone_is_expired(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "HISTORY_EVENTS", 3)
    store = Store()
    start = store.version
    for number in range(4):
        store.put(MAPS, config_map(f"m{number}"))
    with pytest.raises(Expired):
        store.events(MAPS, start)
    assert len(store.events(MAPS, start + 1)) == 3
    store.compact()
    assert store.events(MAPS, store.version) == []
    with pytest.raises(Expired):
        store.events(MAPS, store.version - 1)


def test_snapshot_undoes_what_came_later() -> None:
    store = Store()
    store.put(MAPS, config_map("kept", k="1"))
    store.put(MAPS, config_map("deleted"))
    version = store.version
    store.put(MAPS, config_map("kept", k="2"))
    store.put(MAPS, config_map("added"))
    store.remove(MAPS, "default", "deleted")
    found = store.snapshot(MAPS, version)
    assert sorted(found) == ["default/deleted", "default/kept"]
    assert found["default/kept"].object()["data"] == {"k": "1"}


def test_subscribers_hear_of_their_kind_until_they_stop() -> None:
    store = Store()
    heard: list[str] = []
    stop = store.subscribe(MAPS, lambda event: heard.append(event.key))
    store.put(PODS, {"metadata": {"name": "p", "namespace": "default"}})
    store.put(MAPS, config_map("one"))
    stop()
    store.put(MAPS, config_map("two"))
    assert heard == ["default/one"]


def test_dependents_follow_owner_references() -> None:
    store = Store()
    owned = config_map("owned")
    owned["metadata"]["ownerReferences"] = [{"uid": "u1"}, {"uid": "u2"}]
    store.put(MAPS, owned)
    assert [obj["metadata"]["name"] for _, obj in store.dependents("u1")] == ["owned"]
    owned["metadata"]["ownerReferences"] = [{"uid": "u2"}]
    store.put(MAPS, owned)
    assert store.dependents("u1") == []
    store.remove(MAPS, "default", "owned")
    assert store.dependents("u2") == []


def test_versions_of_a_kind_share_their_objects() -> None:
    store = Store(Kinds())
    newer = builtin_kind("autoscaling/v2", "HorizontalPodAutoscaler")
    older = builtin_kind("autoscaling/v1", "HorizontalPodAutoscaler")
    store.put(newer, {"metadata": {"name": "h", "namespace": "default"}})
    found = store.get(older, "default", "h")
    assert found is not None
    assert found["apiVersion"] == "autoscaling/v2"
