"""Clusters: registered, given credentials, tested.

A cluster is asked who it is before anything is stored, and before anything is made in it:
one that does not answer, or that is registered already, changes nothing. What people do
with a registered cluster is in ``clusters``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from time import monotonic

from fleet.cluster import checked_connection, create_service_account, probe, request_token
from fleet.errors import (
    AlreadyExists,
    ClusterUnreachable,
    FleetError,
    Place,
    Refused,
    SealBroken,
    SpecInvalid,
    UsageError,
)
from fleet.model.clusters import (
    RESERVED,
    Cluster,
    ClusterFacts,
    Connection,
    ManagedAuth,
    is_reserved,
)
from fleet.model.names import is_label_key, is_label_value
from fleet.model.scope import EVERYTHING, Actor, Scope
from fleet.operations.crashpoints import committing, writing
from fleet.operations.reaching import told_where
from fleet.operations.recognizing import refuse_stranger
from fleet.operations.renewing import TOKEN_LIFE, renew_token
from fleet.operations.runtime import Runtime
from fleet.registry import clusters, destinations, queue
from fleet.registry.clusters import NewCluster
from fleet.registry.database import Tx

NAME_LENGTH = 253
_UNVERIFIED = (
    "TLS is not verified (insecure): whoever sits between Fleet and this cluster reads its"
    " credentials and everything that is applied"
)
_NO_IDENTITY = (
    "the credentials may not read the namespace kube-system, so Fleet cannot notice when"
    " another cluster answers at this address"
)


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """The account that Fleet makes in a cluster for itself."""

    namespace: str = "kube-system"
    name: str = "fleet-manager"


@dataclass(frozen=True)
class Added:
    """What became of a cluster: ``created``, ``configured`` or ``unchanged``; ``adopted``
    are applications that waited for it."""

    cluster: Cluster
    action: str
    adopted: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tested:
    """A cluster that answered, what it said, and after how many seconds."""

    cluster: Cluster
    facts: ClusterFacts
    seconds: float


async def add_cluster(
    runtime: Runtime,
    actor: Actor,
    scope: Scope,
    new: NewCluster,
    *,
    account: ServiceAccount | None = None,
    upsert: bool = False,
) -> Added:
    """Register a cluster; with ``upsert`` bring a registered one to what ``new`` says.

    Args:
        new: its ``facts`` and ``managed_auth`` are found out here.
        account: make it with the given credentials, and keep a token of it instead of them.

    Raises:
        SpecInvalid: a name, label or connection that cannot be.
        ClusterError: it did not answer, or refused the credentials; nothing was stored.
        AlreadyExists: its name, address or kube-system UID is registered.
        IdentityChanged: with ``upsert``, another cluster answers under this name.
    """
    new = _checked(runtime, new)
    async with runtime.db.reading() as tx:
        known = await _known(tx, scope, new, upsert=upsert)
        if known is not None and account is None and await _is_same(runtime, tx, known, new):
            return Added(known, "unchanged")
    with told_where(reserved=is_reserved(new.annotations)):
        facts = await _ask(runtime, new.name, new.connection)
    await _refuse_twin(runtime, known, new.name, facts)
    if account is not None:
        new = await _with_account(runtime, new, account)
    new = replace(new, facts=facts)
    async with committing(runtime.db, "register") as tx:
        cluster = await (
            _change(runtime, tx, actor, known, new) if known else _create(runtime, tx, actor, new)
        )
        if known:
            await destinations.follow(tx, actor, known, cluster)
        adopted, polled = await destinations.adopt(tx, actor, cluster)
        await queue.wake(tx, "poll", [str(id) for id in polled])
        await queue.wake(tx, "reconcile", [str(cluster.id)])
    action = "configured" if known else "created"
    return Added(cluster, action, adopted, warnings_about(cluster))


def warnings_about(cluster: Cluster) -> tuple[str, ...]:
    """What whoever registers the cluster has to know."""
    found = (_UNVERIFIED if cluster.insecure else "", "" if cluster.uid else _NO_IDENTITY)
    return tuple(text for text in found if text)


def _checked(runtime: Runtime, new: NewCluster) -> NewCluster:
    check_name(new.name)
    check_labels(new.labels)
    check_annotations(new.annotations)
    allowed = frozenset(runtime.settings.allowed_exec_commands)
    return replace(new, connection=checked_connection(new.connection, allowed_exec=allowed))


def check_name(name: str) -> None:
    """A cluster may be called what a kubeconfig context may: an ARN, for example.

    Raises:
        SpecInvalid: empty, too long, or with spaces, quotes or control characters.
    """
    plain = name.isascii() and name.isprintable() and not set(name) & set(" \"'\\?#,!*")
    if not (plain and 0 < len(name) <= NAME_LENGTH) or name != name.strip("/"):
        raise SpecInvalid(
            f"{name[:80]!r} is no name of a cluster",
            place=Place(field="name"),
            hint="At most 253 characters, without spaces, quotes, '?', '#', ',', '!' and '*'.",
        )


def check_labels(labels: object) -> None:
    """Raises SpecInvalid for a label that Kubernetes would refuse."""
    assert hasattr(labels, "items")
    for key, value in labels.items():
        if not is_label_key(key) or not is_label_value(value):
            raise SpecInvalid(f"{key}={value} is no label", place=Place(field=f"labels.{key}"))


def check_annotations(annotations: Mapping[str, str]) -> None:
    """Raises SpecInvalid for one of ours with a value that means nothing."""
    value = annotations.get(RESERVED, "true")
    if value not in ("true", "false"):
        raise SpecInvalid(
            f"{value!r} is neither true nor false", place=Place(field=f"annotations.{RESERVED}")
        )


async def _known(tx: Tx, scope: Scope, new: NewCluster, *, upsert: bool) -> Cluster | None:
    """The registered cluster of this name; refuses early what the insert would refuse."""
    found = await clusters.find_by_name(tx, scope, new.name)
    if found is not None and not upsert:
        raise AlreadyExists(
            f"a cluster named {new.name!r} exists already",
            hint="Add --upsert to change it, or choose another name.",
            object=f"Cluster/{new.name}",
        )
    other = await clusters.find_by_server(tx, EVERYTHING, new.connection.server)
    if other is not None and other.name != new.name:
        raise AlreadyExists(
            f"the server {new.connection.server} is registered already, as {other.name!r}",
            hint=f"Use {other.name!r}, or remove it first with `fleet cluster rm {other.name}`.",
            object=f"Cluster/{other.name}",
        )
    return found


async def _is_same(runtime: Runtime, tx: Tx, known: Cluster, new: NewCluster) -> bool:
    described = (
        known.labels == dict(new.labels)
        and known.annotations == dict(new.annotations)
        and known.project == new.project
        and known.namespaces == new.namespaces
        and known.cluster_resources == new.cluster_resources
        and known.interval_seconds == new.interval_seconds
    )
    try:
        held = await clusters.connection_of(tx, runtime.ring, known.id)
    except SealBroken:
        return False  # what cannot be opened is what has to be replaced
    return described and new.connection == held


async def _ask(runtime: Runtime, name: str, connection: Connection) -> ClusterFacts:
    client = runtime.connections.open(name, connection)
    try:
        return await probe(client)
    finally:
        await client.close()


async def _refuse_twin(
    runtime: Runtime, known: Cluster | None, name: str, facts: ClusterFacts
) -> None:
    if known is not None:
        refuse_stranger(known, facts.uid)
    async with runtime.db.reading() as tx:
        twin = await clusters.find_by_uid(tx, EVERYTHING, facts.uid)
    if twin is not None and twin.name != name:
        raise AlreadyExists(
            "the cluster behind this address (same kube-system UID) is registered already, as"
            f" {twin.name!r}",
            hint=f"Use {twin.name!r}, or rename it with"
            f" `fleet cluster set {twin.name} --name {name}`.",
            object=f"Cluster/{twin.name}",
        )


async def _with_account(runtime: Runtime, new: NewCluster, account: ServiceAccount) -> NewCluster:
    """Make the account, and trust nothing but its token from here on."""
    if new.connection.in_cluster:
        raise UsageError(
            "inside the cluster Fleet uses the ServiceAccount of its own Pod",
            hint="Leave out createServiceAccount.",
        )
    client = runtime.connections.open(new.name, new.connection)
    try:
        with writing("account"):
            await create_service_account(
                client,
                namespace=account.namespace,
                name=account.name,
                namespaces=new.namespaces,
                cluster_resources=new.cluster_resources,
            )
        ttl = int(TOKEN_LIFE.total_seconds())
        token, expires_at = await request_token(client, account.namespace, account.name, ttl)
    finally:
        await client.close()
    given = new.connection
    connection = Connection(
        server=given.server,
        ca_pem=given.ca_pem,
        insecure_skip_tls_verify=given.insecure_skip_tls_verify,
        tls_server_name=given.tls_server_name,
        proxy_url=given.proxy_url,
        token=token,
    )
    await _ask(runtime, new.name, connection)
    managed = ManagedAuth(account.namespace, account.name, expires_at)
    return replace(new, connection=connection, managed_auth=managed)


async def _create(runtime: Runtime, tx: Tx, actor: Actor, new: NewCluster) -> Cluster:
    return await clusters.add_cluster(tx, actor, runtime.ring, new)


async def _change(
    runtime: Runtime, tx: Tx, actor: Actor, known: Cluster, new: NewCluster
) -> Cluster:
    await clusters.update_cluster(
        tx,
        actor,
        known.id,
        {
            "labels": dict(new.labels),
            "annotations": dict(new.annotations),
            "project": new.project,
            "namespaces": list(new.namespaces),
            "cluster_resources": new.cluster_resources,
            "interval_seconds": new.interval_seconds,
        },
    )
    return await clusters.set_connection(
        tx,
        actor,
        runtime.ring,
        known.id,
        new.connection,
        managed_auth=new.managed_auth,
        facts=new.facts,
    )


async def test_cluster(runtime: Runtime, scope: Scope, name: str) -> Tested:
    """Ask a registered cluster who it is, and write down what came of it.

    Raises:
        ClusterError: no answer, or refused; recorded, unless it is reserved for workers
            elsewhere.
        IdentityChanged: it is another cluster than the one that is known; recorded.
    """
    async with runtime.db.reading() as tx:
        cluster = await clusters.get_cluster(tx, scope, name)
        connection = await clusters.connection_of(tx, runtime.ring, cluster.id)
    began = monotonic()
    answer: ClusterFacts | FleetError
    try:
        with told_where(reserved=cluster.is_reserved):
            answer = await _ask(runtime, name, connection)
    except FleetError as error:
        answer = error
    if isinstance(answer, ClusterUnreachable) and cluster.is_reserved:
        # from here; what counts is what its workers see
        raise answer
    seconds = monotonic() - began
    async with runtime.db.transaction() as tx:
        cluster = await clusters.record_probe(tx, cluster.id, answer, runtime.now())
        if not isinstance(answer, FleetError):
            await queue.wake(tx, "reconcile", [str(cluster.id)])
    if isinstance(answer, FleetError):
        raise answer
    refuse_stranger(cluster, answer.uid)
    return Tested(cluster, answer, seconds)


async def rotate_credentials(
    runtime: Runtime,
    actor: Actor,
    scope: Scope,
    name: str,
    connection: Connection | None = None,
    *,
    account: ServiceAccount | None = None,
) -> Cluster:
    """Renew the token that Fleet manages, or replace URL and credentials as a whole.

    Args:
        connection: None renews; otherwise what replaces the old one, after it was tried.
        account: with ``connection``: make the account by it, and keep a token of that.

    Raises:
        Refused: there is no token that Fleet could renew.
        ClusterError: it did not answer or refused; the old credentials stay.
        IdentityChanged: the new address is that of another cluster.
        ClusterAuthFailed: the new credentials may not know which cluster it is.
    """
    async with runtime.db.reading() as tx:
        known = await clusters.get_cluster(tx, scope, name)
    if connection is None:
        return await _renew(runtime, actor, known)
    new = NewCluster(
        name,
        connection,
        known.labels,
        known.annotations,
        namespaces=known.namespaces,
        cluster_resources=known.cluster_resources,
    )
    new = _checked(runtime, new)
    with told_where(reserved=known.is_reserved):
        facts = await _ask(runtime, name, new.connection)
    await _refuse_twin(runtime, known, name, facts)
    if account is not None:
        new = await _with_account(runtime, new, account)
    async with committing(runtime.db, "register") as tx:
        cluster = await clusters.set_connection(
            tx,
            actor,
            runtime.ring,
            known.id,
            new.connection,
            managed_auth=new.managed_auth,
            facts=facts,
        )
        await destinations.follow(tx, actor, known, cluster)
        await queue.wake(tx, "reconcile", [str(known.id)])
    return cluster


async def _renew(runtime: Runtime, actor: Actor, known: Cluster) -> Cluster:
    if known.managed_auth is None:
        raise Refused(
            f"Cluster/{known.name} has no ServiceAccount whose token Fleet manages",
            hint="Give new credentials, from a kubeconfig for example.",
            object=f"Cluster/{known.name}",
        )
    with told_where(reserved=known.is_reserved):
        await renew_token(runtime, known, actor)
    async with runtime.db.reading() as tx:
        return await clusters.get_cluster_by_id(tx, EVERYTHING, known.id)
