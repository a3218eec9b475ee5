"""What a kind does with its objects before they are stored: which parts a request may write,
what the server fills in, and what counts as a new generation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fleet.embedded.sandbox.fieldsets import FieldSet, path_set
from fleet.embedded.sandbox.kinds import Kind
from fleet.embedded.sandbox.objects import Object, at, labels_of, meta_of, with_meta

_ADMISSION = "admissionregistration.k8s.io"
#: Built-in kinds whose objects count their generations; custom kinds all do.
_COUNTED = frozenset(
    {
        ("", "pods"),
        ("", "replicationcontrollers"),
        ("autoscaling", "horizontalpodautoscalers"),
        ("apps", "daemonsets"),
        ("apps", "deployments"),
        ("apps", "replicasets"),
        ("apps", "statefulsets"),
        ("batch", "cronjobs"),
        ("batch", "jobs"),
        ("networking.k8s.io", "ingressclasses"),
        ("networking.k8s.io", "ingresses"),
        ("networking.k8s.io", "networkpolicies"),
        ("policy", "poddisruptionbudgets"),
        ("discovery.k8s.io", "endpointslices"),
        ("scheduling.k8s.io", "priorityclasses"),
        ("apiextensions.k8s.io", "customresourcedefinitions"),
        (_ADMISSION, "mutatingadmissionpolicies"),
        (_ADMISSION, "mutatingadmissionpolicybindings"),
        (_ADMISSION, "mutatingwebhookconfigurations"),
        (_ADMISSION, "validatingadmissionpolicies"),
        (_ADMISSION, "validatingadmissionpolicybindings"),
        (_ADMISSION, "validatingwebhookconfigurations"),
        ("flowcontrol.apiserver.k8s.io", "flowschemas"),
        ("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations"),
    }
)
#: Subresources that change nothing that was wished for.
_NO_WISH = frozenset({"status", "approval", "binding"})
#: Metadata whose change makes a new generation too.
_METADATA_COUNTS: dict[tuple[str, str], tuple[str, ...]] = {
    ("apps", "deployments"): ("annotations",),
    ("discovery.k8s.io", "endpointslices"): ("annotations", "labels", "ownerReferences"),
}
#: Their status is written with the rest: a kubelet registers its node with it.
_WRITE_STATUS = frozenset({("", "nodes"), ("", "namespaces")})


def counts_generations(kind: Kind) -> bool:
    """Whether objects of this kind have a generation."""
    return kind.custom is not None or kind.storage in _COUNTED


def has_status(kind: Kind) -> bool:
    """Whether the status is written apart from the rest."""
    return "status" in kind.subresources


def reset_fields(kind: Kind, subresource: str) -> FieldSet | None:
    """The fields that nobody comes to own by such a request; None where the type tells."""
    if kind.custom is None or subresource:
        return None
    return path_set(("status",)) if has_status(kind) else {}


def created(kind: Kind, obj: Object) -> Object:
    """A new object as its kind wants it: no status that the writer made up."""
    if has_status(kind) and kind.storage not in _WRITE_STATUS and "status" in obj:
        obj = {key: value for key, value in obj.items() if key != "status"}
    if counts_generations(kind):
        obj = with_meta(obj, generation=1)
    finish = _FINISH.get(kind.storage)
    return finish(obj) if finish else obj


def updated(kind: Kind, obj: Object, before: Object, subresource: str) -> Object:
    """A changed object with the parts that this request may not write as they were."""
    if subresource in {"status", "approval"}:
        obj = _status_only(kind, obj, before)
    elif has_status(kind) and kind.storage != ("", "nodes"):
        obj = _with(obj, "status", before.get("status"))
    if counts_generations(kind):
        generation = meta_of(before).get("generation", 1)
        changed = subresource not in _NO_WISH and _is_changed(kind, obj, before)
        obj = with_meta(obj, generation=generation + changed)
    return obj


def _status_only(kind: Kind, obj: Object, before: Object) -> Object:
    metadata = dict(meta_of(before))
    if kind.custom is None:
        # Built-in kinds take all metadata but labels along; custom kinds none.
        metadata = {**meta_of(obj)}
        metadata.pop("labels", None)
        if labels_of(before):
            metadata["labels"] = meta_of(before)["labels"]
    if "managedFields" in meta_of(obj):
        metadata["managedFields"] = meta_of(obj)["managedFields"]
    else:
        metadata.pop("managedFields", None)
    return _with({**before, "metadata": metadata}, "status", obj.get("status"))


def _with(obj: Object, key: str, value: Any) -> Object:
    rest = {k: it for k, it in obj.items() if k != key}
    return rest if value is None else {**rest, key: value}


def _is_changed(kind: Kind, obj: Object, before: Object) -> bool:
    """Whether what is wanted differs: everything but metadata and status."""
    parts = {*obj, *before} - {"metadata", "apiVersion", "kind"}
    if has_status(kind):
        parts.discard("status")
    if any(obj.get(part) != before.get(part) for part in parts):
        return True
    words = _METADATA_COUNTS.get(kind.storage, ())
    return any((meta_of(obj).get(it) or {}) != (meta_of(before).get(it) or {}) for it in words)


def _namespace(obj: Object) -> Object:
    finalizers = at(obj, "spec", "finalizers") or []
    if "kubernetes" not in finalizers:
        finalizers = [*finalizers, "kubernetes"]
    return {
        **obj,
        "spec": {**(obj.get("spec") or {}), "finalizers": finalizers},
        "status": {"phase": "Active"},
    }


def _definition(obj: Object) -> Object:
    """A definition that nobody has looked at yet."""
    stored = [it["name"] for it in at(obj, "spec", "versions") or () if it.get("storage")]
    status = {
        "conditions": None,
        "acceptedNames": {"plural": "", "kind": ""},
        "storedVersions": stored,
    }
    return {**obj, "status": status}


_FINISH: dict[tuple[str, str], Callable[[Object], Object]] = {
    ("", "namespaces"): _namespace,
    ("apiextensions.k8s.io", "customresourcedefinitions"): _definition,
}
