"""``fleet db``: the database itself, without a server in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fleet.cli.command import Group
from fleet.cli.invocation import Invocation
from fleet.cli.options import output_option
from fleet.cli.output import NOTHING, aligned, printable, to_json, to_yaml
from fleet.errors import RegistryUnavailable, SettingsInvalid

if TYPE_CHECKING:
    from fleet.cli.serving import Databases
    from fleet.registry.console import Answer


@click.group(cls=Group)
def db() -> None:
    """Look after the database, ask it in SQL."""


@db.command(examples=("fleet db upgrade",))
@click.pass_obj
def upgrade(invocation: Invocation) -> None:
    """Bring the schema to the version of this program. Safe beside a running Fleet."""
    from fleet.cli import serving
    from fleet.registry import schema

    with serving.databases(invocation.settings) as urls:
        before = schema.check(urls.owner)
        serving.migrate(urls)
    if before.current == before.head:
        click.echo(f"The schema is at {before.head} already")
    else:
        click.echo(f"The schema went from {before.current or 'nothing'} to {before.head}")


@db.command(examples=("fleet db check",))
@click.pass_context
def check(ctx: click.Context) -> None:
    """Compare the schema with this program. Exits 1 when an upgrade is due."""
    from fleet.cli import serving
    from fleet.registry import schema

    with serving.databases(ctx.ensure_object(Invocation).settings) as urls:
        state = schema.check(urls.owner)
        if state.age is schema.SchemaAge.NEWER:
            schema.require_same(urls.owner)
    if state.age is schema.SchemaAge.SAME:
        click.echo(f"The schema is up to date ({state.head})")
        return
    click.echo(f"The schema is at {state.current or 'nothing'}; this program needs {state.head}")
    click.echo("Run `fleet db upgrade`.", err=True)
    ctx.exit(1)


@db.command(
    examples=(
        'psql "$(fleet db url --read-only)" -c "select * from audit.sync_history"',
        "fleet db url",
    )
)
@click.option("--read-only", is_flag=True, help="As the role that sees the schema audit only.")
@click.pass_obj
def url(invocation: Invocation, read_only: bool) -> None:
    """Print the URL of the database, with its password.

    With a PostgreSQL of your own, --read-only prints what the setting audit_reader_url says.
    """
    urls = _standing(invocation)
    found = urls.reader if read_only else urls.application
    if found is None:
        raise SettingsInvalid(
            "audit_reader_url is not set, and database_url may do more than read",
            hint="Make a login in the role fleet_audit_reader, as docs/sql.md shows, and set"
            " FLEET_AUDIT_READER_URL to its URL.",
        )
    click.echo(found.reveal())


def _standing(invocation: Invocation) -> Databases:
    """Of a database that goes on after this command."""
    from fleet.cli import serving

    settings = invocation.settings
    found = serving.external_databases(settings) or serving.running_databases(settings)
    if found is None:
        raise RegistryUnavailable(
            "the embedded PostgreSQL is not running", hint="`fleet up` starts it."
        )
    return found


@db.command(
    examples=(
        "fleet db sql -c 'select * from audit.sync_history order by started_at desc limit 20'",
        "fleet db sql -c 'select * from audit.deployed_at(now())' -o csv",
    )
)
@click.option("-c", "--command", "statement", required=True, metavar="QUERY", help="What to ask.")
@output_option("table", "json", "yaml", "csv")
@click.pass_obj
def sql(invocation: Invocation, statement: str, output: str) -> None:
    """Ask in SQL, where there is no psql. Reads only; docs/sql.md says what there is.

    One statement, in a read-only transaction: as the role that sees the schema audit only, or
    as that of database_url where no other is set.
    """
    from fleet.cli import serving
    from fleet.registry.console import ask

    with serving.databases(invocation.settings) as urls:
        answer = ask(urls.reader or urls.application, statement)
    _show_answer(answer, output)


def _show_answer(answer: Answer, output: str) -> None:
    if output in ("json", "yaml"):
        rows = [dict(zip(answer.columns, map(_plain, row), strict=True)) for row in answer.rows]
        click.echo(to_json(rows) if output == "json" else to_yaml(rows))
        return
    cells = [[_cell(value) for value in row] for row in answer.rows]
    if output == "csv":
        import csv
        import sys

        csv.writer(sys.stdout, lineterminator="\n").writerows([answer.columns, *cells])
    elif answer.columns:
        shown = [[printable(cell) or NOTHING for cell in row] for row in cells]
        for line in aligned([list(answer.columns), *shown]):
            click.echo(line)
        click.echo(f"({len(cells)} row{'' if len(cells) == 1 else 's'})", err=True)


def _plain(value: object) -> object:
    """A value as JSON has it; what JSON does not know, as text."""
    return value if isinstance(value, str | int | float | bool | dict | list | None) else str(value)


def _cell(value: object) -> str:
    import json

    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


@db.command(examples=("fleet db dump > fleet.sql", "fleet db dump --file fleet.sql"))
@click.option("-f", "--file", default="-", metavar="FILE", help="Where to write; - is stdout.")
@click.pass_obj
def dump(invocation: Invocation, file: str) -> None:
    """Write the whole database as SQL, with pg_dump.

    Credentials in it are sealed; to use the dump, the key file (secret.key in Fleet's home) has
    to be kept too, and apart from it.
    """
    from fleet.cli import serving
    from fleet.embedded.dump import dump as dump_to

    with serving.databases(invocation.settings) as urls, click.open_file(file, "wb") as out:
        dump_to(urls.owner, out)


@db.command(examples=("fleet db restore --file fleet.sql", "fleet db restore < fleet.sql"))
@click.option("-f", "--file", default="-", metavar="FILE", help="What to read; - is stdin.")
@click.pass_obj
def restore(invocation: Invocation, file: str) -> None:
    """Read a dump of `fleet db dump` into an empty database, with psql.

    All of it or nothing. The key file that belongs to the dump has to be put into Fleet's home
    (secret.key), or FLEET_SECRET_KEY set to it, before Fleet is started. The Fleet that was
    dumped must not run any more: two would work on the same clusters.
    """
    from fleet.cli import serving
    from fleet.embedded.dump import restore as restore_from
    from fleet.registry import schema

    with click.open_file(file, "rb") as dumped, serving.databases(invocation.settings) as urls:
        restore_from(urls.owner, dumped)
        state = schema.check(urls.owner)
    click.echo(f"The database was restored (schema {state.current or 'none'})")
    if state.age is schema.SchemaAge.NEWER:
        click.echo("A newer Fleet wrote it: start that one.", err=True)
