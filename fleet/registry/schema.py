"""The schema of the database: bring it to this version, or say how the two differ.

Blocking (Alembic is): callers in an event loop use ``asyncio.to_thread``.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.pool import NullPool

from fleet.errors import FleetError, RegistryError, SchemaMismatch
from fleet.model.secret import Secret
from fleet.registry.database import connect_arguments, parse_url, session_settings
from fleet.registry.faults import translated

_PACKAGE = Path(__file__).resolve().parent.parent
#: In the wheel, then in a checkout.
_PLACES = (_PACKAGE / "_data" / "migrations", _PACKAGE.parent / "migrations")

#: Alembic keeps the migration at work in a module: one at a time in a process.
_one_at_a_time = threading.Lock()


class SchemaAge(StrEnum):
    """How the database compares with this program."""

    BEHIND = "behind"
    SAME = "same"
    NEWER = "newer"


@dataclass(frozen=True, slots=True)
class SchemaState:
    """``current`` is the revision in the database, "" before the first migration;
    ``head`` the one that this program was written for."""

    current: str
    head: str
    age: SchemaAge


def upgrade(url: Secret | str) -> None:
    """Run the migrations that the database lacks. Several starters may call it at once.

    Raises:
        SchemaMismatch: the database was migrated by a newer version of Fleet.
        RegistryUnavailable: no server, or a lock that was not free in time.
    """
    state = check(url)
    if state.age is SchemaAge.SAME:
        return
    if state.age is SchemaAge.NEWER:
        raise _newer(state)
    config = _config()
    config.attributes["url"] = url
    try:
        with _one_at_a_time:
            command.upgrade(config, "head")
    except FleetError:
        raise
    except Exception as error:
        raise _explained(error) from error
    require_same(url)


def check(url: Secret | str) -> SchemaState:
    """Compare without changing anything."""
    scripts = ScriptDirectory.from_config(_config())
    head = scripts.get_current_head() or ""
    current = _current(url)
    if current == head:
        age = SchemaAge.SAME
    elif not current or current in {script.revision for script in scripts.walk_revisions()}:
        age = SchemaAge.BEHIND
    else:
        age = SchemaAge.NEWER
    return SchemaState(current=current, head=head, age=age)


def require_same(url: Secret | str) -> SchemaState:
    """``check``, for those who must not run on anything else.

    Raises:
        SchemaMismatch: the database is older or newer than this program.
    """
    state = check(url)
    if state.age is SchemaAge.NEWER:
        raise _newer(state)
    if state.age is SchemaAge.BEHIND:
        raise SchemaMismatch(
            f"the database is at schema {state.current or 'none'}, this program needs {state.head}",
            hint="Run `fleet db upgrade`.",
        )
    return state


def _newer(state: SchemaState) -> SchemaMismatch:
    return SchemaMismatch(
        f"the database is at schema {state.current}, which this program does not know: "
        f"it was upgraded by a newer Fleet (this one knows {state.head})",
        hint="Run the newer version of Fleet, or restore the backup made before its upgrade.",
    )


def _config() -> Config:
    for place in _PLACES:
        if (place / "env.py").is_file():
            config = Config()
            config.set_main_option("script_location", str(place).replace("%", "%%"))
            config.set_main_option("path_separator", "os")
            return config
    raise RegistryError(
        "the migrations of Fleet are missing from this installation",
        hint=f"Install Fleet again; they belong in {_PLACES[0]}.",
    )


def _current(url: Secret | str) -> str:
    parsed = parse_url(url)
    engine = sa.create_engine(
        parsed.difference_update_query(["options"]),
        poolclass=NullPool,
        hide_parameters=True,
        use_native_hstore=False,
        connect_args=connect_arguments(parsed, "fleet schema", session_settings()),
    )
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision() or ""
    except Exception as error:
        raise _explained(error) from error


def _explained(error: Exception) -> FleetError:
    ours = translated(error)
    if ours is not None:
        return ours
    return RegistryError(
        f"the migration failed: {error}",
        hint="Nothing of the failed migration was kept; run `fleet db upgrade` again.",
    )
