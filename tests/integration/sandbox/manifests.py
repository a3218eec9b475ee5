"""Objects of many kinds, as people write them: as little as possible, or as much."""

from __future__ import annotations

from typing import Any, Final

POD: Final[Any] = {"containers": [{"name": "c", "image": "nginx:1.25"}]}
FULL: Final[Any] = {
    "containers": [
        {
            "name": "c",
            "image": "reg:5000/x",
            "command": [],
            "args": ["a"],
            "env": [
                {"name": "A", "value": ""},
                {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                {"name": "R", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
            ],
            "envFrom": [{"configMapRef": {"name": "x"}}],
            "ports": [{"containerPort": 80}],
            "resources": {"limits": {"cpu": "1000m", "memory": "1024Mi"}},
            "livenessProbe": {"httpGet": {"port": 80}},
            "readinessProbe": {"exec": {"command": ["a"]}, "initialDelaySeconds": 0},
            "startupProbe": {"grpc": {"port": 5}},
            "lifecycle": {"preStop": {"httpGet": {"port": "x"}}},
            "securityContext": {"privileged": False, "readOnlyRootFilesystem": False},
            "volumeMounts": [{"name": "v", "mountPath": "/x", "readOnly": False}],
            "stdin": False,
            "tty": True,
        },
        {
            "name": "d",
            "image": "a@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        },
    ],
    "initContainers": [{"name": "i", "image": "busybox:latest"}],
    "volumes": [
        {"name": "v"},
        {"name": "c", "configMap": {"name": "x", "optional": False}},
        {"name": "s", "secret": {"secretName": "y"}},
        {"name": "h", "hostPath": {"path": "/"}},
        {
            "name": "d",
            "downwardAPI": {"items": [{"path": "x", "fieldRef": {"fieldPath": "metadata.name"}}]},
        },
        {
            "name": "p",
            "projected": {
                "sources": [{"serviceAccountToken": {"path": "t"}}, {"configMap": {"name": "q"}}]
            },
        },
        {"name": "n", "nfs": {"server": "s", "path": "/", "readOnly": False}},
        {"name": "pc", "persistentVolumeClaim": {"claimName": "x"}},
        {"name": "e", "emptyDir": {"sizeLimit": "0.5Gi"}},
    ],
    "serviceAccountName": "sa",
    "nodeSelector": {},
    "hostNetwork": False,
    "imagePullSecrets": [{"name": "p"}],
    "affinity": {
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 1, "podAffinityTerm": {"topologyKey": "x"}}
            ]
        }
    },
    "tolerations": [{"operator": "Exists"}],
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "x", "whenUnsatisfiable": "DoNotSchedule"}
    ],
}
SELECTOR: Final[Any] = {"matchLabels": {"a": "b"}}
RESOURCE_RULE: Final[Any] = {
    "apiGroups": ["zz"],
    "apiVersions": ["v1"],
    "operations": ["CREATE"],
    "resources": ["x"],
}
WEBHOOK: Final[Any] = {
    "name": "a.b.c",
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
    "clientConfig": {"service": {"name": "x", "namespace": "y"}},
    "rules": [RESOURCE_RULE],
}


def template(pod: Any = POD) -> Any:
    """A pod template that the selector matches."""
    return {"metadata": {"labels": {"a": "b"}}, "spec": pod}


#: (apiVersion, kind, name where it matters, the rest).
MANIFESTS: Final[tuple[tuple[str, str, str, Any], ...]] = (
    ("apps/v1", "Deployment", "x", {"spec": {"selector": SELECTOR, "template": template()}}),
    (
        "apps/v1",
        "Deployment",
        "x",
        {
            "spec": {
                "replicas": 0,
                "minReadySeconds": 0,
                "paused": False,
                "strategy": {"type": "Recreate"},
                "selector": SELECTOR,
                "template": template(FULL),
            }
        },
    ),
    (
        "apps/v1",
        "Deployment",
        "x",
        {
            "spec": {
                "strategy": {"rollingUpdate": {"maxSurge": 1}},
                "selector": SELECTOR,
                "template": template(),
            }
        },
    ),
    (
        "apps/v1",
        "StatefulSet",
        "x",
        {
            "spec": {
                "selector": SELECTOR,
                "serviceName": "x",
                "template": template(),
                "volumeClaimTemplates": [
                    {
                        "metadata": {"name": "d"},
                        "spec": {
                            "accessModes": ["ReadWriteOnce"],
                            "resources": {"requests": {"storage": "1Gi"}},
                        },
                    }
                ],
            }
        },
    ),
    ("apps/v1", "DaemonSet", "x", {"spec": {"selector": SELECTOR, "template": template()}}),
    ("apps/v1", "ReplicaSet", "x", {"spec": {"selector": SELECTOR, "template": template()}}),
    ("v1", "ReplicationController", "x", {"spec": {"template": template()}}),
    ("v1", "Pod", "x", {"spec": POD}),
    ("v1", "Pod", "x", {"spec": {**FULL, "hostNetwork": True}}),
    ("v1", "PodTemplate", "x", {"template": template()}),
    ("batch/v1", "Job", "x", {"spec": {"template": {"spec": {**POD, "restartPolicy": "Never"}}}}),
    (
        "batch/v1",
        "CronJob",
        "x",
        {
            "spec": {
                "schedule": "* * * * *",
                "jobTemplate": {"spec": {"template": {"spec": {**POD, "restartPolicy": "Never"}}}},
            }
        },
    ),
    ("v1", "Service", "x", {"spec": {"ports": [{"port": 80}], "selector": {"a": "b"}}}),
    (
        "v1",
        "Service",
        "x",
        {
            "spec": {
                "type": "NodePort",
                "ports": [{"port": 80, "name": "a"}, {"port": 81, "targetPort": "x", "name": "b"}],
                "sessionAffinity": "ClientIP",
            }
        },
    ),
    ("v1", "Service", "x", {"spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}}),
    (
        "v1",
        "Service",
        "x",
        {"spec": {"clusterIP": "None", "ports": [{"port": 80}], "selector": {"a": "b"}}},
    ),
    ("v1", "Service", "x", {"spec": {"type": "ExternalName", "externalName": "x.y"}}),
    ("v1", "ConfigMap", "x", {"data": {}}),
    ("v1", "Secret", "x", {"stringData": {"a": "b"}, "data": {"c": "ZA=="}}),
    ("v1", "ServiceAccount", "x", {}),
    (
        "v1",
        "PersistentVolumeClaim",
        "x",
        {
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1024Mi"}},
            }
        },
    ),
    (
        "v1",
        "PersistentVolume",
        "x",
        {
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "capacity": {"storage": "1Gi"},
                "hostPath": {"path": "/x"},
            }
        },
    ),
    (
        "v1",
        "LimitRange",
        "x",
        {"spec": {"limits": [{"type": "Container", "max": {"cpu": "2"}, "min": {"cpu": "0.1"}}]}},
    ),
    ("v1", "ResourceQuota", "x", {"spec": {"hard": {"cpu": "1000m"}}}),
    (
        "v1",
        "Endpoints",
        "x",
        {"subsets": [{"addresses": [{"ip": "1.2.3.4"}], "ports": [{"port": 80}]}]},
    ),
    ("v1", "Event", "x", {"involvedObject": {"kind": "Pod", "namespace": "default", "name": "x"}}),
    (
        "discovery.k8s.io/v1",
        "EndpointSlice",
        "x",
        {"addressType": "IPv4", "endpoints": [{"addresses": ["1.2.3.4"]}], "ports": [{"port": 80}]},
    ),
    (
        "networking.k8s.io/v1",
        "Ingress",
        "x",
        {
            "spec": {
                "rules": [
                    {
                        "host": "a.b",
                        "http": {
                            "paths": [
                                {
                                    "path": "/",
                                    "pathType": "Prefix",
                                    "backend": {"service": {"name": "x", "port": {"number": 80}}},
                                }
                            ]
                        },
                    }
                ]
            }
        },
    ),
    (
        "networking.k8s.io/v1",
        "IngressClass",
        "x",
        {"spec": {"controller": "a.b/c", "parameters": {"kind": "X", "name": "y"}}},
    ),
    (
        "networking.k8s.io/v1",
        "NetworkPolicy",
        "x",
        {"spec": {"podSelector": {}, "ingress": [{}], "egress": [{"ports": [{"port": 53}]}]}},
    ),
    ("policy/v1", "PodDisruptionBudget", "x", {"spec": {"minAvailable": 1, "selector": SELECTOR}}),
    (
        "rbac.authorization.k8s.io/v1",
        "Role",
        "x",
        {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
    ),
    ("rbac.authorization.k8s.io/v1", "Role", "x", {}),
    (
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        "x",
        {
            "roleRef": {"kind": "Role", "name": "x"},
            "subjects": [
                {"kind": "User", "name": "u"},
                {"kind": "ServiceAccount", "name": "u", "namespace": "x"},
            ],
        },
    ),
    (
        "rbac.authorization.k8s.io/v1",
        "ClusterRole",
        "x",
        {"aggregationRule": {"clusterRoleSelectors": [SELECTOR]}},
    ),
    (
        "rbac.authorization.k8s.io/v1",
        "ClusterRoleBinding",
        "x",
        {"roleRef": {"kind": "ClusterRole", "name": "x"}},
    ),
    ("storage.k8s.io/v1", "StorageClass", "x", {"provisioner": "x"}),
    ("storage.k8s.io/v1", "CSIDriver", "x", {"spec": {}}),
    ("scheduling.k8s.io/v1", "PriorityClass", "x", {"value": 0}),
    (
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        "x",
        {
            "spec": {
                "maxReplicas": 3,
                "scaleTargetRef": {"kind": "Deployment", "name": "x", "apiVersion": "apps/v1"},
            }
        },
    ),
    (
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        "x",
        {
            "spec": {
                "maxReplicas": 3,
                "behavior": {"scaleDown": {"stabilizationWindowSeconds": 5}},
                "scaleTargetRef": {"kind": "Deployment", "name": "x", "apiVersion": "apps/v1"},
            }
        },
    ),
    (
        "autoscaling/v1",
        "HorizontalPodAutoscaler",
        "x",
        {
            "spec": {
                "maxReplicas": 3,
                "scaleTargetRef": {"kind": "Deployment", "name": "x", "apiVersion": "apps/v1"},
            }
        },
    ),
    (
        "coordination.k8s.io/v1",
        "Lease",
        "x",
        {"spec": {"renewTime": "2026-01-01T00:00:00.500000Z"}},
    ),
    (
        "admissionregistration.k8s.io/v1",
        "ValidatingWebhookConfiguration",
        "x",
        {"webhooks": [WEBHOOK]},
    ),
    (
        "admissionregistration.k8s.io/v1",
        "MutatingWebhookConfiguration",
        "x",
        {"webhooks": [WEBHOOK]},
    ),
    ("v1", "Namespace", "x", {}),
    ("v1", "Node", "x", {}),
    ("apps/v1", "ControllerRevision", "x", {"revision": 1, "data": {"a": {"b": 1}}}),
    ("node.k8s.io/v1", "RuntimeClass", "x", {"handler": "x"}),
    (
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "foos.x.dev",
        {
            "spec": {
                "group": "x.dev",
                "scope": "Namespaced",
                "names": {"plural": "foos", "kind": "Foo"},
                "versions": [
                    {
                        "name": "v1",
                        "served": True,
                        "storage": True,
                        "schema": {
                            "openAPIV3Schema": {
                                "type": "object",
                                "properties": {
                                    "spec": {
                                        "type": "object",
                                        "x-kubernetes-preserve-unknown-fields": True,
                                        "properties": {
                                            "a": {
                                                "type": "string",
                                                "default": "x",
                                                "nullable": False,
                                            }
                                        },
                                    }
                                },
                            }
                        },
                    }
                ],
            }
        },
    ),
    (
        "apiregistration.k8s.io/v1",
        "APIService",
        "v1.zz.dev",
        {
            "spec": {
                "group": "zz.dev",
                "version": "v1",
                "groupPriorityMinimum": 1,
                "versionPriority": 1,
                "insecureSkipTLSVerify": True,
                "service": {"name": "x", "namespace": "y"},
            }
        },
    ),
    (
        "admissionregistration.k8s.io/v1",
        "ValidatingAdmissionPolicy",
        "x",
        {
            "spec": {
                "matchConstraints": {"resourceRules": [RESOURCE_RULE]},
                "validations": [{"expression": "true"}],
            }
        },
    ),
)
