"""What projects list: verbs that put one entry into a list, or take one out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from fleet.cli.command import Command
from fleet.cli.invocation import Invocation
from fleet.cli.options import output_option
from fleet.cli.project_changes import put_changed
from fleet.cli.projects import (
    CLUSTER_ALLOW,
    CLUSTER_DENY,
    NAMESPACE_ALLOW,
    NAMESPACE_DENY,
    Document,
    destination,
    kind_rule,
    with_entry,
    without_entry,
)
from fleet.errors import UsageError


@dataclass(frozen=True, slots=True)
class Noun:
    """What an entry is, and how it is written; with ``separator`` also as two arguments,
    which is how argocd has it."""

    metavar: str
    separator: str = ""

    def entry(self, parts: tuple[str, ...]) -> str:
        """One argument as it is, two with the separator between them.

        Raises:
            UsageError: another number of arguments.
        """
        most = 2 if self.separator else 1
        if not 1 <= len(parts) <= most:
            raise UsageError(f"expected {self.usage}, not {' '.join(parts) or 'nothing'}")
        return self.separator.join(parts)

    @property
    def usage(self) -> str:
        two = self.metavar.replace(self.separator, " ") if self.separator else ""
        return f"{{{self.metavar}|{two}}}" if two else self.metavar


def _entry_verb(
    verb: str,
    noun: Noun,
    examples: tuple[str, ...],
    change: Callable[[Document, str], Document | None],
    text: str,
) -> click.Command:
    """A verb that puts one entry into a list of a project, or takes one out."""

    shown = tuple(f"fleet proj {verb} shop {example}" for example in examples)

    @click.command(verb, cls=Command, help=text, examples=shown)
    @click.argument("name")
    @click.argument("parts", nargs=-1, metavar=noun.usage)
    @output_option("table", "json", "yaml", "name")
    @click.pass_obj
    def command(invocation: Invocation, name: str, parts: tuple[str, ...], output: str) -> None:
        entry = noun.entry(parts)
        put_changed(invocation, name, lambda document: change(document, entry), output)

    return command


def _adds(key: str, read: Callable[[str], Any]) -> Callable[[Document, str], Document | None]:
    return lambda document, entry: with_entry(document, key, read(entry))


def _removes(key: str, read: Callable[[str], Any]) -> Callable[[Document, str], Document | None]:
    return lambda document, entry: without_entry(document, key, read(entry))


_URL, _DEST, _KIND = Noun("URL"), Noun("CLUSTER,NAMESPACE", ","), Noun("GROUP/KIND", "/")
_URLS = ("'https://git.example/*'",)
_DESTS = ("'eu-*,shop'", "https://10.0.0.3:6443 shop")
_DAEMON_SETS = ("apps/DaemonSet", "apps DaemonSet")


def _allows(allow: str, deny: str) -> Callable[[Document, str], Document | None]:
    """Off the list of the denied ones, onto that of the allowed ones."""

    def change(document: Document, entry: str) -> Document | None:
        cleared = without_entry(document, deny, kind_rule(entry), missing_ok=True)
        if allow == NAMESPACE_ALLOW and not ((document.get("spec") or {}).get(allow) or ()):
            return (
                cleared  # all are allowed that are not denied; a first entry would forbid the rest
            )
        added = with_entry(cleared or document, allow, kind_rule(entry))
        return added or cleared

    return change


def _denies(allow: str, deny: str) -> Callable[[Document, str], Document | None]:
    def change(document: Document, entry: str) -> Document | None:
        cleared = without_entry(document, allow, kind_rule(entry), missing_ok=True)
        if deny == CLUSTER_DENY and cleared is not None:
            return cleared  # what is not allowed is denied
        return with_entry(cleared or document, deny, kind_rule(entry)) or cleared

    return change


LIST_VERBS = (
    _entry_verb(
        "add-source",
        _URL,
        _URLS,
        _adds("sourceRepos", str),
        "Allow a repository, or a glob of them.",
    ),
    _entry_verb(
        "remove-source",
        _URL,
        _URLS,
        _removes("sourceRepos", str),
        "Take a repository off the list.",
    ),
    _entry_verb(
        "add-destination",
        _DEST,
        _DESTS,
        _adds("destinations", destination),
        "Allow a cluster and namespace.",
    ),
    _entry_verb(
        "remove-destination",
        _DEST,
        _DESTS,
        _removes("destinations", destination),
        "Take a cluster and namespace off the list.",
    ),
    _entry_verb(
        "allow-cluster-resource",
        _KIND,
        ("rbac.authorization.k8s.io/ClusterRole", "rbac.authorization.k8s.io ClusterRole"),
        _allows(CLUSTER_ALLOW, CLUSTER_DENY),
        "Allow a cluster-scoped kind.",
    ),
    _entry_verb(
        "deny-cluster-resource",
        _KIND,
        ("/Namespace", "'' Namespace"),
        _denies(CLUSTER_ALLOW, CLUSTER_DENY),
        "Forbid a cluster-scoped kind.",
    ),
    _entry_verb(
        "allow-namespace-resource",
        _KIND,
        _DAEMON_SETS,
        _allows(NAMESPACE_ALLOW, NAMESPACE_DENY),
        "Allow a namespaced kind again.",
    ),
    _entry_verb(
        "deny-namespace-resource",
        _KIND,
        _DAEMON_SETS,
        _denies(NAMESPACE_ALLOW, NAMESPACE_DENY),
        "Forbid a namespaced kind.",
    ),
)
