"""What a server fills in, kind by kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.contract.case import case, tabled
from tests.contract.cases.creating import deployment, pod
from tests.contract.cases.updating import binding, claim, stateful_set
from tests.contract.cases.validation import ingress, job, service, with_container, with_pod
from tests.contract.recording import Object, Recorder

PROBE = {"httpGet": {"port": 80}}
SECRET_VOLUME = {"name": "v", "secret": {"secretName": "s"}}


def cron_job(**spec: Any) -> Object:
    """A CronJob."""
    template = {"spec": job()["spec"]}
    return {
        "metadata": {"name": "one"},
        "spec": {"schedule": "0 1 * * *", "jobTemplate": template, **spec},
    }


def autoscaler(**spec: Any) -> Object:
    """An autoscaler of a Deployment."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "one"}
    return {
        "metadata": {"name": "one"},
        "spec": {"scaleTargetRef": target, "maxReplicas": 3, **spec},
    }


#: Name of the case: resource and body; the whole answer is compared.
BODIES: dict[str, tuple[str, Object]] = {
    "deployment": ("deployments", deployment()),
    "deployment_that_recreates": ("deployments", deployment(strategy={"type": "Recreate"})),
    "deployment_with_half_a_strategy": (
        "deployments",
        deployment(strategy={"rollingUpdate": {"maxSurge": 2}}),
    ),
    "container_with_a_tag": ("deployments", with_container(image="nginx:1.2")),
    "container_without_tag": ("deployments", with_container(image="nginx")),
    "container_of_the_latest": ("deployments", with_container(image="host:5000/nginx:latest")),
    "container_by_digest": ("deployments", with_container(image="nginx@sha256:" + "a" * 64)),
    "container_with_probes": (
        "deployments",
        with_container(
            livenessProbe=PROBE,
            readinessProbe={"tcpSocket": {"port": "http"}},
            startupProbe={"exec": {"command": ["x"]}, "periodSeconds": 3},
        ),
    ),
    "container_with_ports": (
        "deployments",
        with_container(ports=[{"containerPort": 80}, {"containerPort": 53, "protocol": "UDP"}]),
    ),
    "container_with_environment": (
        "deployments",
        with_container(
            env=[
                {"name": "A", "value": "1"},
                {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                {"name": "C", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            ]
        ),
    ),
    "limits_become_requests": (
        "deployments",
        with_container(resources={"limits": {"cpu": "500m", "memory": "1Gi"}}),
    ),
    "quantities_in_other_words": (
        "deployments",
        with_container(
            resources={"limits": {"cpu": "0.5", "memory": "1024Mi"}, "requests": {"cpu": 0.25}}
        ),
    ),
    "pod_with_volumes": (
        "deployments",
        with_pod(
            volumes=[
                SECRET_VOLUME,
                {"name": "c", "configMap": {"name": "c"}},
                {"name": "e", "emptyDir": {}},
                {"name": "h", "hostPath": {"path": "/tmp"}},
            ]
        ),
    ),
    "pod_with_an_account": ("deployments", with_pod(serviceAccountName="robot")),
    "pod_with_projected_volume": (
        "deployments",
        with_pod(
            volumes=[
                {"name": "p", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}
            ]
        ),
    ),
    "pod_with_host_network": (
        "deployments",
        with_pod(hostNetwork=True),
    ),
    "stateful_set": ("statefulsets", stateful_set()),
    "daemon_set": ("daemonsets", deployment()),
    "replica_set": ("replicasets", deployment()),
    "job": ("jobs", job()),
    "job_with_numbers": ("jobs", job(completions=3, parallelism=2, backoffLimit=1)),
    "cron_job": ("cronjobs", cron_job()),
    "service": ("services", service()),
    "service_without_address": ("services", service(clusterIP="None")),
    "service_on_nodes": ("services", service(type="NodePort")),
    "service_with_a_balancer": ("services", service(type="LoadBalancer")),
    "service_of_a_name": (
        "services",
        {
            "metadata": {"name": "one"},
            "spec": {"type": "ExternalName", "externalName": "a.example.com"},
        },
    ),
    "service_with_target_port": (
        "services",
        service({"port": 80, "targetPort": "http", "name": "a"}, {"port": 81, "name": "b"}),
    ),
    "ingress": (
        "ingresses",
        ingress(
            host="a.example.com",
            http={
                "paths": [
                    {
                        "path": "/",
                        "pathType": "Prefix",
                        "backend": {"service": {"name": "a", "port": {"number": 80}}},
                    }
                ]
            },
        ),
    ),
    "network_policy": (
        "networkpolicies",
        {"metadata": {"name": "one"}, "spec": {"podSelector": {}}},
    ),
    "network_policy_with_ports": (
        "networkpolicies",
        {
            "metadata": {"name": "one"},
            "spec": {
                "podSelector": {},
                "ingress": [{"ports": [{"port": 80}]}],
                "egress": [{"to": [{"podSelector": {}}]}],
            },
        },
    ),
    "role": (
        "roles",
        {
            "metadata": {"name": "one"},
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
        },
    ),
    "role_binding": ("rolebindings", binding()),
    "role_binding_of_a_user": (
        "rolebindings",
        {**binding(), "subjects": [{"kind": "User", "name": "me"}]},
    ),
    "service_account": ("serviceaccounts", {"metadata": {"name": "one"}}),
    "secret": ("secrets", {"metadata": {"name": "one"}, "data": {"a": "Yg=="}}),
    "claim": ("persistentvolumeclaims", claim()),
    "autoscaler": ("horizontalpodautoscalers", autoscaler()),
    "autoscaler_with_a_metric": (
        "horizontalpodautoscalers",
        autoscaler(
            minReplicas=2,
            metrics=[
                {
                    "type": "Resource",
                    "resource": {
                        "name": "cpu",
                        "target": {"type": "Utilization", "averageUtilization": 50},
                    },
                }
            ],
        ),
    ),
    "disruption_budget": (
        "poddisruptionbudgets",
        {
            "metadata": {"name": "one"},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}},
        },
    ),
    "lease": ("leases", {"metadata": {"name": "one"}, "spec": {"holderIdentity": "me"}}),
    "endpoint_slice": (
        "endpointslices",
        {
            "metadata": {"name": "one", "labels": {"kubernetes.io/service-name": "a"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["10.1.1.1"]}],
            "ports": [{"port": 80}],
        },
    ),
    "limit_range": (
        "limitranges",
        {
            "metadata": {"name": "one"},
            "spec": {"limits": [{"type": "Container", "default": {"cpu": "1"}}]},
        },
    ),
    "resource_quota": (
        "resourcequotas",
        {"metadata": {"name": "one"}, "spec": {"hard": {"pods": "3"}}},
    ),
    "pod": ("pods", pod()),
}


def creating(resource: str, body: Object) -> Callable[[Recorder], None]:
    """A script that creates an object and applies the same again."""

    def script(it: Recorder) -> None:
        made = it.post(it.at(resource), body)
        assert it.get(it.at(resource, "one")).body == made.body

    return script


for _name, (_resource, _body) in BODIES.items():
    tabled(__name__, _name, creating(_resource, _body))


@case
def storage_class(it: Recorder) -> None:
    body = {"metadata": {"name": it.tag}, "provisioner": "example.com/x"}
    answer = it.post("/apis/storage.k8s.io/v1/storageclasses", body)
    assert answer.body["reclaimPolicy"] == "Delete"


@case
def cluster_role(it: Recorder) -> None:
    rule = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    body = {"metadata": {"name": it.tag}, "rules": [rule]}
    answer = it.post("/apis/rbac.authorization.k8s.io/v1/clusterroles", body)
    assert answer.body["rules"] == [rule]


@case
def persistent_volume(it: Recorder) -> None:
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": "/tmp/x"},
    }
    body = {"metadata": {"name": it.tag}, "spec": spec}
    answer = it.post("/api/v1/persistentvolumes", body)
    assert answer.body["spec"]["persistentVolumeReclaimPolicy"] == "Retain"


@case
def priority_class(it: Recorder) -> None:
    body = {"metadata": {"name": it.tag}, "value": 1000}
    answer = it.post("/apis/scheduling.k8s.io/v1/priorityclasses", body)
    assert answer.body["preemptionPolicy"] == "PreemptLowerPriority"


@case
def ingress_class(it: Recorder) -> None:
    body = {"metadata": {"name": it.tag}, "spec": {"controller": "example.com/x"}}
    answer = it.post("/apis/networking.k8s.io/v1/ingressclasses", body)
    assert answer.body["metadata"]["generation"] == 1
