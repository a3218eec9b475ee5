"""``fleet account``: who may call, and their API tokens."""

from __future__ import annotations

from typing import Any

import click

from fleet.cli.asking import confirm
from fleet.cli.command import Group
from fleet.cli.invocation import Invocation
from fleet.cli.options import output_option, watch_option, yes_option
from fleet.cli.output import Column, Item, Table, show_done, to_json, to_yaml
from fleet.cli.times import Span, age
from fleet.cli.verdicts import say_whether
from fleet.cli.watching import show_list
from fleet.errors import UsageError

ACCOUNTS = Table(
    "account",
    (
        Column("NAME", lambda it: it["name"]),
        Column("ROLE", lambda it: it["role"]),
        Column("GROUPS", lambda it: ",".join(it["groups"]), wide=True),
        Column("STATE", lambda it: "enabled" if it["enabled"] else "disabled"),
        Column("AGE", lambda it: age(it["createdAt"])),
    ),
    lambda it: str(it["name"]),
    "No accounts. Create one with `fleet account create NAME --role admin`.",
)


def _state(token: Item) -> str:
    if token["revokedAt"]:
        return "revoked"
    return "valid" if token["valid"] else "expired"


TOKENS = Table(
    "token",
    (
        Column("NAME", lambda it: it["name"]),
        Column("STATE", _state),
        Column("EXPIRES", lambda it: it["expiresAt"] or ""),
        Column("LAST USED", lambda it: it["usedOn"] or ""),
        Column("ID", lambda it: it["id"], wide=True),
        Column("CREATED", lambda it: it["createdAt"], wide=True),
    ),
    lambda it: str(it["name"]),
    "No tokens. Create one with `fleet account create-token ACCOUNT`.",
    key=lambda it: str(it["id"]),
)


_group_option = click.option(
    "--group", "groups", multiple=True, help="A group that policies name; repeatable."
)


@click.group(cls=Group)
def account() -> None:
    """Accounts and their API tokens."""


@account.command(
    examples=(
        "fleet account create ci --role project:shop",
        "fleet account create ops --role admin",
        "fleet account create alice --role none --group devs",
    )
)
@click.argument("name")
@click.option(
    "--role",
    default="readonly",
    show_default=True,
    help="admin, readonly, project:NAME (everything in one project), or none (what the RBAC"
    " policy says).",
)
@_group_option
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def create(
    invocation: Invocation, name: str, role: str, groups: tuple[str, ...], output: str
) -> None:
    """Create an account. It gets no token yet."""
    body = {"name": name, "role": role, "groups": list(groups)}
    made = invocation.api.post("accounts", body=body)
    show_done(made, "account", name, "created", output)


@account.command(
    "set",
    examples=(
        "fleet account set alice --group devs --group oncall",
        "fleet account set alice --role none --no-groups",
    ),
)
@click.argument("name")
@click.option("--role", default=None, help="As of `fleet account create`.")
@_group_option
@click.option("--no-groups", is_flag=True, help="Take it out of every group.")
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def set_(
    invocation: Invocation,
    name: str,
    role: str | None,
    groups: tuple[str, ...],
    no_groups: bool,
    output: str,
) -> None:
    """Give an account another role or other groups; groups that are given replace the others."""
    body: dict[str, Any] = {} if role is None else {"role": role}
    if groups or no_groups:
        body["groups"] = [] if no_groups else list(groups)
    if not body:
        raise UsageError("nothing to change", hint="Give --role, --group or --no-groups.")
    changed = invocation.api.patch("accounts", name, body=body)
    show_done(changed, "account", name, "configured", output)


@account.command(
    "can-i",
    examples=(
        "fleet account can-i sync applications shop/web",
        "fleet account can-i create clusters '*'",
    ),
)
@click.argument("action")
@click.argument("resource")
@click.argument("object_", metavar="OBJECT", required=False, default="*")
@click.pass_obj
def can_i(invocation: Invocation, action: str, resource: str, object_: str) -> None:
    """Say whether the caller may do something: yes or no; exit code 1 is no."""
    query = {"action": action, "resource": resource, "object": object_}
    say_whether(invocation.api.get("session", "can", query=query))


@account.command("list", examples=("fleet account list",))
@watch_option()
@output_option()
@click.pass_obj
def list_(invocation: Invocation, watch: bool, output: str) -> None:
    """List the accounts."""
    show_list(invocation, lambda: invocation.api.items("accounts"), ACCOUNTS, output, watch=watch)


@account.command(
    "create-token",
    examples=(
        "fleet account create-token ci --name pipeline --expires-in 30d",
        "FLEET_AUTH_TOKEN=$(fleet account create-token ci) fleet app list",
    ),
)
@click.argument("account_name", metavar="ACCOUNT")
@click.option("--name", default="cli", show_default=True, help="Name of the token.")
@click.option("--expires-in", type=Span(), default="90d", show_default=True, help="Valid for.")
@output_option("table", "json", "yaml")
@click.pass_obj
def create_token(
    invocation: Invocation, account_name: str, name: str, expires_in: int, output: str
) -> None:
    """Create an API token and print it. It is shown this once and never again."""
    body = {"name": name, "expiresInSeconds": expires_in}
    made = invocation.api.post("accounts", account_name, "tokens", body=body, once=True)
    if output == "table":
        click.echo(made["token"])
        click.echo(f"Valid until {made['expiresAt']}; it is not shown again.", err=True)
    else:
        click.echo(to_json(made) if output == "json" else to_yaml(made))


@account.command("list-tokens", examples=("fleet account list-tokens ci -o wide",))
@click.argument("account_name", metavar="ACCOUNT")
@watch_option()
@output_option()
@click.pass_obj
def list_tokens(invocation: Invocation, account_name: str, watch: bool, output: str) -> None:
    """List the tokens of an account; not the tokens themselves, which nobody has."""
    show_list(
        invocation,
        lambda: invocation.api.items("accounts", account_name, "tokens"),
        TOKENS,
        output,
        watch=watch,
    )


@account.command("revoke-token", examples=("fleet account revoke-token ci pipeline -y",))
@click.argument("account_name", metavar="ACCOUNT")
@click.argument("token")
@yes_option()
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def revoke_token(
    invocation: Invocation, account_name: str, token: str, yes: bool, output: str
) -> None:
    """End a token, by its name or id. Calls with it are refused from then on."""
    confirm(f"Revoke token {token} of account {account_name}?", yes=yes)
    gone = invocation.api.delete("accounts", account_name, "tokens", token)
    show_done(gone, "token", token, "revoked", output)


@account.command(examples=("fleet account enable ci",))
@click.argument("name")
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def enable(invocation: Invocation, name: str, output: str) -> None:
    """Let an account call again."""
    show_done(invocation.api.post("accounts", name, "enable"), "account", name, "enabled", output)


@account.command(examples=("fleet account disable ci -y",))
@click.argument("name")
@yes_option()
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def disable(invocation: Invocation, name: str, yes: bool, output: str) -> None:
    """Refuse every call of an account; its tokens work again when it is enabled."""
    confirm(f"Disable account {name}?", yes=yes)
    show_done(invocation.api.post("accounts", name, "disable"), "account", name, "disabled", output)
