"""Reading a ConfigManagementPlugin."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.errors import SpecInvalid
from fleet.model.plugins import Discovery, parse_plugin

GENERATE = {"command": ["sh", "-c"], "args": ["cat x"]}


def document(name: str = "tool", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ConfigManagementPlugin",
        "metadata": {"name": name},
        "spec": {"generate": GENERATE, **spec},
    }


def test_a_whole_one() -> None:
    parsed = parse_plugin(
        document(
            version="v1",
            init={"command": ["make"]},
            discover={"find": {"glob": "**/x.toml"}},
            parameters={
                "static": [{"name": "a", "collectionType": "map", "map": {"k": "v"}}],
                "dynamic": {"command": ["ask"]},
            },
            preserveFileMode=True,
        )
    )
    spec = parsed.spec
    assert (spec.name, spec.generate, spec.init) == ("tool-v1", ("sh", "-c", "cat x"), ("make",))
    assert (spec.discovery, spec.announce) == (Discovery(glob="**/x.toml"), ("ask",))
    assert spec.announced[0].map == (("k", "v"),)
    assert spec.keeps_file_modes
    assert parsed.warnings == ()


def test_credentials_are_not_given_and_that_is_said() -> None:
    parsed = parse_plugin(document(provideGitCreds=True, lockRepo=True))
    assert [warning.split(":")[0] for warning in parsed.warnings] == [
        "spec.provideGitCreds",
        "spec.lockRepo",
    ]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"generate": None}, "spec.generate"),
        ({"generate": {"command": []}}, "spec.generate.command"),
        ({"generate": {"command": ["./x"]}}, "spec.generate.command"),
        ({"generate": {"command": ["bin/x"]}}, "spec.generate.command"),
        ({"init": {"command": ["../x"]}}, "spec.init.command"),
        ({"init": {"command": "make"}}, "spec.init.command"),
        ({"discover": {"fileName": "a", "find": {"glob": "b"}}}, "spec.discover.find"),
        ({"discover": {"find": {"command": ["./a"]}}}, "spec.discover.find"),
        ({"parameters": {"static": [{"title": "x"}]}}, "spec.parameters.static[0].name"),
        (
            {"parameters": {"static": [{"name": "x", "collectionType": "set"}]}},
            "spec.parameters.static[0].collectionType",
        ),
        ({"parameters": {"dynamic": {"command": ["./x"]}}}, "spec.parameters.dynamic.command"),
    ],
)
def test_what_cannot_be_run_is_refused(spec: dict[str, Any], field: str) -> None:
    with pytest.raises(SpecInvalid) as caught:
        parse_plugin(document(**spec))
    assert caught.value.place.field.startswith(field)
