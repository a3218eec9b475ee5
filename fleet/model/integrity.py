"""Who has to have signed what a project deploys. Fields and rules: ``features.md`` §3.2."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from fleet.model.reading import Fields

Mode: TypeAlias = Literal["none", "head", "strict"]
Content: TypeAlias = Literal["git", "helm", "oci"]

_MODES: dict[str, Mode] = {"none": "none", "head": "head", "strict": "strict"}
#: Content → who signs it, and the modes that mean something there. ``git`` is Argo CD's.
_SECTIONS: dict[Content, tuple[str, tuple[Mode, ...]]] = {
    "git": ("gpg", ("none", "head", "strict")),
    "helm": ("gpg", ("none", "strict")),
    "oci": ("cosign", ("none", "strict")),
}
_SSH = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
_KEY_HINT = (
    "A GPG key by its 16 digits or its fingerprint, an SSH key or one of cosign as SHA256:…;"
    " `fleet gpg list` shows them."
)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key that people vouched for.

    ``id`` is what policies name: of GPG the last 16 digits of the fingerprint, in capitals; of
    SSH the fingerprint as ``ssh-keygen -l`` prints it; of a PEM key, which cosign signs with,
    the same over its DER form. ``data`` is the key itself, as text.
    """

    id: str
    kind: Literal["gpg", "ssh", "pem"]
    subtype: str
    fingerprint: str
    owner: str
    data: str


@dataclass(frozen=True, slots=True)
class SignaturePolicy:
    """For repositories that ``repos`` match. Of git, ``head`` means that the commit or annotated
    tag that is deployed, ``strict`` that all its history, too, has to be signed by one of
    ``keys``. Of charts (``helm``) the provenance, of what a registry holds (``oci``) the digest
    has to be: ``strict``."""

    repos: tuple[str, ...]
    mode: Mode
    keys: tuple[str, ...]
    of: Content = "git"


#: What stands for policies that cannot be read: nothing is signed well enough.
NOTHING_PASSES = (
    SignaturePolicy(("*",), "head", ()),
    SignaturePolicy(("*",), "strict", (), "helm"),
    SignaturePolicy(("*",), "strict", (), "oci"),
)


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
    if integrity is None:
        return ()
    policies: list[SignaturePolicy] = []
    for of in _SECTIONS:
        section = integrity.child(of)
        if section is not None:
            policies += (_policy(item, of) for item in section.children("policies"))
            section.finish()
    integrity.finish()
    return tuple(policies)


def _policy(fields: Fields, of: Content) -> SignaturePolicy:
    raw = fields.raw("repos")
    if isinstance(raw, list) and all(isinstance(entry, str) for entry in raw):
        repos = fields.texts("repos")
    else:
        repos = tuple(item.text("url", required=True) for item in fields.children("repos"))
    if not repos:
        raise fields.invalid("repos", "is required", hint="Every repository is '*'.")
    signed_by, modes = _SECTIONS[of]
    signer = fields.child(signed_by, required=True)
    assert signer is not None
    mode = _MODES.get(signer.text("mode", required=True))
    if mode not in modes:
        raise signer.invalid("mode", f"{signer.raw('mode')!r} is none of {', '.join(modes)}")
    keys = tuple(_key(signer, "keys", text) for text in signer.texts("keys"))
    if mode != "none" and not keys:
        raise signer.invalid("keys", "is empty: nothing could be deployed")
    for key in keys:
        if of != "git" and (of == "oci") != key.startswith("SHA256:"):
            raise signer.invalid("keys", f"{key} is no key of {signed_by}", hint=_KEY_HINT)
    signer.finish()
    fields.finish()
    return SignaturePolicy(repos, mode, keys, of)


def _key(fields: Fields, key: str, text: str) -> str:
    """One spelling for each key: capitals without ``0x``, or the SSH fingerprint."""
    if _SSH.fullmatch(text):
        return text
    digits = text.removeprefix("0x").removeprefix("0X").upper()
    if len(digits) not in (16, 40, 64) or re.fullmatch(r"[0-9A-F]+", digits) is None:
        raise fields.invalid(
            key,
            f"{text!r} is no key",
            hint=_KEY_HINT,
        )
    return digits
