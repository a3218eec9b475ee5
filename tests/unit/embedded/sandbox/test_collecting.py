"""What goes with what: owners and dependents, namespaces and their content, kinds and objects."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.embedded.sandbox.objects import Object
from tests.unit.embedded.sandbox.worlds import MERGE, World

MAPS = "/api/v1/namespaces/default/configmaps"
SECRETS = "/api/v1/namespaces/default/secrets"
NAMESPACES = "/api/v1/namespaces"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@pytest.fixture
def world() -> World:
    return World()


def owned(name: str, *owners: Object, blocks: bool = False) -> Object:
    """A Secret that these ConfigMaps own."""
    references = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": it["metadata"]["name"],
            "uid": it["metadata"]["uid"],
            "blockOwnerDeletion": blocks,
        }
        for it in owners
    ]
    return {"metadata": {"name": name, "ownerReferences": references}}


def owner(world: World, name: str = "owner", **metadata: Any) -> Object:
    return world.have(MAPS, {"metadata": {"name": name, **metadata}})


def delete(world: World, path: str, policy: str = "") -> Object:
    options = {"propagationPolicy": policy} if policy else None
    code, found = world.ask("DELETE", path, options)
    assert code == 200, found
    return found


def test_dependents_go_in_the_background(world: World) -> None:
    world.have(SECRETS, owned("dependent", owner(world)))
    assert delete(world, f"{MAPS}/owner")["status"] == "Success"
    assert "dependent" in world.names(SECRETS)
    world.run()
    assert world.names(SECRETS) == []


def test_in_the_foreground_dependents_that_block_go_first(world: World) -> None:
    held = owned("held", owner(world), blocks=True)
    held["metadata"]["finalizers"] = ["example.com/hold"]
    world.have(SECRETS, held)
    found = delete(world, f"{MAPS}/owner", "Foreground")
    assert found["metadata"]["finalizers"] == ["foregroundDeletion"]
    world.run()
    assert "owner" in world.names(MAPS)
    assert "deletionTimestamp" in world.ask("GET", f"{SECRETS}/held")[1]["metadata"]
    world.ask("PATCH", f"{SECRETS}/held", {"metadata": {"finalizers": None}}, kind=MERGE)
    world.run()
    assert world.names(SECRETS) == []
    assert "owner" not in world.names(MAPS)


def test_in_the_foreground_others_do_not_block(world: World) -> None:
    held = owned("held", owner(world))
    held["metadata"]["finalizers"] = ["example.com/hold"]
    world.have(SECRETS, held)
    delete(world, f"{MAPS}/owner", "Foreground")
    world.run()
    assert "owner" not in world.names(MAPS)


def test_orphans_stay_without_their_owner(world: World) -> None:
    world.have(SECRETS, owned("orphan", owner(world)))
    assert delete(world, f"{MAPS}/owner", "Orphan")["metadata"]["finalizers"] == ["orphan"]
    world.run()
    assert "owner" not in world.names(MAPS)
    found = world.ask("GET", f"{SECRETS}/orphan")[1]
    assert "ownerReferences" not in found["metadata"]


def test_one_of_two_owners_is_enough(world: World) -> None:
    first, second = owner(world, "first"), owner(world, "second")
    world.have(SECRETS, owned("shared", first, second))
    delete(world, f"{MAPS}/first")
    world.run()
    (left,) = world.ask("GET", f"{SECRETS}/shared")[1]["metadata"]["ownerReferences"]
    assert left["name"] == "second"
    delete(world, f"{MAPS}/second")
    world.run()
    assert world.names(SECRETS) == []


def test_an_owner_that_was_never_there(world: World) -> None:
    world.have(SECRETS, owned("lost", {"metadata": {"name": "nobody", "uid": "none"}}))
    assert world.names(SECRETS) == []


def test_a_new_owner_of_the_same_name_is_another(world: World) -> None:
    world.have(SECRETS, owned("dependent", owner(world)))
    delete(world, f"{MAPS}/owner")
    owner(world)
    assert world.names(SECRETS) == []


def test_a_chain_goes_link_by_link(world: World) -> None:
    first = owner(world, "first")
    second = owned("second", first)
    world.have(MAPS, second)
    made = world.ask("GET", f"{MAPS}/second")[1]
    world.have(SECRETS, owned("third", made))
    delete(world, f"{MAPS}/first")
    world.run()
    assert world.names(SECRETS) == []
    assert "second" not in world.names(MAPS)


def test_a_namespace_gets_what_every_namespace_has(world: World) -> None:
    world.have(NAMESPACES, {"metadata": {"name": "shop"}})
    assert world.names(f"{NAMESPACES}/shop/serviceaccounts") == ["default"]
    assert world.names(f"{NAMESPACES}/shop/configmaps") == ["kube-root-ca.crt"]
    delete(world, f"{NAMESPACES}/shop/serviceaccounts/default")
    world.run()
    assert world.names(f"{NAMESPACES}/shop/serviceaccounts") == ["default"]


def test_a_namespace_waits_for_finalizers_inside(world: World) -> None:
    world.have(NAMESPACES, {"metadata": {"name": "shop"}})
    held = {"metadata": {"name": "held", "finalizers": ["example.com/hold"]}}
    world.have(f"{NAMESPACES}/shop/configmaps", held)
    assert delete(world, f"{NAMESPACES}/shop")["status"]["phase"] == "Terminating"
    world.run()
    found = world.ask("GET", f"{NAMESPACES}/shop")[1]["status"]["conditions"]
    told = {it["type"]: it["message"] for it in found if it["status"] == "True"}
    assert "configmaps has 1 resource instances" in told["NamespaceContentRemaining"]
    assert "example.com/hold in 1" in told["NamespaceFinalizersRemaining"]
    code, refused = world.ask("POST", f"{NAMESPACES}/shop/configmaps", {"metadata": {"name": "a"}})
    assert (code, refused["details"]["causes"][0]["reason"]) == (403, "NamespaceTerminating")
    path = f"{NAMESPACES}/shop/configmaps/held"
    world.ask("PATCH", path, {"metadata": {"finalizers": None}}, kind=MERGE)
    world.run()
    assert world.ask("GET", f"{NAMESPACES}/shop")[0] == 404


def definition(plural: str = "widgets", kind: str = "Widget", **names: Any) -> Object:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "metadata": {"name": f"{plural}.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind, **names},
            "versions": [
                {
                    "name": name,
                    "served": True,
                    "storage": name == "v1",
                    "schema": {"openAPIV3Schema": schema},
                }
                for name in ("v1", "v1beta1")
            ],
        },
    }


def widget(version: str = "v1") -> Object:
    return {
        "apiVersion": f"example.com/{version}",
        "kind": "Widget",
        "metadata": {"name": "one"},
        "spec": {"size": 1},
    }


def test_versions_of_a_custom_kind_are_one_object(world: World) -> None:
    world.have(DEFINITIONS, definition())
    world.have("/apis/example.com/v1/namespaces/default/widgets", widget())
    path = "/apis/example.com/v1beta1/namespaces/default/widgets"
    found = world.ask("GET", f"{path}/one")[1]
    assert (found["apiVersion"], found["spec"]) == ("example.com/v1beta1", {"size": 1})
    (item,) = world.ask("GET", path)[1]["items"]
    assert item["apiVersion"] == "example.com/v1beta1"


def test_a_custom_kind_goes_after_its_objects(world: World) -> None:
    world.have(DEFINITIONS, definition())
    path = "/apis/example.com/v1/namespaces/default/widgets"
    world.have(path, {**widget(), "metadata": {"name": "one", "finalizers": ["example.com/hold"]}})
    delete(world, f"{DEFINITIONS}/widgets.example.com")
    world.run()
    assert "Terminating" in str(world.ask("GET", f"{DEFINITIONS}/widgets.example.com")[1])
    patch = {"metadata": {"finalizers": None}}
    assert world.ask("PATCH", f"{path}/one", patch, kind=MERGE)[0] == 200
    world.run()
    assert world.names(DEFINITIONS) == []
    assert world.ask("GET", path)[0] == 404


def test_a_name_that_is_taken_is_not_accepted(world: World) -> None:
    world.have(DEFINITIONS, definition())
    world.have(DEFINITIONS, definition("others", "Widget"))
    found = world.ask("GET", f"{DEFINITIONS}/others.example.com")[1]["status"]
    told = {it["type"]: (it["status"], it["reason"]) for it in found["conditions"]}
    assert told == {
        "NamesAccepted": ("False", "ListKindConflict"),
        "Established": ("False", "NotAccepted"),
    }
    assert world.ask("GET", "/apis/example.com/v1/others")[0] == 404
