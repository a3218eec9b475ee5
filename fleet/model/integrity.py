"""Who has to have signed what a project deploys. Fields and rules: ``features.md`` §3.2."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from fleet.model.reading import Fields

Mode: TypeAlias = Literal["none", "head", "strict"]

_MODES: dict[str, Mode] = {"none": "none", "head": "head", "strict": "strict"}
_SSH = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key that people vouched for.

    ``id`` is what policies name: of GPG the last 16 digits of the fingerprint, in capitals; of
    SSH the fingerprint as ``ssh-keygen -l`` prints it. ``data`` is the key itself, as text.
    """

    id: str
    kind: Literal["gpg", "ssh"]
    subtype: str
    fingerprint: str
    owner: str
    data: str


@dataclass(frozen=True, slots=True)
class SignaturePolicy:
    """For git repositories that ``repos`` match: ``head`` the commit or annotated tag that is
    deployed, ``strict`` all its history, too, has to be signed by one of ``keys``."""

    repos: tuple[str, ...]
    mode: Mode
    keys: tuple[str, ...]


def read_policies(fields: Fields) -> tuple[SignaturePolicy, ...]:
    """``sourceIntegrity``, or ``signatureKeys`` as the policy that it stands for.

    Raises:
        SpecInvalid: both, or a key or mode that is none.
    """
    old = [item.text("keyID", required=True) for item in fields.children("signatureKeys")]
    integrity = fields.child("sourceIntegrity")
    if old and integrity is not None:
        raise fields.invalid("signatureKeys", "is given together with sourceIntegrity")
    if old:
        keys = tuple(_key(fields, "signatureKeys", text) for text in old)
        return (SignaturePolicy(("*",), "head", keys),)
    git = None if integrity is None else integrity.child("git")
    if integrity is None or git is None:
        return ()
    policies = tuple(_policy(item) for item in git.children("policies"))
    git.finish()
    integrity.finish()
    return policies


def _policy(fields: Fields) -> SignaturePolicy:
    raw = fields.raw("repos")
    if isinstance(raw, list) and all(isinstance(entry, str) for entry in raw):
        repos = fields.texts("repos")
    else:
        repos = tuple(item.text("url", required=True) for item in fields.children("repos"))
    if not repos:
        raise fields.invalid("repos", "is required", hint="Every repository is '*'.")
    gpg = fields.child("gpg", required=True)
    assert gpg is not None
    mode = _MODES.get(gpg.text("mode", required=True))
    if mode is None:
        raise gpg.invalid("mode", f"{gpg.raw('mode')!r} is none of none, head and strict")
    keys = tuple(_key(gpg, "keys", text) for text in gpg.texts("keys"))
    if mode != "none" and not keys:
        raise gpg.invalid("keys", "is empty: nothing could be deployed")
    gpg.finish()
    fields.finish()
    return SignaturePolicy(repos, mode, keys)


def _key(fields: Fields, key: str, text: str) -> str:
    """One spelling for each key: capitals without ``0x``, or the SSH fingerprint."""
    if _SSH.fullmatch(text):
        return text
    digits = text.removeprefix("0x").removeprefix("0X").upper()
    if len(digits) not in (16, 40, 64) or re.fullmatch(r"[0-9A-F]+", digits) is None:
        raise fields.invalid(
            key,
            f"{text!r} is no key",
            hint="A GPG key by its 16 digits or its fingerprint, an SSH key as SHA256:…;"
            " `fleet gpg list` shows them.",
        )
    return digits
