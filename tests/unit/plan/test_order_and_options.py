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
from fleet.plan.options import (
    Consent,
    Method,
    Ssa,
    TakeOver,
    outliving_options,
    read_application_options,
    read_object_options,
    read_outliving_options,
)
from fleet.plan.order import apply_key, kind_rank, wave_of


def annotated(**annotations: Any) -> dict[str, Any]:
    keys = {
        "wave": "argocd.argoproj.io/sync-wave",
        "options": "argocd.argoproj.io/sync-options",
        "policy": "helm.sh/resource-policy",
        "ssa": "fleet.dev/ssa",
        "take_over": "fleet.dev/take-over",
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
    assert found.warning.startswith("argocd.argoproj.io/sync-wave ")
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


def test_unknown_options_are_kept_apart() -> None:
    options = read_application_options(
        [
            *("RespectIgnoreDifferences=true", "Force=false", "Vendor=1", "Replace=yes"),
            *("CreateNamespace=true", "PrunePropagationPolicy=background"),
        ]
    )
    assert options.respect_ignored
    assert options.unknown == ("Replace=yes", "Vendor=1")
    assert options.create_namespace


@pytest.mark.parametrize(
    ("application", "own", "method", "is_made_anew"),
    [
        ((), "", Method.SERVER_SIDE, False),
        (("ServerSideApply=true",), "", Method.SERVER_SIDE, False),
        (("ServerSideApply=false",), "", Method.CLIENT_SIDE, False),
        (("ServerSideApply=false",), "ServerSideApply=true", Method.SERVER_SIDE, False),
        (("ServerSideApply=true",), "Replace=true", Method.REPLACE, False),
        (("Replace=true",), "Replace=false", Method.SERVER_SIDE, False),
        (("Replace=true",), "Force=true", Method.REPLACE, True),
        ((), "Force=true,Replace=true", Method.REPLACE, True),
        ((), "Force=true", Method.SERVER_SIDE, False),
    ],
)
def test_how_an_object_is_written(
    application: tuple[str, ...], own: str, method: Method, is_made_anew: bool
) -> None:
    options = read_object_options(annotated(options=own), application)
    assert (options.method, options.is_made_anew) == (method, is_made_anew)


@pytest.mark.parametrize(
    ("annotations", "application", "ssa", "take_over"),
    [
        ({}, (), Ssa.DEFAULT, TakeOver.ALWAYS),
        ({"ssa": "Merge"}, (), Ssa.MERGE, TakeOver.ALWAYS),
        ({"options": "fleet.dev/ssa=Ignore"}, (), Ssa.IGNORE, TakeOver.ALWAYS),
        ({"options": "fleet.dev/ssa=Ignore", "ssa": "Override"}, (), Ssa.OVERRIDE, TakeOver.ALWAYS),
        ({}, ("fleet.dev/ssa=IfNotPresent",), Ssa.IF_NOT_PRESENT, TakeOver.ALWAYS),
        ({"ssa": "merge"}, (), Ssa.DEFAULT, TakeOver.ALWAYS),
        (
            {"take_over": "IfNoDiff"},
            ("fleet.dev/take-over=Never",),
            Ssa.DEFAULT,
            TakeOver.IF_NO_DIFF,
        ),
        # nobody can read it: rather leave alone what somebody else made
        ({"take_over": "Nevr"}, (), Ssa.DEFAULT, TakeOver.NEVER),
    ],
)
def test_options_of_our_own(
    annotations: dict[str, Any], application: tuple[str, ...], ssa: Ssa, take_over: TakeOver
) -> None:
    options = read_object_options(annotated(**annotations), application)
    assert (options.ssa, options.take_over) == (ssa, take_over)


def test_what_an_object_says_about_its_end_is_kept() -> None:
    own = "Replace=true, PruneLast=true,Prune=confirm,Delete=nonsense"
    kept = outliving_options(annotated(options=own, policy="keep"))
    options = read_outliving_options(kept, ("Delete=true", "Force=true"))
    assert (options.prune, options.delete) == (Consent.CONFIRM, Consent.REFUSED)
    assert (options.prune_last, options.force) == (True, True)
    assert outliving_options(annotated(options="Validate=false")) == ""


@given(st.text(max_size=60))
def test_what_is_kept_reads_as_what_was_said(options: str) -> None:
    whole = read_object_options(annotated(options=options))
    kept = read_outliving_options(outliving_options(annotated(options=options)))
    assert (kept.prune, kept.delete, kept.prune_last) == (
        whole.prune,
        whole.delete,
        whole.prune_last,
    )


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
