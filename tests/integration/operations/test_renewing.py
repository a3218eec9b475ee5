"""Tokens of Fleet's own ServiceAccounts: renewed in time, for the cluster they are of."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from fleet.cluster import rotate
from fleet.errors import IdentityChanged
from fleet.model.clusters import Cluster, Connection, ManagedAuth
from fleet.model.scope import EVERYTHING, FLEET
from fleet.model.secret import Secret
from fleet.operations import renewing
from fleet.operations.clusters import pause_cluster, resume_cluster
from fleet.operations.onboarding import ServiceAccount, rotate_credentials
from fleet.operations.renewing import RENEW_BEFORE, renew_token
from fleet.registry import clusters
from tests.cluster.kube import TestCluster
from tests.integration.operations.harness import ADMIN, World

NEAR_ITS_END = RENEW_BEFORE / 2


async def connection_of(world: World, name: str) -> Connection:
    async with world.runtime.db.reading() as tx:
        return await clusters.connection_of(tx, world.runtime.ring, world.clusters[name].id)


async def known(world: World, name: str) -> Cluster:
    async with world.runtime.db.reading() as tx:
        return await clusters.get_cluster(tx, EVERYTHING, name)


async def with_account(world: World, name: str) -> ManagedAuth:
    """Have Fleet make itself an account there, and keep a token of it."""
    account = ServiceAccount(name=f"fleet-{secrets.token_hex(4)}")
    connection = await connection_of(world, name)
    made = await rotate_credentials(
        world.runtime, ADMIN, EVERYTHING, name, connection, account=account
    )
    assert made.managed_auth is not None
    return made.managed_auth


async def test_a_token_near_its_end_is_renewed_and_works(bare: World) -> None:
    managed = await with_account(bare, "main")
    before = await connection_of(bare, "main")
    await bare.renew()
    assert await connection_of(bare, "main") == before  # there is time yet
    assert managed.expires_at is not None
    bare.clock.forward((managed.expires_at - NEAR_ITS_END - bare.clock()).total_seconds())
    await bare.renew()
    after = await connection_of(bare, "main")
    assert after.token != before.token
    assert replace(after, token=None) == replace(before, token=None)
    renewed = (await known(bare, "main")).managed_auth
    assert renewed is not None
    assert renewed.expires_at is not None
    assert renewed.expires_at >= managed.expires_at  # the cluster lives in real time
    await bare.pass_(look=True)
    assert (await known(bare, "main")).status == "Successful"
    (change,) = await bare.rows(
        "select actor from audit_log where action = 'rotate-auth' order by at desc limit 1"
    )
    assert change["actor"] == FLEET.name


async def test_a_paused_cluster_is_left_alone(bare: World) -> None:
    await with_account(bare, "main")
    before = await connection_of(bare, "main")
    await pause_cluster(bare.runtime, ADMIN, EVERYTHING, "main", reason="move", until=None)
    bare.clock.forward(timedelta(hours=12).total_seconds())
    await bare.renew()
    assert await connection_of(bare, "main") == before
    await resume_cluster(bare.runtime, ADMIN, EVERYTHING, "main")
    await bare.renew()
    assert await connection_of(bare, "main") != before


async def test_another_cluster_is_asked_for_no_token(
    bare: World, throwaway: Callable[[], TestCluster]
) -> None:
    live = throwaway()
    far = await bare.add_cluster("far", live)
    before = await connection_of(bare, "far")
    managed = ManagedAuth("default", "default", bare.clock() + NEAR_ITS_END)
    async with bare.runtime.db.transaction() as tx:
        await clusters.set_connection(
            tx, ADMIN, bare.runtime.ring, far.id, before, managed_auth=managed
        )
    live.rebuild()
    # there, too, the account exists, and the credentials may make a token of it
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    path = "/api/v1/namespaces/default/serviceaccounts/default?fieldManager=test"
    live.request("PATCH", path, account)
    with pytest.raises(IdentityChanged):
        await renew_token(bare.runtime, await known(bare, "far"))
    assert (await known(bare, "far")).identity_changed
    await bare.renew()
    assert await connection_of(bare, "far") == before
    assert (await known(bare, "far")).managed_auth == managed


async def test_credentials_given_meanwhile_are_newer_and_stay(
    bare: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await with_account(bare, "main")
    live = bare.live["main"]
    moved = Connection(
        server=live.server.replace("127.0.0.1", "localhost"),
        ca_pem=live.ca_pem,
        token=Secret(live.admin_token),
    )

    async def slow(*args: Any, **kwargs: Any) -> Any:
        """The real thing, during which somebody moves the cluster."""
        renewed = await rotate(*args, **kwargs)
        await rotate_credentials(bare.runtime, ADMIN, EVERYTHING, "main", moved)
        return renewed

    monkeypatch.setattr(renewing, "rotate", slow)
    await renew_token(bare.runtime, await known(bare, "main"))
    assert await connection_of(bare, "main") == moved
    assert (await known(bare, "main")).managed_auth is None
