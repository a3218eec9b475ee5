"""``fleet repo``: the repositories that Fleet reads."""

from __future__ import annotations

from typing import Any

import click

from fleet.cli.asking import confirm
from fleet.cli.command import Group
from fleet.cli.failures import tell_warnings
from fleet.cli.invocation import Invocation
from fleet.cli.options import given, output_option, watch_option, yes_option
from fleet.cli.output import Column, Item, Table, page_of, show_done, show_item
from fleet.cli.progress import spinner
from fleet.cli.repo_auth import TYPES, auth_body, auth_options
from fleet.cli.times import Span, age
from fleet.cli.watching import show_list


def _seen(it: Item) -> str:
    return f"{age(it['lastSeenAt'])} ago" if it["lastSeenAt"] else "never"


REPOSITORIES = Table(
    "repository",
    (
        Column("TYPE", lambda it: it["type"]),
        Column("NAME", lambda it: it["name"]),
        Column("REPO", lambda it: it["url"]),
        Column("STATUS", lambda it: it["connectionState"]["status"]),
        Column("LAST SEEN", _seen),
        Column("AUTH", lambda it: it["auth"], wide=True),
        Column("PROJECT", lambda it: it["project"], wide=True),
        Column("FAILING SINCE", lambda it: it["failingSince"] or "", wide=True),
        Column("MESSAGE", lambda it: it["connectionState"]["message"], wide=True),
    ),
    lambda it: str(it["url"]),
    "No repositories. Add one with `fleet repo add URL`; public ones need not be added.",
)


@click.group(cls=Group)
def repo() -> None:
    """Repositories that Fleet reads."""


@repo.command(
    examples=(
        "fleet repo add https://git.example/shop.git --username ci --password-stdin < token",
        "fleet repo add git@git.example:shop.git --ssh-private-key-path ~/.ssh/id_ed25519",
        "fleet repo add https://charts.example/stable --type helm --name stable",
        "fleet repo add oci://registry.example/charts --type oci",
    )
)
@click.argument("url")
@click.option("--type", "kind", type=TYPES, default="git", show_default=True, help="What it is.")
@click.option("--name", default="", help="Name to show for it.")
@click.option("--project", default="", help="Only this project may use it.")
@click.option("--interval", type=Span(), help="Ask it for commits this often.")
@click.option("--upsert", is_flag=True, help="Change it if it is known already.")
@click.option("--skip-test", is_flag=True, help="Do not try to reach it first.")
@auth_options
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def add(invocation: Invocation, /, url: str, kind: str, output: str, **flags: Any) -> None:
    """Register a repository and its credentials. It is tried before it is kept."""
    body = {
        "url": url,
        "type": kind,
        **given(
            name=flags["name"],
            project=flags["project"],
            intervalSeconds=flags["interval"],
            upsert=flags["upsert"] or None,
            skipTest=flags["skip_test"] or None,
        ),
        **auth_body(flags),
    }
    with spinner(f"Asking {url}"):
        answer = invocation.api.post("repositories", body=body)
    tell_warnings(answer.get("warnings"))
    made = answer["repository"]
    show_done(made, "repository", made["url"], answer["action"], output)


@repo.command("list", examples=("fleet repo list", "fleet repo list --type helm -o wide"))
@click.option("--url", default="", help="Only with this in their URL.")
@click.option("--project", default="", help="Only of this project.")
@click.option("--type", "kind", type=TYPES, help="Only of this type.")
@click.option(
    "--status", type=click.Choice(["Successful", "Failed", "Unknown"]), help="Only in this state."
)
@watch_option()
@output_option()
@click.pass_obj
def list_(
    invocation: Invocation, /, kind: str | None, watch: bool, output: str, **wanted: str
) -> None:
    """List repositories and whether they answer."""
    query = {**wanted, "type": kind}
    show_list(
        invocation,
        lambda: invocation.api.items("repositories", query=query),
        REPOSITORIES,
        output,
        watch=watch,
    )


@repo.command(examples=("fleet repo get https://git.example/shop.git",))
@click.argument("url")
@click.option("--refresh", is_flag=True, help="Ask it now, first.")
@output_option()
@click.pass_obj
def get(invocation: Invocation, url: str, refresh: bool, output: str) -> None:
    """Show one repository, by its URL in any spelling."""
    if refresh:
        with spinner(f"Asking {url}"):
            invocation.api.post("repository", "test", query={"url": url})
    show_item(invocation.api.get("repository", query={"url": url}), REPOSITORIES, output, _page)


def _page(it: Item) -> str:
    options = [
        f"{key}={value}"
        for key, value in it["options"].items()
        if value not in (None, "", False, 0)
    ]
    return page_of(
        [
            ("URL", it["url"]),
            ("Type", it["type"]),
            ("Name", it["name"]),
            ("Project", it["project"]),
            ("TLS", "NOT VERIFIED (insecure)" if it["options"]["insecure"] else ""),
            ("Status", it["connectionState"]["status"]),
            ("Message", it["connectionState"]["message"]),
            ("Last seen", _seen(it)),
            ("Failing since", it["failingSince"] or ""),
            ("Credentials", it["auth"]),
            ("User", it["username"]),
            ("Options", "\n".join(options)),
        ]
    )


@repo.command(examples=("fleet repo rm https://git.example/shop.git -y",))
@click.argument("url")
@yes_option()
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def rm(invocation: Invocation, url: str, yes: bool, output: str) -> None:
    """Forget a repository and its credentials."""
    confirm(f"Forget {url} and its credentials?", yes=yes)
    answer = invocation.api.delete("repository", query={"url": url})
    show_done(answer, "repository", answer["url"], "removed", output)
