"""Clusters: registered once, reached by sealed credentials, removed when nobody needs them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from fleet.errors import AlreadyExists, ClusterUnreachable, NotFound, Refused, SealBroken
from fleet.model.clusters import (
    ClusterFacts,
    Connection,
    ConnectionStatus,
    ExecCredential,
    ManagedAuth,
)
from fleet.model.scope import EVERYTHING, Scope
from fleet.model.secret import Secret
from fleet.model.selectors import parse_selector
from fleet.registry import clusters
from fleet.registry.cluster_views import ClusterFilter
from fleet.registry.database import Database
from fleet.registry.keyring import KeyRing
from tests.integration.registry import seeds
from tests.integration.registry.seeds import ANNA, NOW

CONNECTIONS = {
    "token": Connection("https://c.example", token=Secret("t0ken"), ca_pem="CA"),
    "client-certificate": Connection(
        "https://c.example", client_cert_pem="CERT", client_key_pem=Secret("KEY")
    ),
    "basic": Connection("https://c.example", username="u", password=Secret("t0ken")),
    "exec": Connection(
        "https://c.example",
        insecure_skip_tls_verify=True,
        exec=ExecCredential("aws", ("eks", "get-token"), (("AWS_SECRET", "t0ken"),)),
    ),
    "in-cluster": Connection("https://kubernetes.default.svc", in_cluster=True),
    "proxy": Connection(
        "https://c.example",
        token=Secret("x"),
        proxy_url="http://u:t0ken@proxy:3128",
        tls_server_name="api",
    ),
}


@pytest.mark.parametrize("kind", CONNECTIONS)
async def test_a_connection_comes_back_as_it_was_and_no_column_holds_its_secrets(
    db: Database, ring: KeyRing, kind: str
) -> None:
    connection = CONNECTIONS[kind]
    async with db.transaction() as tx:
        made = await seeds.cluster(tx, ring, connection=connection)
    async with db.reading() as tx:
        assert await clusters.connection_of(tx, ring, made.id) == connection
        row = (await tx.execute(text("select clusters::text from clusters"))).scalar_one()
        changes = (await tx.execute(text("select after::text from audit_log"))).scalars().all()
    assert made.auth == ("token" if kind == "proxy" else kind)
    assert made.insecure is (kind == "exec")
    for written in (row, *changes, repr(made)):
        assert "t0ken" not in written
        assert "KEY" not in written


async def test_a_credential_does_not_follow_a_changed_url(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        made = await seeds.cluster(tx, ring)
        await tx.execute(text("update clusters set server = 'https://evil.example'"))
        with pytest.raises(SealBroken):
            await clusters.connection_of(tx, ring, made.id)
        moved = Connection("https://new.example", token=Secret("new"))
        await clusters.set_connection(tx, ANNA, ring, made.id, moved, managed_auth=None)
        assert await clusters.connection_of(tx, ring, made.id) == moved


async def test_a_rotation_replaces_everything(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        made = await seeds.cluster(tx, ring)
        managed = ManagedAuth("kube-system", "fleet", NOW + timedelta(days=1))
        fresh = Connection(made.server, client_cert_pem="C", client_key_pem=Secret("K"))
        after = await clusters.set_connection(tx, ANNA, ring, made.id, fresh, managed_auth=managed)
        assert after.auth == "client-certificate"
        assert after.managed_auth == managed
        assert await clusters.connection_of(tx, ring, made.id) == fresh
        before_end = await clusters.tokens_expiring(tx, EVERYTHING, NOW + timedelta(days=2))
        assert [cluster.name for cluster in before_end] == ["eu-1"]
        assert await clusters.tokens_expiring(tx, EVERYTHING, NOW) == ()


@pytest.mark.parametrize(
    ("name", "server", "uid", "said"),
    [
        ("eu-1", "https://b", "uid-b", "a cluster named 'eu-1' exists already"),
        ("eu-2", "https://eu-1.example:6443", "uid-b", "the server https://eu-1.example:6443"),
        ("eu-2", "https://b", "uid-eu-1", "same kube-system UID"),
    ],
)
async def test_a_cluster_is_registered_once(
    db: Database, ring: KeyRing, name: str, server: str, uid: str, said: str
) -> None:
    async with db.transaction() as tx:
        await seeds.cluster(tx, ring)
        connection = Connection(server, token=Secret("t"))
        with pytest.raises(AlreadyExists, match=said) as caught:
            await seeds.cluster(
                tx, ring, name, connection=connection, facts=ClusterFacts(uid, "v1.33.0")
            )
        assert caught.value.object == "Cluster/eu-1"
        # the transaction goes on: nothing of it was lost
        assert len((await clusters.list_clusters(tx, EVERYTHING))[0]) == 1


async def test_what_people_decide_changes_and_is_audited(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        made = await seeds.cluster(tx, ring, labels={"env": "test"}, interval_seconds=30)
        after = await clusters.update_cluster(
            tx,
            ANNA,
            made.id,
            {"name": "eu-9", "labels": {"env": "prod"}, "interval_seconds": None},
        )
        assert (after.name, after.labels, after.interval_seconds) == (
            "eu-9",
            {"env": "prod"},
            None,
        )
        assert after.id == made.id
        log = (await tx.execute(text("select * from audit_log order by seq desc limit 1"))).one()
        assert (log.actor, log.action, log.object, log.source_ip) == (
            "anna",
            "update",
            "eu-9",
            "10.0.0.7",
        )
        assert log.before["labels"] == {"env": "test"}
        assert log.after["labels"] == {"env": "prod"}
        await seeds.cluster(tx, ring, "eu-2")
        with pytest.raises(AlreadyExists, match="'eu-2'"):
            await clusters.update_cluster(tx, ANNA, made.id, {"name": "eu-2"})


async def test_the_scheduler_can_see_that_something_changed(db: Database, ring: KeyRing) -> None:
    changed = text("select changed_at from clusters")
    async with db.transaction() as tx:
        made = await seeds.cluster(tx, ring)
        marks = [(await tx.execute(changed)).scalar_one()]
        await clusters.pause(tx, ANNA, made.id, reason="upgrade", until=NOW)
        marks.append((await tx.execute(changed)).scalar_one())
        await clusters.resume(tx, ANNA, made.id)
        marks.append((await tx.execute(changed)).scalar_one())
        await clusters.update_cluster(tx, ANNA, made.id, {"interval_seconds": 5})
        marks.append((await tx.execute(changed)).scalar_one())
    assert marks == sorted(set(marks))


async def test_pause_says_who_why_and_until_when(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        made = await seeds.cluster(tx, ring)
        until = NOW + timedelta(hours=1)
        paused = await clusters.pause(tx, ANNA, made.id, reason="upgrade", until=until)
        assert (paused.paused_by, paused.paused_reason, paused.paused_until) == (
            "anna",
            "upgrade",
            until,
        )
        assert paused.is_paused(NOW)
        assert not paused.is_paused(until)
        assert not (await clusters.resume(tx, ANNA, made.id)).is_paused(NOW)


async def test_a_cluster_that_is_targeted_stays(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        await seeds.project(tx, "shop")
        made = await seeds.cluster(tx, ring)
        for number in range(7):
            await seeds.application(tx, f"web-{number}", made.id)
        with pytest.raises(Refused) as caught:
            await clusters.remove_cluster(tx, ANNA, made.id)
        assert "7 application(s): web-0, web-1, web-2, web-3, web-4 and 2 more" in str(caught.value)
        assert "fleet app delete" in caught.value.hint
        await tx.execute(text("delete from applications"))
        await clusters.remove_cluster(tx, ANNA, made.id)
        with pytest.raises(NotFound):
            await clusters.get_cluster_by_id(tx, EVERYTHING, made.id)


async def test_a_cluster_is_not_removed_under_an_application(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        await seeds.project(tx, "shop")
        made = await seeds.cluster(tx, ring)
    async with db.transaction() as tx:
        await seeds.application(tx, "web", made.id)

        async def remove() -> None:
            async with db.transaction() as other:
                await clusters.remove_cluster(other, ANNA, made.id)

        removal = asyncio.create_task(remove())
        waits = text("select count(*) from pg_locks where not granted")
        while not (await tx.execute(waits)).scalar_one():
            await asyncio.sleep(0)
    with pytest.raises(Refused, match="web"):
        await removal


async def test_another_cluster_at_a_known_address_waits_for_a_person(
    db: Database, ring: KeyRing
) -> None:
    async with db.transaction() as tx:
        made = await seeds.cluster(tx, ring, facts=None)
        with pytest.raises(Refused, match="nothing to confirm"):
            await clusters.confirm_identity(tx, ANNA, made.id)
        first = await clusters.record_probe(tx, made.id, ClusterFacts("a", "v1.33.0"), NOW)
        assert (first.confirmed_uid, first.identity_changed) == ("a", False)
        second = await clusters.record_probe(tx, made.id, ClusterFacts("b", "v1.34.0"), NOW)
        assert (second.uid, second.confirmed_uid, second.identity_changed) == ("b", "a", True)
        assert not (await clusters.confirm_identity(tx, ANNA, made.id)).identity_changed


async def test_the_same_cluster_under_two_names_is_found_by_a_probe(
    db: Database, ring: KeyRing
) -> None:
    async with db.transaction() as tx:
        await seeds.cluster(tx, ring, "eu-1", facts=ClusterFacts("same", "v1.33.0"))
        other = await seeds.cluster(tx, ring, "eu-2", facts=None)
        probed = await clusters.record_probe(tx, other.id, ClusterFacts("same", "v1.33.0"), NOW)
        assert probed.status is ConnectionStatus.FAILED
        assert "'eu-1'" in probed.message
        assert probed.confirmed_uid == ""


async def test_a_probe_counts_failures_and_does_not_refresh_observations(
    db: Database, ring: KeyRing
) -> None:
    async with db.transaction() as tx:
        made = await seeds.cluster(tx, ring, facts=None)
        facts = ClusterFacts("a", "v1.33.0", ("v1", "v1/Pod"))
        seen = await clusters.record_probe(tx, made.id, facts, NOW)
        assert (seen.status, seen.version, seen.api_versions) == (
            ConnectionStatus.SUCCESSFUL,
            "v1.33.0",
            ("v1", "v1/Pod"),
        )
        assert seen.observed_at == NOW
        later = NOW + timedelta(minutes=5)
        failed = await clusters.record_probe(
            tx, made.id, ClusterUnreachable("no route to host"), later
        )
        assert (failed.status, failed.message) == (ConnectionStatus.FAILED, "no route to host")
        assert (failed.observed_at, failed.attempted_at) == (NOW, later)
        again = await clusters.record_probe(tx, made.id, facts, later)
        assert (again.observed_at, again.message) == (NOW, "")
        failures = (await tx.execute(text("select failures from clusters"))).scalar_one()
        assert failures == 0


async def test_lists_are_filtered_and_paged_by_name(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        for name, env in (("a", "prod"), ("b", "test"), ("c", "prod"), ("d_x", "prod")):
            await seeds.cluster(tx, ring, name, labels={"env": env})
        wanted = ClusterFilter(selector=parse_selector("env=prod"))
        page, cursor = await clusters.list_clusters(tx, EVERYTHING, wanted, limit=2)
        assert [entry.name for entry in page] == ["a", "c"]
        page, cursor = await clusters.list_clusters(tx, EVERYTHING, wanted, limit=2, after=cursor)
        assert ([entry.name for entry in page], cursor) == (["d_x"], "")
        # an underscore is a letter, not a pattern
        page, _ = await clusters.list_clusters(tx, EVERYTHING, ClusterFilter(name="_"))
        assert [entry.name for entry in page] == ["d_x"]


async def test_a_typing_error_gets_a_hint_from_what_may_be_seen(
    db: Database, ring: KeyRing
) -> None:
    async with db.transaction() as tx:
        await seeds.cluster(tx, ring, "eu-west-1", project="shop")
        await seeds.cluster(tx, ring, "eu-west-2", project="bank")
        with pytest.raises(NotFound) as caught:
            await clusters.get_cluster(tx, Scope(frozenset({"shop"})), "eu-west-3")
    assert caught.value.hint.startswith("Did you mean 'eu-west-1'? ")
    assert caught.value.object == "Cluster/eu-west-3"


async def test_found_by_server(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        made = await seeds.cluster(tx, ring)
        found = await clusters.find_by_server(tx, EVERYTHING, made.server)
        assert found == replace(made, application_count=0)
        assert await clusters.find_by_server(tx, EVERYTHING, "https://nowhere") is None
