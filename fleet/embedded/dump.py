"""Writing a database out with the pg_dump that comes with the embedded PostgreSQL."""

from __future__ import annotations

import os
import subprocess
from typing import IO
from urllib.parse import unquote, urlsplit

from fleet.embedded.postgres import installed
from fleet.errors import RegistryError
from fleet.model.secret import Secret


def dump(url: Secret, output: IO[bytes]) -> None:
    """Write the database as SQL. The password is not on pg_dump's command line.

    Raises:
        RegistryError: pg_dump failed; says what it said.
        Refused: there is no pg_dump for this platform.
    """
    parts = urlsplit(url.reveal())
    address = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    environment = {
        "PATH": os.defpath,
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
    }
    done = subprocess.run(
        [installed() / "bin" / "pg_dump", "--no-password", f"--dbname={address}"],
        stdout=output,
        stderr=subprocess.PIPE,
        env={name: value for name, value in environment.items() if value},
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise RegistryError(f"pg_dump failed: {said[-1] if said else 'it said nothing'}")
