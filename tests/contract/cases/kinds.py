"""Kinds that are defined at run time: their definitions."""

from __future__ import annotations

from typing import Any

from tests.contract.case import case
from tests.contract.recording import APPLY, Object, Recorder
from tests.contract.shared import DEFINITIONS, NAMES, SIZED, definition, version

COMPLETE = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}


def path_of(it: Recorder, plural: str = "widgets") -> str:
    """Where the definition of this case's kind is."""
    return f"{DEFINITIONS}/{plural}.{it.group}"


def conditions(body: Object) -> dict[str, list[str]]:
    """Status and reason of each condition; there are none at first."""
    found = body.get("status", {}).get("conditions") or []
    return {it["type"]: [it["status"], it["reason"]] for it in found}


def facts(body: Object) -> Any:
    """A definition without when its conditions changed and who wrote them."""
    return {
        "spec": body.get("spec"),
        "names": body.get("status", {}).get("acceptedNames"),
        "stored": body.get("status", {}).get("storedVersions"),
        "conditions": conditions(body),
        "finalizers": body["metadata"].get("finalizers"),
        "generation": body["metadata"].get("generation"),
    }


def established(body: Object) -> bool:
    """Whether a kind is served."""
    return conditions(body).get("Established", [""])[0] == "True"


def problem(body: Object) -> Any:
    """What a refusal says, without the exact words."""
    causes = body.get("details", {}).get("causes", [])
    return [body["code"], body["reason"], [[it["reason"], it["field"]] for it in causes]]


def apply_quietly(it: Recorder, path: str, body: Object) -> None:
    """Make or change an object; a real server does not hold an apply back."""
    it.quietly("PATCH", f"{path}?fieldManager=x&force=true", body, APPLY)


def widget(it: Recorder, name: str = "one", **more: Any) -> Object:
    """An object of this case's kind."""
    return {"apiVersion": f"{it.group}/v1", "kind": "Widget", "metadata": {"name": name}, **more}


@case
def becomes_established(it: Recorder) -> None:
    it.post(DEFINITIONS, definition(it.group), view=lambda body: body["spec"])
    it.wait(path_of(it), established)
    answer = it.get(path_of(it), view=facts)
    assert conditions(answer.body) == {
        "Established": ["True", "InitialNamesAccepted"],
        "NamesAccepted": ["True", "NoConflicts"],
    }


@case
def names_are_filled_in(it: Recorder) -> None:
    names = {"plural": "widgets", "kind": "Widget"}
    made = definition(it.group, names=names)
    answer = it.post(DEFINITIONS, made, view=lambda body: body["spec"]["names"])
    assert answer.body["spec"]["names"] == NAMES


@case
def can_be_applied(it: Recorder) -> None:
    made = {**COMPLETE, **definition(it.group)}
    it.apply(path_of(it), made, expect=201, view=lambda body: body["spec"])
    it.wait(path_of(it), established)
    answer = it.apply(path_of(it), made, view=facts)
    assert established(answer.body)


@case
def plural_is_what_the_definition_says(it: Recorder) -> None:
    names = {"plural": "oxen", "singular": "ox", "kind": "Ox", "listKind": "OxList"}
    made = definition(it.group, names=names)
    made["metadata"]["name"] = f"oxen.{it.group}"
    it.post(DEFINITIONS, made, view=lambda body: body["spec"]["names"])
    it.wait(path_of(it, "oxen"), established)
    herd = f"/apis/{it.group}/v1/namespaces/{it.ns}/oxen"
    it.until_seen(herd, lambda body: isinstance(body, dict) and body["kind"] == "OxList")
    apply_quietly(it, f"{herd}/one", {**widget(it), "kind": "Ox"})
    answer = it.get(herd, view=lambda body: [body["kind"], len(body["items"])])
    assert (answer.body["kind"], answer.body["items"][0]["kind"]) == ("OxList", "Ox")
    it.quietly("DELETE", path_of(it, "oxen"))


@case
def name_must_be_plural_and_group(it: Recorder) -> None:
    made = definition(it.group)
    made["metadata"]["name"] = f"gadgets.{it.group}"
    it.post(DEFINITIONS, made, expect=(422, "Invalid", "must be spec.names.plural"))


@case
def version_that_is_not_served(it: Recorder) -> None:
    it.crd(versions=[version(), {**version("v2"), "served": False}])
    it.get(it.custom(version="v2"), expect=404)


@case
def exactly_one_version_is_stored(it: Recorder) -> None:
    made = definition(it.group, {**version(), "storage": False})
    it.post(DEFINITIONS, made, expect=(422, "Invalid", "storage"), view=problem)


@case
def schema_must_be_structural(it: Recorder) -> None:
    loose = {"type": "object", "properties": {"spec": {"properties": {"a": {"type": "string"}}}}}
    made = definition(it.group, version(schema=loose))
    it.post(DEFINITIONS, made, expect=(422, "Invalid", "Required value"), view=problem)


@case
def version_needs_a_schema(it: Recorder) -> None:
    made = definition(it.group, {"name": "v1", "served": True, "storage": True})
    it.post(DEFINITIONS, made, expect=(422, "Invalid", "openAPIV3Schema: Required value"))


@case
def scope_is_required(it: Recorder) -> None:
    made = definition(it.group)
    del made["spec"]["scope"]
    it.post(DEFINITIONS, made, expect=(422, "Invalid", "spec.scope: Required value"))


@case
def scope_cannot_change(it: Recorder) -> None:
    it.crd()
    change = {"spec": {"scope": "Cluster"}}
    it.patch(path_of(it), change, expect=(422, "Invalid", "field is immutable"))


@case
def names_that_are_taken(it: Recorder) -> None:
    it.crd()
    other = definition(it.group, names={**NAMES, "plural": "others"})
    other["metadata"]["name"] = f"others.{it.group}"
    it.have(DEFINITIONS, other)
    it.wait(path_of(it, "others"), lambda body: "Established" in conditions(body))
    answer = it.get(path_of(it, "others"), view=facts)
    assert conditions(answer.body) == {
        "NamesAccepted": ["False", "ListKindConflict"],
        "Established": ["False", "NotAccepted"],
    }
    it.quietly("DELETE", path_of(it, "others"))


@case
def deletion_ends_the_kind_and_its_objects(it: Recorder) -> None:
    it.crd()
    apply_quietly(it, it.custom("one"), widget(it))
    it.delete(path_of(it), view=lambda body: body["kind"])
    it.wait_gone(path_of(it))
    it.until_seen(it.custom(), lambda body: isinstance(body, str) or body.get("code") == 404)
    it.get(it.custom(), expect=404)


@case
def objects_do_not_come_back_with_the_kind(it: Recorder) -> None:
    it.crd()
    apply_quietly(it, it.custom("one"), widget(it))
    it.quietly("DELETE", path_of(it))
    it.wait_gone(path_of(it))
    it.crd()
    assert it.get(it.custom()).body["items"] == []


@case
def schema_can_change(it: Recorder) -> None:
    it.crd(version(schema=SIZED))
    properties = {"size": {"type": "integer"}, "colour": {"type": "string"}}
    spec = {"type": "object", "properties": properties}
    painted = widget(it, spec={"size": 1, "colour": "red"})
    it.apply(it.custom("one"), painted, expect=500)
    wider = version(schema={"type": "object", "properties": {"spec": spec}})
    apply_quietly(it, path_of(it), {**COMPLETE, **definition(it.group, wider)})
    it.until_applied(it.custom("one"), painted)
    answer = it.apply(it.custom("one"), painted, expect=201)
    assert answer.body["spec"] == {"size": 1, "colour": "red"}
