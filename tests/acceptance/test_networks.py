"""Workers on several machines: processes in networks of their own, over one PostgreSQL.

Twenty clusters are twenty addresses of one API server, which is told by no identity, because
the credentials may not read the namespace kube-system.
"""

from __future__ import annotations

import contextlib
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from fleet.model.clusters import RESERVED, Connection
from fleet.model.scope import EVERYTHING
from fleet.model.secret import Secret
from fleet.operations.clusters import Marks, describe_cluster, pause_cluster
from fleet.operations.onboarding import add_cluster
from fleet.registry import queue
from fleet.registry.clusters import NewCluster
from tests.acceptance.parts import DEADLINE, Part, Parts
from tests.cluster.kube import TestCluster
from tests.cluster.tokens import account_token
from tests.faults.networks import Network, network
from tests.faults.proxy import FaultProxy
from tests.integration.operations.harness import (
    ADMIN,
    Object,
    World,
    config_map,
    port_of,
    until,
)

CLUSTERS = 20
A_DAY = 86_400


@dataclass
class Machines:
    """Networks, what stands at their gateways, and clusters behind it."""

    world: World
    parts: Parts
    server: TestCluster
    token: str
    stack: contextlib.ExitStack
    databases: dict[Network, str] = field(default_factory=dict)

    def network(self) -> Network:
        return self.stack.enter_context(network())

    def at(self, where: Network, address: str) -> FaultProxy:
        """A door at a network's gateway to what listens on our loopback."""
        host, _, port = address.rpartition(":")
        return self.stack.enter_context(FaultProxy(host, int(port), listen=where.gateway))

    def database(self, where: Network) -> str:
        """The URL of the database from inside: it is at the gateway."""
        if where not in self.databases:
            url = urlsplit(self.parts.database_url)
            login, _, address = url.netloc.rpartition("@")
            door = self.at(where, address)
            inside = url._replace(netloc=f"{login}@{where.gateway}:{door.port}").geturl()
            self.databases[where] = inside
        return self.databases[where]

    async def worker(self, where: Network, *arguments: str) -> Part:
        """A worker inside."""
        return await self.parts.start(
            "worker", *arguments, inside=where.within(), FLEET_DATABASE_URL=self.database(where)
        )

    async def cluster(self, name: str, where: Network, **fields: dict[str, str]) -> FaultProxy:
        """A cluster at a network's gateway, with an application of its own name; its door."""
        door = self.at(where, f"127.0.0.1:{port_of(self.server)}")
        connection = Connection(
            server=f"https://{where.gateway}:{door.port}",
            ca_pem=self.server.ca_pem,
            tls_server_name="localhost",
            token=Secret(self.token),
        )
        new = NewCluster(name, connection, fields.get("labels", {}), fields.get("annotations", {}))
        added = await add_cluster(self.world.runtime, ADMIN, EVERYTHING, new)
        self.world.clusters[name], self.world.live[name] = added.cluster, self.server
        await self.world.add_app(name, cluster=name, sync_options=())
        return door

    def fleet(self, where: Network, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command inside, on the database itself."""
        return subprocess.run(
            where.within(sys.executable, "-m", "fleet", *arguments),
            env=self.parts.environment(FLEET_DATABASE_URL=self.database(where)),
            capture_output=True,
            text=True,
            check=False,
        )

    async def asked_again(self) -> None:
        """Have the repository polled now; that would come by itself, in a while."""
        async with self.world.runtime.db.transaction() as tx:
            await queue.wake(tx, "poll", [str(self.world.repository)])

    async def synced(self, names: list[str], sha: str) -> None:
        """Return once these applications are all synced to a commit."""

        async def all_are() -> bool:
            rows = await self.world.rows(
                "select name from applications where synced_revision = :sha"
                " and sync_status = 'Synced'",
                sha=sha,
            )
            return {row["name"] for row in rows} >= set(names)

        await until(all_are, seconds=DEADLINE)

    async def watched(self) -> Counter[str]:
        """How many clusters each process watches."""
        rows = await self.world.rows(
            "select holder from leases where name like 'watch:%' and expires_at > clock_timestamp()"
        )
        return Counter(row["holder"] for row in rows)


@pytest.fixture
async def machines(
    bare: World, parts: Parts, bare_clusters: list[TestCluster]
) -> AsyncIterator[Machines]:
    server = bare_clusters[0]
    token = _account(server, bare.namespace)
    # it is on our loopback, where no worker of these tests is
    await pause_cluster(bare.runtime, ADMIN, EVERYTHING, "main", reason="not here", until=None)
    with contextlib.ExitStack() as stack:
        yield Machines(bare, parts, server, token, stack)
        parts.end()


def _account(server: TestCluster, namespace: str) -> str:
    """The token of an account that may do what the applications need, and not know whose
    cluster it is in."""
    name = f"worker-{secrets.token_hex(4)}"
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    account = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    named = {"resources": ["namespaces"], "resourceNames": [namespace], "verbs": ["get"]}
    rules = [
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]},
        {"apiGroups": [""], **named},
    ]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    about = {"metadata": {"name": name}}
    for path, body in (
        (f"/api/v1/namespaces/{namespace}/serviceaccounts", about),
        (f"{rbac}/clusterroles", {**about, "rules": rules}),
        (f"{rbac}/clusterrolebindings", {**about, "roleRef": role, "subjects": [account]}),
    ):
        server.request("POST", path, body)
    return account_token(server, namespace, name, seconds_left=A_DAY)


def _files(names: list[str], value: str) -> dict[str, tuple[Object, ...]]:
    return {name: (config_map(name, value=value),) for name in names}


async def test_two_workers_share_twenty_clusters_and_one_of_them_takes_all(
    machines: Machines,
) -> None:
    names = [f"c{n:02}" for n in range(CLUSTERS)]
    here, there = machines.network(), machines.network()
    there.reach(here)
    first = machines.world.commit(**_files(names, "1"))
    doors = [await machines.cluster(name, here) for name in names]
    await machines.parts.start("daemon")
    doomed = await machines.worker(here)
    await machines.worker(there)
    await machines.synced(names, first)

    async def shared() -> bool:
        return sorted((await machines.watched()).values()) == [CLUSTERS // 2, CLUSTERS // 2]

    await until(shared, seconds=DEADLINE)

    async def both_work() -> bool:
        seen = {address for door in doors for address in door.clients}
        return seen == {here.gateway, here.inside, there.inside}

    await until(both_work, seconds=DEADLINE)
    before = set(await machines.watched())
    doomed.kill()

    async def taken() -> bool:
        found = await machines.watched()
        return list(found.values()) == [CLUSTERS] and set(found) < before

    await until(taken, seconds=DEADLINE)
    for door in doors:
        door.clients.clear()
    second = machines.world.commit(**_files(names, "2"))
    await machines.asked_again()
    await machines.synced(names, second)
    assert {address for door in doors for address in door.clients} <= {there.inside}
    for name in names:
        phases = [row["phase"] for row in await machines.world.operations(name)]
        assert phases == ["Succeeded", "Succeeded"]
        live = machines.world.read(name)
        assert live is not None
        assert live["data"] == {"value": "2"}


async def test_workers_serve_what_they_select_and_nobody_tries_the_rest(
    machines: Machines,
) -> None:
    world = machines.world
    places = {name: machines.network() for name in ("eu", "us", "hq")}
    names = [f"{place}-{n}" for place in places for n in range(2)]
    doors = {}
    first = world.commit(**_files(names, "1"))
    for name in names:
        place = name.partition("-")[0]
        reserve = {} if place == "hq" else {RESERVED: "true"}
        doors[name] = await machines.cluster(
            name, places[place], labels={"region": place}, annotations=reserve
        )
    await machines.parts.start("daemon")
    await machines.worker(places["hq"])
    doomed = await machines.worker(places["eu"], "--select", "region=eu")
    await machines.worker(places["us"], "--select", "region=us")
    await machines.synced(names, first)
    for name, door in doors.items():
        its = places[name.partition("-")[0]]
        assert door.clients == {its.gateway, its.inside}  # the first registered it
    assert await world.rows("select name from clusters where failures > 0") == []

    doomed.kill()

    async def unserved() -> bool:
        rows = await world.rows("select name from clusters where queue = 'nobody'")
        return {row["name"] for row in rows} == {"eu-0", "eu-1"}

    await until(unserved, seconds=DEADLINE)
    said = machines.fleet(places["hq"], "app", "sync", "eu-0")
    assert said.returncode == 4, said
    assert "no worker that runs serves it" in said.stderr
    shown = machines.fleet(places["hq"], "app", "get", "eu-0").stdout
    assert "reserved, and no live worker selects it" in shown
    assert "NoWorker" in machines.fleet(places["hq"], "cluster", "list").stdout
    # what runs in the process that was asked works where the cluster is reached, and says so
    assert machines.fleet(places["eu"], "cluster", "test", "eu-0").returncode == 0
    said = machines.fleet(places["hq"], "cluster", "test", "eu-0")
    assert said.returncode == 4, said
    assert "beside such a worker" in " ".join(said.stderr.split())
    second = world.commit(**_files(names, "2"))
    await machines.asked_again()
    await machines.synced([name for name in names if not name.startswith("eu")], second)
    assert (await world.app("eu-0"))["synced_revision"] == first

    # a worker that reaches it, and selects it by another label: what waited goes on
    await describe_cluster(
        world.runtime, ADMIN, EVERYTHING, "eu-1", {}, labels=Marks({"region": None, "zone": "eu"})
    )
    await machines.worker(places["eu"], "--select", "zone in (eu),!region")
    await machines.synced(["eu-1"], second)
    assert await world.rows("select name from clusters where failures > 0") == []
    assert (await world.app("eu-0"))["synced_revision"] == first
    await machines.worker(places["eu"], "--select", "region=eu")
    await machines.synced(names, second)
