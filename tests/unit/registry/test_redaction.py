"""What looks like a secret does not reach the audit log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from fleet.model.secret import MASK, Secret
from fleet.registry.redaction import redacted


@pytest.mark.parametrize(
    "key",
    ["password", "Password", "sshPrivateKey", "bearer_token", "githubAppPrivateKey", "apiKey",
     "clientSecret", "tls_client_key", "gcp-service-account-credentials", "keyData"],
)  # fmt: skip
def test_named_like_a_secret(key: str) -> None:
    assert redacted({key: "s3cret", "name": "x"}) == {key: MASK, "name": "x"}
    assert redacted({"deep": [{key: {"a": "s3cret"}}]}) == {"deep": [{key: MASK}]}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("token_expires_at", "2026-01-01"),
        ("secretName", "tls"),
        ("passwordSet", True),
        ("password", ""),
        ("tokens", 3),
        ("namespace", "shop"),
    ],
)
def test_about_a_secret_is_none(key: str, value: Any) -> None:
    assert redacted({key: value}) == {key: value}


def test_data_of_a_secret_object() -> None:
    document = {"kind": "Secret", "data": {"a": "czNjcmV0"}, "metadata": {"name": "x"}}
    assert redacted(document) == {"kind": "Secret", "data": MASK, "metadata": {"name": "x"}}
    assert redacted({"kind": "ConfigMap", "data": {"a": "b"}})["data"] == {"a": "b"}  # type: ignore[index]


def test_named_values() -> None:
    assert redacted({"parameters": [{"name": "db.password", "value": "s3cret"}]}) == {
        "parameters": [{"name": "db.password", "value": MASK}]
    }


def test_password_in_a_url() -> None:
    shown = redacted({"repoURL": "https://ci:s3cret@git.example/shop.git"})
    assert shown == {"repoURL": f"https://ci:{MASK}@git.example/shop.git"}
    kept = {"repoURL": "ssh://git@git.example:22/shop.git"}
    assert redacted(kept) == kept


def test_plain_json_comes_out() -> None:
    shown = redacted({"at": datetime(2026, 1, 2, tzinfo=UTC), "nan": float("nan"), "list": (1, 2)})
    assert shown == {"at": "2026-01-02T00:00:00+00:00", "nan": None, "list": [1, 2]}
    assert redacted(None) is None


def test_a_secret_value_cannot_be_recorded_at_all() -> None:
    with pytest.raises(TypeError):
        redacted({"harmless": Secret("s3cret")})
