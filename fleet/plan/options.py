"""Sync options of one object: its own annotations beat the application's list.

Unknown options, and values that an option does not have, are kept apart: they are warned
about and do nothing. Where such a value stands in the way of a deletion it does so still.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from fleet.model.objects import annotations_of
from fleet.model.sync_options import SSA, SYNC_OPTION_VALUES, TAKE_OVER

SYNC_OPTIONS_ANNOTATION = "argocd.argoproj.io/sync-options"
HELM_POLICY_ANNOTATION = "helm.sh/resource-policy"
MIGRATION_MANAGER_ANNOTATION = "argocd.argoproj.io/client-side-apply-migration-manager"
#: ``true``: the object may be deleted to be made anew although it holds data, or is to be kept.
RECREATE_ANNOTATION = "fleet.dev/recreate"

_READ = (
    SYNC_OPTIONS_ANNOTATION,
    HELM_POLICY_ANNOTATION,
    SSA,
    TAKE_OVER,
    MIGRATION_MANAGER_ANNOTATION,
    RECREATE_ANNOTATION,
)
#: What has to be known of an object that is not in Git any more.
_OUTLIVING = ("Prune", "Delete", "PruneLast")


class Consent(StrEnum):
    """Whether an object may be deleted."""

    GIVEN = "given"
    REFUSED = "refused"  # =false, or a value that nobody can read: rather keep the object
    CONFIRM = "confirm"  # =confirm: a person has to agree


class Method(StrEnum):
    """How an object is written."""

    SERVER_SIDE = "server-side"
    CLIENT_SIDE = "client-side"  # ServerSideApply=false: as kubectl apply does
    REPLACE = "replace"  # Replace=true: nothing stays that Git does not hold


class Ssa(StrEnum):
    """What becomes of fields that others wrote; words and meaning: Flux."""

    DEFAULT = ""  # a field that Git holds, too, is a conflict
    OVERRIDE = "Override"  # Git's fields are taken, those that people added go
    MERGE = "Merge"  # Git's fields are taken, the rest stays
    IF_NOT_PRESENT = "IfNotPresent"  # made where it is missing, never changed
    IGNORE = "Ignore"  # as if it were not in Git, and never pruned


class TakeOver(StrEnum):
    """Whether an object that somebody else made becomes ours; words and meaning: KubeFleet."""

    ALWAYS = "Always"
    IF_NO_DIFF = "IfNoDiff"
    NEVER = "Never"


@dataclass(frozen=True, slots=True)
class ObjectOptions:
    prune: Consent = Consent.GIVEN
    delete: Consent = Consent.GIVEN
    create_namespace: bool = False
    fail_on_shared: bool = False
    prune_last: bool = False
    respect_ignored: bool = False
    out_of_sync_only: bool = False
    method: Method = Method.SERVER_SIDE
    force: bool = False  # what cannot be changed in place is deleted and made anew
    validate: bool = True
    skip_missing_kind: bool = False
    migrate: bool = True
    migration_manager: str = ""
    may_recreate: bool = False
    ssa: Ssa = Ssa.DEFAULT
    take_over: TakeOver = TakeOver.ALWAYS
    unknown: tuple[str, ...] = ()  # no option of this name, or no such value of it

    @property
    def is_made_anew(self) -> bool:
        """Deleted and made at every sync: ``Force=true,Replace=true``."""
        return self.force and self.method is Method.REPLACE


def read_application_options(entries: Iterable[str]) -> ObjectOptions:
    """The options of an application; of an option written twice the last counts."""
    return _options(tuple(entries), ("",) * len(_READ))


def read_object_options(
    manifest: Mapping[str, Any], application_options: Sequence[str] = ()
) -> ObjectOptions:
    """The options of one object under those of its application, in the order written."""
    annotations = annotations_of(manifest)
    own = tuple(annotations.get(name, "") for name in _READ)
    return _options(tuple(application_options), own)


def outliving_options(manifest: Mapping[str, Any]) -> str:
    """What an object says about its own end, to be known once it has left Git: as its
    annotation would say it. "" for nothing."""
    own = _own_settings(tuple(annotations_of(manifest).get(name, "") for name in _READ))
    kept = {name: own[name] for name in _OUTLIVING if name in own}
    return ",".join(
        f"{name}={value if value in SYNC_OPTION_VALUES[name] else 'false'}"
        for name, value in kept.items()
    )


def read_outliving_options(kept: str, application_options: Sequence[str] = ()) -> ObjectOptions:
    """The options of an object of which only ``outliving_options`` are known."""
    return _options(tuple(application_options), (kept, *("",) * (len(_READ) - 1)))


@lru_cache(maxsize=4096)
def _options(application: tuple[str, ...], own: tuple[str, ...]) -> ObjectOptions:
    """Thousands of objects have the same few options.

    Args:
        own: values of the annotations of ``_READ``.
    """
    settings = {**_settings(application), **_own_settings(own)}
    manager, recreate = own[-2:]
    return _read(settings, manager.strip(), may_recreate=recreate.strip() == "true")


def _own_settings(own: Sequence[str]) -> dict[str, str]:
    options, helm_policy, ssa, take_over = own[:4]
    found = {"Delete": "false"} if helm_policy.strip() == "keep" else {}
    found |= _settings(options.split(","))
    found |= {name: text.strip() for name, text in ((SSA, ssa), (TAKE_OVER, take_over)) if text}
    return found


def _settings(entries: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in entries:
        name, _, value = (part.strip() for part in entry.partition("="))
        if name:
            found[name] = value
    return found


def _read(settings: Mapping[str, str], manager: str, *, may_recreate: bool) -> ObjectOptions:
    def says(name: str, word: str = "true") -> bool:
        return settings.get(name) == word

    written = {name: f"{name}={value}" for name, value in settings.items()}
    unknown = {
        text
        for name, text in written.items()
        if settings[name] not in SYNC_OPTION_VALUES.get(name, ())
    }
    return ObjectOptions(
        prune=_consent(settings.get("Prune")),
        delete=_consent(settings.get("Delete")),
        create_namespace=says("CreateNamespace"),
        fail_on_shared=says("FailOnSharedResource"),
        prune_last=says("PruneLast"),
        respect_ignored=says("RespectIgnoreDifferences"),
        out_of_sync_only=says("ApplyOutOfSyncOnly"),
        method=_method(settings),
        force=says("Force"),
        validate=not says("Validate", "false"),
        skip_missing_kind=says("SkipDryRunOnMissingResource"),
        migrate=not says("ClientSideApplyMigration", "false"),
        migration_manager=manager,
        may_recreate=may_recreate,
        ssa=_ssa(settings.get(SSA)),
        take_over=_take_over(settings.get(TAKE_OVER)),
        unknown=tuple(sorted(unknown)),
    )


def _method(settings: Mapping[str, str]) -> Method:
    """``Replace`` beats ``ServerSideApply``."""
    if settings.get("Replace") == "true":
        return Method.REPLACE
    is_off = settings.get("ServerSideApply") == "false"
    return Method.CLIENT_SIDE if is_off else Method.SERVER_SIDE


def _ssa(value: str | None) -> Ssa:
    return Ssa(value) if value in SYNC_OPTION_VALUES[SSA] else Ssa.DEFAULT


def _take_over(value: str | None) -> TakeOver:
    """A word that nobody can read: rather leave alone what somebody else made."""
    if value is None:
        return TakeOver.ALWAYS
    return TakeOver(value) if value in SYNC_OPTION_VALUES[TAKE_OVER] else TakeOver.NEVER


def _consent(value: str | None) -> Consent:
    if value is None or value == "true":
        return Consent.GIVEN
    return Consent.CONFIRM if value == "confirm" else Consent.REFUSED
