"""The guarded HTTP client against servers that misbehave."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from fleet.errors import AddressForbidden, SourceAuthFailed, SourceError, SourceUnreachable
from fleet.model.secret import Secret
from fleet.source import AddressRules
from fleet.source.http import HttpClient, Reply, Request, Route
from fleet.source.tls import Tls
from tests.servers.http import Fault, HttpServer, Response
from tests.servers.http import Request as Received
from tests.servers.tls import CertificateAuthority

TOKEN = Secret("Bearer very-secret")


def answer(request: Received) -> Response:
    if request.path == "/within":
        return Response(302, b"", {"Location": "/end?x=1"})
    if request.path == "/relative/here":
        return Response(307, b"", {"Location": "there"})
    if request.path == "/loop":
        return Response(302, b"", {"Location": "/loop"})
    return Response(200, b"hello", {"X-Kind": "Test"})


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer(answer) as server:
        yield server


@pytest.fixture
def other() -> Iterator[HttpServer]:
    with HttpServer(answer) as server:
        yield server


def loopback(*content_hosts: str) -> AddressRules:
    return AddressRules((ip_network("127.0.0.0/8"),), (), content_hosts)


async def get(rules: AddressRules, url: str, route: Route | None = None, **fields: object) -> Reply:
    return await HttpClient(rules, route).send(Request(url, **fields))  # type: ignore[arg-type]


async def test_a_plain_answer(server: HttpServer) -> None:
    reply = await get(loopback(), f"{server.url}/a?b=c", authorization=TOKEN)
    assert (reply.status, reply.body, reply.headers["x-kind"]) == (200, b"hello", "Test")
    assert server.requests[0].headers["authorization"] == "Bearer very-secret"
    assert server.requests[0].query == "b=c"


@pytest.mark.parametrize(
    ("path", "end"), [("/within", "/end?x=1"), ("/relative/here", "/relative/there")]
)
async def test_redirects_within_a_host(server: HttpServer, path: str, end: str) -> None:
    reply = await get(loopback(), server.url + path, authorization=TOKEN)
    assert reply.url == server.url + end
    assert all("authorization" in request.headers for request in server.requests)


async def test_a_redirect_to_another_host_is_refused(server: HttpServer, other: HttpServer) -> None:
    server.fault, server.redirect_to = Fault.REDIRECT, other.url
    with pytest.raises(AddressForbidden) as refused:
        await get(loopback(), server.url, authorization=TOKEN)
    assert "allowed_content_hosts" in refused.value.hint
    assert other.requests == []


async def test_an_allowed_redirect_carries_no_credential(
    server: HttpServer, other: HttpServer
) -> None:
    server.fault, server.redirect_to = Fault.REDIRECT, other.url
    rules = loopback(other.url.removeprefix("http://"))
    assert (await get(rules, f"{server.url}/x", authorization=TOKEN)).status == 200
    assert "authorization" not in other.requests[0].headers


async def test_there_is_no_way_back_with_the_credential_of_content(
    server: HttpServer, other: HttpServer
) -> None:
    """A request that content named stays one, wherever redirects lead."""
    rules = loopback(other.url.removeprefix("http://"))
    other.fault, other.redirect_to = Fault.REDIRECT, server.url
    with pytest.raises(AddressForbidden):
        await get(rules, other.url, registered=False)


async def test_a_circle_ends(server: HttpServer) -> None:
    with pytest.raises(SourceError, match="redirects"):
        await get(loopback(), f"{server.url}/loop")
    assert len(server.requests) == 6


async def test_a_redirected_post_is_refused(server: HttpServer) -> None:
    with pytest.raises(AddressForbidden):
        await get(loopback(), f"{server.url}/within", method="POST", body=b"secret")


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://x/", "http://user:pw@h/", "//evil/x", "/%00", "\\\\x"]
)
async def test_a_redirect_to_something_odd_is_refused(location: str) -> None:
    with HttpServer(lambda _: Response(302, b"", {"Location": location})) as server:
        with pytest.raises(Exception) as refused:  # noqa: PT011 - which of ours is not the point
            await get(loopback(), server.url)
        assert type(refused.value).__module__ == "fleet.errors"
        assert len(server.requests) == 1


@pytest.mark.parametrize("fault", [Fault.ENDLESS, Fault.DRIP])
async def test_a_body_without_end_is_cut(server: HttpServer, fault: Fault) -> None:
    server.fault = fault
    with pytest.raises(SourceError):
        await get(loopback(), server.url, Route(deadline_seconds=1), limit_bytes=300_000)


async def test_a_long_body_is_an_error_and_not_a_part_of_it(server: HttpServer) -> None:
    with pytest.raises(SourceError, match="longer than 4 bytes"):
        await get(loopback(), server.url, limit_bytes=4)
    assert (await get(loopback(), server.url, limit_bytes=5)).body == b"hello"


@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.TRUNCATE])
async def test_no_complete_answer_is_transient(server: HttpServer, fault: Fault) -> None:
    server.fault = fault
    with pytest.raises(SourceUnreachable):
        await get(loopback(), server.url, Route(deadline_seconds=0.5))


async def test_nothing_listens(server: HttpServer) -> None:
    server.close()
    with pytest.raises(SourceUnreachable):
        await get(loopback(), server.url)


async def test_this_machine_is_refused_before_connecting(server: HttpServer) -> None:
    for host in ("127.0.0.1", "127.1", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]", "localhost"):
        with pytest.raises((AddressForbidden, SourceUnreachable)):
            await get(AddressRules(), f"http://{host}:{server.port}/")
    assert server.requests == []


async def test_a_second_answer_of_the_name_server_changes_nothing(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def lookup(host: str, *_: object, **__: object) -> object:
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "127.0.0.9"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, server.port))]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    rules = AddressRules((ip_network("127.0.0.1/32"),))
    assert (await get(rules, f"http://rebind.test:{server.port}/")).status == 200
    assert asked == ["rebind.test"]


async def test_our_environment_is_not_the_clients(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert (await get(loopback(), server.url)).status == 200


async def test_what_is_labelled_as_packed_stays_packed() -> None:
    """Servers label chart archives so, and a digest is over the bytes as they are stored."""
    packed = gzip.compress(b"x" * 1_000_000)
    label = {"Content-Encoding": "gzip"}
    with HttpServer(lambda _: Response(200, packed, label)) as server:
        assert (await get(loopback(), server.url, limit_bytes=10_000)).body == packed
        assert server.requests[0].headers["accept-encoding"] == "identity"


async def test_tls(server: HttpServer) -> None:
    authority = CertificateAuthority("corp")
    with HttpServer(answer, tls=authority.issue("x", hosts=("127.0.0.1",))) as secure:
        with pytest.raises(SourceAuthFailed) as refused:
            await get(loopback(), secure.url)
        assert "fleet cert add-tls" in refused.value.hint
        trusted = Route(Tls(ca_pem=authority.pem))
        assert (await get(loopback(), secure.url, trusted)).status == 200
        assert (await get(loopback(), secure.url, Route(Tls(insecure=True)))).status == 200
        secure.fault, secure.redirect_to = Fault.REDIRECT, server.url
        allowed = loopback(server.url.removeprefix("http://"))
        with pytest.raises(AddressForbidden, match="plain http"):
            await get(allowed, secure.url, trusted)


async def test_a_certificate_for_another_name() -> None:
    authority = CertificateAuthority("corp")
    secure = HttpServer(answer, tls=authority.issue("x", hosts=("other.example",)))
    with secure, pytest.raises(SourceAuthFailed, match="not trusted"):
        await get(loopback(), secure.url, Route(Tls(ca_pem=authority.pem)))


async def test_tls_to_a_port_without_it(server: HttpServer) -> None:
    with pytest.raises(SourceAuthFailed, match="no TLS connection"):
        await get(loopback(), server.url.replace("http:", "https:"))


async def test_a_ca_that_is_no_ca() -> None:
    with pytest.raises(SourceAuthFailed, match="cannot be read"):
        await get(loopback(), "https://127.0.0.1:1/", Route(Tls(ca_pem="garbage")))


async def test_a_proxy_gets_the_request(server: HttpServer) -> None:
    reply = await get(loopback(), "http://10.255.255.1/thing", Route(proxy=server.url))
    assert reply.status == 200
    with pytest.raises(AddressForbidden):
        await get(loopback(), "http://169.254.169.254/", Route(proxy=server.url))
