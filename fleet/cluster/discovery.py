"""What a cluster serves, and who it is.

One aggregated document a root (two requests for a whole cluster) where the API server has
it, the walk over every group and version where it has not (before Kubernetes 1.27).

A group whose answer is missing or stale is *failed*: its kinds are unknown, never absent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec

from fleet.cluster.calls import call_to
from fleet.cluster.failures import decoded
from fleet.cluster.reading import get_metadata
from fleet.cluster.transport import ClusterClient
from fleet.cluster.writing import NAMESPACE
from fleet.errors import (
    ClusterAuthFailed,
    ClusterBusy,
    ClusterError,
    ClusterUnreachable,
    KindUnknown,
    ObjectRejected,
)
from fleet.model.clusters import ApiKind, ClusterFacts, Discovery

_AGGREGATED = ",".join(
    [
        *(
            f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
            for version in ("v2", "v2beta1")
        ),
        "application/json",
    ]
)
IDENTITY_NAMESPACE = "kube-system"


class _Name(msgspec.Struct):
    name: str = ""


class _ResponseKind(msgspec.Struct):
    kind: str = ""
    group: str = ""
    version: str = ""


class _Resource(msgspec.Struct, rename="camel"):
    resource: str
    response_kind: _ResponseKind | None = None
    scope: str = ""
    verbs: list[str] | None = None


class _Version(msgspec.Struct):
    version: str
    resources: list[_Resource] | None = None
    freshness: str = "Current"


class _Group(msgspec.Struct):
    metadata: _Name = msgspec.field(default_factory=_Name)
    versions: list[_Version] | None = None


class _Groups(msgspec.Struct):
    """An ``APIGroupDiscoveryList``, or with another ``kind`` what an old server sent."""

    kind: str
    items: list[_Group] | None = None


class _LegacyVersion(msgspec.Struct):
    version: str


class _LegacyGroup(msgspec.Struct, rename="camel"):
    name: str
    versions: list[_LegacyVersion]
    preferred_version: _LegacyVersion | None = None


class _LegacyGroups(msgspec.Struct):
    groups: list[_LegacyGroup]


class _LegacyResource(msgspec.Struct):
    name: str
    kind: str
    namespaced: bool
    verbs: list[str] | None = None
    group: str = ""
    version: str = ""


class _LegacyResources(msgspec.Struct):
    resources: list[_LegacyResource]


async def discover(client: ClusterClient) -> Discovery:
    """Every kind that the cluster serves, without subresources.

    Raises:
        ClusterError: the two roots could not be read. A single group that fails is no
            error; it is in ``failed_groups``.
    """
    roots = await asyncio.gather(_aggregated(client, "/api"), _aggregated(client, "/apis"))
    if any(root is None for root in roots):
        return await discover_by_walking(client)
    kinds: list[ApiKind] = []
    preferred: dict[str, str] = {}
    failed: set[str] = set()
    for group in (group for root in roots if root for group in root):
        name = group.metadata.name
        for version in group.versions or ():
            preferred.setdefault(name, version.version)
            if version.freshness != "Current":
                failed.add(name)
            kinds += _kinds_of(name, version)
    return client.served(Discovery(tuple(kinds), preferred, frozenset(failed)))


async def discover_by_walking(client: ClusterClient) -> Discovery:
    """The same by one request a group and version, for API servers that only have that."""
    call = call_to("/apis", page=True)
    answer = await client.send(call)
    with decoded(call, client.name):
        groups = msgspec.json.decode(answer.body, type=_LegacyGroups).groups
    groups = [_LegacyGroup("", [_LegacyVersion("v1")]), *groups]
    asked = [(g.name, v.version) for g in groups for v in g.versions]
    found = await asyncio.gather(*(_walk(client, group, version) for group, version in asked))
    preferred = {
        g.name: (g.preferred_version or g.versions[0]).version for g in groups if g.versions
    }
    failed = {group for (group, _), kinds in zip(asked, found, strict=True) if kinds is None}
    flat = tuple(kind for kinds in found for kind in kinds or ())
    return client.served(Discovery(flat, preferred, frozenset(failed)))


async def facts(client: ClusterClient, discovery: Discovery | None = None) -> ClusterFacts:
    """Who the cluster is and what it offers to charts.

    ``uid`` is "" where our credentials may not read the namespace ``kube-system``.

    Args:
        discovery: when it was read just now; otherwise it is read here.
    """
    version, uid, found = await asyncio.gather(
        _version(client),
        cluster_uid(client),
        discover(client) if discovery is None else _same(discovery),
    )
    return ClusterFacts(uid=uid, version=version, api_versions=found.api_versions())


async def probe(client: ClusterClient) -> ClusterFacts:
    """``facts``, asked in an order that makes the first failure the telling one.

    Raises:
        ClusterUnreachable: no answer, or TLS failed: wrong CA, wrong name, no TLS at all.
        ClusterAuthFailed: the credentials are wrong, expired or revoked.
        ClusterError: something answers, but not a Kubernetes API server.
    """
    await _version(client)
    return await facts(client)


async def _version(client: ClusterClient) -> str:
    no_api = ClusterError(
        f"Cluster/{client.name}: {client.server} is not a Kubernetes API",
        hint="Use the address in `kubectl cluster-info`.",
        object=f"Cluster/{client.name}",
    )
    try:
        answer = await client.send(call_to("/version"))
        found: Any = msgspec.json.decode(answer.body)
    except (KindUnknown, ObjectRejected, msgspec.DecodeError) as exc:
        raise no_api from exc
    version = found.get("gitVersion") if isinstance(found, dict) else None
    if not isinstance(version, str) or not version:
        raise no_api
    return version


async def cluster_uid(client: ClusterClient) -> str:
    """The UID of the namespace ``kube-system``, by metadata alone; "" where our credentials
    may not read it."""
    try:
        meta = await get_metadata(client, NAMESPACE, "", IDENTITY_NAMESPACE)
    except ObjectRejected as refused:
        if refused.reason == "Forbidden":
            return ""
        raise
    return meta.uid if meta else ""


async def _same(discovery: Discovery) -> Discovery:
    return discovery


async def _aggregated(client: ClusterClient, root: str) -> list[_Group] | None:
    """None: the server does not have aggregated discovery."""
    call = call_to(root, accept=_AGGREGATED, page=True)
    answer = await client.send(call)
    with decoded(call, client.name):
        found = msgspec.json.decode(answer.body, type=_Groups)
    return (found.items or []) if found.kind == "APIGroupDiscoveryList" else None


def _kinds_of(group: str, version: _Version) -> Iterable[ApiKind]:
    for resource in version.resources or ():
        about = resource.response_kind
        if about is not None and about.kind:
            yield ApiKind(
                group=group,
                version=version.version,
                kind=about.kind,
                plural=resource.resource,
                namespaced=resource.scope == "Namespaced",
                verbs=frozenset(resource.verbs or ()),
            )


async def _walk(client: ClusterClient, group: str, version: str) -> list[ApiKind] | None:
    """The kinds of one group and version; None when it does not answer."""
    call = call_to(f"/apis/{group}/{version}" if group else f"/api/{version}", page=True)
    try:
        answer = await client.send(call)
        with decoded(call, client.name):
            found = msgspec.json.decode(answer.body, type=_LegacyResources)
    except (ClusterAuthFailed, ClusterBusy):
        raise
    except (ClusterUnreachable, ObjectRejected, KindUnknown):
        return None
    return [
        ApiKind(group, version, r.kind, r.name, r.namespaced, frozenset(r.verbs or ()))
        for r in found.resources
        if "/" not in r.name
    ]
