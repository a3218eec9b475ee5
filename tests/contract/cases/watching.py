"""Watches."""

from __future__ import annotations

from tests.contract.case import case
from tests.contract.cases.creating import configmap
from tests.contract.cases.kinds import widget
from tests.contract.recording import METADATA, TABLE, Object, Recorder


def told(events: list[Object]) -> list[tuple[str, str]]:
    """Type and name of each event."""
    return [(it["type"], it["object"]["metadata"].get("name", "")) for it in events]


def labelled(name: str, **labels: str) -> Object:
    """A ConfigMap with these labels."""
    return {"metadata": {"name": name, "labels": labels}}


@case
def everything_that_happens(it: Recorder) -> None:
    version = it.get(it.at("configmaps")).version
    with it.watch(f"{it.at('configmaps')}?watch=true&resourceVersion={version}") as stream:
        it.have(it.at("configmaps"), configmap("a"))
        it.quietly("PUT", it.at("configmaps", "a"), {**configmap("a"), "data": {"a": "2"}})
        it.quietly("DELETE", it.at("configmaps", "a"))
        assert told(stream.take(3)) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


@case
def begins_with_what_is_there(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap("a"))
    it.have(it.at("configmaps"), configmap("b"))
    with it.watch(f"{it.at('configmaps')}?watch=true") as stream:
        assert told(stream.take(2)) == [("ADDED", "a"), ("ADDED", "b")]


@case
def begins_with_what_is_there_at_version_zero(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap("a"))
    with it.watch(f"{it.at('configmaps')}?watch=true&resourceVersion=0") as stream:
        assert told(stream.take(1)) == [("ADDED", "a")]


@case
def goes_on_from_a_version(it: Recorder) -> None:
    made = it.have(it.at("configmaps"), configmap("a"))
    it.have(it.at("configmaps"), configmap("b"))
    version = made["metadata"]["resourceVersion"]
    with it.watch(f"{it.at('configmaps')}?watch=1&resourceVersion={version}") as stream:
        assert told(stream.take(1)) == [("ADDED", "b")]


@case
def deleted_object_has_a_version_of_its_own(it: Recorder) -> None:
    made = it.have(it.at("configmaps"), configmap("a"))
    version = made["metadata"]["resourceVersion"]
    it.quietly("DELETE", it.at("configmaps", "a"))
    with it.watch(f"{it.at('configmaps')}?watch=true&resourceVersion={version}") as stream:
        (event,) = stream.take(1)
    assert event["type"] == "DELETED"
    assert int(event["object"]["metadata"]["resourceVersion"]) > int(version)


@case
def initial_events_end_with_a_bookmark(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap("a"))
    query = (
        "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
        "&allowWatchBookmarks=true&resourceVersion="
    )
    with it.watch(f"{it.at('configmaps')}?{query}") as stream:
        added, bookmark = stream.take(2)
        assert told([added]) == [("ADDED", "a")]
        annotations = bookmark["object"]["metadata"]["annotations"]
        assert bookmark["type"] == "BOOKMARK"
        assert annotations == {"k8s.io/initial-events-end": "true"}
        it.have(it.at("configmaps"), configmap("b"))
        assert told(stream.take(1)) == [("ADDED", "b")]


@case
def initial_events_of_nothing(it: Recorder) -> None:
    query = (
        "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
        "&allowWatchBookmarks=true"
    )
    with it.watch(f"{it.at('configmaps')}?{query}") as stream:
        (bookmark,) = stream.take(1)
    assert bookmark["object"]["kind"] == "ConfigMap"


@case
def initial_events_need_a_match(it: Recorder) -> None:
    path = f"{it.at('configmaps')}?watch=true&sendInitialEvents=true"
    it.get(path, expect=(422, "Invalid", "sendInitialEvents requires"))


@case
def no_initial_events(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap("a"))
    query = "watch=true&sendInitialEvents=false&resourceVersionMatch=NotOlderThan"
    with it.watch(f"{it.at('configmaps')}?{query}") as stream:
        it.have(it.at("configmaps"), configmap("b"))
        assert told(stream.take(1)) == [("ADDED", "b")]


@case
def ends_when_it_was_told_to(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap("a"))
    with it.watch(f"{it.at('configmaps')}?watch=true&timeoutSeconds=1") as stream:
        assert told(stream.rest()) == [("ADDED", "a")]


@case
def version_that_is_too_old(it: Recorder) -> None:
    """Of events, which no real server caches; etcd says it in other words than a cache does."""

    def view(event: Object) -> list[object]:
        return [event["type"], event["object"]["code"], event["object"]["reason"]]

    path = f"{it.at('events')}?watch=true&resourceVersion=1"
    with it.watch(path, view=view) as stream:
        (event,) = stream.rest()
    assert view(event) == ["ERROR", 410, "Expired"]


@case
def version_that_is_no_number(it: Recorder) -> None:
    path = f"{it.at('configmaps')}?watch=true&resourceVersion=new"
    it.get(path, expect=(500, "", "resourceVersion: Invalid value"))


@case
def by_label(it: Recorder) -> None:
    query = "watch=true&labelSelector=app%3Dx"
    with it.watch(f"{it.at('configmaps')}?{query}") as stream:
        it.have(it.at("configmaps"), labelled("a", app="y"))
        it.have(it.at("configmaps"), labelled("b", app="x"))
        assert told(stream.take(1)) == [("ADDED", "b")]


@case
def moves_in_and_out_of_a_selection(it: Recorder) -> None:
    query = "watch=true&labelSelector=app%3Dx"
    with it.watch(f"{it.at('configmaps')}?{query}") as stream:
        it.have(it.at("configmaps"), labelled("a", app="y"))
        it.quietly("PUT", it.at("configmaps", "a"), labelled("a", app="x"))
        it.quietly("PUT", it.at("configmaps", "a"), labelled("a", app="x", b="c"))
        it.quietly("PUT", it.at("configmaps", "a"), labelled("a", app="y"))
        events = stream.take(3)
    assert [it["type"] for it in events] == ["ADDED", "MODIFIED", "DELETED"]
    assert events[2]["object"]["metadata"]["labels"] == {"app": "x", "b": "c"}


@case
def by_name(it: Recorder) -> None:
    query = "watch=true&fieldSelector=metadata.name%3Db"
    with it.watch(f"{it.at('configmaps')}?{query}") as stream:
        it.have(it.at("configmaps"), configmap("a"))
        it.have(it.at("configmaps"), configmap("b"))
        assert told(stream.take(1)) == [("ADDED", "b")]


@case
def of_all_namespaces(it: Recorder) -> None:
    query = f"watch=true&labelSelector=case%3D{it.tag}"
    with it.watch(f"/api/v1/configmaps?{query}") as stream:
        it.have(it.at("configmaps"), labelled("a", case=it.tag))
        (event,) = stream.take(1)
    assert event["object"]["metadata"]["namespace"] == it.ns


@case
def by_the_old_path(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap("a"))
    with it.watch(f"/api/v1/watch/namespaces/{it.ns}/configmaps") as stream:
        assert told(stream.take(1)) == [("ADDED", "a")]


@case
def metadata_alone(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap("a"))
    with it.watch(f"{it.at('configmaps')}?watch=true", accept=METADATA) as stream:
        (event,) = stream.take(1)
    assert event["object"]["kind"] == "PartialObjectMetadata"
    assert "data" not in event["object"]


@case
def tables(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap("a"))
    it.have(it.at("configmaps"), configmap("b"))
    with it.watch(f"{it.at('configmaps')}?watch=true", accept=TABLE) as stream:
        first, second = stream.take(2)
    assert first["object"]["kind"] == "Table"
    assert len(first["object"]["columnDefinitions"]) == 3
    assert not second["object"].get("columnDefinitions")


@case
def custom_kind(it: Recorder) -> None:
    it.shared("plain")
    with it.watch(f"{it.custom()}?watch=true") as stream:
        it.have(it.custom(), widget(it, spec={"a": 1}))
        it.quietly("DELETE", it.custom("one"))
        assert told(stream.take(2)) == [("ADDED", "one"), ("DELETED", "one")]


@case
def nothing_changes_so_nothing_is_told(it: Recorder) -> None:
    made = it.have(it.at("configmaps"), configmap("a"))
    version = made["metadata"]["resourceVersion"]
    with it.watch(f"{it.at('configmaps')}?watch=true&resourceVersion={version}") as stream:
        it.quietly("PUT", it.at("configmaps", "a"), made)
        it.have(it.at("configmaps"), configmap("b"))
        assert told(stream.take(1)) == [("ADDED", "b")]
