"""The keys of argocd-cm by which people judge and act on kinds by scripts of their own."""

from __future__ import annotations

import pytest

from fleet.errors import SpecInvalid
from fleet.model.customizations import (
    ActionScripts,
    Customizations,
    HealthExpressions,
    HealthScript,
    changed_patterns,
    read_customizations,
)
from fleet.model.objects import GroupKind
from fleet.model.reading import Origin
from fleet.render.yaml import load_one


def read(**data: str) -> Customizations:
    keys = {f"resource.customizations{key}": text for key, text in data.items()}
    return read_customizations(keys, load_one, Origin())


ACTIONS = """
mergeBuiltinActions: true
discovery.lua: return {}
definitions:
- name: poke
  action.lua: return obj
"""
WHOLE = """
example.com/Thing:
  health.lua: return {status = "Healthy"}
  health.lua.useOpenLibs: true
  ignoreDifferences: |
    jsonPointers: [/spec]
"*.crossplane.io/*":
  health.lua: return {}
  actions: |
    definitions:
    - name: poke
      action.lua: return obj
Pod:
  healthExprs:
    current: status.phase == 'Running'
"""
POKE = ActionScripts("return {}", {"poke": "return obj"}, merge_builtin=True)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, Customizations()),
        (
            {".health.example.com_Thing": "return {}"},
            Customizations({"example.com/Thing": HealthScript("return {}")}),
        ),
        ({".health.Pod": "return {}"}, Customizations({"Pod": HealthScript("return {}")})),
        ({".health.Pod": "  \n"}, Customizations()),
        ({".useOpenLibs.Pod": "true"}, Customizations()),
        ({".ignoreDifferences.Pod": "jsonPointers: [/spec]"}, Customizations()),
        (
            {".healthExprs.*.example.com_*": "{current: a, failed: b}"},
            Customizations(
                {
                    "*.example.com/*": HealthScript(
                        expressions=HealthExpressions(current="a", failed="b")
                    )
                }
            ),
        ),
        ({".actions.Pod": ACTIONS}, Customizations(actions={"Pod": POKE})),
        (
            {"": WHOLE, ".health.example.com_Thing": "return nil"},
            Customizations(
                {
                    "example.com/Thing": HealthScript("return nil"),
                    "*.crossplane.io/*": HealthScript("return {}"),
                    "Pod": HealthScript(
                        expressions=HealthExpressions(current="status.phase == 'Running'")
                    ),
                },
                {"*.crossplane.io/*": ActionScripts("", {"poke": "return obj"})},
            ),
        ),
    ],
)
def test_reading(data: dict[str, str], expected: Customizations) -> None:
    assert read(**data) == expected


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({".health.a_b_C": "x"}, "does not end in <group>_<Kind>"),
        ({".health.example.com_": "x"}, "does not end in <group>_<Kind>"),
        ({".health.Pod": "x" * 300_000}, "has more than 256 KiB"),
        ({".actions.Pod": "definitions: [}"}, "is not YAML"),
        ({".actions.Pod": "[]"}, "has to be a mapping"),
        ({".actions.Pod": "definitions: [{name: x}]"}, "is required"),
        ({".healthExprs.Pod": "failed: x"}, "is required"),
        ({".healthExprs.Pod": "current: true"}, "must be a text"),
        ({"": "Pod: 7"}, "must be a mapping"),
        ({"": "Pod: {actions: '{'}"}, "is not YAML"),
    ],
)
def test_what_cannot_be_read_is_named(data: dict[str, str], message: str) -> None:
    with pytest.raises(SpecInvalid, match=message) as caught:
        read(**data)
    assert caught.value.place.field.startswith("data.resource.customizations")


def test_the_kind_itself_stands_above_patterns_and_these_go_by_name() -> None:
    scripts = {
        pattern: HealthScript(pattern)
        for pattern in ("*/*", "*.aws.crossplane.io/*", "s3.aws.crossplane.io/Bucket", "Pod")
    }
    found = Customizations(scripts)

    def script(group: str, kind: str) -> str:
        health = found.health_of(GroupKind(group, kind))
        return health.lua if health else ""

    assert script("s3.aws.crossplane.io", "Bucket") == "s3.aws.crossplane.io/Bucket"
    assert script("s3.aws.crossplane.io", "Object") == "*.aws.crossplane.io/*"
    assert script("apps", "Deployment") == "*/*"
    assert script("", "Pod") == "Pod"
    assert script("", "Service") == ""
    assert found.actions_of(GroupKind("", "Pod")) is None


def test_what_changed_is_told_by_pattern() -> None:
    before = Customizations({"a/A": HealthScript("1"), "b/B": HealthScript("1")})
    after = Customizations({"b/B": HealthScript("2"), "c/C": HealthScript("1")}, {"d/D": POKE})
    assert changed_patterns(before, after) == ("a/A", "b/B", "c/C")
    assert changed_patterns(after, after) == ()
