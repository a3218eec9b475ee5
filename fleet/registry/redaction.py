"""What the audit log keeps of a value: everything but what looks like a secret.

What is hidden leaves a label, ``••••••(3fa9c01b)``: a keyed hash under a salt that is made
for one entry and then forgotten. Inside the entry it tells whether a value changed, beyond
it nothing.

Free text that a tool will read (Helm's ``values``, a kustomize ``patch``, the last applied
configuration) is hidden as a whole: what in it is a secret only that tool could tell. Helm
parameters and ``valuesObject`` are judged by name, so that image tags and replicas stay
readable.
"""

from __future__ import annotations

import hmac
import math
from typing import Any

import orjson

from fleet.model.secret import MASK
from fleet.model.secret_text import (
    counts_secrets,
    mentions_a_secret,
    names_a_secret,
    without_secrets,
)

#: Keys under which a text is a document of its own.
_DOCUMENTS = frozenset({"values", "patch", "kubectl.kubernetes.io/last-applied-configuration"})
#: Where a named value has it: Helm and jsonnet, and parameters of a plugin.
_VALUES = frozenset({"value", "string", "array", "map"})
#: Beside one of these a bare ``key`` says which entry is meant.
_BESIDE_A_REFERENCE = frozenset({"name", "operator", "values", "effect", "path"})
_LABEL_LENGTH = 8


def redacted(value: dict[str, Any] | None, salt: bytes) -> dict[str, Any] | None:
    """Plain JSON, masked. Datetimes and UUIDs become text; a ``Secret`` raises TypeError.

    Args:
        salt: random, the same for what is to be compared, and kept nowhere.
    """
    if value is None:
        return None
    masked = _Mask(salt).shown(orjson.loads(orjson.dumps(value)), "")
    return masked if isinstance(masked, dict) else None


class _Mask:
    def __init__(self, salt: bytes) -> None:
        self._salt = salt

    def shown(self, value: Any, at: str) -> Any:
        """``value``, which is stored under the names ``at``, fit to be kept."""
        if isinstance(value, dict):
            return self._object(value, at)
        if isinstance(value, list):
            return [self.shown(item, at) for item in value]
        if isinstance(value, str):
            return self._text(value, at)
        if isinstance(value, float) and not math.isfinite(value):
            return None
        return value

    def _object(self, value: dict[str, Any], at: str) -> dict[str, Any]:
        hidden = {key for key in value if names_a_secret(key)} | _hidden_by_others(value)
        # a list of values, as in a selector, is none
        hidden |= {key for key in _DOCUMENTS & value.keys() if isinstance(value[key], str)}
        return {
            key: self._hidden(item, key, f"{at}.{key}")
            if key in hidden
            else self.shown(item, f"{at}.{key}")
            for key, item in value.items()
        }

    def _text(self, value: str, at: str) -> str:
        holds_names = "\n" in value or "{" in value
        if holds_names and mentions_a_secret(value):
            return self._label(value, at)
        return without_secrets(value)

    def _hidden(self, value: Any, key: str, at: str) -> Any:
        """A label; switches, counts and emptiness are no secrets."""
        if isinstance(value, bool) or value in (None, "", [], {}):
            return value
        if isinstance(value, int) and counts_secrets(key, str(value)):
            return value
        return self._label(value, at)

    def _label(self, value: Any, at: str) -> str:
        # with its place: two fields that hold the same have two labels
        text = orjson.dumps([at, value], option=orjson.OPT_SORT_KEYS)
        return f"{MASK}({hmac.digest(self._salt, text, 'sha256').hex()[:_LABEL_LENGTH]})"


def _hidden_by_others(value: dict[str, Any]) -> set[str]:
    """Keys whose values are secret because of what stands beside them."""
    hidden: set[str] = set()
    if value.get("kind") == "Secret":
        hidden |= {"data", "stringData"}
    name = value.get("name")
    if isinstance(name, str) and (names_a_secret(name) or name.lower() == "key"):
        hidden |= _VALUES
    if isinstance(value.get("key"), str | int) and not _BESIDE_A_REFERENCE & value.keys():
        hidden.add("key")
    return hidden
