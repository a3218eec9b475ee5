"""The defaults of built-in types: fixed values, and rules for those that depend on others.

A rule gets an object of its model, already typed, and fills it in place.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final

Fields = dict[str, Any]

_RBAC: Final = "rbac.authorization.k8s.io"
_VOLUME_MODE: Final = {"defaultMode": 0o644}
_WEBHOOK: Final = {
    "failurePolicy": "Fail",
    "matchPolicy": "Equivalent",
    "namespaceSelector": {},
    "objectSelector": {},
    "timeoutSeconds": 10,
}

#: What an absent field is, whatever the others are.
FIXED: Final[Mapping[str, Mapping[str, Any]]] = {
    "AdmissionregistrationV1ServiceReference": {"port": 443},
    "ApiextensionsV1ServiceReference": {"port": 443},
    "ApiregistrationV1ServiceReference": {"port": 443},
    "CoreV1EndpointPort": {"protocol": "TCP"},
    "DiscoveryV1EndpointPort": {"name": "", "protocol": "TCP"},
    "V1CSIDriverSpec": {
        "attachRequired": True,
        "fsGroupPolicy": "ReadWriteOnceWithFSType",
        "podInfoOnMount": False,
        "preventPodSchedulingIfMissing": False,
        "requiresRepublish": False,
        "seLinuxMount": False,
        "storageCapacity": False,
        "volumeLifecycleModes": ["Persistent"],
    },
    "V1ConfigMapVolumeSource": _VOLUME_MODE,
    "V1CronJobSpec": {
        "concurrencyPolicy": "Allow",
        "failedJobsHistoryLimit": 1,
        "successfulJobsHistoryLimit": 3,
        "suspend": False,
    },
    "V1CustomResourceDefinitionSpec": {"conversion": {"strategy": "None"}},
    "V1DownwardAPIVolumeSource": _VOLUME_MODE,
    "V1ExemptPriorityLevelConfiguration": {"lendablePercent": 0, "nominalConcurrencyShares": 0},
    "V1HTTPGetAction": {"path": "/", "scheme": "HTTP"},
    "V1HostPathVolumeSource": {"type": ""},
    "V1LimitedPriorityLevelConfiguration": {"lendablePercent": 0, "nominalConcurrencyShares": 30},
    "V1IngressClassParametersReference": {"scope": "Cluster"},
    "V1MatchResources": {
        "matchPolicy": "Equivalent",
        "namespaceSelector": {},
        "objectSelector": {},
    },
    "V1MutatingAdmissionPolicySpec": {"failurePolicy": "Fail"},
    "V1MutatingWebhook": {**_WEBHOOK, "reinvocationPolicy": "Never"},
    "V1NamespaceStatus": {"phase": "Active"},
    "V1NetworkPolicyPort": {"protocol": "TCP"},
    "V1ObjectFieldSelector": {"apiVersion": "v1"},
    "V1PersistentVolumeClaimSpec": {"volumeMode": "Filesystem"},
    "V1PersistentVolumeClaimStatus": {"phase": "Pending"},
    "V1PersistentVolumeSpec": {
        "persistentVolumeReclaimPolicy": "Retain",
        "volumeMode": "Filesystem",
    },
    "V1PersistentVolumeStatus": {"phase": "Pending"},
    "V1PodSpec": {
        "dnsPolicy": "ClusterFirst",
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "terminationGracePeriodSeconds": 30,
    },
    "V1PriorityClass": {"preemptionPolicy": "PreemptLowerPriority"},
    "V1Probe": {
        "failureThreshold": 3,
        "periodSeconds": 10,
        "successThreshold": 1,
        "timeoutSeconds": 1,
    },
    "V1ProjectedVolumeSource": _VOLUME_MODE,
    "V1ReplicaSetSpec": {"replicas": 1},
    "V1RuleWithOperations": {"scope": "*"},
    "V1NamedRuleWithOperations": {"scope": "*"},
    "V1Secret": {"type": "Opaque"},
    "V1SecretVolumeSource": _VOLUME_MODE,
    "V1ServiceAccountTokenProjection": {"expirationSeconds": 3600},
    "V1StorageClass": {"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"},
    "V1TokenRequestSpec": {"expirationSeconds": 3600},
    "V1ValidatingAdmissionPolicySpec": {"failurePolicy": "Fail"},
    "V1ValidatingWebhook": _WEBHOOK,
}


def _fill(obj: Fields, **values: Any) -> None:
    for name, value in values.items():
        obj.setdefault(name, value)


def _container(obj: Fields) -> None:
    image = obj.get("image", "")
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    latest = tag == "latest" or not (tag or digest)
    _fill(
        obj,
        imagePullPolicy="Always" if latest else "IfNotPresent",
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
    )


def _volume(obj: Fields) -> None:
    if len(obj) == 1:
        obj["emptyDir"] = {}


def _pod_spec(obj: Fields) -> None:
    account = obj.get("serviceAccountName") or obj.get("serviceAccount")
    if account:
        obj["serviceAccountName"] = obj["serviceAccount"] = account


def _pod(obj: Fields) -> None:
    spec = obj["spec"]
    _fill(spec, enableServiceLinks=True)
    for container in [*(spec.get("containers") or ()), *spec.get("initContainers", ())]:
        limits = container["resources"].get("limits")
        if limits:
            requests = container["resources"].get("requests", {})
            container["resources"]["requests"] = {**limits, **requests}
        if spec.get("hostNetwork"):
            for port in container.get("ports", ()):
                port.setdefault("hostPort", port["containerPort"])


def _deployment(obj: Fields) -> None:
    spec = obj["spec"]
    _fill(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    strategy = spec["strategy"]
    _fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _fill(strategy.setdefault("rollingUpdate", {}), maxSurge="25%", maxUnavailable="25%")


def _daemon_set(obj: Fields) -> None:
    spec = obj["spec"]
    _fill(spec, revisionHistoryLimit=10)
    strategy = spec["updateStrategy"]
    _fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _fill(strategy.setdefault("rollingUpdate", {}), maxSurge=0, maxUnavailable=1)
    annotations = obj["metadata"].setdefault("annotations", {})
    annotations.setdefault("deprecated.daemonset.template.generation", "0")


def _stateful_set(obj: Fields) -> None:
    spec = obj["spec"]
    _fill(spec, podManagementPolicy="OrderedReady", replicas=1, revisionHistoryLimit=10)
    strategy = spec["updateStrategy"]
    if "type" not in strategy:
        _fill(strategy, type="RollingUpdate", rollingUpdate={})
    if strategy["type"] == "RollingUpdate" and "rollingUpdate" in strategy:
        _fill(strategy["rollingUpdate"], partition=0, maxUnavailable=1)
    policy = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    _fill(policy, whenDeleted="Retain", whenScaled="Retain")
    for claim in spec.get("volumeClaimTemplates", ()):
        _fill(claim, apiVersion="v1", kind="PersistentVolumeClaim")


def _job(obj: Fields) -> None:
    spec = obj["spec"]
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    _fill(
        spec,
        parallelism=1,
        backoffLimit=2**31 - 1 if "backoffLimitPerIndex" in spec else 6,
        completionMode="NonIndexed",
        suspend=False,
        manualSelector=False,
        podReplacementPolicy="Failed" if "podFailurePolicy" in spec else "TerminatingOrFailed",
    )
    labels = spec["template"]["metadata"].get("labels")
    if labels:
        obj["metadata"].setdefault("labels", dict(labels))


def _condition_pattern(obj: Fields) -> None:
    obj["status"] = obj["status"] or "True"


def _service(obj: Fields) -> None:
    spec = obj["spec"]
    _fill(spec, sessionAffinity="None", type="ClusterIP")
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    elif spec["sessionAffinity"] == "ClientIP":
        config = spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {})
        _fill(config, timeoutSeconds=10800)
    for port in spec.get("ports", ()):
        port["targetPort"] = port["targetPort"] or port["port"]
    type_ = spec["type"]
    if type_ in {"NodePort", "LoadBalancer"} or (type_ == "ClusterIP" and spec.get("externalIPs")):
        _fill(spec, externalTrafficPolicy="Cluster")
    if type_ in {"ClusterIP", "NodePort", "LoadBalancer"}:
        _fill(spec, internalTrafficPolicy="Cluster")
    if type_ == "LoadBalancer":
        _fill(spec, allocateLoadBalancerNodePorts=True)
        for address in obj["status"]["loadBalancer"].get("ingress", ()):
            if address.get("ip"):
                _fill(address, ipMode="VIP")


def _secret(obj: Fields) -> None:
    plain = obj.pop("stringData", None)
    if plain:
        encoded = {name: base64.b64encode(it.encode()).decode() for name, it in plain.items()}
        obj["data"] = {**obj.get("data", {}), **encoded}


def _replication_controller(obj: Fields) -> None:
    labels = obj["spec"].get("template", {}).get("metadata", {}).get("labels")
    if labels:
        _fill(obj["spec"], selector=dict(labels))
        _fill(obj["metadata"], labels=dict(labels))


def _namespace(obj: Fields) -> None:
    """The label that holds its name; nobody can take it away."""
    name = obj["metadata"].get("name")
    if name:
        obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = name


def _node_status(obj: Fields) -> None:
    if "capacity" in obj:
        _fill(obj, allocatable=dict(obj["capacity"]))


def _pod_status(obj: Fields) -> None:
    if "podIP" in obj and (obj.get("podIPs") or [{}])[0].get("ip") != obj["podIP"]:
        obj["podIPs"] = [{"ip": obj["podIP"]}]
    elif "podIPs" in obj:
        _fill(obj, podIP=obj["podIPs"][0]["ip"])


def _limit_range_item(obj: Fields) -> None:
    if obj["type"] != "Container":
        return
    limits = {**obj.get("max", {}), **obj.get("default", {})}
    requests = {**obj.get("min", {}), **limits, **obj.get("defaultRequest", {})}
    for name, values in (("default", limits), ("defaultRequest", requests)):
        if values:
            obj[name] = values


def _network_policy_spec(obj: Fields) -> None:
    _fill(obj, policyTypes=["Ingress", *(["Egress"] if obj.get("egress") else [])])


def _role_binding(obj: Fields) -> None:
    obj["roleRef"]["apiGroup"] = obj["roleRef"]["apiGroup"] or _RBAC


def _subject(obj: Fields) -> None:
    if obj["kind"] in {"User", "Group"}:
        _fill(obj, apiGroup=_RBAC)


def _autoscaler_v1(obj: Fields) -> None:
    _fill(obj["spec"], minReplicas=1, targetCPUUtilizationPercentage=80)


def _scaling(percent: int, stabilization: int, *pods: Fields) -> Fields:
    policies = [*pods, {"type": "Percent", "value": percent, "periodSeconds": 15}]
    return {
        "stabilizationWindowSeconds": stabilization,
        "selectPolicy": "Max",
        "policies": policies,
    }


def _autoscaler(obj: Fields) -> None:
    spec = obj["spec"]
    target = {"type": "Utilization", "averageUtilization": 80}
    metric = {"type": "Resource", "resource": {"name": "cpu", "target": target}}
    _fill(spec, minReplicas=1, metrics=[metric])
    behavior = spec.get("behavior")
    if behavior is not None:
        pods = {"type": "Pods", "value": 4, "periodSeconds": 15}
        _fill(behavior.setdefault("scaleUp", {}), **_scaling(100, 0, pods))
        down = _scaling(100, 0)
        del down["stabilizationWindowSeconds"]
        _fill(behavior.setdefault("scaleDown", {}), **down)


def _custom_names(obj: Fields) -> None:
    kind = obj.get("kind", "")
    if kind:
        _fill(obj, singular=kind.lower(), listKind=f"{kind}List")


def _flow_schema_spec(obj: Fields) -> None:
    obj["matchingPrecedence"] = obj["matchingPrecedence"] or 1000


def _queuing(obj: Fields) -> None:
    for name, value in (("handSize", 8), ("queues", 64), ("queueLengthLimit", 50)):
        obj[name] = obj[name] or value


#: What depends on other fields; after ``FIXED``, in the object's place or at the root of a kind.
RULES: Final[Mapping[str, tuple[Callable[[Fields], None], ...]]] = {
    "RbacV1Subject": (_subject,),
    "V1ClusterRoleBinding": (_role_binding,),
    "V1Container": (_container,),
    "V1CustomResourceDefinitionNames": (_custom_names,),
    "V1DaemonSet": (_daemon_set,),
    "V1Deployment": (_deployment,),
    "V1EphemeralContainer": (_container,),
    "V1FlowSchemaSpec": (_flow_schema_spec,),
    "V1HorizontalPodAutoscaler": (_autoscaler_v1,),
    "V1Job": (_job,),
    "V1LimitRangeItem": (_limit_range_item,),
    "V1Namespace": (_namespace,),
    "V1NetworkPolicySpec": (_network_policy_spec,),
    "V1NodeStatus": (_node_status,),
    "V1Pod": (_pod,),
    "V1PodFailurePolicyOnPodConditionsPattern": (_condition_pattern,),
    "V1PodSpec": (_pod_spec,),
    "V1PodStatus": (_pod_status,),
    "V1QueuingConfiguration": (_queuing,),
    "V1ReplicationController": (_replication_controller,),
    "V1RoleBinding": (_role_binding,),
    "V1Secret": (_secret,),
    "V1Service": (_service,),
    "V1StatefulSet": (_stateful_set,),
    "V1Volume": (_volume,),
    "V2HorizontalPodAutoscaler": (_autoscaler,),
}
