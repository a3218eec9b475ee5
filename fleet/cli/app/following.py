"""Operations that were started, followed to their end: what each did, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from fleet.cli.app.convergence import FINAL
from fleet.cli.app.local_render import LOCAL
from fleet.cli.app.page import object_name, short
from fleet.cli.app.waiting import POLL_SECONDS, Patience
from fleet.cli.failures import show, tell_error
from fleet.cli.invocation import Invocation
from fleet.cli.output import printable, shown_together, word
from fleet.cli.progress import bar
from fleet.errors import FleetError, NotConverged

Operation = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Following:
    """How to follow: whether to wait at all, for how long, and how to show it."""

    wait: bool
    timeout: int
    output: str
    many: bool = False


def await_operation(
    invocation: Invocation, operation: Mapping[str, Any], patience: Patience, *, tell: bool
) -> Mapping[str, Any]:
    """The operation once it ended. Prints each object's result as it comes.

    Raises:
        NotConverged: time is up; the operation goes on.
    """
    told: set[str] = set()
    name = str(operation["application"])
    with bar(name) as shown:
        while True:
            results = (operation.get("syncResult") or {}).get("resources") or []
            done = [it for it in results if it.get("action")]
            for result in done if tell else ():
                line = _result_line(result)
                if line not in told:
                    shown.tell(line)
                    told.add(line)
            shown.update(
                len(done), len(results), f"{name}: {operation.get('message') or 'waiting'}"
            )
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


def _result_line(result: Mapping[str, Any]) -> str:
    """One line an object: it may change, when what failed is tried again. Of a hook, one line
    for each state."""
    if hook := result.get("hookType"):
        message = printable(result.get("message", ""))
        said = f": {message}" if message else ""
        return f"{object_name(result)}  {hook} hook {word(result['hookPhase'])}{said}"
    message = result.get("message", "") if result["action"] in ("failed", "skipped") else ""
    said = f": {printable(message)}" if message else ""
    return f"{object_name(result)}  {word(result['action'])}{said}"


def carry_out(
    invocation: Invocation, started: Sequence[Operation], how: Following
) -> tuple[str, ...]:
    """Follow started operations to their end, and say how each ended; why those failed that did.

    Raises:
        NotConverged: time is up.
    """
    patience, failed = Patience(how.timeout), []
    with shown_together("application", how.output, many=how.many) as tell:
        for operation in started:
            name, kind = operation["application"], operation["kind"]
            if not how.wait:
                tell(operation, name, f"{kind} started ({operation['id']})")
                continue
            tell_results = how.output == "table"
            ended = await_operation(invocation, operation, patience, tell=tell_results)
            phase = ended.get("phase", "")
            if phase == "Succeeded":
                tell(ended, name, _success(ended))
                continue
            if how.output in ("json", "yaml"):
                tell(ended, name, phase)
            failed.append(_failure(ended))
            if how.output != "json":
                tell_error(failed[-1])
    return tuple(failed)


def _success(ended: Operation) -> str:
    """``sync Succeeded at 1b2c…``; of a dry run, and of local files, that it was one."""
    revision = short((ended.get("syncResult") or {}).get("revision", ""))
    is_dry = ((ended.get("operation") or {}).get("sync") or {}).get("dryRun")
    said = f"{'dry run' if is_dry else ended['kind']} {ended['phase']}"
    if revision == LOCAL:
        said += " with local files"
    elif revision:
        said += f" at {revision}"
    return f"{said}: nothing was changed" if is_dry else said


def conclude(ctx: click.Context, failed: Sequence[str], output: str) -> None:
    """Exit 3 when an operation failed; with ``-o json`` the errors are one of its shape."""
    if not failed:
        return
    if output == "json":
        show(FleetError("; ".join(failed)), output)
    ctx.exit(FleetError.exit_code)


def _failure(ended: Operation) -> str:
    name, kind, phase = ended["application"], ended["kind"], ended.get("phase", "")
    return f"Application/{name}: {kind} {phase}: {ended.get('message', '')}"
