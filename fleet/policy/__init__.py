"""Who may do what, and what a project's applications may touch.

In: a subject with the policy that concerns it, or the typed spec of an AppProject, and the
thing concerned as plain values.
Out: a ``Decision``: yes, or no with what would have to change; of sync windows, when that
changes. Never here: looking anything up, a clock, a default of yes; whatever no rule
allows is refused.
"""

from __future__ import annotations

from fleet.policy.children import may_have_application, may_keep_document, may_write_project
from fleet.policy.destinations import Impersonation, acts_as, may_come_from, may_use_cluster
from fleet.policy.globs import is_glob, matches_glob
from fleet.policy.inheritance import effective_document
from fleet.policy.integrity import content_policy, integrity_policy
from fleet.policy.projects import (
    may_create_namespace,
    may_deploy_to,
    may_manage,
    may_use_source,
)
from fleet.policy.rights import Rights, is_seen, names_of, object_of, rights_of, unlimited
from fleet.policy.rules import (
    ACTIONS,
    BREAK_GLASS,
    Policy,
    doubts,
    project_doubts,
    project_rules,
    read_policy,
    why_no_action,
)
from fleet.policy.subjects import (
    ADMIN,
    NONE,
    READONLY,
    is_role,
    project_of_role,
)
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
    "ACTIONS",
    "ADMIN",
    "BREAK_GLASS",
    "NONE",
    "READONLY",
    "Impersonation",
    "Policy",
    "Rights",
    "WindowSubject",
    "WindowVerdict",
    "acts_as",
    "assigned",
    "content_policy",
    "doubts",
    "effective_document",
    "hold_on",
    "integrity_policy",
    "is_glob",
    "is_open",
    "is_role",
    "is_seen",
    "judge",
    "matches_glob",
    "may_come_from",
    "may_create_namespace",
    "may_deploy_to",
    "may_have_application",
    "may_keep_document",
    "may_manage",
    "may_use_cluster",
    "may_use_source",
    "may_write_project",
    "names_of",
    "next_change",
    "next_flip",
    "next_opening",
    "object_of",
    "project_doubts",
    "project_of_role",
    "project_rules",
    "read_policy",
    "rights_of",
    "unlimited",
    "why_no_action",
]
