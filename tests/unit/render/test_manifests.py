"""What is taken as the objects of a source, and what is too much."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fleet.errors import RenderError
from fleet.render.manifests import MAX_OBJECT_BYTES, MAX_OBJECTS, check_count, read_manifests

PLENTY = 1 << 30


def config_map(name: str, text: str = "") -> dict[str, Any]:
    metadata = {"name": name}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"x": text}}


def as_list(count: int) -> str:
    items = [config_map(f"c-{number}") for number in range(count)]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def test_a_source_has_so_many_objects_and_no_more() -> None:
    found = [config_map("x")] * MAX_OBJECTS
    check_count(found)
    with pytest.raises(RenderError, match="more than 10000 objects"):
        check_count([*found, config_map("y")])


def test_items_of_lists_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleet.render.manifests.MAX_OBJECTS", 5)
    assert len(read_manifests(as_list(5), "a.yaml", max_bytes=PLENTY)) == 5
    with pytest.raises(RenderError, match="more than 5 objects"):
        read_manifests(f"{as_list(3)}\n---\n{as_list(3)}", "a.yaml", max_bytes=PLENTY)


@pytest.mark.parametrize(("letter", "width"), [("x", 1), ("é", 2)])
def test_an_object_is_as_large_as_a_cluster_keeps_and_no_larger(letter: str, width: int) -> None:
    empty = len(json.dumps(config_map("big"), separators=(",", ":")))
    room = (MAX_OBJECT_BYTES - empty) // width
    fits, too_large = (json.dumps(config_map("big", letter * size)) for size in (room, room + 1))
    assert read_manifests(fits, "a.yaml", max_bytes=PLENTY)
    with pytest.raises(RenderError, match=r"ConfigMap/big has 1\.5 MiB") as raised:
        read_manifests(too_large, "a.yaml", max_bytes=PLENTY)
    assert raised.value.object == "ConfigMap/big"
