"""Whether an object may be deleted so that it can be made anew.

``Force`` says so for what cannot be changed in place. What holds data of its own, or is to be
kept, has to say it itself: with the annotation ``fleet.dev/recreate: "true"``.
"""

from __future__ import annotations

from collections.abc import Mapping

from fleet.model.objects import GroupKind, Manifest, group_kind_of
from fleet.plan.options import RECREATE_ANNOTATION, Consent, ObjectOptions
from fleet.plan.planning import PROTECTED_KINDS

_STATEFUL_SET = GroupKind("apps", "StatefulSet")
HINT = f'The annotation {RECREATE_ANNOTATION}: "true" on the object in Git allows it.'


def why_not_remade(options: ObjectOptions, live: Manifest) -> str:
    """Why a live object is not deleted to be made anew; "" when it may be."""
    if options.may_recreate:
        return ""
    kind = group_kind_of(live)
    if (kind.group, kind.kind) in PROTECTED_KINDS:
        return f"with a {kind.kind} goes what it holds"
    if kind == _STATEFUL_SET and _takes_its_claims(live):
        return "its PersistentVolumeClaims would go with it"
    for name, consent in (("Delete", options.delete), ("Prune", options.prune)):
        if consent is not Consent.GIVEN:
            word = "confirm" if consent is Consent.CONFIRM else "false"
            return f"its sync option {name}={word} keeps it"
    return ""


def _takes_its_claims(live: Manifest) -> bool:
    spec = live.get("spec")
    policy = spec.get("persistentVolumeClaimRetentionPolicy") if isinstance(spec, Mapping) else None
    return isinstance(policy, Mapping) and policy.get("whenDeleted") == "Delete"
