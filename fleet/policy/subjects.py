"""Roles of accounts, and what each may do. Whatever the table does not name is refused.

``admin`` may do everything, ``readonly`` may look (Argo CD's ``role:readonly``), and
``project:<name>`` may do everything to the applications of one project, but for overriding
its sync windows, and look at what they use.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from fleet.model.decisions import ALLOWED, Decision, refused
from fleet.model.names import is_dns_subdomain
from fleet.model.scope import EVERYTHING, Scope

ADMIN = "admin"
READONLY = "readonly"
_PROJECT_PREFIX = "project:"

#: To sync although sync windows say no.
BREAK_GLASS = "break-glass"
#: Behind ``action`` may follow what exactly: ``action/apps/Deployment/restart``.
ACTIONS = frozenset(
    {"action", "get", "create", "update", "delete", "sync", "rollback", "refresh", BREAK_GLASS}
)
OBJECT_KINDS = frozenset(
    {
        "accounts",
        "applications",
        "audit",
        "certificates",
        "clusters",
        "gpgkeys",
        "jobs",
        "plugins",
        "projects",
        "repocreds",
        "repositories",
        "secrets",
        "settings",
        "sql",
    }
)

_LOOK = frozenset({"get"})
_Table = Mapping[str, frozenset[str]]

_TABLES: Mapping[str, _Table] = MappingProxyType(
    {
        ADMIN: dict.fromkeys(OBJECT_KINDS, ACTIONS),
        READONLY: {
            "accounts": _LOOK,
            "applications": _LOOK,
            "certificates": _LOOK,
            "clusters": _LOOK,
            "gpgkeys": _LOOK,
            "jobs": _LOOK,
            "plugins": _LOOK,
            "projects": _LOOK,
            "repocreds": _LOOK,
            "repositories": _LOOK,
        },
    }
)
_PROJECT_TABLE: _Table = MappingProxyType(
    {
        "applications": ACTIONS - {BREAK_GLASS},
        "clusters": _LOOK,
        "projects": _LOOK,
        "repositories": _LOOK,
    }
)

#: Clusters and repositories without a project belong to nobody and are open to all projects.
_SHARED_KINDS = frozenset({"clusters", "repositories"})


def project_role(project: str) -> str:
    """The role that is limited to ``project``."""
    return _PROJECT_PREFIX + project


def is_role(role: str) -> bool:
    return role in {ADMIN, READONLY} or bool(_project_of(role))


def scope_of(role: str) -> Scope:
    """What the role may see; nothing for a role that does not exist."""
    if role in {ADMIN, READONLY}:
        return EVERYTHING
    project = _project_of(role)
    return Scope(projects=frozenset({project} if project else ()))


def may(role: str, action: str, object_kind: str, project: str = "") -> Decision:
    """Whether ``role`` may do ``action`` to an object of ``object_kind``.

    Args:
        action: one of ``ACTIONS``, or ``action/…``.
        object_kind: one of ``OBJECT_KINDS``.
        project: the project that the object belongs to; "" for none.
    """
    own = _project_of(role)
    table = _PROJECT_TABLE if own else _TABLES.get(role, {})
    if _verb_of(action) not in table.get(object_kind, ()):
        return refused(f"role {role!r} may not {action} {object_kind}; ask an administrator")
    if own and project != own and not (object_kind in _SHARED_KINDS and not project):
        return refused(
            f"role {role!r} may not {action} {object_kind} of "
            f"{'project ' + project if project else 'no project'}; ask an administrator"
        )
    return ALLOWED


def _verb_of(action: str) -> str:
    verb, slash, _ = action.partition("/")
    return verb if slash and verb == "action" else action


def _project_of(role: str) -> str:
    """The project of a project-limited role; "" for any other text, ``project:`` included."""
    name = role.removeprefix(_PROJECT_PREFIX)
    return name if role.startswith(_PROJECT_PREFIX) and is_dns_subdomain(name) else ""
