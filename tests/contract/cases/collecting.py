"""What goes with what: owners and dependents, namespaces and what is in them."""

from __future__ import annotations

from typing import Any

from tests.contract.case import controlled
from tests.contract.cases.creating import configmap
from tests.contract.recording import Object, Recorder


def owned_by(*owners: Object, name: str = "dependent", **more: Any) -> Object:
    """A ConfigMap that belongs to ConfigMaps."""
    references = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": one["name"], "uid": one["uid"], **more}
        for one in (it["metadata"] for it in owners)
    ]
    return {"metadata": {"name": name, "ownerReferences": references}}


def owner(it: Recorder, name: str = "owner") -> Object:
    """A ConfigMap that others may belong to."""
    return it.have(it.at("configmaps"), configmap(name))


def names(body: Object) -> list[str]:
    """Names of the items of a list, without what is in every namespace."""
    found = [it["metadata"]["name"] for it in body["items"]]
    return [it for it in found if it != "kube-root-ca.crt"]


@controlled
def dependent_goes_with_its_owner(it: Recorder) -> None:
    it.have(it.at("configmaps"), owned_by(owner(it)))
    it.delete(it.at("configmaps", "owner"))
    it.wait_gone(it.at("configmaps", "dependent"))
    it.get(it.at("configmaps"), view=names)


@controlled
def dependents_of_dependents_go_too(it: Recorder) -> None:
    child = it.have(it.at("configmaps"), owned_by(owner(it), name="child"))
    it.have(it.at("configmaps"), owned_by(child, name="grandchild"))
    it.delete(it.at("configmaps", "owner"))
    it.wait_gone(it.at("configmaps", "grandchild"))
    it.wait_gone(it.at("configmaps", "child"))
    it.get(it.at("configmaps"), view=names)


@controlled
def dependent_of_two_stays_with_one(it: Recorder) -> None:
    it.have(it.at("configmaps"), owned_by(owner(it), owner(it, "other")))
    it.delete(it.at("configmaps", "owner"))
    it.wait(it.at("configmaps", "dependent"), lambda body: len(references(body)) == 1)
    answer = it.get(it.at("configmaps", "dependent"), view=references)
    assert [one["name"] for one in references(answer.body)] == ["other"]


def references(body: Object) -> list[Object]:
    """The owners that an object names."""
    found: list[Object] = body["metadata"].get("ownerReferences", [])
    return found


@controlled
def dependent_of_nobody_goes(it: Recorder) -> None:
    uid = "11111111-1111-1111-1111-111111111111"
    ghost = {"metadata": {"name": "ghost", "uid": uid}}
    it.post(it.at("configmaps"), owned_by(ghost))
    it.wait_gone(it.at("configmaps", "dependent"))
    it.get(it.at("configmaps"), view=names)


@controlled
def orphans_stay(it: Recorder) -> None:
    it.have(it.at("configmaps"), owned_by(owner(it)))
    it.delete(it.at("configmaps", "owner"), {"propagationPolicy": "Orphan"}, view=settled)
    it.wait_gone(it.at("configmaps", "owner"))
    answer = it.get(it.at("configmaps", "dependent"), view=references)
    assert references(answer.body) == []


def settled(body: Object) -> Any:
    """What a deletion that takes its time answers."""
    return [body["kind"], body["metadata"].get("finalizers")]


@controlled
def owner_waits_for_its_dependents(it: Recorder) -> None:
    body = owned_by(owner(it), blockOwnerDeletion=True)
    body["metadata"]["finalizers"] = ["example.com/a"]
    it.have(it.at("configmaps"), body)
    path = it.at("configmaps", "owner")
    it.delete(path, {"propagationPolicy": "Foreground"}, view=settled)
    going = it.wait(
        it.at("configmaps", "dependent"), lambda body: "deletionTimestamp" in body["metadata"]
    )
    assert going["metadata"]["finalizers"] == ["example.com/a"]
    answer = it.get(path, view=settled)
    assert answer.body["metadata"]["finalizers"] == ["foregroundDeletion"]
    it.patch(it.at("configmaps", "dependent"), {"metadata": {"finalizers": None}}, view=settled)
    it.wait_gone(path)
    it.get(it.at("configmaps"), view=names)


@controlled
def owner_does_not_wait_in_the_background(it: Recorder) -> None:
    body = owned_by(owner(it), blockOwnerDeletion=True)
    body["metadata"]["finalizers"] = ["example.com/a"]
    it.have(it.at("configmaps"), body)
    it.delete(it.at("configmaps", "owner"), {"propagationPolicy": "Background"})
    it.get(it.at("configmaps", "owner"), expect=404)
    it.wait(it.at("configmaps", "dependent"), lambda body: "deletionTimestamp" in body["metadata"])
    it.patch(it.at("configmaps", "dependent"), {"metadata": {"finalizers": None}}, view=settled)
    it.get(it.at("configmaps"), view=names)


@controlled
def namespace_takes_everything_with_it(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    it.have(it.at("secrets"), {"metadata": {"name": "one"}})
    it.have(it.at("roles"), {"metadata": {"name": "one"}, "rules": []})
    path = f"/api/v1/namespaces/{it.ns}"
    answer = it.delete(path, view=lambda body: [body["kind"], body["status"]["phase"]])
    assert answer.body["status"]["phase"] == "Terminating"
    it.wait_gone(path)
    assert names(it.get(it.at("configmaps"), view=names).body) == []
    it.post("/api/v1/namespaces", {"metadata": {"name": it.ns}}, view=lambda body: body["status"])
    it.get(it.at("secrets", "one"), expect=404)
    it.get(it.at("roles", "one"), expect=404)


@controlled
def namespace_waits_for_finalizers(it: Recorder) -> None:
    it.have(it.at("configmaps"), {"metadata": {"name": "one", "finalizers": ["example.com/a"]}})
    path = f"/api/v1/namespaces/{it.ns}"
    it.quietly("DELETE", path)

    def stuck(body: Object) -> bool:
        found = {one["type"]: one["status"] for one in conditions(body)}
        return found.get("NamespaceFinalizersRemaining") == "True"

    it.wait(path, stuck)

    def view(body: Object) -> Any:
        found = [[one["type"], one["status"], one["reason"]] for one in conditions(body)]
        return [body["status"]["phase"], sorted(found)]

    answer = it.get(path, view=view)
    assert answer.body["status"]["phase"] == "Terminating"
    it.patch(it.at("configmaps", "one"), {"metadata": {"finalizers": None}}, view=settled)
    it.wait_gone(path)


def conditions(body: Object) -> list[Object]:
    """The conditions in a status."""
    found: list[Object] = body.get("status", {}).get("conditions") or []
    return found


@controlled
def namespace_is_furnished(it: Recorder) -> None:
    it.wait(it.at("serviceaccounts", "default"), bool)
    it.wait(it.at("configmaps", "kube-root-ca.crt"), lambda body: "ca.crt" in body["data"])
    answer = it.get(it.at("configmaps", "kube-root-ca.crt"), view=lambda body: sorted(body["data"]))
    assert answer.body["data"]["ca.crt"].startswith("-----BEGIN CERTIFICATE-----")
    it.get(it.at("serviceaccounts", "default"))
