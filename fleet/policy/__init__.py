"""Who may do what, and what a project's applications may touch.

In: a role, or the typed spec of an AppProject, and the thing concerned as plain values.
Out: a ``Decision``: yes, or no with what would have to change; of sync windows, when that
changes. Never here: looking anything up, a clock, a default of yes; whatever no rule
allows is refused.
"""

from __future__ import annotations

from fleet.policy.children import may_have_application, may_keep_document, may_write_project
from fleet.policy.globs import is_glob, matches_glob
from fleet.policy.projects import (
    integrity_policy,
    may_create_namespace,
    may_deploy_to,
    may_manage,
    may_use_source,
)
from fleet.policy.subjects import ADMIN, BREAK_GLASS, READONLY, is_role, may, project_role, scope_of
from fleet.policy.window_times import is_open, next_flip
from fleet.policy.windows import (
    WindowSubject,
    WindowVerdict,
    assigned,
    hold_on,
    judge,
    next_change,
    next_opening,
)

__all__ = [
    "ADMIN",
    "BREAK_GLASS",
    "READONLY",
    "WindowSubject",
    "WindowVerdict",
    "assigned",
    "hold_on",
    "integrity_policy",
    "is_glob",
    "is_open",
    "is_role",
    "judge",
    "matches_glob",
    "may",
    "may_create_namespace",
    "may_deploy_to",
    "may_have_application",
    "may_keep_document",
    "may_manage",
    "may_use_source",
    "may_write_project",
    "next_change",
    "next_flip",
    "next_opening",
    "project_role",
    "scope_of",
]
