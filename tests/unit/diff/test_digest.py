"""Content addresses."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.diff import canonical, sha256_of, sorted_manifests
from fleet.diff.values import same
from fleet.model.objects import ref_of

from .shapes import JSON, deep, nonsense_objects, objects


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [True, None, "ü"]}, '{"a":[true,null,"ü"],"b":1}'),
        ({}, "{}"),
        ([1.5, -0.0, 1e300], "[1.5,-0.0,1e+300]"),
        ('"\\\n', '"\\"\\\\\\n"'),
        ({"z": 2**70, "a": [1, "x"]}, '{"a":[1,"x"],"z":1180591620717411303424}'),
        ({"a": "\ud800"}, '{"a":"\\ud800"}'),
        ({1: "x", "a": {}, "b": []}, '{"1":"x","a":{},"b":[]}'),
    ],
)
def test_canonical(value: Any, text: str) -> None:
    assert canonical(value) == text.encode()


def test_a_known_address() -> None:
    """Stored addresses must hold in every later version."""
    empty = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert sha256_of({}) == empty


@given(JSON)
def test_what_was_read_back_has_the_same_address(value: Any) -> None:
    assert sha256_of(json.loads(canonical(value))) == sha256_of(value)


@given(JSON, JSON)
def test_equal_bytes_mean_equal_values(one: Any, other: Any) -> None:
    if canonical(one) == canonical(other):
        assert same(one, other)


@given(objects())
def test_the_order_of_keys_does_not_matter(obj: dict[str, Any]) -> None:
    assert sha256_of(dict(reversed(obj.items()))) == sha256_of(obj)


def test_depth_does_not_matter() -> None:
    assert sha256_of(deep(5000)) == sha256_of(deep(5000)) != sha256_of(deep(4999))
    assert canonical(deep(300)) == json.dumps(deep(300), separators=(",", ":")).encode()


def test_an_absurd_number_has_an_address() -> None:
    assert sha256_of(10**5000) != sha256_of(10**5000 + 1)


@settings(max_examples=30)
@given(
    st.lists(objects() | nonsense_objects(), max_size=5, unique_by=lambda found: ref_of(found).key),
    st.randoms(),
)
def test_the_order_of_manifests_does_not_matter(found: list[Any], random: Any) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)
    assert canonical(list(sorted_manifests(shuffled))) == canonical(list(sorted_manifests(found)))


def test_manifests_sort_by_reference() -> None:
    found = [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "b"}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "z"}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}},
    ]
    names = [manifest["metadata"]["name"] for manifest in sorted_manifests(found)]
    assert names == ["a", "b", "z"]


def test_of_an_object_that_is_there_twice_the_last_one_stays_last() -> None:
    def one(color: str) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "d": color}

    for colors in (["red", "blue"], ["blue", "red"]):
        found = sorted_manifests([one(color) for color in colors])
        assert [manifest["d"] for manifest in found] == colors


def test_another_process_finds_the_same_address() -> None:
    """Nothing depends on the seed of Python's hashes."""
    code = "from fleet.diff import sha256_of; print(sha256_of({'b': [1], 'a': 'x', 'c': {}}))"
    run = [sys.executable, "-c", code]
    other = subprocess.run(
        run, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"}
    )
    assert other.stdout.strip() == sha256_of({"c": {}, "a": "x", "b": [1]})
