"""``fleet repocreds``: credentials for every repository below a URL."""

from __future__ import annotations

from typing import Any

import click

from fleet.cli.asking import confirm
from fleet.cli.command import Group
from fleet.cli.invocation import Invocation
from fleet.cli.options import given, output_option, watch_option, yes_option
from fleet.cli.output import Column, Table, show_done
from fleet.cli.repo_auth import TYPES, auth_body, auth_options
from fleet.cli.watching import show_list

CREDENTIALS = Table(
    "repocreds",
    (
        Column("URL PATTERN", lambda it: it["url"]),
        Column("TYPE", lambda it: it["type"]),
        Column("AUTH", lambda it: it["auth"]),
        Column("USERNAME", lambda it: it["username"]),
    ),
    lambda it: str(it["url"]),
    "No credential templates. Add one with `fleet repocreds add URL-PREFIX`.",
)


@click.group(cls=Group)
def repocreds() -> None:
    """Credentials for repositories, by URL prefix."""


@repocreds.command(
    examples=(
        "fleet repocreds add https://git.example/shop --username ci --password-stdin < token",
        "fleet repocreds add git@git.example:shop --ssh-private-key-path key",
    )
)
@click.argument("url")
@click.option("--type", "kind", type=TYPES, default="git", show_default=True, help="For these.")
@click.option("--upsert", is_flag=True, help="Change them if they are known already.")
@auth_options
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def add(invocation: Invocation, /, url: str, kind: str, output: str, **flags: Any) -> None:
    """Keep credentials for every repository whose URL starts with URL, up to a slash.

    The longest match wins; a repository's own credentials win over all.
    """
    body = {"url": url, "type": kind, **given(upsert=flags["upsert"] or None), **auth_body(flags)}
    answer = invocation.api.post("repocreds", body=body)
    made = answer["credential"]
    show_done(made, "repocreds", made["url"], answer["action"], output)


@repocreds.command("list", examples=("fleet repocreds list",))
@watch_option()
@output_option()
@click.pass_obj
def list_(invocation: Invocation, watch: bool, output: str) -> None:
    """List them; never the secrets in them."""
    show_list(
        invocation, lambda: invocation.api.items("repocreds"), CREDENTIALS, output, watch=watch
    )


@repocreds.command(examples=("fleet repocreds rm https://git.example/shop -y",))
@click.argument("url")
@yes_option()
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def rm(invocation: Invocation, url: str, yes: bool, output: str) -> None:
    """Forget them."""
    confirm(f"Forget the credentials for {url}?", yes=yes)
    answer = invocation.api.delete("repocreds", query={"url": url})
    show_done(answer, "repocreds", answer["url"], "removed", output)
