"""One running Fleet that many tests give bad input to, and what must be so afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from fleet.embedded import find_postgres
from tests.acceptance.fleet_process import Done, Machine
from tests.cluster.kube import TestCluster

#: In every credential that these tests give; nothing may print it.
SECRET = "geheim"
#: A runaway render is stopped after this long. An ordinary one takes a thirtieth of it, so that
#: a busy machine stops none of those.
RENDER_SECONDS = "10"
ROWS = ("clusters", "repositories", "projects", "applications", "operations", "resources")
OBJECTS = (
    "api/v1/namespaces",
    "api/v1/configmaps",
    "apis/rbac.authorization.k8s.io/v1/clusterroles",
)


@dataclass(frozen=True)
class Stage:
    """A running Fleet with one cluster, ``target``; repositories may be below ``git``."""

    machine: Machine
    cluster: TestCluster
    git: Path

    def failed(self, done: Done, code: int, *said: str) -> None:
        """The command ended with this code and said all of this, and nothing it must not say."""
        assert done.code == code, done
        missing = [text for text in said if text not in done.err]
        assert missing == [], done
        told = done.out + done.err
        assert "Traceback" not in told
        assert SECRET not in told

    def error(self, done: Done, code: int) -> dict[str, Any]:
        """The error that a command with ``-o json`` printed."""
        self.failed(done, code)
        found: dict[str, Any] = Done(0, done.err, "").json()["error"]
        return found

    def counts(self) -> dict[str, int]:
        """How many rows and how many objects of each kind there are."""
        found = {}
        server = find_postgres(self.machine.home)
        assert server is not None
        with psycopg.connect(server.url("fleet", "fleet_owner")) as connection:
            for table in ROWS:
                query = sql.SQL("select count(*) from {}").format(sql.Identifier(table))
                row = connection.execute(query).fetchone()
                found[table] = int(row[0]) if row else 0
        for path in OBJECTS:
            found[path] = len(self.cluster.request("GET", f"/{path}")["items"])
        return found

    @contextlib.contextmanager
    def unchanged(self) -> Iterator[None]:
        """What happens inside leaves no trace, in the database or in the cluster."""
        before = self.counts()
        yield
        assert self.counts() == before

    def refuses(self, arguments: tuple[str, ...], code: int, *said: str, stdin: str = "") -> None:
        """The command fails like this, and nothing is changed by it."""
        with self.unchanged():
            self.failed(self.machine.fleet(*arguments, stdin=stdin), code, *said)
