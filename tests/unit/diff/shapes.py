"""What the tests of this room generate: JSON as the API server would return it."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

SALT = b"sixteen bytes ok"
NAMES = st.sampled_from(
    ["a", "b", "c", "name", "image", "env", "ports", "containers", "finalizers"]
)
LEAVES = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
)
#: Null is left out: it means absent, so two different values would be the same content.
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)
SPECS = st.dictionaries(NAMES, JSON, max_size=4)


@st.composite
def named_items(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Containers as Kubernetes knows them: a list that is a map by name, in any order."""
    names = draw(st.lists(st.sampled_from("pqrst"), unique=True, max_size=5))
    return [{"name": name, "image": draw(st.sampled_from(["x", "y"]))} for name in names]


@st.composite
def objects(draw: st.DrawFn) -> dict[str, Any]:
    spec = draw(SPECS) | {"containers": draw(named_items())}
    return {"apiVersion": "apps/v1", "kind": "Thing", "metadata": {"name": "x"}, "spec": spec}


#: Anything that JSON can say, in places where something else is expected.
NONSENSE = st.recursive(
    LEAVES | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "metadata",
                    "data",
                    "annotations",
                    "labels",
                    "name",
                    "status",
                    "spec",
                    "f:spec",
                    ".",
                ]
            )
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


def nonsense_objects() -> st.SearchStrategy[dict[str, Any]]:
    fields = st.sampled_from(["metadata", "data", "stringData", "spec", "status", "items"])
    body = st.dictionaries(fields, NONSENSE, max_size=4)
    kinds = st.sampled_from(
        [
            {"apiVersion": "v1", "kind": "Secret"},
            {"apiVersion": "v1", "kind": "ConfigMap"},
            {"apiVersion": 1, "kind": []},
            {},
        ]
    )
    return st.builds(lambda kind, rest: {**rest, **kind}, kinds, body)


def deep(levels: int, end: str = "here") -> Any:
    """A value nested further than any recursion would go."""
    found: Any = {"end": end}
    for level in range(levels):
        found = [found] if level % 2 else {"a": found}
    return found
