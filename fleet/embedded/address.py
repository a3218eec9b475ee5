"""Where an embedded PostgreSQL listens, and the passwords of its roles."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from fleet.model.secret import Secret

DATABASE = "fleet"
SUPERUSER = "postgres"
OWNER = "fleet_owner"
APPLICATION = "fleet_app"
READER = "fleet_audit_reader"
ROLES = (SUPERUSER, OWNER, APPLICATION, READER)


@dataclass(frozen=True)
class PostgresAddress:
    """A server on loopback. ``passwords`` is keyed by role."""

    port: int
    passwords: dict[str, Secret]
    host: str = "127.0.0.1"

    def url(self, database: str = DATABASE, role: str = APPLICATION) -> str:
        """A libpq URL, for psql as well as for drivers. It holds the role's password."""
        password = quote(self.passwords[role].reveal(), safe="")
        return f"postgresql://{role}:{password}@{self.host}:{self.port}/{database}"


def new_passwords() -> dict[str, Secret]:
    """A random password for each role."""
    return {role: Secret(secrets.token_urlsafe(32)) for role in ROLES}


def write_passwords(file: Path, passwords: dict[str, Secret]) -> None:
    """Write the passwords so that only the user who runs Fleet can read them."""
    plain = {role: password.reveal() for role, password in passwords.items()}
    write_private(file, json.dumps(plain, indent=2) + "\n")


def read_passwords(file: Path) -> dict[str, Secret]:
    """The passwords that ``write_passwords`` wrote."""
    return {role: Secret(password) for role, password in json.loads(file.read_text()).items()}


def write_private(file: Path, text: str) -> None:
    """Replace ``file`` whole or not at all, readable by nobody else at any moment."""
    unfinished = file.with_suffix(".tmp")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(descriptor)
    unfinished.replace(file)
