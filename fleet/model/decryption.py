"""Keys that open encrypted files of repositories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fleet.model.secret import Secret

KeyKind = Literal["age", "pgp"]


@dataclass(frozen=True, slots=True)
class DecryptionKey:
    """A private key.

    ``id`` is what files name it by, and public: age's recipient (``age1…``), or the
    fingerprint of an OpenPGP key in capital hex digits. ``owner`` is for people.
    """

    id: str
    kind: KeyKind
    secret: Secret
    owner: str = ""
