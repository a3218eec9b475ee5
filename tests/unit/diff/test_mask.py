"""No secret value leaves this room, and changes in one are still seen."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fleet.diff import compare, mask_object, side_by_side, unified
from fleet.diff.normalize import LAST_APPLIED
from fleet.diff.search import Search
from fleet.model.diffs import ObjectDiff

from .shapes import SALT, deep, nonsense_objects

CANARY = "hunter2-correct horse"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def secret(data: Any = None, *, kind: str = "Secret", **more: Any) -> dict[str, Any]:
    metadata = {"name": "db", "namespace": "shop", **more.pop("metadata", {})}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": data, **more}


def printed(diff: ObjectDiff) -> str:
    """Everything that anybody can get out of a diff."""
    fields = [(c.path, c.live, c.desired) for c in diff.changes]
    sides = json.dumps([diff.live, diff.predicted, fields], ensure_ascii=False)
    wide = side_by_side(diff, 100_000)
    return "\n".join([sides, repr(diff), unified(diff, colour=True), wide])


def test_labels_tell_changed_from_unchanged() -> None:
    found = compare(
        secret({"user": b64("admin"), "password": b64("old-one")}),
        secret({"user": b64("admin"), "password": b64("new-one")}),
        salt=SALT,
    )
    assert [change.path for change in found.changes] == [".data.password"]
    assert found.live is not None
    assert found.predicted is not None
    assert found.live["data"]["user"] == found.predicted["data"]["user"]
    assert found.live["data"]["password"] != found.predicted["data"]["password"]


def test_a_label_has_one_length_and_no_value() -> None:
    found = mask_object(secret({"a": b64("x"), "b": b64("y" * 999), "c": ""}), SALT)["data"]
    assert {len(label) for label in found.values()} == {len("••••••(12345678)")}


def test_equal_values_in_two_objects_have_two_labels() -> None:
    one = mask_object(secret({"a": b64(CANARY)}), b"1" * 16)
    other = mask_object(secret({"a": b64(CANARY)}), b"2" * 16)
    assert one["data"] != other["data"]


def test_a_short_salt_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        mask_object(secret({"a": "eA=="}), b"short")


LEAKS: list[tuple[str, dict[str, Any]]] = [
    ("data", secret({"a": b64(CANARY)})),
    ("stringData", secret(stringData={"a": CANARY})),
    ("data that is not base64", secret({"a": CANARY})),
    ("data that is a text", secret(CANARY)),
    ("data that is a list", secret([CANARY])),
    ("data nested", secret({"a": {"b": [CANARY]}})),
    ("a misspelt field", secret(stringdata={"a": CANARY})),
    ("status", secret(status={"a": CANARY})),
    ("last applied", secret(metadata={"annotations": {LAST_APPLIED: CANARY}})),
    (
        "another annotation, plain",
        secret({"a": b64(CANARY)}, metadata={"annotations": {"note": f"was {CANARY}!"}}),
    ),
    (
        "another annotation, base64",
        secret(stringData={"a": CANARY}, metadata={"annotations": {"n": f"<{b64(CANARY)}>"}}),
    ),
    (
        "another annotation, base64 without padding",
        secret({"a": b64(CANARY)}, metadata={"annotations": {"n": b64(CANARY).rstrip("=")}}),
    ),
    (
        "another annotation, JSON",
        secret(
            stringData={"a": f'{CANARY}"\n'},
            metadata={"annotations": {"n": json.dumps({"x": f'{CANARY}"\n'})}},
        ),
    ),
    (
        "another annotation, hex",
        secret({"a": b64(CANARY)}, metadata={"annotations": {"n": CANARY.encode().hex()}}),
    ),
    (
        "another annotation, URL",
        secret({"a": b64(CANARY)}, metadata={"annotations": {"n": f"?p={quote(CANARY)}"}}),
    ),
    (
        "the key of an annotation",
        secret({"a": b64(CANARY)}, metadata={"annotations": {f"x/{CANARY}": "y"}}),
    ),
    ("a label", secret({"a": b64(CANARY)}, metadata={"labels": {"x": CANARY}})),
    ("the type", secret({"a": b64(CANARY)}, type=CANARY)),
    ("a finalizer", secret({"a": b64(CANARY)}, metadata={"finalizers": [CANARY]})),
    (
        "too deep to look",
        secret({"a": b64(CANARY)}, metadata={"labels": {"x": deep(300, CANARY)}}),
    ),
]
SPELLINGS = (
    CANARY,
    b64(CANARY).rstrip("="),
    CANARY.encode().hex(),
    quote(CANARY),
)


@pytest.mark.parametrize("obj", [pytest.param(found, id=name) for name, found in LEAKS])
@pytest.mark.parametrize(
    "place", ["live", "predicted", "both", "alone", "gone", "spoofed", "claimed"]
)
def test_nothing_leaks(obj: dict[str, Any], place: str) -> None:
    """Wherever the value stands, whichever side has it, whatever the other side claims."""
    plain = secret({"a": b64("something else")})
    spoofed = {**obj, "kind": "ConfigMap"}
    sides: dict[str, tuple[Any, Any]] = {
        "live": (obj, plain),
        "predicted": (plain, obj),
        "both": (obj, obj),
        "alone": (None, obj),
        "gone": (obj, None),
        "spoofed": (spoofed, plain),
        "claimed": (plain, spoofed),
    }
    text = printed(compare(*sides[place], salt=SALT))
    assert not [spelt for spelt in SPELLINGS if spelt in text]


def test_a_value_of_one_side_is_found_on_the_other() -> None:
    live = secret({"a": b64("rotated away")}, metadata={"annotations": {"note": CANARY}})
    found = compare(live, secret({"a": b64(CANARY)}), salt=SALT)
    assert CANARY not in printed(found)


def test_a_number_is_a_value_too() -> None:
    obj = secret(stringData={"pin": "12345678"}, metadata={"labels": {"x": 12345678}})
    assert "12345678" not in json.dumps(mask_object(obj, SALT))


def test_last_applied_may_hold_a_value_that_is_gone() -> None:
    obj = secret({"a": b64("new")}, metadata={"annotations": {LAST_APPLIED: CANARY}})
    assert CANARY not in json.dumps(mask_object(obj, SALT))


def test_identity_and_keys_stay() -> None:
    obj = secret({"db": b64("shop")}, type="Opaque", metadata={"labels": {"app": "web"}})
    found = mask_object(obj, SALT)
    assert found["metadata"] == obj["metadata"]
    assert (found["kind"], found["type"], list(found["data"])) == ("Secret", "Opaque", ["db"])


def test_other_kinds_are_left_as_they_are() -> None:
    for api, kind in (("v1", "ConfigMap"), ("vault.example/v1", "Secret")):
        obj = {**secret({"a": CANARY}), "apiVersion": api, "kind": kind}
        assert mask_object(obj, SALT) is obj


def test_sensitive_annotations_of_any_kind() -> None:
    obj = secret(kind="ConfigMap", metadata={"annotations": {"tok": CANARY, "x": "y"}})
    found = mask_object(obj, SALT, sensitive_annotations={"tok"})
    assert CANARY not in json.dumps(found)
    assert found["metadata"]["annotations"]["x"] == "y"
    odd = secret(kind="ConfigMap", metadata={"annotations": [CANARY]})
    assert mask_object(odd, SALT, sensitive_annotations={"tok"}) is odd


@given(st.lists(st.text("abc", max_size=8), max_size=6), st.text("abc", max_size=20))
def test_a_search_finds_what_is_there(values: list[str], text: str) -> None:
    expected = any(value in text for value in values if len(value) >= 4)
    assert Search(values).finds_one_in(text) is expected


def test_a_search_that_takes_too_long_finds_everything() -> None:
    search = Search("a" * length + "b" for length in range(4, 1500))
    assert search.finds_one_in("a" * 1000)
    assert not Search(["needle"]).finds_one_in("n" * 100_000)


VALUES = st.text(min_size=4, max_size=30)
PLACES = st.lists(
    st.sampled_from(["data", "stringData", "plain", "base64", "json", "label", "last"]),
    min_size=1,
    unique=True,
)


def holding(value: str, places: list[str]) -> dict[str, Any]:
    """A Secret with the value in its data and everywhere else that ``places`` says."""
    encoded = b64(value)
    annotations = {
        "plain": ("note", f"({value})"),
        "base64": ("coded", f"({encoded})"),
        "json": ("dump", json.dumps({"data": value}, ensure_ascii=False)),
        "last": (LAST_APPLIED, json.dumps({"stringData": {"k": value}})),
    }
    found = dict(annotations[place] for place in places if place in annotations)
    labels = {"l": value} if "label" in places else {"l": "v"}
    obj = secret(metadata={"annotations": found, "labels": labels})
    if "stringData" in places:
        return {**obj, "data": {}, "stringData": {"k": value}}
    return {**obj, "data": {"k": encoded}}


@settings(max_examples=60)
@given(VALUES, VALUES, PLACES, PLACES)
def test_no_value_is_ever_in_the_output(
    one: str, other: str, here: list[str], there: list[str]
) -> None:
    """The output for two values holds neither of them, but for what stands in the output
    for two quite different values as well: field names, labels of ours, layout."""
    text = printed(compare(holding(one, here), holding(other, there), salt=SALT))
    frame = printed(compare(holding("Ω≈ç√∫˜µ≤", here), holding("∆˚¬…æ«œ∑", there), salt=SALT))
    for value in (one, other):
        for spelt in (value, b64(value).rstrip("=")):
            assume(spelt not in frame)
            assert spelt not in text


@given(nonsense_objects(), nonsense_objects())
def test_nonsense_is_masked(one: dict[str, Any], other: dict[str, Any]) -> None:
    compare(one, other, salt=SALT, sensitive_annotations={"a"})
    mask_object(one, SALT)
