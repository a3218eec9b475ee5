"""State on disk: what was answered survives the end of the process, however it ends.

One SQLite database for all clusters. A write is committed before its request is answered; the
journal is synced at checkpoints alone, so a kill loses nothing and a power cut the last moments.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import orjson

from fleet.embedded.sandbox.certificates import Identity, new_identity
from fleet.embedded.sandbox.cluster import Cluster
from fleet.embedded.sandbox.definitions import Definer
from fleet.embedded.sandbox.statuses import ApiError
from fleet.embedded.sandbox.store import Entry, Event, Storage, Store, head_of
from fleet.errors import Refused

_SCHEMA = """
create table if not exists clusters (
    name text primary key, token text not null, labels text not null, broken text not null,
    created text not null, version integer not null
) without rowid;
create table if not exists objects (
    cluster text not null, place text not null, key text not null,
    version integer not null, meta blob not null, rest blob not null,
    unique (cluster, place, key)
);
"""
_PUT = """
insert into objects values (?, ?, ?, ?, ?, ?) on conflict (cluster, place, key)
do update set version = excluded.version, meta = excluded.meta, rest = excluded.rest
"""
#: Pages of the journal between two checkpoints, at which alone the disk is waited for.
_CHECKPOINT_PAGES = 16_000
_NO_SPACE = "etcdserver: mvcc: database space exceeded"

Make = Callable[[str, str, Mapping[str, str]], Cluster]


class Disk:
    """A folder that holds the state of a server, held by one process at a time.

    Raises:
        Refused: another process holds it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _locked(folder)
        self._database = sqlite3.connect(
            folder / "state.db", isolation_level=None, check_same_thread=False
        )
        (folder / "state.db").chmod(0o600)
        self._database.execute("pragma journal_mode = wal")
        self._database.execute("pragma synchronous = normal")
        self._database.execute(f"pragma wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        self._database.executescript(_SCHEMA)
        #: Clusters of which a write could not be kept; they are written whole when one can be.
        self._behind: set[str] = set()

    def close(self) -> None:
        """Let another process have the folder."""
        self._database.close()
        self._lock.close()

    def identity(self) -> tuple[Identity, str]:
        """The server's certificate and the control endpoint's token, made at first use."""
        path = self._folder / "identity.json"
        if not path.exists():
            made = new_identity()
            words = {
                "ca": made.ca_pem,
                "certificate": made.certificate_pem,
                "key": made.key_pem,
                "token": secrets.token_urlsafe(32),
            }
            unfinished = path.with_suffix(".new")
            unfinished.touch(mode=0o600)
            unfinished.write_text(json.dumps(words))
            unfinished.rename(path)
        found = json.loads(path.read_text())
        return Identity(found["ca"], found["certificate"], found["key"]), found["token"]

    def added(self, cluster: Cluster) -> None:
        """Keep a new cluster, and what is written to it from now on."""
        self._write_whole(cluster)
        self._follow(cluster)

    def removed(self, cluster: Cluster) -> None:
        """Keep it no longer."""
        with self._transaction():
            self._database.execute("delete from objects where cluster = ?", (cluster.name,))
            self._database.execute("delete from clusters where name = ?", (cluster.name,))

    def changed(self, cluster: Cluster) -> None:
        """Keep its labels and how it is broken."""
        self._database.execute(*_cluster_row(cluster))

    def load(self, make: Make) -> Iterator[Cluster]:
        """The clusters that were kept, filled; what is written to them later is kept too."""
        rows = self._database.execute("select * from clusters order by name").fetchall()
        for name, token, labels, broken, created, version in rows:
            cluster = make(name, token, orjson.loads(labels))
            cluster.created = datetime.fromisoformat(created)
            cluster.broken = broken
            self._fill(cluster)
            cluster.store.version = max(cluster.store.version, version)
            cluster.store.compact()
            self._follow(cluster)
            yield cluster

    def _fill(self, cluster: Cluster) -> None:
        """Definitions come first: they say what the others are."""
        left = [row for row in self._rows(cluster.name) if not _load(cluster, *row)]
        Definer(cluster).load()
        for row in left:
            _load(cluster, *row)

    def _rows(self, name: str) -> Iterator[tuple[str, str, int, bytes, bytes]]:
        query = "select place, key, version, meta, rest from objects where cluster = ?"
        yield from self._database.execute(query, (name,))

    def _follow(self, cluster: Cluster) -> None:
        """First of all listeners, so that writes are kept in their order."""

        def heard(_: Store, event: Event) -> None:
            self._keep(cluster, event)

        cluster.store.listeners.insert(0, heard)

    def _keep(self, cluster: Cluster, event: Event) -> None:
        try:
            if cluster.name in self._behind:
                self._write_whole(cluster)
                self._behind.discard(cluster.name)
            elif event.deleted:
                with self._transaction():
                    where = (cluster.name, _place(event.kind.storage), event.key)
                    self._database.execute(
                        "delete from objects where cluster = ? and place = ? and key = ?", where
                    )
                    self._database.execute(
                        "update clusters set version = ? where name = ?",
                        (event.version, cluster.name),
                    )
            else:
                row = _object_row(cluster.name, event.kind.storage, event.key, event.entry)
                self._database.execute(_PUT, row)
        except sqlite3.Error as error:
            self._behind.add(cluster.name)
            raise ApiError(500, "", f"{_NO_SPACE} ({error})") from error

    def _write_whole(self, cluster: Cluster) -> None:
        with self._transaction():
            self._database.execute("delete from objects where cluster = ?", (cluster.name,))
            self._database.execute(*_cluster_row(cluster))
            rows = (
                _object_row(cluster.name, storage, key, entry)
                for storage, key, entry in cluster.store.all_entries()
            )
            self._database.executemany(_PUT, rows)

    def _transaction(self) -> _Transaction:
        return _Transaction(self._database)


class _Transaction:
    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._database.execute("begin")

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None:
            self._database.execute("commit")
        elif self._database.in_transaction:
            self._database.execute("rollback")


def _locked(folder: Path) -> IO[str]:
    lock = (folder / "lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise Refused(
            f"{folder} is in use: process {holder} serves its clusters",
            hint="Stop that process, or choose another folder.",
        ) from None
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def _place(storage: Storage) -> str:
    return f"{storage[0]}/{storage[1]}"


def _object_row(
    cluster: str, storage: Storage, key: str, entry: Entry
) -> tuple[str, str, str, int, bytes, bytes]:
    return cluster, _place(storage), key, entry.version, entry.meta, entry.rest


def _cluster_row(cluster: Cluster) -> tuple[str, tuple[str, str, str, str, str, int]]:
    return "insert or replace into clusters values (?, ?, ?, ?, ?, ?)", (
        cluster.name,
        cluster.admin_token,
        orjson.dumps(cluster.labels).decode(),
        cluster.broken,
        cluster.created.isoformat(),
        cluster.store.version,
    )


def _load(cluster: Cluster, place: str, key: str, version: int, meta: bytes, rest: bytes) -> bool:
    """Whether the kind is known; otherwise nothing is loaded."""
    group, _, plural = place.partition("/")
    kind = cluster.kinds.stored((group, plural))
    if kind is None:
        return False
    cluster.store.load(kind, key, Entry(version, head_of(kind), meta, rest))
    return True
