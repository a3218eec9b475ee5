"""``fleet decryption-key``: private keys that encrypted files of repositories are opened with."""

from __future__ import annotations

import click

from fleet.cli.asking import confirm
from fleet.cli.command import Group
from fleet.cli.invocation import Invocation
from fleet.cli.options import output_option, watch_option, yes_option
from fleet.cli.output import Column, Table, show_added, show_done
from fleet.cli.reading import text_of
from fleet.cli.watching import show_list

KEYS = Table(
    "key",
    (
        Column("ID", lambda it: it["id"]),
        Column("TYPE", lambda it: it["kind"]),
        Column("PROJECT", lambda it: it["project"] or "*"),
        Column("IDENTITY", lambda it: it["owner"]),
    ),
    lambda it: it["id"],
    "No keys. Add one with `fleet decryption-key add --from FILE`.",
    key=lambda it: f"{it['id']} {it['project']}",
)
_project = click.option(
    "--project", default="", metavar="NAME", help="Of this project; without it, of all."
)


@click.group("decryption-key", cls=Group)
def decryption_key() -> None:
    """Private keys that files encrypted with SOPS are opened with: age's and OpenPGP's.

    They are sealed in the database and never shown again.
    """


@decryption_key.command(
    examples=(
        "fleet decryption-key add --from keys.txt --project shop",
        "gpg --armor --export-secret-keys 4AEE18F83AFDEB23 | fleet decryption-key add",
    )
)
@click.option("--from", "source", default="-", metavar="FILE", help="Keys; - is stdin.")
@_project
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def add(invocation: Invocation, source: str, project: str, output: str) -> None:
    """Keep private keys: what age-keygen writes, or armoured OpenPGP keys."""
    body = {"keys": text_of(source), "project": project}
    answer = invocation.api.post("decryptionkeys", body=body)
    show_added(answer, KEYS, output)


@decryption_key.command("list", examples=("fleet decryption-key list",))
@watch_option()
@output_option()
@click.pass_obj
def list_(invocation: Invocation, watch: bool, output: str) -> None:
    """List the keys: by what files name them, never the keys themselves."""
    show_list(invocation, lambda: invocation.api.items("decryptionkeys"), KEYS, output, watch=watch)


@decryption_key.command(
    examples=("fleet decryption-key rm 7F1D54C7DF2D0D3B4A3C5F3E1C0B8A9D2E6F7A8B --project shop",)
)
@click.argument("key")
@_project
@yes_option()
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def rm(invocation: Invocation, key: str, project: str, yes: bool, output: str) -> None:
    """Forget a key. What it alone opens stays as it is deployed, and renders no more."""
    confirm(f"Forget key {key}?", yes=yes)
    answer = invocation.api.delete("decryptionkeys", key, query={"project": project})
    show_done(answer, "key", key, "deleted", output)
