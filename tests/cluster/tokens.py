"""Tokens of ServiceAccounts, signed with the key that the API server knows its own by."""

from __future__ import annotations

import base64
import json
import time

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.cluster.control_plane import ISSUER
from tests.cluster.kube import TestCluster

ISSUED_SECONDS_AGO = 7200
SIZE = 32  # bytes of each half of an ES256 signature


def account_token(cluster: TestCluster, namespace: str, name: str, *, seconds_left: int) -> str:
    """A token of an account that exists; with negative ``seconds_left`` it has expired.

    The API server itself issues none for less than ten minutes.
    """
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}"
    account = cluster.request("GET", path)["metadata"]
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": [ISSUER],
        "sub": f"system:serviceaccount:{namespace}:{name}",
        "iat": now - ISSUED_SECONDS_AGO,
        "nbf": now - ISSUED_SECONDS_AGO,
        "exp": now + seconds_left,
        "kubernetes.io": {
            "namespace": namespace,
            "serviceaccount": {"name": name, "uid": account["uid"]},
        },
    }
    head = ".".join(_encoded(json.dumps(part).encode()) for part in ({"alg": "ES256"}, claims))
    key = load_pem_private_key((cluster.kubeconfig.parent / "accounts.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    halves = decode_dss_signature(key.sign(head.encode(), ec.ECDSA(SHA256())))
    return f"{head}.{_encoded(b''.join(half.to_bytes(SIZE, 'big') for half in halves))}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
