"""Reading objects and lists: selectors, pages, versions."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

from tests.contract.case import case, tabled
from tests.contract.cases.creating import configmap, event
from tests.contract.recording import Expected, Object, Recorder


def labelled(name: str, **labels: str) -> Object:
    """A ConfigMap with these labels."""
    return {"metadata": {"name": name, "labels": labels}}


def names(body: Object) -> list[str]:
    """Names of the items of a list."""
    return [it["metadata"]["name"] for it in body["items"]]


@case
def get(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    answer = it.get(it.at("configmaps", "one"))
    assert (answer.body["kind"], answer.body["data"]) == ("ConfigMap", {"a": "1"})


@case
def not_found(it: Recorder) -> None:
    it.get(it.at("configmaps", "none"), expect=(404, "NotFound", 'configmaps "none" not found'))


@case
def not_found_in_a_group(it: Recorder) -> None:
    message = 'deployments.apps "none" not found'
    it.get(it.at("deployments", "none"), expect=(404, "NotFound", message))


@case
def list_of_one_namespace(it: Recorder) -> None:
    for name in ("b", "a", "c"):
        it.have(it.at("configmaps"), configmap(name))
    answer = it.get(it.at("configmaps"))
    assert names(answer.body) == ["a", "b", "c"]
    assert answer.body["kind"] == "ConfigMapList"
    assert "kind" not in answer.body["items"][0]


@case
def empty_list(it: Recorder) -> None:
    answer = it.get(it.at("configmaps"))
    assert answer.body["items"] == []


@case
def list_of_all_namespaces(it: Recorder) -> None:
    """In the order of keys, where ``a/`` is after ``a-b/``."""
    other = f"{it.tag}-b"
    it.have("/api/v1/namespaces", {"metadata": {"name": other}})
    body = labelled("one", case=it.tag)
    it.have(f"/api/v1/namespaces/{other}/configmaps", body)
    it.have(it.at("configmaps"), body)
    answer = it.get(f"/api/v1/configmaps?labelSelector=case%3D{it.tag}")
    assert [one["metadata"]["namespace"] for one in answer.body["items"]] == [other, it.tag]


@case
def objects_of_the_cluster(it: Recorder) -> None:
    body = {"metadata": {"name": it.tag}}
    it.have("/api/v1/namespaces", body)
    answer = it.get(f"/api/v1/namespaces/{it.tag}")
    assert "namespace" not in answer.body["metadata"]


#: Which of: a (app=x, tier=web), b (app=y), c (no labels).
SELECTORS: dict[str, tuple[str, list[str]]] = {
    "equal": ("app=x", ["a"]),
    "double_equal": ("app==x", ["a"]),
    "not_equal": ("app!=x", ["b", "c"]),
    "in": ("app in (x,y)", ["a", "b"]),
    "not_in": ("app notin (x)", ["b", "c"]),
    "exists": ("app", ["a", "b"]),
    "not_exists": ("!app", ["c"]),
    "and": ("app,tier=web", ["a"]),
    "nothing": ("app=z", []),
    "empty": ("", ["a", "b", "c"]),
}


def selecting(selector: str, expected: list[str]) -> Callable[[Recorder], None]:
    """A script that lists by labels."""

    def script(it: Recorder) -> None:
        it.have(it.at("configmaps"), labelled("a", app="x", tier="web"))
        it.have(it.at("configmaps"), labelled("b", app="y"))
        it.have(it.at("configmaps"), labelled("c"))
        query = selector.replace(" ", "%20").replace("=", "%3D").replace("!", "%21")
        assert names(it.get(f"{it.at('configmaps')}?labelSelector={query}").body) == expected

    return script


for _name, (_selector, _expected) in SELECTORS.items():
    tabled(__name__, f"labels_{_name}", selecting(_selector, _expected))


#: A query and what it gives.
REFUSED: dict[str, tuple[str, Expected]] = {
    "label_selector": ("labelSelector=a%3D%3D%3Db", (400, "BadRequest")),
    "label_selector_of_a_bad_value": ("labelSelector=a%3Db%20c", (400, "BadRequest")),
    "field_selector": ("fieldSelector=metadata.name", (400, "BadRequest", "invalid selector")),
    "unknown_field": (
        "fieldSelector=data.a%3D1",
        (400, "BadRequest", "not a known field selector"),
    ),
    "limit_is_a_word": ("limit=many", (400, "BadRequest")),
    "version_is_a_word": ("resourceVersion=new", (400, "BadRequest", "invalid resource version")),
    "match_without_version": (
        "resourceVersionMatch=Exact",
        (422, "Invalid", "resourceVersionMatch is forbidden"),
    ),
    "match_of_a_strange_word": (
        "resourceVersion=1&resourceVersionMatch=Some",
        (422, "Invalid", "Unsupported value"),
    ),
    "exactly_version_zero": (
        "resourceVersion=0&resourceVersionMatch=Exact",
        (422, "Invalid", "forbidden"),
    ),
    "version_of_the_future": ("resourceVersion=999999999", (504, "Timeout", "Too large")),
    "token_is_no_token": ("limit=1&continue=zzz", (400, "BadRequest", "continue")),
    "initial_events_of_a_list": ("sendInitialEvents=true", (422, "Invalid", "sendInitialEvents")),
}


def refused(query: str, expect: Expected) -> Callable[[Recorder], None]:
    """A script that lists with a bad query."""

    def script(it: Recorder) -> None:
        it.get(f"{it.at('configmaps')}?{query}", expect=expect)

    return script


for _name, (_query, _expect) in REFUSED.items():
    tabled(__name__, f"bad_{_name}", refused(_query, _expect))


@case
def field_selector_by_name(it: Recorder) -> None:
    for name in ("a", "b"):
        it.have(it.at("configmaps"), configmap(name))
    answer = it.get(f"{it.at('configmaps')}?fieldSelector=metadata.name%3Db")
    assert names(answer.body) == ["b"]
    answer = it.get(f"{it.at('configmaps')}?fieldSelector=metadata.name%21%3Db")
    assert names(answer.body) == ["a"]


@case
def field_selector_by_namespace(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    answer = it.get(f"/api/v1/configmaps?fieldSelector=metadata.namespace%3D{it.ns}")
    assert names(answer.body) == ["one"]


@case
def field_selector_of_a_kind(it: Recorder) -> None:
    it.have(it.at("secrets"), {"metadata": {"name": "a"}, "type": "example.com/x"})
    it.have(it.at("secrets"), {"metadata": {"name": "b"}})
    answer = it.get(f"{it.at('secrets')}?fieldSelector=type%3Dexample.com/x")
    assert names(answer.body) == ["a"]


@case
def pages(it: Recorder) -> None:
    for name in "abcde":
        it.have(it.at("configmaps"), configmap(name))
    path = f"{it.at('configmaps')}?limit=2"
    first = it.get(path)
    assert (names(first.body), first.body["metadata"]["remainingItemCount"]) == (["a", "b"], 3)
    second = follow(it, path, first.body)
    assert names(second) == ["c", "d"]
    last = follow(it, path, second)
    assert names(last) == ["e"]
    assert "continue" not in last["metadata"]


def follow(it: Recorder, path: str, body: Object) -> Object:
    """The page after this one."""
    token = body["metadata"]["continue"]
    answer = it.get(f"{path}&continue={token}")
    assert answer.version == body["metadata"]["resourceVersion"]
    return dict(answer.body)


@case
def pages_are_of_one_moment(it: Recorder) -> None:
    for name in "abc":
        it.have(it.at("configmaps"), configmap(name))
    path = f"{it.at('configmaps')}?limit=1"
    first = it.get(path)
    it.have(it.at("configmaps"), configmap("b2"))
    it.delete(it.at("configmaps", "c"))
    second = follow(it, path, first.body)
    assert names(second) == ["b"]
    assert names(follow(it, path, second)) == ["c"]


@case
def pages_with_a_selector(it: Recorder) -> None:
    for name in "abcd":
        it.have(it.at("configmaps"), labelled(name, odd=str(name in "ac")))
    path = f"{it.at('configmaps')}?limit=1&labelSelector=odd%3DTrue"
    first = it.get(path)
    assert names(first.body) == ["a"]
    assert "remainingItemCount" not in first.body["metadata"]
    assert names(follow(it, path, first.body)) == ["c"]


@case
def limit_that_is_not_reached(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    answer = it.get(f"{it.at('configmaps')}?limit=5")
    assert "continue" not in answer.body["metadata"]


@case
def token_that_has_expired(it: Recorder) -> None:
    """Of events, which no real server caches: others are remembered longer than etcd does."""
    it.have(it.at("events"), event(it))
    token = {"v": "meta.k8s.io/v1", "rv": 1, "start": "one\u0000"}
    text = base64.urlsafe_b64encode(json.dumps(token).encode()).decode().rstrip("=")
    path = f"{it.at('events')}?limit=1&continue={text}"
    answer = it.get(path, expect=(410, "Expired"))
    assert answer.body["metadata"]["continue"]


@case
def version_that_is_compacted(it: Recorder) -> None:
    query = "resourceVersion=1&resourceVersionMatch=Exact"
    it.get(f"{it.at('events')}?{query}", expect=(410, "Expired"))


@case
def exact_version(it: Recorder) -> None:
    made = it.have(it.at("configmaps"), configmap("a"))
    it.have(it.at("configmaps"), configmap("b"))
    version = made["metadata"]["resourceVersion"]
    query = f"resourceVersion={version}&resourceVersionMatch=Exact"
    answer = it.get(f"{it.at('configmaps')}?{query}")
    assert (names(answer.body), answer.version) == (["a"], version)


@case
def not_older_than(it: Recorder) -> None:
    made = it.have(it.at("configmaps"), configmap("a"))
    version = made["metadata"]["resourceVersion"]
    query = f"resourceVersion={version}&resourceVersionMatch=NotOlderThan"
    answer = it.get(f"{it.at('configmaps')}?{query}")
    assert names(answer.body) == ["a"]
    assert int(answer.version) >= int(version)


@case
def any_version(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap("a"))
    answer = it.get(f"{it.at('configmaps')}?resourceVersion=0", view=lambda body: body["kind"])
    assert int(answer.version) > 0


@case
def one_object_not_older_than(it: Recorder) -> None:
    made = it.have(it.at("configmaps"), configmap("a"))
    version = made["metadata"]["resourceVersion"]
    it.get(f"{it.at('configmaps', 'a')}?resourceVersion={version}")


@case
def versions_grow(it: Recorder) -> None:
    one = it.have(it.at("configmaps"), configmap("a"))["metadata"]["resourceVersion"]
    other = it.have(it.at("secrets"), {"metadata": {"name": "b"}})["metadata"]["resourceVersion"]
    answer = it.get(it.at("configmaps"))
    assert int(one) < int(other) <= int(answer.version)
