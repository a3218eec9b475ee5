"""RBAC rules as Argo CD's policies write them, one a line of CSV.

``p, subject, resource, action, object, effect`` permits or denies; ``g, subject, role``
gives somebody a role. Resource, action and object are patterns (``patterns``). The object
is ``PROJECT/NAME`` for what is in a project, else a name. Source: Argo CD's RBAC page and
``features.md`` §1.14, §3.7.
"""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from fleet.errors import Place, SpecInvalid
from fleet.model.access import ProjectRole, RbacConfig
from fleet.policy.globs import regex_literal
from fleet.policy.patterns import MatchMode, finds, regex_of

#: In the words of policies; what they call ``repositories`` is credential templates, too.
RESOURCES = frozenset(
    {
        "accounts",
        "applications",
        "applicationsets",
        "audit",
        "certificates",
        "clusters",
        "decryptionkeys",
        "exec",
        "extensions",
        "gpgkeys",
        "jobs",
        "logs",
        "plugins",
        "policies",
        "projects",
        "repositories",
        "secrets",
        "settings",
        "sql",
        "write-repositories",
    }
)
#: To sync although sync windows say no. ``*`` does not permit it: it has to be named.
BREAK_GLASS = "break-glass"
#: Some may be followed by what exactly: ``delete/apps/*/*/web``.
ACTIONS = frozenset(
    {
        "action",
        "create",
        "delete",
        "get",
        "invoke",
        "override",
        "refresh",
        "rollback",
        "sync",
        "update",
        BREAK_GLASS,
    }
)
#: Those behind which ``/…`` may say what exactly.
_DETAILED = frozenset({"action", "delete", "update"})
#: What a role of a project may be given rules about.
PROJECT_RESOURCES = frozenset(
    {"applications", "applicationsets", "clusters", "exec", "logs", "repositories"}
)
_EFFECTS = {"allow": True, "deny": False}
_RULE_FIELDS, _GRANT_FIELDS = 6, 3
#: Found in every text; in none, as nothing follows the end.
_FINDS_ALL, _FINDS_NOTHING = "", "$x"


@dataclass(frozen=True, slots=True)
class Rule:
    """One line that begins with ``p``.

    Attributes:
        project: of whose role it is: then it never says anything about what is outside.
        shared: besides the object it is about what is in no project.
    """

    subject: str
    resource: str
    action: str
    object: str
    allow: bool
    mode: MatchMode = MatchMode.GLOB
    project: str = ""
    shared: bool = False

    def __str__(self) -> str:
        effect = "allow" if self.allow else "deny"
        return f"p, {self.subject}, {self.resource}, {self.action}, {self.object}, {effect}"

    def concerns(self, resource: str, action: str) -> bool:
        """Whether it is about this action on some object."""
        return finds(self._regex(self.resource), resource) and finds(
            self._regex(self.action), action
        )

    def names(self, keys: Iterable[str], project: str) -> bool:
        """Whether it is about an object, which has one or several keys."""
        if self.project and self.project != project:
            return False
        if self.shared and not project:
            return True
        return any(finds(self.object_regex, key) for key in keys)

    @property
    def object_regex(self) -> str:
        """What is found in the keys of the objects that it names."""
        if not self.project or not self.object.startswith(f"{self.project}/"):
            return self._regex(self.object)
        rest = self._regex(self.object.removeprefix(f"{self.project}/"))
        return f"^{regex_literal(self.project)}/(?:{rest.removeprefix('^')})"

    def _regex(self, pattern: str) -> str:
        """A pattern that is none permits nothing and denies everything."""
        found = regex_of(pattern, self.mode)
        if found is None:
            return _FINDS_NOTHING if self.allow else _FINDS_ALL
        return found


@dataclass(frozen=True, slots=True)
class Policy:
    """All lines of ``argocd-rbac-cm``, read. ``grants`` are pairs of member and role."""

    rules: tuple[Rule, ...] = ()
    grants: tuple[tuple[str, str], ...] = ()
    default_role: str = ""
    mode: MatchMode = MatchMode.GLOB


def read_policy(config: RbacConfig) -> Policy:
    """The policy of a configuration.

    Raises:
        SpecInvalid: names the key and the line of the first thing that is wrong.
    """
    mode = _mode(config.mode)
    rules: list[Rule] = []
    grants: list[tuple[str, str]] = []
    for key, text in config.texts:
        for number, line in enumerate(text.splitlines(), start=1):
            place = Place(field=f"data.{key}: line {number}")
            parts = _parts(line, place)
            if not parts:
                continue
            if parts[0] == "g":
                grants.append((parts[1], parts[2]))
            else:
                rules.append(_rule(parts, mode, place))
    return Policy(tuple(rules), tuple(grants), config.default_role, mode)


def project_rules(role: ProjectRole, mode: MatchMode) -> tuple[Rule, ...]:
    """The rules of a role of a project, which may also look at the project itself.

    Raises:
        SpecInvalid: a line is none, or reaches beyond the role or its project.
    """
    own = Rule(role.subject, "projects", "get", role.project, allow=True, project=role.project)
    found = [own]
    for index, line in enumerate(role.policies):
        place = Place(field=f"policies[{index}]")
        parts = _parts(line, place)
        if not parts or parts[0] != "p":
            raise SpecInvalid(f"{line!r} is no rule", place=place, hint=_form(role))
        found.append(_confined(_rule(parts, mode, place), role, place))
    return tuple(found)


def _confined(rule: Rule, role: ProjectRole, place: Place) -> Rule:
    prefix = f"{role.project}/"
    if rule.subject != role.subject:
        raise SpecInvalid(
            f"is about {rule.subject}, not {role.subject}", place=place, hint=_form(role)
        )
    if rule.resource not in PROJECT_RESOURCES:
        raise SpecInvalid(
            f"{rule.resource!r} is nothing that a role of a project is given rules about",
            place=place,
            hint=f"One of {', '.join(sorted(PROJECT_RESOURCES))}.",
        )
    rest = rule.object.removeprefix(prefix)
    if rest in ("", rule.object) or ".." in rest.split("/"):
        raise SpecInvalid(
            f"object {rule.object!r} is not in project {role.project}",
            place=place,
            hint=_form(role),
        )
    return Rule(
        rule.subject,
        rule.resource,
        rule.action,
        rule.object,
        rule.allow,
        rule.mode,
        project=role.project,
    )


def _form(role: ProjectRole) -> str:
    return f"Write p, {role.subject}, applications, ACTION, {role.project}/NAME, allow."


def _mode(text: str) -> MatchMode:
    try:
        return MatchMode(text or MatchMode.GLOB)
    except ValueError:
        raise SpecInvalid(
            f"{text!r} is neither glob nor regex", place=Place(field="data.policy.matchMode")
        ) from None


def _parts(line: str, place: Place) -> list[str]:
    """The fields of a line; none of an empty one, or of a comment."""
    line = line.strip()
    if not line or line.startswith("#"):
        return []
    try:
        parts = [part.strip() for part in next(csv.reader([line], skipinitialspace=True))]
    except csv.Error:
        parts = []
    expected = {"p": _RULE_FIELDS, "g": _GRANT_FIELDS}.get(parts[0] if parts else "")
    if expected is None or len(parts) != expected or "" in parts[:3]:
        raise SpecInvalid(
            f"{line!r} is no line of a policy",
            place=place,
            hint="p, SUBJECT, RESOURCE, ACTION, OBJECT, allow|deny; or g, SUBJECT, ROLE.",
        )
    return parts


def _rule(parts: list[str], mode: MatchMode, place: Place) -> Rule:
    _, subject, resource, action, object, effect = parts
    if effect not in _EFFECTS:
        raise SpecInvalid(f"effect {effect!r} is neither allow nor deny", place=place)
    for pattern in (resource, action, object):
        if regex_of(pattern, mode) is None:
            raise SpecInvalid(
                f"{pattern!r} is no {mode} that Fleet can match by",
                place=place,
                hint="Of regular expressions it takes what RE2 and PostgreSQL read alike."
                if mode is MatchMode.REGEX
                else "",
            )
    return Rule(subject, resource, action, object, _EFFECTS[effect], mode)


def doubts(policy: Policy) -> tuple[str, ...]:
    """What is probably not meant: a word that is no resource or action, a role that nothing
    defines, a regular expression that is found in more than its author may think."""
    found = []
    for rule in policy.rules:
        if rule.resource.replace("-", "").isalnum() and rule.resource not in RESOURCES:
            near = difflib.get_close_matches(rule.resource, RESOURCES, n=1)
            meant = f"; did you mean {near[0]}?" if near else ""
            found.append(f"{rule}: there is no resource {rule.resource}{meant}")
        if why := why_no_action(rule.action):
            found.append(f"{rule}: {why}")
        is_loose = rule.mode is MatchMode.REGEX and rule.allow
        if is_loose and rule.object.strip("*.") and not rule.object.startswith("^"):
            found.append(f"{rule}: found anywhere in an object's name; begin it with ^")
    return tuple(found)


def why_no_action(action: str) -> str:
    """Why a rule about this action concerns nothing that anybody asks for; "" when it may. Of a
    pattern nothing is said: it may be meant for actions to come."""
    if not action:
        return "there is no action without a name"
    head, slash, _ = action.partition("/")
    if not head.replace("-", "").isalnum():
        return ""
    if head not in ACTIONS:
        near = difflib.get_close_matches(head, ACTIONS, n=1)
        return f"there is no action {head}" + (f"; did you mean {near[0]}?" if near else "")
    if slash and head not in _DETAILED:
        return f"nothing may follow the action {head}"
    return ""


def project_doubts(role: ProjectRole, mode: MatchMode) -> tuple[str, ...]:
    """What is probably not meant by the rules of a project's role.

    Raises:
        SpecInvalid: as ``project_rules``.
    """
    return doubts(Policy(project_rules(role, mode), mode=mode))
