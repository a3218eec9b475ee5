"""Rules within one object of a built-in model that its types do not tell.

A rule gets the object and its path, and yields what is wrong; at the root of a kind, the path is
empty and the object has its metadata.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterator, Mapping
from typing import Any, Final

from fleet.embedded.sandbox.cronrules import cron_problem
from fleet.embedded.sandbox.names import label_causes
from fleet.embedded.sandbox.objects import at
from fleet.embedded.sandbox.podrules import POD_RULES, Fields, Rule
from fleet.embedded.sandbox.quantities import amount
from fleet.embedded.sandbox.selectors import matches
from fleet.embedded.sandbox.statuses import (
    Cause,
    forbidden_field,
    invalid_value,
    required_field,
    too_long,
    unsupported_value,
)
from fleet.embedded.sandbox.structural import structural_causes
from fleet.embedded.sandbox.trafficrules import TRAFFIC_RULES

_KEY: Final = re.compile(r"[-._a-zA-Z0-9]+")
_PERCENT: Final = re.compile(r"[0-9]+%")
_JOB_UID: Final = "batch.kubernetes.io/controller-uid"
_LARGEST_DATA: Final = 1024 * 1024
_LARGEST_PRIORITY: Final = 1_000_000_000
_NEVER: Final = 2**31
_APPS_KINDS: Final = ("Deployment", "ReplicaSet", "StatefulSet")
_RBAC_KINDS: Final = ("ServiceAccount", "User", "Group")


def _template(kind: str) -> Rule:
    """The rules of a kind that keeps pods running: its selector matches what it makes."""

    def rule(obj: Fields, _: str) -> Iterator[Cause]:
        selector, labels = at(obj, "spec", "selector"), _template_labels(obj)
        if selector is None:
            yield required_field("spec.selector")
        elif not selector:
            why = f"empty selector is invalid for {kind}"
            yield invalid_value("spec.selector", selector, why)
        if not matches(selector, labels or {}):
            why = "`selector` does not match template `labels`"
            yield invalid_value("spec.template.metadata.labels", labels, why)
        yield from label_causes(labels or {}, "spec.template.labels")
        policy = at(obj, "spec", "template", "spec", "restartPolicy")
        if policy not in {None, "Always"}:
            path = "spec.template.spec.restartPolicy"
            yield unsupported_value(path, policy, ["Always"])

    return rule


def _template_labels(obj: Fields) -> Any:
    return at(obj, "spec", "template", "metadata", "labels")


def _strategy(name: str, kinds: tuple[str, ...]) -> Rule:
    def rule(spec: Fields, path: str) -> Iterator[Cause]:
        if spec[name].get("type") not in {None, *kinds}:
            yield unsupported_value(f"{path}.{name}", spec[name], kinds)

    return rule


def _stateful_set_spec(spec: Fields, path: str) -> Iterator[Cause]:
    policy, strategy = spec.get("podManagementPolicy"), spec["updateStrategy"]
    if policy not in {None, "OrderedReady", "Parallel"}:
        why = "must be 'OrderedReady' or 'Parallel'"
        yield invalid_value(f"{path}.podManagementPolicy", policy, why)
    if strategy.get("type") not in {None, "RollingUpdate", "OnDelete"}:
        why = "must be 'RollingUpdate' or 'OnDelete'"
        yield invalid_value(f"{path}.updateStrategy", strategy, why)


def _requirement(it: Fields, path: str) -> Iterator[Cause]:
    operator, values = it["operator"], it.get("values")
    if operator in {"In", "NotIn"} and not values:
        why = "must be specified when `operator` is 'In' or 'NotIn'"
        yield required_field(f"{path}.values", why)
    elif operator in {"Exists", "DoesNotExist"} and values:
        why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
        yield forbidden_field(f"{path}.values", why)
    elif operator not in {"In", "NotIn", "Exists", "DoesNotExist"}:
        yield invalid_value(f"{path}.operator", operator, "not a valid selector operator")


def _priority(obj: Fields, _: str) -> Iterator[Cause]:
    if obj["value"] > _LARGEST_PRIORITY and not at(obj, "metadata", "name").startswith("system-"):
        why = f"maximum allowed value of a user defined priority is {_LARGEST_PRIORITY}"
        yield forbidden_field("value", why)


def _deployment_spec(spec: Fields, path: str) -> Iterator[Cause]:
    strategy = spec["strategy"]
    if strategy.get("type") == "Recreate" and "rollingUpdate" in strategy:
        why = "may not be specified when strategy `type` is 'Recreate'"
        yield forbidden_field(f"{path}.strategy.rollingUpdate", why)
    if spec.get("minReadySeconds", 0) >= spec.get("progressDeadlineSeconds", _NEVER):
        why = "must be greater than minReadySeconds"
        where = f"{path}.progressDeadlineSeconds"
        yield invalid_value(where, spec["progressDeadlineSeconds"], why)


def _pace(update: Fields, path: str) -> Iterator[Cause]:
    """How many Pods at once a Deployment replaces."""
    most = update.get("maxUnavailable")
    if _is_nothing(most) and _is_nothing(update.get("maxSurge")):
        why = "may not be 0 when `maxSurge` is 0"
        yield invalid_value(f"{path}.maxUnavailable", most, why)
    if isinstance(most, str) and _PERCENT.fullmatch(most) and int(most[:-1]) > 100:
        yield invalid_value(f"{path}.maxUnavailable", most, "must not be greater than 100%")


def _daemon_pace(update: Fields, path: str) -> Iterator[Cause]:
    if all(_is_nothing(update.get(name)) for name in ("maxUnavailable", "maxSurge")):
        yield required_field(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0")


def _is_nothing(count: object) -> bool:
    return count in (0, "0%")


def _job_spec(spec: Fields, path: str) -> Iterator[Cause]:
    policy = spec["template"]["spec"].get("restartPolicy")
    where = f"{path}.template.spec.restartPolicy"
    if policy in {None, "", "Always"}:
        yield required_field(where, 'valid values: "OnFailure", "Never"')


def _job(obj: Fields, _: str) -> Iterator[Cause]:
    spec = obj["spec"]
    selector, labels = spec.get("selector"), _template_labels(obj) or {}
    if selector is None:
        yield required_field("spec.selector")
    elif not spec.get("manualSelector") and set(selector.get("matchLabels") or ()) != {_JOB_UID}:
        yield invalid_value("spec.selector", selector, "`selector` not auto-generated")
    if not matches(selector, labels):
        why = "`selector` does not match template `labels`"
        yield invalid_value("spec.template.metadata.labels", labels or None, why)


def _cron_job_spec(spec: Fields, path: str) -> Iterator[Cause]:
    schedule = spec["schedule"]
    words = schedule.split()
    if schedule and not schedule.startswith("@") and len(words) != 5:
        why = f"expected exactly 5 fields, found {len(words)}: [{' '.join(words)}]"
        yield invalid_value(f"{path}.schedule", schedule, why)
    elif len(words) == 5 and (why := cron_problem(words)):
        yield invalid_value(f"{path}.schedule", schedule, why)
    zone = spec.get("timeZone")
    if zone and zone not in zoneinfo.available_timezones():
        yield invalid_value(f"{path}.timeZone", zone, f"unknown time zone {zone}")


def _cron_job(obj: Fields, _: str) -> Iterator[Cause]:
    name = at(obj, "metadata", "name") or ""
    if len(name) > 52:
        yield invalid_value("metadata.name", name, "must be no more than 52 characters")


def _keys(obj: Fields, _: str) -> Iterator[Cause]:
    """The keys of a ConfigMap or Secret."""
    for field in ("data", "binaryData"):
        for key in obj.get(field) or ():
            if len(key) > 253 or not _KEY.fullmatch(key):
                why = "a valid config key must consist of letters, digits, '-', '_' and '.'"
                yield invalid_value(f"{field}[{key}]", key, why)
    for key in {*(obj.get("data") or ())} & {*(obj.get("binaryData") or ())}:
        yield invalid_value(f"data[{key}]", key, "duplicate of key present in binaryData")
    size = sum(len(it) for name in ("data", "binaryData") for it in (obj.get(name) or {}).values())
    if size > _LARGEST_DATA:
        yield too_long("data" if obj["kind"] == "Secret" else "[]", _LARGEST_DATA)
    for key in _SECRET_KEYS.get(str(obj.get("type") or ""), ()):
        if key not in (obj.get("data") or {}):
            yield required_field(f"data[{key}]")


_SECRET_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


def _claim_spec(spec: Fields, path: str) -> Iterator[Cause]:
    if not spec.get("accessModes"):
        yield required_field(f"{path}.accessModes", "at least 1 access mode is required")
    size = at(spec, "resources", "requests", "storage")
    where = f"{path}.resources[storage]"
    if size is None:
        yield required_field(where)
    elif amount(size) <= 0:
        yield invalid_value(where, size, "must be greater than zero")
    modes = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
    for mode in spec.get("accessModes") or ():
        if mode not in modes:
            yield unsupported_value(f"{path}.accessModes", mode, modes)


def _policy_rule(rule: Fields, path: str) -> Iterator[Cause]:
    if rule.get("nonResourceURLs"):
        return
    for name, word in (("apiGroups", "api group"), ("resources", "resource")):
        if not rule.get(name):
            yield required_field(
                f"{path}.{name}", f"resource rules must supply at least one {word}"
            )


def _role_ref(kinds: tuple[str, ...]) -> Rule:
    def rule(obj: Fields, _: str) -> Iterator[Cause]:
        kind = obj["roleRef"]["kind"]
        if kind not in kinds:
            yield unsupported_value("roleRef.kind", kind, kinds)

    return rule


def _subject(subject: Fields, path: str) -> Iterator[Cause]:
    if subject["kind"] not in _RBAC_KINDS:
        yield unsupported_value(f"{path}.kind", subject["kind"], _RBAC_KINDS)
    elif subject["kind"] == "ServiceAccount" and not subject.get("namespace"):
        yield required_field(f"{path}.namespace")


def _budget_spec(spec: Fields, path: str) -> Iterator[Cause]:
    names = [name for name in ("minAvailable", "maxUnavailable") if name in spec]
    if len(names) == 2:
        why = "minAvailable and maxUnavailable cannot be both set"
        yield invalid_value(path, dict(spec), why)
    for name in names:
        value = spec[name]
        if isinstance(value, str) and not _PERCENT.fullmatch(value):
            why = "a valid percent string must be digits followed by '%'"
            yield invalid_value(f"{path}.{name}", value, why)
        elif isinstance(value, int) and value < 0:
            yield invalid_value(f"{path}.{name}", value, "must be greater than or equal to 0")


def _autoscaler_spec(spec: Fields, path: str) -> Iterator[Cause]:
    most = spec["maxReplicas"]
    if most < spec.get("minReplicas", 1):
        why = "must be greater than or equal to `minReplicas`"
        yield invalid_value(f"{path}.maxReplicas", most, why)
    if not most:
        yield required_field(f"{path}.maxReplicas")
    target = spec["scaleTargetRef"]
    if target.get("kind") in _APPS_KINDS and "/" not in (target.get("apiVersion") or ""):
        why = "apiVersion must specify API group"
        yield invalid_value(f"{path}.scaleTargetRef.apiVersion", target.get("apiVersion", ""), why)


def _metric(metric: Fields, path: str) -> Iterator[Cause]:
    kind = metric.get("type") or ""
    name = kind[:1].lower() + kind[1:]
    if kind and not metric.get(name):
        why = "must populate information for the given metric source"
        yield required_field(f"{path}.{name}", why)


def _definition(obj: Fields, _: str) -> Iterator[Cause]:
    spec = obj["spec"]
    name, plural, group = obj["metadata"].get("name"), spec["names"]["plural"], spec["group"]
    if name != f"{plural}.{group}":
        why = 'must be spec.names.plural+"."+spec.group'
        yield invalid_value("metadata.name", name, why)
    if spec["scope"] not in {"", "Cluster", "Namespaced"}:
        yield unsupported_value("spec.scope", spec["scope"], ["Cluster", "Namespaced"])
    versions = spec.get("versions") or ()
    if sum(bool(version.get("storage")) for version in versions) != 1:
        why = "must have exactly one version marked as storage version"
        yield invalid_value("spec.versions", versions or None, why)
    if not at(obj, "status", "storedVersions"):
        why = "must have at least one stored version"
        yield invalid_value("status.storedVersions", None, why)
    for index, version in enumerate(versions):
        schema = at(version, "schema", "openAPIV3Schema")
        path = f"spec.versions[{index}].schema.openAPIV3Schema"
        if schema is None:
            yield required_field(path)
            continue
        if len(versions) == 1:
            path = "spec.validation.openAPIV3Schema"
        yield from structural_causes(schema, path)


def _hard(spec: Fields, path: str) -> Iterator[Cause]:
    for name, value in (spec.get("hard") or {}).items():
        if amount(value) < 0:
            yield invalid_value(f"{path}.hard[{name}]", value, "must be greater than or equal to 0")


INVARIANTS: Final[Mapping[str, tuple[Rule, ...]]] = {
    **POD_RULES,
    **TRAFFIC_RULES,
    "RbacV1Subject": (_subject,),
    "V1ClusterRoleBinding": (_role_ref(("ClusterRole",)),),
    "V1ConfigMap": (_keys,),
    "V1CronJob": (_cron_job,),
    "V1CronJobSpec": (_cron_job_spec,),
    "V1CustomResourceDefinition": (_definition,),
    "V1DaemonSet": (_template("daemonset"),),
    "V1Deployment": (_template("deployment"),),
    "V1DaemonSetSpec": (_strategy("updateStrategy", ("RollingUpdate", "OnDelete")),),
    "V1DeploymentSpec": (_strategy("strategy", ("Recreate", "RollingUpdate")), _deployment_spec),
    "V1HorizontalPodAutoscalerSpec": (_autoscaler_spec,),
    "V1Job": (_job,),
    "V1JobSpec": (_job_spec,),
    "V1LabelSelectorRequirement": (_requirement,),
    "V1PersistentVolumeClaimSpec": (_claim_spec,),
    "V1PodDisruptionBudgetSpec": (_budget_spec,),
    "V1PolicyRule": (_policy_rule,),
    "V1PriorityClass": (_priority,),
    "V1ReplicaSet": (_template("replicaset"),),
    "V1ResourceQuotaSpec": (_hard,),
    "V1RoleBinding": (_role_ref(("Role", "ClusterRole")),),
    "V1RollingUpdateDaemonSet": (_daemon_pace,),
    "V1RollingUpdateDeployment": (_pace,),
    "V1Secret": (_keys,),
    "V1StatefulSet": (_template("statefulset"),),
    "V1StatefulSetSpec": (_stateful_set_spec,),
    "V2HorizontalPodAutoscalerSpec": (_autoscaler_spec,),
    "V2MetricSpec": (_metric,),
}
