"""One project on a page: every field of its spec that says something."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleet.cli.output import Item, page_of
from fleet.cli.proj_syncs import when
from fleet.cli.projects import CLUSTER_ALLOW, CLUSTER_DENY, NAMESPACE_ALLOW, NAMESPACE_DENY

#: List of kinds → its title, and what it means to have none.
_KINDS = {
    CLUSTER_ALLOW: ("Allowed cluster kinds", "none"),
    CLUSTER_DENY: ("Denied cluster kinds", ""),
    NAMESPACE_ALLOW: ("Allowed kinds", "all that are not denied"),
    NAMESPACE_DENY: ("Denied kinds", ""),
}
#: Flag of a sync window → what it comes to.
_WINDOW_FLAGS = {
    "manualSync": "syncs by hand too",
    "syncOverrun": "a sync that runs goes on",
    "andOperator": "all lists have to match",
}
_WINDOW_LISTS = ("applications", "namespaces", "clusters")


@dataclass(frozen=True)
class Beside:
    """What the server knows of a project beside its document.

    Attributes:
        planned: syncs that are still to come, the first first.
        givers: names of the projects that it inherits from.
        tokens: by role, those that are valid or were.
    """

    planned: Sequence[Item] = ()
    givers: Sequence[str] = ()
    tokens: Mapping[str, Sequence[Item]] | None = None


def page(it: Item, beside: Beside) -> str:
    """Fields that say nothing are left out; lists of which nothing follows say so."""
    spec = it.get("spec") or {}
    return page_of(
        [
            ("Name", it["metadata"]["name"]),
            ("Description", spec.get("description", "")),
            ("Sources", _lines(spec.get("sourceRepos"), "none")),
            ("Destinations", _lines(map(destination, spec.get("destinations") or ()), "none")),
            *(
                (title, _lines(map(kind, spec.get(key) or ()), none))
                for key, (title, none) in _KINDS.items()
            ),
            ("Clusters", _OWN_CLUSTERS if spec.get("permitOnlyProjectScopedClusters") else ""),
            ("Inherits from", _lines(beside.givers)),
            ("Signatures", _lines(_signatures(spec))),
            (
                "Roles",
                _lines(_role(role, beside.tokens or {}) for role in spec.get("roles") or ()),
            ),
            (
                "Service accounts",
                _lines(map(_service_account, spec.get("destinationServiceAccounts") or ())),
            ),
            ("Source namespaces", _lines(spec.get("sourceNamespaces"))),
            ("Orphaned resources", _lines(_orphans(spec.get("orphanedResources")))),
            ("Sync windows", _lines(map(_window, spec.get("syncWindows") or ()))),
            ("Planned syncs", _lines(f"{when(it)} {it['id']}" for it in beside.planned)),
        ]
    )


_OWN_CLUSTERS = "only those that are the project's own"


def destination(entry: Item) -> str:
    return f"{entry.get('name') or entry.get('server', '')},{entry.get('namespace', '')}"


def kind(entry: Item) -> str:
    """``apps/Deployment``, and the name where only that is meant."""
    named = f" {entry['name']}" if entry.get("name") else ""
    return f"{entry.get('group') or 'core'}/{entry.get('kind')}{named}"


def _lines(entries: Iterable[str] | None, none: str = "") -> str:
    return "\n".join(entries or ()) or none


def _signatures(spec: Item) -> Iterator[str]:
    """``git https://git.example/*: head, by 4AEE18F83AFDEB23``"""
    if old := spec.get("signatureKeys"):
        yield f"git *: head, by {', '.join(str(it.get('keyID')) for it in old)}"
    for content, section in (spec.get("sourceIntegrity") or {}).items():
        for policy in (section or {}).get("policies") or ():
            signer = policy.get("gpg") or policy.get("cosign") or {}
            repos = (it["url"] if isinstance(it, dict) else it for it in policy.get("repos") or ())
            keys = ", ".join(signer.get("keys") or ())
            by = f", by {keys}" if keys else ""
            yield f"{content} {' '.join(repos)}: {signer.get('mode')}{by}"


def _role(role: Item, tokens: Mapping[str, Sequence[Item]]) -> str:
    """``ci (2 policies, 1 token; groups: devs)``"""
    counts = {"policy": role.get("policies") or (), "token": tokens.get(role["name"], ())}
    plurals = {"policy": "policies", "token": "tokens"}
    told = [
        f"{len(held)} {one if len(held) == 1 else plurals[one]}" for one, held in counts.items()
    ]
    groups = ", ".join(role.get("groups") or ())
    return f"{role['name']} ({', '.join(told)}{f'; groups: {groups}' if groups else ''})"


def _service_account(entry: Item) -> str:
    place = f"{entry.get('server', '')},{entry.get('namespace', '')}"
    return f"{place}: {entry.get('defaultServiceAccount')}"


def _orphans(rules: Any) -> Iterator[str]:
    """Nothing where the project does not ask for them."""
    if rules is None:
        return
    yield "warned of" if rules.get("warn") else "listed"
    for entry in rules.get("ignore") or ():
        parts = (entry.get("namespace"), entry.get("name"))
        yield "but not " + "/".join([kind({**entry, "name": ""}), *(it or "*" for it in parts)])


def _window(entry: Item) -> str:
    """When it is, for whom, and by which rules."""
    zone = entry.get("timeZone") or "UTC"
    told = [f"{entry.get('kind')} {entry.get('schedule')} for {entry.get('duration')}, {zone}"]
    told += [f"{key} {', '.join(entry[key])}" for key in _WINDOW_LISTS if entry.get(key)]
    told += [text for key, text in _WINDOW_FLAGS.items() if entry.get(key)]
    described = f" ({entry['description']})" if entry.get("description") else ""
    return "; ".join(told) + described
