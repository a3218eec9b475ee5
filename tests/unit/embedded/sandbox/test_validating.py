"""What may not be stored. The expectations are answers of a real API server."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.embedded.sandbox.kinds import builtin_kind
from fleet.embedded.sandbox.objects import Object
from fleet.embedded.sandbox.shapes import builtin, of_schema
from fleet.embedded.sandbox.validating import unknown_fields, validate
from tests.unit.embedded.sandbox.making import (
    APPS,
    CORE,
    DUPLICATE,
    FORBIDDEN,
    INVALID,
    POD,
    RBAC,
    REQUIRED,
    SELECTOR,
    UNSUPPORTED,
    deployment,
    job,
    made,
    pod,
    service,
    template,
    wrong,
)

PODS = "spec.containers[0]"
WHOLE: Any = {"spec": {"selector": SELECTOR, "template": template()}}
NEGATIVE = {
    (INVALID, f"status.{name}")
    for name in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
}
TOO_MANY = {(INVALID, "status.readyReplicas")}


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (pod(), set()),
        (made(CORE, "Pod"), {(REQUIRED, "spec.containers")}),
        (pod(name="C_"), {(INVALID, f"{PODS}.name")}),
        (pod(image=""), {(REQUIRED, f"{PODS}.image")}),
        (pod(image=" "), {(INVALID, f"{PODS}.image")}),
        (pod(imagePullPolicy="X"), {(UNSUPPORTED, f"{PODS}.imagePullPolicy")}),
        (pod(env=[{"name": ""}]), {(REQUIRED, f"{PODS}.env[0].name")}),
        (pod(ports=[{}]), {(REQUIRED, f"{PODS}.ports[0].containerPort")}),
        (
            pod(ports=[{"containerPort": 99999, "protocol": "X"}]),
            {
                (INVALID, f"{PODS}.ports[0].containerPort"),
                (UNSUPPORTED, f"{PODS}.ports[0].protocol"),
            },
        ),
        (
            pod(ports=[{"containerPort": 1, "name": "a"}, {"containerPort": 2, "name": "a"}]),
            {(DUPLICATE, f"{PODS}.ports[1].name")},
        ),
        (
            pod(volumeMounts=[{"name": "v", "mountPath": ""}]),
            {
                ("FieldValueNotFound", f"{PODS}.volumeMounts[0].name"),
                (REQUIRED, f"{PODS}.volumeMounts[0].mountPath"),
            },
        ),
        (
            pod(resources={"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}),
            {(INVALID, f"{PODS}.resources.requests")},
        ),
        (pod(livenessProbe={}), {(REQUIRED, f"{PODS}.livenessProbe")}),
        (
            pod(livenessProbe={"httpGet": {"port": 0}}),
            {(INVALID, f"{PODS}.livenessProbe.httpGet.port")},
        ),
        (
            made(CORE, "Pod", spec={"containers": POD["containers"] * 2, "restartPolicy": "Q"}),
            {(DUPLICATE, "spec.containers[1].name"), (UNSUPPORTED, "spec.restartPolicy")},
        ),
        (
            made(
                CORE,
                "Pod",
                spec={
                    **POD,
                    "volumes": [
                        {"name": "v"},
                        {"name": "v"},
                        {"name": "V"},
                        {"name": "c", "configMap": {}},
                        {"name": "s", "secret": {}},
                        {"name": "two", "emptyDir": {}, "hostPath": {"path": "/"}},
                    ],
                },
            ),
            {
                (DUPLICATE, "spec.volumes[1].name"),
                (INVALID, "spec.volumes[2].name"),
                (REQUIRED, "spec.volumes[3].configMap.name"),
                (REQUIRED, "spec.volumes[4].secret.secretName"),
                (FORBIDDEN, "spec.volumes[5].hostPath"),
            },
        ),
        (
            pod(
                env=[
                    {"name": "A", "valueFrom": {}},
                    {"name": "B", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "y"}}},
                ]
            ),
            {(INVALID, f"{PODS}.env[0].valueFrom"), (INVALID, f"{PODS}.env[1].valueFrom")},
        ),
        (
            pod(ports=[{"containerPort": port, "hostPort": 5} for port in (1, 2)]),
            {(DUPLICATE, f"{PODS}.ports[1].hostPort")},
        ),
        (
            pod(livenessProbe={"exec": {}, "tcpSocket": {"port": 1}}),
            {
                (REQUIRED, f"{PODS}.livenessProbe.exec.command"),
                (FORBIDDEN, f"{PODS}.livenessProbe.tcpSocket"),
            },
        ),
        (
            made(
                CORE,
                "Pod",
                spec={
                    **POD,
                    "tolerations": [{"operator": "Equal"}],
                    "topologySpreadConstraints": [
                        {"topologyKey": "k", "whenUnsatisfiable": "DoNotSchedule"}
                    ],
                },
            ),
            {
                (INVALID, "spec.tolerations[0].operator"),
                (INVALID, "spec.topologySpreadConstraints[0].maxSkew"),
            },
        ),
        (deployment(), set()),
        (deployment(replicas=-1), {(INVALID, "spec.replicas")}),
        (deployment(strategy={"type": "X"}), {(UNSUPPORTED, "spec.strategy")}),
        (
            deployment(strategy={"type": "Recreate", "rollingUpdate": {}}),
            {(FORBIDDEN, "spec.strategy.rollingUpdate")},
        ),
        (
            deployment({**POD, "restartPolicy": "Never"}),
            {(UNSUPPORTED, "spec.template.spec.restartPolicy")},
        ),
        (deployment(selector={}), {(INVALID, "spec.selector")}),
        (
            deployment(selector={"matchLabels": {"a": "c"}}),
            {(INVALID, "spec.template.metadata.labels")},
        ),
        (
            made(APPS, "Deployment"),
            {
                (REQUIRED, "spec.selector"),
                (INVALID, "spec.template.metadata.labels"),
                (REQUIRED, "spec.template.spec.containers"),
            },
        ),
        (
            made(
                APPS,
                "StatefulSet",
                spec={
                    "selector": SELECTOR,
                    "template": template(),
                    "podManagementPolicy": "X",
                    "updateStrategy": {"type": "Q"},
                },
            ),
            {(INVALID, "spec.podManagementPolicy"), (INVALID, "spec.updateStrategy")},
        ),
        (
            job(template=template()),
            {(REQUIRED, "spec.template.spec.restartPolicy")},
        ),
        (
            job(selector=SELECTOR),
            {(INVALID, "spec.selector")},
        ),
        (
            made("batch/v1", "Job", spec={"template": template({**POD, "restartPolicy": "Never"})}),
            {(REQUIRED, "spec.selector"), (INVALID, "spec.template.metadata.labels")},
        ),
        (
            made("batch/v1", "CronJob", name="a" * 53, spec={"schedule": "x", "jobTemplate": {}}),
            {
                (INVALID, "metadata.name"),
                (INVALID, "spec.schedule"),
                (REQUIRED, "spec.jobTemplate.spec.template.spec.containers"),
                (REQUIRED, "spec.jobTemplate.spec.template.spec.restartPolicy"),
            },
        ),
        (service({"port": 80}), set()),
        (service(), {(REQUIRED, "spec.ports")}),
        (service(clusterIP="None"), set()),
        (service(type="ExternalName"), {(REQUIRED, "spec.externalName")}),
        (service(type="X"), {(UNSUPPORTED, "spec.type"), (REQUIRED, "spec.ports")}),
        (
            service({"port": 0}),
            {(INVALID, "spec.ports[0].port"), (INVALID, "spec.ports[0].targetPort")},
        ),
        (
            service({"port": 1}, {"port": 2}),
            {(REQUIRED, "spec.ports[0].name"), (REQUIRED, "spec.ports[1].name")},
        ),
        (service({"port": 1, "nodePort": 5}), {(FORBIDDEN, "spec.ports[0].nodePort")}),
        (service({"port": 1}, clusterIP="x"), {(INVALID, "spec.clusterIPs[0]")}),
        (made(CORE, "ConfigMap", data={"a": "x" * 2**21}), {("FieldValueTooLong", "[]")}),
        (made(APPS, "Deployment", **WHOLE, status={"replicas": -1}), NEGATIVE),
        (made(APPS, "Deployment", **WHOLE, status={"readyReplicas": 1}), TOO_MANY),
        (made(CORE, "ConfigMap", data={"a b": "x"}), {(INVALID, "data[a b]")}),
        (
            made(CORE, "ConfigMap", data={"c": "x"}, binaryData={"c": "YQ=="}),
            {(INVALID, "data[c]")},
        ),
        (
            made(CORE, "Secret", type="kubernetes.io/tls"),
            {(REQUIRED, "data[tls.crt]"), (REQUIRED, "data[tls.key]")},
        ),
        (
            made(CORE, "PersistentVolumeClaim"),
            {(REQUIRED, "spec.accessModes"), (REQUIRED, "spec.resources[storage]")},
        ),
        (
            made(
                CORE,
                "PersistentVolumeClaim",
                spec={"accessModes": ["X"], "resources": {"requests": {"storage": "-1"}}},
            ),
            {(UNSUPPORTED, "spec.accessModes"), (INVALID, "spec.resources[storage]")},
        ),
        (
            made(RBAC, "Role", rules=[{"verbs": []}]),
            {(REQUIRED, f"rules[0].{name}") for name in ("apiGroups", "resources", "verbs")},
        ),
        (
            made(RBAC, "ClusterRole", rules=[{"verbs": ["get"], "nonResourceURLs": ["/x"]}]),
            set(),
        ),
        (
            made(
                RBAC,
                "RoleBinding",
                roleRef={"kind": "X", "name": ""},
                subjects=[{"kind": "Q", "name": ""}, {"kind": "ServiceAccount", "name": "x"}],
            ),
            {
                (UNSUPPORTED, "roleRef.kind"),
                (REQUIRED, "roleRef.name"),
                (UNSUPPORTED, "subjects[0].kind"),
                (REQUIRED, "subjects[0].name"),
                (REQUIRED, "subjects[1].namespace"),
            },
        ),
        (made("networking.k8s.io/v1", "Ingress"), {(INVALID, "spec")}),
        (
            made(
                "networking.k8s.io/v1",
                "Ingress",
                spec={
                    "rules": [
                        {
                            "host": "A_",
                            "http": {
                                "paths": [
                                    {"path": "/", "backend": {}},
                                    {"path": "x", "pathType": "Exact", "backend": {}},
                                ]
                            },
                        }
                    ]
                },
            ),
            {
                (INVALID, "spec.rules[0].host"),
                (INVALID, "spec.rules[0].http.paths[1].backend"),
                (REQUIRED, "spec.rules[0].http.paths[0].pathType"),
                (INVALID, "spec.rules[0].http.paths[1].path"),
            },
        ),
        (
            made(
                "networking.k8s.io/v1",
                "NetworkPolicy",
                spec={
                    "podSelector": {
                        "matchExpressions": [
                            {"key": "a", "operator": "X"},
                            {"key": "a", "operator": "In"},
                            {"key": "a", "operator": "Exists", "values": ["b"]},
                        ]
                    },
                    "policyTypes": ["Q"],
                },
            ),
            {
                (INVALID, "spec.podSelector.matchExpressions[0].operator"),
                (REQUIRED, "spec.podSelector.matchExpressions[1].values"),
                (FORBIDDEN, "spec.podSelector.matchExpressions[2].values"),
                (UNSUPPORTED, "spec.policyTypes[0]"),
            },
        ),
        (
            made(
                "policy/v1", "PodDisruptionBudget", spec={"minAvailable": 1, "maxUnavailable": -1}
            ),
            {(INVALID, "spec"), (INVALID, "spec.maxUnavailable")},
        ),
        (
            made("policy/v1", "PodDisruptionBudget", spec={"minAvailable": "x%"}),
            {(INVALID, "spec.minAvailable")},
        ),
        (
            made(
                "autoscaling/v2",
                "HorizontalPodAutoscaler",
                spec={"maxReplicas": 0, "minReplicas": 5},
            ),
            {
                (INVALID, "spec.maxReplicas"),
                (REQUIRED, "spec.maxReplicas"),
                (REQUIRED, "spec.scaleTargetRef.kind"),
                (REQUIRED, "spec.scaleTargetRef.name"),
            },
        ),
        (made("storage.k8s.io/v1", "StorageClass"), {(REQUIRED, "provisioner")}),
        (
            made("scheduling.k8s.io/v1", "PriorityClass", value=2 * 10**9),
            {(FORBIDDEN, "value")},
        ),
        (made(CORE, "ResourceQuota", spec={"hard": {"cpu": "-1"}}), {(INVALID, "spec.hard[cpu]")}),
        (
            made(CORE, "Endpoints", subsets=[{"addresses": [{"ip": "x"}]}]),
            {(INVALID, "subsets[0].addresses[0].ip")},
        ),
    ],
)
def test_objects(obj: Object, expected: set[tuple[str, str]]) -> None:
    assert wrong(obj) == expected


def test_words_of_a_message() -> None:
    (cause,) = validate(deployment(replicas=-1), builtin_kind(APPS, "Deployment"), None)
    assert str(cause) == "spec.replicas: Invalid value: -1: must be greater than or equal to 0"
    (cause,) = validate(pod(imagePullPolicy="X"), builtin_kind(CORE, "Pod"), None)
    assert str(cause) == (
        f'{PODS}.imagePullPolicy: Unsupported value: "X": supported values: "Always",'
        ' "IfNotPresent", "Never"'
    )


def test_unknown_fields_are_named_with_their_path() -> None:
    obj = {"metadata": {"x": 1}, "spec": {"template": {"spec": {"containers": [{"y": 1}]}}}}
    assert unknown_fields(obj, builtin("V1Deployment")) == [
        'unknown field "metadata.x"',
        'unknown field "spec.template.spec.containers[0].y"',
    ]
    schema = {
        "type": "object",
        "properties": {
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "map": {"type": "object", "additionalProperties": {"type": "object"}},
        },
    }
    obj = {"free": {"a": 1}, "map": {"k": {"z": 1}}, "more": 1}
    assert unknown_fields(obj, of_schema(schema)) == [
        'unknown field "map.k.z"',
        'unknown field "more"',
    ]


def test_null_is_an_empty_list_in_a_map_of_lists() -> None:
    spec = {"request": "YQ==", "signerName": "a.b/c", "usages": ["client auth"]}
    asked = made(
        "certificates.k8s.io/v1", "CertificateSigningRequest", spec={**spec, "extra": {"a": None}}
    )
    assert wrong(asked) == set()
