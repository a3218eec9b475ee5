"""Hooks: what marks an object as one, when it runs, and what it is called then.

Source of annotations, words and defaults: Argo CD (``features.md`` §1.5), which also says
how Helm's hooks are meant: an object with a hook of Argo CD's own is none of Helm's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fleet.model.ids import ApplicationId
from fleet.model.objects import (
    HOOK_FINALIZER,
    HOOK_RUN_ANNOTATION,
    TRACKING_ANNOTATION,
    GroupKind,
    Manifest,
    ObjectRef,
    Tracking,
    annotations_of,
    metadata_of,
)
from fleet.model.operations import HookState, SyncPhase

HOOK_ANNOTATION = "argocd.argoproj.io/hook"
DELETE_POLICY_ANNOTATION = "argocd.argoproj.io/hook-delete-policy"
HELM_HOOK_ANNOTATION = "helm.sh/hook"
HELM_DELETE_POLICY_ANNOTATION = "helm.sh/hook-delete-policy"

SKIP = "Skip"
DELETE_PHASES = frozenset({SyncPhase.PRE_DELETE, SyncPhase.POST_DELETE})

#: What Helm runs when it tests or rolls back is not run by a sync.
_HELM_PHASES: Mapping[str, SyncPhase | None] = {
    "pre-install": SyncPhase.PRE_SYNC,
    "pre-upgrade": SyncPhase.PRE_SYNC,
    "post-install": SyncPhase.POST_SYNC,
    "post-upgrade": SyncPhase.POST_SYNC,
    "pre-delete": SyncPhase.PRE_DELETE,
    "post-delete": SyncPhase.POST_DELETE,
    "pre-rollback": None,
    "post-rollback": None,
    "test": None,
    "test-success": None,
    "test-failure": None,
}
#: Helm 2's way to ship a CustomResourceDefinition: no hook any more.
_CRD_INSTALL = "crd-install"

#: Kinds that do something once and are done: one that is left from before would not run again.
_RUN_ONCE = frozenset(
    {GroupKind("", "Pod"), GroupKind("batch", "Job"), GroupKind("argoproj.io", "Workflow")}
)
#: Of a generated name: Kubernetes cuts prefixes at the same length or later.
_PREFIX_LENGTH, _HASH_LENGTH = 50, 10


class HookPolicy(StrEnum):
    """When a hook's object is deleted."""

    BEFORE_CREATION = "BeforeHookCreation"
    SUCCEEDED = "HookSucceeded"
    FAILED = "HookFailed"


_HELM_POLICIES = {
    "before-hook-creation": HookPolicy.BEFORE_CREATION,
    "hook-succeeded": HookPolicy.SUCCEEDED,
    "hook-failed": HookPolicy.FAILED,
}


@dataclass(frozen=True, slots=True)
class HookMarks:
    """What an object's annotations say. Without phases it never runs: skipped, one of Helm's
    that a sync does not run, or of an unknown type."""

    phases: tuple[SyncPhase, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class DesiredHook:
    """A hook in one phase, as rendered.

    Attributes:
        ref: with the name that it will have, or, where that is ``generated``, what it begins
            with.
        manifest: as it will be applied, but for the name and the mark of its run.
        ordinal: counts hooks that generate names alike in one phase.
    """

    ref: ObjectRef
    version: str
    manifest: Manifest
    namespaced: bool
    phase: SyncPhase
    wave: int = 0
    generated: bool = False
    ordinal: int = 0

    def named(self, run: str) -> ObjectRef:
        """What it is called in one run: the same whenever it is asked."""
        if not self.generated:
            return self.ref
        seed = f"{run}/{self.phase}/{self.ordinal}"
        hashed = hashlib.sha256(seed.encode()).hexdigest()[:_HASH_LENGTH]
        ref = self.ref
        return ObjectRef(ref.group, ref.kind, ref.namespace, ref.name[:_PREFIX_LENGTH] + hashed)

    def manifest_of(self, run: str, application: ApplicationId, *, held: bool) -> Manifest:
        """As it is sent: named and marked with its run.

        Args:
            held: it takes its time and could be gone before its end was seen: a finalizer
                keeps it until its result is recorded.
        """
        ref = self.named(run)
        metadata: dict[str, Any] = dict(metadata_of(self.manifest))
        metadata.pop("generateName", None)
        metadata["name"] = ref.name
        metadata["annotations"] = {
            **(metadata.get("annotations") or {}),
            TRACKING_ANNOTATION: str(Tracking(str(application), ref)),
            HOOK_RUN_ANNOTATION: run_mark(run, self.phase),
        }
        if held:
            finalizers = metadata.get("finalizers")
            kept = finalizers if isinstance(finalizers, list) else []
            metadata["finalizers"] = sorted({*map(str, kept), HOOK_FINALIZER})
        return {**self.manifest, "metadata": metadata}


def run_mark(run: str, phase: SyncPhase) -> str:
    """What a live hook says of the run that it was made for."""
    return f"{run}/{phase}"


def read_hook(manifest: Mapping[str, Any]) -> HookMarks | None:
    """What an object's annotations make of it; None: an object like any other."""
    annotations = annotations_of(manifest)
    own = _listed(annotations.get(HOOK_ANNOTATION, ""))
    helm = _listed(annotations.get(HELM_HOOK_ANNOTATION, ""))
    known = {str(phase): phase for phase in SyncPhase}
    types = [name for name in own if name in known or name == SKIP]
    warnings = [_unknown("hook type", name) for name in own if name not in {*known, SKIP}]
    if types:
        phases = {known[name] for name in types if name != SKIP}
    elif helm:
        if helm == [_CRD_INSTALL] and not own:
            return None
        phases = {phase for name in helm if (phase := _HELM_PHASES.get(name)) is not None}
        strange = set(helm) - {*_HELM_PHASES, _CRD_INSTALL}
        warnings += [_unknown("hook type", name) for name in sorted(strange)]
    elif own:
        phases = set()
    else:
        return None
    warnings += _policy_warnings(annotations)
    return HookMarks(tuple(phase for phase in SyncPhase if phase in phases), tuple(warnings))


def hook_policies(annotations: Mapping[str, str]) -> frozenset[HookPolicy]:
    """When the hook's object is deleted; the default where nothing that is known is said."""
    own = _listed(annotations.get(DELETE_POLICY_ANNOTATION, ""))
    helm = _listed(annotations.get(HELM_DELETE_POLICY_ANNOTATION, ""))
    found = {policy for policy in HookPolicy if policy in own}
    found |= {_HELM_POLICIES[name] for name in helm if name in _HELM_POLICIES}
    return frozenset(found or {HookPolicy.BEFORE_CREATION})


def is_deleted_before(kind: GroupKind, annotations: Mapping[str, str]) -> bool:
    """Whether what an earlier run left has to go before the hook is made.

    Where its policy does not say so an object is applied over; but what runs once would not
    run again.
    """
    return kind in _RUN_ONCE or HookPolicy.BEFORE_CREATION in hook_policies(annotations)


def is_deleted_after(annotations: Mapping[str, str], state: HookState) -> bool:
    """Whether a hook that is through is deleted, by its result."""
    wanted = HookPolicy.SUCCEEDED if state is HookState.SUCCEEDED else HookPolicy.FAILED
    return wanted in hook_policies(annotations)


def is_marked_as_hook(annotations: Mapping[str, str]) -> bool:
    """Whether a live object says of itself that it is a hook, whoever made it."""
    return HOOK_ANNOTATION in annotations or HELM_HOOK_ANNOTATION in annotations


def _policy_warnings(annotations: Mapping[str, str]) -> list[str]:
    own = _listed(annotations.get(DELETE_POLICY_ANNOTATION, ""))
    helm = _listed(annotations.get(HELM_DELETE_POLICY_ANNOTATION, ""))
    strange = {name for name in own if name not in set(HookPolicy)}
    strange |= {name for name in helm if name not in _HELM_POLICIES}
    return [_unknown("hook delete policy", name) for name in sorted(strange)]


def _unknown(what: str, name: str) -> str:
    shown = name if len(name) <= 32 else name[:32] + "…"
    return f"{shown!r} is no {what}; it is ignored"


def _listed(text: str) -> list[str]:
    return [part for entry in text.split(",") if (part := entry.strip())]
