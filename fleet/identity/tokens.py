"""API tokens as text: ``flt_<id>_<secret>_<checksum>``.

The prefix is for secret scanners, the id (22 base62 digits of a UUID) finds the row
without a search, the secret is 32 random bytes (43 base62 digits), and the checksum tells
a mistyped or cut token from a wrong one without asking the database. PostgreSQL keeps the
SHA-256 of the secret: it has 256 random bits, so a slow hash would add nothing.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from dataclasses import dataclass
from uuid import UUID

from fleet.model.accounts import TokenProof
from fleet.model.ids import TokenId
from fleet.model.secret import Secret

PREFIX = "flt"
ENTROPY_BYTES = 32
SECRET_DIGITS = 43  # of 256 bits in base 62
ID_DIGITS = 22  # of 128 bits
CHECKSUM_DIGITS = 6  # of 32 bits

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FORM = re.compile(
    rf"{PREFIX}_([0-9A-Za-z]{{{ID_DIGITS}}})_([0-9A-Za-z]{{{SECRET_DIGITS}}})"
    rf"_([0-9A-Za-z]{{{CHECKSUM_DIGITS}}})"
)


@dataclass(frozen=True, slots=True)
class MintedToken:
    """``text`` is shown once; ``proof`` is what is kept."""

    text: Secret
    proof: TokenProof


def mint(id: TokenId, entropy: bytes) -> MintedToken:
    """A new token.

    Args:
        id: of the row that will hold it.
        entropy: 32 bytes from ``secrets.token_bytes``.
    """
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError(f"a token needs {ENTROPY_BYTES} random bytes")
    secret = _base62(int.from_bytes(entropy), SECRET_DIGITS)
    body = f"{PREFIX}_{_base62(id.int, ID_DIGITS)}_{secret}"
    return MintedToken(Secret(f"{body}_{_checksum(body)}"), TokenProof(id, _digest(secret)))


def parse(text: str) -> TokenProof | None:
    """What the text proves, None for anything that cannot be a token; whether the token is
    valid, only its row can tell."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    id_digits, secret, checksum = found.groups()
    number = _number(id_digits)
    if checksum != _checksum(text.rpartition("_")[0]) or number >= 1 << 128:
        return None
    return TokenProof(TokenId(UUID(int=number)), _digest(secret))


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("ascii")).digest()


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode("ascii")), CHECKSUM_DIGITS)


def _base62(number: int, digits: int) -> str:
    """``number`` in base 62, with leading zeros."""
    text = ""
    for _ in range(digits):
        number, digit = divmod(number, 62)
        text = _DIGITS[digit] + text
    return text


def _number(text: str) -> int:
    number = 0
    for digit in text:
        number = number * 62 + _DIGITS.index(digit)
    return number
