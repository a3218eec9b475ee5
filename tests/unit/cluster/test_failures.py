from __future__ import annotations

import inspect
import ssl
from typing import Any

import aiohttp
import msgspec
import orjson
import pytest
from aiohttp.client_reqrep import ConnectionKey

from fleet.cluster.calls import call_to
from fleet.cluster.failures import decoded, mapped
from fleet.errors import ClusterAuthFailed, ClusterError, ClusterUnreachable

CALL = call_to("/version")
KEY = ConnectionKey("eu", 443, True, True, None, None, None, None)


def raised(exc: BaseException) -> ClusterError:
    with pytest.raises(ClusterError) as caught, mapped(CALL, "eu-1", "https://eu"):
        raise exc
    assert "eu-1" in str(caught.value)
    return caught.value


def exported() -> list[type[Exception]]:
    found = (getattr(aiohttp, name) for name in aiohttp.__all__)
    return [cls for cls in found if inspect.isclass(cls) and issubclass(cls, aiohttp.ClientError)]


@pytest.mark.parametrize("cls", exported(), ids=lambda cls: cls.__name__)
def test_every_error_of_the_http_library_is_mapped(cls: type[Exception]) -> None:
    arguments: dict[str, Any] = {}
    for name, parameter in inspect.signature(cls.__init__).parameters.items():
        if name in ("connection_key", "_connection_key"):
            arguments[name] = KEY
        elif name == "os_error":
            arguments[name] = OSError(111, "refused")
        elif name == "certificate_error":
            arguments[name] = ssl.SSLCertVerificationError("bad")
        elif (
            name != "self"
            and parameter.default is parameter.empty
            and parameter.kind
            in (
                parameter.POSITIONAL_OR_KEYWORD,
                parameter.KEYWORD_ONLY,
            )
        ):
            arguments[name] = None
    if cls is aiohttp.ServerFingerprintMismatch:
        arguments |= {"expected": b"", "got": b"", "host": "eu", "port": 443}

    assert isinstance(raised(cls(**arguments)), ClusterError)


@pytest.mark.parametrize(
    "exc",
    [TimeoutError(), ConnectionResetError(104, "reset"), OSError(), BrokenPipeError(32, "pipe")],
)
def test_sockets_and_clocks_are_mapped(exc: Exception) -> None:
    assert type(raised(exc)) is ClusterUnreachable


def certificate_error(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError("x")
    error.verify_code, error.verify_message = code, "words of OpenSSL"
    return error


@pytest.mark.parametrize(
    ("code", "words", "hint"),
    [
        (19, "signed by unknown authority", "--ca"),
        (62, "for another name", "--tls-server-name"),
        (10, "expired", "Renew"),
        (23, "words of OpenSSL", ""),
    ],
)
def test_a_bad_certificate_says_what_to_do(code: int, words: str, hint: str) -> None:
    found = raised(certificate_error(code))

    assert words in str(found)
    assert hint in found.hint


@pytest.mark.parametrize(
    ("reason", "error", "words"),
    [
        ("WRONG_VERSION_NUMBER", ClusterUnreachable, "does not speak TLS"),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", ClusterAuthFailed, "client certificate"),
        ("TLSV1_ALERT_UNKNOWN_CA", ClusterAuthFailed, "client certificate"),
        ("UNSUPPORTED_PROTOCOL", ClusterUnreachable, "unsupported protocol"),
        (None, ClusterUnreachable, "handshake failed"),
    ],
)
def test_a_failed_handshake_is_told(reason: str, error: type[ClusterError], words: str) -> None:
    broken = ssl.SSLError()
    broken.reason = reason

    found = raised(aiohttp.ClientConnectorSSLError(KEY, broken))

    assert type(found) is error
    assert words in str(found)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"<html>", b"\xff"])
def test_a_body_that_is_not_what_was_asked_for_is_mapped(body: bytes) -> None:
    class Wanted(msgspec.Struct):
        kind: str

    with pytest.raises(ClusterUnreachable), decoded(CALL, "eu-1"):
        msgspec.json.decode(body, type=Wanted)
    if body != b"[]":
        with pytest.raises(ClusterUnreachable), decoded(CALL, "eu-1"):
            orjson.loads(body)


def test_a_mistake_of_ours_is_not_blamed_on_the_server() -> None:
    with pytest.raises(KeyError), mapped(CALL, "eu-1", "https://eu"):
        raise KeyError("x")
