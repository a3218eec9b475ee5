"""Kinds that Fleet never manages: written by controllers all the time, or questions to the
API server rather than objects. Source: Argo CD's shipped exclusions (``features.md`` §1.3)."""

from __future__ import annotations

from fleet.model.objects import GroupKind

_GROUPS = frozenset({"events.k8s.io", "metrics.k8s.io", "wgpolicyk8s.io", "reports.kyverno.io"})

_KINDS = {
    "": {"Endpoints", "Event"},
    "authentication.k8s.io": {"SelfSubjectReview", "TokenReview"},
    "authorization.k8s.io": {
        "LocalSubjectAccessReview",
        "SelfSubjectAccessReview",
        "SelfSubjectRulesReview",
        "SubjectAccessReview",
    },
    "cert-manager.io": {"CertificateRequest"},
    "certificates.k8s.io": {"CertificateSigningRequest"},
    "cilium.io": {"CiliumEndpoint", "CiliumEndpointSlice", "CiliumIdentity"},
    "coordination.k8s.io": {"Lease"},
    "discovery.k8s.io": {"EndpointSlice"},
    "kyverno.io": {
        "AdmissionReport",
        "BackgroundScanReport",
        "ClusterAdmissionReport",
        "ClusterBackgroundScanReport",
        "UpdateRequest",
    },
}


def is_excluded(kind: GroupKind) -> bool:
    return kind.group in _GROUPS or kind.kind in _KINDS.get(kind.group, ())
