"""JSON Web Tokens signed with RS256 (RFC 7515), for those who issue tokens against one."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import orjson
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from fleet.errors import SourceAuthFailed
from fleet.model.secret import Secret


def signed_jwt(claims: Mapping[str, object], private_key_pem: Secret) -> Secret:
    """The compact form of ``claims``.

    Raises:
        SourceAuthFailed: the key is no unencrypted RSA key in PEM.
    """
    try:
        key = load_pem_private_key(private_key_pem.reveal().encode(), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise SourceAuthFailed(
            "the private key is no RSA key in PEM form",
            hint="Give the key file as it was downloaded, without a passphrase.",
        )
    header = _encoded(orjson.dumps({"alg": "RS256", "typ": "JWT"}))
    signing_input = header + b"." + _encoded(orjson.dumps(dict(claims)))
    signature = key.sign(signing_input, padding.PKCS1v15(), SHA256())
    return Secret((signing_input + b"." + _encoded(signature)).decode())


def _encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
