"""Signatures of git commits and tags: which bytes are signed, and by which key. No I/O.

GPG signatures are judged by Sequoia; SSH ones (OpenSSH's SSHSIG, namespace ``git``) are read
here. A signature counts for the key that made it, never for the one that it claims.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pysequoia
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from fleet.errors import Place, SpecInvalid
from fleet.model.integrity import SigningKey
from fleet.source.cosign import fingerprint, pem_keys

_GPG = b"-----BEGIN PGP SIGNATURE-----"
_SSH = b"-----BEGIN SSH SIGNATURE-----"
_SSH_END = b"-----END SSH SIGNATURE-----"
_SEAL = re.compile(rb"^argocd-gpg-seal:\s*\S", re.IGNORECASE | re.MULTILINE)
_SSH_LINE = re.compile(
    r"(?:^|\s)((?:ssh-(?:ed25519|rsa)|ecdsa-sha2-nistp(?:256|384|521)) [A-Za-z0-9+/=]+)(?: (.*))?"
)
_HASHES: dict[bytes, Callable[[bytes], Any]] = {
    b"sha256": hashlib.sha256,
    b"sha512": hashlib.sha512,
}
_RSA = {b"rsa-sha2-256": hashes.SHA256(), b"rsa-sha2-512": hashes.SHA512()}
_CURVES = {b"nistp256": hashes.SHA256(), b"nistp384": hashes.SHA384(), b"nistp521": hashes.SHA512()}


@dataclass(frozen=True, slots=True)
class Signed:
    """An object of git taken apart; ``signature`` is empty where it has none."""

    payload: bytes
    signature: bytes

    @property
    def is_seal(self) -> bool:
        """Whether its message vouches for its whole history (``Argocd-gpg-seal: reason``)."""
        return bool(_SEAL.search(self.payload.partition(b"\n\n")[2]))


def signed_commit(raw: bytes) -> Signed:
    """A commit object: its signature is a header, which is not a part of what is signed."""
    header, cut, message = raw.partition(b"\n\n")
    kept: list[bytes] = []
    signature: list[bytes] = []
    taking = skipping = False
    for line in header.split(b"\n"):
        if line.startswith(b" "):
            if taking:
                signature.append(line[1:])
        else:
            taking = line.startswith(b"gpgsig ") and not signature
            skipping = line.startswith(b"gpgsig")
            if taking:
                signature.append(line.removeprefix(b"gpgsig "))
        if not skipping:
            kept.append(line)
    return Signed(b"\n".join(kept) + cut + message, b"\n".join(signature))


def signed_tag(raw: bytes) -> Signed:
    """A tag object: its signature is what follows its message."""
    at = max(raw.rfind(b"\n" + _GPG), raw.rfind(b"\n" + _SSH))
    return Signed(raw, b"") if at < 0 else Signed(raw[: at + 1], raw[at + 1 :])


@dataclass(frozen=True, slots=True)
class Signers:
    """``keys`` are those that Fleet knows, ``allowed`` what a policy calls those that may sign:
    ids or fingerprints, of GPG of the key itself or of one of its subkeys."""

    keys: tuple[SigningKey, ...]
    allowed: tuple[str, ...]

    def certificates(self) -> list[Any]:
        """The GPG keys, for Sequoia."""
        return [
            pysequoia.Cert.from_bytes(key.data.encode()) for key in self.keys if key.kind == "gpg"
        ]


def fault(signed: Signed, signers: Signers) -> str:
    """Why ``signed`` is not signed by one of ``signers``; "" when it is."""
    if not signed.signature:
        return "is not signed"
    if signed.signature.startswith(_GPG):
        return _gpg_fault(signed, signers)
    if signed.signature.startswith(_SSH):
        return _ssh_fault(signed, signers)
    return "has a signature that is neither GPG's nor SSH's"


def _gpg_fault(signed: Signed, signers: Signers) -> str:
    try:
        certificates = signers.certificates()
        found = pysequoia.verify(
            signed.payload,
            store=lambda _: certificates,
            signature=pysequoia.Sig.from_bytes(signed.signature),
        )
    except RuntimeError:  # the library's one class for whatever is wrong
        return "is signed by a key that Fleet does not know, or its signature is not valid"
    return gpg_signer_fault(found.valid_sigs, signers)


def gpg_signer_fault(made: Iterable[Any], signers: Signers) -> str:
    """Why none of the valid signatures ``made`` is by a key that may; "" when one is."""
    names = [name.upper() for it in made for name in (it.certificate, it.signing_key)]
    if any(name.endswith(allowed) for name in names for allowed in signers.allowed):
        return ""
    return f"is signed by the GPG key {names[0][-16:] if names else '?'}, which may not"


def _ssh_fault(signed: Signed, signers: Signers) -> str:
    try:
        text = signed.signature.removeprefix(_SSH).partition(_SSH_END)[0]
        parts = _ssh_parts(base64.b64decode(b"".join(text.split()), validate=True))
    except (binascii.Error, ValueError):
        return "has a damaged SSH signature"
    public, namespace, reserved, algorithm, blob = parts
    id = fingerprint(public)
    key = next((key for key in signers.keys if key.id == id), None)
    if key is None:
        return f"is signed by the SSH key {id}, which Fleet does not know"
    if id not in signers.allowed:
        return f"is signed by the SSH key {id}, which may not"
    if namespace != b"git" or algorithm not in _HASHES:
        return "has an SSH signature that is not one of git"
    digest = _HASHES[algorithm](signed.payload).digest()
    message = b"SSHSIG" + b"".join(map(_string, (namespace, reserved, algorithm, digest)))
    try:
        kind, rest = _take(blob)
        raw, rest = _take(rest)
        _check_ssh(load_ssh_public_key(key.data.encode()), kind, raw, message)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, KeyError):
        return "has an SSH signature that is not valid"
    return ""


def _check_ssh(key: object, kind: bytes, raw: bytes, message: bytes) -> None:
    """Raises InvalidSignature, or KeyError and ValueError for what is no signature."""
    if isinstance(key, ed25519.Ed25519PublicKey):
        if kind != b"ssh-ed25519":
            raise ValueError(kind)
        key.verify(raw, message)
    elif isinstance(key, rsa.RSAPublicKey):
        key.verify(raw, message, padding.PKCS1v15(), _RSA[kind])
    elif isinstance(key, ec.EllipticCurvePublicKey):
        r, rest = _take(raw)
        s, _ = _take(rest)
        curve = _CURVES[kind.removeprefix(b"ecdsa-sha2-")]
        numbers = int.from_bytes(r, "big"), int.from_bytes(s, "big")
        key.verify(encode_dss_signature(*numbers), message, ec.ECDSA(curve))
    else:
        raise UnsupportedAlgorithm("another kind of key")


def _ssh_parts(blob: bytes) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    """Public key, namespace, reserved, hash algorithm, signature."""
    if blob[:6] != b"SSHSIG" or blob[6:10] != b"\0\0\0\1":
        raise ValueError("no SSH signature of version 1")
    rest = blob[10:]
    found = []
    for _ in range(5):
        part, rest = _take(rest)
        found.append(part)
    return found[0], found[1], found[2], found[3], found[4]


def _take(data: bytes) -> tuple[bytes, bytes]:
    size = int.from_bytes(data[:4], "big")
    if len(data) < 4 + size:
        raise ValueError("cut off")
    return data[4 : 4 + size], data[4 + size :]


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def parse_signing_keys(text: str) -> tuple[SigningKey, ...]:
    """The GPG keys of an armoured text, the PEM keys of one, or the SSH keys, one a line.

    Raises:
        SpecInvalid: there are none, or one of them is private.
    """
    if "PRIVATE KEY" in text:
        raise SpecInvalid(
            "this is a private key; only public keys are registered", place=Place(field="key")
        )
    if "BEGIN PGP" in text:
        found = _gpg_keys(text)
    else:
        found = pem_keys(text) if "BEGIN PUBLIC KEY" in text else _ssh_keys(text)
    if not found:
        raise SpecInvalid(
            "there is no public key in it",
            place=Place(field="key"),
            hint="Give what `gpg --armor --export ID` prints, cosign.pub, or lines of an SSH"
            " .pub file.",
        )
    return found


def _gpg_keys(text: str) -> tuple[SigningKey, ...]:
    try:
        certificates = pysequoia.Cert.split_bytes(text.encode())
    except RuntimeError:  # as above
        return ()
    return tuple(
        SigningKey(
            id=it.fingerprint.upper()[-16:],
            kind="gpg",
            subtype="",
            fingerprint=it.fingerprint.upper(),
            owner=", ".join(str(user) for user in it.user_ids)[:500],
            data=str(it),
        )
        for it in certificates
    )


def _ssh_keys(text: str) -> tuple[SigningKey, ...]:
    found = []
    for line in text.splitlines():
        match = _SSH_LINE.search(line)
        if match is None:
            continue
        kind, _, encoded = match[1].partition(" ")
        try:
            load_ssh_public_key(match[1].encode())
            id = fingerprint(base64.b64decode(encoded))
        except (ValueError, UnsupportedAlgorithm, binascii.Error):
            continue
        found.append(SigningKey(id, "ssh", kind, id, (match[2] or "")[:500], match[1]))
    return tuple(found)
