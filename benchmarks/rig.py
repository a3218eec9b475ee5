"""The machine of the bench: Kubernetes on one core, all of Fleet with PostgreSQL on another.

Everything is real and has the settings that a user gets: ``fleet up`` as a process, its own
PostgreSQL with durable commits, a file repository. Only its folder and port are the bench's.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.kubernetes import NAMESPACE, Server, Watcher
from tests.cluster.control_plane import control_plane
from tests.ports import free_port
from tests.servers.git_repo import GitRepo

ROOT = Path(__file__).parent.parent
KUBERNETES_CORE, FLEET_CORE = 0, 1
STOP_SECONDS = 60
CLUSTER = "bench"


class Fleet:
    """A running ``fleet up`` and its API."""

    def __init__(self, process: subprocess.Popen[str], home: Path, port: int) -> None:
        self.pid = process.pid
        self._url = f"http://127.0.0.1:{port}"
        self._token = (home / "admin.token").read_text().strip()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One call of the API; raises urllib.error.HTTPError when refused."""
        request = urllib.request.Request(
            f"{self._url}/api/v1{path}",
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=300) as answer:
            return json.loads(answer.read() or b"null")

    def apply(self, documents: Iterable[dict[str, Any]]) -> None:
        """All of them in one request; raises RuntimeError when any is refused."""
        body = {"documents": [{"document": document} for document in documents]}
        answer = self.call("POST", "/apply", body)
        refused = [entry for entry in answer["results"] if "error" in entry]
        if refused:
            raise RuntimeError(f"not applied: {refused[0]}")

    def metrics(self) -> Counter[str]:
        """Every counter of ``/metrics``, summed over its labels."""
        found: Counter[str] = Counter()
        with urllib.request.urlopen(f"{self._url}/metrics", timeout=60) as answer:
            for line in answer.read().decode().splitlines():
                name, _, value = line.partition(" ") if "{" not in line else _labelled(line)
                if name.endswith("_total"):
                    found[name.removesuffix("_total")] += int(float(value))
        return found


def _labelled(line: str) -> tuple[str, str, str]:
    return line.partition("{")[0], "", line.rpartition(" ")[2]


@dataclass(frozen=True)
class Rig:
    """All that a measurement needs. ``watcher`` sees every ConfigMap from the start."""

    fleet: Fleet
    server: Server
    watcher: Watcher
    repo: GitRepo
    database: psycopg.Connection[Any]

    def rows_written(self) -> Counter[str]:
        """Rows inserted, updated and deleted so far, by table; partitions under their parent."""
        rows = self.database.execute(
            "select coalesce(i.inhparent::regclass::text, s.relname),"
            " sum(n_tup_ins + n_tup_upd + n_tup_del)"
            " from pg_stat_user_tables s left join pg_inherits i on i.inhrelid = s.relid"
            " group by 1"
        )
        return Counter({name: int(count) for name, count in rows})

    def synced(self) -> int:
        """How many applications are recorded as Synced."""
        row = self.database.execute(
            "select count(*) from applications where sync_status = 'Synced'"
            " and urgency = 100 and operation_id is null"
        ).fetchone()
        assert row is not None
        return int(row[0])


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    """A folder for one run, removed afterwards. This process, and what it starts, is on the
    core of Kubernetes from now on. When the run fails, the end of Fleet's log is shown."""
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("the bench needs two cores: one for Kubernetes, one for Fleet")
    folder = Path(tempfile.mkdtemp(prefix="fleet-bench-"))
    folder.chmod(0o711)  # the account that PostgreSQL runs as has to pass
    os.sched_setaffinity(0, {KUBERNETES_CORE})
    try:
        yield folder
    except BaseException:
        log = folder / "fleet.log"
        if log.exists():
            sys.stderr.write(log.read_text()[-4000:])
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def fleet_up(folder: Path, profile: str) -> Iterator[tuple[Fleet, str]]:
    """``fleet up`` on its core, ready; and the URL of its database."""
    home = folder / "home"
    home.mkdir(mode=0o711)
    port = free_port()
    kept = {key: value for key, value in os.environ.items() if not key.startswith("FLEET_")}
    environment = {
        **kept,
        "FLEET_HOME": str(home),
        "FLEET_PORT": str(port),
        "FLEET_ALLOWED_NETWORKS": "127.0.0.0/8",
        "FLEET_ALLOWED_FILE_ROOTS": str(folder),
    }
    program = ["benchmarks.profiled", profile] if profile else ["fleet"]
    command = ["taskset", "-c", str(FLEET_CORE), sys.executable, "-m", *program]
    with (folder / "fleet.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "up"],
            env=environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert process.stdout is not None
        if "is up" not in process.stdout.readline():
            raise RuntimeError((folder / "fleet.log").read_text()[-4000:])
        url = subprocess.run(
            [sys.executable, "-m", "fleet", "db", "url"],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        yield Fleet(process, home, port), url
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        finally:
            process.kill()
            process.wait()


@contextlib.contextmanager
def rig(profile: str = "") -> Iterator[Rig]:
    """Start everything, empty; end and remove it afterwards.

    Args:
        profile: where cProfile leaves its statistics of the Fleet process; "" for none.
    """
    with workplace() as folder, control_plane(folder) as plane:
        server = Server(plane.handle({"do": "bare", "names": [CLUSTER]})[CLUSTER])
        server.ask("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        with (
            fleet_up(folder, profile) as (fleet, url),
            psycopg.connect(url, autocommit=True) as database,
        ):
            repo = GitRepo(folder / "repo.git")
            yield Rig(fleet, server, Watcher(server), repo, database)
