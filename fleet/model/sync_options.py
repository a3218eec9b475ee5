"""The sync options that are acted upon, and what each may be set to (``features.md`` §1.2).

Options are ``Name=value`` in ``spec.syncPolicy.syncOptions`` and in the annotation
``argocd.argoproj.io/sync-options``. Those without a slash are Argo CD's, ``fleet.dev/…`` are
ours and may be an annotation of their own on an object. Unknown ones are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SSA = "fleet.dev/ssa"
TAKE_OVER = "fleet.dev/take-over"

_BOOLEAN = frozenset({"true", "false"})
_CONSENT = frozenset({"true", "false", "confirm"})

SYNC_OPTION_VALUES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "ApplyOutOfSyncOnly": _BOOLEAN,
        "ClientSideApplyMigration": _BOOLEAN,
        "CreateNamespace": _BOOLEAN,
        "Delete": _CONSENT,
        "FailOnSharedResource": _BOOLEAN,
        "Force": _BOOLEAN,
        "Prune": _CONSENT,
        "PruneLast": _BOOLEAN,
        "PrunePropagationPolicy": frozenset({"foreground", "background", "orphan"}),
        "Replace": _BOOLEAN,
        "RespectIgnoreDifferences": _BOOLEAN,
        "ServerSideApply": _BOOLEAN,
        "SkipDryRunOnMissingResource": _BOOLEAN,
        "Validate": _BOOLEAN,
        SSA: frozenset({"Override", "Merge", "IfNotPresent", "Ignore"}),
        TAKE_OVER: frozenset({"Always", "IfNoDiff", "Never"}),
    }
)
