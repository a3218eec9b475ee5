"""``fleet cert``: whom to believe when a repository's server shows its key."""

from __future__ import annotations

import click

from fleet.cli.asking import confirm
from fleet.cli.command import Group
from fleet.cli.invocation import Invocation
from fleet.cli.options import output_option, watch_option, yes_option
from fleet.cli.output import Column, Table, show_added, show_items
from fleet.cli.reading import text_of
from fleet.cli.watching import show_list
from fleet.errors import NotFound

CERTIFICATES = Table(
    "certificate",
    (
        Column("HOST", lambda it: it["host"]),
        Column("TYPE", lambda it: it["kind"]),
        Column("SUBTYPE", lambda it: it["subtype"]),
        Column("FINGERPRINT", lambda it: it["fingerprint"]),
    ),
    lambda it: f"{it['host']}/{it['kind']}/{it['subtype']}",
    "No certificates. Add one with `fleet cert add-ssh` or `fleet cert add-tls HOST`.",
    key=lambda it: f"{it['host']}/{it['kind']}/{it['subtype']}/{it['fingerprint']}",
)
KINDS = click.Choice(["ssh", "https"])


@click.group(cls=Group)
def cert() -> None:
    """Certificates and host keys of git servers."""


@cert.command(
    "add-ssh",
    examples=(
        "ssh-keyscan git.example | fleet cert add-ssh    # compare the fingerprints first",
        "fleet cert add-ssh --from ~/.ssh/known_hosts",
    ),
)
@click.option("--from", "source", default="-", metavar="FILE", help="known_hosts file; - is stdin.")
@click.option(
    "--batch", is_flag=True, help="Accepted as argocd has it; input is always read whole."
)
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def add_ssh(invocation: Invocation, source: str, batch: bool, output: str) -> None:  # noqa: ARG001
    """Trust the ssh host keys of a known_hosts file. Nothing is trusted on first use."""
    body = {"knownHosts": text_of(source)}
    show_added(invocation.api.post("certificates", "ssh", body=body), CERTIFICATES, output)


@cert.command("add-tls", examples=("fleet cert add-tls git.example --from ca.pem",))
@click.argument("host")
@click.option("--from", "source", default="-", metavar="FILE", help="PEM file; - is stdin.")
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def add_tls(invocation: Invocation, host: str, source: str, output: str) -> None:
    """Trust a CA, or a certificate, for one https host."""
    body = {"host": host, "pem": text_of(source)}
    show_added(invocation.api.post("certificates", "tls", body=body), CERTIFICATES, output)


@cert.command("list", examples=("fleet cert list", "fleet cert list --cert-type ssh"))
@click.option("--hostname-pattern", "--host", "host", default="", help="Only this host.")
@click.option("--cert-type", "--type", "kind", type=KINDS, help="Only these.")
@watch_option()
@output_option()
@click.pass_obj
def list_(invocation: Invocation, host: str, kind: str | None, watch: bool, output: str) -> None:
    """List what is trusted."""
    query = {"host": host, "kind": kind}
    show_list(
        invocation,
        lambda: invocation.api.items("certificates", query=query),
        CERTIFICATES,
        output,
        watch=watch,
    )


@cert.command(examples=("fleet cert rm git.example --cert-type ssh -y",))
@click.argument("host")
@click.option("--cert-type", "--type", "kind", type=KINDS, help="Only these.")
@click.option("--cert-sub-type", "--subtype", "subtype", default="", help="Only e.g. ssh-ed25519.")
@yes_option()
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def rm(
    invocation: Invocation, host: str, kind: str | None, subtype: str, yes: bool, output: str
) -> None:
    """Trust a host's keys or certificates no longer."""
    confirm(f"Remove what is trusted for {host}?", yes=yes)
    query = {"host": host, "kind": kind, "subtype": subtype}
    removed = invocation.api.delete("certificates", query=query)["removed"]
    if not removed:
        raise NotFound(f"nothing is trusted for {host}", hint="`fleet cert list` shows all.")
    show_items(removed, CERTIFICATES, output)
    click.echo(f"{len(removed)} removed", err=True)
