"""An object of every kind that the roles in config/kubernetes name, as small as they get."""

from __future__ import annotations

from tests.cluster.kube import Object

NAME = "every"
POD = {"containers": [{"name": "c", "image": "image"}]}
LABELS = {"app": NAME}
SELECTED = {
    "selector": {"matchLabels": LABELS},
    "template": {"metadata": {"labels": LABELS}, "spec": POD},
}
RUN = {"template": {"spec": {**POD, "restartPolicy": "Never"}}}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME}
BACKEND = {"service": {"name": NAME, "port": {"number": 80}}}


def in_the_namespace(mark: str) -> list[Object]:
    """Namespaced ones; names are the same in every namespace."""
    claim = {**CLAIM, "storageClassName": f"none-{mark}"}
    specs: list[tuple[str, str, Object]] = [
        ("v1", "ConfigMap", {"data": {"a": "b"}}),
        ("v1", "PersistentVolumeClaim", {"spec": claim}),
        ("v1", "Secret", {"stringData": {"a": "b"}}),
        ("v1", "ServiceAccount", {}),
        ("v1", "Service", {"spec": {"selector": LABELS, "ports": [{"port": 80}]}}),
        ("apps/v1", "DaemonSet", {"spec": SELECTED}),
        ("apps/v1", "Deployment", {"spec": SELECTED}),
        ("apps/v1", "StatefulSet", {"spec": {"serviceName": NAME, **SELECTED}}),
        (
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            {"spec": {"scaleTargetRef": TARGET, "maxReplicas": 2}},
        ),
        ("batch/v1", "CronJob", {"spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": RUN}}}),
        ("batch/v1", "Job", {"spec": RUN}),
        ("networking.k8s.io/v1", "Ingress", {"spec": {"defaultBackend": BACKEND}}),
        ("networking.k8s.io/v1", "NetworkPolicy", {"spec": {"podSelector": {}}}),
        (
            "policy/v1",
            "PodDisruptionBudget",
            {"spec": {"maxUnavailable": 1, "selector": {"matchLabels": LABELS}}},
        ),
    ]
    return [_object(version, kind, NAME, rest) for version, kind, rest in specs]


def in_the_cluster(mark: str) -> list[Object]:
    """Cluster-scoped ones, which no other installation has under these names."""
    name, group = f"every-{mark}", f"every-{mark}.example.test"
    volume = {
        "capacity": {"storage": "1Mi"},
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": f"other-{mark}",
        "hostPath": {"path": "/volumes/every"},
    }
    schema = {"openAPIV3Schema": {"type": "object"}}
    definition = {
        "group": group,
        "scope": "Namespaced",
        "names": {"plural": "things", "singular": "thing", "kind": "Thing"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
    }
    return [
        _object("v1", "Namespace", name, {}),
        _object("v1", "PersistentVolume", name, {"spec": volume}),
        _object(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            f"things.{group}",
            {"spec": definition},
        ),
        _object("networking.k8s.io/v1", "IngressClass", name, {"spec": {"controller": "a.b/c"}}),
        _object("scheduling.k8s.io/v1", "PriorityClass", name, {"value": 7}),
        _object("storage.k8s.io/v1", "StorageClass", name, {"provisioner": "a.b/c"}),
    ]


def _object(version: str, kind: str, name: str, rest: Object) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **rest}
