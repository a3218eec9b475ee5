"""Whether an object may be stored: required fields, known values, names, what may not change.

The order and the wording of causes follow the API server where clients look at them: the reason,
the field and the words before the second colon. Explanations after that are our own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from fleet.embedded.sandbox.changes import forbidden_changes
from fleet.embedded.sandbox.claiming import with_claimed_volumes
from fleet.embedded.sandbox.customs import schema_causes
from fleet.embedded.sandbox.invariants import INVARIANTS
from fleet.embedded.sandbox.kinds import Kind
from fleet.embedded.sandbox.names import metadata_causes
from fleet.embedded.sandbox.objects import Object
from fleet.embedded.sandbox.shapes import ANY, Shape
from fleet.embedded.sandbox.statuses import (
    Cause,
    invalid_value,
    required_field,
    unsupported_value,
)

#: Fields that the published types require and the API server takes empty all the same.
_MAY_BE_EMPTY: Final = {
    ("CoreV1Event", "involvedObject"),
    ("V1CSINodeSpec", "drivers"),
    ("V1ControllerRevision", "revision"),
    ("V1EndpointSlice", "endpoints"),
    ("V1HTTPIngressPath", "pathType"),
    ("V1HostPathVolumeSource", "path"),
    ("V1LimitRangeItem", "type"),
    ("V1NonResourcePolicyRule", "nonResourceURLs"),
    ("V1ObjectReference", "name"),
    ("V1ResourceClaimSpec", "devices"),
    ("V1RoleRef", "apiGroup"),
    ("V1RoleRef", "kind"),
    ("V1CustomResourceDefinitionSpec", "versions"),
}
#: Known values that are checked by a rule, because it names another field or says it otherwise.
_HAS_RULE: Final = {
    ("V1DaemonSetUpdateStrategy", "type"),
    ("V1DeploymentStrategy", "type"),
    ("V1NodeSelectorRequirement", "operator"),
    ("V1PersistentVolumeClaimSpec", "accessModes"),
    ("V1StatefulSetSpec", "podManagementPolicy"),
    ("V1StatefulSetUpdateStrategy", "type"),
}
#: Parts of a kind that are looked at elsewhere, or not at all.
_NOT_WALKED: Final = frozenset({"metadata", "status"})
#: Figures that cannot be negative, wherever they stand.
_NOT_NEGATIVE: Final = frozenset(
    {
        "activeDeadlineSeconds",
        "backoffLimit",
        "completions",
        "failedJobsHistoryLimit",
        "initialDelaySeconds",
        "minReadySeconds",
        "minReplicas",
        "parallelism",
        "progressDeadlineSeconds",
        "replicas",
        "revisionHistoryLimit",
        "successfulJobsHistoryLimit",
        "ttlSecondsAfterFinished",
    }
)


def validate(obj: Object, kind: Kind, before: Object | None) -> list[Cause]:
    """Everything that is wrong with a new object, or with a changed one.

    Args:
        obj: as it would be stored: defaults filled in.
        before: what is stored now; None when the object is new.
    """
    causes = [*metadata_causes(obj, kind)]
    if kind.custom is not None:
        return [*causes, *schema_causes(obj, kind.custom)]
    shape = kind.shape
    causes += _walk(with_claimed_volumes(obj), shape, "")
    causes += _status(obj)
    if before is not None:
        causes += forbidden_changes(obj, before, shape.model)
    return causes


def _walk(value: Mapping[str, Any], shape: Shape, path: str) -> Iterator[Cause]:
    """Required fields and known values below one object, and the rules of its model."""
    rules = [cause for rule in INVARIANTS.get(shape.model, ()) for cause in rule(value, path)]
    if not path:  # those of a kind come before those of its parts
        yield from rules
    for name in sorted(shape.required):
        of = shape.fields[name]
        empty = not value.get(name) and of.type in {"string", "list"}
        if empty and (shape.model, name) not in _MAY_BE_EMPTY:
            yield required_field(_at(path, name))
    for name, it in value.items():
        known = shape.fields.get(name)
        if known is None or it is None or (not path and name in _NOT_WALKED):
            continue
        if (shape.model, name) not in _HAS_RULE:
            yield from _value(it, known, _at(path, name))
    if path:
        yield from rules


def _value(value: Any, shape: Shape, path: str) -> Iterator[Cause]:
    if shape.type == "object":
        yield from _walk(value, shape, path)
    elif shape.type == "list":
        for index, it in enumerate(value or ()):  # null in a map of lists is an empty list
            yield from _value(it, shape.items or ANY, f"{path}[{index}]")
    elif shape.type == "map" and shape.items and shape.items.type in {"object", "list"}:
        for name, it in value.items():
            yield from _value(it, shape.items, f"{path}[{name}]")
    elif shape.enum and value and value not in shape.enum:
        yield unsupported_value(path, value, [it for it in shape.enum if it])
    elif shape.type == "integer" and value < 0 and path.rpartition(".")[2] in _NOT_NEGATIVE:
        yield invalid_value(path, value, "must be greater than or equal to 0")


#: Counts of a status that are part of its ``replicas``.
_OF_REPLICAS: Final = ("updatedReplicas", "readyReplicas", "availableReplicas")


def _status(obj: Object) -> Iterator[Cause]:
    """The counts of a workload's status."""
    status = obj.get("status")
    if not isinstance(status, Mapping):
        return
    for name, it in status.items():
        if isinstance(it, int) and it < 0 and name.endswith(("eplicas", "Generation")):
            yield invalid_value(f"status.{name}", it, "must be greater than or equal to 0")
    if obj["kind"] == "Deployment":
        for name in _OF_REPLICAS:
            if status.get(name, 0) > status.get("replicas", 0):
                why = "cannot be greater than status.replicas"
                yield invalid_value(f"status.{name}", status.get(name, 0), why)


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def unknown_fields(obj: Object, shape: Shape) -> list[str]:
    """The fields that a kind does not have, as ``unknown field "spec.template.foo"``.

    Those of a built-in kind come in the order of the object, those of a custom kind sorted.
    """
    found = list(_unknown(obj, shape, ""))
    return [f'unknown field "{path}"' for path in (found if shape.model else sorted(found))]


def _unknown(value: Any, shape: Shape, path: str) -> Iterator[str]:
    if isinstance(value, list):
        for index, it in enumerate(value):
            yield from _unknown(it, shape.items or ANY, f"{path}[{index}]")
    elif isinstance(value, dict) and shape.type in {"object", "map"}:
        for name, it in value.items():
            of = shape.fields.get(name) or (shape.items if shape.type == "map" else None)
            if of is not None:
                yield from _unknown(it, of, _at(path, name))
            elif not shape.preserve_unknown:
                yield _at(path, name)
