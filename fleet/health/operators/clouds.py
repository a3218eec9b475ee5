"""Crossplane, the clouds' own operators, Cluster API, Karpenter, Open Cluster Management."""

from __future__ import annotations

from collections.abc import Mapping

from fleet.health.rules import Judge, Rule, first_of, words
from fleet.model.health import HealthStatus

#: An object that carries configuration and no condition: it has no health.
_STATIC = Rule(absent=None)

#: ``Synced``: the last change reached the provider. ``Ready``: what it made is usable.
_MANAGED = Rule(
    wanted=("Synced", "Ready"),
    pending=frozenset({"Creating", "Deleting", "Waiting", "ReconcilePaused"}),
)
_PACKAGE = Rule(
    wanted=("Installed", "Healthy"),
    pending=frozenset({"UnpackingPackage", "InactivePackageRevision"}),
)
_REVISION = Rule(
    wanted=("Healthy",), pending=frozenset({"UnpackingPackage"}), absent=HealthStatus.HEALTHY
)
_CROSSPLANE: Mapping[str, Judge] = {
    "ClusterProviderConfig": _STATIC,
    "ClusterProviderConfigUsage": _STATIC,
    "Composition": _STATIC,
    "CompositionRevision": _STATIC,
    "ControllerConfig": _STATIC,
    "DeploymentRuntimeConfig": _STATIC,
    "EnvironmentConfig": _STATIC,
    "ImageConfig": _STATIC,
    "ProviderConfig": _STATIC,
    "ProviderConfigUsage": _STATIC,
    "StoreConfig": _STATIC,
    "*": _MANAGED,
}

_ANY = frozenset({"*"})
#: The newer API says Available of some kinds where the older said Ready; both have phases.
_CLUSTER_API = first_of(
    Rule(
        suspended=("spec.paused",),
        said=(words(degraded=("Failed",), message="status.failureMessage"),),
        otherwise=None,
        wanted=("Ready",),
        pending=_ANY,
        absent=None,
    ),
    Rule(wanted=("Available",), pending=_ANY, absent=None),
    Rule(said=(words(healthy=("Provisioned", "Running"), degraded=("Unknown",)),)),
)
_READY_IF_SAID = Rule(wanted=("Ready",), pending=_ANY, absent=None)

_CONFIG_CONNECTOR_PENDING = frozenset(
    {"Creating", "Updating", "Deleting", "DependencyNotReady", "DependencyNotFound"}
)
#: ``ACK.Recoverable`` is tried again by itself; ``ACK.Terminal`` needs another spec.
_ACK = Rule(
    failing=("ACK.Terminal",),
    wanted=("ACK.ResourceSynced",),
    pending=_ANY,
)
_AZURE = Rule(
    wanted=("Ready",),
    pending=frozenset(
        {"Reconciling", "Deleting", "AzureResourceNotFound", "ReferenceNotFound", "SecretNotFound"}
    ),
)

TABLE: Mapping[str, Mapping[str, Judge]] = {
    ".crossplane.io": _CROSSPLANE,
    ".upbound.io": _CROSSPLANE,
    "pkg.crossplane.io": {
        "Configuration": _PACKAGE,
        "Function": _PACKAGE,
        "Provider": _PACKAGE,
        "ConfigurationRevision": _REVISION,
        "FunctionRevision": _REVISION,
        "ProviderRevision": _REVISION,
        "*": _STATIC,
    },
    "apiextensions.crossplane.io": {
        **_CROSSPLANE,
        "CompositeResourceDefinition": Rule(wanted=("Established",), pending=_ANY),
        "ManagedResourceDefinition": Rule(wanted=("Established",), pending=_ANY),
        "Usage": Rule(wanted=("Ready",)),
    },
    ".services.k8s.aws": {"*": _ACK},
    "services.k8s.aws": {"AdoptedResource": Rule(wanted=("ACK.Adopted",), pending=_ANY)},
    ".cnrm.cloud.google.com": {
        "*": Rule(wanted=("Ready",), pending=_CONFIG_CONNECTOR_PENDING),
    },
    "core.cnrm.cloud.google.com": {
        "*": Rule(
            said=(words(path="status.healthy", healthy=("true",), progressing=("false",)),),
            absent=None,
        ),
    },
    ".azure.com": {"*": _AZURE},
    "cluster.x-k8s.io": {
        "ClusterClass": Rule(wanted=("RefVersionsUpToDate",), pending=_ANY, absent=None),
        "MachineHealthCheck": Rule(wanted=("RemediationAllowed",), absent=HealthStatus.HEALTHY),
        "*": _CLUSTER_API,
    },
    "controlplane.cluster.x-k8s.io": {
        "*": _READY_IF_SAID,
    },
    "bootstrap.cluster.x-k8s.io": {
        "*": _READY_IF_SAID,
    },
    "infrastructure.cluster.x-k8s.io": {
        "*": _READY_IF_SAID,
    },
    "operator.cluster.x-k8s.io": {"*": Rule(wanted=("Ready",), pending=_ANY)},
    "cluster.open-cluster-management.io": {
        "ManagedCluster": Rule(
            wanted=("HubAcceptedManagedCluster", "ManagedClusterConditionAvailable")
        ),
        "Placement": Rule(wanted=("PlacementSatisfied",)),
    },
    "addon.open-cluster-management.io": {
        "ManagedClusterAddOn": Rule(failing=("Degraded",), wanted=("Available",)),
    },
    "work.open-cluster-management.io": {"ManifestWork": Rule(wanted=("Applied", "Available"))},
    "policy.open-cluster-management.io": {
        "*": Rule(
            suspended=("spec.disabled",),
            said=(
                words(
                    path="status.compliant",
                    healthy=("Compliant",),
                    progressing=("Pending",),
                    degraded=("NonCompliant",),
                ),
            ),
        ),
    },
    "karpenter.sh": {
        "NodeClaim": Rule(wanted=("Launched", "Registered", "Initialized", "Ready"), pending=_ANY),
        "NodePool": Rule(wanted=("Ready",)),
    },
    "karpenter.k8s.aws": {"EC2NodeClass": Rule(wanted=("Ready",))},
    "karpenter.azure.com": {"AKSNodeClass": Rule(wanted=("Ready",))},
    "autoscaling.k8s.io": {
        "VerticalPodAutoscaler": Rule(
            failing=("ConfigUnsupported",),
            wanted=("RecommendationProvided",),
            pending=_ANY,
        ),
    },
    "capsule.clastix.io": {
        "Tenant": Rule(
            said=(words(path="status.state", healthy=("Active",), suspended=("Cordoned",)),),
            wanted=("Ready",),
        ),
    },
    "kamaji.clastix.io": {
        "TenantControlPlane": Rule(
            said=(
                words(
                    path="status.kubernetesResources.version.status",
                    healthy=("Ready",),
                    degraded=("NotReady",),
                ),
            ),
        ),
    },
}
