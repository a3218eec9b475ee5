"""What people get wrong in manifests, refused where it is written; and what only looks wrong."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from tests.contract.case import case, controlled, tabled
from tests.contract.cases.creating import deployment
from tests.contract.cases.updating import stateful_set
from tests.contract.cases.validation import (
    ingress,
    invalid,
    job,
    refused,
    service,
    with_container,
    with_pod,
)  # fmt: skip
from tests.contract.cases.workloads import quick
from tests.contract.recording import Expected, Object, Recorder

CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
DATA = {"name": "data", "mountPath": "/data"}
EMPTY = {"name": "data", "emptyDir": {}}


def with_claims(*names: str, **pod: Any) -> Object:
    """A StatefulSet whose container mounts the volume ``data``, with claims of these names."""
    made = copy.deepcopy(stateful_set())
    made["spec"]["template"]["spec"] |= pod
    made["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] = [DATA]
    made["spec"]["volumeClaimTemplates"] = [
        {"metadata": {"name": name}, "spec": CLAIM} for name in names
    ]
    return made


def required(**requirement: Any) -> Object:
    """A Deployment that requires this of its nodes."""
    terms = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", **requirement}]}]}
    return with_pod(
        affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
    )


def updating(body: Object, field: str, **update: Any) -> Object:
    """A workload with a rolling update."""
    body["spec"][field] = {"rollingUpdate": update}
    return body


def backed(backend: Object) -> Object:
    """An Ingress of one path."""
    return ingress(http={"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]})


def scheduled(schedule: str, **spec: Any) -> Object:
    """A CronJob."""
    return {
        "metadata": {"name": "one"},
        "spec": {"schedule": schedule, "jobTemplate": {"spec": job()["spec"]}, **spec},
    }


def autoscaler(**spec: Any) -> Object:
    """A HorizontalPodAutoscaler."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "one"}
    return {
        "metadata": {"name": "one"},
        "spec": {"maxReplicas": 3, "scaleTargetRef": target, **spec},
    }


def policy(block: str) -> Object:
    """A NetworkPolicy that lets one block in."""
    peers = [{"from": [{"ipBlock": {"cidr": block}}]}]
    return {"metadata": {"name": "one"}, "spec": {"podSelector": {}, "ingress": peers}}


PROBE = {"httpGet": {"path": "/", "port": 80}}
LIGHT = {"podAffinityTerm": {"topologyKey": "zone"}}
LIGHTLY = "preferredDuringSchedulingIgnoredDuringExecution"

#: Name of the case: resource, body, what the answer must be.
BODIES: dict[str, tuple[str, Any, Expected]] = {
    "mount_of_no_claim": ("statefulsets", with_claims("other"), invalid('Not found: "data"')),
    "claim_name": ("statefulsets", with_claims("D_d"), invalid("volumes[0].name")),
    "volumes_are_counted_after_claims": (
        "statefulsets",
        with_claims("data", volumes=[{"name": "c", "configMap": {}}]),
        invalid("volumes[1].configMap.name: Required value"),
    ),
    "mounts_at_one_place": (
        "deployments",
        with_pod(
            volumes=[EMPTY],
            containers=[{"name": "main", "image": "x", "volumeMounts": [DATA, DATA]}],
        ),
        invalid('volumeMounts[1].mountPath: Invalid value: "/data": must be unique'),
    ),
    "volume_of_two_sources": (
        "deployments",
        with_pod(volumes=[{**EMPTY, "configMap": {"name": "a"}}]),
        invalid("volumes[0].configMap: Forbidden"),
    ),
    "host_path": (
        "deployments",
        with_pod(volumes=[{"name": "a", "hostPath": {"path": ""}}]),
        invalid("hostPath.path: Required value"),
    ),
    "init_container_of_the_same_name": (
        "deployments",
        with_pod(initContainers=[{"name": "main", "image": "x"}]),
        invalid("initContainers[0].name: Duplicate value"),
    ),
    "port_name": (
        "deployments",
        with_container(ports=[{"containerPort": 80, "name": "Web_of_many_signs"}]),
        invalid("must be no more than 15 characters"),
    ),
    "port_name_of_digits": (
        "deployments",
        with_container(ports=[{"containerPort": 80, "name": "-8--0"}]),
        invalid("must contain at least one letter"),
    ),
    "variable_name": (
        "deployments",
        with_container(env=[{"name": "a=b", "value": "c"}]),
        invalid('env[0].name: Invalid value: "a=b"'),
    ),
    "variables_from_two_places": (
        "deployments",
        with_container(envFrom=[{"configMapRef": {"name": "a"}, "secretRef": {"name": "a"}}]),
        invalid("may not have more than one field specified at a time"),
    ),
    "variables_from_nowhere": (
        "deployments",
        with_container(envFrom=[{}]),
        invalid("must specify one of: `configMapRef` or `secretRef`"),
    ),
    "negative_memory": (
        "deployments",
        with_container(resources={"limits": {"memory": "-1"}}),
        invalid("limits[memory]: Invalid value"),
    ),
    "probe_port": (
        "deployments",
        with_container(livenessProbe={"httpGet": {"path": "/", "port": "Http_"}}),
        invalid("livenessProbe.httpGet.port: Invalid value"),
    ),
    "alive_twice": (
        "deployments",
        with_container(livenessProbe={**PROBE, "successThreshold": 2}),
        invalid("successThreshold: Invalid value: 2: must be 1"),
    ),
    "probe_of_the_past": (
        "deployments",
        with_container(readinessProbe={**PROBE, "periodSeconds": -2}),
        invalid("periodSeconds: Invalid value"),
    ),
    "negative_user": (
        "deployments",
        with_container(securityContext={"runAsUser": -1}),
        invalid("runAsUser: Invalid value"),
    ),
    "privileged_without_escalation": (
        "deployments",
        with_container(securityContext={"privileged": True, "allowPrivilegeEscalation": False}),
        invalid("cannot set `allowPrivilegeEscalation` to false and `privileged` to true"),
    ),
    "no_names_and_no_servers": (
        "deployments",
        with_pod(dnsPolicy="None"),
        invalid("must provide `dnsConfig`"),
    ),
    "node_label": ("deployments", with_pod(nodeSelector={"a b": "c"}), invalid("nodeSelector")),
    "account_name": ("deployments", with_pod(serviceAccountName="A_b"), invalid("AccountName")),
    "toleration_for_a_while": (
        "deployments",
        with_pod(tolerations=[{"key": "a", "effect": "NoSchedule", "tolerationSeconds": 3}]),
        invalid("effect must be 'NoExecute' when `tolerationSeconds` is set"),
    ),
    "node_in_nothing": ("deployments", required(operator="In"), invalid("values: Required")),
    "node_exists_with_values": (
        "deployments",
        required(operator="Exists", values=["a"]),
        invalid("values: Forbidden"),
    ),
    "node_above_two": (
        "deployments",
        required(operator="Gt", values=["1", "2"]),
        invalid("values: Required value"),
    ),
    "node_operator": (
        "deployments",
        required(operator="Like"),
        invalid("not a valid selector operator"),
    ),
    "weight_of_nothing": (
        "deployments",
        with_pod(affinity={"podAntiAffinity": {LIGHTLY: [{"weight": 0, **LIGHT}]}}),
        invalid("must be in the range 1-100"),
    ),
    "rollout_that_cannot_move": (
        "deployments",
        updating(deployment(), "strategy", maxSurge=0, maxUnavailable=0),
        invalid("may not be 0 when `maxSurge` is 0"),
    ),
    "more_than_all_unavailable": (
        "deployments",
        updating(deployment(), "strategy", maxUnavailable="150%"),
        invalid("must not be greater than 100%"),
    ),
    "deadline_before_ready": (
        "deployments",
        deployment(minReadySeconds=700),
        invalid("must be greater than minReadySeconds"),
    ),
    "daemons_that_cannot_move": (
        "daemonsets",
        updating(deployment(), "updateStrategy", maxSurge=0, maxUnavailable=0),
        invalid("cannot be 0 when maxSurge is 0"),
    ),
    "service_port_twice": (
        "services",
        service({"port": 80, "name": "a"}, {"port": 80, "name": "b"}),
        invalid("spec.ports[1]: Duplicate value"),
    ),
    "service_source_range": (
        "services",
        service(type="LoadBalancer", loadBalancerSourceRanges=["here"]),
        invalid("must be a valid CIDR value"),
    ),
    "service_traffic_policy": (
        "services",
        service(externalTrafficPolicy="Local"),
        invalid("may only be set for externally-accessible services"),
    ),
    "backend_of_nothing": ("ingresses", backed({}), invalid("service backend is required")),
    "backend_without_port": (
        "ingresses",
        backed({"service": {"name": "a"}}),
        invalid("port name or number is required"),
    ),
    "backend_of_last_resort": (
        "ingresses",
        {"metadata": {"name": "one"}, "spec": {"defaultBackend": {"service": {"name": "a"}}}},
        invalid("spec.defaultBackend: Required value"),
    ),
    "tls_host": (
        "ingresses",
        {
            "metadata": {"name": "one"},
            "spec": {
                "tls": [{"hosts": ["A b"]}],
                "defaultBackend": {"service": {"name": "a", "port": {"number": 80}}},
            },
        },
        invalid("spec.tls[0].hosts[0]: Invalid value"),
    ),
    "policy_block": ("networkpolicies", policy("here"), invalid("must be a valid CIDR value")),
    "minute_99": ("cronjobs", scheduled("99 * * * *"), invalid("above maximum (59): 99")),
    "day_0": ("cronjobs", scheduled("0 0 0 * *"), invalid("below minimum (1): 0")),
    "hours_backwards": ("cronjobs", scheduled("0 9-5 * * *"), invalid("beyond end of range (5)")),
    "step_of_nothing": ("cronjobs", scheduled("*/0 * * * *"), invalid("positive number: */0")),
    "month_of_nobody": ("cronjobs", scheduled("0 0 1 foo *"), invalid("parse int from foo")),
    "time_zone": (
        "cronjobs",
        scheduled("0 0 1 * *", timeZone="Moon/Crater"),
        invalid("unknown time zone Moon/Crater"),
    ),
    "scaling_without_group": (
        "horizontalpodautoscalers",
        autoscaler(scaleTargetRef={"kind": "Deployment", "name": "one"}),
        invalid("apiVersion must specify API group"),
    ),
    "metric_of_nothing": (
        "horizontalpodautoscalers",
        autoscaler(metrics=[{"type": "Resource"}]),
        invalid("must populate information for the given metric source"),
    ),
}

for _name, (_resource, _body, _expect) in BODIES.items():
    tabled(__name__, _name, refused(_resource, _body, _expect))


def taken(resource: str, body: Object) -> Callable[[Recorder], None]:
    """A script that creates, and reads what became of it."""

    def script(it: Recorder) -> None:
        it.post(it.at(resource), body, expect=201)
        it.get(it.at(resource, "one"))

    return script


#: What an API server takes all the same.
TAKEN: dict[str, tuple[str, Object]] = {
    "mount_of_a_claim": ("statefulsets", with_claims("data")),
    "claim_in_place_of_a_volume": ("statefulsets", with_claims("data", volumes=[EMPTY])),
    "claims_of_one_name": ("statefulsets", with_claims("data", "data")),
    "no_time_to_end": ("deployments", with_pod(terminationGracePeriodSeconds=-1)),
    "schedule_in_words": ("cronjobs", scheduled("*/5,7 0-12/3 1,15 jan-MAR ?")),
    "schedule_by_name": ("cronjobs", scheduled("@daily", timeZone="Europe/Berlin")),
    "one_port_of_two_protocols": (
        "services",
        service({"port": 53, "name": "a"}, {"port": 53, "name": "b", "protocol": "UDP"}),
    ),
}

for _name, (_resource, _body) in TAKEN.items():
    tabled(__name__, _name, taken(_resource, _body))


@case
def mount_of_a_claim_by_apply(it: Recorder) -> None:
    whole = {"apiVersion": "apps/v1", "kind": "StatefulSet", **with_claims("data")}
    it.apply(it.at("statefulsets", "one"), whole, expect=201)
    it.apply(it.at("statefulsets", "one"), whole)


@controlled
def claims_of_a_stateful_set(it: Recorder) -> None:
    """Its Pod mounts a claim, not the volume of that name; the claim outlives both."""
    it.have(it.at("statefulsets"), quick(with_claims("data", volumes=[EMPTY])))
    it.until_seen(it.at("pods"), lambda body: bool(body["items"]))

    def view(body: Object) -> Any:
        return [
            [volume["name"], volume.get("persistentVolumeClaim")]
            for volume in body["items"][0]["spec"]["volumes"]
            if not volume["name"].startswith("kube-api-access-")
        ]

    answer = it.get(it.at("pods"), view=view)
    assert view(answer.body) == [["data", {"claimName": "data-one-0"}]]
    it.delete(it.at("statefulsets", "one"), view=lambda body: body["status"])
    it.until_seen(it.at("pods"), lambda body: not body["items"])
    it.get(
        it.at("persistentvolumeclaims"),
        view=lambda body: [one["metadata"]["name"] for one in body["items"]],
    )
