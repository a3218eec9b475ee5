"""Objects as the API server decodes them, and the defaults of built-in and custom kinds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fleet.embedded.sandbox.defaulting import set_defaults
from fleet.embedded.sandbox.kinds import Custom, Kind, builtin_kind
from fleet.embedded.sandbox.objects import Object
from fleet.embedded.sandbox.roundtrip import Undecodable
from tests.unit.embedded.sandbox.making import custom_kind

POD = {"containers": [{"name": "c", "image": "nginx:1.25"}]}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": POD}
SELECTOR = {"matchLabels": {"a": "b"}}


def defaulted(api_version: str, kind: str, **parts: Any) -> Object:
    obj = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, **parts}
    return set_defaults(obj, builtin_kind(api_version, kind))


def test_a_deployment() -> None:
    made = defaulted("apps/v1", "Deployment", spec={"selector": SELECTOR, "template": TEMPLATE})
    assert made["status"] == {}
    spec = made["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
    }
    assert spec["template"]["spec"] == {
        "containers": [
            {
                "name": "c",
                "image": "nginx:1.25",
                "resources": {},
                "imagePullPolicy": "IfNotPresent",
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
            }
        ],
        "dnsPolicy": "ClusterFirst",
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "terminationGracePeriodSeconds": 30,
    }


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1", "IfNotPresent"),
        ("host:5000/nginx", "Always"),
        ("host:5000/nginx:2", "IfNotPresent"),
        ("nginx@sha256:0f", "IfNotPresent"),
    ],
)
def test_when_images_are_pulled(image: str, policy: str) -> None:
    made = defaulted("v1", "Pod", spec={"containers": [{"name": "c", "image": image}]})
    assert made["spec"]["containers"][0]["imagePullPolicy"] == policy


def test_only_a_pod_asks_for_what_it_is_limited_to() -> None:
    limits = {"cpu": "1000m", "memory": "1024Mi"}
    spec = {"containers": [{"name": "c", "image": "i", "resources": {"limits": limits}}]}
    pod = defaulted("v1", "Pod", spec=spec)
    assert pod["spec"]["containers"][0]["resources"] == {
        "limits": {"cpu": "1", "memory": "1Gi"},
        "requests": {"cpu": "1", "memory": "1Gi"},
    }
    template = {"metadata": {"labels": {"a": "b"}}, "spec": spec}
    made = defaulted("apps/v1", "ReplicaSet", spec={"selector": SELECTOR, "template": template})
    container = made["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"] == {"limits": {"cpu": "1", "memory": "1Gi"}}


def test_zeros_are_kept_where_they_mean_something() -> None:
    spec = {"replicas": 0, "minReadySeconds": 0, "paused": False, "selector": SELECTOR}
    made = defaulted("apps/v1", "Deployment", spec={**spec, "template": TEMPLATE})
    assert made["spec"]["replicas"] == 0
    assert not {"minReadySeconds", "paused"} & made["spec"].keys()


def test_unknown_fields_nulls_and_empty_lists_are_left_out() -> None:
    made = defaulted("v1", "ConfigMap", data={"a": None, "b": "x"}, what=1, binaryData={})
    assert made == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "x"},
        "data": {"a": "", "b": "x"},
    }
    assert defaulted("rbac.authorization.k8s.io/v1", "Role", rules=[])["rules"] is None


def test_a_service() -> None:
    ports = [{"port": 80}, {"port": 81, "targetPort": "web", "name": "b"}]
    made = defaulted("v1", "Service", spec={"type": "LoadBalancer", "ports": ports})
    assert made["spec"] == {
        "type": "LoadBalancer",
        "ports": [
            {"port": 80, "protocol": "TCP", "targetPort": 80},
            {"port": 81, "protocol": "TCP", "targetPort": "web", "name": "b"},
        ],
        "sessionAffinity": "None",
        "externalTrafficPolicy": "Cluster",
        "internalTrafficPolicy": "Cluster",
        "allocateLoadBalancerNodePorts": True,
    }
    assert made["status"] == {"loadBalancer": {}}


def test_plain_data_of_a_secret_is_encoded() -> None:
    made = defaulted("v1", "Secret", stringData={"a": "b", "c": "new"}, data={"c": "b2xk"})
    assert made["data"] == {"a": "Yg==", "c": "bmV3"}
    assert made["type"] == "Opaque"
    assert "stringData" not in made


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, {"completions": 1, "parallelism": 1, "backoffLimit": 6}),
        ({"parallelism": 3}, {"parallelism": 3}),
        ({"completions": 3}, {"completions": 3, "parallelism": 1}),
        ({"backoffLimitPerIndex": 1}, {"backoffLimit": 2**31 - 1}),
        ({"podFailurePolicy": {"rules": []}}, {"podReplacementPolicy": "Failed"}),
    ],
)
def test_a_job(spec: Any, expected: Any) -> None:
    made = defaulted("batch/v1", "Job", spec={**spec, "template": TEMPLATE})
    assert {name: made["spec"][name] for name in expected} == expected
    assert ("completions" in made["spec"]) == ("completions" in spec or "parallelism" not in spec)
    assert made["metadata"]["labels"] == {"a": "b"}


def test_times_are_written_in_utc() -> None:
    lease = {"renewTime": "2026-01-01T01:00:00.000001+01:00"}
    made = defaulted("coordination.k8s.io/v1", "Lease", spec=lease)
    assert made["spec"]["renewTime"] == "2026-01-01T00:00:00.000001Z"


@pytest.mark.parametrize(
    ("kind", "parts", "message"),
    [
        (
            ("apps/v1", "Deployment"),
            {"spec": {"replicas": "x"}},
            (
                "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas"
                " of type int32"
            ),
        ),
        (
            ("apps/v1", "Deployment"),
            {"spec": {"template": {"spec": {"containers": {}}}}},
            (
                "json: cannot unmarshal object into Go struct field"
                " PodSpec.spec.template.spec.containers of type []v1.Container"
            ),
        ),
        (("v1", "ConfigMap"), {"data": {"a": 5}}, "cannot unmarshal number"),
        (("v1", "ConfigMap"), {"data": []}, "of type map[string]string"),
        (("v1", "ConfigMap"), {"immutable": "x"}, "ConfigMap.immutable of type bool"),
        (("v1", "ConfigMap"), {"metadata": 5}, "ConfigMap.metadata of type v1.ObjectMeta"),
        (("v1", "Secret"), {"data": {"a": "%"}}, "illegal base64 data at input byte 0"),
        (("v1", "Secret"), {"data": {"a": 5}}, "of type []uint8"),
        (("v1", "Service"), {"spec": {"ports": [{"targetPort": True}]}}, "intstr.IntOrString"),
        (
            ("v1", "ResourceQuota"),
            {"spec": {"hard": {"cpu": "x"}}},
            "quantities must match the regular expression",
        ),
        (("v1", "ResourceQuota"), {"spec": {"hard": {"cpu": {}}}}, "cannot unmarshal object"),
        (
            ("coordination.k8s.io/v1", "Lease"),
            {"spec": {"renewTime": "2026-01-01T00:00:00Z"}},
            'parsing time "2026-01-01T00:00:00Z"',
        ),
        (("v1", "Pod"), {"status": {"startTime": "noon"}}, 'parsing time "noon"'),
        (("apps/v1", "Deployment"), {"spec": {"replicas": 2**40}}, "of type int32"),
        (("apps/v1", "Deployment"), {"spec": {"replicas": 1.5}}, "cannot unmarshal number 1.5"),
    ],
)
def test_values_of_the_wrong_type(kind: tuple[str, str], parts: Any, message: str) -> None:
    with pytest.raises(Undecodable) as caught:
        defaulted(*kind, **parts)
    start = f'{kind[1]} in version "v1" cannot be handled as a {kind[1]}: '
    assert str(caught.value).startswith(start)
    assert message in str(caught.value)


def test_what_is_given_is_not_changed() -> None:
    spec = {"selector": SELECTOR, "template": TEMPLATE}
    text = json.dumps(spec)
    defaulted("apps/v1", "Deployment", spec=spec)
    assert json.dumps(spec) == text


def test_decoding_twice_is_decoding_once() -> None:
    for parts in (
        ("apps/v1", "StatefulSet", {"spec": {"selector": SELECTOR, "template": TEMPLATE}}),
        ("v1", "Service", {"spec": {"ports": [{"port": 1}]}}),
        ("batch/v1", "Job", {"spec": {"template": TEMPLATE}}),
        (
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            {"spec": {"maxReplicas": 1, "behavior": {}}},
        ),
    ):
        made = defaulted(parts[0], parts[1], **parts[2])
        assert set_defaults(made, builtin_kind(parts[0], parts[1])) == made


WIDGET = custom_kind(
    {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "default": {},
                "properties": {
                    "size": {"type": "integer", "default": 3},
                    "name": {"type": "string"},
                    "maybe": {"type": "string", "nullable": True},
                    "rules": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {"path": {"type": "string", "default": "/"}},
                        },
                    },
                    "map": {
                        "type": "object",
                        "additionalProperties": {
                            "type": "object",
                            "properties": {"a": {"type": "string", "default": "x"}},
                        },
                    },
                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                },
            }
        },
    }
)


def widget(spec: Any = None, kind: Kind = WIDGET, **more: Any) -> Any:
    obj = {"apiVersion": "a.b/v1", "kind": "Widget", "metadata": {"name": "w"}}
    made = set_defaults({**obj, **({} if spec is None else {"spec": spec})}, kind, **more)
    return made.get("spec")


def test_defaults_of_a_custom_kind() -> None:
    assert isinstance(WIDGET.custom, Custom)
    assert widget() == {"size": 3}
    assert widget({"rules": [{}, {"path": "/a"}], "map": {"k": {}}}) == {
        "size": 3,
        "rules": [{"path": "/"}, {"path": "/a"}],
        "map": {"k": {"a": "x"}},
    }


def test_unknown_fields_of_a_custom_kind_are_pruned() -> None:
    spec = {"size": 1, "what": 1, "rules": [{"path": "/", "x": 1}], "free": {"a": {"b": 1}}}
    assert widget(spec) == {
        "size": 1,
        "rules": [{"path": "/"}],
        "free": {"a": {"b": 1}},
    }


def test_nulls_of_a_custom_kind() -> None:
    assert widget({"size": None, "name": None, "maybe": None}) == {"size": 3, "maybe": None}
    applied = widget({"size": None, "name": None}, applied=True)
    assert applied == {"size": 3, "name": None}


def test_metadata_of_a_custom_object_has_types() -> None:
    obj = {"apiVersion": "a.b/v1", "kind": "Widget", "metadata": {"labels": {"a": 5}}}
    with pytest.raises(Undecodable, match='Widget in version "v1"'):
        set_defaults(obj, WIDGET)
