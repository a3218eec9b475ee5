"""Signatures as ``cosign sign --key`` stores them in a registry, in each of its forms."""

from __future__ import annotations

import base64
import hashlib
import json

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.servers.oci_registry import MANIFEST, OciRegistry

SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
INDEX = "application/vnd.oci.image.index.v1+json"
IN_TOTO = "application/vnd.in-toto+json"
SIGN = "https://sigstore.dev/cosign/sign/v1"


class CosignKey:
    """A key pair as ``cosign generate-key-pair`` or ``import-key-pair`` gives one."""

    def __init__(self, kind: str = "ecdsa") -> None:
        self._key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
        if kind == "ecdsa":
            self._key = ec.generate_private_key(ec.SECP256R1())
        elif kind == "ed25519":
            self._key = ed25519.Ed25519PrivateKey.generate()
        else:
            self._key = rsa.generate_private_key(65537, 2048)
        public = self._key.public_key()
        form = PublicFormat.SubjectPublicKeyInfo
        self.public = public.public_bytes(Encoding.PEM, form).decode()
        der = public.public_bytes(Encoding.DER, form)
        self.id = f"SHA256:{_base64(hashlib.sha256(der).digest()).rstrip('=')}"

    def sign(self, message: bytes) -> bytes:
        if isinstance(self._key, ec.EllipticCurvePrivateKey):
            return self._key.sign(message, ec.ECDSA(hashes.SHA256()))
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        return self._key.sign(message)


def payload(digest: str, kind: str = "cosign container image signature") -> bytes:
    """The document that is signed, of the older form."""
    critical = {
        "identity": {"docker-reference": "registry.test/shop"},
        "image": {"docker-manifest-digest": digest},
        "type": kind,
    }
    return json.dumps({"critical": critical, "optional": None}).encode()


def bundle(key: CosignKey, digest: str, predicate: str = SIGN) -> bytes:
    """The document that holds signature and statement, of the newer form."""
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": digest.removeprefix("sha256:")}}],
        "predicateType": predicate,
        "predicate": {},
    }
    body = json.dumps(statement).encode()
    signed = b" ".join(
        (b"DSSEv1", str(len(IN_TOTO)).encode(), IN_TOTO.encode(), str(len(body)).encode(), body)
    )
    envelope = {
        "payload": _base64(body),
        "payloadType": IN_TOTO,
        "signatures": [{"sig": _base64(key.sign(signed))}],
    }
    material = {"publicKey": {"hint": key.id.removeprefix("SHA256:")}, "tlogEntries": []}
    return json.dumps(
        {"mediaType": BUNDLE, "verificationMaterial": material, "dsseEnvelope": envelope}
    ).encode()


def sign(
    registry: OciRegistry,
    repository: str,
    digest: str,
    key: CosignKey,
    *,
    about: str = "",
    document: bytes = b"",
) -> None:
    """Store a signature where cosign looks for one of ``digest``: at a tag.

    Args:
        about: the digest that is really signed, where that is another one.
        document: what is put there in place of what was signed.
    """
    signed = payload(about or digest)
    layer = registry.describe(repository, document or signed, SIMPLE)
    layer["annotations"] = {"dev.cosignproject.cosign/signature": _base64(key.sign(signed))}
    registry.put_manifest(
        repository, f"{digest.replace(':', '-')}.sig", _manifest(registry, repository, layer)
    )


def refer(
    registry: OciRegistry,
    repository: str,
    digest: str,
    key: CosignKey,
    *,
    about: str = "",
    predicate: str = SIGN,
) -> None:
    """Store a bundle that refers to ``digest``, and list it at the tag for registries that keep
    no such list themselves."""
    layer = registry.describe(repository, bundle(key, about or digest, predicate), BUNDLE)
    manifest = {
        **_manifest(registry, repository, layer),
        "artifactType": BUNDLE,
        "subject": {"mediaType": MANIFEST, "digest": digest, "size": 1},
    }
    made = registry.put_manifest(repository, "", manifest)
    size = len(json.dumps(manifest))
    entry = {"mediaType": MANIFEST, "digest": made, "size": size, "artifactType": BUNDLE}
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}
    registry.put_manifest(repository, digest.replace(":", "-"), index, INDEX)


def _manifest(
    registry: OciRegistry, repository: str, layer: dict[str, object]
) -> dict[str, object]:
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": registry.describe(repository, b"{}", "application/vnd.oci.empty.v1+json"),
        "layers": [layer],
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
