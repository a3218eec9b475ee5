"""Nobody sees what belongs to another project, whatever function they come through.

The functions are found by their signature: one that is added tomorrow is tried as well,
and one whose arguments this test cannot make up fails it.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import secrets
import typing
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from itertools import combinations, product
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import cast, literal, select, text
from sqlalchemy.dialects.postgresql import JSONB

import fleet.registry
from fleet.errors import NotFound
from fleet.identity.tokens import ENTROPY_BYTES, mint
from fleet.model.clusters import Connection, ManagedAuth
from fleet.model.ids import (
    ApplicationId,
    ClusterId,
    OperationId,
    PlannedSyncId,
    RepositoryId,
    TokenId,
)
from fleet.model.operations import OperationKind, SyncOptions, Trigger
from fleet.model.repositories import KnownCertificate, RepositoryAuth, RepositoryType
from fleet.model.scope import EVERYTHING, Scope
from fleet.model.secret import Secret
from fleet.model.selectors import Operator, Requirement, Selector
from fleet.registry import (
    accounts,
    certificates,
    clusters,
    credentials,
    deployments,
    drift,
    history,
    planned,
    projects,
    repositories,
    timetable,
)
from fleet.registry.applications import Freshness
from fleet.registry.database import Database, Tx, now_of
from fleet.registry.drift import Drifted
from fleet.registry.history import OperationRequest
from fleet.registry.keyring import KeyRing
from fleet.registry.repositories import NewRepository
from fleet.registry.selection import selects
from tests.integration.registry import seeds
from tests.integration.registry.seeds import ANNA, NOW

PROJECTS = ("anton", "berta", "clara")

#: Modules that a person's question may reach. The others are Fleet's own (passes, leases).
NOUNS = (
    "accounts",
    "application_refs",
    "application_views",
    "applications",
    "certificates",
    "changes",
    "cluster_views",
    "clusters",
    "credentials",
    "drift",
    "history",
    "manifests",
    "planned",
    "projects",
    "queue",
    "refs",
    "remotes",
    "repositories",
    "timetable",
)

#: Neither asked by a person nor told to one: they take ids that a scoped read gave out,
#: or are the passes' own.
WITHOUT_SCOPE = {
    "accounts.authenticate",
    "accounts.ensure_admin",
    "applications.note_missing",
    "certificates.trusted_for",
    "clusters.connection_of",
    "clusters.ensure_itself",
    "clusters.find_with_settings",
    "clusters.get_connected",
    "clusters.get_with_settings",
    "clusters.record_probe",
    "credentials.same_credential",
    "drift.close",
    "drift.close_all",
    "drift.open_drift",
    "drift.touch",
    "manifests.find_renders",
    "manifests.load",
    "manifests.load_many",
    "manifests.put",
    "manifests.record_renders",
    "planned.add_results",
    "planned.hold_planned",
    "planned.open_planned",
    "projects.document_of",
    "projects.documents_of",
    "projects.ensure_default",
    "projects.inheriting",
    "projects.mark_held",
    "projects.rules_of",
    "projects.set_effective",
    "projects.with_windows",
    "queue.finish",
    "queue.give_back",
    "queue.live_workers",
    "queue.requeue_stalled",
    "queue.take",
    "queue.wake",
    "refs.record_refs",
    "refs.refs_followed",
    "remotes.record_contact",
    "remotes.registered_hosts",
    "remotes.remote_before",
    "remotes.remote_of",
    "remotes.unopened_of",
    "repositories.ensure_implicit",
    "timetable.cluster_rows",
    "timetable.clusters_due",
    "timetable.clusters_state",
    "timetable.drop_others",
    "timetable.note_runs",
    "timetable.repository_rows",
    "timetable.show",
}

Function = Callable[..., Awaitable[Any]]


def functions() -> Iterator[tuple[str, Function]]:
    """Every public coroutine function of the room that takes a transaction."""
    for module in pkgutil.iter_modules(fleet.registry.__path__):
        found = importlib.import_module(f"fleet.registry.{module.name}")
        for name, value in vars(found).items():
            if name.startswith("_") or not inspect.iscoroutinefunction(value):
                continue
            parameters = list(inspect.signature(value).parameters)
            if value.__module__ == found.__name__ and parameters[:1] == ["tx"]:
                yield f"{module.name}.{name}", value


SCOPED = {
    name: function
    for name, function in functions()
    if "scope" in inspect.signature(function).parameters
}

#: What a function says that found nothing.
NOTHING = ("", "()", "[]", "None", "False", "((), '')", "Nothing was deployed yet.")


def test_every_read_takes_a_scope_without_default() -> None:
    without = set()
    for name, function in functions():
        parameters = inspect.signature(function).parameters
        if "scope" in parameters:
            assert list(parameters)[1] == "scope", name
            assert parameters["scope"].default is inspect.Parameter.empty, name
        elif name.partition(".")[0] in NOUNS and "actor" not in parameters:
            without.add(name)
    assert without == WITHOUT_SCOPE


class World:
    """One of everything in each project; every name, URL and message says whose it is."""

    def __init__(self, started: datetime) -> None:
        self.started = started
        self.ids: dict[str, dict[object, Any]] = {}

    async def add(self, tx: Tx, ring: KeyRing, project: str) -> None:
        await seeds.project(tx, project)
        cluster = await seeds.cluster(
            tx,
            ring,
            f"{project}-eu",
            project=project,
            managed_auth=ManagedAuth("kube-system", f"{project}-fleet", NOW),
        )
        application = await seeds.application(
            tx,
            f"{project}-web",
            cluster.id,
            project=project,
            repo_url=f"https://git.example/{project}/implicit.git",
        )
        new = NewRepository(
            f"https://git.example/{project}/own.git",
            f"https://git.example/{project}/own",
            RepositoryType.GIT,
            project=project,
        )
        repository = await repositories.add_repository(tx, ANNA, ring, new)
        request = OperationRequest(
            application, OperationKind.SYNC, Trigger.MANUAL, SyncOptions(), f"{project}-revision"
        )
        operation = await history.create_operation(tx, ANNA, request, self.started)
        deployed = deployments.Deployed(operation, self.started, self.started, healthy=True)
        await deployments.record_deployments(tx, [deployed])
        event = Drifted(application, f"{project}-web", f"{project}-eu", "Pod/a/b", ())
        await drift.open_drift(tx, [event], self.started)
        planned_sync = await planned.create_planned(
            tx,
            ANNA,
            await projects.project_id(tx, EVERYTHING, project),
            project,
            self.started,
            SyncOptions(sync_options=(f"{project}=true",)),
        )
        await accounts.create_account(tx, ANNA, project, f"project:{project}")
        minted = mint(TokenId(uuid4()), secrets.token_bytes(ENTROPY_BYTES))
        await accounts.create_token(
            tx,
            ANNA,
            project,
            minted.proof,
            name=f"{project}-token",
            expires_at=self.started + timedelta(days=1),
            now=self.started,
        )
        self.ids[project] = {
            ClusterId: [cluster.id],
            ApplicationId: [application],
            RepositoryId: [repository.id, await seeds.repository(tx, _implicit(project))],
            OperationId: [operation.id],
            PlannedSyncId: [planned_sync.id],
            str: [
                project,
                cluster.name,
                cluster.server,
                cluster.uid,
                f"{project}-web",
                f"https://git.example/{project}/own",
                f"https://git.example/{project}/implicit",
            ],
        }


def _implicit(project: str) -> str:
    return f"https://git.example/{project}/implicit.git"


async def made(tx: Tx, ring: KeyRing) -> World:
    world = World(await now_of(tx))
    for project in PROJECTS:
        await world.add(tx, ring, project)
    shared = await seeds.cluster(
        tx, ring, "shared", connection=Connection("https://shared", token=Secret("t"))
    )
    for project in PROJECTS:
        await seeds.application(tx, f"{project}-shared", shared.id, project=project)
    await credentials.add_credential(
        tx,
        ANNA,
        ring,
        url="https://git.example/anton",
        canonical_url="https://git.example/anton",
        type=RepositoryType.GIT,
        auth=RepositoryAuth(username="berta"),
    )
    key = KnownCertificate("git.example", "ssh", "ssh-ed25519", "SHA256:x", "git.example key")
    await certificates.add_certificates(tx, ANNA, [key])
    await timetable.show(tx, [(f"poll:{it}", f"poll {it}", 60, None, False) for it in PROJECTS])
    await tx.execute(text("insert into procrastinate_workers default values"))
    return world


def arguments(function: Function, world: World, project: str) -> Iterator[dict[str, Any]]:
    """All ways to ask for things of ``project``."""
    hints = typing.get_type_hints(function)
    choices: dict[str, list[Any]] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name in ("tx", "scope"):
            continue
        if name == "fresh":
            choices[name] = [Freshness(NOW, 120)]
        elif parameter.default is not inspect.Parameter.empty:
            continue
        elif name == "limit":
            choices[name] = [100]
        elif name == "number":
            choices[name] = [0]
        elif hints[name] is datetime:
            choices[name] = [NOW + timedelta(days=36500)]
        else:
            assert hints[name] in world.ids[project], f"cannot make up {name} of {function}"
            choices[name] = world.ids[project][hints[name]]
    for values in product(*choices.values()):
        yield dict(zip(choices, values, strict=True))


#: Where to look for more says nothing of what is there.
_GENERAL = re.compile(r"`fleet [^`]*` lists those [^.]*\.")


async def answer(function: Function, tx: Tx, scope: Scope, given: dict[str, Any]) -> str:
    """All that the caller gets to see, except what they said themselves."""
    try:
        found = await function(tx, scope, **given)
    except NotFound as error:
        return _GENERAL.sub("", error.hint)
    return repr(found)


async def test_no_function_shows_what_the_scope_does_not(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        world = await made(tx, ring)
    scopes = [frozenset(seen) for size in range(3) for seen in combinations(PROJECTS, size)]
    async with db.reading() as tx:
        for name, function in SCOPED.items():
            told = False
            for owner in PROJECTS:
                for given in arguments(function, world, owner):
                    told |= await answer(function, tx, EVERYTHING, given) not in NOTHING
                    for seen in scopes:
                        said = await answer(function, tx, Scope(seen), given)
                        leaked = [other for other in set(PROJECTS) - seen if other in said]
                        asked = f"{name}({given}) as one who sees {sorted(seen)}: {said}"
                        assert not leaked, asked
                        assert seen or said in NOTHING, asked
                        assert owner in seen or said != "True", asked
            assert told, f"{name} told nothing at all, so this test shows nothing"


async def test_a_shared_cluster_counts_only_visible_applications(
    db: Database, ring: KeyRing
) -> None:
    async with db.transaction() as tx:
        await made(tx, ring)
        for seen in (set[str](), {"anton"}, {"anton", "clara"}):
            scope = Scope(frozenset(seen))
            found, _ = await clusters.list_clusters(tx, scope)
            shared = [entry.application_count for entry in found if entry.name == "shared"]
            assert shared == ([len(seen)] if seen else [])


_KEYS = st.sampled_from(["env", "tier", "app.kubernetes.io/name"])
_VALUES = st.sampled_from(["", "prod", "test", "7", "-3", "12", "x1"])
_REQUIREMENTS = st.one_of(
    st.builds(
        Requirement,
        _KEYS,
        st.sampled_from([Operator.IN, Operator.NOT_IN]),
        st.lists(_VALUES, max_size=3, unique=True).map(tuple),
    ),
    st.builds(Requirement, _KEYS, st.sampled_from([Operator.EXISTS, Operator.ABSENT])),
    st.builds(
        Requirement,
        _KEYS,
        st.sampled_from([Operator.GREATER, Operator.LESS]),
        st.sampled_from(["-3", "0", "7", "+8"]).map(lambda value: (value,)),
    ),
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    selector=st.lists(_REQUIREMENTS, max_size=3).map(lambda found: Selector(tuple(found))),
    labels=st.dictionaries(_KEYS, _VALUES, max_size=3),
)
async def test_a_selector_means_in_sql_what_it_means_in_python(
    db: Database, selector: Selector, labels: dict[str, str]
) -> None:
    async with db.reading() as tx:
        query = select(selects(selector, cast(literal(labels, JSONB), JSONB)))
        # NULL selects nothing, like false
        assert bool((await tx.execute(query)).scalar_one()) is selector.matches(labels)
