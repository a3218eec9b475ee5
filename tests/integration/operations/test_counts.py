"""What work costs, counted: requests, renders, fetches, statements, rows. Wall time is noise;
these figures are the same on every machine, and what `make bench` measures follows from them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from sqlalchemy import event

from fleet import metrics
from fleet.model.parsing import new_application, parse_application
from fleet.model.scope import EVERYTHING
from fleet.operations.putting import TOGETHER, put_applications
from tests.integration.operations.harness import ADMIN, World, config_map

MANY, FEW = 24, 4
#: Of a pass that follows a commit: statements, and round trips for them.
STATEMENTS, WAITS = 13, 5


def names(count: int) -> list[str]:
    return [f"app-{number:03}" for number in range(count)]


async def put(world: World, wanted: list[str]) -> None:
    """All applications in one request, each one ConfigMap."""
    documents = [
        parse_application(
            new_application(
                name,
                repo_url=world.repo.url,
                path=name,
                revision="main",
                dest_name="main",
                dest_namespace=world.namespace,
                automated=True,
                auto_prune=True,
                self_heal=True,
            )
        )
        for name in wanted
    ]
    answers = await put_applications(world.runtime, ADMIN, EVERYTHING, documents, upsert=False)
    assert {getattr(answer, "action", answer) for answer in answers} == {"created"}


async def deliver(world: World, wanted: list[str], colour: str) -> None:
    await world.deliver(**{name: (config_map(name, colour=colour),) for name in wanted})


def counted(counter: str) -> float:
    """A counter of the process, over all its labels."""
    return sum(
        sample.value
        for family in metrics.REGISTRY.collect()
        for sample in family.samples
        if sample.name == f"{counter}_total"
    )


@dataclass
class Said:
    """What the driver told PostgreSQL: statements with the rows that each concerned, and how
    often it waited for answers. What is said together is waited for once."""

    statements: list[tuple[str, Callable[[], int]]] = field(default_factory=list)
    waits: int = 0

    def __len__(self) -> int:
        return len(self.statements)


@contextmanager
def statements() -> Iterator[Said]:
    """What is said to PostgreSQL in the block, by whatever way. BEGIN and COMMIT do not count."""
    said = Said()
    execute, pipeline = psycopg.AsyncCursor.execute, psycopg.AsyncConnection.pipeline

    async def note(cursor: Any, query: Any, *rest: Any, **options: Any) -> Any:
        answer = await execute(cursor, query, *rest, **options)
        if cursor.connection._pipeline is None:
            count = cursor.rowcount  # whoever closes the cursor takes that away
            said.statements.append((str(query), lambda: count))
            said.waits += 1
        else:
            said.statements.append((str(query), lambda: cursor.rowcount))
        return answer

    def note_pipeline(connection: Any) -> Any:
        said.waits += 1
        return pipeline(connection)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.AsyncCursor, "execute", note)
        patch.setattr(psycopg.AsyncConnection, "pipeline", note_pipeline)
        yield said


_WRITE = re.compile(r"\b(?:insert into|delete from|update(?= \S+ set\b)) (\S+)", re.IGNORECASE)


@contextmanager
def written() -> Iterator[Counter[str]]:
    """Rows that statements of the block wrote, by table; known at its end."""
    rows: Counter[str] = Counter()
    with statements() as said:
        yield rows
    for statement, count in said.statements:
        if found := _WRITE.search(" ".join(statement.split())):
            rows[found.group(1)] += count()


async def test_a_first_sync_asks_the_cluster_once_an_application(bare: World) -> None:
    bare.create_namespace()
    wanted = names(MANY)
    await put(bare, wanted)
    bare.commit(**{name: (config_map(name),) for name in wanted})
    renders, fetches = counted("fleet_renders"), counted("fleet_fetches")
    assert await bare.poll() is None
    spent = await bare.pass_()
    assert spent["apply", "ConfigMap"] == MANY
    assert sum(spent.values()) <= 1.5 * MANY
    assert counted("fleet_renders") - renders == MANY
    assert counted("fleet_fetches") - fetches == 1
    assert {row["sync_status"] for row in await bare.rows("select * from applications")} == {
        "Synced"
    }


async def test_a_commit_renders_and_applies_what_it_affects_and_nothing_else(bare: World) -> None:
    bare.create_namespace()
    await put(bare, names(MANY))
    await deliver(bare, names(MANY), "blue")
    bare.commit(**{name: (config_map(name, colour="red"),) for name in names(FEW)})
    renders, fetches = counted("fleet_renders"), counted("fleet_fetches")
    assert await bare.poll() is None
    spent = await bare.pass_()
    assert counted("fleet_renders") - renders == FEW
    assert counted("fleet_fetches") - fetches == 1
    # who answers is asked once a pass that writes
    assert spent == {("get", "Namespace"): 1, ("apply", "ConfigMap"): FEW}


async def test_a_heal_asks_nothing_but_what_it_needs(bare: World) -> None:
    bare.create_namespace()
    await put(bare, names(1))
    await deliver(bare, names(1), "blue")
    (name,) = names(1)
    live = bare.edit(name, colour="red")
    await bare.mark_seen(name, live["metadata"]["resourceVersion"])
    spent = await bare.pass_()
    # the object that was read is one that we know: that tells who answers
    assert spent == {(verb, "ConfigMap"): 1 for verb in ("get", "dry-run", "apply")}
    assert sum((await bare.pass_()).values()) == 0


async def test_statements_of_a_pass_do_not_grow_with_its_applications(bare: World) -> None:
    bare.create_namespace()
    await put(bare, names(MANY))
    await deliver(bare, names(MANY), "blue")
    said: dict[int, int] = {}
    for count, colour in ((FEW, "red"), (MANY, "green")):
        bare.commit(**{name: (config_map(name, colour=colour),) for name in names(count)})
        assert await bare.poll() is None
        with statements() as found:
            await bare.pass_()
        said[count] = (len(found), found.waits)
    assert said[MANY] == said[FEW]
    # its cluster, what is dirty with what is recorded of it, what is wanted; then the plan and
    # the record, each in one go
    assert said[FEW] == (STATEMENTS, WAITS)


async def test_a_pass_with_nothing_to_do_costs_the_same_for_any_number(bare: World) -> None:
    bare.create_namespace()
    spent = {}
    for count in (FEW, MANY):
        await put(bare, names(count)[FEW * (count > FEW) :])
        await deliver(bare, names(count), "blue")
        before = await bare.versions()
        with statements() as found:
            requests = await bare.pass_(look=True)
        assert await bare.versions() == before
        spent[count] = (len(found), requests)
    assert spent[MANY] == spent[FEW]


async def test_an_idle_pass_writes_at_most_a_row_of_its_cluster(bare: World) -> None:
    bare.create_namespace()
    await put(bare, names(MANY))
    await deliver(bare, names(MANY), "blue")
    await bare.pass_(look=True)
    for look in (False, True):
        # beforehand, because ``pass_`` would do it while rows are counted
        await bare.run("update clusters set observed_at = null where :look", look=look)
        before = await bare.versions()
        with written() as rows:
            await bare.pass_()
        assert await bare.versions() == before
        assert {table for table, count in rows.items() if count} <= {"clusters"}, rows
        assert rows["clusters"] == look


async def test_applications_of_one_request_share_transactions_and_wake_one_poll(
    bare: World,
) -> None:
    count = TOGETHER + FEW
    commits: list[object] = []
    engine = bare.runtime.db._engine.sync_engine

    def note(connection: object) -> None:
        commits.append(connection)

    event.listen(engine, "commit", note)
    await put(bare, names(count))
    event.remove(engine, "commit", note)
    assert len(commits) == 2
    entries = "select count(*) as n from audit_log where object_kind = 'Application'"
    assert (await bare.rows(entries))[0]["n"] == count
    polls = "select count(*) as n from procrastinate_jobs where task_name = 'poll'"
    assert (await bare.rows(polls))[0]["n"] == 1


async def test_one_refused_document_leaves_the_others_of_its_transaction(bare: World) -> None:
    await put(bare, ["app-001"])
    documents = [
        parse_application(
            new_application(
                name,
                repo_url=bare.repo.url,
                path=name,
                revision="main",
                dest_name=cluster,
                dest_namespace=bare.namespace,
            )
        )
        for name, cluster in (
            ("app-000", "main"),
            ("app-001", "main"),
            ("app-002", "nowhere"),
            ("app-003", "main"),
        )
    ]
    answers = await put_applications(bare.runtime, ADMIN, EVERYTHING, documents, upsert=False)
    assert [getattr(answer, "type", "") or answer.action for answer in answers] == [
        "created",
        "AlreadyExists",
        "NotFound",
        "created",
    ]
    rows = await bare.rows("select name from applications order by name")
    assert [row["name"] for row in rows] == ["app-000", "app-001", "app-003"]
