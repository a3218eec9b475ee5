"""Operations on applications: sync, rollback, refresh, terminate-op."""

from __future__ import annotations

from typing import Any

import click

from fleet.cli.app.following import Following, carry_out, conclude
from fleet.cli.app.group import app, chosen_names
from fleet.cli.app.objects import METAVAR, chosen, labelled, object_pattern, reference
from fleet.cli.app.waiting import refreshed
from fleet.cli.asking import confirm
from fleet.cli.invocation import Invocation
from fleet.cli.options import (
    Function,
    Pairs,
    given,
    mapping_of,
    output_option,
    selector_option,
    yes_option,
)
from fleet.cli.output import show_done, shown_together
from fleet.cli.times import Span
from fleet.errors import NotFound, UsageError

#: Flags of argocd that are sync options by another name.
OPTION_FLAGS = {
    "replace": "Replace=true",
    "force": "Force=true",
    "server_side": "ServerSideApply=true",
    "only_different": "ApplyOutOfSyncOnly=true",
}

_BREAK_GLASS_OPTIONS = (
    click.option(
        "--break-glass",
        is_flag=True,
        help="Although sync windows say no; for roles that may, and kept in the audit log.",
    ),
    click.option("--reason", default="", metavar="TEXT", help="Why the glass is broken."),
)

_SYNC_OPTIONS = (
    click.option("-p", "--project", "projects", multiple=True, help="All of this project."),
    click.option("--revision", default="", help="Refused: the application says which."),
    click.option("--prune", is_flag=True, help="Delete what is not in Git any more."),
    click.option("--dry-run", is_flag=True, help="Ask the cluster without changing it."),
    click.option("--force-conflicts", is_flag=True, help="Take fields that other managers own."),
    click.option(
        "--resource",
        "resources",
        multiple=True,
        metavar=METAVAR,
        help="Only this object; * stands for anything, ! excludes; repeatable.",
    ),
    click.option(
        "--label", "labels", type=Pairs(), multiple=True, help="Only objects with this label."
    ),
    click.option(
        "--sync-option",
        "options",
        multiple=True,
        metavar="NAME=VALUE",
        help="For this sync; repeatable.",
    ),
    click.option(
        "--replace", is_flag=True, help="Put whole objects in place of those that are there."
    ),
    click.option(
        "--force",
        is_flag=True,
        help="Delete and make anew what cannot be changed in place; with --replace, everything.",
    ),
    click.option("--server-side", is_flag=True, help="What is done anyway."),
    click.option(
        "--apply-out-of-sync-only", "only_different", is_flag=True, help="What is done anyway."
    ),
    click.option(
        "--retry-limit",
        type=click.IntRange(0, 1000),
        default=None,
        help="Try again this often when it fails; the application's policy unless given.",
    ),
    click.option(
        "--retry-backoff-duration",
        "retry_first",
        type=Span(),
        default="5s",
        show_default=True,
        help="Pause before the first retry.",
    ),
    click.option(
        "--retry-backoff-max-duration",
        "retry_longest",
        type=Span(),
        default="3m",
        show_default=True,
        help="Longest pause.",
    ),
    click.option(
        "--retry-backoff-factor",
        "retry_factor",
        type=click.IntRange(1),
        default=2,
        show_default=True,
        help="By how much each pause is longer than the one before.",
    ),
)


def _sync_options(function: Function) -> Function:
    for option in reversed(_SYNC_OPTIONS):
        function = option(function)
    return function


def _break_glass_options(function: Function) -> Function:
    for option in reversed(_BREAK_GLASS_OPTIONS):
        function = option(function)
    return function


def _broken_glass(*, break_glass: bool, reason: str) -> str | None:
    """Why sync windows are to be overridden, if they are.

    Raises:
        UsageError: one flag without the other.
    """
    if break_glass and not reason.strip():
        raise UsageError("--break-glass needs --reason TEXT: the audit log keeps it")
    if reason and not break_glass:
        raise UsageError("--reason says why the glass is broken: it goes with --break-glass")
    return reason.strip() or None


@app.command(
    examples=(
        "fleet app sync web",
        "fleet app sync web --prune --timeout 120",
        "fleet app sync web --resource apps:Deployment:shop/web --force-conflicts",
        "fleet app sync web --retry-limit 5 --retry-backoff-duration 10s",
        "fleet app sync -l team=web --async",
        "fleet app sync web --break-glass --reason 'the shop is down'",
    )
)
@click.argument("names", nargs=-1, metavar="NAME...")
@selector_option("applications")
@_sync_options
@_break_glass_options
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

    Exits 3 when the sync failed or sync windows are against it, 4 when no worker runs that
    could do it. Retries are part of the sync: it goes on when this command does not.
    """
    _refuse(flags)
    invocation = ctx.ensure_object(Invocation)
    body = given(
        prune=flags["prune"] or None,
        dryRun=flags["dry_run"] or None,
        forceConflicts=flags["force_conflicts"] or None,
        syncOptions=[
            *flags["options"],
            *(option for flag, option in OPTION_FLAGS.items() if flags[flag]),
        ],
        retry=_retry_of(flags),
        breakGlassReason=_broken_glass(break_glass=flags["break_glass"], reason=flags["reason"]),
    )
    patterns, labels = flags["resources"], mapping_of(flags["labels"])
    bodies = {
        name: {**body, **given(resources=_objects(invocation, name, patterns, labels))}
        for name in chosen_names(invocation, names, selector, flags["projects"])
    }

    def start(name: str) -> Any:
        return invocation.api.post("applications", name, "sync", body=bodies[name])

    how = Following(wait=not detached, timeout=timeout, output=output, many=len(names) != 1)
    failed = carry_out(invocation, [start(name) for name in bodies], how)
    conclude(ctx, failed, output)


def _refuse(flags: dict[str, Any]) -> None:
    """Raises UsageError for what cannot be done, rather than do something else."""
    if flags["revision"]:
        raise UsageError(
            "--revision: a sync goes to the application's own target revision, not yet to another",
            hint=f"`fleet app set NAME --revision {flags['revision']}` names another;"
            f" `fleet app diff NAME --revision {flags['revision']}` shows what it would change.",
        )


def _retry_of(flags: dict[str, Any]) -> dict[str, Any] | None:
    if flags["retry_limit"] is None:
        return None
    return {
        "limit": flags["retry_limit"],
        "seconds": flags["retry_first"],
        "factor": flags["retry_factor"],
        "longestSeconds": flags["retry_longest"],
    }


def _objects(
    invocation: Invocation, name: str, texts: tuple[str, ...], labels: dict[str, str]
) -> list[str]:
    """What ``--resource`` and ``--label`` choose of an application; [] is everything.

    Raises:
        NotFound: nothing of it.
    """
    patterns = [object_pattern(text) for text in texts]
    if not labels and all(pattern.is_exact for pattern in patterns):
        return list(texts)
    found = chosen(invocation.api.items("applications", name, "resources"), patterns)
    if labels:
        found = labelled(found, invocation.api.items("applications", name, "manifests"), labels)
    if not found:
        raise NotFound(
            f"Application/{name}: has no such object",
            hint=f"`fleet app resources {name}` lists what it has.",
            object=f"Application/{name}",
        )
    return [reference(resource) for resource in found]


@app.command(examples=("fleet app rollback web", "fleet app rollback web 3 --prune -y"))
@click.argument("name")
@click.argument("number", type=click.IntRange(0), required=False, metavar="[ID]")
@click.option("--prune", is_flag=True, help="Delete what was not there then.")
@_break_glass_options
@click.option("--async", "detached", is_flag=True, help="Do not wait for it.")
@click.option("--timeout", type=click.IntRange(0), default=0, help="Seconds; 0 waits on.")
@yes_option()
@output_option("table", "json", "yaml", "name")
@click.pass_context
def rollback(
    ctx: click.Context,
    name: str,
    number: int | None,
    prune: bool,
    break_glass: bool,
    reason: str,
    detached: bool,
    timeout: int,
    yes: bool,
    output: str,
) -> None:
    """Apply what was deployed earlier: an ID of `fleet app history`, or what ran before.

    It is the stored manifests that are applied: the repository is not asked, and need not be
    there any more. Refused while auto-sync is on, which would undo it.
    """
    invocation = ctx.ensure_object(Invocation)
    overriding = given(breakGlassReason=_broken_glass(break_glass=break_glass, reason=reason))
    if number is None:
        number = _previous(invocation, name)
    confirm(f"Roll {name} back to deployment {number}?", yes=yes)
    body = {"id": number, "prune": prune, **overriding}
    started = invocation.api.post("applications", name, "rollback", body=body)
    how = Following(wait=not detached, timeout=timeout, output=output)
    conclude(ctx, carry_out(invocation, [started], how), output)


def _previous(invocation: Invocation, name: str) -> int:
    """The deployment before the one that runs.

    Raises:
        NotFound: there is none.
    """
    newest = invocation.api.items("applications", name, "history", most=2)
    if len(newest) < 2:
        raise NotFound(
            f"Application/{name}: nothing was deployed before what runs",
            hint=f"`fleet app history {name}` lists what was deployed.",
            object=f"Application/{name}",
        )
    return int(newest[1]["id"])


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
    with shown_together("application", output, many=len(names) != 1) as show:
        for name in chosen_names(invocation, names, selector):
            if detached:
                answer = invocation.api.post("applications", name, "refresh", body={"hard": hard})
                show(answer, name, "refresh requested")
            else:
                show(refreshed(invocation, name, hard=hard), name, "refreshed")


@app.command("confirm-deletion", examples=("fleet app confirm-deletion web -y",))
@click.argument("name")
@click.option("--async", "detached", is_flag=True, help="Do not wait for it.")
@click.option("--timeout", type=click.IntRange(0), default=0, help="Seconds; 0 waits on.")
@yes_option()
@output_option("table", "json", "yaml", "name")
@click.pass_context
def confirm_deletion(
    ctx: click.Context, name: str, detached: bool, timeout: int, yes: bool, output: str
) -> None:
    """Agree to deletions that wait for it: Prune=confirm, Delete=confirm.

    Objects that left Git are deleted by a sync of just these; the deletion of an application
    that waits goes on.
    """
    invocation = ctx.ensure_object(Invocation)
    confirm(f"Delete what waits for a confirmation in {name}?", yes=yes)
    answer = invocation.api.post("applications", name, "confirm-deletion")
    if "phase" not in answer:
        show_done(answer, "application", name, "deletion confirmed", output)
        return
    how = Following(wait=not detached, timeout=timeout, output=output)
    conclude(ctx, carry_out(invocation, [answer], how), output)


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
