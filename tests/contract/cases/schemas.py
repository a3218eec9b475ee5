"""Objects of a custom kind against the schema of their definition."""

from __future__ import annotations

from typing import Any

from tests.contract.case import case, tabled
from tests.contract.cases.kinds import widget
from tests.contract.recording import Expected, Object, Recorder

#: A spec and what creating it gives.
SPECS: dict[str, tuple[Any, Expected]] = {
    "fits": ({"size": 2, "name": "abc", "tags": ["a"], "port": "http"}, 201),
    "int_or_string": ({"size": 2, "port": 80}, 201),
    "any_fields": ({"size": 2, "any": {"x": [1, {"y": None}]}}, 201),
    "map_of_strings": ({"size": 2, "words": {"a": "b"}}, 201),
    "null_where_it_may_be": ({"size": 2, "maybe": None}, 201),
    "null_of_a_default": ({"size": 2, "colour": None}, 201),
    "whole_number_is_an_integer": ({"size": 2.0}, 201),
    "required_is_missing": ({}, (422, "Invalid", "spec.size: Required value")),
    "wrong_type": ({"size": "2"}, (422, "Invalid", "must be of type integer")),
    "spec_is_a_list": ([], (422, "Invalid", "must be of type object")),
    "fraction_is_no_integer": ({"size": 2.5}, (422, "Invalid", "must be of type integer")),
    "too_small": ({"size": 0}, (422, "Invalid", "greater than or equal to 1")),
    "too_large": ({"size": 10}, (422, "Invalid", "less than or equal to 9")),
    "too_long": ({"size": 2, "name": "abcdef"}, (422, "Invalid", "Too long")),
    "pattern": ({"size": 2, "name": "A"}, (422, "Invalid", "should match")),
    "enumeration": ({"size": 2, "mood": "so"}, (422, "Invalid", "Unsupported value")),
    "boolean": ({"size": 2, "on": "yes"}, (422, "Invalid", "must be of type boolean")),
    "too_many_items": ({"size": 2, "tags": ["a", "b", "c"]}, (422, "Invalid", "Too many")),
    "wrong_items": ({"size": 2, "tags": [1]}, (422, "Invalid", "spec.tags[0]")),
    "set_with_duplicates": ({"size": 2, "unique": ["a", "a"]}, (422, "Invalid", "Duplicate")),
    "map_with_duplicates": (
        {"size": 2, "parts": [{"name": "a"}, {"name": "a"}]},
        (422, "Invalid", "Duplicate value"),
    ),
    "key_is_missing": ({"size": 2, "parts": [{"count": 1}]}, (422, "Invalid", "Required value")),
    "map_of_wrong_values": ({"size": 2, "words": {"a": 1}}, (422, "Invalid", "spec.words.a")),
    "port_is_a_list": ({"size": 2, "port": []}, (422, "Invalid", "spec.port")),
    "null_is_dropped_where_it_may_not_be": ({"size": 2, "name": None}, 201),
    "no_time": ({"size": 2, "when": "yesterday"}, (422, "Invalid", "date-time")),
}


def creating(spec: Any, expect: Expected) -> Any:
    """A script that creates one object."""

    def script(it: Recorder) -> None:
        it.shared("detailed")
        it.post(it.custom(), widget(it, spec=spec), expect=expect)

    return script


for _name, (_spec, _expect) in SPECS.items():
    tabled(__name__, _name, creating(_spec, _expect))


@case
def default_is_filled_in(it: Recorder) -> None:
    it.shared("detailed")
    answer = it.post(it.custom(), widget(it, spec={"size": 1}))
    assert answer.body["spec"] == {"size": 1, "colour": "blue"}


@case
def unknown_field_is_pruned(it: Recorder) -> None:
    it.shared("detailed")
    answer = it.post(it.custom(), widget(it, spec={"size": 1, "nonsense": 1}))
    assert "nonsense" not in answer.body["spec"]


@case
def unknown_field_is_refused_when_strict(it: Recorder) -> None:
    it.shared("detailed")
    body = {**widget(it, spec={"size": 1, "nonsense": 1}), "more": 1}
    path = f"{it.custom()}?fieldValidation=Strict"
    it.post(path, body, expect=(400, "BadRequest", 'unknown field "spec.nonsense"'))


@case
def unknown_field_is_a_warning(it: Recorder) -> None:
    it.shared("detailed")
    path = f"{it.custom()}?fieldValidation=Warn"
    it.post(path, widget(it, spec={"size": 1, "nonsense": 1}))
    assert "nonsense" in it.transcript[-1]["warnings"][0]


@case
def unknown_field_of_an_apply(it: Recorder) -> None:
    it.shared("detailed")
    body = widget(it, spec={"size": 1, "nonsense": 1})
    it.apply(it.custom("one"), body, expect=500)


@case
def patch_is_validated(it: Recorder) -> None:
    it.shared("detailed")
    it.have(it.custom(), widget(it, spec={"size": 1}))
    it.patch(it.custom("one"), {"spec": {"size": 99}}, expect=(422, "Invalid"))
    it.patch(it.custom("one"), {"spec": {"size": None}}, expect=(422, "Invalid"))
    assert it.get(it.custom("one")).body["spec"]["size"] == 1


@case
def validation_rule(it: Recorder) -> None:
    it.shared("rules")
    it.post(it.custom(), widget(it, spec={"low": 1, "high": 2}))
    body = widget(it, "two", spec={"low": 2, "high": 1})
    it.post(it.custom(), body, expect=(422, "Invalid", "low is above high"))


@case
def three_causes(it: Recorder) -> None:
    """The real server tells them in any order."""
    it.shared("detailed")

    def view(body: Object) -> list[list[str]]:
        causes = body["details"]["causes"]
        return sorted([one["field"], one["reason"], one["message"]] for one in causes)

    body = widget(it, spec={"size": 0, "name": "abcdefg", "on": 1})
    it.post(it.custom(), body, expect=(422, "Invalid", "is invalid: ["), view=view)
