"""SOPS's file format: which file is encrypted, for whom, and what is in it.

Bytes in, bytes out; runs in the child. A file holds its values one by one, each sealed with the
file's data key by AES-256-GCM and bound to the names above it, and the data key once for every
recipient. The file's own code over all values (``mac``) is sealed as well and always checked: a
value that was added, taken away or moved is refused.

What is encrypted in a file is told by its form (``ENC[…]``), not by the expressions that chose
it: those are as hostile as the file, and nobody vouches for them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleet.errors import RenderError
from fleet.model.decryption import DecryptionKey
from fleet.model.secret import Secret
from fleet.render.recipients import opened

_MARK = re.compile(
    # never over the ends of lines where it begins: with many empty ones that takes for ever
    rb"""^[ \t]*["']?sops["']?\s*:|^sops_mac=|^\[sops\]|[{,]\s*"sops"\s*:""",
    re.MULTILINE,
)
_SEALED = re.compile(
    r"ENC\[AES256_GCM,data:([^,\]]*),iv:([^,\]]+),tag:([^,\]]+),type:(\w+)\]", re.DOTALL
)
#: What the code of a file that covers encrypted values alone begins with.
_ONLY_ENCRYPTED = hashlib.sha256(b"sops").digest()
_TYPES = frozenset({"str", "int", "float", "bool", "bytes", "time", "comment"})
#: Each costs an attempt with every key.
_MOST_RECIPIENTS = 100
_ELSEWHERE = ("kms", "gcp_kms", "azure_kv", "hc_vault", "hckms")


def may_be_encrypted(content: bytes) -> bool:
    """Cheap, and right whenever it says no."""
    return b"ENC[AES256_GCM," in content and bool(_MARK.search(content))


@dataclass(frozen=True, slots=True)
class Recipient:
    """One who can open a file: ``id`` as the file spells it, and the data key for it."""

    kind: str
    id: str
    sealed: str

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a file says about itself."""

    file: str
    recipients: tuple[Recipient, ...]
    mac: str
    modified: str
    only_encrypted: bool
    elsewhere: tuple[str, ...]  # kinds of keys that are not kept here

    def refusal(self, reason: str, hint: str = "") -> RenderError:
        return RenderError(f"{self.file}: {reason}", hint=hint, object=self.file)


def envelope_of(file: str, stated: Mapping[str, Any]) -> Envelope:
    """The block ``sops`` of a file.

    Raises:
        RenderError: it is not as SOPS writes it, or asks for several keys at once.
    """
    made = Envelope(
        file=file,
        recipients=tuple(_recipients(stated)),
        mac=_text(stated, "mac"),
        modified=_text(stated, "lastmodified"),
        only_encrypted=stated.get("mac_only_encrypted") is True,
        elsewhere=tuple(kind for kind in _ELSEWHERE if stated.get(kind)),
    )
    if stated.get("key_groups") or stated.get("shamir_threshold"):
        raise made.refusal(
            "SOPS has split the data key among groups of keys, which Fleet does not put together",
            hint="Encrypt it with one key group.",
        )
    if len(made.recipients) > _MOST_RECIPIENTS:
        raise made.refusal(f"SOPS names more than {_MOST_RECIPIENTS} recipients")
    return made


def _recipients(stated: Mapping[str, Any]) -> Iterator[Recipient]:
    for kind, name in (("age", "recipient"), ("pgp", "fp")):
        entries = stated.get(kind)
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict):
                yield Recipient(kind, _text(entry, name), _text(entry, "enc"))


def _text(mapping: Mapping[str, Any], key: str) -> str:
    value = mapping.get(key)
    return value if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class DataKey:
    """What opens the values of one file, and the key that it was sealed for."""

    secret: Secret
    opened_by: str


def data_key(envelope: Envelope, keys: Sequence[DecryptionKey]) -> DataKey:
    """Open the data key with the first of ``keys`` that can.

    Raises:
        RenderError: none can; names who could.
    """
    for recipient in envelope.recipients:
        likely = sorted(keys, key=lambda key: not _is_named(recipient, key))
        for key in likely:
            if key.kind == recipient.kind and (found := opened(key, recipient.sealed)):
                return DataKey(Secret(base64.b64encode(found).decode()), key.id)
    could = [str(recipient) for recipient in envelope.recipients]
    could += [f"a key of {kind}" for kind in envelope.elsewhere]
    raise envelope.refusal(
        f"is encrypted with SOPS, and no key that the project may use opens it. "
        f"What could: {', '.join(could) or 'nothing that it names'}",
        hint="Register one with `fleet decryption-key add`, for the application's project or"
        " for all, or encrypt the file for a key that `fleet decryption-key list` shows.",
    )


def _is_named(recipient: Recipient, key: DecryptionKey) -> bool:
    named = recipient.id.replace(" ", "")
    return key.id == named or (len(named) >= 16 and key.id.endswith(named.upper()))


@dataclass(frozen=True, slots=True)
class Value:
    """An opened value: ``kind`` is SOPS's type, ``text`` how SOPS writes it down."""

    kind: str
    text: str


class Opening:
    """The values of one file, opened in the order in which they stand in it."""

    def __init__(self, envelope: Envelope, key: DataKey) -> None:
        # imported where it is needed: most renders are of files that anyone may read
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._envelope = envelope
        self._invalid = (InvalidTag, binascii.Error, ValueError)
        self._cipher = AESGCM(base64.b64decode(key.secret.reveal()))
        self._sum = hashlib.sha512(_ONLY_ENCRYPTED if envelope.only_encrypted else b"")
        self.texts: set[str] = set()

    def value(self, text: str, path: Sequence[str]) -> Value | None:
        """A text as the file has it; None for one that is not encrypted, which has to be
        ``plain`` then.

        Raises:
            RenderError: it does not open: it was changed, or stood elsewhere.
        """
        match = _SEALED.fullmatch(text)
        if match is None:
            return None
        where = ":".join(path)
        found = Value(match[4], self._opened(match, where + ":", where))
        if found.kind not in _TYPES:
            raise self._envelope.refusal(f"{where}: SOPS's type {found.kind} is not known")
        self._sum.update(found.text.encode())
        self.texts.add(found.text)
        return found

    def plain(self, text: str) -> None:
        """A value that is not encrypted, as SOPS writes it for its code."""
        if not self._envelope.only_encrypted:
            self._sum.update(text.encode())

    def check(self) -> None:
        """Raises:
        RenderError: the values are not those that the file was closed with.
        """
        match = _SEALED.fullmatch(self._envelope.mac)
        if match is None:
            raise self._envelope.refusal("the SOPS block has no mac")
        stated = self._opened(match, self._envelope.modified, "sops.mac")
        if not hmac.compare_digest(stated.upper(), self._sum.hexdigest().upper()):
            raise self._envelope.refusal(
                "its SOPS mac does not fit its values: it was changed after it was encrypted",
                hint="Change it with `sops edit` or `sops set`; `sops rotate` does not mend it.",
            )

    def _opened(self, match: re.Match[str], bound_to: str, where: str) -> str:
        try:
            data, iv, tag = (base64.b64decode(match[n], validate=True) for n in (1, 2, 3))
            return self._cipher.decrypt(iv, data + tag, bound_to.encode()).decode()
        except self._invalid:
            raise self._envelope.refusal(
                f"{where} does not open with the file's SOPS data key: it was changed, or moved"
            ) from None
