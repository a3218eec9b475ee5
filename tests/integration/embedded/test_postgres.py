"""The embedded PostgreSQL starts, is held by one, ends with its parent, and says what is wrong."""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from fleet.embedded import account, find_postgres, postgres, start_postgres
from fleet.embedded.account import Account, reachable_binaries
from fleet.errors import FleetError, Refused, RegistryError, RegistryUnavailable, SchemaMismatch
from tests.needs import require
from tests.ports import free_port

PARENT = """
import signal, sys
from pathlib import Path
from fleet.embedded import start_postgres
server = start_postgres(Path(sys.argv[1]))
print(server.pid, flush=True)
signal.pause()
"""


def ask(url: str, question: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(question).fetchone()
    return row[0] if row else None


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


@pytest.fixture
def parent(fleet_home: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that runs the PostgreSQL of ``fleet_home``."""
    argv = [sys.executable, "-c", PARENT, str(fleet_home)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def server_pid(parent: subprocess.Popen[str]) -> int:
    assert parent.stdout
    return int(parent.stdout.readline())


def test_each_role_has_the_rights_it_needs_and_no_more(fleet_home: Path) -> None:
    with start_postgres(fleet_home) as server:
        execute(server.url(role="fleet_owner"), "create table public.things (id int)")
        assert ask(server.superuser_url, "select current_setting('is_superuser')") == "on"
        for role in ("fleet_app", "fleet_audit_reader"):
            url = server.url(role=role)
            assert ask(url, "select current_user") == role
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                execute(url, "select * from public.things")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            execute(server.url(role="fleet_app"), "create table public.mine ()")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            execute(server.url(role="fleet_audit_reader"), "create temporary table mine ()")


def test_a_wrong_password_is_refused_on_every_way_in(fleet_home: Path) -> None:
    with start_postgres(fleet_home) as server:
        port = server.address.port
        for host in ("127.0.0.1", str(fleet_home / "postgres" / "run")):
            with pytest.raises(psycopg.OperationalError, match="password"):
                psycopg.connect(
                    host=host, port=port, user="postgres", password="wrong", dbname="fleet"
                )


def test_passwords_are_kept_and_asked_for_by_scram(fleet_home: Path) -> None:
    kept = "select bool_and(rolpassword like 'SCRAM-SHA-256$%') from pg_authid where rolcanlogin"
    asked = "select string_agg(distinct auth_method, ' ') from pg_hba_file_rules"
    with start_postgres(fleet_home) as server:
        superuser = server.url(role="postgres")
        assert ask(superuser, kept) is True
        assert ask(superuser, asked) == "scram-sha-256"


def test_it_listens_on_loopback_only(fleet_home: Path) -> None:
    with start_postgres(fleet_home) as server:
        assert ask(server.url(), "show listen_addresses") == "127.0.0.1"
        with socket.socket() as elsewhere, pytest.raises(ConnectionRefusedError):
            elsewhere.connect(("127.0.0.2", server.address.port))


def test_data_and_passwords_are_there_after_a_restart(fleet_home: Path) -> None:
    with start_postgres(fleet_home) as server:
        execute(server.url(role="fleet_owner"), "create table kept as select 7 as figure")
    with start_postgres(fleet_home) as server:
        assert ask(server.url(role="fleet_owner"), "select figure from kept") == 7


def test_it_keeps_commits_and_is_small(fleet_home: Path) -> None:
    with start_postgres(fleet_home, options={"work_mem": "2MB"}) as server:
        url = server.url()
        shown = {
            name: ask(url, f"show {name}")
            for name in ("fsync", "synchronous_commit", "jit", "shared_buffers", "work_mem")
        }
    assert shown == {
        "fsync": "on",
        "synchronous_commit": "on",
        "jit": "off",
        "shared_buffers": "48MB",
        "work_mem": "2MB",
    }


def test_secrets_are_in_no_file_that_others_read(fleet_home: Path) -> None:
    with start_postgres(fleet_home) as server:
        passwords = [secret.reveal() for secret in server.address.passwords.values()]
        arguments = Path(f"/proc/{server.pid}/cmdline").read_text()
        assert not any(password in arguments for password in passwords)
        assert not any(password in repr(server.address) for password in passwords)
    place = fleet_home / "postgres"
    for file in place.iterdir():
        if file.is_file() and any(password in file.read_text() for password in passwords):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            assert file.name == "roles.json"


def test_second_start_on_one_home_names_the_first(
    fleet_home: Path, parent: subprocess.Popen[str]
) -> None:
    server_pid(parent)
    with pytest.raises(Refused, match=f"process {parent.pid} runs its PostgreSQL"):
        start_postgres(fleet_home)
    assert find_postgres(fleet_home), "the refused start hid the running server"


def test_other_processes_find_the_running_server(
    fleet_home: Path, parent: subprocess.Popen[str]
) -> None:
    assert find_postgres(fleet_home) is None or parent.poll() is None
    server_pid(parent)
    found = find_postgres(fleet_home)
    assert found
    assert ask(found.url(), "select current_user") == "fleet_app"


def test_nothing_is_found_where_nothing_runs(fleet_home: Path) -> None:
    assert find_postgres(fleet_home) is None
    start_postgres(fleet_home).stop()
    assert find_postgres(fleet_home) is None


def test_the_server_ends_when_its_parent_is_killed_and_starts_again(
    fleet_home: Path, parent: subprocess.Popen[str]
) -> None:
    first = os.pidfd_open(server_pid(parent))
    parent.kill()
    with start_postgres(fleet_home) as server:
        readable, _, _ = select.select([first], [], [], 0)
        assert readable, "the first server still runs"
        assert ask(server.url(), "select 1") == 1
    os.close(first)


def test_a_killed_server_is_noticed_and_its_data_recovered(fleet_home: Path) -> None:
    server = start_postgres(fleet_home)
    execute(server.url(role="fleet_owner"), "create table kept as select 7 as figure")
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    assert not server.running
    with start_postgres(fleet_home) as again:
        assert ask(again.url(role="fleet_owner"), "select figure from kept") == 7


def test_pid_file_of_a_crash_whose_number_is_in_use_again(fleet_home: Path) -> None:
    start_postgres(fleet_home).stop()
    stale = fleet_home / "postgres" / "data" / "postmaster.pid"
    stale.write_text(f"{os.getppid()}\n{stale.parent}\n1\n5432\n\n\n\nready\n")
    owner = stale.parent.stat()
    os.chown(stale, owner.st_uid, owner.st_gid)
    with start_postgres(fleet_home) as server:
        assert ask(server.url(), "select 1") == 1


def test_interrupted_initialisation_is_done_again(fleet_home: Path) -> None:
    unfinished = fleet_home / "postgres" / "data.tmp"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    with start_postgres(fleet_home) as server:
        assert ask(server.url(), "select 1") == 1
    assert not unfinished.exists()


@pytest.mark.parametrize(("written", "way_out"), [("99", "newer"), ("16", "fleet db dump")])
def test_data_of_another_version(fleet_home: Path, written: str, way_out: str) -> None:
    start_postgres(fleet_home).stop()
    (fleet_home / "postgres" / "data" / "PG_VERSION").write_text(f"{written}\n")
    with pytest.raises(SchemaMismatch, match=f"written by PostgreSQL {written}") as caught:
        start_postgres(fleet_home)
    assert way_out in caught.value.hint


def test_wrong_setting_is_told_and_the_home_is_free_again(fleet_home: Path) -> None:
    with pytest.raises(RegistryError, match='invalid value for parameter "shared_buffers"'):
        start_postgres(fleet_home, options={"shared_buffers": "nonsense"})
    start_postgres(fleet_home).stop()


def test_long_home_goes_without_a_unix_socket(fleet_home: Path) -> None:
    home = fleet_home / ("long-" * 30)
    with start_postgres(home) as server:
        assert ask(server.superuser_url, "show unix_socket_directories") == ""


def test_port_taken_meanwhile_is_tried_again(
    fleet_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        taken = occupied.getsockname()[1]
        ports = iter([taken, taken, free_port()])
        monkeypatch.setattr(postgres, "_free_port", lambda: next(ports))
        with start_postgres(fleet_home) as server:
            assert ask(server.url(), "select 1") == 1
        monkeypatch.setattr(postgres, "_free_port", lambda: taken)
        with pytest.raises(RegistryError, match="could not create any TCP/IP sockets"):
            start_postgres(fleet_home)


def test_thread_other_than_main_is_refused(fleet_home: Path) -> None:
    caught: list[BaseException] = []

    def start() -> None:
        try:
            start_postgres(fleet_home)
        except RuntimeError as error:
            caught.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert "main thread" in str(caught[0])


def as_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root has another account to run PostgreSQL as")


def test_full_disk_is_told_at_first_start() -> None:
    as_root()
    with tempfile.TemporaryDirectory(prefix="fleet-full-") as folder:
        mount = ["mount", "-t", "tmpfs", "-o", "size=16m,mode=0755", "tmpfs", folder]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("this machine does not let us mount a small file system")
        try:
            with pytest.raises(RegistryUnavailable, match=r"disk that holds .* is full"):
                start_postgres(Path(folder))
        finally:
            subprocess.run(["umount", folder], check=True)


def test_root_becomes_somebody_else(fleet_home: Path) -> None:
    as_root()
    with start_postgres(fleet_home) as server:
        status = Path(f"/proc/{server.pid}/status").read_text()
    ids = [line.split()[1:] for line in status.splitlines() if line.startswith(("Uid", "Gid"))]
    assert all("0" not in row for row in ids)
    assert "Groups:\t \n" in status.replace("Groups:\t\n", "Groups:\t \n")


def test_home_that_the_account_cannot_enter_stays_closed(
    fleet_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_root()
    monkeypatch.setattr(account, "OUTSIDE", fleet_home / "outside")
    closed = fleet_home / "closed"
    closed.mkdir(mode=0o700)
    for _ in ("made", "found again"):
        with start_postgres(closed / "home") as server:
            assert ask(server.url(), "select 1") == 1
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert len(list((fleet_home / "outside").iterdir())) == 1


def test_no_reachable_place_is_a_clear_error(
    fleet_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_root()
    closed = fleet_home / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(account, "OUTSIDE", closed / "outside")
    with pytest.raises(Refused, match=r"neither .* can be reached") as caught:
        start_postgres(closed / "home")
    assert "FLEET_HOME" in caught.value.hint


def test_programs_out_of_reach_are_copied(fleet_home: Path) -> None:
    as_root()
    closed = fleet_home / "closed" / "pginstall"
    (closed / "bin").mkdir(parents=True)
    (closed / "bin" / "postgres").touch(mode=0o755)
    closed.parent.chmod(0o700)
    nobody = Account("nobody", 65534, 65534, dropped=True)
    copied = reachable_binaries(closed, fleet_home, nobody)
    assert nobody.can_enter(copied)
    assert (copied / "postgres").exists()
    assert stat.S_IMODE(closed.parent.stat().st_mode) == 0o700


def test_data_of_another_user_are_refused(
    fleet_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_root()
    start_postgres(fleet_home).stop()
    owner = (fleet_home / "postgres" / "data").stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(Refused, match=f"belongs to user {owner}"):
        account.choose_account(fleet_home / "postgres" / "data")


def test_an_ordinary_user_starts_it_as_themselves(fleet_home: Path) -> None:
    as_root()
    require(shutil.which("setpriv"), "setpriv (util-linux) is missing")
    fleet_home.chmod(0o777)
    python = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-c"]
    if subprocess.run([*python, ""], capture_output=True, check=False).returncode:
        pytest.skip("other users cannot enter this checkout's environment")
    code = (
        "import sys; from pathlib import Path; from fleet.embedded import start_postgres\n"
        "with start_postgres(Path(sys.argv[1]) / 'home') as server:\n"
        "    print(Path(f'/proc/{server.pid}/status').stat().st_uid)"
    )
    argv = [*python, code, str(fleet_home)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "65534", done.stderr


def test_every_error_is_one_of_ours(fleet_home: Path) -> None:
    (fleet_home / "postgres").write_text("a file where the directory should be")
    with pytest.raises(FleetError, match="File exists"):
        start_postgres(fleet_home)
