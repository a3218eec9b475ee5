"""One application on a page: what it is, how it does, and what of it is not as it should be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fleet.cli.output import Column, Item, Table, aligned, page_of, printable, rows_of
from fleet.cli.times import age

SHORT_REVISION = 12


def object_name(it: Item) -> str:
    """``Kind/namespace/name``, as everywhere."""
    parts = (it.get("kind", ""), it.get("namespace", ""), it.get("name", ""))
    return "/".join(str(part) for part in parts if part)


def short(revision: str) -> str:
    """A commit as people read it; chart versions stay whole."""
    is_sha = len(revision) >= 40 and all(char in "0123456789abcdef" for char in revision)
    return revision[:SHORT_REVISION] if is_sha else revision


RESOURCES = Table(
    "resource",
    (
        Column("GROUP", lambda it: it.get("group", "")),
        Column("KIND", lambda it: it["kind"]),
        Column("NAMESPACE", lambda it: it.get("namespace", "")),
        Column("NAME", lambda it: it["name"]),
        Column("STATUS", lambda it: "Hook" if it.get("hook") else it.get("status", "")),
        Column("HEALTH", lambda it: (it.get("health") or {}).get("status", "")),
        Column("WAVE", lambda it: str(it.get("syncWave") or ""), wide=True),
        Column("MESSAGE", lambda it: it.get("message", ""), wide=True),
    ),
    object_name,
    "No resources yet.",
    key=lambda it: f"{it.get('group', '')}/{object_name(it)}",
)


ORPHANS = Table(
    "resource",
    RESOURCES.columns[:4],
    object_name,
    "No orphaned resources are known. A project has them looked for by spec.orphanedResources.",
    key=lambda it: f"{it.get('group', '')}/{object_name(it)}",
)


def page(document: Item) -> str:
    """The page, then the table of resources, then what differs, field by field."""
    resources = _status(document).get("resources") or []
    parts = [page_of(_facts(document))]
    if resources:
        lines: list[str] = []
        rows = aligned(rows_of(resources, RESOURCES, wide=False))
        lines.append(rows[0])
        for row, resource in zip(rows[1:], resources, strict=True):
            lines += [row, *(f"    {line}" for line in trouble(resource))]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def trouble(resource: Item) -> Iterator[str]:
    """Why a resource is not as it should be: messages, and the fields with who wrote them."""
    health = resource.get("health") or {}
    for message in (resource.get("message", ""), health.get("message", "")):
        if message:
            yield printable(message)
    for change in resource.get("drift") or ():
        yield printable(drift_line(change))


def drift_line(change: Mapping[str, Any]) -> str:
    """``.spec.replicas: 5, wanted 3 (written by kubectl-edit)``"""
    live, wanted = change.get("live"), change.get("desired")
    said = {
        "added": f"is {live!r}, wanted absent",
        "removed": f"is absent, wanted {wanted!r}",
    }.get(str(change.get("type")), f"is {live!r}, wanted {wanted!r}")
    manager = change.get("manager")
    return f"{change.get('path')} {said}" + (f" (written by {manager})" if manager else "")


def _status(document: Item) -> Mapping[str, Any]:
    return document.get("status") or {}


def sources_of(document: Item) -> list[Mapping[str, Any]]:
    spec = document.get("spec") or {}
    return [spec["source"]] if spec.get("source") else list(spec.get("sources") or ())


def _facts(document: Item) -> Iterator[tuple[str, str]]:
    spec, status = document.get("spec") or {}, _status(document)
    destination = spec.get("destination") or {}
    yield "Name", document["metadata"]["name"]
    yield "Project", spec.get("project", "default")
    yield "Server", destination.get("name") or destination.get("server", "")
    yield "Namespace", destination.get("namespace", "")
    for source in sources_of(document):
        yield "Source", _source_text(source)
    yield from _hydration(spec.get("sourceHydrator") or {}, status.get("sourceHydrator") or {})
    yield "Sync policy", _policy_text(spec.get("syncPolicy") or {})
    yield "Sync status", _sync_text(status)
    health = status.get("health") or {}
    yield "Health", _joined(health.get("status", ""), health.get("message", ""))
    yield "Stale since", status.get("staleSince", "")
    yield from _windows(status.get("syncWindow") or {})
    yield from _operation(status.get("operationState") or {})
    for condition in status.get("conditions") or ():
        yield "Condition", f"{condition['type']}: {condition.get('message', '')}"
    if status.get("reconciledAt"):
        yield "Last compared", f"{status['reconciledAt']} ({age(status['reconciledAt'])} ago)"


def _hydration(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """From where it is rendered, to which branch, and how far that is."""
    if not spec:
        return
    sync, current = spec.get("syncSource") or {}, status.get("currentOperation") or {}
    target = (spec.get("hydrateTo") or sync).get("targetBranch", "")
    yield "Dry source", _source_text(spec.get("drySource") or {})
    yield "Source", f"{sync.get('path', '')} of branch {sync.get('targetBranch', '')}"
    said = current.get("message") or f"{short(current.get('drySHA', ''))} to branch {target}"
    yield "Hydration", _joined(current.get("phase", "Hydrating"), said)


def _windows(standing: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Whether it may sync now, which window decides, and when that next changes."""
    if not standing:
        return
    yield "SyncWindow", standing["state"]
    yield "Decided by", _decided_by(standing)
    changes = standing.get("changesAt", "")
    yield "Next change", f"{changes} (in {age(changes)})" if changes else "none in sight"
    yield "Assigned Windows", ",".join(standing.get("assignedWindows") or ())


def _decided_by(standing: Mapping[str, Any]) -> str:
    """``deny window 2 (0 22 * * * for 8h, Europe/Berlin) is open (Ticket 123)``"""
    window = standing.get("window") or {}
    said = standing.get("reason", "")
    if window and not said:
        hours = f"{window['schedule']} for {window['duration']}, {window['timeZone']}"
        said = f"{window['kind']} window {window['id']} ({hours}) is open"
    return _joined(said, window.get("description", ""))


def _source_text(source: Mapping[str, Any]) -> str:
    what = source.get("path") or (f"chart {source['chart']}" if source.get("chart") else "")
    revision = source.get("targetRevision") or "HEAD"
    lines = [str(source.get("repoURL", "")), f"{what} at {revision}".strip()]
    if source.get("ref"):
        lines.append(f"as ${source['ref']}")
    return "\n".join(lines)


def _policy_text(policy: Mapping[str, Any]) -> str:
    automated = policy.get("automated")
    if automated is None or automated.get("enabled") is False:
        return "Manual"
    words = {"prune": "prune", "selfHeal": "self-heal", "allowEmpty": "allow empty"}
    return _joined(
        "Automated", ", ".join(text for key, text in words.items() if automated.get(key))
    )


def _sync_text(status: Mapping[str, Any]) -> str:
    sync = status.get("sync") or {}
    revision = short(sync.get("revision", "")) or ", ".join(map(short, sync.get("revisions") or ()))
    return f"{sync.get('status', 'Unknown')}" + (f" to {revision}" if revision else "")


def operation_kind(state: Mapping[str, Any]) -> str:
    """sync, rollback or delete: Argo CD knows only the first, so the others are in ``info``."""
    info = (state.get("operation") or {}).get("info") or ()
    return next((str(it["value"]) for it in info if it.get("name") == "kind"), "sync")


def _operation(state: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not state:
        return
    kind = operation_kind(state)
    at = state.get("finishedAt") or state.get("startedAt", "")
    told = ", ".join(part for part in (kind, at) if part)  # one that waits has no time yet
    yield "Last operation", _joined(state.get("phase", ""), told)
    yield "Message", state.get("message", "")
    for it in (state.get("operation") or {}).get("info") or ():
        if it["name"] != "kind":
            yield "Info", f"{it['name']}={it.get('value', '')}"


def _joined(first: str, second: str) -> str:
    return f"{first} ({second})" if second else first
