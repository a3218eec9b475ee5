"""The sync options that Argo CD knows, and what each may be set to (``features.md`` §1.2).

Options are ``Name=value`` in ``spec.syncPolicy.syncOptions`` and in the annotation
``argocd.argoproj.io/sync-options``. Unknown ones are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

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
    }
)
