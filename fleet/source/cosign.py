"""Signatures that cosign makes with a key: what they say, and which key made them. No I/O.

Two forms: a small document beside its signature ("simple signing", at the tag
``sha256-….sig``), and a Sigstore bundle, which holds an in-toto statement. What counts is the
digest that the signed bytes name, never where a signature was found. Certificates of Fulcio
(keyless) and entries of Rekor are not looked at.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from fleet.errors import Place, SpecInvalid
from fleet.model.integrity import SigningKey

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE_ANNOTATION = "dev.cosignproject.cosign/signature"
BUNDLE = "application/vnd.dev.sigstore.bundle"
_SIGN = "https://sigstore.dev/cosign/sign/v1"
_TYPES = ("cosign container image signature", _SIGN)
_IN_TOTO = "application/vnd.in-toto+json"
_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----[A-Za-z0-9+/=\s]+-----END PUBLIC KEY-----")
_LEAST_RSA_BITS = 2048
#: Of one bundle: each is tried with every key, and cosign makes one.
_MOST_SIGNATURES = 16

_PublicKey: TypeAlias = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey


@dataclass(frozen=True, slots=True)
class Claim:
    """Signed bytes, and the digests (``sha256:…``) of the artifacts that they are about."""

    message: bytes
    signature: bytes
    digests: tuple[str, ...]


def simple_claim(payload: bytes, signature: str) -> Claim | None:
    """Of a "simple signing" document; None when it is none of cosign's."""
    critical = _at(_json(payload), "critical")
    digest = _at(critical, "image", "docker-manifest-digest")
    made = _decoded(signature)
    if _at(critical, "type") not in _TYPES or not isinstance(digest, str) or not made:
        return None
    return Claim(payload, made, (digest,))


def bundle_claims(body: bytes) -> tuple[Claim, ...]:
    """Of a Sigstore bundle: a claim a signature. None for what is signed for another purpose,
    like a list of contents or a report of a build."""
    envelope = _at(_json(body), "dsseEnvelope")
    payload, kind = _decoded(_at(envelope, "payload")), _at(envelope, "payloadType")
    statement = _json(payload)
    if kind != _IN_TOTO or _at(statement, "predicateType") != _SIGN:
        return ()
    found = (_at(subject, "digest", "sha256") for subject in _list(_at(statement, "subject")))
    digests = tuple(f"sha256:{digest}" for digest in found if isinstance(digest, str))
    message = b"DSSEv1 %d %b %d %b" % (len(_IN_TOTO), _IN_TOTO.encode(), len(payload), payload)
    entries = _list(_at(envelope, "signatures"))[:_MOST_SIGNATURES]
    made = (_decoded(_at(entry, "sig")) for entry in entries)
    return tuple(Claim(message, signature, digests) for signature in made if signature)


def claims_fault(
    claims: Sequence[Claim], digest: str, keys: Iterable[SigningKey], allowed: Sequence[str]
) -> str:
    """Why ``digest`` is not signed by one of ``allowed``, ids among ``keys``; "" when it is."""
    known = {key.id: _public(key.data) for key in keys if key.kind == "pem"}
    wanted = ", ".join(allowed) or "no key"
    if not claims:
        return f"is not signed by cosign (wanted: {wanted})"
    others: list[str] = []
    strangers: list[str] = []
    for claim in claims:
        for id, key in known.items():
            if not _is_by(key, claim):
                continue
            if id not in allowed:
                strangers.append(id)
            elif digest in claim.digests:
                return ""
            else:
                others += claim.digests
    if others:
        return f"carries a signature of another artifact, {others[0][:80]} (wanted: {wanted})"
    if strangers:
        return f"is signed by the key {strangers[0]}, which may not (wanted: {wanted})"
    return (
        "is signed by a key that Fleet does not know, or its signature is not valid"
        f" (wanted: {wanted})"
    )


def pem_keys(text: str) -> tuple[SigningKey, ...]:
    """The public keys of a PEM text, as ``cosign.pub`` is one.

    Raises:
        SpecInvalid: a key of a kind or size that is not verified with.
    """
    found = []
    for match in _PEM.finditer(text):
        try:
            key = _public(match[0])
        except (ValueError, UnsupportedAlgorithm) as error:
            raise SpecInvalid(
                f"no key to verify with: {error}",
                place=Place(field="key"),
                hint="cosign signs with ECDSA on P-256, Ed25519, or RSA of 2048 bits and more.",
            ) from None
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        id = fingerprint(der)
        found.append(SigningKey(id, "pem", _subtype(key), id, "", f"{match[0]}\n"))
    return tuple(found)


def fingerprint(key: bytes) -> str:
    """``SHA256:`` and the digest in base 64, as ssh-keygen prints it."""
    return f"SHA256:{base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip('=')}"


def _public(pem: str) -> _PublicKey:
    """Raises ValueError for a key that is not verified with."""
    key = load_pem_public_key(pem.encode())
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= _LEAST_RSA_BITS:
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise ValueError("another kind of key, or one too small")


def _subtype(key: _PublicKey) -> str:
    if isinstance(key, rsa.RSAPublicKey):
        return f"rsa{key.key_size}"
    return "ed25519" if isinstance(key, ed25519.Ed25519PublicKey) else "ecdsa-p256"


def _is_by(key: _PublicKey, claim: Claim) -> bool:
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(claim.signature, claim.message)
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(claim.signature, claim.message, padding.PKCS1v15(), hashes.SHA256())
        else:
            key.verify(claim.signature, claim.message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _at(value: Any, *path: str) -> Any:
    """What is at a path of keys; None where the path ends early."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _decoded(text: Any) -> bytes:
    """Of base 64; empty for what is none."""
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        return b""
