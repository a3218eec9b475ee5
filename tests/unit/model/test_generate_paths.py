"""What manifest-generate-paths means for a source."""

from __future__ import annotations

import pytest

from fleet.model.applications import Source
from fleet.model.generate_paths import ANNOTATION, paths_read


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        (" ; ", ("apps/web",)),
        (".", ("apps/web",)),
        (".;../shared", ("apps/shared", "apps/web")),
        ("/lib; /lib/x.yaml", ("apps/web", "lib", "lib/x.yaml")),
        ("../*.yaml", ("apps", "apps/web")),
        ("/lib/*/x", ("apps/web", "lib")),
        ("/*", ()),  # the whole tree
        ("../..", ()),
        ("../../..", ()),
    ],
)
def test_paths(text: str, expected: tuple[str, ...]) -> None:
    document = {"metadata": {"annotations": {ANNOTATION: text}}}
    assert paths_read(document, Source("u", path="apps/web/")) == expected


def test_neither_charts_nor_applications_without_it_have_any() -> None:
    annotated = {"metadata": {"annotations": {ANNOTATION: "."}}}
    assert paths_read(annotated, Source("u", chart="c")) == ()
    assert paths_read({"metadata": {}}, Source("u", path="a")) == ()
