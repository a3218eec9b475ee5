"""What an apply of ours changes by itself, without what mutating webhooks add on the way.

A dry run goes through the webhooks of a cluster, too. What they write into an object at each
write (a time, a checksum) would be shown as a difference for ever, though no sync could end
it. Only fields that Fleet owns after the dry run, or owned before it, can be meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleet.diff.ignore import without_field_set
from fleet.diff.lists import keyed
from fleet.diff.projection import Fields
from fleet.diff.respect import alone, graft, is_ours
from fleet.diff.values import MAX_DEPTH
from fleet.model.objects import Manifest, metadata_of


def without_mutations(live: Manifest, predicted: Manifest) -> Manifest:
    """``predicted`` as it would be if nobody but Fleet had a hand in it."""
    before, others = _sets(live)
    after, _ = _sets(predicted)
    if not after:
        return predicted
    given_up = alone(before, [after, *others], keys=False)
    kept = live
    if given_up:
        # of what goes, the server may put a default in its place
        kept = graft(without_field_set(live, given_up), predicted, given_up)
    found = _ordered(graft(kept, predicted, after), predicted, "", 0)
    return found if isinstance(found, dict) else predicted


def _ordered(value: Any, like: Any, name: str, depth: int) -> Any:
    """``value`` with the items of its lists in the order that they have in ``like``."""
    if depth >= MAX_DEPTH or value is like:
        return value
    if isinstance(value, Mapping) and isinstance(like, Mapping):
        return {
            key: _ordered(found, like[key], key, depth + 1) if key in like else found
            for key, found in value.items()
        }
    pair = keyed(name, value, like) if isinstance(value, list) and isinstance(like, list) else None
    if pair is None:
        return value
    mine, theirs = pair
    return [
        *(_ordered(mine[label], theirs[label], "", depth + 1) for label in theirs if label in mine),
        *(found for label, found in mine.items() if label not in theirs),
    ]


def _sets(obj: Manifest) -> tuple[Fields, list[Fields]]:
    """What Fleet owns of the object, and what each other manager does."""
    entries = metadata_of(obj).get("managedFields")
    ours: Fields = {}
    others: list[Fields] = []
    for entry in entries if isinstance(entries, list) else ():
        fields = entry.get("fieldsV1") if isinstance(entry, Mapping) else None
        if not isinstance(fields, Mapping):
            continue
        if is_ours(entry):
            ours = fields
        else:
            others.append(fields)
    return ours, others
