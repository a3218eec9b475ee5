"""Operations on applications: sync, refresh, terminate-op."""

from __future__ import annotations

from typing import Any

import click

from fleet.cli.app.elsewhere import ELSEWHERE_OPTIONS, elsewhere, preview
from fleet.cli.app.following import Following, carry_out, conclude
from fleet.cli.app.group import app, chosen_names
from fleet.cli.app.objects import METAVAR, chosen, labelled, object_pattern, reference
from fleet.cli.app.terms import TERMS_OPTIONS, terms_of
from fleet.cli.app.waiting import refreshed
from fleet.cli.invocation import Invocation
from fleet.cli.options import (
    Function,
    Pairs,
    given,
    mapping_of,
    needless_yes_option,
    output_option,
    selector_option,
)
from fleet.cli.output import show_done, shown_together
from fleet.cli.times import Span
from fleet.errors import NotFound

#: Flags of argocd that are sync options by another name.
OPTION_FLAGS = {
    "replace": "Replace=true",
    "force": "Force=true",
    "server_side": "ServerSideApply=true",
    "only_different": "ApplyOutOfSyncOnly=true",
}

_SYNC_OPTIONS = (
    click.option("-p", "--project", "projects", multiple=True, help="All of this project."),
    *ELSEWHERE_OPTIONS,
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
    click.option(
        "--strategy",
        type=click.Choice(["hook", "apply"]),
        default="hook",
        show_default=True,
        help="apply runs no hooks.",
    ),
    click.option(
        "--info",
        type=Pairs(),
        multiple=True,
        metavar="KEY=VALUE",
        help="To be kept with the operation, and shown; repeatable.",
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
    click.option(
        "--retry-refresh",
        is_flag=True,
        help="A retry takes what Git wants by then, not what it began with.",
    ),
    click.option(
        "--preview-changes", is_flag=True, help="Show what it would change, and ask whether to."
    ),
    *TERMS_OPTIONS,
)


def _sync_options(function: Function) -> Function:
    for option in reversed(_SYNC_OPTIONS):
        function = option(function)
    return function


@app.command(
    examples=(
        "fleet app sync web",
        "fleet app sync web --prune --timeout 120",
        "fleet app sync web --resource apps:Deployment:shop/web --force-conflicts",
        "fleet app sync web --retry-limit 5 --retry-backoff-duration 10s",
        "fleet app sync web --revision v1.2.3 --until 2h --reason 'the fix is on its way'",
        "fleet app sync web --revisions v2 --source-names chart --preview-changes",
        "fleet app sync web --local ./web --dry-run",
        "fleet app sync -l team=web --async",
        "fleet app sync web --strategy apply --info ticket=OPS-17",
        "fleet app sync web --break-glass --reason 'the shop is down'",
    )
)
@click.argument("names", nargs=-1, metavar="NAME...")
@selector_option("applications")
@_sync_options
@click.option("--async", "detached", is_flag=True, help="Do not wait for it.")
@click.option("--timeout", type=click.IntRange(0), default=0, help="Seconds; 0 waits on.")
@click.option("-y", "--yes", "--assumeYes", "yes", is_flag=True, help="Do not ask.")
@output_option("table", "json", "yaml", "name")
@click.pass_context
def sync(
    ctx: click.Context,
    /,
    names: tuple[str, ...],
    selector: str,
    detached: bool,
    timeout: int,
    yes: bool,
    output: str,
    **flags: Any,
) -> None:
    """Make clusters be as Git says, now, and wait until it is done.

    With --revision(s) or --local it is something else that is applied; where auto-sync is on, it
    stays until `fleet app resume`, or --until.

    Exits 3 when the sync failed or sync windows are against it, 4 when no worker runs that
    could do it. Retries are part of the sync: it goes on when this command does not.
    """
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
        strategy=None if flags["strategy"] == "hook" else flags["strategy"],
        info=[{"name": name, "value": value} for name, value in flags["info"]],
        **terms_of(flags),
    )
    patterns, labels = flags["resources"], mapping_of(flags["labels"])
    bodies = {
        name: {
            **body,
            **given(resources=_objects(invocation, name, patterns, labels)),
            **elsewhere(invocation, name, flags),
        }
        for name in chosen_names(invocation, names, selector, flags["projects"])
    }
    if flags["preview_changes"]:
        preview(invocation, bodies, yes=yes)

    def start(name: str) -> Any:
        return invocation.api.post("applications", name, "sync", body=bodies[name])

    how = Following(wait=not detached, timeout=timeout, output=output, many=len(names) != 1)
    failed = carry_out(invocation, [start(name) for name in bodies], how)
    conclude(ctx, failed, output)


def _retry_of(flags: dict[str, Any]) -> dict[str, Any] | None:
    if flags["retry_limit"] is None:
        return None
    return {
        "limit": flags["retry_limit"],
        "seconds": flags["retry_first"],
        "factor": flags["retry_factor"],
        "longestSeconds": flags["retry_longest"],
        "refresh": flags["retry_refresh"],
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


@app.command("confirm-deletion", examples=("fleet app confirm-deletion web",))
@click.argument("name")
@click.option("--async", "detached", is_flag=True, help="Do not wait for it.")
@click.option("--timeout", type=click.IntRange(0), default=0, help="Seconds; 0 waits on.")
@needless_yes_option()
@output_option("table", "json", "yaml", "name")
@click.pass_context
def confirm_deletion(
    ctx: click.Context, name: str, detached: bool, timeout: int, output: str
) -> None:
    """Agree to deletions that wait for it: Prune=confirm, Delete=confirm.

    Objects that left Git are deleted by a sync of just these; the deletion of an application
    that waits goes on.
    """
    invocation = ctx.ensure_object(Invocation)
    answer = invocation.api.post("applications", name, "confirm-deletion")
    if "phase" not in answer:
        show_done(answer, "application", name, "deletion confirmed", output)
        return
    how = Following(wait=not detached, timeout=timeout, output=output)
    conclude(ctx, carry_out(invocation, [answer], how), output)


@app.command("terminate-op", examples=("fleet app terminate-op web",))
@click.argument("name")
@needless_yes_option()
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def terminate_op(invocation: Invocation, name: str, output: str) -> None:
    """End the running operation where it stands. What was applied stays applied."""
    answer = invocation.api.post("applications", name, "terminate")
    show_done(answer, "application", name, "terminating", output)
