"""``fleet app shadow-report``: where Fleet and Argo CD say different things."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import click

from fleet.cli.app.group import app
from fleet.cli.app.page import short
from fleet.cli.documents import documents_of
from fleet.cli.failures import tell_warnings
from fleet.cli.invocation import Invocation
from fleet.cli.options import output_option
from fleet.cli.output import Column, Item, Table, show_items
from fleet.cli.progress import bar
from fleet.errors import NotFound, UsageError
from fleet.model.verdicts import Difference, differences

DIFFERENT = 1
REPORT = Table(
    "difference",
    (
        Column("APPLICATION", lambda it: it["application"]),
        Column("OBJECT", lambda it: it["object"]),
        Column("WHAT", lambda it: it["what"]),
        Column("FLEET", lambda it: _shown(it, "fleet")),
        Column("ARGO CD", lambda it: _shown(it, "argo")),
    ),
    lambda it: str(it["application"]),
    "Fleet and Argo CD say the same.",
    key=lambda it: f"{it['application']} {it['object']} {it['what']}",
)


def _shown(it: Item, side: str) -> str:
    return short(it[side]) if it["what"] == "revision" else str(it[side])


@app.command(
    "shadow-report",
    examples=(
        "fleet app shadow-report --from-cluster eu-1",
        "fleet app shadow-report --argo-export export.yaml",
        "kubectl get applications -A -o json | fleet app shadow-report web --argo-export -",
    ),
)
@click.argument("names", nargs=-1, metavar="[NAME...]")
@click.option(
    "--argo-export",
    "files",
    multiple=True,
    metavar="FILE",
    help="Argo CD's Applications with their status; - is stdin; repeatable.",
)
@click.option(
    "--from-cluster",
    "clusters",
    multiple=True,
    metavar="CLUSTER",
    help="A registered cluster where Argo CD runs, which is asked; repeatable.",
)
@click.option(
    "-n", "--namespace", default="argocd", show_default=True, help="Where Argo CD runs there."
)
@click.option("-A", "--all-namespaces", is_flag=True, help="Applications in every namespace there.")
@output_option()
@click.pass_context
def shadow_report(
    ctx: click.Context,
    names: tuple[str, ...],
    files: tuple[str, ...],
    clusters: tuple[str, ...],
    namespace: str,
    all_namespaces: bool,
    output: str,
) -> None:
    """Show where Fleet's verdicts differ from what Argo CD wrote into `status` last.

    Of all applications that both have, or of those named: revision, sync and health of each, and of
    each of its objects. Exits 1 on differences.

    Argo CD's side comes from files, or from clusters where it runs: there its Applications are
    read, and nothing is written. Whoever may change such a cluster in Fleet may ask for them.
    """
    if not files and not clusters:
        raise UsageError(
            "what does Argo CD say? Give --from-cluster CLUSTER, or --argo-export FILE",
            hint="`fleet cluster list` shows the clusters that can be asked.",
        )
    invocation = ctx.ensure_object(Invocation)
    said = [it["document"] for it in documents_of(files, recursive=False)] if files else []
    for cluster in clusters:
        said += _asked(invocation, cluster, "" if all_namespaces else namespace)
    theirs = _by_name(said)
    chosen = names or _known(invocation, theirs)
    found = list(_report(invocation, chosen, theirs))
    show_items(found, REPORT, output)
    if found:
        ctx.exit(DIFFERENT)


def _asked(invocation: Invocation, cluster: str, namespace: str) -> list[Any]:
    """Argo CD's Applications on a cluster.

    Raises:
        NotFound: there are none, so that no report would say anything.
    """
    query = {"namespace": namespace}
    found = invocation.api.get("clusters", cluster, "argo-applications", query=query)["documents"]
    if not found:
        where = f"in namespace {namespace!r}" if namespace else "in any namespace"
        raise NotFound(
            f"Cluster/{cluster}: Argo CD has no Applications {where}",
            hint="Name another with --namespace, or look into all with -A.",
        )
    return list(found)


def _report(
    invocation: Invocation, names: Sequence[str], theirs: Mapping[str, list[Any]]
) -> Iterator[Item]:
    with bar("Comparing") as progress:
        for done, name in enumerate(names, 1):
            ours = invocation.api.get("applications", name)
            for it in differences(ours, _same(name, ours, theirs.get(name, []))):
                yield _row(name, it)
            progress.update(done, len(names), name)


def _row(name: str, it: Difference) -> Item:
    return {
        "application": name,
        "object": it.object,
        "what": it.what,
        "fleet": it.fleet,
        "argo": it.argo,
    }


def _known(invocation: Invocation, theirs: Mapping[str, list[Any]]) -> list[str]:
    """Applications that both have; says which Fleet has not."""
    ours = {str(it["name"]) for it in invocation.api.items("applications")}
    tell_warnings(f"Application/{name}: Fleet has none" for name in sorted(theirs.keys() - ours))
    return sorted(ours & theirs.keys())


def _by_name(documents: Iterable[Any]) -> dict[str, list[Any]]:
    """The Applications among documents and Lists of them. Several have one name where Argo CD
    has them in several namespaces."""
    found: dict[str, list[Any]] = {}
    for document in documents:
        items = document.get("items")
        entries = items if isinstance(items, list) else [document]
        for entry in entries:
            if isinstance(entry, dict) and entry.get("kind") == "Application":
                found.setdefault(_metadata(entry, "name"), []).append(entry)
    return found


def _same(name: str, ours: Any, theirs: Sequence[Any]) -> Any:
    """Argo CD's application of that name: the one in the same namespace, or the only one.

    Raises:
        NotFound: there is none, or it cannot be told which.
    """
    namespace = _metadata(ours, "namespace")
    same = [it for it in theirs if _metadata(it, "namespace") == namespace]
    if len(theirs) != 1 and len(same) != 1:
        why = "several of them are" if theirs else "is not"
        raise NotFound(f"Application/{name}: {why} among what Argo CD says")
    return (same if len(same) == 1 else theirs)[0]


def _metadata(document: Mapping[str, Any], key: str) -> str:
    metadata = document.get("metadata")
    return str(metadata.get(key) or "") if isinstance(metadata, dict) else ""
