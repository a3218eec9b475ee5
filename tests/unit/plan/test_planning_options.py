"""What sync options change about a plan: what is written anyway, what waits, what goes last."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleet.model.argo_tracking import Takeover
from fleet.model.decisions import refused
from fleet.model.operations import SyncOptions
from fleet.plan import Consent, Method, ObjectOptions, Situation, Verdict, build_plan
from tests.unit.plan.test_planning import have, ref, situation, told, want

ANEW = ObjectOptions(method=Method.REPLACE, force=True)


@pytest.mark.parametrize(
    ("options", "run", "asked", "is_written"),
    [
        (ObjectOptions(), "run", (), False),
        (ObjectOptions(method=Method.REPLACE), "run", (), False),
        (ObjectOptions(force=True), "run", (), False),
        (ANEW, "run", (), True),
        (ANEW, "", (), False),  # a heal of something else
        (replace(ANEW, out_of_sync_only=True), "run", (), False),
        (ObjectOptions(), "run", ("Replace=true",), True),
        (ObjectOptions(), "run", ("Replace=true", "ApplyOutOfSyncOnly=true"), False),
        (ObjectOptions(), "run", ("Force=true",), False),
    ],
)
def test_what_is_in_sync_is_written_when_that_is_asked_for(
    options: ObjectOptions, run: str, asked: tuple[str, ...], is_written: bool
) -> None:
    object = replace(want("ConfigMap"), options=options)
    found = situation(
        object,
        verdicts={object.ref: Verdict.SYNCED},
        run=run,
        options=SyncOptions(sync_options=asked),
    )
    assert told(build_plan(found)) == ["apply ConfigMap/x"] * is_written


@pytest.mark.parametrize("approved", [True, False])
def test_what_waits_for_a_confirmation_goes_when_somebody_agreed(approved: bool) -> None:
    plan = build_plan(
        situation(
            want("ConfigMap", "new"),
            have("ConfigMap", "asks"),
            have("ConfigMap", "stays"),
            object_options={
                ref("ConfigMap", "asks"): ObjectOptions(prune=Consent.CONFIRM),
                ref("ConfigMap", "stays"): ObjectOptions(prune=Consent.REFUSED),
            },
            approved=approved,
        )
    )
    step = "prune" if approved else "skip"
    assert told(plan) == [
        "apply ConfigMap/new",
        f"{step} ConfigMap/asks",
        "skip ConfigMap/stays",
    ]
    assert plan.approved is approved


def test_what_says_so_itself_is_pruned_last() -> None:
    last = {ref("ConfigMap", "z"): ObjectOptions(prune_last=True)}
    plan = build_plan(
        situation(
            want("ConfigMap", "new"),
            have("ConfigMap", "z", wave=5),
            have("Namespace", "old"),
            have("ConfigMap", "a"),
            object_options=last,
        )
    )
    assert told(plan) == [
        "apply ConfigMap/new",
        "prune ConfigMap/a",
        "prune Namespace/old",
        "prune ConfigMap/z",
    ]
    assert [task.last for task in plan.tasks] == [False, False, False, True]
    assert not plan.prune_last


def leftovers(*names: str, **changes: object) -> Situation:
    """An adoption that is to delete these, too; of what Fleet applied nothing is pruned."""
    refs = tuple(ref("ConfigMap", name) for name in names)
    options = SyncOptions(takeover=Takeover(("web",), leftovers=refs))
    found = situation(want("ConfigMap", "page"), have("ConfigMap", "old"), options=options)
    return replace(found, **changes)


def test_what_is_taken_over_to_be_deleted_is_pruned_and_nothing_else() -> None:
    """Neither what Git holds by now, nor what Fleet applied, nor a hook."""
    found = leftovers(
        "page", "old", "left", "hook", set_apart=frozenset({ref("ConfigMap", "hook")})
    )
    assert told(build_plan(found)) == [
        "apply ConfigMap/page",
        "prune ConfigMap/left",
        "skip ConfigMap/old",
    ]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"complete": False}, "incomplete"),
        ({"application_options": ObjectOptions(prune=Consent.REFUSED)}, "Prune=false"),
        ({"gate": lambda ref, _, verb: refused(f"{verb} {ref.name}")}, "delete left"),
    ],
)
def test_what_speaks_against_a_prune_keeps_what_is_taken_over(
    changes: dict[str, object], says: str
) -> None:
    plan = build_plan(leftovers("left", desired=(), inventory=(), **changes))
    assert told(plan) == ["skip ConfigMap/left"]
    assert says in plan.tasks[0].reason


def test_an_adoption_never_deletes_everything() -> None:
    """Git holds nothing any more: that may be a mistake."""
    assert "would delete all 1" in build_plan(leftovers("left", desired=(), inventory=())).refused
