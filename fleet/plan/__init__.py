"""Drift and policy → what to do, in which order, and when.

In: rendered manifests, verdicts of the comparison, the inventory, the project's answers
as a callable, and ``now``. Out: the objects to apply, a ``Plan``, the next step of a
running sync, the decision to begin one. Never here: a cluster, a clock, a row; what to
do next is always computed from what is recorded.
"""

from __future__ import annotations

from fleet.plan.advance import Advance, ending_tasks, next_tasks, skipped
from fleet.plan.auto import (
    AutoPolicy,
    AutoSituation,
    LastSync,
    RunningSync,
    SyncDecision,
    decide_sync,
)
from fleet.plan.compare_options import ignores_extraneous, includes_mutations
from fleet.plan.desired import DesiredObject, Prepared, Problem, kinds_brought, prepare
from fleet.plan.excluded import KindPolicy
from fleet.plan.hooks import (
    DesiredHook,
    hook_policies,
    is_deleted_after,
    is_deleted_before,
    is_marked_as_hook,
    read_hook,
    run_mark,
)
from fleet.plan.itself import without_itself
from fleet.plan.options import (
    Consent,
    Method,
    ObjectOptions,
    Ssa,
    TakeOver,
    outliving_options,
    read_application_options,
    read_object_options,
    read_outliving_options,
)
from fleet.plan.order import apply_key, wave_of
from fleet.plan.pausing import held_back, paused_triggers
from fleet.plan.planning import Situation, Verdict, build_deletion, build_plan, crds_before
from fleet.plan.retrying import heal_at, heal_delay, next_attempt, recent_heals

__all__ = [
    "Advance",
    "AutoPolicy",
    "AutoSituation",
    "Consent",
    "DesiredHook",
    "DesiredObject",
    "KindPolicy",
    "LastSync",
    "Method",
    "ObjectOptions",
    "Prepared",
    "Problem",
    "RunningSync",
    "Situation",
    "Ssa",
    "SyncDecision",
    "TakeOver",
    "Verdict",
    "apply_key",
    "build_deletion",
    "build_plan",
    "crds_before",
    "decide_sync",
    "ending_tasks",
    "heal_at",
    "heal_delay",
    "held_back",
    "hook_policies",
    "ignores_extraneous",
    "includes_mutations",
    "is_deleted_after",
    "is_deleted_before",
    "is_marked_as_hook",
    "kinds_brought",
    "next_attempt",
    "next_tasks",
    "outliving_options",
    "paused_triggers",
    "prepare",
    "read_application_options",
    "read_hook",
    "read_object_options",
    "read_outliving_options",
    "recent_heals",
    "run_mark",
    "skipped",
    "wave_of",
    "without_itself",
]
