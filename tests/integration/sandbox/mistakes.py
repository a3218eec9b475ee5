"""Objects that an API server refuses."""

from __future__ import annotations

from typing import Any, Final

from .manifests import POD, SELECTOR, template

_APPS: Final = "apps/v1"
_RBAC: Final = "rbac.authorization.k8s.io/v1"
_NETWORKING: Final = "networking.k8s.io/v1"


def _pod(**container: Any) -> tuple[str, str, Any]:
    return "v1", "Pod", {"spec": {"containers": [{"name": "c", "image": "i", **container}]}}


def _deployment(spec: Any = POD, **more: Any) -> tuple[str, str, Any]:
    return _APPS, "Deployment", {"spec": {"selector": SELECTOR, "template": template(spec), **more}}


def _service(*ports: Any, **spec: Any) -> tuple[str, str, Any]:
    return "v1", "Service", {"spec": {"ports": list(ports), **spec}}


def _named(**metadata: Any) -> tuple[str, str, Any]:
    return "v1", "ConfigMap", {"metadata": metadata}


#: (apiVersion, kind, the rest).
MISTAKES: Final[tuple[tuple[str, str, Any], ...]] = (
    _deployment(replicas=-1),
    _deployment(strategy={"type": "X"}),
    _deployment(strategy={"type": "Recreate", "rollingUpdate": {}}),
    _deployment({**POD, "restartPolicy": "Never"}),
    _deployment(selector={"matchLabels": {"a": "c"}}),
    _deployment(selector={}),
    (_APPS, "Deployment", {}),
    _pod(ports=[{"containerPort": 0}]),
    _pod(ports=[{"containerPort": 99999, "protocol": "X"}]),
    _pod(ports=[{"containerPort": port, "hostPort": 5} for port in (1, 2)]),
    _pod(volumeMounts=[{"name": "v", "mountPath": ""}]),
    _pod(env=[{"name": ""}]),
    _pod(env=[{"name": "A", "valueFrom": {}}]),
    _pod(imagePullPolicy="X"),
    _pod(resources={"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}),
    _pod(livenessProbe={}),
    _pod(livenessProbe={"httpGet": {"port": 0}}),
    _pod(livenessProbe={"exec": {"command": ["a"]}, "tcpSocket": {"port": 1}}),
    _pod(name="C_", image=" "),
    ("v1", "Pod", {"spec": {"containers": [*POD["containers"], *POD["containers"]]}}),
    (
        "v1",
        "Pod",
        {
            "spec": {
                **POD,
                "volumes": [{"name": "v"}, {"name": "v"}, {"name": "w", "configMap": {}}],
            }
        },
    ),
    ("v1", "Pod", {"spec": {"restartPolicy": "Q"}}),
    ("v1", "Pod", {"spec": {**POD, "tolerations": [{"operator": "Equal"}]}}),
    _named(name="A_b"),
    _named(name=""),
    _named(name="a" * 254),
    _named(labels={"a/b/c": "x", "k": "v v"}),
    _named(annotations={"-x": "x"}),
    _named(ownerReferences=[{}]),
    _named(finalizers=["x"]),
    _service(),
    _service({"port": 0}),
    _service({"port": 1}, {"port": 2}),
    _service({"port": 1}, type="X"),
    _service({"port": 1, "protocol": "Q", "targetPort": 99999}),
    _service(type="ExternalName"),
    _service({"port": 1, "nodePort": 5}),
    _service({"port": 1}, clusterIP="x"),
    ("batch/v1", "Job", {"spec": {"template": {"spec": POD}}}),
    (
        "batch/v1",
        "CronJob",
        {"metadata": {"name": "a" * 60}, "spec": {"schedule": "", "jobTemplate": {}}},
    ),
    (
        "batch/v1",
        "CronJob",
        {"spec": {"schedule": "x", "jobTemplate": {"spec": {"template": {"spec": POD}}}}},
    ),
    ("v1", "ConfigMap", {"data": {"a b": "x"}}),
    ("v1", "ConfigMap", {"data": {"c": "x"}, "binaryData": {"c": "YQ=="}}),
    ("v1", "Secret", {"type": "kubernetes.io/tls"}),
    ("v1", "Secret", {"type": "kubernetes.io/dockerconfigjson"}),
    ("v1", "PersistentVolumeClaim", {}),
    (
        "v1",
        "PersistentVolumeClaim",
        {"spec": {"accessModes": ["X"], "resources": {"requests": {"storage": "-1"}}}},
    ),
    (_RBAC, "Role", {"rules": [{"verbs": []}]}),
    (
        _RBAC,
        "RoleBinding",
        {"roleRef": {"kind": "X", "name": ""}, "subjects": [{"kind": "Q", "name": ""}]},
    ),
    (_RBAC, "RoleBinding", {}),
    (_NETWORKING, "Ingress", {}),
    (
        _NETWORKING,
        "Ingress",
        {"spec": {"rules": [{"host": "A_", "http": {"paths": [{"path": "x", "backend": {}}]}}]}},
    ),
    (
        _NETWORKING,
        "NetworkPolicy",
        {
            "spec": {
                "podSelector": {"matchExpressions": [{"key": "a", "operator": "X"}]},
                "policyTypes": ["Q"],
            }
        },
    ),
    (
        _APPS,
        "StatefulSet",
        {
            "spec": {
                "selector": SELECTOR,
                "template": template(),
                "podManagementPolicy": "X",
                "updateStrategy": {"type": "Q"},
            }
        },
    ),
    (
        _APPS,
        "DaemonSet",
        {
            "spec": {
                "selector": SELECTOR,
                "template": template({**POD, "restartPolicy": "Never"}),
                "updateStrategy": {"type": "Q"},
            }
        },
    ),
    ("policy/v1", "PodDisruptionBudget", {"spec": {"minAvailable": 1, "maxUnavailable": 1}}),
    ("policy/v1", "PodDisruptionBudget", {"spec": {"minAvailable": "x%"}}),
    ("v1", "Namespace", {"metadata": {"name": "A.b"}}),
    ("v1", "Namespace", {"metadata": {"name": "a.b"}}),
    ("storage.k8s.io/v1", "StorageClass", {}),
    ("scheduling.k8s.io/v1", "PriorityClass", {"value": 2_000_000_000}),
    ("v1", "ResourceQuota", {"spec": {"hard": {"cpu": "-1"}}}),
    ("v1", "Endpoints", {"subsets": [{"addresses": [{"ip": "x"}]}]}),
)
