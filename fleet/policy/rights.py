"""What one subject may do, and see, by all the rules that concern it.

A denial wins over every permission, whichever role either comes from; what no rule permits
is refused. A role of a project never reaches beyond that project, and is given nothing by
the default role.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from fleet.errors import SpecInvalid
from fleet.model.access import ProjectRole, Subject
from fleet.model.decisions import ALLOWED, Decision, refused
from fleet.model.names import is_dns_subdomain
from fleet.model.scope import EVERYTHING, MOVABLE, NOTHING, Scope, Seen
from fleet.policy.patterns import ANY, MatchMode, finds_any
from fleet.policy.rules import (
    ACTIONS,
    BREAK_GLASS,
    PROJECT_RESOURCES,
    Policy,
    Rule,
    project_rules,
)
from fleet.policy.subjects import NONE, OBJECT_KINDS, built_in, names_of_role

#: How policies call what Fleet knows under another name.
_RESOURCES = {"repocreds": "repositories"}
#: Whoever may do the one may do the other, as in Argo CD; a denial of the other still counts.
_IMPLIED_BY = {"refresh": ("sync",), "rollback": ("sync",)}
#: A group from elsewhere is never taken for a role.
_RESERVED = ("role:", "proj:", "project:")


@dataclass(frozen=True)
class Rights:
    """The rules that concern one subject.

    Attributes:
        who: as messages call it.
        project: what it is confined to; "" for nothing.
        unlimited: whoever runs Fleet on its own database, whom no policy concerns.
    """

    who: str
    rules: tuple[Rule, ...] = ()
    project: str = ""
    unlimited: bool = False

    def may(
        self,
        action: str,
        kind: str,
        name: str = "",
        project: str = "",
        *,
        aliases: Sequence[str] = (),
    ) -> Decision:
        """Whether it may do ``action`` to an object of ``kind``.

        Args:
            action: one of ``ACTIONS``, behind which ``/…`` may say what exactly.
            kind: one of ``OBJECT_KINDS``.
            project: the project that the object belongs to; "" for none.
            aliases: other names of the object, by which a rule may mean it: a cluster's URL.
        """
        if action.partition("/")[0] not in ACTIONS or kind not in OBJECT_KINDS:
            return refused(f"there is no action {action} of {kind}")
        if self.unlimited:
            return ALLOWED
        where = f" of project {project}" if project and kind != "projects" else ""
        no = f"{self.who} may not {action} {kind}{where}"
        if self.project and project != self.project:
            return refused(f"{no}: it is confined to project {self.project}")
        resource = _RESOURCES.get(kind, kind)
        keys = tuple(_key(kind, project, each) for each in (name, *aliases))
        about = [rule for rule in self._about(kind) if rule.names(keys, project)]
        for rule in about:
            if not rule.allow and rule.concerns(resource, action):
                return refused(f"{no}: the policy denies it ({rule})")
        for wanted in (action, *_IMPLIED_BY.get(action, ())):
            if any(_permits(rule, resource, wanted) for rule in about):
                return ALLOWED
        return refused(f"{no}; ask an administrator")

    def seen(self, kind: str, action: str = "get") -> Seen:
        """Which objects of ``kind`` it may do ``action`` to: what ``may`` says of each."""
        if self.unlimited:
            return Seen(everything=True)
        if self.project and kind != "projects" and kind not in PROJECT_RESOURCES:
            return NOTHING  # it is in no project
        resource = _RESOURCES.get(kind, kind)
        found = Seen(within=self.project)
        for rule in self._about(kind):
            if rule.concerns(resource, action):
                found = _joined(found, _seen(rule, kind))
        return NOTHING if found.is_nothing else found

    def _about(self, kind: str) -> Iterator[Rule]:
        """What is open to all projects does not open the templates of its credentials."""
        return (rule for rule in self.rules if not (rule.shared and kind in _RESOURCES))

    @property
    def is_administrator(self) -> bool:
        """Whether everything is permitted: whoever gives rights has to have them."""
        return self.unlimited or any(
            rule.allow and (rule.resource, rule.action, rule.object) == (ANY, ANY, ANY)
            for rule in self.rules
            if not self.project
        )

    @cached_property
    def scope(self) -> Scope:
        """What it may see."""
        if self.unlimited:
            return EVERYTHING
        by_kind = {kind: self.seen(kind) for kind in sorted(OBJECT_KINDS)}
        by_kind[MOVABLE] = self.seen("applications", "update")
        if all(seen.is_all for seen in by_kind.values()):
            return EVERYTHING
        return Scope(frozenset(), by_kind)


def unlimited(who: str) -> Rights:
    """Of whoever runs Fleet on its own database."""
    return Rights(who, unlimited=True)


def rights_of(subject: Subject, policy: Policy, roles: Iterable[ProjectRole] = ()) -> Rights:
    """The rights of a subject.

    Args:
        roles: those of projects that may concern it: that it is, or has by its name or one
            of its groups. Others do no harm.
    """
    roles = tuple(roles)
    names = names_of(subject, policy)
    if not subject.project:
        given = {role.subject for role in roles if names & set(role.groups)}
        names = _with_roles(names | given, policy.grants)
    rules = [*built_in(names), *(rule for rule in policy.rules if rule.subject in names)]
    for role in roles:
        if role.subject in names:
            rules += _rules(role, policy.mode)
    return Rights(_called(subject), tuple(rules), subject.project)


def names_of(subject: Subject, policy: Policy) -> frozenset[str]:
    """By what rules, and the groups of projects' roles, may mean the subject: its name, its
    groups, and the roles that the policy gives them."""
    own = {subject.name}
    if not subject.project:
        own |= {group for group in subject.groups if not group.startswith(_RESERVED)}
        own |= names_of_role(subject.role) | ({policy.default_role} - {""})
    return _with_roles(own, policy.grants)


def is_seen(seen: Seen, kind: str, name: str, project: str = "") -> bool:
    """Whether one object is among those; what a WHERE says of its row."""
    keys = (_key(kind, project, name),)
    owner = name if kind == "projects" else project
    if seen.within and owner != seen.within:
        return False
    if any(finds_any(seen.unlike, key) for key in keys):
        return False
    is_in = owner in seen.projects or (seen.shared and not owner)
    return seen.everything or is_in or any(finds_any(seen.like, key) for key in keys)


def object_of(kind: str, key: str) -> tuple[str, str]:
    """Name and project of the object that a rule, or a person, calls ``key``."""
    project, slash, name = key.partition("/")
    if kind == "projects":
        return key, key
    if slash and kind in PROJECT_RESOURCES and is_dns_subdomain(project):
        return name, project
    return key, ""


def _rules(role: ProjectRole, mode: MatchMode) -> tuple[Rule, ...]:
    """Lines that were stored before Fleet read them, and are none, permit nothing and
    deny everything that the role could permit."""
    try:
        return project_rules(role, mode)
    except SpecInvalid:
        return (
            Rule(role.subject, ANY, ANY, f"{role.project}/*", allow=False, project=role.project),
        )


def _with_roles(names: Iterable[str], grants: Iterable[tuple[str, str]]) -> frozenset[str]:
    """The names, the roles that they have, the roles that those have, and so on."""
    held: dict[str, set[str]] = {}
    for member, role in grants:
        held.setdefault(member, set()).add(role)
    found = set(names)
    left = list(found)
    while left:
        new = held.get(left.pop(), set()) - found
        found |= new
        left += new
    return frozenset(found)


def _called(subject: Subject) -> str:
    is_plain = subject.role not in ("", NONE) and not subject.groups
    return f"role {subject.role!r}" if is_plain else subject.name


def _key(kind: str, project: str, name: str) -> str:
    return f"{project}/{name}" if project and kind != "projects" else name


def _permits(rule: Rule, resource: str, action: str) -> bool:
    if action == BREAK_GLASS and rule.action != BREAK_GLASS:
        return False
    return rule.allow and rule.concerns(resource, action)


def _seen(rule: Rule, kind: str) -> Seen:
    """What one rule lets be seen, or not."""
    if not rule.allow:
        return Seen(unlike=(rule.object_regex,))
    if rule.object == ANY:
        return Seen(everything=True)
    project = rule.object if kind == "projects" else rule.object.removesuffix("/*")
    is_whole = kind == "projects" or (kind in PROJECT_RESOURCES and rule.object.endswith("/*"))
    if is_whole and rule.mode is MatchMode.GLOB and is_dns_subdomain(project):
        return Seen(projects=frozenset({project}), shared=rule.shared)
    return Seen(like=(rule.object_regex,), shared=rule.shared)


def _joined(one: Seen, other: Seen) -> Seen:
    return Seen(
        everything=one.everything or other.everything,
        projects=one.projects | other.projects,
        shared=one.shared or other.shared,
        like=(*one.like, *other.like),
        unlike=(*one.unlike, *other.unlike),
        within=one.within,
    )
