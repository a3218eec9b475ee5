"""Values that stood in the cluster, as one document: each entry laid over those before it.

They are merged here and not by Helm, because a single value that goes to a path would win over
every file there, whatever the order in which they were written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fleet.errors import RenderError
from fleet.model.applications import ValuesReference
from fleet.model.values_from import Part, value_path
from fleet.render.job import Job
from fleet.render.yaml import load_one

_MAX_BYTES = 1 << 20  # an object of Kubernetes holds no more
_WORDS = {"true": True, "false": False, "null": None}
_LARGEST = 2**63


def values_of_cluster(job: Job, references: Sequence[ValuesReference]) -> dict[str, Any]:
    """All that ``helm.valuesFrom`` names.

    Raises:
        RenderError: values that are no mapping, or go where something else is.
        SpecInvalid: they are no YAML.
    """
    if len(job.request.values) != len(references):
        raise RenderError("the values that stand in the cluster were not handed to the render")
    found: dict[str, Any] = {}
    for reference, given in zip(references, job.request.values, strict=True):
        if not given.digest:
            continue
        if given.text is None:
            raise RenderError("values of the cluster are not handed to what runs beside a plugin")
        text = given.text.reveal()
        if reference.is_secret:
            job.hidden.add(text)
        laid = _entry(reference, text)
        if reference.is_secret:
            job.hidden.update(_texts(laid))
        found = _onto(found, reference, laid)
    return found


def _entry(reference: ValuesReference, text: str) -> Any:
    if reference.target_path:
        return typed(text)
    about = named(reference)
    values = load_one(text, file=about, max_bytes=_MAX_BYTES)
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise RenderError(
            f"{about} holds no mapping of values",
            hint="Set targetPath where it is a single value.",
            object=about,
        )
    return values


def _onto(found: dict[str, Any], reference: ValuesReference, laid: Any) -> dict[str, Any]:
    if not reference.target_path:
        return merged(found, laid)
    path = value_path(reference.target_path)
    assert path, "checked when the application was read"
    try:
        put(found, path, laid)
    except TypeError:
        about = named(reference)
        raise RenderError(
            f"{about}: something that is no mapping or list stands on the way to"
            f" {reference.target_path}",
            object=about,
        ) from None
    return found


def named(reference: ValuesReference) -> str:
    """The entry as messages call it."""
    return f"{reference.kind}/{reference.name} [{reference.values_key}]"


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """As Helm merges value files: mappings in depth, all else is replaced. Neither changes."""
    made = dict(below)
    for key, value in above.items():
        there = made.get(key)
        both = isinstance(there, Mapping) and isinstance(value, Mapping)
        made[key] = merged(there, value) if both else value  # type: ignore[arg-type]
    return made


def put(document: dict[str, Any], path: Sequence[Part], value: Any) -> None:
    """Set the value at a path, with what is missing on the way; a list grows with nulls.

    Raises:
        TypeError: something else than a mapping or a list is on the way.
    """
    holder: Any = document
    for part, following in zip(path, [*path[1:], None], strict=True):
        here = _got(holder, part)
        if following is None:
            new = value
        elif here is None:
            new = [] if isinstance(following, int) else {}
        else:
            # a copy: what it was read from may be shared
            new = list(here) if isinstance(here, list) else dict(_mapping(here))
        holder[part] = new
        holder = new


def _got(holder: Any, part: Part) -> Any:
    """What is there now, None for nothing. A list has a place for ``part`` afterwards."""
    if isinstance(part, str):
        return _mapping(holder).get(part)
    if not isinstance(holder, list):
        raise TypeError
    holder.extend([None] * (part + 1 - len(holder)))
    return holder[part]


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError
    return value


def typed(text: str) -> Any:
    """A single value as Helm's ``--set`` reads it, commas and braces as they are. In quotes it is
    text, whatever it looks like."""
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    digits = text[1:] if text[:1] in ("-", "+") else text
    is_number = digits.isascii() and digits.isdigit() and len(digits) < 20
    if is_number and (text == "0" or text[0] != "0"):
        number = int(text)
        return number if -_LARGEST <= number < _LARGEST else text
    return text


def _texts(value: Any) -> Iterator[str]:
    """Every value in it as tools would quote it."""
    waiting = [value]
    while waiting:
        here = waiting.pop()
        if isinstance(here, Mapping):
            waiting.extend(here.values())
        elif isinstance(here, list):
            waiting.extend(here)
        elif isinstance(here, str | int | float) and not isinstance(here, bool):
            yield str(here)
