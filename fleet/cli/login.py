"""``fleet login``, ``logout`` and ``context``: which server this user talks to."""

from __future__ import annotations

from urllib.parse import urlsplit

import click

from fleet.cli.asking import secret_from_stdin
from fleet.cli.command import Command
from fleet.cli.contexts import Context, contexts_file, load_contexts, save_contexts
from fleet.cli.invocation import Invocation
from fleet.cli.options import output_option
from fleet.cli.output import Column, Table, show_items
from fleet.errors import UsageError


@click.command(
    cls=Command,
    examples=(
        "fleet login https://fleet.example.com",
        "fleet login https://fleet.example.com --name prod --auth-token-stdin < token",
    ),
)
@click.argument("server")
@click.option("--name", default="", help="Name of the context.  [default: the server's host]")
@click.option("--auth-token-stdin", is_flag=True, help="Read the API token from standard input.")
@click.pass_obj
def login(invocation: Invocation, server: str, name: str, auth_token_stdin: bool) -> None:
    """Sign in to a server with an API token, and talk to it from now on.

    The token comes from --auth-token, FLEET_AUTH_TOKEN, standard input, or a prompt. It is kept
    in a file that only you can read.
    """
    from fleet.cli.client import remote
    from fleet.cli.target import checked_url

    url = checked_url(server, plaintext=invocation.plaintext)
    asked = auth_token_stdin or not invocation.auth_token
    token = secret_from_stdin("API token") if asked else invocation.auth_token
    with remote(url, token, server_crt=invocation.server_crt) as api:
        session = api.get("session", query={"login": "true"})
    context = Context(
        server=url,
        token=token,
        server_crt=invocation.server_crt,
        plaintext=invocation.plaintext,
        account=session["account"],
    )
    path = contexts_file()
    chosen = name or urlsplit(url).netloc
    save_contexts(path, load_contexts(path).with_context(chosen, context))
    click.echo(f"Signed in to {url} as {session['account']} ({session['role']}); context {chosen}")


@click.command(cls=Command, examples=("fleet logout", "fleet logout prod"))
@click.argument("name", required=False, default="")
@click.pass_obj
def logout(_: Invocation, name: str) -> None:
    """Forget the token of a context (the current one unless NAME is given).

    The token itself stays valid; `fleet account revoke-token` ends it.
    """
    path = contexts_file()
    contexts = load_contexts(path)
    chosen = name or contexts.current
    if not chosen:
        raise UsageError("there is no current context", hint="`fleet context` lists them.")
    save_contexts(path, contexts.without_token(chosen))
    click.echo(f"Signed out of {chosen}")


CONTEXTS = Table(
    "context",
    (
        Column("CURRENT", lambda it: "*" if it["current"] else " "),
        Column("NAME", lambda it: it["name"]),
        Column("SERVER", lambda it: it["server"]),
        Column("ACCOUNT", lambda it: it["account"] or "(signed out)"),
    ),
    lambda it: str(it["name"]),
    "No contexts: the `fleet up` of this machine is used. `fleet login URL` makes one.",
)


@click.command(
    cls=Command, examples=("fleet context", "fleet context prod", "fleet context --unset")
)
@click.argument("name", required=False, default="")
@click.option("--delete", is_flag=True, help="Remove the context NAME.")
@click.option("--unset", is_flag=True, help="Use none: talk to this machine again.")
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def context(_: Invocation, name: str, delete: bool, unset: bool, output: str) -> None:
    """List the contexts, or make NAME the one that is used."""
    from dataclasses import replace

    path = contexts_file()
    contexts = load_contexts(path)
    if delete and not name:
        raise UsageError("--delete needs the name of a context")
    if delete:
        save_contexts(path, contexts.without(name))
        click.echo(f"context/{name} deleted")
    elif unset or name:
        if name:
            contexts.get(name)
        save_contexts(path, replace(contexts, current="" if unset else name))
        click.echo("No context is used now" if unset else f"Switched to context {name}")
    else:
        shown = [
            {
                "name": key,
                "server": it.server,
                "account": it.account,
                "current": key == contexts.current,
            }
            for key, it in contexts.named.items()
        ]
        show_items(shown, CONTEXTS, output)
