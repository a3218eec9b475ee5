"""Objects of custom kinds."""

from __future__ import annotations

from tests.contract.case import case
from tests.contract.cases.kinds import widget
from tests.contract.recording import TABLE, Recorder


@case
def cluster_scope(it: Recorder) -> None:
    it.shared("cluster")
    path = f"/apis/{it.group}/v1/widgets"
    answer = it.post(path, widget(it, it.tag))
    assert "namespace" not in answer.body["metadata"]
    it.get(f"{path}/{it.tag}")
    it.get(f"/apis/{it.group}/v1/namespaces/{it.ns}/widgets/{it.tag}", expect=404)


@case
def create_without_namespace(it: Recorder) -> None:
    it.shared("plain")
    it.post(f"/apis/{it.group}/v1/widgets", widget(it), expect=404)


@case
def objects_of_all_namespaces(it: Recorder) -> None:
    it.shared("plain")
    body = widget(it)
    body["metadata"]["labels"] = {"case": it.tag}
    it.have(it.custom(), body)
    answer = it.get(f"/apis/{it.group}/v1/widgets?labelSelector=case%3D{it.tag}")
    assert [one["metadata"]["name"] for one in answer.body["items"]] == ["one"]


@case
def wrong_kind(it: Recorder) -> None:
    it.shared("plain")
    body = {**widget(it), "kind": "Gadget"}
    it.post(it.custom(), body, expect=(422, "Invalid", "must be Widget"))


@case
def wrong_version(it: Recorder) -> None:
    it.shared("plain")
    body = {**widget(it), "apiVersion": f"{it.group}/v2"}
    it.post(it.custom(), body, expect=(400, "BadRequest"))


@case
def missing_kind(it: Recorder) -> None:
    it.shared("plain")
    it.post(it.custom(), {"metadata": {"name": "one"}}, expect=(400, "BadRequest"))


@case
def invalid_name(it: Recorder) -> None:
    it.shared("plain")
    it.post(it.custom(), widget(it, "Not_Valid"), expect=(422, "Invalid", "metadata.name"))


@case
def missing_name(it: Recorder) -> None:
    it.shared("plain")
    body = {**widget(it), "metadata": {}}
    it.post(it.custom(), body, expect=(422, "Invalid", "name or generateName is required"))


@case
def not_found(it: Recorder) -> None:
    it.shared("plain")
    it.get(it.custom("none"), expect=(404, "NotFound"))
    it.delete(it.custom("none"), expect=(404, "NotFound"))
    it.patch(it.custom("none"), {"spec": {}}, expect=(404, "NotFound"))


@case
def conflict(it: Recorder) -> None:
    it.shared("plain")
    made = it.have(it.custom(), widget(it, spec={"a": 1}))
    it.patch(it.custom("one"), {"spec": {"a": 2}})
    it.put(it.custom("one"), {**made, "spec": {"a": 3}}, expect=(409, "Conflict"))


@case
def update_needs_a_version(it: Recorder) -> None:
    it.shared("plain")
    it.have(it.custom(), widget(it))
    body = widget(it, spec={"a": 1})
    it.put(it.custom("one"), body, expect=(422, "Invalid", "must be specified for an update"))


@case
def strategic_patch_is_not_for_custom_kinds(it: Recorder) -> None:
    it.shared("plain")
    it.have(it.custom(), widget(it))
    kind = "application/strategic-merge-patch+json"
    it.patch(it.custom("one"), {"spec": {}}, kind=kind, expect=(415, "UnsupportedMediaType"))


@case
def status_is_apart(it: Recorder) -> None:
    it.shared("status")
    made = it.post(it.custom(), widget(it, spec={"a": 1}, status={"b": 1}))
    assert "status" not in made.body
    body = widget(it, spec={"a": 2}, status={"b": 2})
    body["metadata"]["resourceVersion"] = made.version
    answer = it.put(it.custom("one", "status"), body)
    assert (answer.body["spec"], answer.body["status"]) == ({"a": 1}, {"b": 2})
    assert answer.body["metadata"]["generation"] == 1
    answer = it.patch(it.custom("one"), {"spec": {"a": 3}, "status": {"b": 3}})
    assert (answer.body["spec"], answer.body["status"]) == ({"a": 3}, {"b": 2})
    assert answer.body["metadata"]["generation"] == 2


@case
def without_status_subresource(it: Recorder) -> None:
    it.shared("plain")
    made = it.post(it.custom(), widget(it, spec={"a": 1}, status={"b": 1}))
    assert made.body["status"] == {"b": 1}
    it.get(it.custom("one", "status"), expect=404)


@case
def generation_moves_with_anything_but_metadata(it: Recorder) -> None:
    it.shared("plain")
    it.have(it.custom(), widget(it, spec={"a": 1}))
    labelled = it.patch(it.custom("one"), {"metadata": {"labels": {"a": "b"}}})
    assert labelled.body["metadata"]["generation"] == 1
    changed = it.patch(it.custom("one"), {"spec": {"a": 2}})
    assert changed.body["metadata"]["generation"] == 2


@case
def scale(it: Recorder) -> None:
    it.shared("scale")
    it.have(it.custom(), widget(it, spec={"replicas": 2}))
    assert it.get(it.custom("one", "scale")).body["spec"] == {"replicas": 2}
    it.patch(it.custom("one", "scale"), {"spec": {"replicas": 5}})
    assert it.get(it.custom("one")).body["spec"] == {"replicas": 5}


@case
def scale_tells_the_selector(it: Recorder) -> None:
    it.shared("scale")
    it.have(it.custom(), widget(it, spec={"replicas": 2}))
    it.patch(it.custom("one", "status"), {"status": {"replicas": 1, "selector": "a=b"}})
    answer = it.get(it.custom("one", "scale"))
    assert answer.body["status"] == {"replicas": 1, "selector": "a=b"}


@case
def two_versions(it: Recorder) -> None:
    it.shared("versions")
    it.have(it.custom(), widget(it, spec={"size": 1}))
    answer = it.get(it.custom("one", version="v2"))
    assert answer.body["apiVersion"] == f"{it.group}/v2"
    group = it.get(f"/apis/{it.group}").body
    assert [one["version"] for one in group["versions"]] == ["v2", "v1"]


@case
def write_by_the_other_version(it: Recorder) -> None:
    it.shared("versions")
    it.have(it.custom(), widget(it, spec={"size": 1}))
    it.patch(it.custom("one", version="v2"), {"spec": {"size": 2}})
    answer = it.get(it.custom("one"))
    assert (answer.body["apiVersion"], answer.body["spec"]) == (f"{it.group}/v1", {"size": 2})


@case
def printer_columns(it: Recorder) -> None:
    it.shared("columns")
    it.have(it.custom(), widget(it, spec={"size": 3}))
    table = it.get(it.custom(), accept=TABLE).body
    assert [one["name"] for one in table["columnDefinitions"]] == ["Name", "Size", "Mood"]
    assert table["rows"][0]["cells"] == ["one", 3, None]


@case
def columns_by_default(it: Recorder) -> None:
    it.shared("plain")
    it.have(it.custom(), widget(it))
    table = it.get(it.custom(), accept=TABLE).body
    assert [one["name"] for one in table["columnDefinitions"]] == ["Name", "Age"]
