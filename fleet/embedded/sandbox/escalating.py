"""Nobody gives away rights that they do not have: what is checked when roles and bindings are
written."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from fleet.embedded.sandbox.authenticating import User
from fleet.embedded.sandbox.authorizing import (
    BINDING,
    CLUSTER_BINDING,
    CLUSTER_ROLE,
    GROUP,
    ROLE,
    Act,
    Rule,
    allows,
    allows_path,
    may,
    rights_of,
    role_of,
)
from fleet.embedded.sandbox.cluster import Cluster
from fleet.embedded.sandbox.kinds import Kind
from fleet.embedded.sandbox.objects import Object, at, name_of, namespace_of
from fleet.embedded.sandbox.statuses import refused

#: The fields of a rule, as a refusal writes them.
_SHOWN = (
    ("apiGroups", "APIGroups"),
    ("resources", "Resources"),
    ("resourceNames", "ResourceNames"),
    ("nonResourceURLs", "NonResourceURLs"),
    ("verbs", "Verbs"),
)


def check_grant(
    cluster: Cluster, user: User, kind: Kind, obj: Object, before: Object | None
) -> None:
    """Refuse a role with rules, or a binding to rules, that the writer does not have.

    Raises:
        ApiError: it would.
    """
    if kind.group != GROUP or user.is_master:
        return
    if kind in {ROLE, CLUSTER_ROLE}:
        verb, rules = "escalate", obj.get("rules") or ()
        if before is not None and before.get("rules") == obj.get("rules"):
            return
    else:
        verb, rules = "bind", (role_of(cluster.store, obj) or {}).get("rules") or ()
    if may(cluster, user, _exemption(kind, obj, verb)):
        return
    held = list(rights_of(cluster, user).rules(namespace_of(obj)))
    missing = [rule for rule in rules if not _covered(rule, held)]
    if missing:
        groups = " ".join(f'"{group}"' for group in user.groups)
        shown = "\n".join(map(_text, missing))
        why = (
            f'user "{user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions not '
            f"currently held:\n{shown}"
        )
        raise refused(kind, name_of(obj), why)


def _exemption(kind: Kind, obj: Object, verb: str) -> Act:
    """What one must be allowed to do to be exempt: ``escalate`` the role, or ``bind`` it."""
    if kind in {BINDING, CLUSTER_BINDING}:
        plural = "clusterroles" if at(obj, "roleRef", "kind") == "ClusterRole" else "roles"
        return Act(verb, GROUP, plural, namespace_of(obj), str(at(obj, "roleRef", "name")))
    return Act(verb, GROUP, kind.plural, namespace_of(obj), name_of(obj))


def _covered(rule: Rule, held: Sequence[Rule]) -> bool:
    """Whether each single right of a rule is held."""
    if rule.get("nonResourceURLs"):
        pairs = itertools.product(rule["verbs"], rule["nonResourceURLs"])
        return all(any(allows_path(it, verb, path) for it in held) for verb, path in pairs)
    singles = itertools.product(
        rule.get("verbs") or (),
        rule.get("apiGroups") or (),
        rule.get("resources") or (),
        rule.get("resourceNames") or ("",),
    )
    return all(
        any(allows(it, Act(verb, group, resource, name=name)) for it in held)
        for verb, group, resource, name in singles
    )


def _text(rule: Mapping[str, Any]) -> str:
    parts = [
        f"{word}:{orjson.dumps(rule[key]).decode().replace(',', ', ')}"
        for key, word in _SHOWN
        if rule.get(key)
    ]
    return f"{{{', '.join(parts)}}}"
