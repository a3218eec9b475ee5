"""Kinds that Fleet does not manage: written by controllers all the time, questions to the API
server rather than objects, or left out by the settings."""

from __future__ import annotations

from dataclasses import dataclass

from fleet.model.objects import GroupKind
from fleet.model.resource_settings import ResourceSettings, StatusField

_CRD = GroupKind("apiextensions.k8s.io", "CustomResourceDefinition")

#: Whatever the settings say. Source: ``features.md`` §1.3.
_NEVER = {
    "": {"Event"},
    "coordination.k8s.io": {"Lease"},
}
_NEVER_GROUPS = frozenset({"events.k8s.io", "metrics.k8s.io"})

#: What Argo CD's shipped settings exclude; settings of one's own take their place.
_SHIPPED_GROUPS = frozenset({"wgpolicyk8s.io", "reports.kyverno.io"})
_SHIPPED = {
    "": {"Endpoints"},
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
    "discovery.k8s.io": {"EndpointSlice"},
    "kyverno.io": {
        "AdmissionReport",
        "BackgroundScanReport",
        "ClusterAdmissionReport",
        "ClusterBackgroundScanReport",
        "UpdateRequest",
    },
}


@dataclass(frozen=True, slots=True)
class KindPolicy:
    """What the settings say about kinds on one cluster.

    Attributes:
        cluster: what it is called: its server and its name.
    """

    settings: ResourceSettings = ResourceSettings()
    cluster: tuple[str, ...] = ()

    def excludes(self, kind: GroupKind) -> bool:
        """Whether objects of the kind are neither applied, compared, pruned, listed nor
        watched."""
        if kind.group in _NEVER_GROUPS or kind.kind in _NEVER.get(kind.group, ()):
            return True
        exclusions, inclusions = self.settings.exclusions, self.settings.inclusions
        if exclusions is None:
            excluded = kind.group in _SHIPPED_GROUPS or kind.kind in _SHIPPED.get(kind.group, ())
        else:
            excluded = any(found.matches(kind, self.cluster) for found in exclusions)
        included = not inclusions or any(found.matches(kind, self.cluster) for found in inclusions)
        return excluded or not included

    def keeps_status(self, kind: GroupKind) -> bool:
        """Whether the ``status`` that Git holds is applied like any other field."""
        wanted = self.settings.status_field
        return wanted is StatusField.NONE or (wanted is StatusField.CRD and kind != _CRD)
