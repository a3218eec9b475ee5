"""What looks like a secret does not reach the audit log."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from fleet.model.secret import MASK, Secret
from fleet.registry.redaction import redacted

SALT = b"0123456789abcdef"


def shown(value: dict[str, Any]) -> Any:
    """As it is kept, with labels cut down to their mask."""
    return _plain(redacted(value, SALT))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return re.sub(re.escape(MASK) + r"\([0-9a-f]{8}\)", MASK, value)
    return value


@pytest.mark.parametrize(
    "key",
    ["password", "Password", "sshPrivateKey", "bearer_token", "githubAppPrivateKey", "apiKey",
     "clientSecret", "tls_client_key", "gcp-service-account-credentials", "keyData",
     "DB_PASS", "redis.pw", "encryptionKey", "dsn"],
)  # fmt: skip
def test_named_like_a_secret(key: str) -> None:
    assert shown({key: "s3cret", "name": "x"}) == {key: MASK, "name": "x"}
    assert shown({"deep": [{key: {"a": "s3cret"}}]}) == {"deep": [{key: MASK}]}
    assert shown({key: 12345}) == {key: MASK}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("token_expires_at", "2026-01-01"),
        ("secretName", "tls"),
        ("existingSecret", "db"),
        ("imagePullSecrets", [{"name": "registry"}]),
        ("passwordSet", True),
        ("password", ""),
        ("password", None),
        ("tokens", 3),
        ("namespace", "shop"),
        ("topologyKey", "kubernetes.io/hostname"),
        ("values", ["prod", "test"]),
        ("signatureKeys", [{"keyID": "ABCDEF"}]),
        ("tolerations", [{"key": "dedicated", "operator": "Exists"}]),
        ("secretKeyRef", {"name": "db", "key": "password"}),
        ("images", ["web=registry.example/token-service:v1.2.3"]),
        ("commonLabels", {"team": "secrets"}),
    ],
)
def test_about_a_secret_is_none(key: str, value: Any) -> None:
    assert shown({key: value}) == {key: value}


def test_data_of_a_secret_object() -> None:
    document = {"kind": "Secret", "data": {"a": "czNjcmV0"}, "metadata": {"name": "x"}}
    assert shown(document) == {"kind": "Secret", "data": MASK, "metadata": {"name": "x"}}
    assert shown({"kind": "ConfigMap", "data": {"a": "b"}})["data"] == {"a": "b"}


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("db.password", MASK),
        ("auth.pw", MASK),
        ("global.apiKey", MASK),
        ("key", MASK),
        ("image.tag", "v1.2.3"),
        ("replicas", "v1.2.3"),
        ("auth.existingSecret", "v1.2.3"),
    ],
)
def test_named_values(name: str, seen: str) -> None:
    parameters = [{"name": name, "value": "v1.2.3", "forceString": True}]
    kept = [{"name": name, "value": seen, "forceString": True}]
    assert shown({"parameters": parameters}) == {"parameters": kept}


PATCH = "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData:\n  a: hunter2\n"
SOURCES: dict[str, dict[str, Any]] = {
    "helm values": {"helm": {"values": "db:\n  pw_of_db: hunter2"}},
    "helm values on one line": {"helm": {"values": "a: hunter2"}},
    "helm values object": {"helm": {"valuesObject": {"db": {"password": "hunter2"}}}},
    "a bare key": {"helm": {"valuesObject": {"encryption": {"key": "hunter2"}}}},
    "text in a values object": {"helm": {"valuesObject": {"extra": "db:\n  password: hunter2\n"}}},
    "an argument": {"helm": {"parameters": [{"name": "args", "value": "--password=hunter2"}]}},
    "kustomize patch": {"kustomize": {"patches": [{"target": {"kind": "Secret"}, "patch": PATCH}]}},
    "patch of one path": {
        "kustomize": {
            "patches": [{"patch": '[{"op":"replace","path":"/data/a","value":"hunter2"}]'}]
        }
    },
    "jsonnet code": {
        "directory": {
            "jsonnet": {"tlas": [{"name": "db", "value": '{password:"hunter2"}', "code": True}]}
        }
    },
    "jsonnet text": {"directory": {"jsonnet": {"extVars": [{"name": "pw", "value": "hunter2"}]}}},
    "plugin": {"plugin": {"env": [{"name": "DB_PASS", "value": "hunter2"}]}},
    "plugin parameter": {"plugin": {"parameters": [{"name": "tokens", "array": ["hunter2"]}]}},
    "token in a URL": {"repoURL": "https://hunter2@git.example/shop.git"},
    "token as user": {"repoURL": "https://hunter2:x-oauth-basic@git.example/shop.git"},
    "password in a URL": {"repoURL": "ssh://ci:hunter2@git.example/shop.git"},
    "query of a URL": {"repoURL": "https://git.example/shop.git?private_token=hunter2"},
}


def _has_label(what: str) -> bool:
    return "repoURL" not in SOURCES[what] and what != "an argument"


@pytest.mark.parametrize("what", SOURCES)
def test_no_secret_of_an_application_is_kept(what: str) -> None:
    document = {
        "kind": "Application",
        "metadata": {
            "name": "web",
            "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": str(SOURCES[what]),
            },
        },
        "spec": {"source": SOURCES[what]},
    }
    kept = redacted(document, SALT)
    assert "hunter2" not in str(kept)
    assert MASK in str(kept["spec"])  # type: ignore[index]


@pytest.mark.parametrize("what", [name for name in SOURCES if _has_label(name)])
def test_that_a_secret_changed_is_seen(what: str) -> None:
    before = redacted({"source": SOURCES[what]}, SALT)
    changed = orjson.loads(orjson.dumps(SOURCES[what]).replace(b"hunter2", b"hunter3"))
    assert redacted({"source": SOURCES[what]}, SALT) == before
    assert redacted({"source": changed}, SALT) != before
    # in another entry the same value has another label
    assert redacted({"source": SOURCES[what]}, SALT[::-1]) != before


def test_equal_secrets_in_two_places_have_two_labels() -> None:
    kept = redacted({"a": {"password": "x"}, "b": {"password": "x"}}, SALT)
    assert kept is not None
    assert kept["a"] != kept["b"]


def test_a_user_in_a_url() -> None:
    kept = {"repoURL": "ssh://git@git.example:22/shop.git"}
    assert shown(kept) == kept


def test_plain_json_comes_out() -> None:
    kept = shown({"at": datetime(2026, 1, 2, tzinfo=UTC), "nan": float("nan"), "list": (1, 2)})
    assert kept == {"at": "2026-01-02T00:00:00+00:00", "nan": None, "list": [1, 2]}
    assert redacted(None, SALT) is None


def test_a_secret_value_cannot_be_recorded_at_all() -> None:
    with pytest.raises(TypeError):
        redacted({"harmless": Secret("s3cret")}, SALT)
