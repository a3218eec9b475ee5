"""``fleet gpg``: public keys that may sign what projects deploy: GPG's, SSH's and cosign's."""

from __future__ import annotations

import click

from fleet.cli.asking import confirm
from fleet.cli.command import Group
from fleet.cli.invocation import Invocation
from fleet.cli.options import output_option, watch_option, yes_option
from fleet.cli.output import Column, Table, show_added, show_done, show_item
from fleet.cli.reading import text_of
from fleet.cli.watching import show_list

KEYS = Table(
    "key",
    (
        Column("KEYID", lambda it: it["keyID"]),
        Column("TYPE", lambda it: it["subType"] or it["kind"]),
        Column("IDENTITY", lambda it: it["owner"]),
        Column("FINGERPRINT", lambda it: it["fingerprint"], wide=True),
    ),
    lambda it: it["keyID"],
    "No keys. Add one with `fleet gpg add --from FILE`.",
    key=lambda it: it["keyID"],
)


@click.group(cls=Group)
def gpg() -> None:
    """Public keys that may sign commits, charts and artifacts: GPG's, SSH's and cosign's.

    Which of them a project accepts, its sourceIntegrity or signatureKeys say.
    """


@gpg.command(
    examples=(
        "gpg --armor --export 4AEE18F83AFDEB23 | fleet gpg add",
        "fleet gpg add --from ~/.ssh/id_ed25519.pub",
        "fleet gpg add --from cosign.pub",
    )
)
@click.option("--from", "source", default="-", metavar="FILE", help="Keys; - is stdin.")
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def add(invocation: Invocation, source: str, output: str) -> None:
    """Trust public keys: armoured GPG keys, PEM keys of cosign, or SSH keys, one a line."""
    answer = invocation.api.post("gpgkeys", body={"keys": text_of(source)})
    show_added(answer, KEYS, output)


@gpg.command("list", examples=("fleet gpg list",))
@watch_option()
@output_option()
@click.pass_obj
def list_(invocation: Invocation, watch: bool, output: str) -> None:
    """List the keys that are known."""
    show_list(invocation, lambda: invocation.api.items("gpgkeys"), KEYS, output, watch=watch)


@gpg.command(examples=("fleet gpg get 4AEE18F83AFDEB23",))
@click.argument("key")
@output_option()
@click.pass_obj
def get(invocation: Invocation, key: str, output: str) -> None:
    """Show one key, with the key itself."""
    show_item(invocation.api.get("gpgkeys", key), KEYS, output, lambda it: str(it["keyData"]))


@gpg.command(examples=("fleet gpg rm 4AEE18F83AFDEB23 -y",))
@click.argument("key")
@yes_option()
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def rm(invocation: Invocation, key: str, yes: bool, output: str) -> None:
    """Trust a key no longer. What it signed stays as it is deployed, and renders no more."""
    confirm(f"Trust key {key} no longer?", yes=yes)
    show_done(invocation.api.delete("gpgkeys", key), "key", key, "deleted", output)
