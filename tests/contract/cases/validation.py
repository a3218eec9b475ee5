"""Objects of built-in kinds that are not valid: one thing wrong with each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.contract.case import tabled
from tests.contract.cases.creating import configmap, deployment
from tests.contract.recording import Expected, Object, Recorder


def with_pod(**pod: Any) -> Object:
    """A Deployment whose pod spec has these fields."""
    made = deployment()
    made["spec"]["template"]["spec"] |= pod
    return made


def with_container(**container: Any) -> Object:
    """A Deployment whose container has these fields."""
    made = deployment()
    made["spec"]["template"]["spec"]["containers"][0] |= container
    return made


def without(body: Object, *path: str | int) -> Object:
    """``body`` without the field at ``path``."""
    inner: Any = body
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return body


def service(*ports: Object, **spec: Any) -> Object:
    """A Service."""
    return {"metadata": {"name": "one"}, "spec": {"ports": list(ports) or [{"port": 80}], **spec}}


def labelled(**labels: str) -> Object:
    """A ConfigMap with labels."""
    return {"metadata": {"name": "one", "labels": labels}}


def job(**spec: Any) -> Object:
    """A Job of one container."""
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]}
    return {"metadata": {"name": "one"}, "spec": {"template": {"spec": pod}, **spec}}


def ingress(**rule: Any) -> Object:
    """An Ingress of one rule."""
    return {"metadata": {"name": "one"}, "spec": {"rules": [rule]}}


def invalid(message: str) -> Expected:
    """422 with this in the message."""
    return (422, "Invalid", message)


#: Name of the case: resource, body, what the answer must be.
BODIES: dict[str, tuple[str, Any, Expected]] = {
    "name_with_capitals": ("configmaps", configmap("One"), invalid("RFC 1123 subdomain")),
    "name_with_a_slash": ("configmaps", configmap("a/b"), invalid("metadata.name")),
    "name_too_long": ("configmaps", configmap("a" * 254), invalid("no more than 253")),
    "name_is_missing": ("configmaps", {"metadata": {}}, invalid("name or generateName is")),
    "name_of_a_service": (
        "services",
        {**service(), "metadata": {"name": "a.b"}},
        invalid("metadata.name"),
    ),
    "label_value": ("configmaps", labelled(a="not valid!"), invalid("metadata.labels")),
    "label_key": ("configmaps", labelled(**{"a b": "c"}), invalid("metadata.labels")),
    "annotation_key": (
        "configmaps",
        {"metadata": {"name": "one", "annotations": {"a b": "c"}}},
        invalid("metadata.annotations"),
    ),
    "key_of_a_configmap": (
        "configmaps",
        {"metadata": {"name": "one"}, "data": {"a b": "c"}},
        invalid("data[a b]"),
    ),
    "value_is_a_number": (
        "configmaps",
        {"metadata": {"name": "one"}, "data": {"a": 1}},
        (400, "BadRequest", "cannot unmarshal number"),
    ),
    "secret_is_not_base64": (
        "secrets",
        {"metadata": {"name": "one"}, "data": {"a": "!"}},
        (400, "BadRequest", "illegal base64"),
    ),
    "secret_of_a_type_lacks_its_key": (
        "secrets",
        {"metadata": {"name": "one"}, "type": "kubernetes.io/tls", "data": {}},
        invalid("data[tls.crt]: Required value"),
    ),
    "selector_is_missing": (
        "deployments",
        without(deployment(), "spec", "selector"),
        invalid("spec.selector: Required value"),
    ),
    "selector_does_not_match": (
        "deployments",
        deployment(selector={"matchLabels": {"app": "other"}}),
        invalid("`selector` does not match template `labels`"),
    ),
    "template_is_missing": (
        "deployments",
        without(deployment(), "spec", "template"),
        invalid("spec.template"),
    ),
    "no_containers": (
        "deployments",
        with_pod(containers=[]),
        invalid("spec.template.spec.containers: Required value"),
    ),
    "container_without_image": (
        "deployments",
        without(deployment(), "spec", "template", "spec", "containers", 0, "image"),
        invalid("containers[0].image: Required value"),
    ),
    "container_without_name": (
        "deployments",
        without(deployment(), "spec", "template", "spec", "containers", 0, "name"),
        invalid("containers[0].name: Required value"),
    ),
    "containers_of_one_name": (
        "deployments",
        with_pod(containers=[{"name": "a", "image": "x"}, {"name": "a", "image": "x"}]),
        invalid("containers[1].name: Duplicate value"),
    ),
    "container_name": ("deployments", with_container(name="A_b"), invalid("RFC 1123 label")),
    "negative_replicas": ("deployments", deployment(replicas=-1), invalid("greater than or equal")),
    "replicas_are_a_text": (
        "deployments",
        deployment(replicas="three"),
        (400, "BadRequest", "cannot unmarshal string"),
    ),
    "pull_policy": (
        "deployments",
        with_container(imagePullPolicy="Sometimes"),
        invalid("Unsupported value"),
    ),
    "restart_policy": ("deployments", with_pod(restartPolicy="Never"), invalid("restartPolicy")),
    "port_out_of_range": (
        "deployments",
        with_container(ports=[{"containerPort": 70000}]),
        invalid("must be between 1 and 65535"),
    ),
    "volume_mount_without_volume": (
        "deployments",
        with_container(volumeMounts=[{"name": "v", "mountPath": "/v"}]),
        invalid("volumeMounts[0].name: Not found"),
    ),
    "quantity": (
        "deployments",
        with_container(resources={"limits": {"cpu": "much"}}),
        (400, "BadRequest", "quantities must match"),
    ),
    "request_above_limit": (
        "deployments",
        with_container(resources={"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}),
        invalid("must be less than or equal to cpu limit"),
    ),
    "strategy": (
        "deployments",
        deployment(strategy={"type": "Whatever"}),
        invalid("spec.strategy: Unsupported value"),
    ),
    "service_without_ports": (
        "services",
        {"metadata": {"name": "one"}, "spec": {}},
        invalid("spec.ports: Required value"),
    ),
    "service_ports_without_names": (
        "services",
        service({"port": 80}, {"port": 81}),
        invalid("spec.ports[0].name: Required value"),
    ),
    "service_port": ("services", service({"port": 0}), invalid("must be between 1 and 65535")),
    "service_type": ("services", service(type="Some"), invalid("spec.type: Unsupported value")),
    "service_protocol": (
        "services",
        service({"port": 80, "protocol": "XYZ"}),
        invalid("protocol: Unsupported value"),
    ),
    "job_that_always_restarts": (
        "jobs",
        {
            "metadata": {"name": "one"},
            "spec": {"template": {"spec": {"containers": [{"name": "a", "image": "x"}]}}},
        },
        invalid("restartPolicy: Required value"),
    ),
    "job_selector": (
        "jobs",
        job(selector={"matchLabels": {"a": "b"}}),
        invalid("spec.selector: Invalid value"),
    ),
    "schedule": (
        "cronjobs",
        {
            "metadata": {"name": "one"},
            "spec": {"schedule": "often", "jobTemplate": {"spec": job()["spec"]}},
        },
        invalid("spec.schedule: Invalid value"),
    ),
    "ingress_without_rules": (
        "ingresses",
        {"metadata": {"name": "one"}, "spec": {}},
        invalid("either `defaultBackend` or `rules` must be specified"),
    ),
    "ingress_path_type": (
        "ingresses",
        ingress(
            http={
                "paths": [
                    {"path": "/", "backend": {"service": {"name": "a", "port": {"number": 80}}}}
                ]
            }
        ),
        invalid("pathType: Required value"),
    ),
    "role_without_verbs": (
        "roles",
        {"metadata": {"name": "one"}, "rules": [{"apiGroups": [""], "resources": ["pods"]}]},
        invalid("verbs: Required value"),
    ),
    "binding_without_role": (
        "rolebindings",
        {"metadata": {"name": "one"}, "subjects": []},
        invalid("roleRef.name"),
    ),
    "claim_without_access_modes": (
        "persistentvolumeclaims",
        {"metadata": {"name": "one"}, "spec": {"resources": {"requests": {"storage": "1Gi"}}}},
        invalid("spec.accessModes: Required value"),
    ),
    "claim_without_size": (
        "persistentvolumeclaims",
        {"metadata": {"name": "one"}, "spec": {"accessModes": ["ReadWriteOnce"]}},
        invalid("spec.resources[storage]: Required value"),
    ),
    "autoscaler_without_maximum": (
        "horizontalpodautoscalers",
        {
            "metadata": {"name": "one"},
            "spec": {
                "scaleTargetRef": {"kind": "Deployment", "name": "a", "apiVersion": "apps/v1"}
            },
        },
        invalid("spec.maxReplicas"),
    ),
    "stateful_set_without_selector": (
        "statefulsets",
        {
            "metadata": {"name": "one"},
            "spec": {"serviceName": "a", "template": deployment()["spec"]["template"]},
        },
        invalid("spec.selector: Required value"),
    ),
    "budget_of_two_kinds": (
        "poddisruptionbudgets",
        {
            "metadata": {"name": "one"},
            "spec": {"minAvailable": 1, "maxUnavailable": 1, "selector": {}},
        },
        invalid("cannot be both set"),
    ),
    "two_things_at_once": (
        "deployments",
        without(with_container(ports=[{"containerPort": 0}]), "spec", "selector"),
        (422, "Invalid"),
    ),
}


def refused(resource: str, body: Any, expect: Expected) -> Callable[[Recorder], None]:
    """A script that tries to create."""

    def script(it: Recorder) -> None:
        it.post(it.at(resource), body, expect=expect)
        assert it.get(it.at(resource)).body["items"] == []

    return script


for _name, (_resource, _body, _expect) in BODIES.items():
    tabled(__name__, _name, refused(_resource, _body, _expect))
