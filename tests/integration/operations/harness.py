"""A small Fleet in one process: a database, clusters, one repository, and passes on demand.

Nothing runs by itself here. A test commits, polls and passes when it wants to, moves the
clock instead of waiting, and reads rows and live objects afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import text

from fleet.cluster import ClusterClient
from fleet.errors import FleetError
from fleet.model.clusters import Cluster, Connection
from fleet.model.ids import ClusterId, RepositoryId
from fleet.model.objects import ObjectRef
from fleet.model.operations import Operation, SyncOptions
from fleet.model.parsing import new_application, parse_application, parse_project
from fleet.model.repositories import RepositoryAuth, RepositoryOptions, RepositoryType
from fleet.model.scope import EVERYTHING, Actor
from fleet.model.secret import Secret
from fleet.model.selectors import parse_selector
from fleet.operations.applications import sync_application
from fleet.operations.desiring import poll_repository
from fleet.operations.onboarding import add_cluster
from fleet.operations.opening import open_runtime
from fleet.operations.passes import reconcile_cluster
from fleet.operations.putting import put_application
from fleet.operations.renewing import renew_token_of, renew_tokens
from fleet.operations.runtime import Runtime
from fleet.registry import clusters, projects, repositories, routing, sightings
from fleet.registry.clusters import NewCluster
from fleet.registry.repositories import NewRepository
from fleet.settings import Settings, load_settings
from fleet.source import parse_url
from tests.cluster.kube import ApiFailed, TestCluster
from tests.servers.git_repo import GitRepo
from tests.servers.postgres import TestDatabase

ADMIN = Actor("admin", role="admin")
Object = dict[str, Any]
Value = TypeVar("Value")


def config_map(name: str, annotations: Mapping[str, str] | None = None, **data: str) -> Object:
    """A ConfigMap without a namespace: it goes where the application goes."""
    metadata: Object = {"name": name}
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": data or {"colour": "blue"},
    }


def deployment(
    name: str,
    *,
    replicas: int = 1,
    wave: int | None = None,
    pod: str = "",
    seconds: int = 600,
) -> Object:
    """A Deployment; ``pod`` names how kwok lets its pods misbehave (``stages.yaml``)."""
    marks = {"tests.fleet.dev/pod": pod} if pod else {}
    found: Object = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "progressDeadlineSeconds": seconds,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}, "annotations": marks},
                "spec": {"containers": [{"name": "web", "image": "registry.test/web:1"}]},
            },
        },
    }
    return found if wave is None else in_wave(found, wave)


def in_wave(object: Object, wave: int) -> Object:
    """The same object, in a sync wave."""
    metadata = object["metadata"]
    marks = {**metadata.get("annotations", {}), "argocd.argoproj.io/sync-wave": str(wave)}
    return {**object, "metadata": {**metadata, "annotations": marks}}


def in_namespace(object: Object, namespace: str) -> Object:
    """The same object, in a namespace of its own choice."""
    return {**object, "metadata": {**object["metadata"], "namespace": namespace}}


def as_file(objects: tuple[Object, ...]) -> str:
    """Manifests as one YAML stream; every JSON document is one in YAML."""
    return "".join(f"---\n{json.dumps(object)}\n" for object in objects)


class Clock:
    """The time that operations see: the real one, and what a test has added."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def forward(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


@dataclass
class World:
    """One Fleet and what it works with. Applications go to ``namespace`` of ``main`` unless
    a test says otherwise."""

    runtime: Runtime
    clock: Clock
    repo: GitRepo
    repository: RepositoryId
    namespace: str
    clusters: dict[str, Cluster] = field(default_factory=dict)
    live: dict[str, TestCluster] = field(default_factory=dict)
    epoch: int = 0

    # what people do

    async def add_cluster(self, name: str, live: TestCluster, **changes: Any) -> Cluster:
        """Register ``live``, which has to answer.

        Args:
            changes: fields of ``NewCluster``; ``server`` replaces the address.
        """
        connection = Connection(
            server=changes.pop("server", live.server),
            ca_pem=live.ca_pem,
            token=Secret(live.admin_token),
        )
        new = NewCluster(name, connection, {}, {}, **changes)
        added = await add_cluster(self.runtime, ADMIN, EVERYTHING, new)
        self.clusters[name], self.live[name] = added.cluster, live
        return added.cluster

    async def add_dead_cluster(self, name: str, port: int = 1) -> Cluster:
        """A cluster as it was registered long ago; nothing listens at its address now."""
        connection = Connection(server=f"https://127.0.0.1:{port}", token=Secret("token"))
        async with self.runtime.db.transaction() as tx:
            self.clusters[name] = await clusters.add_cluster(
                tx, ADMIN, self.runtime.ring, NewCluster(name, connection, {}, {})
            )
        return self.clusters[name]

    async def add_app(
        self,
        name: str,
        *,
        path: str = "",
        cluster: str = "main",
        namespace: str = "",
        auto: bool = True,
        prune: bool = True,
        heal: bool = True,
        upsert: bool = False,
        **flags: Any,
    ) -> None:
        """Put an application, by default one that does everything by itself."""
        document = new_application(
            name,
            repo_url=self.repo.url,
            path=path or name,
            revision="main",
            dest_name=cluster,
            dest_namespace=namespace or self.namespace,
            automated=auto,
            auto_prune=auto and prune,
            self_heal=auto and heal,
            **{"sync_options": ("CreateNamespace=true",), **flags},
        )
        parsed = parse_application(document)
        await put_application(self.runtime, ADMIN, EVERYTHING, parsed, upsert=upsert)

    async def put_project(self, name: str, **spec: Any) -> None:
        """Create or replace a project; sources and destinations are open unless given."""
        document = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AppProject",
            "metadata": {"name": name},
            "spec": {
                "sourceRepos": ["*"],
                "destinations": [{"server": "*", "namespace": "*"}],
                "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
                **spec,
            },
        }
        async with self.runtime.db.transaction() as tx:
            await projects.upsert_project(tx, ADMIN, parse_project(document))

    def commit(self, **folders: tuple[Object, ...]) -> str:
        """Make folders hold exactly these objects; the new commit's SHA."""
        files = {f"{name}/objects.yaml": as_file(objects) for name, objects in folders.items()}
        return self.repo.commit(files)

    async def sync(self, name: str, options: SyncOptions | None = None) -> Operation:
        """Ask for a sync, as a person would, with a worker that counts as alive."""
        await self.pretend_worker()
        return await sync_application(
            self.runtime, ADMIN, EVERYTHING, name, options or SyncOptions()
        )

    async def pretend_worker(self) -> None:
        """Requests are refused while no worker lives; here the test is the worker."""
        await self.run("delete from procrastinate_workers")
        await self.run("insert into procrastinate_workers default values")

    async def add_worker(self, selector: str = "") -> int:
        """One more worker that counts as alive, however long the test takes, and serves what it
        selects."""
        async with self.runtime.db.transaction() as tx:
            made = text(
                "insert into procrastinate_workers (last_heartbeat)"
                " values (now() + interval '1 hour') returning id"
            )
            id = int((await tx.execute(made)).scalar_one())
            chosen = parse_selector(selector)
            await routing.register(tx, id, chosen, watches=True, holder=f"test:{id}")
        return id

    # what Fleet does

    async def poll(self) -> FleetError | None:
        """Ask the repository; returns what it failed with."""
        try:
            await poll_repository(self.runtime, self.repository)
        except FleetError as error:
            return error
        return None

    async def pass_(self, cluster: str = "main", *, look: bool = False) -> Counter[tuple[str, str]]:
        """One pass over a cluster; returns the requests that it cost.

        Args:
            look: read the cluster as a whole, as when that is due.
        """
        self.epoch += 1
        id = self.clusters[cluster].id
        if look:
            await self.run("update clusters set observed_at = null where id = :id", id=id)
        before = Counter(self.requests(cluster))
        await reconcile_cluster(self.runtime, id, self.epoch)
        return self.requests(cluster) - before

    async def renew(self) -> None:
        """Renew tokens that end soon, as a worker that reaches every cluster does."""
        await renew_tokens(self.runtime)
        asked = await self.rows(
            "select args ->> 'key' as id from procrastinate_jobs where task_name = 'token'"
        )
        await self.run("delete from procrastinate_jobs where task_name = 'token'")
        for job in asked:
            with contextlib.suppress(FleetError):
                await renew_token_of(self.runtime, ClusterId(UUID(job["id"])))

    async def deliver(self, *folders_of: str, **folders: tuple[Object, ...]) -> str:
        """Commit, poll, and pass over ``main``."""
        sha = self.commit(**folders)
        assert await self.poll() is None
        for cluster in folders_of or ("main",):
            await self.pass_(cluster)
        return sha

    async def mark_seen(self, name: str, version: str, *, cluster: str = "main") -> None:
        """Note that a ConfigMap was seen at a version, as a watch does."""
        ref = ObjectRef("", "ConfigMap", self.namespace, name)
        async with self.runtime.db.transaction() as tx:
            await sightings.mark_seen(tx, self.clusters[cluster].id, [(ref, version)])

    def client(self, cluster: str = "main") -> ClusterClient:
        return self.runtime.connections._links[self.clusters[cluster].id].client

    def requests(self, cluster: str = "main") -> Counter[tuple[str, str]]:
        link = self.runtime.connections._links.get(self.clusters[cluster].id)
        return Counter(link.client.requests) if link else Counter()

    # what is recorded

    async def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        async with self.runtime.db.reading() as tx:
            return [dict(row) for row in (await tx.execute(text(query), values)).mappings()]

    async def run(self, statement: str, **values: Any) -> None:
        async with self.runtime.db.transaction() as tx:
            await tx.execute(text(statement), values)

    async def app(self, name: str) -> dict[str, Any]:
        return (await self.rows("select * from applications where name = :name", name=name))[0]

    async def operations(self, name: str) -> list[dict[str, Any]]:
        """Of one application, oldest first."""
        return await self.rows(
            "select * from operations where application = :name order by created_at", name=name
        )

    async def results(self, name: str) -> dict[str, tuple[str, str]]:
        """Of an application's last operation: object → action and error."""
        last = (await self.operations(name))[-1]
        rows = await self.rows(
            "select kind, name, action, error from operation_results where operation_id = :id",
            id=last["id"],
        )
        return {f"{row['kind']}/{row['name']}": (row["action"], row["error"]) for row in rows}

    async def resources(self, name: str) -> dict[str, dict[str, Any]]:
        """An application's objects: ``Kind/name`` → row."""
        rows = await self.rows(
            "select r.* from resources r join applications a on a.id = r.application_id"
            " where a.name = :name",
            name=name,
        )
        return {f"{row['kind']}/{row['name']}": row for row in rows}

    async def versions(self) -> dict[str, str]:
        """Which transaction wrote each application and history row last."""
        tables = ("applications", "operations", "operation_results", "resources", "deployments")
        return {
            table: json.dumps(
                sorted(row["x"] for row in await self.rows(f"select xmin::text as x from {table}"))
            )
            for table in (*tables, "drift_events", "audit_log")
        }

    # what is live

    def request(
        self, method: str, path: str, body: Object | None = None, *, cluster: str = "main"
    ) -> Object:
        return self.live[cluster].request(method, path, body)

    def path_of(self, name: str, namespace: str = "") -> str:
        return f"/api/v1/namespaces/{namespace or self.namespace}/configmaps/{name}"

    def read(self, name: str, *, namespace: str = "", cluster: str = "main") -> Object | None:
        """A live ConfigMap, None when there is none."""
        try:
            return self.request("GET", self.path_of(name, namespace), cluster=cluster)
        except ApiFailed as failed:
            if failed.status != 404:
                raise
            return None

    def is_going(self, name: str, *, cluster: str = "main") -> bool:
        """Whether a ConfigMap is gone, or waits for a garbage collector that a bare API
        server does not have."""
        live = self.read(name, cluster=cluster)
        return live is None or "deletionTimestamp" in live["metadata"]

    def edit(self, name: str, manager: str = "hand", *, force: bool = True, **data: str) -> Object:
        """Write a live ConfigMap's data as somebody else does, by server-side apply."""
        path = f"{self.path_of(name)}?fieldManager={manager}&force={str(force).lower()}"
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
        return self.request("PATCH", path, body)

    def create_namespace(self, cluster: str = "main") -> None:
        body = {"metadata": {"name": self.namespace}}
        self.request("POST", "/api/v1/namespaces", body, cluster=cluster)


def settings_for(tmp_path: Path, **changes: Any) -> Settings:
    """Settings of a Fleet whose home is ``tmp_path/home``."""
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    flags: dict[str, Any] = {
        "home": str(home),
        "allowed_file_roots": str(tmp_path),
        "allowed_networks": "127.0.0.0/8",
        "allow_unsafe_database": True,
    }
    return load_settings(flags={**flags, **changes})


async def register(
    runtime: Runtime,
    address: str,
    type: RepositoryType = RepositoryType.GIT,
    *,
    project: str = "",
    auth: RepositoryAuth | None = None,
) -> RepositoryId:
    """Register a repository, as an administrator would; anonymous unless ``auth`` is given."""
    url = parse_url(address)
    new = NewRepository(
        url=str(url),
        canonical_url=url.canonical,
        type=type,
        project=project,
        auth=auth or RepositoryAuth(),
        options=RepositoryOptions(),
    )
    async with runtime.db.transaction() as tx:
        return (await repositories.add_repository(tx, ADMIN, runtime.ring, new)).id


@asynccontextmanager
async def world(
    settings: Settings, database: TestDatabase, repo: GitRepo, main: TestCluster
) -> AsyncIterator[World]:
    """An opened world with one repository and one cluster, ``main``."""
    clock = Clock()
    async with open_runtime(settings, Secret(database.app_url), name="test") as opened:
        runtime = replace(opened, now=clock)
        known = await register(runtime, repo.url)
        made = World(runtime, clock, repo, known, f"t-{secrets.token_hex(5)}")
        await made.add_cluster("main", main)
        yield made


def port_of(cluster: TestCluster) -> int:
    return int(cluster.server.rpartition(":")[2])


async def until(found: Callable[[], Awaitable[Value]], *, seconds: float = 120) -> Value:
    """The first answer that is true, asked for again and again; for what has no event to wait
    for.

    The deadline has room for Kubernetes' garbage collector: it learns of kinds that came or went
    every 30 s, and deletes nothing in the foreground while it waits for one that left.

    Raises:
        TimeoutError: there was none in time.
    """
    async with asyncio.timeout(seconds):
        while not (answer := await found()):
            await asyncio.sleep(0.05)
    return answer
