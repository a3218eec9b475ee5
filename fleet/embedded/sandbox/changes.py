"""What may not change on a stored object of a built-in kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from fleet.embedded.sandbox.objects import Object, at
from fleet.embedded.sandbox.statuses import Cause, forbidden_field, invalid_value

_IMMUTABLE: Final = "field is immutable"
#: Model → paths that stay as they are.
_FIXED: Final[Mapping[str, tuple[str, ...]]] = {
    "V1CustomResourceDefinition": ("spec.group", "spec.scope", "spec.names.plural"),
    "V1DaemonSet": ("spec.selector",),
    "V1Deployment": ("spec.selector",),
    "V1EndpointSlice": ("addressType",),
    "V1IngressClass": ("spec.controller",),
    "V1PriorityClass": ("value",),
    "V1ReplicaSet": ("spec.selector",),
    "V1RuntimeClass": ("handler",),
    "V1Secret": ("type",),
    "V1StatefulSet": (
        "spec.serviceName",
        "spec.podManagementPolicy",
        "spec.selector",
        "spec.volumeClaimTemplates",
    ),
}


def forbidden_changes(obj: Object, before: Object, model: str) -> Iterator[Cause]:
    """What differs and may not."""
    for path in _FIXED.get(model, ()):
        new, old = (at(it, *path.split(".")) for it in (obj, before))
        if new != old:
            yield invalid_value(path, new, _IMMUTABLE)
    rule = _RULES.get(model)
    if rule is not None:
        yield from rule(obj, before)


def _without(obj: Any, *names: str) -> dict[str, Any]:
    return {name: it for name, it in (obj or {}).items() if name not in names}


def _job(obj: Object, before: Object) -> Iterator[Cause]:
    new, old = obj["spec"], before["spec"]
    fixed = ["selector", "template", "completionMode", "podFailurePolicy", "backoffLimitPerIndex"]
    if old.get("suspend") and not at(before, "status", "startTime"):
        fixed.remove("template")  # scheduling directives of a job that never started
    if new.get("completionMode") != "Indexed" or new.get("completions") != new.get("parallelism"):
        fixed.append("completions")
    for name in fixed:
        if new.get(name) != old.get(name):
            yield invalid_value(f"spec.{name}", new.get(name), _IMMUTABLE)


def _pod(obj: Object, before: Object) -> Iterator[Cause]:
    new, old = _settled(obj["spec"], before["spec"]), _settled(before["spec"], before["spec"])
    if len(obj["spec"].get("containers") or ()) != len(before["spec"].get("containers") or ()):
        yield forbidden_field("spec.containers", "pod updates may not add or remove containers")
    elif new != old:
        yield forbidden_field(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only"
            " additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to"
            " be set to 1 if it was previously negative)",
        )


def _settled(spec: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """The spec of a pod without what may change."""
    left = _without(
        spec, "activeDeadlineSeconds", "tolerations", "schedulingGates", "ephemeralContainers"
    )
    for name in ("containers", "initContainers"):
        left[name] = [_without(it, "image", "resources") for it in spec.get(name) or ()]
    if not before.get("nodeName"):  # binding sets it
        left.pop("nodeName", None)
    return left


def _claim(obj: Object, before: Object) -> Iterator[Cause]:
    new, old = (_without(it["spec"], "volumeAttributesClassName") for it in (obj, before))
    new["resources"], old["resources"] = (
        _without(it["resources"], "requests") for it in (new, old)
    )
    if not old.get("volumeName"):  # binding sets it
        new.pop("volumeName", None)
    if old.get("storageClassName") is None:
        new.pop("storageClassName", None)
    if new != old:
        yield forbidden_field(
            "spec",
            "spec is immutable after creation except resources.requests and"
            " volumeAttributesClassName for bound claims",
        )


def _service(obj: Object, before: Object) -> Iterator[Cause]:
    new, old = obj["spec"], before["spec"]
    if "ExternalName" in {new["type"], old["type"]} or not old.get("clusterIP"):
        return
    if new.get("clusterIP") != old["clusterIP"]:
        addresses = new.get("clusterIPs") or [new.get("clusterIP")]
        yield invalid_value("spec.clusterIPs[0]", addresses, "may not change once set")


def _binding(obj: Object, before: Object) -> Iterator[Cause]:
    if obj["roleRef"] != before["roleRef"]:
        yield invalid_value("roleRef", obj["roleRef"], _IMMUTABLE)


def _frozen(obj: Object, before: Object) -> Iterator[Cause]:
    """ConfigMaps and Secrets that say ``immutable: true``."""
    if not before.get("immutable"):
        return
    for name in ("immutable", "data", "binaryData"):
        if obj.get(name) != before.get(name):
            yield forbidden_field(name, "field is immutable when `immutable` is set")


def _storage_class(obj: Object, before: Object) -> Iterator[Cause]:
    for name in ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"):
        if obj.get(name) != before.get(name):
            yield forbidden_field(name, f"updates to {name} are forbidden.")


_RULES: Final[Mapping[str, Callable[[Object, Object], Iterator[Cause]]]] = {
    "V1ClusterRoleBinding": _binding,
    "V1ConfigMap": _frozen,
    "V1Job": _job,
    "V1PersistentVolumeClaim": _claim,
    "V1Pod": _pod,
    "V1RoleBinding": _binding,
    "V1Secret": _frozen,
    "V1Service": _service,
    "V1StorageClass": _storage_class,
}
