"""Operations on applications: sync, rollback, refresh, terminate-op."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from fleet.cli.app.group import app, chosen_names
from fleet.cli.app.page import object_name, short
from fleet.cli.app.waiting import FINAL, POLL_SECONDS, Patience, refreshed
from fleet.cli.asking import confirm
from fleet.cli.failures import tell_error
from fleet.cli.invocation import Invocation
from fleet.cli.options import given, output_option, selector_option, yes_option
from fleet.cli.output import printable, show_done, to_json, to_yaml, word
from fleet.cli.progress import bar
from fleet.errors import FleetError, NotConverged


def await_operation(
    invocation: Invocation, operation: Mapping[str, Any], patience: Patience, *, tell: bool
) -> Mapping[str, Any]:
    """The operation once it ended. Prints each object's result as it comes.

    Raises:
        NotConverged: time is up; the operation goes on.
    """
    told: set[str] = set()
    name = str(operation["application"])
    with bar(name) as update:
        while True:
            results = (operation.get("syncResult") or {}).get("resources") or []
            done = [it for it in results if it.get("action")]
            for result in done if tell else ():
                _tell_result(result, told)
            update(len(done), len(results), f"{name}: {operation.get('message') or 'waiting'}")
            if operation.get("phase") in FINAL:
                return operation
            if patience.over:
                raise NotConverged(
                    f"Application/{name}: the {operation['kind']} still runs:"
                    f" {operation.get('message') or operation.get('phase')}",
                    hint=f"`fleet app wait {name} --operation` waits on;"
                    f" `fleet app terminate-op {name}` ends it.",
                    object=f"Application/{name}",
                )
            invocation.api.pause(POLL_SECONDS)
            operation = invocation.api.get("operations", str(operation["id"]))


def _tell_result(result: Mapping[str, Any], told: set[str]) -> None:
    """One line an object: it may change, when what failed is tried again."""
    message = result.get("message", "") if result["action"] in ("failed", "skipped") else ""
    said = f": {printable(message)}" if message else ""
    line = f"{object_name(result)}  {word(result['action'])}{said}"
    if line not in told:
        click.echo(line)
        told.add(line)


def conclude(operation: Mapping[str, Any], output: str) -> bool:
    """Say how an operation ended; whether it ended well."""
    if output in ("json", "yaml"):
        click.echo(to_json(operation) if output == "json" else to_yaml(operation))
    name, phase = operation["application"], operation.get("phase", "")
    good = bool(phase == "Succeeded")
    if not good:
        tell_error(
            f"Application/{name}: {operation['kind']} {phase}: {operation.get('message', '')}"
        )
    elif output in ("table", "name"):
        revision = short((operation.get("syncResult") or {}).get("revision", ""))
        done = f"{operation['kind']} {phase}{f' at {revision}' if revision else ''}"
        show_done(operation, "application", name, done, output)
    return good


def _carry_out(
    ctx: click.Context,
    operations: list[Mapping[str, Any]],
    *,
    wait: bool,
    timeout: int,
    output: str,
) -> None:
    """Follow started operations to their end; exits 3 when one failed."""
    invocation, patience = ctx.ensure_object(Invocation), Patience(timeout)
    good = True
    for operation in operations:
        if wait:
            ended = await_operation(invocation, operation, patience, tell=output == "table")
            good = conclude(ended, output) and good
        else:
            show_done(
                operation,
                "application",
                operation["application"],
                f"{operation['kind']} started ({operation['id']})",
                output,
            )
    if not good:
        ctx.exit(FleetError.exit_code)


@app.command(
    examples=(
        "fleet app sync web",
        "fleet app sync web --prune --timeout 120",
        "fleet app sync web --resource apps:Deployment:shop/web --force-conflicts",
        "fleet app sync -l team=web --async",
    )
)
@click.argument("names", nargs=-1, metavar="NAME...")
@selector_option("applications")
@click.option("--prune", is_flag=True, help="Delete what is not in Git any more.")
@click.option("--dry-run", is_flag=True, help="Ask the cluster without changing it.")
@click.option("--force-conflicts", is_flag=True, help="Take fields that other managers own.")
@click.option(
    "--resource",
    "resources",
    multiple=True,
    metavar="GROUP:KIND:[NAMESPACE/]NAME",
    help="Only this object; repeatable.",
)
@click.option(
    "--sync-option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help="For this sync; repeatable.",
)
@click.option("--retry-limit", type=int, default=0, help="Try again this often when it fails.")
@click.option("--async", "detached", is_flag=True, help="Do not wait for it.")
@click.option("--timeout", type=click.IntRange(0), default=0, help="Seconds; 0 waits on.")
@output_option("table", "json", "yaml", "name")
@click.pass_context
def sync(
    ctx: click.Context,
    /,
    names: tuple[str, ...],
    selector: str,
    detached: bool,
    timeout: int,
    output: str,
    **flags: Any,
) -> None:
    """Make clusters be as Git says, now, and wait until it is done.

    Exits 3 when the sync failed, 4 when no worker runs that could do it.
    """
    invocation = ctx.ensure_object(Invocation)
    body = given(
        prune=flags["prune"] or None,
        dryRun=flags["dry_run"] or None,
        forceConflicts=flags["force_conflicts"] or None,
        resources=list(flags["resources"]),
        syncOptions=list(flags["options"]),
        retryLimit=flags["retry_limit"] or None,
    )
    started = [
        invocation.api.post("applications", name, "sync", body=body)
        for name in chosen_names(invocation, names, selector)
    ]
    _carry_out(ctx, started, wait=not detached, timeout=timeout, output=output)


@app.command(examples=("fleet app rollback web 3", "fleet app rollback web 3 --prune -y"))
@click.argument("name")
@click.argument("number", type=click.IntRange(0), metavar="ID")
@click.option("--prune", is_flag=True, help="Delete what was not there then.")
@click.option("--async", "detached", is_flag=True, help="Do not wait for it.")
@click.option("--timeout", type=click.IntRange(0), default=0, help="Seconds; 0 waits on.")
@yes_option()
@output_option("table", "json", "yaml", "name")
@click.pass_context
def rollback(
    ctx: click.Context,
    name: str,
    number: int,
    prune: bool,
    detached: bool,
    timeout: int,
    yes: bool,
    output: str,
) -> None:
    """Apply what was deployed earlier (an ID of `fleet app history`).

    It is the stored manifests that are applied: the repository is not asked, and need not be
    there any more. Refused while auto-sync is on, which would undo it.
    """
    confirm(f"Roll {name} back to deployment {number}?", yes=yes)
    body = {"id": number, "prune": prune}
    started = ctx.ensure_object(Invocation).api.post("applications", name, "rollback", body=body)
    _carry_out(ctx, [started], wait=not detached, timeout=timeout, output=output)


@app.command(examples=("fleet app refresh web", "fleet app refresh web --hard"))
@click.argument("names", nargs=-1, metavar="NAME...")
@selector_option("applications")
@click.option("--hard", is_flag=True, help="Render again, even if nothing changed.")
@click.option("--async", "detached", is_flag=True, help="Do not wait for it.")
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def refresh(
    invocation: Invocation,
    names: tuple[str, ...],
    selector: str,
    hard: bool,
    detached: bool,
    output: str,
) -> None:
    """Look at Git and at the cluster now, instead of when it is due."""
    for name in chosen_names(invocation, names, selector):
        if detached:
            answer = invocation.api.post("applications", name, "refresh", body={"hard": hard})
            show_done(answer, "application", name, "refresh requested", output)
        else:
            show_done(
                refreshed(invocation, name, hard=hard), "application", name, "refreshed", output
            )


@app.command("terminate-op", examples=("fleet app terminate-op web -y",))
@click.argument("name")
@yes_option()
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def terminate_op(invocation: Invocation, name: str, yes: bool, output: str) -> None:
    """End the running operation where it stands. What was applied stays applied."""
    confirm(f"End the operation of {name} where it stands?", yes=yes)
    answer = invocation.api.post("applications", name, "terminate")
    show_done(answer, "application", name, "terminating", output)
