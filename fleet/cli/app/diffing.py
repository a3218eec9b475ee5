"""``fleet app diff``: what an apply would change."""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from fleet.cli.app.group import app
from fleet.cli.app.page import object_name
from fleet.cli.app.waiting import refreshed
from fleet.cli.failures import show, tell_error, tell_warnings
from fleet.cli.invocation import Invocation
from fleet.cli.options import output_option
from fleet.cli.output import printable, styled, to_json, to_yaml
from fleet.cli.progress import spinner
from fleet.errors import FleetError, UsageError

DIFFERENT = 1
NARROWEST = 80


@app.command(
    examples=(
        "fleet app diff web",
        "fleet app diff web --revision feature-x --side-by-side",
        "fleet app diff web --local ./web",
    )
)
@click.argument("name")
@click.option("--revision", default="", help="As it would be at this revision.")
@click.option("--local", metavar="DIR", help="As it would be with this directory as its path.")
@click.option(
    "--local-repo-root", metavar="DIR", help="Root of its repository.  [default: where .git is]"
)
@click.option("--refresh", is_flag=True, help="Look at Git and at the cluster first.")
@click.option("--hard-refresh", is_flag=True, help="Render again, too.")
@click.option("--side-by-side", is_flag=True, help="Live on the left, wanted on the right.")
@click.option(
    "--exit-code", type=bool, default=True, show_default=True, help="Exit 1 on differences."
)
@output_option("table", "json", "yaml", "name")
@click.pass_context
def diff(
    ctx: click.Context,
    name: str,
    revision: str,
    local: str | None,
    local_repo_root: str | None,
    refresh: bool,
    hard_refresh: bool,
    side_by_side: bool,
    exit_code: bool,
    output: str,
) -> None:
    """Show what an apply would change, as the cluster itself answers it (dry run).

    Values of Secrets are masked; that they change is visible. Exits 0 without differences, 1 with,
    3 when the cluster or the project refused an object.
    """
    if local and revision:
        raise UsageError("--local and --revision exclude each other")
    invocation = ctx.ensure_object(Invocation)
    if refresh or hard_refresh:
        refreshed(invocation, name, hard=hard_refresh)
    with spinner(f"Comparing {name}"):
        answer = _ask(invocation, name, revision, local, local_repo_root)
    tell_warnings(answer.get("warnings"))
    show_diff(answer, output, side_by_side=side_by_side)
    if answer.get("errors"):
        tell_failures(answer["errors"], output)
        ctx.exit(FleetError.exit_code)
    if answer["different"] and exit_code:
        ctx.exit(DIFFERENT)


def tell_failures(errors: Sequence[Mapping[str, Any]], output: str) -> None:
    """What could not be compared: a line each; as JSON one error for all."""
    told = [_about(error) for error in errors]
    if output == "json":
        only = str(errors[0]["object"]) if len(errors) == 1 else ""
        show(FleetError("; ".join(told), object=only), output)
        return
    for line in told:
        tell_error(line)


def _about(error: Mapping[str, Any]) -> str:
    """A message that does not begin with its object gets it in front."""
    object, message = str(error["object"]), str(error["message"])
    return message if message.startswith(f"{object}: ") else f"{object}: {message}"


def _ask(
    invocation: Invocation, name: str, revision: str, local: str | None, root: str | None
) -> Any:
    if local is None:
        return invocation.api.get("applications", name, "diff", query={"revision": revision})
    from fleet.cli.app.local_render import rendered

    manifests = rendered(invocation, name, Path(local), Path(root) if root else None)
    return invocation.api.post("applications", name, "diff", body={"manifests": manifests})


def show_diff(answer: Mapping[str, Any], output: str, *, side_by_side: bool) -> None:
    if output in ("json", "yaml"):
        click.echo(to_json(answer) if output == "json" else to_yaml(answer))
        return
    for item in answer["items"]:
        if output == "name":
            click.echo(printable(object_name(item)))
            continue
        click.echo(styled(f"===== {printable(object_name(item))} ({item['action']}) =====", "cyan"))
        width = max(NARROWEST, shutil.get_terminal_size().columns)
        lines = columns(item, width) if side_by_side else unified(item)
        for line in lines:
            click.echo(line)


def unified(item: Mapping[str, Any]) -> Iterator[str]:
    """The unified diff of one object, its lines in colour."""
    colours = {"+": "green", "-": "red", "@": "blue"}
    for line in str(item.get("unified", "")).splitlines():
        colour = colours.get(line[:1])
        shown = printable(line, lines=True)
        yield styled(shown, colour) if colour and not line.startswith(("+++", "---")) else shown


def columns(item: Mapping[str, Any], width: int) -> Iterator[str]:
    """Live and wanted beside each other; ``|`` changed, ``<`` only live, ``>`` only wanted."""
    left, right = _lines(item.get("live")), _lines(item.get("predicted"))
    half = (width - 3) // 2
    matcher = difflib.SequenceMatcher(a=left, b=right, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        for one, other in _paired(left[i1:i2], right[j1:j2]):
            mark = " " if tag == "equal" else "<" if other is None else ">" if one is None else "|"
            text = f"{_cut(one, half):<{half}} {mark} {_cut(other, half)}".rstrip()
            yield (
                text
                if mark == " "
                else styled(text, {"<": "red", ">": "green"}.get(mark, "yellow"))
            )


def _lines(document: Any) -> list[str]:
    return printable(to_yaml(document), lines=True).splitlines() if document is not None else []


def _paired(left: Sequence[str], right: Sequence[str]) -> Iterator[tuple[str | None, str | None]]:
    for index in range(max(len(left), len(right))):
        yield (
            left[index] if index < len(left) else None,
            right[index] if index < len(right) else None,
        )


def _cut(line: str | None, width: int) -> str:
    text = (line or "").expandtabs(4)
    return text if len(text) <= width else text[: width - 1] + "…"
