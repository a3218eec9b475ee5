"""Who sends a request: the cluster's admin, or a ServiceAccount by a token that it was given.

Tokens of ServiceAccounts are JWTs as Kubernetes makes them, signed with one key for all
clusters; the UID of the account, which is random, tells the clusters apart.
"""

from __future__ import annotations

import base64
import hmac
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from fleet.embedded.sandbox.kinds import builtin_kind

if TYPE_CHECKING:
    from fleet.embedded.sandbox.cluster import Cluster

ISSUER = "https://kubernetes.default.svc"
MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
_ACCOUNTS = "system:serviceaccounts"
_COORDINATE_BYTES = 32
_SIGNATURE = ec.ECDSA(hashes.SHA256())
SERVICE_ACCOUNT = builtin_kind("v1", "ServiceAccount")
#: How many tokens a cluster remembers having checked.
REMEMBERED = 64


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who was authenticated."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_master(self) -> bool:
        """Whether everything is allowed, whatever roles there are."""
        return MASTERS in self.groups

    def shape(self) -> dict[str, Any]:
        """As ``UserInfo``."""
        found = {
            "username": self.name,
            "uid": self.uid,
            "groups": list(self.groups),
            "extra": dict(self.extra),
        }
        return {key: value for key, value in found.items() if value}


ADMIN = User("admin", "1", (MASTERS, AUTHENTICATED))


class TokenKey:
    """The key that tokens are signed with."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        der = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        digest = hashes.Hash(hashes.SHA256())
        digest.update(der)
        self._head = _packed({"alg": "ES256", "kid": _base64(digest.finalize())})

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A token with these claims."""
        signed = b"%b.%b" % (self._head, _packed(claims))
        r, s = decode_dss_signature(self._key.sign(signed, _SIGNATURE))
        raw = r.to_bytes(_COORDINATE_BYTES, "big") + s.to_bytes(_COORDINATE_BYTES, "big")
        return f"{signed.decode()}.{_base64(raw)}"

    def claims(self, token: str) -> dict[str, Any] | None:
        """The claims of a token that was signed with this key; None for any other."""
        try:
            signed, _, signature = token.rpartition(".")
            raw = _unbase64(signature)
            r = int.from_bytes(raw[:_COORDINATE_BYTES], "big")
            s = int.from_bytes(raw[_COORDINATE_BYTES:], "big")
            encoded = encode_dss_signature(r, s)
            self._key.public_key().verify(encoded, signed.encode(), _SIGNATURE)
            found = orjson.loads(_unbase64(signed.partition(".")[2]))
        except (ValueError, InvalidSignature):
            return None
        return found if isinstance(found, dict) else None


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _packed(value: Mapping[str, Any]) -> bytes:
    return _base64(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).encode()


@dataclass(frozen=True, slots=True)
class Account:
    """What a token says about the ServiceAccount it is for."""

    namespace: str
    name: str
    uid: str
    expires: float
    token_id: str

    def user(self) -> User:
        """The user that the account is."""
        credential = "authentication.kubernetes.io/credential-id"
        return User(
            f"system:serviceaccount:{self.namespace}:{self.name}",
            self.uid,
            (_ACCOUNTS, f"{_ACCOUNTS}:{self.namespace}", AUTHENTICATED),
            {credential: [f"JTI={self.token_id}"]},
        )


def account_token(
    key: TokenKey,
    namespace: str,
    name: str,
    uid: str,
    *,
    now: datetime,
    seconds: int,
    audiences: list[str],
) -> tuple[str, datetime]:
    """A token for a ServiceAccount, and when it ends."""
    issued = int(now.timestamp())
    claims = {
        "aud": audiences,
        "exp": issued + seconds,
        "iat": issued,
        "iss": ISSUER,
        "jti": str(uuid.uuid4()),
        "kubernetes.io": {
            "namespace": namespace,
            "serviceaccount": {"name": name, "uid": uid},
        },
        "nbf": issued,
        "sub": f"system:serviceaccount:{namespace}:{name}",
    }
    return key.sign(claims), now + timedelta(seconds=seconds)


def authenticate(cluster: Cluster, authorization: str) -> User | None:
    """The user of an ``Authorization`` header; None: nobody that is known."""
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        return None
    if hmac.compare_digest(token.encode(), cluster.admin_token.encode()):
        return ADMIN
    account = account_of(cluster, token)
    return account.user() if account else None


def account_of(cluster: Cluster, token: str) -> Account | None:
    """The account of a token that is valid now, for an account that is still there."""
    account = cluster.accounts.get(token)
    if account is None:
        account = _read(cluster, token)
        if account is None:
            return None
        if len(cluster.accounts) >= REMEMBERED:
            cluster.accounts.clear()
        cluster.accounts[token] = account
    if account.expires <= cluster.now().timestamp():
        return None
    entry = cluster.store.entry(SERVICE_ACCOUNT, account.namespace, account.name)
    if entry is None or entry.metadata().get("uid") != account.uid:
        return None
    return account


def _read(cluster: Cluster, token: str) -> Account | None:
    claims = cluster.key.claims(token)
    if claims is None or ISSUER not in claims.get("aud", ()):
        return None
    about = claims["kubernetes.io"]
    account = about["serviceaccount"]
    return Account(
        about["namespace"], account["name"], account["uid"], claims["exp"], claims["jti"]
    )
