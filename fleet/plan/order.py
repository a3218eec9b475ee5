"""The order in which objects are applied: wave, then kind, then name; prunes in reverse.

Source of the kind order: gitops-engine (``features.md`` §1.5). Kinds that are not in the
table come last: custom resources and whatever else needs the rest to be there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleet.model.objects import ObjectRef, annotations_of

WAVE_ANNOTATION = "argocd.argoproj.io/sync-wave"
HELM_WEIGHT_ANNOTATION = "helm.sh/hook-weight"

KIND_ORDER = (
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    # what applications that come from the same Git are in; of Argo CD alone
    "AppProject",
)
_RANKS = {kind: rank for rank, kind in enumerate(KIND_ORDER)}

_WAVE = re.compile(r"[+-]?[0-9]{1,10}")
_LARGEST_WAVE = 2**31 - 1  # it is kept in a PostgreSQL integer


@dataclass(frozen=True, slots=True)
class Wave:
    """``warning`` does not name the object: only who places it knows its namespace."""

    number: int
    warning: str = ""


def kind_rank(kind: str) -> int:
    """0 goes first; all kinds outside the table share the last rank."""
    return _RANKS.get(kind, len(KIND_ORDER))


def wave_of(manifest: Mapping[str, Any]) -> Wave:
    """The object's wave, which is Helm's weight of a hook where it has no other; 0 and a
    warning when the annotation is no whole number."""
    annotations = annotations_of(manifest)
    name = WAVE_ANNOTATION if annotations.get(WAVE_ANNOTATION) else HELM_WEIGHT_ANNOTATION
    text = annotations.get(name, "")
    if not text:
        return Wave(0)
    if _WAVE.fullmatch(text) and abs(int(text)) <= _LARGEST_WAVE:
        return Wave(int(text))
    shown = text if len(text) <= 32 else text[:32] + "…"
    return Wave(0, f"{name} {shown!r} is no wave; 0 is used")


def apply_key(wave: int, ref: ObjectRef) -> tuple[int, int, str, str, str, str]:
    """Sorts objects into the order in which they are applied. Prunes go by its reverse."""
    return (wave, kind_rank(ref.kind), ref.group, ref.kind, ref.namespace, ref.name)
