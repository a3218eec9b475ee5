"""Patches that people write, laid over a document."""

from __future__ import annotations

from typing import Any

from fleet.errors import UsageError

Document = dict[str, Any]
#: Steps of a JSON patch: more than anybody writes, and few enough to be done at once.
MOST_STEPS = 1000


def patched(document: Document, text: str, kind: str) -> Document:
    """The document with the patch laid over it.

    Args:
        kind: ``json`` (RFC 6902) or ``merge`` (RFC 7386).

    Raises:
        UsageError: it is no such patch, or does not fit the document.
        SpecInvalid: the text is neither JSON nor YAML.
    """
    from fleet.render.yaml import load_one

    given = load_one(text, file="--patch")
    changed = _json_patched(document, given) if kind == "json" else merged(document, given)
    if not isinstance(changed, dict):
        raise UsageError("--patch: leaves no document")
    return changed


def _json_patched(document: Document, steps: Any) -> Any:
    from jsonpatch import JsonPatch, JsonPatchException, JsonPointerException

    if not isinstance(steps, list) or len(steps) > MOST_STEPS:
        raise UsageError(
            "--patch: a JSON patch is a list of steps", hint="For a document use --type merge."
        )
    try:
        return JsonPatch(steps).apply(document)
    except (JsonPatchException, JsonPointerException, TypeError, KeyError) as error:
        raise UsageError(f"--patch: does not fit: {error}") from None


def merged(document: Any, patch: Any) -> Any:
    """RFC 7386: null takes away, a mapping goes into a mapping, anything else replaces."""
    if not isinstance(patch, dict):
        return patch
    found = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merged(found.get(key), value)
    return found
