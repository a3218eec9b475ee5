"""known_hosts lines and PEM bundles as rows."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from fleet.errors import SpecInvalid
from fleet.source.certificates import parse_certificates
from fleet.source.known_hosts import host_pattern, parse_known_hosts

BLOB = b"\x00\x00\x00\x0bssh-ed25519" + b"\x00\x00\x00\x20" + bytes(32)
KEY = base64.b64encode(BLOB).decode()
FINGERPRINT = "SHA256:" + base64.b64encode(hashlib.sha256(BLOB).digest()).decode().rstrip("=")


def test_one_row_a_host_and_key() -> None:
    text = (
        f"# comment\n\ngit.example,10.0.0.1 ssh-ed25519 {KEY} me@here\n[h]:2222 ssh-ed25519 {KEY}\n"
    )
    rows = parse_known_hosts(text)
    assert [row.host for row in rows] == ["git.example", "10.0.0.1", "[h]:2222"]
    assert {row.fingerprint for row in rows} == {FINGERPRINT}
    assert rows[0].data == f"git.example ssh-ed25519 {KEY}"
    assert (rows[0].kind, rows[0].subtype) == ("ssh", "ssh-ed25519")


def test_a_hashed_host_stays_hashed() -> None:
    line = f"|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= ssh-ed25519 {KEY}"
    assert parse_known_hosts(line)[0].data == line


@pytest.mark.parametrize(
    "line",
    [
        "garbage",
        "host ssh-ed25519",
        f"host ssh-dss {KEY}",
        "host ssh-ed25519 not*base64",
        "host ssh-ed25519 AAAA",
        f"host ssh-rsa {KEY}",
        f"@cert-authority host ssh-ed25519 {KEY}",
        f"ho$t ssh-ed25519 {KEY}",
        "<html>404 Not Found</html>",
    ],
)
def test_garbage_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(SpecInvalid, match=r"^hosts:3: "):
        parse_known_hosts(f"# one\n# two\n{line}\n", "hosts")


def test_a_port_is_spelled_with_brackets() -> None:
    assert host_pattern("h", 22) == "h"
    assert host_pattern("h", 2222) == "[h]:2222"


def certificate() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "git.example")])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, SHA256())
    )
    return built.public_bytes(Encoding.PEM).decode()


def test_one_row_a_certificate() -> None:
    one, two = certificate(), certificate()
    rows = parse_certificates("git.example", f"# corp CA\n{one}\nsubject=x\n{two}")
    assert [row.data for row in rows] == [one, two]
    assert {row.subtype for row in rows} == {"ecdsa"}
    assert rows[0].fingerprint.startswith("SHA256:")
    assert rows[0].fingerprint != rows[1].fingerprint


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (lambda pem: "hello", 1),
        (lambda pem: "", 1),
        (lambda pem: pem.replace("CERTIFICATE", "PRIVATE KEY"), 1),
        (lambda pem: pem + pem[:80], 1 + certificate().count("\n")),
        (lambda pem: "\n\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", 3),
    ],
)
def test_a_bad_bundle_is_refused_with_its_line(spoil: object, line: int) -> None:
    with pytest.raises(SpecInvalid, match=rf"^ca.pem:{line}: "):
        parse_certificates("git.example", spoil(certificate()), "ca.pem")  # type: ignore[operator]
