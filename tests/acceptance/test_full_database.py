"""A database whose disk is full: it is said, nothing is half written, and it goes on afterwards."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.acceptance.fleet_process import Machine, machine
from tests.acceptance.surroundings import small_disk
from tests.keeper import State
from tests.servers.postgres import TestDatabase, drop_database

SPACE = "48m"
#: More than what is free in the pages of any table; random, so that nothing makes it smaller.
LARGE = [f"https://git.example/{secrets.token_hex(32)}.git" for _ in range(1000)]


@dataclass(frozen=True)
class SmallDisk:
    """A tablespace on a file system of its own, and a database in it."""

    folder: Path
    database: TestDatabase

    def fill(self) -> None:
        """Take all the space that is left."""
        with (self.folder / "filler").open("wb", buffering=0) as file:
            for size in (1 << 20, 4096):
                try:
                    while file.write(bytes(size)) == size:
                        pass
                except OSError:
                    continue

    def free(self) -> None:
        (self.folder / "filler").unlink()

    def rows(self) -> dict[str, int]:
        """How many rows each table has that a refused command could have left some in."""
        with psycopg.connect(self.database.url) as connection:
            found = {}
            for table in ("projects", "applications", "idempotency_keys", "audit_log"):
                query = sql.SQL("select count(*) from {}").format(sql.Identifier(table))
                (found[table],) = connection.execute(query).fetchone() or (0,)
        return found


@pytest.fixture
def disk(postgres: State, database: TestDatabase) -> Iterator[SmallDisk]:
    owner = Path("/proc", str(postgres["server_pid"])).stat()
    options = f"mode=0700,uid={owner.st_uid},gid={owner.st_gid}"
    with small_disk(SPACE, options=options) as folder:
        try:
            space = folder / "space"
            space.mkdir(mode=0o700)
            shutil.chown(space, owner.st_uid, owner.st_gid)
            _move(postgres, database, space)
            yield SmallDisk(folder, database)
        finally:
            drop_database(postgres, database)
            _execute(postgres, "drop tablespace if exists {}", folder.name)


def _move(postgres: State, database: TestDatabase, space: Path) -> None:
    name = space.parent.name
    _execute(postgres, "create tablespace {} location {}", name, sql.Literal(str(space)))
    _execute(postgres, "alter database {} set tablespace {}", database.name, name)


def _execute(postgres: State, statement: str, *parts: str | sql.Literal) -> None:
    known = [part if isinstance(part, sql.Literal) else sql.Identifier(part) for part in parts]
    url = f"{postgres['urls']['postgres']}/postgres"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*known))


@pytest.fixture
def running(disk: SmallDisk) -> Iterator[Machine]:
    """A Fleet that is up, with its database on the small disk."""
    url = disk.database.url
    with machine(DATABASE_URL=url, ALLOW_UNSAFE_DATABASE="true") as made, made.up():
        yield made


def project(name: str) -> str:
    return json.dumps(
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AppProject",
            "metadata": {"name": name},
            "spec": {"sourceRepos": LARGE},
        }
    )


#: One that is made, one that is changed.
DOCUMENTS = (project("shop"), project("default"))


def names(running: Machine) -> list[str]:
    return sorted(it["metadata"]["name"] for it in running.ok("proj", "list", "-o", "json").json())


@pytest.mark.parametrize("one_off", [False, True], ids=["server", "in-process"])
def test_it_is_said_and_nothing_is_half_written(
    disk: SmallDisk, running: Machine, one_off: bool
) -> None:
    asked = ("apply", "-f", "-")
    variables = {"FLEET_PORT": "1"} if one_off else {}
    before = disk.rows()
    disk.fill()
    for text in DOCUMENTS:
        refused = running.fleet(*asked, stdin=text, **variables)
        assert refused.code == 4, (refused, running.log())
        assert "the disk of PostgreSQL is full" in refused.err, refused
        assert "Free space" in refused.err, refused
        assert "Traceback" not in refused.out + refused.err, refused
    assert disk.rows() == before
    assert running.log().count("Traceback") == 0
    assert names(running) == ["default"]  # reading goes on
    disk.free()
    for text in DOCUMENTS:
        running.ok(*asked, stdin=text)
    assert names(running) == ["default", "shop"]
    running.ok("audit", "verify")
