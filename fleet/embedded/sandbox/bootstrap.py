"""What a cluster has before anybody applied anything.

The objects are made once a process, as templates; a cluster differs in UIDs and times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from fleet.embedded.sandbox import roles
from fleet.embedded.sandbox.authenticating import SERVICE_ACCOUNT
from fleet.embedded.sandbox.authorizing import CLUSTER_BINDING, CLUSTER_ROLE
from fleet.embedded.sandbox.cluster import Cluster
from fleet.embedded.sandbox.defaulting import set_defaults
from fleet.embedded.sandbox.kinds import Kind, builtin_kind
from fleet.embedded.sandbox.merging import track
from fleet.embedded.sandbox.objects import Object, name_of, namespace_of, new_uid, timestamp
from fleet.embedded.sandbox.store import Entry, Store, key_of, packed

NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
ROOT_CA = "kube-root-ca.crt"
_NAMESPACE = builtin_kind("v1", "Namespace")
_CONFIG_MAP = builtin_kind("v1", "ConfigMap")
_SERVICE = builtin_kind("v1", "Service")
_PRIORITY = builtin_kind("scheduling.k8s.io/v1", "PriorityClass")
_SERVER, _CONTROLLERS = "kube-apiserver", "kube-controller-manager"
_UID, _TIME, _VERSION = b"@uid@", b"@time@", b'"0"'
_ABOUT_CA = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal "
    "endpoints such as the internal service IP or kubernetes.default.svc. No other usage is "
    "guaranteed across distributions of Kubernetes clusters."
)


def furnish(cluster: Cluster, namespace: str) -> None:
    """Give a namespace what every namespace has, as far as it is missing."""
    for each in _of_namespace(cluster.ca_pem):
        if cluster.store.entry(each.kind, namespace, each.name) is None:
            obj = each.entry.object()
            obj["metadata"] |= {
                "namespace": namespace,
                "uid": new_uid(),
                "creationTimestamp": timestamp(cluster.now()),
            }
            for owner in obj["metadata"].get("managedFields") or ():
                owner["time"] = timestamp(cluster.now())
            cluster.store.put(each.kind, obj)


def begin(cluster: Cluster, *, furnished: bool) -> None:
    """Fill a new cluster; nobody is told, and its history begins afterwards.

    Args:
        furnished: with what controllers make in each namespace.
    """
    now = timestamp(cluster.now()).encode()
    for each in _of_cluster(cluster.port):
        load(cluster.store, each, now)
    for namespace in NAMESPACES if furnished else ():
        for each in _of_namespace(cluster.ca_pem):
            load(cluster.store, each, now, namespace)
    cluster.store.compact()


@dataclass(frozen=True, slots=True)
class Template:
    """An object that lacks what makes it one cluster's own."""

    kind: Kind
    namespace: str
    name: str
    entry: Entry


def load(store: Store, template: Template, now: bytes, namespace: str = "") -> None:
    """Put the object of a template into a store."""
    version = store.version + 1
    entry = template.entry
    meta = entry.meta.replace(_UID, new_uid().encode()).replace(_TIME, now)
    meta = meta.replace(_VERSION, b'"%d"' % version)
    if namespace:
        meta = b'{"namespace":"%b",%b' % (namespace.encode(), meta[1:])
    key = key_of(namespace or template.namespace, template.name)
    store.load(template.kind, key, Entry(version, entry.head, meta, entry.rest))


def template(kind: Kind, obj: Object, manager: str = _SERVER) -> Template:
    """A template of an object whose fields ``manager`` owns."""
    obj = {"apiVersion": kind.api_version, "kind": kind.kind, **obj}
    made = track(
        None, set_defaults(obj, kind), shape=kind.shape, manager=manager, now=_TIME.decode()
    )
    made["metadata"] |= {"uid": _UID.decode(), "creationTimestamp": _TIME.decode()}
    return Template(kind, namespace_of(made), name_of(made), packed(kind, made, 0))


@lru_cache(maxsize=4)
def _of_namespace(ca_pem: str) -> Sequence[Template]:
    bundle = {
        "metadata": {"name": ROOT_CA, "annotations": {"kubernetes.io/description": _ABOUT_CA}},
        "data": {"ca.crt": ca_pem},
    }
    return [
        template(SERVICE_ACCOUNT, {"metadata": {"name": "default"}}, _CONTROLLERS),
        template(_CONFIG_MAP, bundle, _CONTROLLERS),
    ]


@lru_cache(maxsize=4)
def _of_cluster(port: int) -> Sequence[Template]:
    rows: list[tuple[Kind, Callable[[], list[Object]]]] = [
        (_NAMESPACE, _namespaces),
        (_PRIORITY, _priorities),
        (CLUSTER_ROLE, roles.cluster_roles),
        (CLUSTER_BINDING, roles.cluster_role_bindings),
        (_SERVICE, lambda: [_service(port)]),
    ]
    return [template(kind, obj) for kind, make in rows for obj in make()]


def _namespaces() -> list[Object]:
    return [
        {
            "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
            "spec": {"finalizers": ["kubernetes"]},
            "status": {"phase": "Active"},
        }
        for name in NAMESPACES
    ]


def _priorities() -> list[Object]:
    rows = (
        (
            "system-cluster-critical",
            2000000000,
            (
                "Used for system critical pods that must run in the cluster, but can be moved to "
                "another node if necessary."
            ),
        ),
        (
            "system-node-critical",
            2000001000,
            "Used for system critical pods that must not be moved from their current node.",
        ),
    )
    return [
        {
            "metadata": {"name": name, "generation": 1},
            "value": value,
            "description": description,
            "preemptionPolicy": "PreemptLowerPriority",
        }
        for name, value, description in rows
    ]


def _service(port: int) -> Object:
    return {
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "clusterIP": "10.96.0.1",
            "clusterIPs": ["10.96.0.1"],
            "internalTrafficPolicy": "Cluster",
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": port}],
            "sessionAffinity": "None",
            "type": "ClusterIP",
        },
        "status": {"loadBalancer": {}},
    }
