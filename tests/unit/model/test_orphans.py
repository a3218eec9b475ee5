"""Which objects that nobody wants count."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.errors import SpecInvalid
from fleet.model.objects import ObjectRef
from fleet.model.orphans import OrphanFilter, OrphanRules
from fleet.model.parsing import parse_project

SECRET = ObjectRef("", "Secret", "shop", "s")
APP = ObjectRef("apps", "Deployment", "shop", "d")


@pytest.mark.parametrize(
    ("ignore", "kept"),
    [
        (OrphanFilter(), (APP,)),  # an empty group is the core group
        (OrphanFilter(group="*"), ()),
        (OrphanFilter(kind="Sec*"), (APP,)),
        (OrphanFilter(kind="Deployment"), (SECRET, APP)),
        (OrphanFilter(group="apps", kind="Deploy*", name="?"), (SECRET,)),
        (OrphanFilter(group="*", namespace="other"), (SECRET, APP)),
    ],
)
def test_the_ignore_list(ignore: OrphanFilter, kept: tuple[ObjectRef, ...]) -> None:
    assert OrphanRules(ignore=(ignore,)).kept([APP, SECRET]) == kept


def test_what_every_namespace_has_is_none() -> None:
    given = [
        ObjectRef("", "ConfigMap", "shop", "kube-root-ca.crt"),
        ObjectRef("", "ServiceAccount", "shop", "default"),
        ObjectRef("", "Service", "default", "kubernetes"),
    ]
    mine = ObjectRef("", "Service", "shop", "kubernetes")
    assert OrphanRules().kept([*given, mine]) == (mine,)


def _project(spec: Any) -> Any:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": "shop"},
        "spec": spec,
    }


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, None),
        ({"orphanedResources": None}, None),
        ({"orphanedResources": {}}, OrphanRules()),
        ({"orphanedResources": {"warn": None}}, OrphanRules()),
        (
            {"orphanedResources": {"warn": True, "ignore": [{"kind": "Secret", "name": "x*"}]}},
            OrphanRules(True, (OrphanFilter("", "Secret", "x*"),)),
        ),
    ],
)
def test_reading(spec: Any, expected: OrphanRules | None) -> None:
    assert parse_project(_project(spec)).spec.orphans == expected


def test_another_type_is_refused() -> None:
    with pytest.raises(SpecInvalid, match=r"spec\.orphanedResources\.warn"):
        parse_project(_project({"orphanedResources": {"warn": "yes"}}))
