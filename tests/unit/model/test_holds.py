"""What people hold back, and when it is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from fleet.model.holds import (
    NOTHING_HELD,
    Holds,
    Pin,
    Stay,
    Switch,
    holds_from_json,
    holds_to_json,
)

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)

moments = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))
texts = st.text(max_size=20)
stays = st.builds(Stay, texts, texts, st.none() | moments)
sources = st.lists(st.fixed_dictionaries({"repoURL": texts, "revision": texts}), max_size=3)
pins = st.builds(Pin, stays, texts, texts, texts, sources.map(tuple))
holds = st.builds(Holds, st.dictionaries(st.sampled_from(Switch), stays), st.none() | pins)


@given(holds)
def test_what_is_stored_comes_back(some: Holds) -> None:
    assert holds_from_json(holds_to_json(some)) == some


@given(holds, moments)
def test_what_is_over_holds_no_longer_and_the_rest_does(some: Holds, now: datetime) -> None:
    left = some.at(now)
    assert left.at(now) == left
    assert left.ends_at is None or left.ends_at > now
    for switch, stay in some.paused.items():
        assert (switch in left.paused) == (stay.until is None or stay.until > now)
    if some.ends_at is not None:
        just_before = some.at(some.ends_at - timedelta(microseconds=1))
        assert just_before.ends_at is not None


@given(holds)
def test_to_resume_everything_leaves_nothing(some: Holds) -> None:
    assert some.without(frozenset(Switch)) == NOTHING_HELD


def test_to_resume_a_switch_leaves_the_pin() -> None:
    pin = Pin(Stay("anna", "slow"), "deployment 3", "abc")
    both = Holds({Switch.DEPLOY: Stay("anna", "fair"), Switch.PRUNE: Stay("anna", "fair")}, pin)
    assert both.without(frozenset({Switch.PRUNE})) == Holds(
        {Switch.DEPLOY: Stay("anna", "fair")}, pin
    )


def test_nothing_held_is_stored_as_nothing() -> None:
    assert holds_to_json(NOTHING_HELD) is None
    assert holds_from_json(None) == NOTHING_HELD
    assert not NOTHING_HELD


def test_a_stay_says_who_until_when_and_why() -> None:
    assert str(Stay("anna", "fair")) == "by anna: fair"
    assert str(Stay("anna", "fair", LATER)) == "by anna until 2026-03-04T13:00:00Z: fair"


def test_the_revisions_of_a_pin_are_those_of_its_sources() -> None:
    stay = Stay("anna", "slow")
    assert Pin(stay, "x", "abc", "r1").revisions == ("r1",)
    several = ({"repoURL": "a", "revision": "r1"}, {"repoURL": "b", "revision": "r2"})
    assert Pin(stay, "x", "abc", "r1", several).revisions == ("r1", "r2")
