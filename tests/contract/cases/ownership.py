"""Server-side apply: whose a field is, and who may take it."""

from __future__ import annotations

import time
from typing import Any

from tests.contract.case import case
from tests.contract.cases.applying import configmap, container, first, owned, workload
from tests.contract.cases.kinds import widget
from tests.contract.recording import STRATEGIC, Answer, Object, Recorder

FORCE = "&force=true"


@case
def conflict_of_two_appliers(it: Recorder) -> None:
    path = it.at("configmaps", "one")
    it.apply(path, configmap(a="1"), expect=201)
    message = 'Apply failed with 1 conflict: conflict with "one": .data.a'
    answer = it.apply(path, configmap(a="2"), "two", expect=(409, "Conflict", message))
    (cause,) = answer.body["details"]["causes"]
    assert (cause["reason"], cause["field"]) == ("FieldManagerConflict", ".data.a")
    assert it.get(path).body["data"] == {"a": "1"}


@case
def several_conflicts(it: Recorder) -> None:
    path = it.at("configmaps", "one")
    it.apply(path, configmap(a="1", b="1"), expect=201)
    message = "Apply failed with 2 conflicts"
    it.apply(path, configmap(a="2", b="2"), "two", expect=(409, "Conflict", message))


def causes(body: Object) -> list[list[str]]:
    """Whose fields an apply would have to take; the real server tells managers in any order."""
    found = body["details"]["causes"]
    return sorted([it["field"], it["message"], it["reason"]] for it in found)


@case
def conflicts_with_several_managers(it: Recorder) -> None:
    path = it.at("configmaps", "one")
    it.apply(path, configmap(a="1"), expect=201)
    it.apply(path, configmap(b="1"), "two")
    body = configmap(a="2", b="2")
    message = "Apply failed with 2 conflicts: conflict"
    it.apply(path, body, "three", expect=(409, "Conflict", message), view=causes)


@case
def conflict_with_an_updater(it: Recorder) -> None:
    path = it.at("configmaps", "one")
    it.have(it.at("configmaps"), {"metadata": {"name": "one"}, "data": {"a": "1"}})
    message = 'conflict with "contract" using v1'
    it.apply(path, configmap(a="2"), expect=(409, "Conflict", message))


@case
def conflict_inside_a_container(it: Recorder) -> None:
    path = it.at("deployments", "one")
    it.apply(path, workload(), expect=201)
    other = workload(container(image="other"))
    message = '.spec.template.spec.containers[name="main"].image'
    it.apply(path, other, "two", expect=(409, "Conflict", message))


@case
def same_value_is_no_conflict(it: Recorder) -> None:
    path = it.at("configmaps", "one")
    it.apply(path, configmap(a="1"), expect=201)
    answer = it.apply(path, configmap(a="1"), "two")
    assert owned(answer.body, "one") == owned(answer.body, "two")


@case
def force_takes_the_field(it: Recorder) -> None:
    path = it.at("configmaps", "one")
    it.apply(path, configmap(a="1", b="1"), expect=201)
    answer = it.apply(path, configmap(a="2"), "two", options=FORCE)
    assert owned(answer.body, "one") == {"Apply/": {"f:data": {"f:b": {}}}}
    assert owned(answer.body, "two") == {"Apply/": {"f:data": {"f:a": {}}}}


@case
def manager_without_fields_is_forgotten(it: Recorder) -> None:
    path = it.at("configmaps", "one")
    it.apply(path, configmap(a="1"), expect=201)
    answer = it.apply(path, configmap(a="2"), "two", options=FORCE)
    assert owned(answer.body, "one") == {}


@case
def update_takes_the_field_of_an_applier(it: Recorder) -> None:
    path = it.at("configmaps", "one")
    it.apply(path, configmap(a="1", b="1"), expect=201)
    answer = it.patch(path, {"data": {"a": "2"}})
    assert owned(answer.body, "one") == {"Apply/": {"f:data": {"f:b": {}}}}
    assert owned(answer.body, "contract") == {"Update/": {"f:data": {"f:a": {}}}}


@case
def applier_meets_what_an_update_took(it: Recorder) -> None:
    path = it.at("configmaps", "one")
    it.apply(path, configmap(a="1"), expect=201)
    it.patch(path, {"data": {"a": "2"}})
    it.apply(path, configmap(a="1"), expect=(409, "Conflict"))
    answer = it.apply(path, configmap(a="1"), options=FORCE)
    assert answer.body["data"] == {"a": "1"}
    assert owned(answer.body, "contract") == {}


@case
def update_that_removes_a_field(it: Recorder) -> None:
    path = it.at("configmaps", "one")
    it.apply(path, configmap(a="1", b="1"), expect=201)
    answer = it.patch(path, {"data": {"a": None}})
    assert owned(answer.body, "one") == {"Apply/": {"f:data": {"f:b": {}}}}
    assert it.apply(path, configmap(a="1", b="1")).body["data"] == {"a": "1", "b": "1"}


@case
def one_name_for_update_and_apply(it: Recorder) -> None:
    path = it.at("configmaps", "one")
    it.apply(path, configmap(a="1"), expect=201)
    answer = it.patch(f"{path}?fieldManager=one", {"data": {"b": "2"}})
    assert sorted(owned(answer.body, "one")) == ["Apply/", "Update/"]


@case
def updates_of_one_manager_are_one_entry(it: Recorder) -> None:
    path = it.at("configmaps", "one")
    it.have(it.at("configmaps"), {"metadata": {"name": "one"}, "data": {"a": "1"}})
    answer = it.patch(path, {"data": {"b": "2"}})
    assert len(answer.body["metadata"]["managedFields"]) == 1


@case
def field_given_up_stays_with_the_other(it: Recorder) -> None:
    path = it.at("configmaps", "one")
    it.apply(path, configmap(a="1", b="1"), expect=201)
    it.apply(path, configmap(a="1"), "two")
    answer = it.apply(path, configmap(b="1"))
    assert answer.body["data"] == {"a": "1", "b": "1"}
    assert owned(answer.body, "two") == {"Apply/": {"f:data": {"f:a": {}}}}


@case
def replicas_handed_over(it: Recorder) -> None:
    path = it.at("deployments", "one")
    it.apply(path, workload(replicas=1), expect=201)
    it.patch(f"{path}/scale?fieldManager=scaler", {"spec": {"replicas": 5}})
    it.apply(path, workload(replicas=1), expect=(409, "Conflict", ".spec.replicas"))
    answer = it.apply(path, workload())
    assert answer.body["spec"]["replicas"] == 5


@case
def scale_has_an_entry_of_its_own(it: Recorder) -> None:
    path = it.at("deployments", "one")
    it.apply(path, workload(replicas=1), expect=201)
    it.patch(f"{path}/scale?fieldManager=scaler", {"spec": {"replicas": 5}})
    answer = it.get(path)
    fields = {"f:spec": {"f:replicas": {}}}
    assert owned(answer.body, "scaler") == {"Update/scale": fields}


@case
def status_has_an_entry_of_its_own(it: Recorder) -> None:
    path = it.at("deployments", "one")
    it.apply(path, workload(), expect=201)
    it.patch(f"{path}/status", {"status": {"replicas": 1}})
    answer = it.get(path)
    fields = {"f:status": {"f:replicas": {}}}
    assert owned(answer.body, "contract") == {"Update/status": fields}


@case
def status_can_be_applied(it: Recorder) -> None:
    path = it.at("deployments", "one")
    it.apply(path, workload(), expect=201)
    body: Object = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "one"},
        "status": {"replicas": 2},
    }
    answer = it.apply(f"{path}/status", body, "reporter")
    assert answer.body["status"] == {"replicas": 2}
    assert list(owned(answer.body, "reporter")) == ["Apply/status"]


@case
def status_in_an_apply_of_the_object(it: Recorder) -> None:
    path = it.at("deployments", "one")
    body = {**workload(), "status": {"replicas": 5}}
    answer = it.apply(path, body, expect=201)
    assert answer.body["status"] == {}
    assert "f:status" not in owned(answer.body, "one")["Apply/"]


@case
def environment_shared_by_two(it: Recorder) -> None:
    path = it.at("deployments", "one")
    it.apply(path, workload(container(env=[{"name": "A", "value": "1"}])), expect=201)
    it.apply(path, workload(container(env=[{"name": "B", "value": "2"}])), "two")
    answer = it.apply(path, workload(container()), "two")
    assert first(answer.body)["env"] == [{"name": "A", "value": "1"}]


@case
def item_that_another_has_added_to(it: Recorder) -> None:
    """Who adds to an item does not own the item."""
    path = it.at("deployments", "one")
    it.apply(path, workload(container("a"), container("b")), expect=201)
    pod = {"containers": [{"name": "b", "tty": True}]}
    it.patch(path, {"spec": {"template": {"spec": pod}}}, kind=STRATEGIC)
    answer = it.apply(path, workload(container("a")))
    assert len(answer.body["spec"]["template"]["spec"]["containers"]) == 1
    assert owned(answer.body, "contract") == {}


@case
def atomic_field_is_taken_as_a_whole(it: Recorder) -> None:
    path = it.at("deployments", "one")
    it.apply(path, workload(container(args=["a"])), expect=201)
    other = workload(container(args=["a", "b"]))
    message = '.spec.template.spec.containers[name="main"].args'
    it.apply(path, other, "two", expect=(409, "Conflict", message))


@case
def annotations_of_two_appliers(it: Recorder) -> None:
    path = it.at("configmaps", "one")
    one, two = configmap(), configmap()
    one["metadata"]["annotations"] = {"example.com/a": "1"}
    two["metadata"]["annotations"] = {"example.com/a": "2"}
    it.apply(path, one, expect=201)
    it.apply(path, two, "two", expect=(409, "Conflict", ".metadata.annotations.example.com/a"))


@case
def create_then_apply_by_one_manager(it: Recorder) -> None:
    body = {"metadata": {"name": "one"}, "data": {"a": "1"}}
    it.have(f"{it.at('configmaps')}?fieldManager=one", body)
    path = it.at("configmaps", "one")
    it.apply(path, configmap(a="2"), expect=(409, "Conflict", 'conflict with "one" using v1'))


@case
def nobody_owns_defaults(it: Recorder) -> None:
    path = it.at("deployments", "one")
    it.apply(path, workload(), expect=201)
    answer = it.apply(path, workload(revisionHistoryLimit=3), "two")
    assert answer.body["spec"]["revisionHistoryLimit"] == 3


@case
def custom_kind(it: Recorder) -> None:
    it.shared("plain")
    path = it.custom("one")
    it.apply(path, widget(it, spec={"a": 1, "b": {"c": 2}}), expect=201)
    answer = it.apply(path, widget(it, spec={"a": 1}))
    assert answer.body["spec"] == {"a": 1}
    it.apply(path, widget(it, spec={"a": 2}), "two", expect=(409, "Conflict", ".spec.a"))


def detailed(it: Recorder, **spec: Any) -> Object:
    """An object of the kind with a schema."""
    it.shared("detailed")
    return widget(it, spec={"size": 1, **spec})


def first_apply(it: Recorder, body: Object) -> Answer:
    """The apply that makes the object."""
    return it.apply(it.custom("one"), body, expect=201)


@case
def custom_list_by_key(it: Recorder) -> None:
    first_apply(it, detailed(it, parts=[{"name": "a", "count": 1}]))
    answer = it.apply(it.custom("one"), detailed(it, parts=[{"name": "b", "count": 1}]), "two")
    assert [one["name"] for one in answer.body["spec"]["parts"]] == ["a", "b"]
    answer = it.apply(it.custom("one"), detailed(it))
    assert [one["name"] for one in answer.body["spec"]["parts"]] == ["b"]


@case
def custom_set(it: Recorder) -> None:
    first_apply(it, detailed(it, unique=["a"]))
    answer = it.apply(it.custom("one"), detailed(it, unique=["b"]), "two")
    assert answer.body["spec"]["unique"] == ["a", "b"]
    answer = it.apply(it.custom("one"), detailed(it))
    assert answer.body["spec"]["unique"] == ["b"]


@case
def custom_plain_list(it: Recorder) -> None:
    first_apply(it, detailed(it, tags=["a"]))
    expect = (409, "Conflict", ".spec.tags")
    it.apply(it.custom("one"), detailed(it, tags=["b"]), "two", expect=expect)


@case
def custom_struct_as_a_whole(it: Recorder) -> None:
    first_apply(it, detailed(it, whole={"a": "1"}))
    expect = (409, "Conflict", ".spec.whole")
    it.apply(it.custom("one"), detailed(it, whole={"b": "1"}), "two", expect=expect)


@case
def custom_map(it: Recorder) -> None:
    first_apply(it, detailed(it, words={"a": "1"}))
    answer = it.apply(it.custom("one"), detailed(it, words={"b": "1"}), "two")
    assert answer.body["spec"]["words"] == {"a": "1", "b": "1"}


@case
def custom_map_of_anything(it: Recorder) -> None:
    first_apply(it, detailed(it, any={"x": {"y": 1}}))
    answer = it.apply(it.custom("one"), detailed(it, any={"x": {"z": [1, 2]}}), "two")
    assert answer.body["spec"]["any"] == {"x": {"y": 1, "z": [1, 2]}}


@case
def custom_default_is_nobodys(it: Recorder) -> None:
    answer = first_apply(it, detailed(it))
    assert owned(answer.body, "one") == {"Apply/": {"f:spec": {"f:size": {}}}}
    assert answer.body["spec"]["colour"] == "blue"


@case
def custom_status(it: Recorder) -> None:
    it.shared("status")
    it.apply(it.custom("one"), widget(it, spec={"a": 1}, status={"b": 1}), expect=201)
    body = widget(it, status={"b": 2})
    answer = it.apply(it.custom("one", "status"), body, "reporter")
    assert list(owned(answer.body, "reporter")) == ["Apply/status"]
    assert list(owned(answer.body, "one")) == ["Apply/"]


@case
def unchanged_in_another_second(it: Recorder) -> None:
    """What was sent has less than what is stored: that is not written again for its time alone."""
    path = it.at("deployments", "one")
    source = {"fieldRef": {"fieldPath": "metadata.name"}}
    body = workload(container(env=[{"name": "A", "valueFrom": source}]))
    made = it.apply(path, body, expect=201)
    time.sleep(1 - time.time() % 1)  # managers' times are told in whole seconds
    again = it.apply(path, body)
    assert again.version == made.version
