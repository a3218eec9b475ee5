"""Waves, kind order and sync options of one object."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.model.objects import GroupKind, ObjectRef
from fleet.model.resource_settings import KindFilter, ResourceSettings, StatusField
from fleet.plan.compare_options import ignores_extraneous
from fleet.plan.excluded import KindPolicy
from fleet.plan.options import Consent, read_application_options, read_object_options
from fleet.plan.order import apply_key, kind_rank, wave_of


def annotated(**annotations: Any) -> dict[str, Any]:
    keys = {
        "wave": "argocd.argoproj.io/sync-wave",
        "options": "argocd.argoproj.io/sync-options",
        "policy": "helm.sh/resource-policy",
    }
    named = {keys[key]: value for key, value in annotations.items()}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "x", "namespace": "shop", "annotations": named},
    }


@pytest.mark.parametrize(("text", "wave"), [("0", 0), ("5", 5), ("+5", 5), ("-12", -12)])
def test_reads_waves(text: str, wave: int) -> None:
    found = wave_of(annotated(wave=text))
    assert (found.number, found.warning) == (wave, "")


@pytest.mark.parametrize("text", ["one", "1.5", " 1", "1_0", "٣", "9" * 5000, "2147483648"])
def test_nonsense_is_wave_zero_with_a_warning(text: str) -> None:
    found = wave_of(annotated(wave=text))
    assert found.number == 0
    assert "ConfigMap/shop/x" in found.warning
    assert len(found.warning) < 200


def test_a_manifest_without_sense_has_wave_zero() -> None:
    assert wave_of({"metadata": {"annotations": []}}).number == 0
    assert wave_of(annotated(wave=3)).number == 0


def test_kinds_go_in_the_order_of_the_table() -> None:
    kinds = ["Widget", "Ingress", "Deployment", "Service", "CustomResourceDefinition", "Secret"]
    assert sorted([*kinds, "Namespace"], key=kind_rank) == ["Namespace", *reversed(kinds)]


def test_the_wave_beats_the_kind_and_the_kind_the_name() -> None:
    def key(wave: int, kind: str, name: str) -> tuple[Any, ...]:
        return apply_key(wave, ObjectRef("", kind, "shop", name))

    assert key(-1, "Ingress", "z") < key(0, "Namespace", "a")
    assert key(0, "Secret", "z") < key(0, "Deployment", "a")
    assert key(0, "Secret", "a") < key(0, "Secret", "b")


@pytest.mark.parametrize(
    ("annotations", "application", "prune", "delete"),
    [
        ({}, (), Consent.GIVEN, Consent.GIVEN),
        ({"options": "Prune=false"}, (), Consent.REFUSED, Consent.GIVEN),
        ({"options": " Prune=false , Delete=false"}, (), Consent.REFUSED, Consent.REFUSED),
        ({"options": "Prune=confirm"}, (), Consent.CONFIRM, Consent.GIVEN),
        ({"options": "Prune=fasle"}, (), Consent.REFUSED, Consent.GIVEN),
        ({}, ("Prune=false",), Consent.REFUSED, Consent.GIVEN),
        ({"options": "Prune=true"}, ("Prune=false",), Consent.GIVEN, Consent.GIVEN),
        ({}, ("Prune=false", "Prune=true"), Consent.GIVEN, Consent.GIVEN),
        ({"policy": "keep"}, (), Consent.GIVEN, Consent.REFUSED),
        ({"policy": "keep", "options": "Delete=true"}, (), Consent.GIVEN, Consent.GIVEN),
        ({"options": 7}, (), Consent.GIVEN, Consent.GIVEN),
    ],
)
def test_the_object_beats_the_application(
    annotations: dict[str, Any], application: tuple[str, ...], prune: Consent, delete: Consent
) -> None:
    options = read_object_options(annotated(**annotations), application)
    assert (options.prune, options.delete) == (prune, delete)


def test_options_without_effect_and_unknown_ones_are_kept_apart() -> None:
    options = read_application_options(
        [
            *("Replace=true", "Force=false", "ServerSideApply=true", "Vendor=1"),
            *("CreateNamespace=true", "PrunePropagationPolicy=background"),
        ]
    )
    assert options.idle == ("Replace=true",)
    assert options.unknown == ("Vendor=1",)
    assert options.create_namespace


@given(st.text(max_size=40), st.text(max_size=10))
def test_any_annotation_is_answered(options: str, wave: str) -> None:
    manifest = annotated(options=options, wave=wave, policy=options)
    read_object_options(manifest)
    wave_of(manifest)


@pytest.mark.parametrize(
    ("group", "kind", "excluded"),
    [
        ("", "Event", True),
        ("events.k8s.io", "Event", True),
        ("metrics.k8s.io", "PodMetrics", True),
        ("coordination.k8s.io", "Lease", True),
        ("", "Endpoints", True),
        ("example.org", "Event", False),
        ("", "ConfigMap", False),
        ("kyverno.io", "ClusterPolicy", False),
    ],
)
def test_excluded_kinds(group: str, kind: str, excluded: bool) -> None:
    assert KindPolicy().excludes(GroupKind(group, kind)) is excluded


@pytest.mark.parametrize(
    ("settings", "kind", "excluded"),
    [
        ({"exclusions": ()}, GroupKind("", "Endpoints"), False),
        ({"exclusions": ()}, GroupKind("", "Event"), True),
        ({"exclusions": (KindFilter(("cilium.io",)),)}, GroupKind("cilium.io", "X"), True),
        ({"exclusions": (KindFilter(("a",), (), ("*.test",)),)}, GroupKind("a", "X"), True),
        ({"exclusions": (KindFilter(("a",), (), ("other",)),)}, GroupKind("a", "X"), False),
        ({"inclusions": (KindFilter(("apps",), ("Deploy*",)),)}, GroupKind("apps", "X"), True),
        (
            {"inclusions": (KindFilter(("apps",), ("Deploy*",)),)},
            GroupKind("apps", "Deployment"),
            False,
        ),
        ({"inclusions": (KindFilter(),)}, GroupKind("", "Endpoints"), True),
    ],
)
def test_settings_exclude_and_include(
    settings: dict[str, Any], kind: GroupKind, excluded: bool
) -> None:
    policy = KindPolicy(ResourceSettings(**settings), ("https://c.test", "c"))
    assert policy.excludes(kind) is excluded


@pytest.mark.parametrize(
    ("option", "crd", "other"), [("all", False, False), ("crd", False, True), ("none", True, True)]
)
def test_whose_status_is_applied(option: str, crd: bool, other: bool) -> None:
    policy = KindPolicy(ResourceSettings(status_field=StatusField(option)))
    kinds = GroupKind("apiextensions.k8s.io", "CustomResourceDefinition"), GroupKind("a", "B")
    assert [policy.keeps_status(kind) for kind in kinds] == [crd, other]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("IgnoreExtraneous", True),
        ("ServerSideDiff=true, IgnoreExtraneous", True),
        ("IgnoreExtraneous=true", True),
        ("IgnoreExtraneous=false", False),
        ("ServerSideDiff=true", False),
        ("", False),
    ],
)
def test_the_compare_option_of_an_object(written: str, expected: bool) -> None:
    assert ignores_extraneous({"argocd.argoproj.io/compare-options": written}) is expected
