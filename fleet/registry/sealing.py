"""Sealed credentials: AES-256-GCM envelopes, and the ring of keys that opens them.

An envelope is text: ``v1:<key id>:<wrapped data key>:<nonce>:<ciphertext>``. Each has a
random data key of its own, wrapped by the ring's key; the ciphertext is bound to the place
where it is stored and to the URL that the credential is for. Moved to another row, column
or URL it does not open. Changing keys wraps the data key anew and touches nothing else.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fleet.errors import SealBroken
from fleet.model.secret import Secret
from fleet.registry.keyring import KeyRing

__all__ = [
    "KeyRing",
    "Place",
    "kid_of",
    "open_bytes",
    "open_sealed",
    "rewrap",
    "seal",
    "seal_bytes",
]

VERSION = "v1"
#: In place of an envelope whose key was given up; the key's id follows.
LOST = "lost:"
NONCE_BYTES = 12
DATA_KEY_BYTES = 32
_WRAPPING = "seal"  # what the ring's key is used for here


@dataclass(frozen=True, slots=True)
class Place:
    """Where an envelope belongs. ``url`` is the canonical URL that the secret may be sent
    to, "" when it is sent nowhere."""

    table: str
    row: str
    column: str
    url: str = ""

    def __str__(self) -> str:
        return f"{self.table}.{self.column} of {self.row}"


def seal(ring: KeyRing, place: Place, secret: Secret) -> str:
    """Encrypt ``secret`` for ``place`` with the ring's newest key."""
    return _sealed(ring, place, secret.reveal().encode())


def open_sealed(ring: KeyRing, place: Place, envelope: str) -> Secret:
    """The secret that was sealed for exactly this place.

    Raises:
        SealBroken: another place, changed text, or a key that the ring does not have.
    """
    return Secret(_opened(ring, place, envelope).decode())


def seal_bytes(ring: KeyRing, place: Place, data: bytes) -> bytes:
    """``seal`` for a ``bytea`` column."""
    return _sealed(ring, place, data).encode("ascii")


def open_bytes(ring: KeyRing, place: Place, envelope: bytes) -> bytes:
    """``open_sealed`` for a ``bytea`` column; raises the same."""
    return _opened(ring, place, envelope.decode("ascii", "replace"))


def kid_of(envelope: str) -> str:
    """The id of the key that wraps the envelope's data key."""
    return _parts(envelope)[0]


def rewrap(ring: KeyRing, envelope: str) -> str:
    """The same envelope under the ring's newest key; the ciphertext is not opened.

    Raises:
        SealBroken: changed text, or a key that the ring does not have.
    """
    kid, wrapped, nonce, ciphertext = _parts(envelope)
    data_key = _unwrapped(ring, kid, wrapped, what="an envelope")
    return _joined(ring, data_key, nonce, ciphertext)


def _sealed(ring: KeyRing, place: Place, plain: bytes) -> str:
    data_key = secrets.token_bytes(DATA_KEY_BYTES)
    nonce = secrets.token_bytes(NONCE_BYTES)
    ciphertext = AESGCM(data_key).encrypt(nonce, plain, _bound_to(place))
    return _joined(ring, data_key, nonce, ciphertext)


def _opened(ring: KeyRing, place: Place, envelope: str) -> bytes:
    kid, wrapped, nonce, ciphertext = _parts(envelope)
    data_key = _unwrapped(ring, kid, wrapped, what=str(place))
    try:
        return AESGCM(data_key).decrypt(nonce, ciphertext, _bound_to(place))
    except InvalidTag:
        raise SealBroken(
            f"{place} cannot be opened: it was sealed for another row, column or URL, "
            "or it was changed",
            hint="Enter the credential again.",
        ) from None


def _joined(ring: KeyRing, data_key: bytes, nonce: bytes, ciphertext: bytes) -> str:
    kid = ring.current
    wrap_nonce = secrets.token_bytes(NONCE_BYTES)
    wrapped = wrap_nonce + AESGCM(ring.derive(kid, _WRAPPING)).encrypt(
        wrap_nonce, data_key, _wrapped_as(kid)
    )
    return ":".join((VERSION, kid, _text(wrapped), _text(nonce), _text(ciphertext)))


def _unwrapped(ring: KeyRing, kid: str, wrapped: bytes, *, what: str) -> bytes:
    key = ring.derive(kid, _WRAPPING)
    try:
        return AESGCM(key).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _wrapped_as(kid))
    except (InvalidTag, ValueError):
        raise SealBroken(
            f"{what} cannot be opened: key {kid} is not the one that sealed it",
            hint="Give Fleet the key file (or FLEET_SECRET_KEY) that belongs to this database.",
        ) from None


def _parts(envelope: str) -> tuple[str, bytes, bytes, bytes]:
    if envelope.startswith(LOST):
        raise SealBroken(
            f"a sealed value is gone: its key {envelope.removeprefix(LOST)} was given up as lost",
            hint="Enter the credential again.",
        )
    fields = envelope.split(":")
    if len(fields) == 5 and fields[0] == VERSION:
        try:
            return fields[1], _bytes(fields[2]), _bytes(fields[3]), _bytes(fields[4])
        except (binascii.Error, ValueError):
            pass
    raise SealBroken("a sealed value is not an envelope", hint="Enter the credential again.")


def _bound_to(place: Place) -> bytes:
    # JSON, so that no two places spell the same bytes
    return json.dumps([VERSION, place.table, place.row, place.column, place.url]).encode()


def _wrapped_as(kid: str) -> bytes:
    return json.dumps([VERSION, kid]).encode()


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, altchars=b"-_", validate=True)
