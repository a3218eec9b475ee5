"""How does live differ from desired, and may anybody see it?

In: objects as plain JSON values, as rendered, as read from a cluster, or as a dry run
predicts them; field sets from ``managedFields``. Out: an ``ObjectDiff`` that is normalised
and masked, its text, content addresses, and the verdict whether an object has drifted.
Never here: I/O, a clock, randomness (the salt of a mask is an argument), an exception
because of what an object contains, a secret value in anything returned by ``compare``.
"""

from __future__ import annotations

from fleet.diff.compare import compare
from fleet.diff.digest import canonical, sha256_of, sorted_manifests
from fleet.diff.drift import Reason, Verdict, judge
from fleet.diff.filling import with_filled
from fleet.diff.ignore import (
    applied_sha256,
    is_as_applied,
    matches,
    remove_ignored,
    remove_ignored_fields,
    without_field_set,
    without_husks,
)
from fleet.diff.known_types import equal_by_type
from fleet.diff.mask import mask_object
from fleet.diff.merging import applied_to, managed_fields
from fleet.diff.mutations import without_mutations
from fleet.diff.normalize import normalize
from fleet.diff.pointers import pointers_of
from fleet.diff.projection import NAMED, projection, projection_sha256
from fleet.diff.respect import alone, graft, respecting
from fleet.diff.show import side_by_side, unified
from fleet.diff.threeway import named_fields, three_way
from fleet.diff.undeclared import without_fields
from fleet.diff.yaml_text import printable

__all__ = [
    "NAMED",
    "Reason",
    "Verdict",
    "alone",
    "applied_sha256",
    "applied_to",
    "canonical",
    "compare",
    "equal_by_type",
    "graft",
    "is_as_applied",
    "judge",
    "managed_fields",
    "mask_object",
    "matches",
    "named_fields",
    "normalize",
    "pointers_of",
    "printable",
    "projection",
    "projection_sha256",
    "remove_ignored",
    "remove_ignored_fields",
    "respecting",
    "sha256_of",
    "side_by_side",
    "sorted_manifests",
    "three_way",
    "unified",
    "with_filled",
    "without_field_set",
    "without_fields",
    "without_husks",
    "without_mutations",
]
