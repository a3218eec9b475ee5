"""PEM bundles of trusted TLS certificates → rows of ``fleet cert list``. Pure."""

from __future__ import annotations

import hashlib
import re

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from fleet.errors import Place, SpecInvalid
from fleet.model.repositories import KnownCertificate

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_KEY_NAMES: tuple[tuple[type, str], ...] = (
    (rsa.RSAPublicKey, "rsa"),
    (ec.EllipticCurvePublicKey, "ecdsa"),
    (ed25519.Ed25519PublicKey, "ed25519"),
    (ed448.Ed448PublicKey, "ed448"),
    (dsa.DSAPublicKey, "dsa"),
)


def parse_certificates(host: str, pem: str, file: str = "") -> tuple[KnownCertificate, ...]:
    """One row a certificate, in the order of the bundle; ``data`` is its own PEM block.

    Text between blocks is a comment, as in bundles that systems ship.

    Raises:
        SpecInvalid: no certificate in it, a block that is none (a private key above all), or
            one that cannot be read; names ``file`` and the line the block starts at.
    """
    rows = [
        _row(host, block, Place(file=file, line=pem.count("\n", 0, block.start()) + 1))
        for block in _BLOCK.finditer(pem)
    ]
    if pem.count("-----BEGIN ") != len(rows):
        line = pem.count("\n", 0, pem.rfind("-----BEGIN ")) + 1
        raise SpecInvalid("a PEM block is cut off", place=Place(file=file, line=line))
    if not rows:
        raise SpecInvalid("no PEM certificate in it", place=Place(file=file, line=1))
    return tuple(rows)


def _row(host: str, block: re.Match[str], place: Place) -> KnownCertificate:
    if block[1] not in {"CERTIFICATE", "TRUSTED CERTIFICATE", "X509 CERTIFICATE"}:
        raise SpecInvalid(f"a {block[1].lower()} is no certificate", place=place)
    try:
        certificate = x509.load_pem_x509_certificate(block[0].encode())
        key = certificate.public_key()
    except Exception as error:
        # The parser's exceptions are many, and all of them mean that the input is bad.
        raise SpecInvalid("the certificate cannot be read", place=place) from error
    digest = hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
    subtype = next((name for kind, name in _KEY_NAMES if isinstance(key, kind)), "other")
    return KnownCertificate(host, "https", subtype, f"SHA256:{digest}", block[0] + "\n")
