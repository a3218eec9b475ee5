"""What argocd-cm says about resources."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.errors import SpecInvalid
from fleet.model.applications import IgnoreDifference
from fleet.model.objects import GroupKind
from fleet.model.resource_settings import (
    KindFilter,
    KnownField,
    ResourceSettings,
    StatusField,
    read_resource_settings,
)
from fleet.render.yaml import load_one


def _read(**data: Any) -> ResourceSettings:
    return read_resource_settings(
        {key.replace("__", "."): value for key, value in data.items()}, load_one
    )


def test_nothing_is_the_default() -> None:
    assert _read() == ResourceSettings()
    assert ResourceSettings().status_field is StatusField.ALL


IGNORE = "resource.customizations.ignoreDifferences."


@pytest.mark.parametrize(
    ("key", "group", "kind"),
    [
        (f"{IGNORE}apps_Deployment", "apps", "Deployment"),
        (f"{IGNORE}Service", "", "Service"),
        (f"{IGNORE}all", "*", "*"),
        (f"{IGNORE}*.example.com_*", "*.example.com", "*"),
    ],
)
@pytest.mark.parametrize(
    "value",
    [
        "jsonPointers: [/spec/x]\njqPathExpressions: [.a]\nmanagedFieldsManagers: [m]\n",
        {"jsonPointers": ["/spec/x"], "jqPathExpressions": [".a"], "managedFieldsManagers": ["m"]},
    ],
)
def test_rules_of_the_system(key: str, group: str, kind: str, value: Any) -> None:
    found = read_resource_settings({key: value}, load_one)
    assert found.ignore_differences == (
        IgnoreDifference(group, kind, "", "", ("/spec/x",), (".a",), ("m",)),
    )


def test_the_old_mapping_of_customizations() -> None:
    found = _read(
        resource__customizations="""
            "*.example.com/*":
              health.lua: return {}
              ignoreDifferences: |
                jsonPointers: [/a]
            apps/Deployment:
              ignoreResourceUpdates:
                jsonPointers: [/b]
              knownTypeFields:
                - {field: spec.cpu, type: core/Quantity}
        """
    )
    assert found.ignore_differences == (
        IgnoreDifference("*.example.com", "*", json_pointers=("/a",)),
    )
    assert found.update_rules == (IgnoreDifference("apps", "Deployment", json_pointers=("/b",)),)
    assert found.known_fields == (
        KnownField("apps", "Deployment", ("spec", "cpu"), "core/Quantity"),
    )


def test_exclusions_and_inclusions() -> None:
    found = _read(
        resource__exclusions='[{apiGroups: ["cilium.io"], kinds: ["*"], clusters: ["*.test"]}]',
        resource__inclusions=[{"kinds": ["Deploy*", "Secret"]}],
    )
    (excluded,), (included,) = found.exclusions or (), found.inclusions
    assert excluded == KindFilter(("cilium.io",), ("*",), ("*.test",))
    assert excluded.matches(GroupKind("cilium.io", "X"), ("https://a.test", "a"))
    assert not excluded.matches(GroupKind("cilium.io", "X"), ("https://a", "a"))
    assert not excluded.matches(GroupKind("", "X"), ("https://a.test", "a"))
    assert included.matches(GroupKind("apps", "Deployment"), ("anything",))
    assert not included.matches(GroupKind("apps", "StatefulSet"), ("anything",))
    assert _read(resource__exclusions="").exclusions == ()


@pytest.mark.parametrize(
    ("written", "expected"),
    [("all", "all"), ("crd", "crd"), ("none", "none"), ("off", "none"), ("'off'", "none")],
)
def test_the_status_option(written: str, expected: str) -> None:
    text = f"ignoreResourceStatusField: {written}\nignoreAggregatedRoles: true\n"
    assert _read(resource__compareoptions=text).status_field == expected


def test_what_does_not_concern_comparing_is_accepted() -> None:
    found = _read(
        resource__customizations__health__apps_Deployment="return {}",
        resource__customLabels="a,b",
        resource__ignoreResourceUpdatesEnabled="false",
    )
    assert found == ResourceSettings(ignores_updates=False)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"resource.exclusion": ""}, "resource.exclusion: is no setting about resources"),
        ({"url": "x"}, "url: is no setting"),
        ({"resource.customizations.ignoreDiferences.all": {}}, "is no setting"),
        ({"resource.exclusions": "- a: ["}, "resource.exclusions: is no YAML"),
        ({"resource.exclusions": "a: 1"}, "resource.exclusions: must be a list"),
        ({f"{IGNORE}all": "- 1"}, "all: must be a mapping"),
        ({f"{IGNORE}all": {"jsonPointers": ["x"]}}, r"all.jsonPointers\[0\]: must begin"),
        ({"resource.compareoptions": "ignoreResourceStatusField: x"}, "is none of all, crd, none"),
    ],
)
def test_what_is_wrong_is_named(data: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecInvalid, match=message):
        read_resource_settings(data, load_one, file="fleet.yaml")
