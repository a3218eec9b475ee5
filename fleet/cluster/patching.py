"""Patches of live objects that people write by hand."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from fleet.cluster.calls import JSON_PATCH, MERGE, STRATEGIC, call_about
from fleet.cluster.failures import decoded
from fleet.cluster.paths import path_of, with_query
from fleet.cluster.transport import ClusterClient
from fleet.cluster.writing import Gate
from fleet.model.clusters import ApiKind
from fleet.model.objects import Manifest

#: What people call a kind of patch → its content type.
PATCH_TYPES = {"json": JSON_PATCH, "merge": MERGE, "strategic": STRATEGIC}
#: Who writes it, in ``managedFields``: not ``fleet``, which would take it back as its own.
HAND = "fleet-patch"


async def patch_object(
    client: ClusterClient,
    kind: ApiKind,
    namespace: str,
    name: str,
    patch: Any,
    *,
    patch_type: str,
    gate: Gate,
) -> Manifest:
    """The object as it is after the patch.

    Args:
        patch_type: one of ``PATCH_TYPES``.

    Raises:
        ImmutableField, AdmissionDenied, ObjectRejected: the server refused it.
        ClusterError: as ``ClusterClient.send``; then it is unknown whether it was done.
    """
    gate(kind, namespace if kind.namespaced else "", name, "apply")
    call = call_about(
        "patch",
        kind,
        "PATCH",
        with_query(path_of(kind, namespace, name), fieldManager=HAND),
        namespace=namespace,
        name=name,
        body=orjson.dumps(patch),
        content_type=PATCH_TYPES[patch_type],
    )
    answer = await client.send(call)
    with decoded(call, client.name):
        stored: Manifest = msgspec.json.decode(answer.body, type=dict[str, Any])
    return stored
