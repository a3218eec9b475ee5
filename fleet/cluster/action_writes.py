"""Writing what people ask for on the spot: a merge patch of one object, a new object.

The same rules as in ``writing``: a ``gate`` has the last word, nothing is sent twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import orjson

from fleet.cluster.calls import MERGE, call_about
from fleet.cluster.failures import decoded
from fleet.cluster.paths import path_of, with_query
from fleet.cluster.transport import ClusterClient
from fleet.cluster.writing import Gate
from fleet.errors import ObjectRejected, Place, SpecInvalid
from fleet.model.clusters import ApiKind
from fleet.model.objects import Manifest, metadata_of

#: Field manager of what actions write. Not ``fleet``: what a person changed on the spot is
#: drift from Git, and is shown as theirs.
ACTION_MANAGER = "fleet-action"


async def merge(
    client: ClusterClient,
    kind: ApiKind,
    live: Manifest,
    patch: Mapping[str, Any],
    *,
    gate: Gate,
    subresource: str = "",
    is_exact: bool = False,
) -> Manifest:
    """Patch the very object that was looked at; returns it afterwards.

    A kind without the subresource takes the patch as a whole.

    Args:
        is_exact: only if nobody has written it since.

    Raises:
        ObjectRejected: with reason ``Conflict``, it is another object, or changed since.
        ImmutableField, AdmissionDenied, ClusterError: as ``apply``.
    """
    metadata = metadata_of(live)
    name, namespace = str(metadata.get("name", "")), str(metadata.get("namespace", ""))
    guard = {"uid": metadata.get("uid")}
    if is_exact:
        guard["resourceVersion"] = metadata.get("resourceVersion")
    changed = patch.get("metadata")
    body = {**patch, "metadata": {**(changed if isinstance(changed, Mapping) else {}), **guard}}
    gate(kind, namespace, name, "apply")
    call = call_about(
        "patch",
        kind,
        "PATCH",
        with_query(path_of(kind, namespace, name, subresource), fieldManager=ACTION_MANAGER),
        namespace=namespace,
        name=name,
        body=orjson.dumps(body),
        content_type=MERGE,
    )
    try:
        answer = await client.send(call)
    except ObjectRejected as refused:
        if not subresource or refused.reason != "NotFound":
            raise
        return await merge(client, kind, live, patch, gate=gate, is_exact=is_exact)
    with decoded(call, client.name):
        return msgspec.json.decode(answer.body, type=dict[str, Any])


async def make_new(
    client: ClusterClient, kind: ApiKind, manifest: Manifest, *, gate: Gate
) -> Manifest:
    """Make a new object; returns it.

    Raises:
        SpecInvalid: no name, or no namespace where one is needed.
        ObjectRejected: with reason ``AlreadyExists``, one of its name is there.
        AdmissionDenied, ClusterError: as ``apply``.
    """
    metadata = dict(metadata_of(manifest))
    name, namespace = metadata.get("name"), metadata.get("namespace") or ""
    if not isinstance(name, str) or not name:
        raise SpecInvalid("a new object needs a name", place=Place(field="metadata.name"))
    if kind.namespaced and not (isinstance(namespace, str) and namespace):
        raise SpecInvalid(
            f"{kind.kind}/{name}: a namespaced object needs a namespace",
            place=Place(field="metadata.namespace"),
        )
    if not kind.namespaced:
        namespace = ""
        metadata.pop("namespace", None)
    gate(kind, namespace, name, "apply")
    call = call_about(
        "create",
        kind,
        "POST",
        with_query(path_of(kind, namespace), fieldManager=ACTION_MANAGER),
        namespace=namespace,
        name=name,
        body=orjson.dumps({**manifest, "metadata": metadata}),
    )
    answer = await client.send(call)
    with decoded(call, client.name):
        return msgspec.json.decode(answer.body, type=dict[str, Any])
