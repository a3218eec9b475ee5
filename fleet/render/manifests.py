"""From text that a tool or a file holds to manifests: checked, and Lists taken apart."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from fleet.errors import Place, RenderError, SpecInvalid
from fleet.model.objects import Manifest, ref_of, what_it_lacks
from fleet.render.yaml import DuplicateKey, documents_with_lines

MAX_OBJECTS = 10_000
#: etcd takes no larger request, so no cluster keeps a larger object.
MAX_OBJECT_BYTES = 3 << 19


def read_manifests(
    text: str | bytes, file: str, *, max_bytes: int, on_duplicate_key: DuplicateKey | None = None
) -> list[Manifest]:
    """Every object in a YAML stream; empty documents are skipped.

    Args:
        on_duplicate_key: told line and message of each instead of refusing; the last one wins.

    Raises:
        SpecInvalid: not YAML, or a document that is no Kubernetes object; names file and line.
        RenderError: too many objects, or one that is too large.
    """
    found: list[Manifest] = []
    documents = documents_with_lines(
        text, file, max_bytes=max_bytes, on_duplicate_key=on_duplicate_key
    )
    for line, value in documents:
        if value is not None and value != {}:
            found.extend(flatten(value, Place(file, line)))
            check_count(found)
    return found


def flatten(value: Any, place: Place) -> Iterable[Manifest]:
    """The object itself, or the items of a ``List`` of any kind. Items of a typed one
    (``ConfigMapList``) that do not say what they are get it from the list, as in kubectl.

    Raises:
        SpecInvalid: it, or an item, is no object.
        RenderError: an object is larger than a cluster keeps.
    """
    checked = _checked(value, place)
    items = checked.get("items")
    if checked["kind"].endswith("List") and isinstance(items, list):
        kind = checked["kind"].removesuffix("List")
        typed = {"apiVersion": checked["apiVersion"], "kind": kind} if kind else {}
        for number, item in enumerate(items):
            named = {**typed, **item} if isinstance(item, dict) and "kind" not in item else item
            yield from flatten(named, Place(place.file, place.line, f"items[{number}]"))
    else:
        _check_size(checked, place)
        yield checked


def check_count(found: list[Manifest]) -> None:
    """Raises:
    RenderError: more objects than a source may have.
    """
    if len(found) > MAX_OBJECTS:
        raise RenderError(
            f"more than {MAX_OBJECTS} objects in one source",
            hint="Split it into several applications.",
        )


def _check_size(value: Manifest, place: Place) -> None:
    size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
    if size > MAX_OBJECT_BYTES:
        ref = ref_of(value)
        raise RenderError(
            f"{place}: {ref} has {size / (1 << 20):.1f} MiB as JSON;"
            " no cluster keeps an object of more than 1.5 MiB",
            hint="Split it into several objects.",
            object=str(ref),
        )


def _checked(value: Any, place: Place) -> Manifest:
    if not isinstance(value, dict):
        raise SpecInvalid("the document is no Kubernetes object: no mapping", place=place)
    if untyped := what_it_lacks(value):
        raise SpecInvalid(
            f"the document is no Kubernetes object: it has no {untyped}",
            place=place,
            hint="Files that are no manifests can be left out with directory.exclude, or"
            " with a line `# +argocd:skip-file-rendering`.",
        )
    return value
