"""Servers that ask for a client certificate, over the HTTP client and over git."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fleet.errors import FleetError, SourceError
from fleet.model.repositories import RepositoryAuth
from fleet.model.secret import Secret
from fleet.source import AddressRules, Mirrors
from fleet.source.http import HttpClient, Request, Route
from fleet.source.tls import Tls
from tests.integration.source.repos import remote_to
from tests.servers.tls import CertificateAuthority, Pair

AUTHORITY = CertificateAuthority("corp")
CLIENT = AUTHORITY.issue("ci")


@dataclass
class Strict:
    """Answers 404 to whoever shows a certificate of ours; ``subjects`` are who did."""

    port: int = 0
    subjects: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        certificate = writer.get_extra_info("peercert")
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.subjects.append(certificate["subject"][0][0][1])
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def strict(tmp_path: Path) -> AsyncIterator[Strict]:
    pair: Pair = AUTHORITY.issue("server", hosts=("127.0.0.1",))
    (tmp_path / "crt").write_text(pair.certificate)
    (tmp_path / "key").write_text(pair.key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=AUTHORITY.pem)
    context.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    context.verify_mode = ssl.CERT_REQUIRED
    strict = Strict()
    server = await asyncio.start_server(strict.serve, "127.0.0.1", 0, ssl=context)
    strict.port = server.sockets[0].getsockname()[1]
    yield strict
    server.close()


async def test_the_http_client_shows_it(strict: Strict, rules: AddressRules) -> None:
    url = f"https://127.0.0.1:{strict.port}/x"
    tls = Tls(AUTHORITY.pem, CLIENT.certificate, Secret(CLIENT.key))
    assert (await HttpClient(rules, Route(tls)).send(Request(url))).status == 404
    assert strict.subjects == ["ci"]
    with pytest.raises(FleetError):
        await HttpClient(rules, Route(Tls(AUTHORITY.pem))).send(Request(url))
    assert strict.subjects == ["ci"]


async def test_git_shows_it(strict: Strict, mirrors: Mirrors, tmp_path: Path) -> None:
    url = f"https://127.0.0.1:{strict.port}/shop.git"
    auth = RepositoryAuth(
        tls_client_cert_pem=CLIENT.certificate, tls_client_key_pem=Secret(CLIENT.key)
    )
    with pytest.raises(SourceError, match="no such repository"):
        await mirrors.ls_remote(remote_to(url, auth=auth, ca_pem=AUTHORITY.pem))
    assert strict.subjects == ["ci"]
    with pytest.raises(SourceError):
        await mirrors.ls_remote(remote_to(url, ca_pem=AUTHORITY.pem))
    assert strict.subjects == ["ci"]
    assert list((tmp_path / "home" / "scratch").iterdir()) == []


async def test_a_key_that_does_not_fit(strict: Strict, rules: AddressRules) -> None:
    other = AUTHORITY.issue("other")
    tls = Tls(AUTHORITY.pem, CLIENT.certificate, Secret(other.key))
    with pytest.raises(SourceError, match="cannot be read"):
        await HttpClient(rules, Route(tls)).send(Request(f"https://127.0.0.1:{strict.port}/x"))
