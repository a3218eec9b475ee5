"""Sync options of one object: its own annotation beats the application's list.

Acted upon are those of ``_ACTED_ON``. Others that Argo CD knows are
read, kept and named as not acted on; unknown ones are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fleet.model.objects import annotations_of
from fleet.model.sync_options import SYNC_OPTION_VALUES

SYNC_OPTIONS_ANNOTATION = "argocd.argoproj.io/sync-options"
HELM_POLICY_ANNOTATION = "helm.sh/resource-policy"

#: What happens anyway: everything is applied server-side, checked by the API server, and
#: only where it differs. Setting them so is no reason for a warning.
_GIVEN = frozenset({"ServerSideApply=true", "ApplyOutOfSyncOnly=true", "Validate=true"})
_ACTED_ON = frozenset(
    {
        "Prune",
        "Delete",
        "CreateNamespace",
        "FailOnSharedResource",
        "PruneLast",
        "PrunePropagationPolicy",
        "RespectIgnoreDifferences",
    }
)


class Consent(StrEnum):
    """Whether an object may be deleted."""

    GIVEN = "given"
    REFUSED = "refused"  # =false, or a value that nobody can read: rather keep the object
    CONFIRM = "confirm"  # =confirm: a person has to agree


@dataclass(frozen=True, slots=True)
class ObjectOptions:
    prune: Consent = Consent.GIVEN
    delete: Consent = Consent.GIVEN
    create_namespace: bool = False
    fail_on_shared: bool = False
    prune_last: bool = False
    respect_ignored: bool = False
    idle: tuple[str, ...] = ()  # known to Argo CD, not acted on yet: ``Replace=true``
    unknown: tuple[str, ...] = ()


def read_application_options(entries: Iterable[str]) -> ObjectOptions:
    """The options of an application; of an option written twice the last counts."""
    return _read(_settings(entries))


def read_object_options(
    manifest: Mapping[str, Any], application_options: Sequence[str] = ()
) -> ObjectOptions:
    """The options of one object under those of its application, in the order written."""
    annotations = annotations_of(manifest)
    own = [entry.strip() for entry in annotations.get(SYNC_OPTIONS_ANNOTATION, "").split(",")]
    if annotations.get(HELM_POLICY_ANNOTATION, "").strip() == "keep":
        own.insert(0, "Delete=false")
    return _read(_settings([*application_options, *own]))


def _settings(entries: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in entries:
        name, _, value = (part.strip() for part in entry.partition("="))
        if name:
            found[name] = value
    return found


def _read(settings: Mapping[str, str]) -> ObjectOptions:
    written = {name: f"{name}={value}" for name, value in settings.items()}
    idle = {
        text
        for name, text in written.items()
        if name in SYNC_OPTION_VALUES
        and name not in _ACTED_ON
        and text not in _GIVEN
        and settings[name] != "false"
    }
    return ObjectOptions(
        prune=_consent(settings.get("Prune")),
        delete=_consent(settings.get("Delete")),
        create_namespace=settings.get("CreateNamespace") == "true",
        fail_on_shared=settings.get("FailOnSharedResource") == "true",
        prune_last=settings.get("PruneLast") == "true",
        respect_ignored=settings.get("RespectIgnoreDifferences") == "true",
        idle=tuple(sorted(idle)),
        unknown=tuple(
            sorted(text for name, text in written.items() if name not in SYNC_OPTION_VALUES)
        ),
    )


def _consent(value: str | None) -> Consent:
    if value is None or value == "true":
        return Consent.GIVEN
    return Consent.CONFIRM if value == "confirm" else Consent.REFUSED
