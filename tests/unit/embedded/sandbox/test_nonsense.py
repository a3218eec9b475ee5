"""Objects and patches of any shape end in an answer, never in an accident."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fleet.embedded.sandbox.admitting import admitted
from fleet.embedded.sandbox.defaulting import set_defaults
from fleet.embedded.sandbox.fieldsets import FieldsInvalid
from fleet.embedded.sandbox.kinds import BUILTIN, Kind
from fleet.embedded.sandbox.merging import ApplyConflict, apply, track
from fleet.embedded.sandbox.objects import Object, with_meta
from fleet.embedded.sandbox.patching import PatchFailed, json_patch, merge_patch, strategic_patch
from fleet.embedded.sandbox.roundtrip import Undecodable
from fleet.embedded.sandbox.shapes import Shape
from fleet.embedded.sandbox.validating import unknown_fields, validate
from tests.unit.embedded.sandbox.making import custom_kind

NOW = "2026-01-01T00:00:00Z"
scalars = st.sampled_from(
    [None, True, False, 0, 1, -5, 1.5, "", "a", "A b", "1Gi", "2026-01-01T00:00:00Z", "YQ==", "25%"]
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=4,
)
DEPTH = 8

CUSTOM = custom_kind(
    {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {
                    "set": {
                        "type": "array",
                        "x-kubernetes-list-type": "set",
                        "items": {"type": "string"},
                    },
                    "map": {
                        "type": "array",
                        "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["a"],
                        "items": {
                            "type": "object",
                            "required": ["a"],
                            "properties": {"a": {"type": "string"}},
                        },
                    },
                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                    "number": {"type": "integer", "default": 1, "nullable": True},
                },
            }
        },
    }
)
kinds = st.sampled_from([*BUILTIN, *[CUSTOM] * 20]).filter(lambda kind: "create" in kind.verbs)


@st.composite
def values(draw: st.DrawFn, shape: Shape, depth: int = DEPTH) -> Any:
    """Mostly what the shape says, here and there anything."""
    if depth == 0 or draw(st.integers(0, 12)) == 0:
        return draw(anything)
    match shape.type:
        case "object" if shape.fields:
            names = draw(st.lists(st.sampled_from(sorted(shape.fields)), max_size=5, unique=True))
            named = {name: draw(values(shape.fields[name], depth - 1)) for name in names}
            required = {
                name: draw(values(shape.fields[name], depth - 1))
                for name in shape.required - named.keys()
                if draw(st.booleans())
            }
            return {**named, **required}
        case "list" if shape.items:
            return draw(st.lists(values(shape.items, depth - 1), max_size=2))
        case "map" if shape.items:
            return draw(st.dictionaries(st.sampled_from("ab"), values(shape.items, depth - 1)))
        case "string":
            return draw(st.sampled_from([*shape.enum, "a", "1", "", "2026-01-01T00:00:00Z"]))
        case "boolean":
            return draw(st.booleans())
        case _:
            return draw(st.sampled_from([0, 1, -1, 80]))


@st.composite
def objects(draw: st.DrawFn, kind: Kind) -> Object:
    """An object of the kind, as far as its name."""
    made = draw(values(kind.shape))
    parts = made if isinstance(made, dict) else {}
    metadata = parts.get("metadata")
    metadata = {**metadata, "name": "x"} if isinstance(metadata, dict) else {"name": "x"}
    metadata.pop("managedFields", None)
    return {**parts, "apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}


def stored(obj: Object, kind: Kind) -> Object | None:
    """The object as it would be stored; None where it is refused."""
    try:
        made = set_defaults(obj, kind)
    except Undecodable:
        return None
    made = track(None, made, shape=kind.shape, manager="m", now=NOW)
    made = with_meta(made, uid="u")
    made = admitted(made, None, group=kind.group, plural=kind.plural, services=list)
    return None if validate(made, kind, None) else made


@given(st.data())
def test_writes(data: st.DataObject) -> None:
    kind = data.draw(kinds)
    first, second = data.draw(objects(kind)), data.draw(objects(kind))
    unknown_fields(first, kind.shape)
    live = stored(first, kind)
    text = json.dumps(live)
    for force in (False, True):
        try:
            merged = apply(live, second, shape=kind.shape, manager="n", force=force, now=NOW)
            made = set_defaults(merged, kind, applied=True)
            validate(made, kind, live)
        except (ApplyConflict, FieldsInvalid, Undecodable):
            continue
    if live is not None:
        after = stored(second, kind)
        if after is not None:
            tracked = track(live, after, shape=kind.shape, manager="o", now=NOW)
            validate(tracked, kind, live)
    assert json.dumps(live) == text


@given(st.data())
def test_patches(data: st.DataObject) -> None:
    kind = data.draw(kinds)
    live = data.draw(objects(kind))
    patch = data.draw(objects(kind) | anything)
    text = json.dumps(live)
    operation = {
        "op": data.draw(st.sampled_from(["add", "remove", "replace", "test", "move", "copy", "x"])),
        "path": data.draw(st.sampled_from(["", "/", "/spec", "/spec/a", "/metadata/name", "x", 5])),
        "from": data.draw(st.sampled_from(["/spec", "/metadata", "/no", None])),
        "value": data.draw(anything),
    }
    codes = set()
    for act in (
        lambda: strategic_patch(live, patch, kind.shape),
        lambda: merge_patch(live, patch),
        lambda: json_patch(live, [operation]),
    ):
        try:
            act()
        except PatchFailed as failed:
            codes.add(failed.code)
    assert codes <= {400, 422, 500}
    assert json.dumps(live) == text
