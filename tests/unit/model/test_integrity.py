"""Reading what a project demands of signatures."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.errors import SpecInvalid
from fleet.model.integrity import NOTHING_PASSES, SignaturePolicy
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


def of(kind: str, signer: str, mode: str, *keys: str) -> dict[str, Any]:
    policy = {"repos": ["a/*"], signer: {"mode": mode, "keys": list(keys)}}
    return {"sourceIntegrity": {kind: {"policies": [policy]}}}


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
        (of("helm", "gpg", "strict", ID), (("a/*",), "strict", (ID,), "helm")),
        (of("helm", "gpg", "none"), (("a/*",), "none", (), "helm")),
        (of("oci", "cosign", "strict", SSH), (("a/*",), "strict", (SSH,), "oci")),
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
    of("helm", "gpg", "head", ID),  # charts have no history
    of("helm", "gpg", "strict", SSH),  # provenance is GPG's
    of("helm", "gpg", "strict"),
    of("helm", "cosign", "strict", SSH),
    of("oci", "cosign", "head", SSH),
    of("oci", "cosign", "strict", ID),
    of("oci", "gpg", "strict", ID),
]


@pytest.mark.parametrize("spec", BAD)
def test_what_cannot_be_meant_is_refused(spec: dict[str, Any]) -> None:
    with pytest.raises(SpecInvalid):
        parse_project(project(**spec))


@pytest.mark.parametrize("spec", BAD)
def test_of_a_stored_document_it_lets_nothing_pass(spec: dict[str, Any]) -> None:
    parsed = parse_project(project(**spec), stored=True)
    assert parsed.spec.integrity == NOTHING_PASSES
    assert {policy.of for policy in NOTHING_PASSES} == {"git", "helm", "oci"}
    assert not any(policy.keys or policy.mode == "none" for policy in NOTHING_PASSES)
