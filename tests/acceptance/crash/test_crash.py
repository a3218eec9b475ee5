"""Killed anywhere, Fleet goes on where it stopped: every labelled point, with the same checks.

The world is prepared so that one run of the driver passes every label: a commit that changes,
adds, makes anew and removes objects of one application with hooks around them, another
application that is deleted, with hooks around that, a third that is new and has no namespace
yet, and a second cluster in which Fleet makes an account for itself.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
import signal
from collections import Counter
from pathlib import Path

import psycopg
import pytest
import zstandard
from psycopg import sql

from fleet.model.new_application import new_application
from fleet.operations.crashpoints import HYDRATION, LABELS
from fleet.registry import chain, clusters, manifests
from tests.acceptance.crash.driven import drive
from tests.acceptance.crash.driver import LATE, OLD, OTHER, Job, ask, work
from tests.cluster.kube import TestCluster, request
from tests.integration.operations.harness import Object, World, config_map, settings_for, world
from tests.servers.git_repo import GitRepo
from tests.servers.postgres import TestDatabase

#: One of each sort; the sweep takes the rest, and later visits to the same places.
FEW = (
    "account:after",
    "request:after-commit",
    "namespace:after",
    "evaluate:after-commit",
    "plan:after-commit",
    "apply:after",
    "delete:after",
    "remake:after",
    "hook:after",
    "hook-delete:after",
    "hooks:after-commit",
    "record:before-commit",
    "forget:before-commit",
)
AGAIN = (
    "apply:before:2",
    "apply:after:2",
    "delete:before:3",
    "delete:after:2",
    "hook:before:2",
    "hook:after:2",
    "hook:after:3",
    "hook:after:4",
    "hook-delete:after:2",
    "record:after-commit:2",
)
SWEEP = (*(label for label in LABELS if label not in (*FEW, *HYDRATION)), *AGAIN)


def _places() -> list[object]:
    few = [pytest.param(label, id=label) for label in FEW]
    return few + [pytest.param(label, id=label, marks=pytest.mark.sweep) for label in SWEEP]


NAMESPACE = ("CreateNamespace=true",)
CANARY = f"canary-{secrets.token_hex(12)}"
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "keeps"},
    "stringData": {"password": CANARY},
}
HOOK = "argocd.argoproj.io/hook"


def _fixed(x: str) -> Object:
    """What cannot be changed: it is deleted and made anew, as it says itself."""
    force = {"argocd.argoproj.io/sync-options": "Force=true"}
    return {**config_map("remade", force, x=x), "immutable": True}


def _hook(name: str, phase: str, policy: str = "BeforeHookCreation") -> Object:
    """A ConfigMap that is a hook: through as soon as it is there. With a dash at the end its
    name is generated, so that each run of it leaves an object behind."""
    made = config_map(name, {HOOK: phase, f"{HOOK}-delete-policy": policy})
    if name.endswith("-"):
        del made["metadata"]["name"]
        made["metadata"]["generateName"] = name
    return made


#: A hook that is held by a finalizer until its end is recorded: a Service has a health.
HELD: Object = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "held", "annotations": {HOOK: "PostSync"}},
    "spec": {"ports": [{"port": 80}]},
}
HOOKS = (
    _hook("before", "PreSync"),
    _hook("every-sync-", "PreSync"),
    _hook("passing", "Sync", "HookSucceeded"),
    HELD,
)
FAREWELLS = (_hook("leaving-", "PreDelete"), _hook("left-", "PostDelete"))
#: What audit.changes says of applications, each once, wherever the process died: what was
#: asked for (a deletion is wanted, and is an operation), and the end of what was deleted.
TOLD = [
    ("create", LATE),
    ("create", OLD),
    ("create", "web"),
    ("delete", OLD),
    ("delete", OLD),
    ("remove", OLD),
]


async def _prepare(world: World) -> list[str]:
    """Deploy two applications, then leave work to do; commits in their order."""
    for name in ("web", OLD):
        await world.add_app(name, sync_options=(*NAMESPACE, "PrunePropagationPolicy=background"))
    first = await world.deliver(
        web=(
            config_map("changes", x="1"),
            config_map("leaves"),
            config_map("stays"),
            _fixed("1"),
            *HOOKS,
        ),
        old=(config_map("gone"), config_map("gone-too"), *FAREWELLS),
    )
    second = world.commit(
        web=(
            config_map("changes", x="2"),
            config_map("comes"),
            config_map("stays"),
            _fixed("2"),
            SECRET,
            *HOOKS,
        ),
        late=(config_map("late"),),
    )
    world.request("POST", world.path_of("bystander").rpartition("/")[0], config_map("bystander"))
    # as after an update from a Fleet that did not know identities
    await world.run("update clusters set uid = '', confirmed_uid = ''")
    return [first, second]


def _job(world: World, database: TestDatabase, folder: Path, other: TestCluster) -> Job:
    return Job(
        database_url=database.app_url,
        folder=str(folder),
        cluster=str(world.clusters["main"].id),
        repository=str(world.repository),
        application=new_application(
            LATE,
            repo_url=world.repo.url,
            path=LATE,
            revision="main",
            dest_name="main",
            dest_namespace=f"{world.namespace}-{LATE}",
            automated=True,
            sync_options=NAMESPACE,
        ),
        server=other.server,
        ca_pem=other.ca_pem,
        token=other.admin_token,
        account=f"fleet-{secrets.token_hex(4)}",
    )


async def _check_live(world: World) -> None:
    """I1, I3, I10: what Git wants is what runs, and nothing else of ours; the rest is untouched."""
    data = {name: world.read(name) for name in ("changes", "comes", "stays", "remade")}
    assert {name: live and live["data"] for name, live in data.items()} == {
        "changes": {"x": "2"},
        "comes": {"colour": "blue"},
        "stays": {"colour": "blue"},
        "remade": {"x": "2"},
    }
    for name in ("leaves", "gone", "gone-too"):
        assert world.read(name) is None, name
    assert world.read(LATE, namespace=f"{world.namespace}-{LATE}") is not None
    kept = world.request("GET", f"/api/v1/namespaces/{world.namespace}/secrets/keeps")["data"]
    assert base64.b64decode(kept["password"]).decode() == CANARY
    _check_hooks(world)
    bystander = world.read("bystander")
    assert bystander is not None
    assert [entry["operation"] for entry in bystander["metadata"]["managedFields"]] == ["Update"]


def _check_hooks(world: World) -> None:
    """Each hook ran once a sync, or once in the deletion; what is left of it is let go."""
    base = f"/api/v1/namespaces/{world.namespace}"
    maps = [
        item["metadata"]["name"] for item in world.request("GET", f"{base}/configmaps")["items"]
    ]
    ran = Counter(name.rpartition("-")[0] for name in maps if name.count("-"))
    assert (ran["every-sync"], ran["leaving"], ran["left"]) == (2, 1, 1), maps
    assert ("before" in maps, "passing" in maps) == (True, False)
    assert "finalizers" not in world.request("GET", f"{base}/services/held")["metadata"]


async def _check_rows(world: World, commits: list[str]) -> None:
    """One history row a sync, nothing twice, nothing stuck, revisions only forwards."""
    apps = await world.rows("select * from applications order by name")
    assert [app["name"] for app in apps] == [LATE, "web"]
    for app in apps:
        assert (app["sync_status"], app["health_status"]) == ("Synced", "Healthy"), app
        assert (app["urgency"], app["operation_id"], app["due_at"]) == (100, None, None)
        assert (app["revisions"], app["synced_revision"]) == ([commits[1]], commits[1])
    (late,) = await world.operations(LATE)
    assert (late["revision"], late["phase"]) == (commits[1], "Succeeded")
    operations = await world.operations("web")
    assert [(row["revision"], row["phase"]) for row in operations] == [
        (commits[0], "Succeeded"),
        (commits[1], "Succeeded"),
    ]
    gone = await world.operations("old")
    assert [(row["kind"], row["phase"]) for row in gone] == [
        ("sync", "Succeeded"),
        ("delete", "Succeeded"),
    ]
    for operation in operations:
        hooks = sorted(
            (hook["object"].split("/")[3][:6], hook["phase"]) for hook in operation["hooks"]
        )
        assert hooks == [
            ("before", "PreSync"),
            ("every-", "PreSync"),
            ("held", "PostSync"),
            ("passin", "Sync"),
        ]
        ends = {(hook["state"], hook["ended"], hook["error"]) for hook in operation["hooks"]}
        assert ends == {("Succeeded", True, "")}
    assert [(hook["phase"], hook["state"]) for hook in gone[1]["hooks"]] == [
        ("PreDelete", "Succeeded"),
        ("PostDelete", "Succeeded"),
    ]
    results = await world.results("web")
    assert set(results) == {
        "ConfigMap/changes",
        "ConfigMap/comes",
        "ConfigMap/leaves",
        "ConfigMap/remade",
        "Secret/keeps",
    }
    assert results["ConfigMap/leaves"] == ("pruned", "")
    # what was applied and killed before it was written down is found there, not made again
    for name in ("comes", "remade"):
        assert results[f"ConfigMap/{name}"][0] in {"created", "configured"}
    assert {error for _, error in results.values()} == {""}
    resources = await world.resources("web")
    hooks = {name for name, row in resources.items() if row["hook"]}
    assert len(hooks) == 4, hooks  # before, held, and two that were generated
    assert set(resources) - hooks == {
        "ConfigMap/changes",
        "ConfigMap/comes",
        "ConfigMap/stays",
        "ConfigMap/remade",
        "Secret/keeps",
    }
    assert all(row["in_inventory"] for row in resources.values())
    assert set(await world.resources(LATE)) == {"ConfigMap/late"}
    assert len(await world.rows("select 1 from resources")) == 10
    deployments = await world.rows(
        "select * from deployments where application = 'web' order by deployed_from"
    )
    assert [(row["revision"], row["deployed_until"] is None) for row in deployments] == [
        (commits[0], False),
        (commits[1], True),
    ]
    assert await world.rows("select 1 from drift_events") == []


async def _check_audit(world: World) -> None:
    """I11: the chain verifies, and holds one entry for each change that was accepted."""
    async with world.runtime.db.reading() as tx:
        found = await chain.verify(tx, world.runtime.ring)
    assert found.ok, found
    told = await world.rows(
        "select action, object from audit.changes where object_kind = :kind", kind="Application"
    )
    assert sorted((row["action"], row["object"]) for row in told) == TOLD


async def _check_manifests(world: World) -> None:
    """I13: what history names is stored, and hashes to its name."""
    named = await world.rows("select distinct manifests_sha256 as name from deployments")
    async with world.runtime.db.reading() as tx:
        # refuses a set whose canonical JSON has another hash
        for row in named:
            assert await manifests.load(tx, world.runtime.ring, row["name"])
    stored = await world.rows("select sha256, body, size_bytes from manifests where not sealed")
    for row in stored:
        canonical = zstandard.decompress(row["body"], max_output_size=row["size_bytes"])
        assert hashlib.sha256(canonical).hexdigest() == row["sha256"]


def _check_secrecy(database: TestDatabase, token: str, *logged: str) -> None:
    """I12: what is in a Secret, and a cluster's token, is in no row and no log."""
    plain = [text.encode() for text in (CANARY, token)]
    needles = {form.decode() for it in plain for form in (it, base64.b64encode(it))}
    needles |= {needle.encode().hex() for needle in needles}  # as bytea is shown
    with psycopg.connect(database.superuser_url) as connection:
        tables = connection.execute(
            "select schemaname, tablename from pg_tables where schemaname in ('public', 'audit')"
        ).fetchall()
        for table in tables:
            query = sql.SQL("select cast(t as text) from {} t").format(sql.Identifier(*table))
            for (row,) in connection.execute(query):
                assert [needle for needle in needles if needle in row] == [], table
    assert [needle for needle in needles for text in logged if needle in text] == []


async def _check_other_cluster(world: World, job: Job) -> None:
    """One row, with a token that works of the account that Fleet made there."""
    (row,) = await world.rows("select * from clusters where name = :name", name=OTHER)
    assert row["managed_service_account"] == job.account
    async with world.runtime.db.reading() as tx:
        stored = await clusters.connection_of(tx, world.runtime.ring, row["id"])
    assert stored.token is not None
    request(job.server, job.ca_pem, stored.token.reveal(), "GET", "/api/v1/namespaces")


@pytest.mark.parametrize("place", _places())
async def test_killed_there_the_next_one_finishes(
    place: str,
    database: TestDatabase,
    bare_clusters: list[TestCluster],
    git_repo: GitRepo,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = settings_for(tmp_path)
    async with world(settings, database, git_repo, bare_clusters[0]) as prepared:
        commits = await _prepare(prepared)
        job = _job(prepared, database, tmp_path, bare_clusters[1])
        died = await asyncio.to_thread(drive, "driver", job.as_json(), place)
        assert died.returncode == -signal.SIGKILL, died.stdout + died.stderr
        await ask(job)
        await work(job)
        await _check_live(prepared)
        await _check_rows(prepared, commits)
        await _check_audit(prepared)
        await _check_manifests(prepared)
        await _check_other_cluster(prepared, job)
        logged = (died.stdout, died.stderr, caplog.text)
        await asyncio.to_thread(_check_secrecy, database, job.token, *logged)
        # and once more: there is nothing left to do, and nothing is written
        before = await prepared.versions()
        assert await work(job) == 1
        assert await prepared.versions() == before
