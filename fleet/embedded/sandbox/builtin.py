"""The table of built-in kinds: what Kubernetes 1.37 serves, in the order it lists them.

A test compares it with the discovery document of a real API server.
"""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One kind. Words are separated by spaces; what is empty follows from the rest."""

    plural: str
    kind: str
    short: str = ""
    categories: str = ""
    subresources: str = ""
    namespaced: bool = True
    verbs: str = ""
    model: str = ""
    storage: tuple[str, str] | None = None


def _cluster(
    plural: str,
    kind: str,
    short: str = "",
    categories: str = "",
    subresources: str = "",
    verbs: str = "",
) -> Row:
    return Row(plural, kind, short, categories, subresources, namespaced=False, verbs=verbs)


_EXTENSIONS = "api-extensions"
_POD_SUBRESOURCES = (
    "attach binding ephemeralcontainers eviction exec log portforward proxy resize status"
)

CORE = (
    Row("bindings", "Binding", verbs="create"),
    _cluster("componentstatuses", "ComponentStatus", "cs", verbs="get list"),
    Row("configmaps", "ConfigMap", "cm"),
    Row("endpoints", "Endpoints", "ep"),
    Row("events", "Event", "ev", model="CoreV1Event"),
    Row("limitranges", "LimitRange", "limits"),
    _cluster(
        "namespaces",
        "Namespace",
        "ns",
        subresources="finalize status",
        verbs="create delete get list patch update watch",
    ),
    _cluster("nodes", "Node", "no", subresources="proxy status"),
    Row("persistentvolumeclaims", "PersistentVolumeClaim", "pvc", subresources="status"),
    _cluster("persistentvolumes", "PersistentVolume", "pv", subresources="status"),
    Row("pods", "Pod", "po", "all", _POD_SUBRESOURCES),
    Row("podtemplates", "PodTemplate"),
    Row("replicationcontrollers", "ReplicationController", "rc", "all", "scale status"),
    Row("resourcequotas", "ResourceQuota", "quota", subresources="status"),
    Row("secrets", "Secret"),
    Row("serviceaccounts", "ServiceAccount", "sa", subresources="token"),
    Row("services", "Service", "svc", "all", "proxy status"),
)

_AUTHORIZATION = (
    Row("localsubjectaccessreviews", "LocalSubjectAccessReview", verbs="create"),
    _cluster("selfsubjectaccessreviews", "SelfSubjectAccessReview", verbs="create"),
    _cluster("selfsubjectrulesreviews", "SelfSubjectRulesReview", verbs="create"),
    _cluster("subjectaccessreviews", "SubjectAccessReview", verbs="create"),
)

_HPA = Row("horizontalpodautoscalers", "HorizontalPodAutoscaler", "hpa", "all", "status")

_ADMISSION = (
    _cluster("mutatingadmissionpolicies", "MutatingAdmissionPolicy", "", _EXTENSIONS),
    _cluster("mutatingadmissionpolicybindings", "MutatingAdmissionPolicyBinding", "", _EXTENSIONS),
    _cluster("mutatingwebhookconfigurations", "MutatingWebhookConfiguration", "", _EXTENSIONS),
    _cluster("validatingadmissionpolicies", "ValidatingAdmissionPolicy", "", _EXTENSIONS, "status"),
    _cluster(
        "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding", "", _EXTENSIONS
    ),
    _cluster("validatingwebhookconfigurations", "ValidatingWebhookConfiguration", "", _EXTENSIONS),
)

GROUPS: tuple[tuple[str, tuple[Row, ...]], ...] = (
    ("v1", CORE),
    (
        "apiregistration.k8s.io/v1",
        (_cluster("apiservices", "APIService", "", _EXTENSIONS, "status"),),
    ),
    (
        "apps/v1",
        (
            Row("controllerrevisions", "ControllerRevision"),
            Row("daemonsets", "DaemonSet", "ds", "all", "status"),
            Row("deployments", "Deployment", "deploy", "all", "scale status"),
            Row("replicasets", "ReplicaSet", "rs", "all", "scale status"),
            Row("statefulsets", "StatefulSet", "sts", "all", "scale status"),
        ),
    ),
    (
        "events.k8s.io/v1",
        (Row("events", "Event", "ev", model="EventsV1Event", storage=("", "events")),),
    ),
    (
        "authentication.k8s.io/v1",
        (
            _cluster("selfsubjectreviews", "SelfSubjectReview", verbs="create"),
            _cluster("tokenreviews", "TokenReview", verbs="create"),
        ),
    ),
    ("authorization.k8s.io/v1", _AUTHORIZATION),
    ("autoscaling/v2", (_HPA._replace(model="V2HorizontalPodAutoscaler"),)),
    ("autoscaling/v1", (_HPA,)),
    (
        "batch/v1",
        (
            Row("cronjobs", "CronJob", "cj", "all", "status"),
            Row("jobs", "Job", "", "all", "status"),
        ),
    ),
    (
        "certificates.k8s.io/v1",
        (
            _cluster(
                "certificatesigningrequests",
                "CertificateSigningRequest",
                "csr",
                subresources="approval status",
            ),
            _cluster("clustertrustbundles", "ClusterTrustBundle"),
            Row("podcertificaterequests", "PodCertificateRequest", subresources="status"),
        ),
    ),
    (
        "networking.k8s.io/v1",
        (
            _cluster("ingressclasses", "IngressClass"),
            Row("ingresses", "Ingress", "ing", subresources="status"),
            _cluster("ipaddresses", "IPAddress", "ip"),
            Row("networkpolicies", "NetworkPolicy", "netpol"),
            _cluster("servicecidrs", "ServiceCIDR", subresources="status"),
        ),
    ),
    (
        "policy/v1",
        (Row("poddisruptionbudgets", "PodDisruptionBudget", "pdb", subresources="status"),),
    ),
    (
        "rbac.authorization.k8s.io/v1",
        (
            _cluster("clusterrolebindings", "ClusterRoleBinding"),
            _cluster("clusterroles", "ClusterRole"),
            Row("rolebindings", "RoleBinding"),
            Row("roles", "Role"),
        ),
    ),
    (
        "storage.k8s.io/v1",
        (
            _cluster("csidrivers", "CSIDriver"),
            _cluster("csinodes", "CSINode", subresources="status"),
            Row("csistoragecapacities", "CSIStorageCapacity"),
            _cluster("storageclasses", "StorageClass", "sc"),
            _cluster("volumeattachments", "VolumeAttachment", subresources="status"),
            _cluster("volumeattributesclasses", "VolumeAttributesClass", "vac"),
        ),
    ),
    ("admissionregistration.k8s.io/v1", _ADMISSION),
    (
        "apiextensions.k8s.io/v1",
        (
            _cluster(
                "customresourcedefinitions",
                "CustomResourceDefinition",
                "crd crds",
                _EXTENSIONS,
                "status",
            ),
        ),
    ),
    ("scheduling.k8s.io/v1", (_cluster("priorityclasses", "PriorityClass", "pc"),)),
    ("coordination.k8s.io/v1", (Row("leases", "Lease"),)),
    ("node.k8s.io/v1", (_cluster("runtimeclasses", "RuntimeClass"),)),
    ("discovery.k8s.io/v1", (Row("endpointslices", "EndpointSlice"),)),
    (
        "resource.k8s.io/v1",
        (
            _cluster("deviceclasses", "DeviceClass"),
            _cluster("devicetaintrules", "DeviceTaintRule", subresources="status"),
            Row(
                "resourceclaims",
                "ResourceClaim",
                subresources="status",
                model="ResourceV1ResourceClaim",
            ),
            Row("resourceclaimtemplates", "ResourceClaimTemplate"),
            _cluster("resourceslices", "ResourceSlice"),
        ),
    ),
    (
        "flowcontrol.apiserver.k8s.io/v1",
        (
            _cluster("flowschemas", "FlowSchema", subresources="status"),
            _cluster(
                "prioritylevelconfigurations",
                "PriorityLevelConfiguration",
                subresources="status",
            ),
        ),
    ),
    (
        "storagemigration.k8s.io/v1",
        (_cluster("storageversionmigrations", "StorageVersionMigration", subresources="status"),),
    ),
)


class Subresource(NamedTuple):
    """What a subresource is made of; an empty kind means the parent's."""

    group: str = ""
    version: str = ""
    kind: str = ""
    verbs: tuple[str, ...] = ("get", "patch", "update")


_CONNECT = ("create", "delete", "get", "patch", "update")

#: By the name of the parent where it matters, otherwise by the subresource alone.
SUBRESOURCES: dict[str, Subresource] = {
    "status": Subresource(),
    "scale": Subresource("autoscaling", "v1", "Scale"),
    "approval": Subresource(),
    "ephemeralcontainers": Subresource(),
    "resize": Subresource(),
    "finalize": Subresource(verbs=("update",)),
    "log": Subresource(verbs=("get",)),
    "binding": Subresource(kind="Binding", verbs=("create",)),
    "eviction": Subresource("policy", "v1", "Eviction", ("create",)),
    "token": Subresource("authentication.k8s.io", "v1", "TokenRequest", ("create",)),
    "attach": Subresource(kind="PodAttachOptions", verbs=("create", "get")),
    "exec": Subresource(kind="PodExecOptions", verbs=("create", "get")),
    "portforward": Subresource(kind="PodPortForwardOptions", verbs=("create", "get")),
    "pods/proxy": Subresource(kind="PodProxyOptions", verbs=_CONNECT),
    "nodes/proxy": Subresource(kind="NodeProxyOptions", verbs=_CONNECT),
    "services/proxy": Subresource(kind="ServiceProxyOptions", verbs=_CONNECT),
}


def subresource(plural: str, name: str) -> Subresource:
    """The facts of ``<plural>/<name>``.

    Raises:
        KeyError: nothing is called so.
    """
    return SUBRESOURCES.get(f"{plural}/{name}") or SUBRESOURCES[name]
