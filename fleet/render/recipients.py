"""Private keys of age and OpenPGP: read from text, and put to use.

The libraries are loaded where they are needed: most renders need neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fleet.errors import Place, SpecInvalid
from fleet.model.decryption import DecryptionKey
from fleet.model.secret import Secret

_DATA_KEY_BYTES = 32
_AGE = re.compile(r"^[ \t]*(AGE-SECRET-KEY-1[0-9A-Z]+)\s*$", re.MULTILINE)
_PGP = re.compile(
    r"-----BEGIN PGP PRIVATE KEY BLOCK-----.*?-----END PGP PRIVATE KEY BLOCK-----", re.DOTALL
)
_PROBE = b"fleet"


def opened(key: DecryptionKey, sealed: str) -> bytes | None:
    """The data key that ``sealed`` holds for ``key``; None where it does not open."""
    found = (_by_age if key.kind == "age" else _by_pgp)(key.secret, sealed.encode())
    return found if found is not None and len(found) == _DATA_KEY_BYTES else None


def _by_age(secret: Secret, sealed: bytes) -> bytes | None:
    import pyrage

    try:
        identity = pyrage.x25519.Identity.from_str(secret.reveal())
        found: bytes = pyrage.decrypt(sealed, [identity])
    except (pyrage.IdentityError, pyrage.DecryptError):
        return None
    return found


def _by_pgp(secret: Secret, sealed: bytes) -> bytes | None:
    import pysequoia

    try:
        key = pysequoia.Tsk.from_bytes(secret.reveal().encode())
        return pysequoia.decrypt(sealed, decryptor=key.decryptor()).bytes
    except RuntimeError:  # the library's one class for whatever is wrong
        return None


def parse_decryption_keys(text: str) -> tuple[DecryptionKey, ...]:
    """The private keys in a text: age's, one a line, and armoured OpenPGP ones.

    Raises:
        SpecInvalid: there are none, or one cannot be used as it is.
    """
    found = (*_age_keys(text), *_pgp_keys(text))
    if not found:
        raise SpecInvalid(
            "there is no private key in it",
            place=Place(field="keys"),
            hint="Give what `age-keygen` writes, or `gpg --armor --export-secret-keys ID`.",
        )
    return found


def _age_keys(text: str) -> Iterator[DecryptionKey]:
    import pyrage

    for line in _AGE.findall(text):
        try:
            public = str(pyrage.x25519.Identity.from_str(line).to_public())
        except pyrage.IdentityError:
            raise SpecInvalid(
                "a line looks like an age key and is none", place=Place(field="keys")
            ) from None
        yield DecryptionKey(public, "age", Secret(line))


def _pgp_keys(text: str) -> Iterator[DecryptionKey]:
    import pysequoia

    for block in _PGP.findall(text):
        try:
            key = pysequoia.Tsk.from_bytes(block.encode())
            public = key.extract_certificate()
        except RuntimeError:
            raise SpecInvalid("an OpenPGP key is damaged", place=Place(field="keys")) from None
        id = public.fingerprint.upper()
        try:
            sealed = pysequoia.encrypt(_PROBE, recipients=[public])
            pysequoia.decrypt(sealed, decryptor=key.decryptor())
        except RuntimeError:
            raise SpecInvalid(
                f"the OpenPGP key {id} does not open what is encrypted for it",
                place=Place(field="keys"),
                hint="Export it without a passphrase, with a subkey that encrypts and has not"
                " expired; Fleet seals it itself.",
            ) from None
        owner = ", ".join(str(user) for user in public.user_ids)[:500]
        yield DecryptionKey(id, "pgp", Secret(block), owner)
