"""Writing: with ``action_writes``, ``patching`` and ``replacing`` all that changes a cluster.

Each takes a ``gate`` and calls it with exactly what is about to be sent, as late as can be:
the one place where project, sync window and the epoch of the lease can say no. Nothing is
sent twice: an apply or delete whose answer was lost is decided anew by the next pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec
import orjson

from fleet.cluster.calls import APPLY, MERGE, call_about
from fleet.cluster.failures import decoded
from fleet.cluster.ownership import field_paths
from fleet.cluster.paths import path_of, subject_of, with_query
from fleet.cluster.reading import IDENTITY_KIND, get_metadata
from fleet.cluster.transport import ClusterClient
from fleet.errors import KindUnknown, ObjectRejected, Place, SpecInvalid
from fleet.model.clusters import ApiKind
from fleet.model.live import Applied, LiveMeta
from fleet.model.objects import FIELD_MANAGER, Manifest, metadata_of

#: ``gate(kind, namespace, name, verb)`` raises when this must not be sent. ``namespace`` is
#: "" for cluster-scoped kinds. Verbs: apply, dry-run, delete.
Gate: TypeAlias = Callable[[ApiKind, str, str, str], None]

#: Of the namespaces that we make on request. Not ``fleet``: an application may hold the
#: same Namespace in Git, and two sets under one manager would undo each other in turns.
NAMESPACE_MANAGER = "fleet-namespace"
POD_SECURITY = "pod-security.kubernetes.io/"

NAMESPACE = IDENTITY_KIND


async def apply(
    client: ClusterClient,
    kind: ApiKind,
    manifest: Manifest,
    *,
    force: bool,
    gate: Gate,
    dry_run: bool = False,
    field_manager: str = FIELD_MANAGER,
) -> Applied:
    """Server-side apply: make the fields in ``manifest`` so, and ours.

    Args:
        kind: as the cluster serves it; its scope decides, not what the manifest claims.
        force: take fields that other managers own.
        dry_run: the server answers what would be, and stores nothing.

    Raises:
        SpecInvalid: no name, or no namespace where one is needed.
        FieldConflict: without ``force``, other managers own some of the fields.
        ImmutableField, AdmissionDenied, ObjectRejected: the server refused the object.
        KindUnknown: the manifest is of another version than ``kind``, or the cluster does
            not serve it (any more).
        ClusterError: as ``ClusterClient.send``; then it is unknown whether it was done.
    """
    namespace, name, body = addressed(kind, manifest)
    verb = "dry-run" if dry_run else "apply"
    gate(kind, namespace, name, verb)
    call = call_about(
        verb,
        kind,
        "PATCH",
        with_query(
            path_of(kind, namespace, name),
            fieldManager=field_manager,
            force=force,
            dryRun="All" if dry_run else "",
        ),
        namespace=namespace,
        name=name,
        body=body,
        content_type=APPLY,
    )
    answer = await client.send(call)
    with decoded(call, client.name):
        stored = msgspec.json.decode(answer.body, type=dict[str, Any])
    return Applied(stored, created=answer.status == 201)


async def delete(
    client: ClusterClient,
    kind: ApiKind,
    namespace: str,
    name: str,
    *,
    uid: str,
    gate: Gate,
    resource_version: str = "",
    propagation: str = "foreground",
    grace_seconds: int | None = None,
) -> bool:
    """Delete the very object that was looked at; False when it is gone already.

    True means accepted: finalizers and, with ``foreground``, its dependents may keep it
    for a while.

    Args:
        uid: of that object; one of the same name made since is left alone.
        resource_version: "" means in whatever state it is by now.
        propagation: foreground, background or orphan, in any case.
        grace_seconds: that its processes get; None as the object says.

    Raises:
        ObjectRejected: with reason ``Conflict``, it is another object, or changed since.
    """
    options = _delete_options(uid, resource_version, propagation, grace_seconds)
    gate(kind, namespace if kind.namespaced else "", name, "delete")
    call = call_about(
        "delete",
        kind,
        "DELETE",
        path_of(kind, namespace, name),
        namespace=namespace,
        name=name,
        body=options,
    )
    try:
        await client.send(call)
    except ObjectRejected as refused:
        if refused.reason == "NotFound":
            return False
        raise
    return True


async def drop_finalizer(
    client: ClusterClient, kind: ApiKind, meta: LiveMeta, finalizer: str, *, gate: Gate
) -> str:
    """Take one finalizer off the very object that was looked at.

    Returns: its version afterwards; "" when it is gone.

    Raises:
        ObjectRejected: with reason ``Conflict``, it is another object, or changed since.
    """
    ref = meta.ref
    kept = [entry for entry in meta.finalizers if entry != finalizer]
    metadata = {"uid": meta.uid, "resourceVersion": meta.resource_version, "finalizers": kept}
    gate(kind, ref.namespace, ref.name, "delete")
    call = call_about(
        "patch",
        kind,
        "PATCH",
        path_of(kind, ref.namespace, ref.name),
        namespace=ref.namespace,
        name=ref.name,
        body=orjson.dumps({"metadata": metadata}),
        content_type=MERGE,
    )
    try:
        answer = await client.send(call)
    except ObjectRejected as refused:
        if refused.reason != "NotFound":
            raise
        return ""
    with decoded(call, client.name):
        stored = msgspec.json.decode(answer.body, type=dict[str, Any])
    return str(metadata_of(stored).get("resourceVersion", ""))


def _delete_options(
    uid: str, resource_version: str, propagation: str, grace_seconds: int | None
) -> bytes:
    if not uid:
        raise ValueError("delete needs the uid of the object")
    preconditions = {"uid": uid}
    if resource_version:
        preconditions["resourceVersion"] = resource_version
    grace = {} if grace_seconds is None else {"gracePeriodSeconds": grace_seconds}
    return orjson.dumps(
        {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": preconditions,
            "propagationPolicy": propagation.capitalize(),
            **grace,
        }
    )


async def ensure_namespace(
    client: ClusterClient,
    name: str,
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    *,
    gate: Gate,
) -> bool:
    """Make the namespace if there is none; give it these labels and annotations.

    What it carries beside them stays; a pod-security label that we set before and that is
    no longer among ``labels`` stays too: leaving it out must not lower the guard.

    Returns: whether it was made now.

    Raises:
        ObjectRejected: with reason ``NamespaceTerminating``, it is being deleted.
    """
    live = await get_metadata(client, NAMESPACE, "", name)
    if live is not None:
        if live.deletion_timestamp:
            raise ObjectRejected(
                f"Namespace/{name}: cannot be used on {client.name}: it is being deleted",
                reason="NamespaceTerminating",
                object=f"Namespace/{name}",
            )
        if _carries(live, labels, annotations):
            return False
        kept = {k: v for k, v in live.labels.items() if k.startswith(POD_SECURITY)}
        labels = {**_ours(live, kept), **labels}
    manifest: Manifest = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": dict(labels), "annotations": dict(annotations)},
    }
    applied = await apply(
        client, NAMESPACE, manifest, force=True, gate=gate, field_manager=NAMESPACE_MANAGER
    )
    return applied.created


def _carries(live: LiveMeta, labels: Mapping[str, str], annotations: Mapping[str, str]) -> bool:
    return labels.items() <= live.labels.items() and annotations.items() <= live.annotations.items()


def _ours(live: LiveMeta, labels: Mapping[str, str]) -> dict[str, str]:
    """Those of ``labels`` that an earlier ``ensure_namespace`` set."""
    paths: frozenset[str] = frozenset()
    for entry in live.managed_fields:
        if entry.get("manager") == NAMESPACE_MANAGER:
            paths |= field_paths(entry.get("fieldsV1"))
    return {k: v for k, v in labels.items() if f".metadata.labels.{k}" in paths}


def addressed(kind: ApiKind, manifest: Manifest) -> tuple[str, str, bytes]:
    """Namespace, name and body of what is sent, in agreement with one another."""
    meta = metadata_of(manifest)
    name, namespace = meta.get("name"), meta.get("namespace") or ""
    if not isinstance(name, str) or not name:
        raise SpecInvalid(
            f"{kind.kind}: an object needs a name",
            place=Place(field="metadata.name"),
            hint="generateName would make another object at each sync.",
        )
    subject = subject_of(kind, str(namespace), name)
    if (manifest.get("apiVersion"), manifest.get("kind")) != (kind.api_version, kind.kind):
        raise KindUnknown(
            f"{subject}: the manifest says {manifest.get('apiVersion')!r}, the cluster serves "
            f"{kind.kind} as {kind.api_version!r}",
            object=subject,
        )
    if kind.namespaced and not (isinstance(namespace, str) and namespace):
        raise SpecInvalid(
            f"{subject}: a namespaced object needs a namespace",
            place=Place(field="metadata.namespace"),
            object=subject,
        )
    sent = manifest
    if not kind.namespaced and namespace:
        namespace = ""
        sent = {**manifest, "metadata": {k: v for k, v in meta.items() if k != "namespace"}}
    return str(namespace), name, orjson.dumps(sent)
