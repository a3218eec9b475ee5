"""Secret values replaced by labels that only tell whether two of them are equal.

A label is a keyed hash under a salt that the caller makes anew for every diff and then
forgets: it shows neither value nor length, and the same password in two objects, or in
two diffs of one object, gets two labels. Whether an object is a Secret is decided from
both sides of a diff, so that a side with another kind written on it hides nothing less.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import orjson

from fleet.diff.digest import canonical
from fleet.diff.normalize import LAST_APPLIED
from fleet.diff.search import Search
from fleet.diff.values import MAX_DEPTH, number_text
from fleet.model.objects import GroupKind, Manifest, group_kind_of

_SECRET = GroupKind("", "Secret")
_MIN_SALT_BYTES = 16
#: Fields of a Secret that are not secret. Any other one is, misspelt ``stringdata`` too.
_IDENTITY = frozenset({"apiVersion", "kind"})
_SEARCHED = frozenset({"type", "immutable"})
_NAMES = frozenset({"name", "namespace"})


def mask_object(
    obj: Manifest, salt: bytes, *, sensitive_annotations: Collection[str] = ()
) -> Manifest:
    """One object, fit to be shown or stored; objects with nothing to hide as they are.

    Args:
        salt: at least 16 random bytes, made for this call and not kept.
        sensitive_annotations: annotations hidden on objects of every kind.
    """
    return mask_pair(obj, None, salt, sensitive_annotations=sensitive_annotations)[0] or {}


def mask_pair(
    live: Manifest | None,
    predicted: Manifest | None,
    salt: bytes,
    *,
    sensitive_annotations: Collection[str] = (),
) -> tuple[Manifest | None, Manifest | None]:
    """Both sides of a diff: an equal value has one label on both, see ``mask_object``.

    Of a Secret only apiVersion, kind, name, namespace and the keys of its data are kept
    unseen; all other text is kept if it contains none of the values, in any of the usual
    spellings (plain, base64, hex, quoted for JSON or URLs).
    """
    sides = [side for side in (live, predicted) if side is not None]
    if any(group_kind_of(side) == _SECRET for side in sides):
        mask = _Mask(salt, frozenset({LAST_APPLIED, *sensitive_annotations}), _values(sides))
        return live and mask.secret(live), predicted and mask.secret(predicted)
    if not sensitive_annotations:
        return live, predicted
    mask = _Mask(salt, frozenset(sensitive_annotations), Search(()))
    return live and mask.annotated(live), predicted and mask.annotated(predicted)


def _values(sides: list[Manifest]) -> Search:
    """Every spelling of every value that the Secret holds."""
    public = _IDENTITY | _SEARCHED | {"metadata"}
    hidden = (value for side in sides for key, value in side.items() if key not in public)
    return Search(spelt for value in hidden for leaf in _texts(value) for spelt in _spellings(leaf))


def _texts(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Mapping):
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, str):
            yield item
        elif isinstance(item, int | float) and not isinstance(item, bool):
            yield number_text(item)


def _spellings(text: str) -> Iterator[str]:
    """``text`` may be plain or base64; both are tried, as a wrong guess only hides more."""
    yield text
    raw = text.encode("utf-8", "surrogatepass")
    yield from _encodings(raw)
    try:
        decoded = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return
    yield from _encodings(decoded)


def _encodings(raw: bytes) -> Iterator[str]:
    yield base64.b64encode(raw).decode().rstrip("=")
    yield base64.urlsafe_b64encode(raw).decode().rstrip("=")
    yield raw.hex()
    yield quote(raw, safe="")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return
    yield text
    yield text.strip()
    yield orjson.dumps(text).decode()[1:-1]


class _Mask:
    def __init__(self, salt: bytes, annotations: frozenset[str], values: Search) -> None:
        if len(salt) < _MIN_SALT_BYTES:
            raise ValueError(f"a salt has at least {_MIN_SALT_BYTES} bytes")
        self._salt = salt
        self._annotations = annotations
        self._values = values

    def label(self, value: Any) -> str:
        digest = hmac.digest(self._salt, canonical(value), "sha256")
        return f"••••••({digest.hex()[:8]})"

    def secret(self, obj: Manifest) -> Manifest:
        return {key: self._field(key, value) for key, value in obj.items()}

    def _field(self, key: str, value: Any) -> Any:
        if key in _IDENTITY and isinstance(value, str):
            return value
        if key in _SEARCHED:
            return self._searched(value)
        if key == "metadata" and isinstance(value, Mapping):
            return {name: self._metadata(name, found) for name, found in value.items()}
        if isinstance(value, Mapping):
            return {name: self.label(found) for name, found in value.items()}
        return value if value is None else self.label(value)

    def _metadata(self, name: str, value: Any) -> Any:
        if name in _NAMES and isinstance(value, str):
            return value
        if name == "annotations" and isinstance(value, Mapping):
            value = self._hide_annotations(value)
        return self._searched(value)

    def annotated(self, obj: Manifest) -> Manifest:
        """An object of another kind: its sensitive annotations, nothing else."""
        metadata = obj.get("metadata")
        found = metadata.get("annotations") if isinstance(metadata, Mapping) else None
        if not isinstance(metadata, Mapping) or not isinstance(found, Mapping):
            return obj
        return {**obj, "metadata": {**metadata, "annotations": self._hide_annotations(found)}}

    def _hide_annotations(self, found: Mapping[str, Any]) -> dict[str, Any]:
        return {k: self.label(v) if k in self._annotations else v for k, v in found.items()}

    def _searched(self, value: Any, depth: int = 0) -> Any:
        """``value`` with every text, number and key that contains a secret value hidden."""
        if depth > MAX_DEPTH:
            return self.label(value)
        if isinstance(value, Mapping):
            return {
                self._searched(k, depth): self._searched(v, depth + 1) for k, v in value.items()
            }
        if isinstance(value, list):
            return [self._searched(item, depth + 1) for item in value]
        if value is None or isinstance(value, bool):
            return value
        text = value if isinstance(value, str) else number_text(value)
        return self.label(value) if self._values.finds_one_in(text) else value
