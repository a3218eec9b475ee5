"""Server-side apply: what is merged, what is owned, what conflicts, what is taken away."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fleet.embedded.sandbox.fieldsets import FieldsInvalid
from fleet.embedded.sandbox.merging import ApplyConflict, apply, track
from fleet.embedded.sandbox.objects import Object
from fleet.embedded.sandbox.shapes import Shape, builtin, of_schema

NOON = "2026-01-01T12:00:00Z"
LATER = "2026-01-01T13:00:00Z"
CONFIG = builtin("V1ConfigMap")
DEPLOYMENT = builtin("V1Deployment")
WIDGET = of_schema(
    {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {
                    "tags": {
                        "type": "array",
                        "x-kubernetes-list-type": "set",
                        "items": {"type": "string"},
                    },
                    "rules": {
                        "type": "array",
                        "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["host"],
                        "items": {
                            "type": "object",
                            "properties": {
                                "host": {"type": "string"},
                                "port": {"type": "integer"},
                            },
                        },
                    },
                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                },
            },
            "status": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
        },
    }
)


def config(data: dict[str, str] | None = None, **metadata: Any) -> Object:
    made: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", **metadata}}
    return made if data is None else {**made, "data": data}


def deployment(**spec: Any) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": spec,
    }


def containers(*items: Any, **spec: Any) -> Object:
    return deployment(template={"spec": {"containers": list(items)}}, **spec)


def widget(**spec: Any) -> Object:
    return {"apiVersion": "a.b/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec}


def applied(live: Object | None, obj: Object, manager: str = "a", **more: Any) -> Object:
    shapes = {"ConfigMap": CONFIG, "Deployment": DEPLOYMENT, "Widget": WIDGET}
    arguments: dict[str, Any] = {"force": False, "now": NOON, **more}
    return apply(live, obj, shape=shapes[obj["kind"]], manager=manager, **arguments)


def owned(obj: Object, manager: str, operation: str = "Apply") -> Any:
    found = [
        entry["fieldsV1"]
        for entry in obj["metadata"].get("managedFields", ())
        if (entry["manager"], entry["operation"]) == (manager, operation)
    ]
    return found[0] if found else None


def test_an_apply_creates() -> None:
    made = applied(None, config({"a": "1"}, labels={"x": "y"}))
    assert made["data"] == {"a": "1"}
    assert made["metadata"]["managedFields"] == [
        {
            "manager": "a",
            "operation": "Apply",
            "apiVersion": "v1",
            "time": NOON,
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {"f:a": {}}, "f:metadata": {"f:labels": {"f:x": {}}}},
        }
    ]


def test_an_apply_owns_items_by_their_keys() -> None:
    port = {"containerPort": 80}
    made = applied(None, containers({"name": "web", "image": "i", "ports": [port]}))
    pod = owned(made, "a")["f:spec"]["f:template"]["f:spec"]
    assert pod == {
        "f:containers": {
            'k:{"name":"web"}': {
                ".": {},
                "f:name": {},
                "f:image": {},
                "f:ports": {
                    'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}
                },
            }
        }
    }


def test_the_same_again_changes_nothing_not_even_the_time() -> None:
    made = applied(None, config({"a": "1"}))
    assert applied(made, config({"a": "1"}), now=LATER) == made


def test_another_value_conflicts_and_says_with_whom() -> None:
    live = applied(None, deployment(replicas=1), "hpa")
    live = track(
        live,
        {**live, "spec": {**live["spec"], "paused": True}},
        shape=DEPLOYMENT,
        manager="kubectl-edit",
        now=NOON,
    )
    with pytest.raises(ApplyConflict) as caught:
        applied(live, deployment(replicas=2))
    assert str(caught.value) == 'Apply failed with 1 conflict: conflict with "hpa": .spec.replicas'
    assert caught.value.causes == (("hpa", ".spec.replicas", 'conflict with "hpa"'),)
    with pytest.raises(ApplyConflict) as caught:
        applied(live, deployment(replicas=2, paused=False))
    assert str(caught.value) == (
        'Apply failed with 2 conflicts: conflicts with "hpa":\n- .spec.replicas\n'
        'conflicts with "kubectl-edit" using apps/v1:\n- .spec.paused'
    )


def test_force_takes_the_field_from_the_other() -> None:
    live = applied(None, config({"a": "1", "b": "1"}), "other")
    taken = applied(live, config({"a": "2"}), force=True, now=LATER)
    assert taken["data"] == {"a": "2", "b": "1"}
    assert owned(taken, "other") == {"f:data": {"f:b": {}}}
    assert owned(taken, "a") == {"f:data": {"f:a": {}}}


def test_an_owner_of_nothing_is_dropped() -> None:
    live = applied(None, config({"a": "1"}), "other")
    taken = applied(live, config({"a": "2"}), force=True)
    assert [entry["manager"] for entry in taken["metadata"]["managedFields"]] == ["a"]


def test_the_same_value_is_shared_and_outlives_one_owner() -> None:
    live = applied(None, config({"a": "1"}), "one")
    live = applied(live, config({"a": "1", "b": "1"}), "two")
    assert owned(live, "one") == {"f:data": {"f:a": {}}}
    live = applied(live, config({"b": "1"}), "two")
    assert live["data"] == {"a": "1", "b": "1"}
    live = applied(live, config(), "one")
    assert live["data"] == {"b": "1"}
    assert owned(live, "one") is None


def test_what_is_applied_no_longer_is_removed() -> None:
    first = containers({"name": "a", "image": "i"}, {"name": "b", "image": "i"}, paused=True)
    live = applied(None, first)
    live = applied(live, containers({"name": "b", "image": "i"}), now=LATER)
    assert live["spec"]["template"]["spec"]["containers"] == [{"name": "b", "image": "i"}]
    assert "paused" not in live["spec"]


def test_what_others_added_to_an_item_stays_with_it() -> None:
    live = applied(None, containers({"name": "a", "image": "i"}))
    changed = containers({"name": "a", "image": "i", "tty": True})
    live = track(
        live,
        {**changed, "metadata": live["metadata"]},
        shape=DEPLOYMENT,
        manager="edit",
        now=NOON,
    )
    live = applied(live, containers({"name": "a"}))
    assert live["spec"]["template"]["spec"]["containers"] == [{"name": "a", "tty": True}]


def test_atomic_values_are_owned_and_replaced_as_a_whole() -> None:
    selector = {"matchLabels": {"a": "b"}}
    live = applied(None, deployment(selector=selector))
    assert owned(live, "a") == {"f:spec": {"f:selector": {}}}
    with pytest.raises(ApplyConflict):
        applied(live, deployment(selector={"matchLabels": {"c": "d"}}), "b")


def test_sets_and_keyed_lists_of_a_custom_kind() -> None:
    live = applied(None, widget(tags=["x", "y"], rules=[{"host": "h", "port": 1}]), "one")
    live = applied(live, widget(tags=["z", "y"], rules=[{"host": "g", "port": 2}]), "two")
    assert live["spec"]["tags"] == ["x", "z", "y"]
    assert [rule["host"] for rule in live["spec"]["rules"]] == ["h", "g"]
    assert owned(live, "two") == {
        "f:spec": {
            "f:tags": {'v:"y"': {}, 'v:"z"': {}},
            "f:rules": {'k:{"host":"g"}': {".": {}, "f:host": {}, "f:port": {}}},
        }
    }
    live = applied(live, widget(), "one")
    assert live["spec"]["tags"] == ["z", "y"]
    assert [rule["host"] for rule in live["spec"]["rules"]] == ["g"]


def test_free_form_fields_are_owned_one_by_one() -> None:
    live = applied(None, widget(free={"a": {"b": 1}, "list": [{"x": 1}]}))
    assert owned(live, "a")["f:spec"]["f:free"] == {
        "f:a": {".": {}, "f:b": {}},
        "f:list": {},
    }


def test_status_is_written_through_its_subresource_only() -> None:
    obj = {**widget(tags=["x"]), "status": {"ready": True}}
    live = {**applied(None, obj), "status": {}}
    assert owned(live, "a") == {"f:spec": {"f:tags": {'v:"x"': {}}}}
    live = applied(live, obj, subresource="status")
    entry = live["metadata"]["managedFields"][1]
    assert entry["subresource"] == "status"
    assert entry["fieldsV1"] == {"f:status": {"f:ready": {}}}


def test_tracking_begins_with_what_exists() -> None:
    live = config({"a": "1"}, uid="u")
    live = applied(live, config({"b": "1"}))
    assert owned(live, "before-first-apply", "Update") == {"f:data": {".": {}, "f:a": {}}}
    assert owned(live, "a") == {"f:data": {"f:b": {}}}


def test_kubectl_takes_over_what_it_applied_on_the_client_side() -> None:
    last = config({"a": "1", "b": "1"})
    note = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(last)}
    made = config({"a": "1", "b": "1"}, annotations=note)
    live = track(None, made, shape=CONFIG, manager="kubectl-client-side-apply", now=NOON)
    taken = applied(live, config({"a": "2", "b": "1"}), "kubectl")
    assert taken["data"]["a"] == "2"
    note = taken["metadata"]["annotations"]
    assert json.loads(next(iter(note.values()))) == config({"a": "2", "b": "1"})
    with pytest.raises(ApplyConflict):
        applied(live, config({"a": "2"}), "other")


def test_kubectl_still_conflicts_on_what_others_changed_since() -> None:
    last = config({"a": "1", "b": "1"})
    note = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(last)}
    made = config({"a": "1", "b": "1"}, annotations=note)
    live = track(None, made, shape=CONFIG, manager="kubectl-client-side-apply", now=NOON)
    live = track(
        live, {**live, "data": {"a": "x", "b": "1"}}, shape=CONFIG, manager="edit", now=NOON
    )
    with pytest.raises(ApplyConflict) as caught:
        applied(live, config({"a": "2", "b": "2"}), "kubectl")
    assert [cause.path for cause in caught.value.causes] == [".data.a"]


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        (config({"a": 1}), ".data.a: expected string"),  # type: ignore[dict-item]
        ({**config(), "what": 1}, ".what: field not declared in schema"),
        (deployment(replicas="1"), ".spec.replicas: expected numeric (int or float), got string"),
        (deployment(replicas=True), "got bool"),
        (deployment(paused="x"), ".spec.paused: expected boolean"),
        (deployment(template=[]), ".spec.template: expected map"),
        (containers("x"), "element 0: associative list with keys may not have non-map elements"),
        (
            containers({"name": "a"}, {"name": "a"}),
            '.spec.template.spec.containers: duplicate entries for key [name="a"]',
        ),
        (widget(tags={}), ".spec.tags: expected list"),
        (widget(tags=[[]]), "lists as elements"),
    ],
)
def test_objects_that_are_not_of_their_kind(obj: Object, message: str) -> None:
    with pytest.raises(FieldsInvalid) as caught:
        applied(None, obj)
    assert message in str(caught.value)


def test_all_problems_are_told() -> None:
    with pytest.raises(FieldsInvalid) as caught:
        applied(None, deployment(replicas="1", paused=1))
    assert str(caught.value).startswith("errors:\n  .spec.replicas: ")


def tracked(before: Object | None, after: Object, manager: str = "u", **more: Any) -> Object:
    shape: Shape = WIDGET if after["kind"] == "Widget" else CONFIG
    arguments: dict[str, Any] = {"now": NOON, **more}
    return track(before, after, shape=shape, manager=manager, **arguments)


def test_a_create_owns_containers_too() -> None:
    made = tracked(None, config({"a": "1"}, labels={"x": "y"}))
    assert owned(made, "u", "Update") == {
        "f:data": {".": {}, "f:a": {}},
        "f:metadata": {"f:labels": {".": {}, "f:x": {}}},
    }


def test_an_update_takes_what_it_changes_from_appliers() -> None:
    live = applied(None, config({"a": "1", "b": "1"}))
    live = tracked(live, {**live, "data": {"a": "2", "b": "1", "c": "1"}}, now=LATER)
    assert owned(live, "a") == {"f:data": {"f:b": {}}}
    assert owned(live, "u", "Update") == {"f:data": {"f:a": {}, "f:c": {}}}
    assert [entry["time"] for entry in live["metadata"]["managedFields"]] == [NOON, LATER]


def test_an_update_that_removes_leaves_no_owner_of_the_removed() -> None:
    live = applied(None, config({"a": "1", "b": "1"}))
    live = tracked(live, {**live, "data": {"a": "1"}})
    assert owned(live, "a") == {"f:data": {"f:a": {}}}
    assert owned(live, "u", "Update") is None


def test_an_update_that_changes_nothing_leaves_the_times() -> None:
    live = tracked(None, config({"a": "1"}))
    assert tracked(live, dict(live), "v", now=LATER) == live


def test_an_update_without_managed_fields_keeps_them() -> None:
    live = tracked(None, config({"a": "1"}))
    assert tracked(live, config({"a": "1"}), now=LATER) == live


@pytest.mark.parametrize("given", [[], [{}]])
def test_an_update_may_end_all_ownership(given: list[Any]) -> None:
    live = tracked(None, config({"a": "1"}))
    after = tracked(live, config({"a": "1"}, managedFields=given))
    assert "managedFields" not in after["metadata"]
    assert "managedFields" not in tracked(after, config({"a": "2"}))["metadata"]


def test_malformed_managed_fields_do_not_count() -> None:
    live = tracked(None, config({"a": "1"}))
    after = config({"a": "1"}, managedFields=[{"manager": "x", "operation": "Guess"}])
    assert tracked(live, after) == live


def test_the_oldest_of_many_updaters_are_merged() -> None:
    live = tracked(None, config({}))
    for number in range(12):
        data = {**live.get("data", {}), f"k{number}": "v"}
        live = tracked(
            live, {**live, "data": data}, f"m{number:02}", now=f"2026-01-01T12:{number:02}:00Z"
        )
    managers = [entry["manager"] for entry in live["metadata"]["managedFields"]]
    assert managers == ["ancient-changes", *(f"m{number:02}" for number in range(3, 12))]
    assert owned(live, "ancient-changes", "Update") == {
        "f:data": {".": {}, "f:k0": {}, "f:k1": {}, "f:k2": {}}
    }


def test_items_that_an_update_left_twice_are_owned_as_one() -> None:
    live = tracked(None, widget(rules=[{"host": "h", "port": 1}, {"host": "h", "port": 2}]))
    key = 'k:{"host":"h"}'
    assert owned(live, "u", "Update") == {"f:spec": {".": {}, "f:rules": {".": {}, key: {}}}}
    after = tracked(live, {**live, "spec": {"rules": [{"host": "h", "port": 3}]}}, "v")
    assert owned(after, "v", "Update") == {
        "f:spec": {"f:rules": {key: {".": {}, "f:host": {}, "f:port": {}}}}
    }
    again = tracked(after, {**after, "spec": live["spec"]}, "w")
    assert owned(again, "w", "Update") == {"f:spec": {"f:rules": {key: {}}}}


def test_nothing_given_is_changed_in_place() -> None:
    first = containers({"name": "a", "image": "i"}, {"name": "b", "image": "i"})
    live = applied(None, first)
    text, wanted = json.dumps(live), containers({"name": "b", "image": "j"})
    applied(live, wanted)
    assert json.dumps(live) == text
    assert wanted == containers({"name": "b", "image": "j"})
