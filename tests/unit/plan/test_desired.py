"""Preparing manifests: what is applied, what is set apart, and why."""

from __future__ import annotations

import copy
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.model.ids import ApplicationId
from fleet.model.objects import INSTANCE_LABEL, TRACKING_ANNOTATION, GroupKind, ObjectRef, Tracking
from fleet.plan.desired import Prepared, prepare

APP = ApplicationId(UUID(int=7))
NAMESPACED = {"ConfigMap", "Secret", "Deployment", "Job"}
CLUSTER_SCOPED = {"Namespace", "ClusterRole", "CustomResourceDefinition"}


def scope(kind: GroupKind, version: str) -> bool | None:
    if kind.kind in NAMESPACED:
        return True
    return False if kind.kind in CLUSTER_SCOPED else None


def prepared(*manifests: Any, namespace: str = "shop", options: tuple[str, ...] = ()) -> Prepared:
    return prepare(
        manifests,
        application_id=APP,
        instance="fleet-1",
        namespace=namespace,
        discovery_scope=scope,
        sync_options=options,
    )


def manifest(kind: str = "ConfigMap", name: str = "x", **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, **metadata}}


def crd(kind: str = "Widget", scope: str = "Namespaced", **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.org", **metadata},
        "spec": {
            "group": "example.org",
            "scope": scope,
            "names": {"kind": kind},
            "versions": [{"name": "v1"}],
        },
    }


def types(result: Prepared) -> list[str]:
    return [condition.type for condition in result.conditions]


def test_marks_namespace_and_what_the_server_writes() -> None:
    before = manifest(
        labels={"app": "web"}, annotations=None, resourceVersion="5", managedFields=[{}]
    ) | {"data": {"a": "b"}, "status": {"x": 1}}
    kept = copy.deepcopy(before)
    (made,) = prepared(before).objects
    ref = ObjectRef("", "ConfigMap", "shop", "x")
    assert made.ref == ref
    assert made.manifest == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "x",
            "namespace": "shop",
            "labels": {"app": "web", INSTANCE_LABEL: "fleet-1"},
            "annotations": {TRACKING_ANNOTATION: str(Tracking(str(APP), ref))},
        },
        "data": {"a": "b"},
    }
    assert before == kept


def test_a_namespace_of_its_own_is_kept_and_a_cluster_scoped_object_has_none() -> None:
    own, role = prepared(
        manifest(namespace="other"), manifest("ClusterRole", namespace="shop")
    ).objects
    assert own.ref.namespace == "other"
    assert role.ref.namespace == ""
    assert "namespace" not in role.manifest["metadata"]
    assert not role.namespaced


def test_objects_come_in_the_order_in_which_they_are_applied() -> None:
    late = manifest("Secret", "late", annotations={"argocd.argoproj.io/sync-wave": "1"})
    result = prepared(late, manifest("Deployment"), manifest("Namespace", "n"), manifest())
    assert [made.ref.kind for made in result.objects] == [
        "Namespace",
        "ConfigMap",
        "Deployment",
        "Secret",
    ]
    assert result.objects[-1].wave == 1


def test_lists_are_taken_apart_to_any_depth() -> None:
    inner = {"kind": "ConfigMapList", "apiVersion": "v1", "items": [{"metadata": {"name": "b"}}]}
    outer = {"kind": "List", "apiVersion": "v1", "items": [manifest(name="a"), inner]}
    assert [made.ref.name for made in prepared(outer).objects] == ["a", "b"]
    assert prepared({"kind": "List", "apiVersion": "v1", "items": [7]}).problems


@pytest.mark.parametrize(
    ("bad", "says", "error"),
    [
        ({}, "an object: no apiVersion and kind", "RenderError"),
        (manifest() | {"apiVersion": 1}, "ConfigMap/shop/x: no apiVersion", "RenderError"),
        (manifest() | {"apiVersion": "apps/"}, "'apps/' has no version", "RenderError"),
        (manifest(name=""), "no metadata.name", "RenderError"),
        (manifest(name="", generateName="x-"), "generateName", "RenderError"),
        (manifest(name="a/../b"), "no valid name", "RenderError"),
        (manifest(name=".."), "no valid name", "RenderError"),
        (manifest(name="a%2fb"), "no valid name", "RenderError"),
        (manifest(namespace="a/b"), "no valid namespace", "RenderError"),
        (manifest(labels=["x"]), "labels is not a mapping", "RenderError"),
        (manifest("Gadget"), "Gadget/shop/x: the cluster does not serve kind", "KindUnknown"),
    ],
)
def test_what_cannot_be_applied_is_a_problem(bad: Any, says: str, error: str) -> None:
    result = prepared(bad)
    assert result.objects == ()
    (problem,) = result.problems
    assert says in problem.message
    assert problem.error == error


def test_a_namespaced_object_needs_a_namespace_from_somewhere() -> None:
    (problem,) = prepared(manifest(), namespace="").problems
    assert "the destination has none" in problem.message


@pytest.mark.parametrize(("of_crd", "namespace"), [("Namespaced", "shop"), ("Cluster", "")])
def test_a_kind_that_comes_with_its_definition_is_placed_by_it(of_crd: str, namespace: str) -> None:
    widget = manifest("Widget") | {"apiVersion": "example.org/v1"}
    definition, made = prepared(widget, crd(scope=of_crd)).objects
    assert definition.ref.kind == "CustomResourceDefinition"
    assert made.ref.namespace == namespace


def test_the_cluster_is_believed_before_a_definition_in_git() -> None:
    lying = crd(kind="ClusterRole", scope="Namespaced")
    lying["spec"]["group"] = ""
    made = prepared(lying, manifest("ClusterRole")).objects[-1]
    assert not made.namespaced


def test_the_last_of_two_is_used_and_said_so() -> None:
    first, second = manifest(namespace="shop") | {"data": {"a": "1"}}, manifest() | {"data": {}}
    result = prepared(first, second)
    (made,) = result.objects
    assert made.manifest["data"] == {}
    assert types(result) == ["RepeatedResourceWarning"]
    assert "ConfigMap/shop/x is rendered 2 times" in result.conditions[0].message


def test_rules_that_the_control_plane_fills_are_not_applied() -> None:
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "rules": []}
    own = {**role, "metadata": {"name": "own"}}
    aggregated = {
        **role,
        "metadata": {"name": "aggregated"},
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]},
    }
    made = {o.ref.name: o.manifest for o in prepared(own, aggregated).objects}
    assert ("rules" in made["own"], "rules" in made["aggregated"]) == (True, False)


def test_excluded_kinds_are_set_apart() -> None:
    result = prepared(manifest("Event"), manifest())
    assert len(result.objects) == 1
    assert types(result) == ["ExcludedResourceWarning"]


@pytest.mark.parametrize(
    ("annotation", "value", "is_hook"),
    [
        ("argocd.argoproj.io/hook", "PreSync", True),
        ("argocd.argoproj.io/hook", "Skip", True),
        ("argocd.argoproj.io/hook", "", False),
        ("helm.sh/hook", "pre-install,pre-upgrade", True),
        ("helm.sh/hook", "test", True),
        ("helm.sh/hook", "crd-install", False),
        ("helm.sh/hook", "crd-install, post-install", True),
    ],
)
def test_hooks_are_set_apart(annotation: str, value: str, is_hook: bool) -> None:
    result = prepared(manifest("Job", annotations={annotation: value}))
    assert bool(result.set_apart) is is_hook
    assert bool(result.objects) is not is_hook
    assert types(result) == []


def test_a_hook_without_a_name_is_no_problem() -> None:
    hook = manifest("Job", "", generateName="job-", annotations={"argocd.argoproj.io/hook": "Sync"})
    result = prepared(hook)
    assert [(one.ref, one.generated) for one in result.hooks] == [
        (ObjectRef("", "Job", "shop", "job-"), True)
    ]
    assert result.problems == ()


HOOK = "argocd.argoproj.io/hook"


def test_a_hook_of_several_phases_runs_in_each() -> None:
    result = prepared(manifest("Job", annotations={HOOK: "PostSync, PreSync"}))
    assert [hook.phase for hook in result.hooks] == ["PostSync", "PreSync"]
    assert {hook.ref for hook in result.hooks} == {ObjectRef("", "Job", "shop", "x")}


def test_hooks_stand_in_the_order_in_which_they_run() -> None:
    def hook(name: str, **marks: str) -> Any:
        return manifest("Job", name, annotations={HOOK: "PreSync", **marks})

    late = hook("a", **{"argocd.argoproj.io/sync-wave": "2"})
    weighed = hook("c", **{"helm.sh/hook-weight": "-5"})
    both = hook("b", **{"argocd.argoproj.io/sync-wave": "1", "helm.sh/hook-weight": "9"})
    result = prepared(late, weighed, both)
    assert [(one.ref.name, one.wave) for one in result.hooks] == [("c", -5), ("b", 1), ("a", 2)]


def test_a_hook_named_like_an_object_is_a_problem() -> None:
    result = prepared(manifest("Job"), manifest("Job", annotations={HOOK: "Sync"}))
    (problem,) = result.problems
    assert (
        "a hook and an object of the application have the same name; rename one" in problem.message
    )


def test_of_two_hooks_of_one_name_and_phase_the_last_runs() -> None:
    first = manifest("Job", annotations={HOOK: "PreSync"}) | {"spec": 1}
    second = manifest("Job", annotations={HOOK: "PreSync,PostSync"}) | {"spec": 2}
    result = prepared(first, second)
    assert [(one.phase, one.manifest["spec"]) for one in result.hooks] == [
        ("PostSync", 2),
        ("PreSync", 2),
    ]
    assert types(result) == ["RepeatedResourceWarning"]


def test_hooks_that_generate_names_alike_are_two() -> None:
    hook = manifest("Job", "", generateName="job-", annotations={HOOK: "Sync"})
    one, two = prepared(hook, hook).hooks
    assert one.named("run") != two.named("run")


def test_what_nobody_knows_about_a_hook_is_told() -> None:
    odd = manifest("Job", annotations={HOOK: "PreSync,PreLunch", f"{HOOK}-delete-policy": "Never"})
    result = prepared(odd)
    assert [hook.phase for hook in result.hooks] == ["PreSync"]
    assert [c.message for c in result.conditions] == [
        "Job/shop/x: 'Never' is no hook delete policy; it is ignored",
        "Job/shop/x: 'PreLunch' is no hook type; it is ignored",
    ]
    assert types(result) == ["HookWarning", "HookWarning"]


@pytest.mark.parametrize(("phases", "is_problem"), [("PreSync", True), ("PostDelete", False)])
def test_a_hook_of_a_kind_that_is_not_served(phases: str, is_problem: bool) -> None:
    """It holds up what it is a part of: a sync, or the deletion."""
    result = prepared(manifest("Gadget", annotations={HOOK: phases}))
    assert [problem.error for problem in result.problems] == ["KindUnknown"] * is_problem


def test_warnings_about_waves_and_options_are_conditions() -> None:
    odd = manifest(annotations={"argocd.argoproj.io/sync-wave": "x"})
    result = prepared(odd, options=("Vendor=1", "Prune=fasle"))
    assert types(result) == ["SyncOptionWarning", "SyncOptionWarning"]
    assert result.conditions[0].message.startswith("ConfigMap/shop/x: argocd.argoproj.io/sync-wave")
    assert result.conditions[1].message.endswith(": Prune=fasle, Vendor=1")


def test_what_happens_anyway_is_no_warning() -> None:
    assert types(prepared(manifest(), options=("PruneLast=true", "ServerSideApply=true"))) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)
ANYTHING = st.fixed_dictionaries(
    {},
    optional={
        "apiVersion": JSON | st.sampled_from(["v1", "apiextensions.k8s.io/v1"]),
        "kind": JSON | st.sampled_from(["ConfigMap", "List", "CustomResourceDefinition", "Job"]),
        "metadata": JSON
        | st.fixed_dictionaries(
            {}, optional={"name": JSON, "namespace": JSON, "labels": JSON, "annotations": JSON}
        ),
        "items": JSON,
        "spec": JSON,
    },
)


@given(st.lists(ANYTHING, max_size=4))
def test_any_manifest_is_prepared_or_a_problem(manifests: list[dict[str, Any]]) -> None:
    result = prepared(*manifests)
    refs = [made.ref for made in result.objects]
    assert len(refs) == len(set(refs))
    for made in result.objects:
        assert made.namespaced is bool(made.ref.namespace)
        mark = Tracking.parse(made.manifest["metadata"]["annotations"][TRACKING_ANNOTATION])
        assert mark is None or mark.ref == made.ref
