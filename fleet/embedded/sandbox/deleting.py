"""Deleting: at once, or marked until grace periods and finalizers are over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson

from fleet.embedded.sandbox.bodies import delete_options
from fleet.embedded.sandbox.cluster import Cluster
from fleet.embedded.sandbox.converting import from_stored
from fleet.embedded.sandbox.kinds import Kind, builtin_kind
from fleet.embedded.sandbox.objects import Object, at, meta_of, name_of, timestamp, with_meta
from fleet.embedded.sandbox.reading import choice_of, page_of, shown
from fleet.embedded.sandbox.requests import Answer, Request, Target
from fleet.embedded.sandbox.statuses import (
    ApiError,
    Cause,
    about,
    invalid_options,
    invalid_value,
    not_found,
    refused,
    unsupported_value,
)
from fleet.embedded.sandbox.store import packed

ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
POLICIES = ("Foreground", "Background", "Orphan")
NAMESPACE = builtin_kind("v1", "Namespace")
POD = builtin_kind("v1", "Pod")
DEFINITION = builtin_kind("apiextensions.k8s.io/v1", "CustomResourceDefinition")
#: Put on a definition when it is deleted: its objects go first.
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
_PROTECTED = frozenset({"default", "kube-system", "kube-public"})
_USUAL_GRACE_SECONDS = 30
#: Kinds whose dependents stay where nothing else is said.
_ORPHANING = frozenset({("batch", "jobs"), ("", "replicationcontrollers")})
_ORPHANED_JOB = (
    "child pods are preserved by default when jobs are deleted; set "
    "propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress "
    "this warning"
)
#: Kinds that are answered whole when they are deleted at once, not by a status.
_ANSWERED_WHOLE = frozenset(
    {
        ("", "persistentvolumeclaims"),
        ("", "persistentvolumes"),
        ("", "pods"),
        ("", "podtemplates"),
        ("", "resourcequotas"),
        ("", "serviceaccounts"),
        ("", "services"),
        ("storage.k8s.io", "csidrivers"),
        ("storage.k8s.io", "csinodes"),
        ("storage.k8s.io", "storageclasses"),
        ("storage.k8s.io", "volumeattachments"),
        ("storage.k8s.io", "volumeattributesclasses"),
    }
)


@dataclass(frozen=True, slots=True)
class Options:
    """How to delete."""

    policy: str = ""
    grace_seconds: int | None = None
    uid: str = ""
    version: str = ""
    dry_run: bool = False


def options_of(request: Request) -> Options:
    """``DeleteOptions`` from the body and the query.

    Raises:
        ApiError: they cannot be read, or contradict each other.
    """
    body = delete_options(request)
    query = request.query
    policy = body.get("propagationPolicy") or query.get("propagationPolicy")
    orphan = body.get("orphanDependents")
    if orphan is None and "orphanDependents" in query:
        orphan = request.flag("orphanDependents")
    dry = body.get("dryRun") or ([query["dryRun"]] if query.get("dryRun") else [])
    causes = list(_wrong_options(policy, orphan, dry))
    if causes:
        raise invalid_options("DeleteOptions", causes)
    if orphan is not None:
        policy = "Orphan" if orphan else "Background"
    grace = body.get("gracePeriodSeconds")
    if grace is None and "gracePeriodSeconds" in query:
        grace = request.number("gracePeriodSeconds")
    wanted = body.get("preconditions") or {}
    return Options(
        policy or "",
        grace,
        wanted.get("uid") or "",
        wanted.get("resourceVersion") or "",
        bool(dry),
    )


def _wrong_options(policy: str | None, orphan: bool | None, dry: list[str]) -> Iterator[Cause]:
    if policy is not None and orphan is not None:
        why = "orphanDependents and deletionPropagation cannot be both set"
        yield invalid_value("propagationPolicy", policy, why)
    elif policy is not None and policy not in POLICIES:
        yield unsupported_value("propagationPolicy", policy, [*POLICIES, "nil"])
    if any(word != "All" for word in dry):
        yield unsupported_value("dryRun", dry, ["All"])


def delete(cluster: Cluster, request: Request, target: Target) -> Answer:
    """DELETE of one object.

    Raises:
        ApiError: there is none, or it is not the one that is meant.
    """
    options = options_of(request)
    kind = target.kind
    before = cluster.store.get(kind, target.namespace, target.name)
    if before is None:
        raise not_found(kind, target.name)
    _check_protected(target)
    _check_preconditions(kind, before, options)
    after, over = begin(cluster, kind, before, options)
    warnings = _warnings(kind, options)
    if over and kind.storage not in _ANSWERED_WHOLE:
        return Answer(_success(kind, before), warnings=warnings)
    stored = cluster.kinds.kept_as(kind)
    entry = packed(stored, after, int(meta_of(after)["resourceVersion"]))
    return shown(cluster, request, kind, entry, warnings=warnings)


def delete_collection(cluster: Cluster, request: Request, target: Target) -> Answer:
    """DELETE of all objects that the selectors choose."""
    options = options_of(request)
    kind = target.kind
    page = page_of(cluster, request, kind, choice_of(request, target))
    items = []
    for _, entry in page.items:
        obj = entry.object()
        _check_preconditions(kind, obj, options)
        begin(cluster, kind, obj, options)
        found = from_stored(kind, obj)
        if kind.custom is None:
            found = {k: it for k, it in found.items() if k not in {"apiVersion", "kind"}}
        items.append(found)
    metadata = page.metadata()
    if kind.custom is not None:
        metadata.setdefault("continue", "")
    body = {
        "kind": kind.list_kind,
        "apiVersion": kind.api_version,
        "metadata": metadata,
        "items": items,
    }
    return Answer(orjson.dumps(body), warnings=_warnings(kind, options))


def _warnings(kind: Kind, options: Options) -> tuple[str, ...]:
    return (_ORPHANED_JOB,) if kind.storage == ("batch", "jobs") and not options.policy else ()


def _check_protected(target: Target) -> None:
    if target.kind is NAMESPACE and target.name in _PROTECTED:
        raise refused(NAMESPACE, target.name, "this namespace may not be deleted")


def _check_preconditions(kind: Kind, obj: Object, options: Options) -> None:
    metadata = meta_of(obj)
    why = ""
    if options.uid and options.uid != metadata["uid"]:
        why = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record "
            f"({metadata['uid']}). The object might have been deleted and then recreated"
        )
    elif options.version and options.version != metadata["resourceVersion"]:
        why = (
            f"the ResourceVersion in the precondition ({options.version}) does not match the "
            f"ResourceVersion in record ({metadata['resourceVersion']}). The object might have "
            "been modified"
        )
    if why:
        raise _precondition(kind, name_of(obj), why)


def _precondition(kind: Kind, name: str, why: str) -> ApiError:
    """As ``conflict``, but by kind; what makes the object is asked here, not the storage."""
    qualified = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    message = f'Operation cannot be fulfilled on {qualified} "{name}": {why}'
    return ApiError(409, "Conflict", message, {**about(kind, name), "kind": kind.kind})


def _success(kind: Kind, obj: Mapping[str, Any]) -> bytes:
    details = {
        "name": name_of(obj),
        "group": kind.group,
        "kind": kind.plural,
        "uid": meta_of(obj)["uid"],
    }
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }
    return orjson.dumps(body)


def begin(
    cluster: Cluster, kind: Kind, before: Object, options: Options = Options()
) -> tuple[Object, bool]:
    """Delete an object as a client does. Returns it, and whether it is gone now."""
    stored = cluster.kinds.kept_as(kind)
    metadata = meta_of(before)
    grace = _grace(kind, before, options)
    finalizers = _finalizers(stored, before, options)
    waits = bool(finalizers or grace or _is_held(stored, before))
    if not waits:
        if options.dry_run:
            return before, True
        gone = _marked(cluster, stored, before, 0) if stored is POD else before
        removed = cluster.store.remove(stored, metadata.get("namespace") or "", metadata["name"])
        if removed is None or stored is not POD:
            return removed or before, True
        version = removed["metadata"]["resourceVersion"]
        return with_meta(gone, resourceVersion=version), True
    if metadata.get("deletionTimestamp"):
        held = metadata.get("deletionGracePeriodSeconds") or 0
        if grace >= held and finalizers == list(metadata.get("finalizers") or ()):
            return before, False
        marked = with_meta(before, deletionGracePeriodSeconds=min(grace, held))
    else:
        marked = _marked(cluster, stored, before, grace)
    marked = with_meta(marked, finalizers=finalizers or None)
    return (marked if options.dry_run else cluster.store.put(stored, marked)), False


def _marked(cluster: Cluster, kind: Kind, obj: Object, grace: int) -> Object:
    """The object with the time by which it is to be gone."""
    generation = meta_of(obj).get("generation")
    marked = with_meta(
        obj,
        deletionTimestamp=timestamp(cluster.now() + timedelta(seconds=grace)),
        deletionGracePeriodSeconds=None if kind is NAMESPACE else grace,
        generation=generation + 1 if generation else None,
    )
    if kind is NAMESPACE:
        marked["status"] = {**(marked.get("status") or {}), "phase": "Terminating"}
    return marked


def _grace(kind: Kind, obj: Object, options: Options) -> int:
    """How long a Pod has to end: none where nothing runs of it."""
    if kind is not POD:
        return 0
    running = at(obj, "spec", "nodeName") and at(obj, "status", "phase") not in {
        "Succeeded",
        "Failed",
    }
    if not running:
        return 0
    if options.grace_seconds is not None:
        return max(options.grace_seconds, 0)
    wanted = at(obj, "spec", "terminationGracePeriodSeconds")
    return _USUAL_GRACE_SECONDS if wanted is None else int(wanted)


def _finalizers(kind: Kind, obj: Object, options: Options) -> list[str]:
    policy = options.policy
    found = list(meta_of(obj).get("finalizers") or ())
    if kind is DEFINITION and not meta_of(obj).get("deletionTimestamp"):
        found = [*(it for it in found if it != CLEANUP), CLEANUP]
    if not policy:
        if FOREGROUND in found or ORPHAN in found:
            return found
        policy = "Orphan" if kind.storage in _ORPHANING else "Background"
    found = [it for it in found if it not in {FOREGROUND, ORPHAN}]
    mine = {"Orphan": ORPHAN, "Foreground": FOREGROUND}.get(policy)
    return [*found, mine] if mine else found


def _is_held(kind: Kind, obj: Object) -> bool:
    """A namespace goes when its own finalizers are gone: they empty it."""
    return kind is NAMESPACE and bool(at(obj, "spec", "finalizers"))


def finish_if_done(cluster: Cluster, kind: Kind, obj: Object) -> Object | None:
    """Remove an object that is marked and that nothing holds any more; None where it stays.

    The object is as a write would store it; what is told of it is its last state.
    """
    metadata = meta_of(obj)
    if not metadata.get("deletionTimestamp") or metadata.get("finalizers"):
        return None
    if metadata.get("deletionGracePeriodSeconds") or _is_held(kind, obj):
        return None
    namespace, name = metadata.get("namespace") or "", metadata["name"]
    version = meta_of(cluster.store.get(kind, namespace, name) or obj).get("resourceVersion")
    cluster.store.remove(kind, namespace, name)
    return with_meta(obj, resourceVersion=version)


def put_or_finish(cluster: Cluster, kind: Kind, obj: Object) -> None:
    """Store an object, or remove it when that was what it waited for."""
    if finish_if_done(cluster, kind, obj) is None:
        cluster.store.put(kind, obj)
