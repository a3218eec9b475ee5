"""What add-source, unset and patch make of a document."""

from __future__ import annotations

from typing import Any

import click
import pytest

from fleet.cli.app.patches import patched
from fleet.cli.app.source_choice import chosen_position
from fleet.cli.app.spec_removal import removal_options, without
from fleet.errors import SpecInvalid, UsageError

HELM: dict[str, Any] = {
    "repoURL": "https://charts.example",
    "chart": "db",
    "helm": {
        "valueFiles": ["a.yaml", "b.yaml"],
        "values": "x: 1",
        "parameters": [{"name": "replicas", "value": "3"}, {"name": "size", "value": "1Gi"}],
        "passCredentials": True,
        "valuesFrom": [
            {"kind": "ConfigMap", "name": "web"},
            {"kind": "Secret", "name": "db", "valuesKey": "pw", "targetPath": "db.pw"},
        ],
    },
}
KUSTOMIZE: dict[str, Any] = {
    "repoURL": "https://git.example/shop.git",
    "path": "web",
    "kustomize": {
        "images": ["web=registry.example/web:2", "registry.example/db:1"],
        "replicas": [{"name": "web", "count": 2}],
        "namePrefix": "eu-",
    },
}


def flags(*arguments: str) -> dict[str, Any]:
    """What click makes of a command line."""
    found: dict[str, Any] = {}

    @click.command()
    @removal_options
    def command(**given: Any) -> None:
        found.update(given)

    command.main(list(arguments), standalone_mode=False)
    return found


@pytest.mark.parametrize(
    ("source", "arguments", "path", "left"),
    [
        (HELM, ("--values", "a.yaml"), ("helm", "valueFiles"), ["b.yaml"]),
        (HELM, ("--values", "a.yaml", "--values", "b.yaml"), ("helm", "valueFiles"), None),
        (HELM, ("--values-literal",), ("helm", "values"), None),
        (HELM, ("-p", "size"), ("helm", "parameters"), [{"name": "replicas", "value": "3"}]),
        (HELM, ("--pass-credentials",), ("helm", "passCredentials"), None),
        (
            HELM,
            ("--helm-values-from", "Secret/db:pw@db.pw"),
            ("helm", "valuesFrom"),
            [{"kind": "ConfigMap", "name": "web"}],
        ),
        (KUSTOMIZE, ("--nameprefix",), ("kustomize", "namePrefix"), None),
        (
            KUSTOMIZE,
            ("--kustomize-image", "web"),
            ("kustomize", "images"),
            ["registry.example/db:1"],
        ),
        (
            KUSTOMIZE,
            ("--kustomize-image", "registry.example/db"),
            ("kustomize", "images"),
            ["web=registry.example/web:2"],
        ),
        (KUSTOMIZE, ("--kustomize-replica", "web"), ("kustomize", "replicas"), None),
    ],
)
def test_what_is_named_goes_and_the_rest_stays(
    source: dict[str, Any], arguments: tuple[str, ...], path: tuple[str, str], left: Any
) -> None:
    changed = without(source, flags(*arguments))
    tool, key = path
    assert changed[tool].get(key) == left
    assert {k: v for k, v in changed[tool].items() if k != key} == {
        k: v for k, v in source[tool].items() if k != key
    }


def test_a_tool_with_nothing_left_goes_and_a_plugin_stays() -> None:
    helm = {"repoURL": "x", "helm": {"values": "x: 1"}}
    assert without(helm, flags("--values-literal")) == {"repoURL": "x"}
    held = {"repoURL": "x", "plugin": {"parameters": [{"name": "A", "string": "1"}]}}
    assert without(held, flags("--plugin-param", "A")) == {"repoURL": "x", "plugin": {}}
    plugin = {"repoURL": "x", "plugin": {"env": [{"name": "A", "value": "1"}]}}
    assert without(plugin, flags("--plugin-env", "A")) == {"repoURL": "x", "plugin": {}}


@pytest.mark.parametrize("arguments", [(), ("--values", "c.yaml"), ("-p", "none")])
def test_what_is_not_there_cannot_go(arguments: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        without(HELM, flags(*arguments))


SEVERAL = {"spec": {"sources": [{"name": "chart"}, {"ref": "values"}]}}


def test_a_source_is_chosen_by_place_or_name() -> None:
    assert chosen_position(SEVERAL, 2, "") == 2
    assert chosen_position(SEVERAL, None, "chart") == 1
    assert chosen_position(SEVERAL, None, "") == 0
    for position, name in ((3, ""), (1, "chart"), (None, "none")):
        with pytest.raises(UsageError):
            chosen_position(SEVERAL, position, name)


DOCUMENT = {"spec": {"source": {"path": "a"}, "syncPolicy": {"automated": {}}}}


@pytest.mark.parametrize(
    ("kind", "text", "spec"),
    [
        ("merge", "spec: {syncPolicy: null}", {"source": {"path": "a"}}),
        (
            "merge",
            '{"spec": {"source": {"path": "b"}}}',
            {"source": {"path": "b"}, "syncPolicy": {"automated": {}}},
        ),
        (
            "json",
            (
                '[{"op": "remove", "path": "/spec/syncPolicy"},'
                ' {"op": "replace", "path": "/spec/source/path", "value": "b"}]'
            ),
            {"source": {"path": "b"}},
        ),
    ],
)
def test_a_patch_is_laid_over_a_document(kind: str, text: str, spec: dict[str, Any]) -> None:
    before = repr(DOCUMENT)
    assert patched(DOCUMENT, text, kind) == {"spec": spec}
    assert repr(DOCUMENT) == before


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("json", '[{"op": "remove", "path": "/spec/none"}]'),
        ("json", '[{"op": "nothing"}]'),
        ("json", '["text"]'),
        ("json", "{}"),
        ("json", '[{"op": "test", "path": "/spec", "value": 1}]'),
        ("json", '[{"op": "replace", "path": "", "value": 1}]'),
        ("merge", "[]"),
        ("merge", "text"),
    ],
)
def test_a_patch_that_does_not_fit_is_refused(kind: str, text: str) -> None:
    with pytest.raises(UsageError, match="--patch"):
        patched(DOCUMENT, text, kind)


def test_a_patch_that_is_no_yaml_names_the_flag() -> None:
    with pytest.raises(SpecInvalid):
        patched(DOCUMENT, "{", "merge")
