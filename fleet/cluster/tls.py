"""TLS to API servers: what is trusted, what is shown, and what a connection costs in memory."""

from __future__ import annotations

import os
import ssl
import tempfile
from asyncio import sslproto
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from fleet.errors import Place, SpecInvalid
from fleet.model.clusters import Connection
from fleet.model.secret import Secret

READ_BUFFER_BYTES = 32 << 10


def shrink_read_buffers() -> None:
    """Let a TLS connection hold 32 KiB instead of asyncio's 256 KiB.

    A watch is idle nearly always, and there is one a cluster and kind: 300 of them took
    155 MB, with this 49 MB. Bulk reads pay with more, smaller steps. It concerns every TLS
    connection that this process opens from now on; asyncio has no setting for one alone.
    """
    sslproto.SSLProtocol.max_size = READ_BUFFER_BYTES


def context_for(connection: Connection, ca_pem: str) -> ssl.SSLContext:
    """The context of a connection that shows no certificate of its own.

    Raises:
        SpecInvalid: ``ca_pem`` holds no certificate.
    """
    return _context(ca_pem, connection.insecure_skip_tls_verify)


def context_with_certificate(
    connection: Connection, ca_pem: str, cert_pem: str, key_pem: Secret
) -> ssl.SSLContext:
    """The context of a connection that proves itself by a client certificate.

    Raises:
        SpecInvalid: the CA, the certificate or its key cannot be read or do not match.
    """
    # Never the shared context: every other cluster with this CA would show the certificate.
    context = _fresh_context(ca_pem, connection.insecure_skip_tls_verify)
    # The ssl module loads certificates from files only.
    try:
        with _as_file(cert_pem) as cert, _as_file(key_pem.reveal()) as key:
            context.load_cert_chain(cert, key, password=lambda: "")
    except (ssl.SSLError, ValueError, OSError) as exc:
        raise SpecInvalid(
            "the client certificate and its key cannot be used together",
            place=Place(field="client-certificate-data"),
            hint="Both have to be PEM, the key without a passphrase.",
        ) from exc
    return context


# One context a CA, not a connection: 379 → 297 KiB a connection, and TLS sessions resume.
@lru_cache(maxsize=1024)
def _context(ca_pem: str, insecure: bool) -> ssl.SSLContext:
    return _fresh_context(ca_pem, insecure)


def _fresh_context(ca_pem: str, insecure: bool) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=ca_pem or None)
    except (ssl.SSLError, ValueError) as exc:
        raise SpecInvalid(
            "the CA is not a PEM certificate", place=Place(field="certificate-authority-data")
        ) from exc
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Python 3.13 switched on checks that Go's TLS, and so every other client of these
    # clusters, does not make: CAs without key usage extensions are common among them.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@contextmanager
def _as_file(pem: str) -> Iterator[str]:
    """A path under which ``pem`` can be read once; in memory only, where the system can."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
        with os.fdopen(descriptor, "w") as file:
            file.write(pem)
            file.flush()
            yield f"/proc/self/fd/{descriptor}"
    else:
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:  # mode 0600
            file.write(pem)
            file.flush()
            yield file.name
