"""What the audit log keeps of a value: everything but what looks like a secret."""

from __future__ import annotations

import math
import re
from typing import Any

import orjson

from fleet.model.secret import MASK

_SECRET = re.compile(
    r"passw|passphrase|secret|token|credential|authorization|bearer|apikey|accesskey"
    r"|privatekey|clientkey|keydata"
)
#: A name with a secret word in it that ends like this tells about one and is none.
_ABOUT = re.compile(r"(name|ref|id|at|seconds|type|version)$")
_PASSWORD_IN_URL = re.compile(r"(?<=://)([^/@\s:]*):[^/@\s]*@")


def redacted(value: dict[str, Any] | None) -> dict[str, Any] | None:
    """Plain JSON, masked. Datetimes and UUIDs become text; a ``Secret`` raises TypeError."""
    if value is None:
        return None
    plain = orjson.loads(orjson.dumps(value))
    masked = _masked(plain)
    return masked if isinstance(masked, dict) else None


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return _masked_object(value)
    if isinstance(value, list):
        return [_masked(item) for item in value]
    if isinstance(value, str):
        return _PASSWORD_IN_URL.sub(r"\1:" + MASK + "@", value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _masked_object(value: dict[str, Any]) -> dict[str, Any]:
    hidden = {key for key in value if _looks_secret(key)}
    if value.get("kind") == "Secret":
        hidden |= {"data", "stringData"}
    # a named value, as in a Helm parameter or an environment variable
    if isinstance(value.get("name"), str) and _looks_secret(value["name"]):
        hidden.add("value")
    return {key: _hidden(item) if key in hidden else _masked(item) for key, item in value.items()}


def _looks_secret(key: str) -> bool:
    plain = re.sub(r"[^a-z0-9]", "", key.lower())
    return bool(_SECRET.search(plain)) and not _ABOUT.search(plain)


def _hidden(value: Any) -> Any:
    """A mask for text and structures; switches, figures and emptiness are no secrets."""
    if isinstance(value, bool | int | float) or not value:
        return value
    return MASK
