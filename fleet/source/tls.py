"""TLS as a repository wants it: which CA, which client certificate, verified or not."""

from __future__ import annotations

import os
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path

from fleet.errors import SourceAuthFailed
from fleet.model.repositories import Remote
from fleet.model.secret import Secret


@dataclass(frozen=True, slots=True)
class Tls:
    """``ca_pem`` replaces the system's roots, as in git and curl: a host with a CA of its own
    is not reachable through a certificate that anyone else signed."""

    ca_pem: str = ""
    client_cert_pem: str = ""
    client_key_pem: Secret | None = None
    insecure: bool = False


def tls_of(remote: Remote) -> Tls:
    """What ``remote`` asks for."""
    return Tls(
        ca_pem=remote.ca_pem,
        client_cert_pem=remote.auth.tls_client_cert_pem,
        client_key_pem=remote.auth.tls_client_key_pem,
        insecure=remote.options.insecure,
    )


def context_for(tls: Tls) -> ssl.SSLContext:
    """An SSL context; TLS 1.2 at least.

    Raises:
        SourceAuthFailed: the CA or the client certificate cannot be read.
    """
    try:
        context = ssl.create_default_context(cadata=tls.ca_pem or None)
        # curl trusts an intermediate or a leaf that is listed as such, and so do we.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if tls.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if tls.client_cert_pem and tls.client_key_pem:
            _load_client(context, tls.client_cert_pem, tls.client_key_pem)
    except (ssl.SSLError, ValueError) as error:
        raise SourceAuthFailed("the CA or client certificate cannot be read") from error
    return context


def write_private(path: Path, text: str) -> Path:
    """Write a file that only this user can read; it must not exist yet."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def _load_client(context: ssl.SSLContext, certificate: str, key: Secret) -> None:
    # OpenSSL reads these from files only.
    with tempfile.TemporaryDirectory(prefix="fleet-tls-") as folder:
        cert_file = write_private(Path(folder, "cert.pem"), certificate)
        key_file = write_private(Path(folder, "key.pem"), key.reveal())
        context.load_cert_chain(cert_file, key_file, password=lambda: "")
