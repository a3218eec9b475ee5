"""Writing a database out, and reading it in again, with the programs that come with the
embedded PostgreSQL. Blocking: they run to their end."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from fleet.embedded.postgres import installed
from fleet.errors import Refused, RegistryError
from fleet.model.secret import Secret

#: Nothing of Fleet's, and nothing of anybody else's.
_TABLES = (
    "select count(*) from pg_class where relkind in ('r', 'p', 'v')"
    " and relnamespace in (select oid from pg_namespace"
    " where nspname not like 'pg_%' and nspname <> 'information_schema')"
)
#: Roles that the dump grants rights to; one who may not make them has them made before.
_ROLES = """
do $$
declare
    wanted text;
begin
    foreach wanted in array array['fleet_app', 'fleet_audit_reader'] loop
        if not exists (select from pg_roles where rolname = wanted) then
            execute format('create role %I nologin', wanted);
        end if;
    end loop;
exception
    when insufficient_privilege or duplicate_object or unique_violation then null;
end
$$
"""
_STRICT = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1")


def dump(url: Secret, output: IO[bytes]) -> None:
    """Write the database as SQL, without the names of who owns what, so that any role can be
    the owner of what is restored. The password is not on pg_dump's command line.

    Raises:
        RegistryError: pg_dump failed; says what it said.
        Refused: there is no pg_dump for this platform.
    """
    done = subprocess.run(
        _command("pg_dump", url, "--no-owner"),
        stdout=output,
        stderr=subprocess.PIPE,
        env=_environment(url),
        check=False,
    )
    if done.returncode:
        raise RegistryError(f"pg_dump failed: {_told(done.stderr)}")


def restore(url: Secret, dumped: IO[bytes]) -> None:
    """Read what ``dump`` wrote into an empty database, as a whole or not at all.

    Raises:
        Refused: there is something in the database.
        RegistryError: psql failed; says what it said. Nothing was restored.
    """
    if _asked(url, _TABLES).strip() != "0":
        raise Refused(
            "the database is not empty, so nothing was restored",
            hint="Restore into a new database, or with a FLEET_HOME of its own.",
        )
    _asked(url, _ROLES)
    done = subprocess.run(
        _command("psql", url, *_STRICT, "--single-transaction", "--output", os.devnull),
        stdin=dumped,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=_environment(url),
        check=False,
    )
    if done.returncode:
        raise RegistryError(
            f"the dump could not be read, so nothing was restored: {_told(done.stderr)}",
            hint="Roles that it grants rights to have to be there; the server has to be as new as"
            " the one that was dumped.",
        )


def _asked(url: Secret, query: str) -> str:
    done = subprocess.run(
        _command("psql", url, *_STRICT, "--tuples-only", "--no-align", "--command", query),
        capture_output=True,
        env=_environment(url),
        check=False,
    )
    if done.returncode:
        raise RegistryError(f"the database cannot be asked: {_told(done.stderr)}")
    return done.stdout.decode()


def _command(program: str, url: Secret, *options: str) -> list[str | Path]:
    parts = urlsplit(url.reveal())
    address = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return [installed() / "bin" / program, "--no-password", f"--dbname={address}", *options]


def _environment(url: Secret) -> dict[str, str]:
    parts = urlsplit(url.reveal())
    found = {
        "PATH": os.defpath,
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
    }
    return {name: value for name, value in found.items() if value}


def _told(said: bytes) -> str:
    """What went wrong, without the places and hints around it."""
    lines = said.decode(errors="replace").strip().splitlines()
    for line in lines:
        for mark in ("ERROR:", "FATAL:"):
            if mark in line:
                return line.partition(mark)[2].strip()
    return lines[-1] if lines else "it said nothing"
