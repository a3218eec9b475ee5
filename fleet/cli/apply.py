"""``fleet apply``: everything that can be written as YAML, any number of documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from fleet.cli.command import Command
from fleet.cli.documents import documents_of
from fleet.cli.failures import tell_error, tell_warnings
from fleet.cli.invocation import Invocation
from fleet.cli.options import output_option
from fleet.cli.output import show_done, to_json, to_yaml
from fleet.errors import FleetError, SpecInvalid
from fleet.model.applications import SHADOW_ANNOTATION


@click.command(
    cls=Command,
    examples=(
        "fleet apply -f applications.yaml",
        "fleet apply -f config/ -R --dry-run",
        "kubectl get applications -n argocd -o yaml | fleet apply -f -",
        "argocd admin export | fleet apply -f - --dry-run",
        "argocd admin export | fleet apply -f - --shadow",
    ),
)
@click.option(
    "-f",
    "--filename",
    "names",
    multiple=True,
    required=True,
    metavar="FILE",
    help="File, folder, or - for standard input; repeatable.",
)
@click.option("-R", "--recursive", is_flag=True, help="Look into folders of folders, too.")
@click.option(
    "--shadow",
    is_flag=True,
    help="Put Applications into shadow mode: compared, and never written to a cluster.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@output_option("table", "json", "yaml", "name")
@click.pass_context
def apply(
    ctx: click.Context,
    names: tuple[str, ...],
    recursive: bool,
    shadow: bool,
    dry_run: bool,
    output: str,
) -> None:
    """Create or change what Argo CD's documents say: a whole export of it, too.

    Applications, AppProjects, cluster and repository Secrets, known hosts and authorities are
    acted upon; ApplicationSets and other settings are kept for later, and in an export. Order
    does not matter, and a document may come before what it refers to. One that fails keeps none
    of the others back; the exit code is 2 then if all that failed are wrong in themselves, else
    3.
    """
    documents = documents_of(names, recursive=recursive)
    body = {
        "documents": [_shadowed(it) for it in documents] if shadow else documents,
        "upsert": True,
        "dryRun": dry_run,
    }
    results = ctx.ensure_object(Invocation).api.post("apply", body=body)["results"]
    if output in ("json", "yaml"):
        click.echo(to_json(results) if output == "json" else to_yaml(results))
    else:
        for result in results:
            _show(result, output, " (dry run)" if dry_run else "")
    ctx.exit(exit_code(results))


def _shadowed(given: dict[str, Any]) -> dict[str, Any]:
    """What was given, in shadow mode where it is an Application, or a List of them."""
    document = given["document"]
    if isinstance(items := document.get("items"), list):
        marked = {**document, "items": [_in_shadow(it) for it in items]}
    else:
        marked = _in_shadow(document)
    return {**given, "document": marked}


def _in_shadow(document: Any) -> Any:
    """As it is where something is wrong with it: whoever reads it says what."""
    metadata = document.get("metadata") if isinstance(document, dict) else None
    if not isinstance(metadata, dict) or document.get("kind") != "Application":
        return document
    marks = metadata.get("annotations") or {}
    if not isinstance(marks, dict):
        return document
    return {
        **document,
        "metadata": {**metadata, "annotations": {**marks, SHADOW_ANNOTATION: "true"}},
    }


#: What people read, where it is not the word itself.
_ACTIONS = {"kept": "kept for later"}


def exit_code(results: Sequence[Mapping[str, Any]]) -> int:
    """0, 2 when whatever failed is a wrong document, or 3."""
    failed = [result for result in results if result["action"] == "failed"]
    wrong = [it for it in failed if (it.get("error") or {}).get("type") == SpecInvalid.__name__]
    if not failed:
        return 0
    return SpecInvalid.exit_code if wrong == failed else FleetError.exit_code


def _show(result: Mapping[str, Any], output: str, suffix: str) -> None:
    place = f"{result['file']}:{result['line']}: " if result.get("file") else ""
    tell_warnings(f"{place}{warning}" for warning in result.get("warnings", ()))
    error = result.get("error")
    noun, name = str(result.get("kind", "")).lower(), str(result.get("name", ""))
    if not error:
        action = _ACTIONS.get(result["action"], result["action"])
        show_done(result, noun, name, f"{action}{suffix}", output)
        return
    message = str(error["message"])
    # a SpecInvalid names the file itself
    at = "" if result.get("file") and message.startswith(str(result["file"])) else place
    tell_error(f"{at}{message}", str(error.get("hint", "")))
