"""Objects as ``--resource`` and ``--label`` choose them."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.cli.app.objects import chosen, labelled, object_pattern, reference
from fleet.errors import UsageError


def resource(kind: str, name: str, namespace: str = "shop", group: str = "") -> dict[str, Any]:
    made = {"group": group, "kind": kind, "namespace": namespace, "name": name}
    return {key: value for key, value in made.items() if value}


WEB = resource("Deployment", "web", group="apps")
API = resource("Deployment", "api", group="apps")
OTHER = resource("Deployment", "web", "bank", group="apps")
MAP = resource("ConfigMap", "web")
ROLE = resource("ClusterRole", "web", "", "rbac.authorization.k8s.io")
ALL = (WEB, API, OTHER, MAP, ROLE)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ((), ALL),
        (("apps:Deployment:shop/web",), (WEB,)),
        (("apps:Deployment:web",), (WEB, OTHER)),
        ((":ConfigMap:web", "apps:*:api"), (API, MAP)),
        (("*:*:web",), (WEB, OTHER, MAP, ROLE)),
        (("rbac.authorization.k8s.io:ClusterRole:web",), (ROLE,)),
        (("!apps:Deployment:*",), (MAP, ROLE)),
        (("apps:*:*", "!apps:*:bank/*"), (WEB, API)),
        (("apps:Deployment:none",), ()),
    ],
)
def test_patterns_choose(texts: tuple[str, ...], expected: tuple[dict[str, Any], ...]) -> None:
    assert chosen(ALL, [object_pattern(text) for text in texts]) == expected


@pytest.mark.parametrize("text", ["", "web", "apps:Deployment", "apps::web", "apps:Deployment:a/"])
def test_what_names_no_object_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="names no object"):
        object_pattern(text)


def test_one_object_by_itself_needs_no_list() -> None:
    assert object_pattern("apps:Deployment:shop/web").is_exact
    for text in ("apps:Deployment:web", "apps:*:shop/web", "!apps:Deployment:shop/web"):
        assert not object_pattern(text).is_exact


def test_labels_choose_by_manifest() -> None:
    def manifest(api: str, kind: str, namespace: str | None, **labels: str) -> dict[str, Any]:
        metadata = {"name": "web", "labels": labels}
        if namespace:
            metadata["namespace"] = namespace
        return {"apiVersion": api, "kind": kind, "metadata": metadata}

    manifests = [
        manifest("apps/v1", "Deployment", "shop", team="a", tier="web"),
        manifest("v1", "ConfigMap", None, team="a"),
        manifest("rbac.authorization.k8s.io/v1", "ClusterRole", None, team="b"),
    ]
    assert labelled(ALL, manifests, {"team": "a"}) == (WEB, MAP)
    assert labelled(ALL, manifests, {"team": "a", "tier": "web"}) == (WEB,)
    assert labelled(ALL, manifests, {"team": "c"}) == ()


def test_a_reference_is_what_a_request_takes() -> None:
    assert reference(WEB) == "apps:Deployment:shop/web"
    assert reference(MAP) == ":ConfigMap:shop/web"
    assert reference(ROLE) == "rbac.authorization.k8s.io:ClusterRole:web"
