"""Roles that accounts have without any policy, as rules; what may be asked for at all.

``admin`` may do everything, ``readonly`` may look: Argo CD's ``role:admin`` and
``role:readonly``, by which names policies mean them. ``project:<name>`` may do everything to
the applications of one project, but for overriding its sync windows, and look at what they
use. ``none`` may what policies say, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable

from fleet.model.names import is_dns_subdomain
from fleet.policy.patterns import ANY
from fleet.policy.rules import BREAK_GLASS, RESOURCES, Rule

ADMIN = "admin"
READONLY = "readonly"
NONE = "none"
_PROJECT_PREFIX = "project:"
_ADMIN_ROLE, _READONLY_ROLE = "role:admin", "role:readonly"

OBJECT_KINDS = (RESOURCES - {"write-repositories"}) | {"repocreds"}

_LOOKED_AT = (
    "accounts",
    "applications",
    "applicationsets",
    "certificates",
    "clusters",
    "decryptionkeys",
    "gpgkeys",
    "jobs",
    "logs",
    "plugins",
    "projects",
    "repositories",
    "write-repositories",
)
#: Of applications, in one's own project.
_WORK = ("action/*", "create", "delete", "get", "refresh", "rollback", "sync", "update")

_BUILT_IN = (
    Rule(_ADMIN_ROLE, ANY, ANY, ANY, allow=True),
    Rule(_ADMIN_ROLE, "applications", BREAK_GLASS, ANY, allow=True),
    *(Rule(_READONLY_ROLE, resource, "get", ANY, allow=True) for resource in _LOOKED_AT),
)


def is_role(role: str) -> bool:
    """Whether an account may have it."""
    return role in {ADMIN, READONLY, NONE} or bool(project_of_role(role))


def project_of_role(role: str) -> str:
    """The project of a project-limited role; "" for any other text, ``project:`` included."""
    name = role.removeprefix(_PROJECT_PREFIX)
    return name if role.startswith(_PROJECT_PREFIX) and is_dns_subdomain(name) else ""


def names_of_role(role: str) -> frozenset[str]:
    """By what subjects of rules an account with this role is meant, besides its name."""
    if role in (ADMIN, READONLY):
        return frozenset({f"role:{role}"})
    return frozenset({role} if project_of_role(role) else ())


def built_in(subjects: Iterable[str]) -> tuple[Rule, ...]:
    """The rules that some subjects have without any policy."""
    wanted = frozenset(subjects)
    found = [rule for rule in _BUILT_IN if rule.subject in wanted]
    for role in sorted(wanted):
        project = project_of_role(role)
        if project:
            found += _limited(role, project)
    return tuple(found)


def _limited(role: str, project: str) -> Iterable[Rule]:
    inside = f"{project}/*"
    for action in _WORK:
        yield Rule(role, "applications", action, inside, allow=True, project=project)
    yield Rule(role, "projects", "get", project, allow=True, project=project)
    for resource in ("clusters", "repositories"):
        yield Rule(role, resource, "get", inside, allow=True, shared=True)
