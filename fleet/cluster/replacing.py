"""Writing whole objects: made, replaced, and what managers are said to own moved to ours.

As in ``writing``: each asks its gate, and nothing is sent twice.
"""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from fleet.cluster.calls import MERGE, call_about
from fleet.cluster.failures import decoded
from fleet.cluster.paths import path_of, with_query
from fleet.cluster.transport import ClusterClient
from fleet.cluster.writing import Gate, addressed
from fleet.model.clusters import ApiKind
from fleet.model.live import Applied, LiveMeta
from fleet.model.objects import FIELD_MANAGER, Manifest, metadata_of


async def create(
    client: ClusterClient,
    kind: ApiKind,
    manifest: Manifest,
    *,
    gate: Gate,
    dry_run: bool = False,
    validate: bool = True,
) -> Applied:
    """Make an object that is not there.

    Args:
        validate: refuse fields that the kind's schema does not have, instead of dropping them.

    Raises:
        ObjectRejected: with reason ``AlreadyExists``, it is there; then the server would have
            taken it otherwise.
        ClusterError: as ``apply``.
    """
    return await _sent(
        client, kind, manifest, "create", gate=gate, dry_run=dry_run, validate=validate
    )


async def replace(
    client: ClusterClient,
    kind: ApiKind,
    manifest: Manifest,
    *,
    gate: Gate,
    dry_run: bool = False,
    validate: bool = True,
) -> Applied:
    """Put an object in the place of the one that was looked at: the manifest holds its
    ``resourceVersion``.

    Raises:
        ObjectRejected: with reason ``Conflict``, it changed since; with ``NotFound``, it is gone.
        ClusterError: as ``apply``.
    """
    return await _sent(
        client, kind, manifest, "replace", gate=gate, dry_run=dry_run, validate=validate
    )


async def _sent(
    client: ClusterClient,
    kind: ApiKind,
    manifest: Manifest,
    verb: str,
    *,
    gate: Gate,
    dry_run: bool,
    validate: bool,
) -> Applied:
    namespace, name, body = addressed(kind, manifest)
    gate(kind, namespace, name, "dry-run" if dry_run else "apply")
    is_new = verb == "create"
    call = call_about(
        "dry-run" if dry_run else verb,
        kind,
        "POST" if is_new else "PUT",
        with_query(
            path_of(kind, namespace, "" if is_new else name),
            fieldManager=FIELD_MANAGER,
            fieldValidation="Strict" if validate else "Ignore",
            dryRun="All" if dry_run else "",
        ),
        namespace=namespace,
        name=name,
        body=body,
    )
    answer = await client.send(call)
    with decoded(call, client.name):
        stored = msgspec.json.decode(answer.body, type=dict[str, Any])
    return Applied(stored, created=is_new)


async def put_managed_fields(
    client: ClusterClient,
    kind: ApiKind,
    meta: LiveMeta,
    managed_fields: list[dict[str, Any]],
    *,
    gate: Gate,
) -> str:
    """Say anew who owns which fields of the very object that was looked at. No value changes.

    Returns: its version afterwards.

    Raises:
        ObjectRejected: with reason ``Conflict``, it is another object, or changed since.
    """
    ref = meta.ref
    gate(kind, ref.namespace, ref.name, "apply")
    metadata = {
        "uid": meta.uid,
        "resourceVersion": meta.resource_version,
        "managedFields": managed_fields,
    }
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
    answer = await client.send(call)
    with decoded(call, client.name):
        stored = msgspec.json.decode(answer.body, type=dict[str, Any])
    return str(metadata_of(stored).get("resourceVersion", ""))
