"""Several secrets of one row in one envelope: a JSON object, sealed as a whole."""

from __future__ import annotations

from typing import Any

import orjson

from fleet.model.secret import Secret
from fleet.registry.keyring import KeyRing
from fleet.registry.sealing import Place, open_sealed, seal


def sealed(ring: KeyRing, place: Place, secrets: dict[str, Any]) -> str:
    """The envelope; "" when there is nothing to hide."""
    if not secrets:
        return ""
    return seal(ring, place, Secret(orjson.dumps(secrets).decode()))


def opened(ring: KeyRing, place: Place, envelope: str) -> dict[str, Any]:
    """The inverse of ``sealed``.

    Raises:
        SealBroken: it was sealed for another row or URL, or the ring lacks its key.
    """
    if not envelope:
        return {}
    found: dict[str, Any] = orjson.loads(open_sealed(ring, place, envelope).reveal())
    return found


def fingerprint(envelope: str) -> str:
    """The part that stays when the envelope is wrapped by another key: equal only for the
    very same act of sealing, and telling nothing of what is inside."""
    return ":".join(envelope.split(":")[3:])
