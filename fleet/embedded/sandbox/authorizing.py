"""What a user may do: the rules of the roles that are bound to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fleet.embedded.sandbox.authenticating import User
from fleet.embedded.sandbox.cluster import Cluster
from fleet.embedded.sandbox.kinds import builtin_kind
from fleet.embedded.sandbox.objects import Object, namespace_of
from fleet.embedded.sandbox.requests import Target
from fleet.embedded.sandbox.statuses import ApiError, forbidden
from fleet.embedded.sandbox.store import Event, Store

GROUP = "rbac.authorization.k8s.io"
_VERSION = f"{GROUP}/v1"
CLUSTER_ROLE = builtin_kind(_VERSION, "ClusterRole")
CLUSTER_BINDING = builtin_kind(_VERSION, "ClusterRoleBinding")
ROLE = builtin_kind(_VERSION, "Role")
BINDING = builtin_kind(_VERSION, "RoleBinding")
_SERVICE_ACCOUNT = "system:serviceaccount:"

Rule = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Act:
    """Something that somebody wants to do to a resource."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""


@dataclass(slots=True)
class Rights:
    """The rules that apply to one user: everywhere, and in one namespace each."""

    everywhere: list[Rule] = field(default_factory=list)
    inside: dict[str, list[Rule]] = field(default_factory=dict)
    #: Bindings that lead nowhere, as a refusal tells them.
    broken: list[str] = field(default_factory=list)

    def rules(self, namespace: str) -> Iterator[Rule]:
        """Those that count in this namespace."""
        yield from self.everywhere
        if namespace:
            yield from self.inside.get(namespace, ())


def act_of(target: Target) -> Act:
    """What a request does."""
    namespace = target.namespace
    if target.kind.plural == "namespaces" and not target.kind.group:
        namespace = target.name  # rights in a namespace cover the namespace itself
    return Act(target.verb, target.kind.group, target.resource, namespace, target.name)


def may(cluster: Cluster, user: User, act: Act) -> bool:
    """Whether some rule allows it."""
    if user.is_master:
        return True
    return any(allows(rule, act) for rule in rights_of(cluster, user).rules(act.namespace))


def may_read_path(cluster: Cluster, user: User, path: str, verb: str = "get") -> bool:
    """The same for a path that is no resource, e.g. ``/version``."""
    if user.is_master:
        return True
    return any(allows_path(rule, verb, path) for rule in rights_of(cluster, user).everywhere)


def check(cluster: Cluster, user: User, target: Target) -> None:
    """Refuse what no rule allows.

    Raises:
        ApiError: it is forbidden.
    """
    act = act_of(target)
    if not may(cluster, user, act):
        raise refusal(cluster, user, act)


def refusal(cluster: Cluster, user: User, act: Act) -> ApiError:
    """403, as the real server says it."""
    resource = act.resource.partition("/")[0]
    qualified = f"{resource}.{act.group}" if act.group else resource
    subject = f'{qualified} "{act.name}"' if act.name else qualified
    where = f'in the namespace "{act.namespace}"' if act.namespace else "at the cluster scope"
    why = "".join(f": RBAC: {it}" for it in rights_of(cluster, user).broken[:1])
    message = (
        f'{subject} is forbidden: User "{user.name}" cannot {act.verb} resource "{act.resource}" '
        f'in API group "{act.group}" {where}{why}'
    )
    details = {"name": act.name, "group": act.group, "kind": resource}
    return forbidden(message, {key: value for key, value in details.items() if value})


def path_refusal(user: User, path: str, verb: str = "get") -> ApiError:
    """403 about a path that is no resource."""
    return forbidden(f'forbidden: User "{user.name}" cannot {verb} path "{path}"', {})


def rights_of(cluster: Cluster, user: User) -> Rights:
    """The rules that apply to a user; remembered until a role or binding changes."""
    known: Rights | None = cluster.rights.get(user.name)
    if known is None:
        known = cluster.rights[user.name] = _collect(cluster.store, user)
    return known


def forget_rights(cluster: Cluster) -> Any:
    """A listener that drops what is remembered when roles or bindings change."""

    def heard(_: Store, event: Event) -> None:
        if event.kind.group == GROUP:
            cluster.rights.clear()

    return heard


def _collect(store: Store, user: User) -> Rights:
    rights = Rights()
    for binding in store.list(CLUSTER_BINDING):
        if _is_bound(binding, user, ""):
            rights.everywhere += _rules_of(store, binding, rights.broken)
    for binding in store.list(BINDING):
        namespace = namespace_of(binding)
        if _is_bound(binding, user, namespace):
            found = _rules_of(store, binding, rights.broken)
            rights.inside.setdefault(namespace, []).extend(found)
    return rights


def _is_bound(binding: Mapping[str, Any], user: User, namespace: str) -> bool:
    return any(_is_subject(it, user, namespace) for it in binding.get("subjects") or ())


def _is_subject(subject: Mapping[str, Any], user: User, namespace: str) -> bool:
    if subject.get("kind") == "ServiceAccount":
        where = subject.get("namespace") or namespace
        return user.name == f"{_SERVICE_ACCOUNT}{where}:{subject['name']}"
    if subject.get("kind") == "Group":
        return subject["name"] in user.groups
    return bool(subject.get("name") == user.name)


def role_of(store: Store, binding: Mapping[str, Any]) -> Object | None:
    """The role that a binding means, if it is there."""
    ref = binding["roleRef"]
    if ref["kind"] == "Role":
        return store.get(ROLE, namespace_of(binding), ref["name"])
    return store.get(CLUSTER_ROLE, "", ref["name"])


def _rules_of(store: Store, binding: Mapping[str, Any], broken: list[str]) -> list[Rule]:
    role = role_of(store, binding)
    if role is None:
        ref = binding["roleRef"]
        kind = "role" if ref["kind"] == "Role" else "clusterrole"
        broken.append(f'{kind}.{GROUP} "{ref["name"]}" not found')
        return []
    return list(role.get("rules") or ())


def allows(rule: Rule, act: Act) -> bool:
    """Whether one rule allows it, in the namespaces in which it counts."""
    return (
        _has(rule.get("verbs"), act.verb)
        and _has(rule.get("apiGroups"), act.group)
        and _covers(rule.get("resources") or (), act.resource)
        and (not rule.get("resourceNames") or act.name in rule["resourceNames"])
    )


def allows_path(rule: Rule, verb: str, path: str) -> bool:
    """The same for a path that is no resource."""
    return _has(rule.get("verbs"), verb) and any(
        _path_matches(it, path) for it in rule.get("nonResourceURLs") or ()
    )


def _has(words: Iterable[str] | None, word: str) -> bool:
    found = words or ()
    return word in found or "*" in found


def _covers(resources: Iterable[str], resource: str) -> bool:
    _, _, part = resource.partition("/")
    return resource in resources or "*" in resources or bool(part and f"*/{part}" in resources)


def _path_matches(pattern: str, path: str) -> bool:
    return pattern in {"*", path} or (pattern.endswith("*") and path.startswith(pattern[:-1]))
