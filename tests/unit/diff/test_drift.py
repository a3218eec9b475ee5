"""The verdict on one object, as a table of what a pass can find."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.diff import Reason, Verdict, judge
from fleet.model.applications import LiveResource
from fleet.model.health import SyncStatus
from fleet.model.live import LiveMeta
from fleet.model.objects import ObjectRef

REF = ObjectRef("", "ConfigMap", "shop", "web")


def recorded(**changed: Any) -> LiveResource:
    facts: dict[str, Any] = {
        "uid": "u1",
        "resource_version": "5",
        "owned": "ours",
        "applied_sha256": "sha1",
    }
    return LiveResource(
        ref=REF, version="v1", sync=SyncStatus.SYNCED, health=None, **{**facts, **changed}
    )


def meta(uid: str = "u1", resource_version: str = "5") -> LiveMeta:
    return LiveMeta(
        ref=REF,
        uid=uid,
        resource_version=resource_version,
        labels={},
        annotations={},
        managed_fields=[],
        owner_references=[],
    )


WAS = recorded()
IS = meta()
MOVED = meta(resource_version="6")
BODY, NONE = True, False
CASES: list[tuple[str, str, LiveResource | None, LiveMeta | None, str, Reason, bool]] = [
    ("nothing happened", "sha1", WAS, IS, "ours", Reason.SAME, NONE),
    ("its status changed", "sha1", WAS, MOVED, "ours", Reason.SAME, BODY),
    ("a new commit", "sha2", WAS, IS, "ours", Reason.DESIRED_CHANGED, NONE),
    ("a new commit and a new status", "sha2", WAS, MOVED, "ours", Reason.DESIRED_CHANGED, BODY),
    ("a new commit and an edit", "sha2", WAS, MOVED, "less", Reason.DESIRED_CHANGED, BODY),
    ("an edit", "sha1", WAS, MOVED, "less", Reason.FIELDS_TAKEN, BODY),
    ("all our fields taken", "sha1", WAS, MOVED, "", Reason.FIELDS_TAKEN, BODY),
    ("deleted by hand", "sha1", WAS, None, "", Reason.MISSING, NONE),
    ("not created yet", "sha1", None, None, "", Reason.MISSING, NONE),
    ("there before us", "sha1", None, IS, "", Reason.NOT_APPLIED, BODY),
    (
        "recorded, never applied",
        "sha1",
        recorded(applied_sha256=""),
        IS,
        "",
        Reason.NOT_APPLIED,
        BODY,
    ),
    ("made anew", "sha1", WAS, meta(uid="u2"), "ours", Reason.REPLACED, BODY),
    ("made anew, and a new commit", "sha2", WAS, meta(uid="u2"), "", Reason.REPLACED, BODY),
    ("no uid was recorded", "sha1", recorded(uid=""), IS, "ours", Reason.SAME, NONE),
    ("no longer in Git", "", WAS, IS, "ours", Reason.EXTRA, NONE),
    ("no longer in Git, changed", "", WAS, MOVED, "ours", Reason.EXTRA, BODY),
    ("never in Git, never ours", "", None, IS, "", Reason.EXTRA, BODY),
    ("pruned", "", WAS, None, "", Reason.SAME, NONE),
]


@pytest.mark.parametrize(
    ("desired", "before", "live", "owned", "reason", "needs_body"),
    [pytest.param(*case[1:], id=case[0]) for case in CASES],
)
def test_verdict(
    desired: str,
    before: LiveResource | None,
    live: LiveMeta | None,
    owned: str,
    reason: Reason,
    needs_body: bool,
) -> None:
    found = judge(desired_sha256=desired, recorded=before, live=live, owned_now=owned)
    synced = reason is Reason.SAME
    assert (found.reason, found.needs_body) == (reason, needs_body)
    assert found.status is (SyncStatus.SYNCED if synced else SyncStatus.OUT_OF_SYNC)
    assert bool(found.message) is not synced


def test_a_kind_that_could_not_be_listed_is_unknown() -> None:
    for live in (None, IS):
        found = judge(desired_sha256="sha1", recorded=WAS, live=live, listed=False)
        expected = Verdict(
            SyncStatus.UNKNOWN, Reason.NOT_READ, message="its kind could not be read"
        )
        assert found == expected


@pytest.mark.parametrize(
    ("before", "now", "reason"),
    [
        ("v1", "v1", Reason.SAME),
        ("v1", "v2", Reason.VALUE_CHANGED),
        ("", "v2", Reason.SAME),
        ("v1", "", Reason.SAME),
    ],
)
def test_values_are_the_last_guard(before: str, now: str, reason: Reason) -> None:
    found = judge(
        desired_sha256="sha1",
        recorded=WAS,
        live=MOVED,
        owned_now="ours",
        value_before=before,
        value_now=now,
    )
    assert found.reason is reason
    assert found.needs_body is (not now)


HASHES = st.sampled_from(["", "a", "b"])


@given(HASHES, HASHES, HASHES, HASHES, HASHES, st.booleans(), st.booleans())
def test_synced_means_the_same_everywhere(
    desired: str, applied: str, owned: str, owned_now: str, uid: str, has_row: bool, exists: bool
) -> None:
    row = recorded(applied_sha256=applied, owned=owned, uid=uid) if has_row else None
    live = meta(uid="a") if exists else None
    found = judge(desired_sha256=desired, recorded=row, live=live, owned_now=owned_now)
    if not desired:
        assert (found.status is SyncStatus.SYNCED) is (live is None)
        return
    is_same = exists and has_row and applied == desired and owned == owned_now and uid in ("", "a")
    assert (found.status is SyncStatus.SYNCED) is is_same
