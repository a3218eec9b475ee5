"""What argocd-cm says about resources."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.errors import SpecInvalid
from fleet.model.applications import IgnoreDifference
from fleet.model.objects import GroupKind
from fleet.model.resource_settings import (
    KindFilter,
    KnownField,
    ResourceSettings,
    StatusField,
    is_resource_key,
    read_in_force,
    read_resource_settings,
)
from fleet.render.yaml import load_one

#: Keys that say something here, one that is another's, and values of which few are any good.
ALL_KEYS = (
    "resource.customizations",
    "resource.customizations.ignoreDifferences.all",
    "resource.customizations.ignoreResourceUpdates.apps_Deployment",
    "resource.customizations.knownTypeFields.a.b_C",
    "resource.compareoptions",
    "resource.exclusions",
    "resource.inclusions",
    "resource.respectRBAC",
    "url",
)
VALUES = ("", "{", "[]", "{}", "7", "[{kinds: [A]}]", "jsonPointers: [/a]", "[1]", "strict")


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


def _in_force(setting: dict[str, Any], config: dict[str, str]) -> ResourceSettings:
    return read_in_force(setting, config, load_one, about="ConfigMap/argocd-cm")


def test_a_config_map_counts_above_the_setting_key_by_key() -> None:
    setting = {f"{IGNORE}all": "jsonPointers: [/a]", f"{IGNORE}Service": "jsonPointers: [/b]"}
    found = _in_force(setting, {f"{IGNORE}all": "jsonPointers: [/c]", "other": "{", "url": "x"})
    assert {rule.kind: rule.json_pointers for rule in found.ignore_differences} == {
        "*": ("/c",),
        "Service": ("/b",),
    }
    assert found.errors == ()
    assert _in_force(setting, {}) == read_resource_settings(setting, load_one)


@pytest.mark.parametrize("key", ["resource.exclusions", "resource.inclusions"])
def test_while_it_cannot_be_told_which_kinds_there_are_none_is_left_out(key: str) -> None:
    setting = {"resource.exclusions": "[{kinds: [A]}]", "resource.inclusions": "[{kinds: [B]}]"}
    found = _in_force(setting, {key: "{", f"{IGNORE}all": "jsonPointers: [/a]"})
    assert (found.exclusions, found.inclusions) == ((), ())
    assert len(found.ignore_differences) == 1
    (error,) = found.errors
    assert error.startswith(f"ConfigMap/argocd-cm: data.{key}: is no YAML")
    assert found.digest not in ("", _in_force({}, {}).digest)


@given(st.dictionaries(st.sampled_from(ALL_KEYS), st.sampled_from(VALUES)))
def test_whatever_a_config_map_says_is_read_or_told(config: dict[str, str]) -> None:
    alone = {key: _in_force({}, {key: text}).errors for key, text in config.items()}
    assert _in_force({}, config).errors == tuple(e for key in sorted(alone) for e in alone[key])
    said = {key: text for key, text in config.items() if is_resource_key(key) and not alone[key]}
    read_resource_settings(said, load_one)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("resource.respectRBAC", "some", "normal, strict"),
        ("resource.ignoreResourceUpdatesEnabled", "maybe", "true, false"),
    ],
)
def test_a_word_that_is_none(key: str, value: str, words: str) -> None:
    with pytest.raises(SpecInvalid, match=f"is none of {words}"):
        read_resource_settings({key: value}, load_one)
