"""Reading what a project demands of signatures."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.errors import SpecInvalid
from fleet.model.integrity import SignaturePolicy
from fleet.model.project_spec import parse_project

ID = "4AEE18F83AFDEB23"
SSH = "SHA256:" + "a" * 43


def project(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": "shop"},
        "spec": spec,
    }


def policies(*entries: Any) -> dict[str, Any]:
    return {"sourceIntegrity": {"git": {"policies": list(entries)}}}


def gpg(mode: str = "head", *keys: str) -> dict[str, Any]:
    return {"mode": mode, "keys": list(keys or (ID,))}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, ()),
        ({"signatureKeys": [{"keyID": f"0x{ID.lower()}"}]}, (("*",), "head", (ID,))),
        (policies({"repos": ["a/*"], "gpg": gpg("strict", SSH)}), (("a/*",), "strict", (SSH,))),
        (policies({"repos": [{"url": "b"}], "gpg": gpg()}), (("b",), "head", (ID,))),
        (policies({"repos": ["*"], "gpg": {"mode": "none"}}), (("*",), "none", ())),
    ],
)
def test_every_spelling(spec: dict[str, Any], expected: tuple[Any, ...]) -> None:
    parsed = parse_project(project(**spec))
    assert parsed.spec.integrity == ((SignaturePolicy(*expected),) if expected else ())
    assert parsed.warnings == ()


BAD = [
    {"signatureKeys": [{"keyID": "1"}]},
    {"signatureKeys": [{"keyID": ID}], **policies()},
    policies({"repos": ["*"], "gpg": {"mode": "loose", "keys": [ID]}}),
    policies({"repos": ["*"], "gpg": {"mode": "head"}}),
    policies({"repos": [], "gpg": gpg()}),
    policies({"repos": ["*"]}),
    policies({"repos": ["*"], "gpg": gpg("head", "SHA256:short")}),
]


@pytest.mark.parametrize("spec", BAD)
def test_what_cannot_be_meant_is_refused(spec: dict[str, Any]) -> None:
    with pytest.raises(SpecInvalid):
        parse_project(project(**spec))


@pytest.mark.parametrize("spec", BAD)
def test_of_a_stored_document_it_lets_nothing_pass(spec: dict[str, Any]) -> None:
    parsed = parse_project(project(**spec), stored=True)
    assert parsed.spec.integrity == (SignaturePolicy(("*",), "head", ()),)
