"""The ServiceAccount that Fleet makes in a cluster: its rights, its tokens, its end."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from fleet.cluster import (
    ClusterClient,
    apply,
    create_service_account,
    get_metadata,
    list_metadata,
    open_client,
    probe,
    remove_service_account,
    request_token,
    rotate,
)
from fleet.cluster.onboarding import (
    BINDING,
    CLUSTER_BINDING,
    CLUSTER_ROLE,
    ROLE,
    SERVICE_ACCOUNT,
)
from fleet.errors import ClusterAuthFailed, ObjectRejected
from fleet.model.clusters import ManagedAuth
from fleet.model.secret import Secret
from tests.cluster.kube import TestCluster
from tests.integration.cluster.conftest import (
    CONFIG_MAP,
    NAMESPACE,
    SECRET,
    Gate,
    config_map,
    connection_to,
)

HOUR = 3600


@pytest.fixture
async def admin(full_cluster: TestCluster) -> AsyncIterator[ClusterClient]:
    async with open_client(connection_to(full_cluster), name="eu-1") as opened:
        yield opened


@pytest.fixture
def account() -> str:
    return f"fleet-{secrets.token_hex(4)}"


def as_account(cluster: TestCluster, token: Secret) -> ClusterClient:
    return open_client(connection_to(cluster, token=token), name="eu-1")


async def test_by_default_the_account_may_do_everything(
    admin: ClusterClient, full_cluster: TestCluster, namespace: str, account: str
) -> None:
    for _ in range(2):  # the second time changes nothing
        await create_service_account(admin, namespace=namespace, name=account)
    token, ends = await request_token(admin, namespace, account, HOUR)

    async with as_account(full_cluster, token) as client:
        assert (await probe(client)).uid
        await apply(client, CONFIG_MAP, config_map(namespace), force=False, gate=Gate())
        assert (await list_metadata(client, SECRET)).resource_version

    assert timedelta(minutes=59) < ends - datetime.now(UTC) <= timedelta(minutes=61)
    await remove_service_account(admin, namespace=namespace, name=account)


async def test_a_token_renews_itself_until_the_account_is_removed(
    admin: ClusterClient, full_cluster: TestCluster, namespace: str, account: str
) -> None:
    await create_service_account(admin, namespace=namespace, name=account)
    old, _ = await request_token(admin, namespace, account, HOUR)
    managed = ManagedAuth(namespace, account, None)

    async with as_account(full_cluster, old) as client:
        new, ends = await rotate(client, managed, ttl_seconds=2 * HOUR)
    async with as_account(full_cluster, new) as client:
        assert (await probe(client)).uid
        await remove_service_account(admin, namespace=namespace, name=account)
        with pytest.raises(ClusterAuthFailed, match="can no longer renew"):
            await rotate(client, managed, ttl_seconds=HOUR)

    assert new != old
    assert ends > datetime.now(UTC) + timedelta(minutes=90)
    for kind in (CLUSTER_ROLE, CLUSTER_BINDING):
        assert await get_metadata(admin, kind, "", account) is None
    assert await get_metadata(admin, SERVICE_ACCOUNT, namespace, account) is None
    await remove_service_account(admin, namespace=namespace, name=account)


async def test_confined_to_namespaces_it_reaches_nothing_else(
    admin: ClusterClient, full_cluster: TestCluster, namespace: str, account: str
) -> None:
    other = f"{namespace}-other"
    full_cluster.request("POST", "/api/v1/namespaces", {"metadata": {"name": other}})
    await create_service_account(admin, namespace=other, name=account, namespaces=[namespace])
    token, _ = await request_token(admin, other, account, HOUR)

    async with as_account(full_cluster, token) as client:
        assert (await probe(client)).uid == (await probe(admin)).uid
        await apply(client, CONFIG_MAP, config_map(namespace), force=False, gate=Gate())
        await rotate(client, ManagedAuth(other, account, None), ttl_seconds=HOUR)
        for attempt in (
            apply(client, CONFIG_MAP, config_map(other), force=False, gate=Gate()),
            list_metadata(client, SECRET),
            list_metadata(client, NAMESPACE),
            request_token(client, "kube-system", "default", HOUR),
        ):
            with pytest.raises(ObjectRejected) as refused:
                await attempt
            assert refused.value.reason == "Forbidden"

    await remove_service_account(admin, namespace=other, name=account, namespaces=[namespace])
    assert await get_metadata(admin, ROLE, namespace, account) is None
    assert await get_metadata(admin, BINDING, namespace, account) is None
    assert await get_metadata(admin, CLUSTER_ROLE, "", f"{account}-identity") is None
    full_cluster.request("DELETE", f"/api/v1/namespaces/{other}")


async def test_confined_afterwards_it_loses_the_cluster(
    full_cluster: TestCluster, admin: ClusterClient, account: str
) -> None:
    await create_service_account(admin, name=account)
    await create_service_account(admin, name=account, namespaces=("default",))
    for kind in (CLUSTER_BINDING, CLUSTER_ROLE):
        assert await get_metadata(admin, kind, "", account) is None
    assert await get_metadata(admin, BINDING, "default", account) is not None
    await create_service_account(
        admin, name=account, namespaces=("default",), cluster_resources=True
    )
    assert await get_metadata(admin, CLUSTER_BINDING, "", f"{account}-cluster") is not None
    await create_service_account(admin, name=account)
    assert await get_metadata(admin, CLUSTER_BINDING, "", f"{account}-cluster") is None
    assert await get_metadata(admin, CLUSTER_BINDING, "", account) is not None
    await remove_service_account(admin, name=account, namespaces=("default",))


async def test_cluster_scoped_kinds_come_without_a_way_to_more(
    admin: ClusterClient, full_cluster: TestCluster, namespace: str, account: str
) -> None:
    await create_service_account(
        admin, namespace=namespace, name=account, namespaces=[namespace], cluster_resources=True
    )
    token, _ = await request_token(admin, namespace, account, HOUR)
    god = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": account},
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
    }

    async with as_account(full_cluster, token) as client:
        assert (await list_metadata(client, NAMESPACE)).items
        with pytest.raises(ObjectRejected) as refused:
            await apply(client, CLUSTER_ROLE, god, force=False, gate=Gate())

    assert refused.value.reason == "Forbidden"
    await remove_service_account(admin, namespace=namespace, name=account, namespaces=[namespace])


async def test_credentials_without_the_rights_are_told_what_was_refused(
    admin: ClusterClient, full_cluster: TestCluster, namespace: str, account: str
) -> None:
    await create_service_account(admin, namespace=namespace, name=account, namespaces=[namespace])
    token, _ = await request_token(admin, namespace, account, HOUR)

    async with as_account(full_cluster, token) as client:
        with pytest.raises(ObjectRejected, match="ClusterRole/") as refused:
            await create_service_account(client, namespace=namespace, name=f"{account}-2")

    assert refused.value.reason == "Forbidden"
    await remove_service_account(admin, namespace=namespace, name=account, namespaces=[namespace])
