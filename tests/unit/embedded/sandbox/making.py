"""Objects for tests, as they come out of decoding, and a custom kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleet.embedded.sandbox.admitting import admitted
from fleet.embedded.sandbox.defaulting import set_defaults
from fleet.embedded.sandbox.kinds import ALL_VERBS, Custom, Kind, builtin_kind
from fleet.embedded.sandbox.objects import Object, with_meta
from fleet.embedded.sandbox.validating import validate

POD = {"containers": [{"name": "c", "image": "i"}]}
SELECTOR = {"matchLabels": {"a": "b"}}
APPS, CORE, RBAC = "apps/v1", "v1", "rbac.authorization.k8s.io/v1"
REQUIRED, INVALID, UNSUPPORTED, FORBIDDEN, DUPLICATE = (
    f"FieldValue{word}"
    for word in ("Required", "Invalid", "NotSupported", "Forbidden", "Duplicate")
)


def template(pod: Any = POD) -> Object:
    return {"metadata": {"labels": {"a": "b"}}, "spec": pod}


def made(api_version: str, kind: str, *, name: str = "x", **parts: Any) -> Object:
    metadata = {"name": name, **parts.pop("metadata", {})}
    obj = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **parts}
    return set_defaults(obj, builtin_kind(api_version, kind))


def wrong(obj: Object, before: Object | None = None) -> set[tuple[str, str]]:
    kind = builtin_kind(obj["apiVersion"], obj["kind"])
    return {(cause.reason, cause.field) for cause in validate(obj, kind, before)}


def pod(**container: Any) -> Object:
    return made(CORE, "Pod", spec={"containers": [{"name": "c", "image": "i", **container}]})


def deployment(spec: Any = POD, **more: Any) -> Object:
    given = {"selector": SELECTOR, "template": template(spec), **more}
    return made(APPS, "Deployment", spec=given)


def service(*ports: Any, **spec: Any) -> Object:
    return made(CORE, "Service", spec={"ports": list(ports), **spec})


def changed(obj: Object, **parts: Any) -> Object:
    """The object with other parts; those of an object are merged into it."""
    found = {
        name: {**obj.get(name, {}), **it} if isinstance(it, dict) else it
        for name, it in parts.items()
    }
    return {**obj, **found}


def job(**spec: Any) -> Object:
    given = {"template": template({**POD, "restartPolicy": "Never"}), **spec}
    obj = with_meta(made("batch/v1", "Job", spec=given), uid="u-1")
    return admitted(obj, None, group="batch", plural="jobs", services=list)


def claim(**spec: Any) -> Object:
    given = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        **spec,
    }
    return made(CORE, "PersistentVolumeClaim", spec=given)


def workload(kind: str, **spec: Any) -> Object:
    return made(APPS, kind, spec={"selector": SELECTOR, "template": template(), **spec})


def custom_kind(schema: Mapping[str, Any]) -> Kind:
    """``Widget`` of group ``a.b``, with this schema."""
    return Kind(
        group="a.b",
        version="v1",
        kind="Widget",
        list_kind="WidgetList",
        plural="widgets",
        singular="widget",
        short_names=(),
        namespaced=True,
        categories=(),
        subresources=("status",),
        verbs=ALL_VERBS,
        model="",
        storage=("a.b", "widgets"),
        custom=Custom(crd="widgets.a.b", schema=schema, scale={}, columns=()),
    )
