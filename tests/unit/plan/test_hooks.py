"""What annotations make of an object: when it runs, how it is called, when it is deleted."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.model.ids import ApplicationId
from fleet.model.names import is_dns_label
from fleet.model.objects import (
    HOOK_FINALIZER,
    HOOK_RUN_ANNOTATION,
    TRACKING_ANNOTATION,
    GroupKind,
    ObjectRef,
    Tracking,
)
from fleet.model.operations import HookState, SyncPhase
from fleet.plan import DesiredHook, hook_policies, is_deleted_after, is_deleted_before, read_hook
from fleet.plan.hooks import HookPolicy

APP = ApplicationId(UUID(int=7))
ARGO, HELM = "argocd.argoproj.io/hook", "helm.sh/hook"
PRE, POST = SyncPhase.PRE_SYNC, SyncPhase.POST_SYNC


@pytest.mark.parametrize(
    ("annotations", "phases"),
    [
        ({}, None),
        ({ARGO: ""}, None),
        ({ARGO: "PreSync"}, (PRE,)),
        ({ARGO: " PostSync , PreSync,PreSync"}, (PRE, POST)),
        ({ARGO: "Sync,SyncFail"}, (SyncPhase.SYNC, SyncPhase.SYNC_FAIL)),
        ({ARGO: "PreDelete,PostDelete"}, (SyncPhase.PRE_DELETE, SyncPhase.POST_DELETE)),
        ({ARGO: "Skip"}, ()),
        ({ARGO: "Skip,PreSync"}, (PRE,)),
        ({ARGO: "presync"}, ()),
        ({HELM: "pre-install"}, (PRE,)),
        ({HELM: "pre-install,pre-upgrade,post-upgrade"}, (PRE, POST)),
        ({HELM: "post-install, post-delete"}, (POST, SyncPhase.POST_DELETE)),
        ({HELM: "pre-delete"}, (SyncPhase.PRE_DELETE,)),
        ({HELM: "pre-rollback,post-rollback"}, ()),
        ({HELM: "test"}, ()),
        ({HELM: "test-success"}, ()),
        ({HELM: "crd-install"}, None),
        ({HELM: "crd-install,pre-install"}, (PRE,)),
        ({HELM: "pre-install", ARGO: "PostSync"}, (POST,)),
        ({HELM: "pre-install", ARGO: "Skip"}, ()),
        ({HELM: "pre-install", ARGO: "Nonsense"}, (PRE,)),
    ],
)
def test_phases(annotations: dict[str, str], phases: tuple[SyncPhase, ...] | None) -> None:
    marks = read_hook({"metadata": {"annotations": annotations}})
    assert (None if marks is None else marks.phases) == phases


@pytest.mark.parametrize(
    ("annotations", "policies"),
    [
        ({}, {HookPolicy.BEFORE_CREATION}),
        ({f"{ARGO}-delete-policy": "Nonsense"}, {HookPolicy.BEFORE_CREATION}),
        ({f"{ARGO}-delete-policy": "HookSucceeded"}, {HookPolicy.SUCCEEDED}),
        (
            {f"{ARGO}-delete-policy": "HookFailed", f"{HELM}-delete-policy": "hook-succeeded"},
            {HookPolicy.FAILED, HookPolicy.SUCCEEDED},
        ),
        ({f"{HELM}-delete-policy": "before-hook-creation"}, {HookPolicy.BEFORE_CREATION}),
    ],
)
def test_delete_policies(annotations: dict[str, str], policies: set[HookPolicy]) -> None:
    assert hook_policies(annotations) == policies
    for state, policy in (
        (HookState.SUCCEEDED, HookPolicy.SUCCEEDED),
        (HookState.FAILED, HookPolicy.FAILED),
    ):
        assert is_deleted_after(annotations, state) is (policy in policies)


@pytest.mark.parametrize(
    ("kind", "policy", "goes"),
    [
        (GroupKind("batch", "Job"), "HookFailed", True),
        (GroupKind("argoproj.io", "Workflow"), "HookSucceeded", True),
        (GroupKind("", "Pod"), "", True),
        (GroupKind("", "PersistentVolumeClaim"), "HookFailed", False),
        (GroupKind("", "PersistentVolumeClaim"), "", True),
    ],
)
def test_what_an_earlier_run_left(kind: GroupKind, policy: str, goes: bool) -> None:
    """What runs once would not run again; anything else is applied over, unless it says so."""
    annotations = {f"{ARGO}-delete-policy": policy} if policy else {}
    assert is_deleted_before(kind, annotations) is goes


def hook(prefix: str, ordinal: int = 0) -> DesiredHook:
    ref = ObjectRef("batch", "Job", "shop", prefix)
    metadata = {"generateName": prefix, "finalizers": ["example.org/own"]}
    manifest = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata}
    return DesiredHook(
        ref, "v1", manifest, True, SyncPhase.PRE_SYNC, generated=True, ordinal=ordinal
    )


@given(st.from_regex(r"[a-z][a-z0-9-]{0,62}", fullmatch=True), st.text(), st.integers(0, 3))
def test_a_generated_name_is_the_same_whenever_it_is_asked(
    prefix: str, run: str, ordinal: int
) -> None:
    ref = hook(prefix, ordinal).named(run)
    assert ref == hook(prefix, ordinal).named(run)
    assert ref != hook(prefix, ordinal + 1).named(run)
    assert ref != hook(prefix, ordinal).named(run + "x")
    assert is_dns_label(ref.name)
    assert ref.name.startswith(prefix[:50])


def test_what_is_sent_is_marked_held_and_leaves_the_rendered_alone() -> None:
    made = hook("job-")
    before = repr(made.manifest)
    metadata = made.manifest_of("op/1", APP, held=True)["metadata"]
    assert "generateName" not in metadata
    assert metadata["finalizers"] == [HOOK_FINALIZER, "example.org/own"]
    assert metadata["annotations"] == {
        TRACKING_ANNOTATION: str(Tracking(str(APP), made.named("op/1"))),
        HOOK_RUN_ANNOTATION: "op/1/PreSync",
    }
    assert made.manifest_of("op/1", APP, held=False)["metadata"]["finalizers"] == [
        "example.org/own"
    ]
    assert repr(made.manifest) == before
