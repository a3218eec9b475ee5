"""Clusters: registering, changing, testing, pausing and removing them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Query, Response
from pydantic import Field, SecretStr

from fleet.api.answers import created
from fleet.api.caller import Caller, Calling
from fleet.api.guarded import guarded_router
from fleet.api.requests import PAGE, After, Body, Limit, Moment, Nothing, secret
from fleet.api.shapes import page, time_text
from fleet.errors import UsageError
from fleet.model.clusters import Cluster, Connection, ConnectionStatus, ExecCredential
from fleet.model.names import is_dns_label
from fleet.model.selectors import parse_selector
from fleet.operations import clusters as operations
from fleet.operations.argo_verdicts import argo_verdicts
from fleet.operations.clusters import Marks
from fleet.operations.onboarding import (
    ServiceAccount,
    add_cluster,
    rotate_credentials,
    test_cluster,
)
from fleet.registry import clusters, routing
from fleet.registry.cluster_views import ClusterFilter
from fleet.registry.clusters import ClusterChanges, NewCluster

router = guarded_router("clusters")

#: Longest pause between two readings of a cluster: a day.
LONGEST_INTERVAL = 86_400
Interval = Annotated[int, Field(ge=10, le=LONGEST_INTERVAL)]


class ExecBody(Body):
    """A credential plugin; it has to be on the allow-list."""

    command: str
    args: tuple[str, ...] = ()
    env: Annotated[dict[str, SecretStr], Field(default_factory=dict)]
    api_version: str = "client.authentication.k8s.io/v1"
    install_hint: str = ""
    provide_cluster_info: bool = False


class ConnectionBody(Body):
    """How to reach a cluster, and one way to prove who we are. Certificates are PEM."""

    server: str = ""
    ca: str = ""
    token: SecretStr | None = None
    client_certificate: str = ""
    client_key: SecretStr | None = None
    username: str = ""
    password: SecretStr | None = None
    exec: ExecBody | None = None
    tls_server_name: str = ""
    proxy_url: str = ""
    insecure: bool = False
    in_cluster: bool = False

    def value(self) -> Connection:
        plugin = self.exec
        return Connection(
            server=self.server.strip().rstrip("/"),
            ca_pem=self.ca,
            insecure_skip_tls_verify=self.insecure,
            tls_server_name=self.tls_server_name,
            proxy_url=self.proxy_url,
            token=secret(self.token),
            client_cert_pem=self.client_certificate,
            client_key_pem=secret(self.client_key),
            username=self.username,
            password=secret(self.password),
            exec=None
            if plugin is None
            else ExecCredential(
                plugin.command,
                plugin.args,
                tuple((name, value.get_secret_value()) for name, value in plugin.env.items()),
                plugin.api_version,
                plugin.install_hint,
                plugin.provide_cluster_info,
            ),
            in_cluster=self.in_cluster,
        )


class AccountBody(Body):
    """The ServiceAccount to make in the cluster, if one is asked for."""

    create_service_account: bool = False
    service_account_namespace: str = "kube-system"
    service_account_name: str = "fleet-manager"

    def account(self) -> ServiceAccount | None:
        if not self.create_service_account:
            return None
        return ServiceAccount(self.service_account_namespace, self.service_account_name)


class AddBody(AccountBody):
    name: str
    connection: ConnectionBody
    labels: Annotated[dict[str, str], Field(default_factory=dict)]
    annotations: Annotated[dict[str, str], Field(default_factory=dict)]
    project: str = ""
    namespaces: tuple[str, ...] = ()
    cluster_resources: bool = False
    upsert: bool = False
    interval_seconds: Interval | None = None


class ChangeBody(Body):
    """What is left out stays. A label with null is taken away, the others stay."""

    name: str | None = None
    labels: dict[str, str | None] | None = None
    annotations: dict[str, str | None] | None = None
    project: str | None = None
    namespaces: list[str] | None = None
    cluster_resources: bool | None = None
    interval_seconds: Interval | None = None

    def changes(self) -> ClusterChanges:
        wanted: ClusterChanges = {}
        if self.name is not None:
            wanted["name"] = self.name
        if self.project is not None:
            wanted["project"] = self.project
        if self.namespaces is not None:
            wanted["namespaces"] = self.namespaces
        if self.cluster_resources is not None:
            wanted["cluster_resources"] = self.cluster_resources
        if "interval_seconds" in self.model_fields_set:
            wanted["interval_seconds"] = self.interval_seconds
        return wanted


class RotateBody(AccountBody):
    """Without a connection the token that Fleet manages is renewed."""

    connection: ConnectionBody | None = None


class PauseBody(Body):
    reason: Annotated[str, Field(min_length=1, max_length=1000)]
    until: Moment | None = None


def cluster_shape(caller: Caller, cluster: Cluster, *, whole: bool = True) -> dict[str, Any]:
    """A cluster as people see it; ``whole`` adds the long list of API versions."""
    managed = cluster.managed_auth
    paused = cluster.is_paused(caller.runtime.now())
    shape: dict[str, Any] = {
        "id": str(cluster.id),
        "name": cluster.name,
        "server": cluster.server,
        "labels": cluster.labels,
        "annotations": cluster.annotations,
        "project": cluster.project,
        "namespaces": list(cluster.namespaces),
        "clusterResources": cluster.cluster_resources,
        "auth": cluster.auth,
        "managedAuth": None
        if managed is None
        else {
            "namespace": managed.namespace,
            "serviceAccount": managed.service_account,
            "expiresAt": time_text(managed.expires_at),
        },
        "uid": cluster.uid,
        "identityChanged": cluster.identity_changed,
        "version": cluster.version,
        "connectionState": {
            "status": str(cluster.status),
            "message": cluster.message,
            "attemptedAt": time_text(cluster.attempted_at),
        },
        "lastSeenAt": time_text(cluster.observed_at),
        "intervalSeconds": cluster.interval_seconds,
        "paused": paused,
        "pause": None
        if not paused
        else {
            "reason": cluster.paused_reason,
            "until": time_text(cluster.paused_until),
            "by": cluster.paused_by,
        },
        "reserved": cluster.is_reserved,
        "unserved": cluster.is_unserved,
        "insecure": cluster.insecure,
        "applications": cluster.application_count,
        "createdAt": time_text(cluster.created_at),
    }
    return {**shape, "apiVersions": list(cluster.api_versions)} if whole else shape


@router.get("/clusters", summary="Clusters, by name")
async def list_clusters(
    caller: Calling,
    selector: str = "",
    name: str = "",
    project: str | None = None,
    status: ConnectionStatus | None = None,
    limit: Limit = PAGE,
    after: After = "",
) -> dict[str, Any]:
    await caller.require_some("clusters")
    wanted = ClusterFilter(parse_selector(selector), name, project, status)
    async with caller.runtime.db.reading() as tx:
        found, cursor = await clusters.list_clusters(
            tx, caller.scope, wanted, limit=limit, after=after
        )
    return page((cluster_shape(caller, cluster, whole=False) for cluster in found), cursor)


@router.post("/clusters", summary="Register a cluster, after asking it who it is")
async def post_cluster(caller: Calling, body: AddBody) -> Response:
    await caller.require("create", "clusters", body.name, body.project, body.connection.server)
    added = await add_cluster(
        caller.runtime,
        caller.actor,
        caller.scope,
        NewCluster(
            name=body.name,
            connection=body.connection.value(),
            labels=body.labels,
            annotations=body.annotations,
            project=body.project,
            namespaces=body.namespaces,
            cluster_resources=body.cluster_resources,
            interval_seconds=body.interval_seconds,
        ),
        account=body.account(),
        upsert=body.upsert,
    )
    return created(
        {
            "action": added.action,
            "cluster": cluster_shape(caller, added.cluster),
            "adopted": list(added.adopted),
            "warnings": list(added.warnings),
        },
        added.action,
    )


async def _found(caller: Caller, action: str, name: str) -> Cluster:
    """The cluster, if the caller may see it and do that to it."""
    async with caller.runtime.db.reading() as tx:
        cluster = await clusters.get_cluster(tx, caller.scope, name)
    await caller.require(action, "clusters", name, cluster.project, cluster.server)
    return cluster


@router.post("/clusters/{name:path}/test", summary="Ask a cluster who it is, now")
async def post_test(caller: Calling, name: str) -> dict[str, Any]:
    await _found(caller, "update", name)
    tested = await test_cluster(caller.runtime, caller.scope, name)
    return {
        "ok": True,
        "version": tested.facts.version,
        "uid": tested.facts.uid,
        "seconds": round(tested.seconds, 3),
        "cluster": cluster_shape(caller, tested.cluster),
    }


@router.post("/clusters/{name:path}/rotate-auth", summary="Renew or replace its credentials")
async def post_rotate(caller: Calling, name: str, body: RotateBody) -> dict[str, Any]:
    await _found(caller, "update", name)
    connection = body.connection.value() if body.connection else None
    cluster = await rotate_credentials(
        caller.runtime, caller.actor, caller.scope, name, connection, account=body.account()
    )
    return cluster_shape(caller, cluster)


@router.post("/clusters/{name:path}/pause", summary="Leave a cluster alone for a while")
async def post_pause(caller: Calling, name: str, body: PauseBody) -> dict[str, Any]:
    await _found(caller, "update", name)
    cluster = await operations.pause_cluster(
        caller.runtime, caller.actor, caller.scope, name, reason=body.reason, until=body.until
    )
    return cluster_shape(caller, cluster)


@router.post("/clusters/{name:path}/resume", summary="End a pause")
async def post_resume(caller: Calling, name: str, _: Nothing | None = None) -> dict[str, Any]:
    await _found(caller, "update", name)
    cluster = await operations.resume_cluster(caller.runtime, caller.actor, caller.scope, name)
    return cluster_shape(caller, cluster)


@router.post(
    "/clusters/{name:path}/confirm-identity",
    summary="Accept the cluster that answers at this address by now",
)
async def post_confirm(caller: Calling, name: str, _: Nothing | None = None) -> dict[str, Any]:
    await _found(caller, "update", name)
    cluster = await operations.confirm_cluster(caller.runtime, caller.actor, caller.scope, name)
    return cluster_shape(caller, cluster)


@router.get(
    "/clusters/{name:path}/argo-applications",
    summary="What an Argo CD that runs there says of its applications",
)
async def get_argo_applications(
    caller: Calling, name: str, namespace: Annotated[str, Query(max_length=63)] = ""
) -> dict[str, Any]:
    """Name and verdicts of each, by the cluster's credentials; whoever may change those may ask.
    Without a namespace: of all."""
    if namespace and not is_dns_label(namespace):
        raise UsageError(f"{namespace!r} is no namespace")
    await _found(caller, "update", name)
    return {"documents": await argo_verdicts(caller.runtime, caller.scope, name, namespace)}


@router.get("/clusters/{name:path}", summary="One cluster")
async def get_cluster(caller: Calling, name: str) -> dict[str, Any]:
    cluster = await _found(caller, "get", name)
    async with caller.runtime.db.reading() as tx:
        crew = await routing.crew_of(tx, cluster.id)
    workers = {"selector": crew.selector, "live": crew.live} if crew else None
    return {**cluster_shape(caller, cluster), "workers": workers}


@router.patch("/clusters/{name:path}", summary="Change what people decide about a cluster")
async def patch_cluster(caller: Calling, name: str, body: ChangeBody) -> dict[str, Any]:
    await _found(caller, "update", name)
    described = await operations.describe_cluster(
        caller.runtime,
        caller.actor,
        caller.scope,
        name,
        body.changes(),
        labels=None if body.labels is None else Marks(body.labels),
        annotations=None if body.annotations is None else Marks(body.annotations),
    )
    return {
        **cluster_shape(caller, described.cluster),
        "warnings": list(described.warnings),
    }


@router.delete("/clusters/{name:path}", summary="Forget a cluster; nothing in it is deleted")
async def delete_cluster(
    caller: Calling,
    name: str,
    applications: Annotated[
        Literal["", "keep", "delete"],
        Query(description="What becomes of applications that target it; empty refuses."),
    ] = "",
    remove_service_account: Annotated[bool, Query(alias="removeServiceAccount")] = False,
) -> dict[str, Any]:
    await _found(caller, "delete", name)
    removed = await operations.remove_cluster(
        caller.runtime,
        caller.actor,
        caller.scope,
        name,
        fate=applications,
        remove_account=remove_service_account,
    )
    return {
        "name": removed.name,
        "applications": list(removed.applications),
        "kept": applications != "delete",
        "warnings": list(removed.warnings),
    }
