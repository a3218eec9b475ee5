"""The ServiceAccount that Fleet uses in a cluster: made, given rights, renewed, removed.

Built from the official client's models, which refuse a misspelt field; sent by server-side
apply, so that running it again repairs what is missing. The client in hand is the person's
own who adds the cluster; nothing here belongs to an application, so no project is asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from fleet.cluster.calls import call_about
from fleet.cluster.discovery import IDENTITY_NAMESPACE, discover
from fleet.cluster.failures import decoded
from fleet.cluster.paths import path_of
from fleet.cluster.reading import get_metadata
from fleet.cluster.transport import ClusterClient
from fleet.cluster.writing import apply, delete
from fleet.errors import ClusterAuthFailed, ObjectRejected
from fleet.model.clusters import ApiKind, ManagedAuth
from fleet.model.secret import Secret

if TYPE_CHECKING:
    from kubernetes.aio.client import V1PolicyRule

NAMESPACE = "kube-system"
NAME = "fleet-manager"
SHORTEST_TTL_SECONDS = 600  # the API server's own lower bound
#: Everything but escalate, bind and impersonate: with those, rights for some kinds become
#: rights for all.
PLAIN_VERBS = ["get", "list", "watch", "create", "update", "patch", "delete"]

SERVICE_ACCOUNT = ApiKind("", "v1", "ServiceAccount", "serviceaccounts", namespaced=True)
_RBAC = "rbac.authorization.k8s.io"
CLUSTER_ROLE = ApiKind(_RBAC, "v1", "ClusterRole", "clusterroles", namespaced=False)
CLUSTER_BINDING = ApiKind(
    _RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False
)
ROLE = ApiKind(_RBAC, "v1", "Role", "roles", namespaced=True)
BINDING = ApiKind(_RBAC, "v1", "RoleBinding", "rolebindings", namespaced=True)


class _TokenStatus(msgspec.Struct, rename="camel"):
    token: str
    expiration_timestamp: str


class _TokenAnswer(msgspec.Struct):
    status: _TokenStatus


@dataclass(frozen=True)
class _Grant:
    """Rules for the account: in ``namespace``, or in the whole cluster where it is ""."""

    name: str
    rules: list[V1PolicyRule]
    namespace: str = ""


async def create_service_account(
    client: ClusterClient,
    *,
    namespace: str = NAMESPACE,
    name: str = NAME,
    namespaces: Iterable[str] = (),
    cluster_resources: bool = False,
) -> None:
    """Make the account and its rights, or bring them back to what they should be.

    Args:
        namespaces: () gives it the whole cluster, as ``argocd cluster add`` does. Otherwise
            it gets everything in these namespaces, may read who the cluster is, and may
            renew its own token.
        cluster_resources: with ``namespaces``: also the cluster-scoped kinds that the
            cluster serves now.

    Rights in the whole cluster that it had and should not have are taken away; those in
    other namespaces, which nobody names here, stay.

    Raises:
        ObjectRejected: the client's credentials may not do this (reason ``Forbidden``), or
            a binding of this name leads to another role.
    """
    from kubernetes.aio.client import V1ObjectMeta, V1ServiceAccount

    account = V1ServiceAccount(
        api_version="v1",
        kind="ServiceAccount",
        metadata=V1ObjectMeta(name=name, namespace=namespace),
    )
    await _send(client, SERVICE_ACCOUNT, account)
    wanted = tuple(namespaces)
    grants = (
        await _limited(client, namespace, name, wanted, cluster_resources)
        if wanted
        else [_Grant(name, _everything())]
    )
    for grant in grants:
        await _give(client, grant, namespace, name)
    kept = {grant.name for grant in grants if not grant.namespace}
    for part in ("", "cluster"):
        if _named(name, part) not in kept:
            await _take(client, (CLUSTER_BINDING, CLUSTER_ROLE), "", _named(name, part))


async def request_token(
    client: ClusterClient, namespace: str, name: str, ttl_seconds: int
) -> tuple[Secret, datetime]:
    """A token for the account, and when it ends; the server may make that sooner.

    Raises:
        ObjectRejected: there is no such account, or the credentials may not do this.
    """
    from kubernetes.aio.client import AuthenticationV1TokenRequest, V1TokenRequestSpec

    # No audience of our own: the server's default is itself.
    request = AuthenticationV1TokenRequest(
        api_version="authentication.k8s.io/v1",
        kind="TokenRequest",
        spec=V1TokenRequestSpec(
            audiences=[], expiration_seconds=max(ttl_seconds, SHORTEST_TTL_SECONDS)
        ),
    )
    call = call_about(
        "token",
        SERVICE_ACCOUNT,
        "POST",
        path_of(SERVICE_ACCOUNT, namespace, name, "token"),
        namespace=namespace,
        name=name,
        body=orjson.dumps(_plain(request)),
    )
    answer = await client.send(call)
    with decoded(call, client.name):
        status = msgspec.json.decode(answer.body, type=_TokenAnswer).status
        ends = datetime.fromisoformat(status.expiration_timestamp).astimezone(UTC)
    return Secret(status.token), ends


async def rotate(
    client: ClusterClient, managed: ManagedAuth, *, ttl_seconds: int
) -> tuple[Secret, datetime]:
    """A new token by the old one, before it ends.

    Raises:
        ClusterAuthFailed: the old one ended already, or the account or its rights are gone.
    """
    try:
        return await request_token(client, managed.namespace, managed.service_account, ttl_seconds)
    except (ClusterAuthFailed, ObjectRejected) as exc:
        raise ClusterAuthFailed(
            f"Cluster/{client.name}: the token of ServiceAccount {managed.namespace}/"
            f"{managed.service_account} can no longer renew itself",
            hint=f"Give it credentials that may make one: `fleet cluster rotate-auth {client.name}"
            " --context CONTEXT`.",
            object=f"Cluster/{client.name}",
        ) from exc


async def remove_service_account(
    client: ClusterClient,
    *,
    namespace: str = NAMESPACE,
    name: str = NAME,
    namespaces: Iterable[str] = (),
) -> None:
    """Take the rights back, then the account: its tokens end with it. What is gone already
    is passed over."""
    wanted = tuple(namespaces)
    targets = [(CLUSTER_BINDING, "", _named(name, part)) for part in ("", "identity", "cluster")]
    targets += [(CLUSTER_ROLE, "", _named(name, part)) for part in ("", "identity", "cluster")]
    for where in wanted:
        targets += [(BINDING, where, name), (ROLE, where, name)]
    if wanted:
        own = _named(name, "token")
        targets += [(BINDING, namespace, own), (ROLE, namespace, own)]
    for kind, where, called in [*targets, (SERVICE_ACCOUNT, namespace, name)]:
        await _take(client, (kind,), where, called)


async def _take(client: ClusterClient, kinds: Iterable[ApiKind], where: str, name: str) -> None:
    """Remove objects of one name; what is gone already is passed over."""
    for kind in kinds:
        meta = await get_metadata(client, kind, where, name)
        if meta is not None:
            await delete(
                client, kind, where, name, uid=meta.uid, gate=_by_hand, propagation="background"
            )


def _by_hand(kind: ApiKind, namespace: str, name: str, verb: str) -> None:
    """The gate of this module: a person adds or removes a cluster, no policy is asked."""


def _named(name: str, part: str) -> str:
    return f"{name}-{part}" if part else name


def _everything() -> list[V1PolicyRule]:
    from kubernetes.aio.client import V1PolicyRule

    return [
        V1PolicyRule(api_groups=["*"], resources=["*"], verbs=["*"]),
        V1PolicyRule(non_resource_urls=["*"], verbs=["*"]),
    ]


async def _limited(
    client: ClusterClient,
    namespace: str,
    name: str,
    namespaces: tuple[str, ...],
    cluster_resources: bool,
) -> list[_Grant]:
    from kubernetes.aio.client import V1PolicyRule

    identity = V1PolicyRule(
        api_groups=[""],
        resources=["namespaces"],
        resource_names=[IDENTITY_NAMESPACE],
        verbs=["get"],
    )
    token = V1PolicyRule(
        api_groups=[""],
        resources=["serviceaccounts/token"],
        resource_names=[name],
        verbs=["create"],
    )
    inside = V1PolicyRule(api_groups=["*"], resources=["*"], verbs=["*"])
    grants = [
        _Grant(_named(name, "identity"), [identity]),
        _Grant(_named(name, "token"), [token], namespace),
        *(_Grant(name, [inside], where) for where in namespaces),
    ]
    if cluster_resources:
        grants.append(_Grant(_named(name, "cluster"), await _cluster_scoped(client)))
    return grants


async def _cluster_scoped(client: ClusterClient) -> list[V1PolicyRule]:
    """One rule a group. RBAC has no word for "cluster-scoped kinds", so they are listed."""
    from kubernetes.aio.client import V1PolicyRule

    plurals: dict[str, set[str]] = {}
    for kind in (await discover(client)).kinds:
        if not kind.namespaced:
            plurals.setdefault(kind.group, set()).add(kind.plural)
    return [
        V1PolicyRule(api_groups=[group], resources=sorted(found), verbs=PLAIN_VERBS)
        for group, found in sorted(plurals.items())
    ]


async def _give(client: ClusterClient, grant: _Grant, namespace: str, account: str) -> None:
    """A role and the binding that gives it to the account."""
    from kubernetes.aio import client as models

    wide = not grant.namespace
    role_kind, binding_kind = (CLUSTER_ROLE, CLUSTER_BINDING) if wide else (ROLE, BINDING)
    role_type = models.V1ClusterRole if wide else models.V1Role
    binding_type = models.V1ClusterRoleBinding if wide else models.V1RoleBinding
    meta = models.V1ObjectMeta(name=grant.name, namespace=grant.namespace or None)
    version = role_kind.api_version
    await _send(
        client,
        role_kind,
        role_type(api_version=version, kind=role_kind.kind, metadata=meta, rules=grant.rules),
    )
    binding = binding_type(
        api_version=version,
        kind=binding_kind.kind,
        metadata=meta,
        role_ref=models.V1RoleRef(api_group=_RBAC, kind=role_kind.kind, name=grant.name),
        subjects=[models.RbacV1Subject(kind="ServiceAccount", namespace=namespace, name=account)],
    )
    await _send(client, binding_kind, binding)


async def _send(client: ClusterClient, kind: ApiKind, model: Any) -> None:
    await apply(client, kind, _plain(model), force=True, gate=_by_hand)


def _plain(model: Any) -> dict[str, Any]:
    """A model as the API spells it, without what was left out."""
    from kubernetes.aio.client import ApiClient, Configuration

    found: dict[str, Any] = ApiClient(Configuration()).sanitize_for_serialization(  # type: ignore[no-untyped-call]
        model
    )
    return found
