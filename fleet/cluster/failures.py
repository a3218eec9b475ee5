"""What a call that got no answer means: exceptions of aiohttp, TLS and sockets → our error."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp

from fleet.cluster.calls import Call
from fleet.errors import ClusterAuthFailed, ClusterError, ClusterUnreachable

# OpenSSL's X509_V_ERR_* figures, as ``SSLCertVerificationError.verify_code`` gives them.
_EXPIRED, _NOT_YET_VALID = 10, 9
_UNKNOWN_AUTHORITY = (2, 18, 19, 20, 21)
_WRONG_NAME = (62, 64)


@contextmanager
def mapped(call: Call, cluster: str, server: str) -> Iterator[None]:
    """Turn whatever goes wrong between us and the server into one of our errors."""
    try:
        yield
    except (aiohttp.ClientError, OSError, TimeoutError, asyncio.IncompleteReadError) as exc:
        raise failure(exc, call, cluster, server) from exc


@contextmanager
def decoded(call: Call, cluster: str) -> Iterator[None]:
    """Turn what is wrong with a body into one of our errors: broken off, or something else
    than was asked for. Its words are not quoted, they are whoever's."""
    try:
        yield
    except (ValueError, EOFError, RecursionError) as exc:  # msgspec's and orjson's are both
        raise ClusterUnreachable(
            f"{call.subject}: {call.verb} on {cluster} failed: the answer is not what an API "
            "server sends, or broke off"
        ) from exc


def failure(exc: BaseException, call: Call, cluster: str, server: str) -> ClusterError:
    """The error that ``exc`` means. TLS first: it is what a person can repair."""
    opening = f"Cluster/{cluster}: {call.verb} of {call.subject} failed"
    for cause in _chain(exc):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _certificate(cause, cluster, server)
        if isinstance(cause, ssl.SSLError):
            return _tls(cause, cluster, server)
    return ClusterUnreachable(
        f"{opening}: {_reason(exc, server)}",
        hint="Check the address, and that a network, firewall or proxy lets this machine through.",
        object=f"Cluster/{cluster}",
    )


def _reason(exc: BaseException, server: str) -> str:
    if isinstance(exc, TimeoutError):
        return f"no complete answer from {server} in time"
    if isinstance(exc, aiohttp.ClientProxyConnectionError | aiohttp.ClientHttpProxyError):
        return f"the proxy in front of {server} refused"
    if isinstance(exc, aiohttp.ClientConnectorDNSError):
        return f"the name of {server} does not resolve"
    if isinstance(exc, aiohttp.ClientPayloadError | aiohttp.ServerDisconnectedError):
        return f"{server} closed the connection mid-answer"
    if isinstance(exc, OSError) and exc.strerror:
        return f"{server}: {exc.strerror}"
    return f"{server} did not answer as HTTP ({type(exc).__name__})"


def _chain(exc: BaseException) -> Iterator[BaseException]:
    """What ``exc`` wraps, then itself. aiohttp's TLS errors claim to be ``ssl.SSLError`` but
    keep the real one, which alone has a reason, in attributes of their own."""
    for name in ("certificate_error", "os_error", "_os_error", "__cause__", "__context__"):
        inner = getattr(exc, name, None)
        if isinstance(inner, ssl.SSLError):
            yield inner
    yield exc


def _certificate(error: ssl.SSLCertVerificationError, cluster: str, server: str) -> ClusterError:
    code = getattr(error, "verify_code", 0)
    words = getattr(error, "verify_message", "the certificate cannot be verified").rstrip(".")
    hint = ""
    if code in _UNKNOWN_AUTHORITY:
        words = "certificate signed by unknown authority"
        hint = "Pass the cluster's own CA with --ca (in kubeconfig certificate-authority-data)."
    elif code in _WRONG_NAME:
        words = "the certificate is for another name"
        hint = "Use a name that is in the certificate, or --tls-server-name."
    elif code in (_EXPIRED, _NOT_YET_VALID):
        words = "the certificate is expired or not yet valid"
        hint = "Renew it on the cluster, and check the clock here."
    return ClusterUnreachable(
        f"Cluster/{cluster}: TLS with {server} failed: {words}",
        hint=hint,
        object=f"Cluster/{cluster}",
    )


def _tls(error: ssl.SSLError, cluster: str, server: str) -> ClusterError:
    reason = (getattr(error, "reason", None) or "").upper()
    if "ALERT" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason):
        return ClusterAuthFailed(
            f"Cluster/{cluster}: {server} refused our client certificate",
            hint="It is expired, revoked, or from another cluster: give it a new one.",
            object=f"Cluster/{cluster}",
        )
    if "WRONG_VERSION" in reason or "HTTP_REQUEST" in reason or "RECORD_LAYER" in reason:
        words = "the server there does not speak TLS"
    else:
        words = reason.replace("_", " ").lower() or "handshake failed"
    return ClusterUnreachable(
        f"Cluster/{cluster}: TLS with {server} failed: {words}",
        hint="Is this the address of a Kubernetes API server?",
        object=f"Cluster/{cluster}",
    )
