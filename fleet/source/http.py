"""The one HTTP client of the room: it connects only to addresses that were checked.

Redirects are followed by hand, at most five, each judged as a URL that content named unless
it stays on the same scheme, host and port. Credentials go to the origin they were given for
and nowhere else. Bodies are cut at a stated size; the whole exchange has one deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from fleet.errors import AddressForbidden, SourceAuthFailed, SourceError, SourceUnreachable
from fleet.model.secret import Secret
from fleet.source.addresses import AddressRules, check_host
from fleet.source.tls import Tls, context_for
from fleet.source.urls import RepositoryUrl, join_url, parse_url

CONNECT_SECONDS = 5.0
MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEADER_LIMIT = 16 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """One question.

    Attributes:
        authorization: value of the header, sent to the origin of ``url`` only.
        registered: False when content named ``url``.
        limit_bytes: a longer body is an error, not a truncation.
    """

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    authorization: Secret | None = None
    registered: bool = True
    limit_bytes: int = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """Header names are lower case. ``url`` is where the answer came from, after redirects."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


@dataclass(frozen=True, slots=True)
class Route:
    """How one repository is reached: its TLS and proxy, and the deadline of an exchange."""

    tls: Tls = Tls()
    proxy: str = ""
    no_proxy: str = ""
    deadline_seconds: float = 60.0


class HttpClient:
    """A guarded client for one ``Route``; cheap, holds no connection between requests."""

    def __init__(self, rules: AddressRules, route: Route | None = None) -> None:
        self._rules = rules
        self._route = route or Route()

    async def send(self, request: Request) -> Reply:
        """Ask, follow allowed redirects, and return the last answer, whatever its status.

        Raises:
            AddressForbidden: the host, or one that it redirects to, is not allowed.
            SourceUnreachable: DNS, connection, deadline.
            SourceAuthFailed: the server's certificate is not trusted.
            SourceError: the body is too long, or the answer is no HTTP.
        """
        target = parse_url(request.url, link=True)
        if target.scheme not in {"http", "https"}:
            raise SourceError(f"{target.netloc}: not an http URL")
        try:
            async with asyncio.timeout(self._route.deadline_seconds):
                return await self._follow(request, target)
        except TimeoutError:
            raise SourceUnreachable(
                f"{target.netloc}: no complete answer within {self._route.deadline_seconds:g} s"
            ) from None

    async def _follow(self, request: Request, first: RepositoryUrl) -> Reply:
        target, registered = first, request.registered
        for _ in range(MAX_REDIRECTS + 1):
            same = target.origin == first.origin
            reply = await self._exchange(request, target, registered=registered, trusted=same)
            if reply.status not in _REDIRECTS or "location" not in reply.headers:
                return reply
            if request.method != "GET":
                raise AddressForbidden(f"{target.netloc}: redirected a {request.method}")
            following = parse_url(_location(target, reply), link=True)
            if target.scheme == "https" and following.scheme != "https":
                raise AddressForbidden(f"{target.netloc}: redirected from https to plain http")
            registered = request.registered if following.origin == first.origin else False
            target = following
        raise SourceError(f"{first.netloc}: more than {MAX_REDIRECTS} redirects")

    async def _exchange(
        self, request: Request, target: RepositoryUrl, *, registered: bool, trusted: bool
    ) -> Reply:
        headers = {"Accept-Encoding": "identity", "User-Agent": "fleet"}
        # Any header may be a credential; another host learns only what we can read.
        headers |= {k: v for k, v in request.headers.items() if trusted or k == "Accept"}
        if trusted and request.authorization:
            headers["Authorization"] = request.authorization.reveal()
        tls = self._route.tls if trusted else Tls()
        async with (
            self._session(target, registered, tls) as (session, proxy),
            session.request(
                request.method,
                str(target),
                headers=headers,
                data=request.body,
                proxy=proxy,
                allow_redirects=False,
            ) as response,
        ):
            body = await _read(response, request.limit_bytes, target)
            lowered = {name.lower(): value for name, value in response.headers.items()}
            return Reply(response.status, lowered, body, str(target))

    @contextlib.asynccontextmanager
    async def _session(
        self, target: RepositoryUrl, registered: bool, tls: Tls
    ) -> AsyncIterator[tuple[aiohttp.ClientSession, str | None]]:
        proxy = proxy_for(self._route.proxy, self._route.no_proxy, target)
        pinned = await checked_hosts(self._rules, target, proxy, registered=registered)
        connector = aiohttp.TCPConnector(
            resolver=_Pinned(pinned), use_dns_cache=False, force_close=True, ssl=context_for(tls)
        )
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
        async with aiohttp.ClientSession(
            connector=connector,
            timeout=timeout,
            trust_env=False,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            max_line_size=_HEADER_LIMIT,
            max_field_size=_HEADER_LIMIT,
        ) as session:
            with _mapped(target):
                yield session, proxy or None


def refuse_status(reply: Reply, url: str) -> None:
    """Raise what an HTTP status means.

    Raises:
        SourceAuthFailed: 401, 403, 407. SourceUnreachable: 429, 5xx. SourceError: the rest
            that is no success.
    """
    if reply.status in {401, 403, 407}:
        raise SourceAuthFailed(
            f"{url}: the server refused the credential, or wants one ({reply.status})",
            hint=f"Check the credential: `fleet repo get {url}` shows which one is used.",
        )
    if reply.status == 429 or reply.status >= 500:
        raise SourceUnreachable(f"{url}: the server answered {reply.status}")
    if reply.status != 200:
        raise SourceError(f"{url}: the server answered {reply.status}")


def proxy_for(proxy: str, no_proxy: str, target: RepositoryUrl) -> str:
    """The proxy to use for ``target``, or ``""``. ``no_proxy`` is a comma list of hosts,
    domain suffixes (with or without a leading dot), or ``*``."""
    if not proxy:
        return ""
    for entry in (part.strip().lower() for part in no_proxy.split(",")):
        suffix = "." + entry.removeprefix("*").removeprefix(".")
        if entry == "*" or entry in {target.host, f"{target.host}:{target.port}"}:
            return ""
        if entry and target.host.endswith(suffix):
            return ""
    return proxy


async def checked_hosts(
    rules: AddressRules, target: RepositoryUrl, proxy: str, *, registered: bool
) -> dict[str, tuple[str, ...]]:
    """Host → checked addresses for a direct connection, or for the proxy.

    Behind a proxy the proxy resolves the target, so only its name and a literal address can
    be judged here; the proxy is the administrator's.
    """
    if not proxy:
        return {target.host: await check_host(rules, target, registered=registered)}
    via = parse_url(_without_user(proxy))
    if via.scheme not in {"http", "https"}:
        raise SourceError("the proxy is not an http or https URL")
    if not registered or target.host.replace(".", "").isdigit() or ":" in target.host:
        await check_host(rules, target, registered=registered)
    return {via.host: await check_host(rules, via, registered=True)}


def _without_user(proxy: str) -> str:
    scheme, separator, rest = proxy.partition("://")
    authority = rest.partition("/")[0]
    return f"{scheme}{separator}{authority.rpartition('@')[2]}"


class _Pinned(AbstractResolver):
    """Answers with the checked addresses, and for no other host."""

    def __init__(self, hosts: Mapping[str, tuple[str, ...]]) -> None:
        self._hosts = hosts

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        del family
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._hosts.get(host.lower().removesuffix("."), ())
        ]

    async def close(self) -> None:
        pass


async def _read(response: aiohttp.ClientResponse, limit: int, target: RepositoryUrl) -> bytes:
    chunks: list[bytes] = []
    total = 0
    async for chunk in response.content.iter_any():
        total += len(chunk)
        if total > limit:
            response.close()
            raise SourceError(f"{target.netloc}: the answer is longer than {limit} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _location(target: RepositoryUrl, reply: Reply) -> str:
    location = reply.headers["location"]
    if location.startswith("//"):
        return f"{target.scheme}:{location}"
    if location.startswith("/"):
        return f"{target.scheme}://{target.netloc}{location}"
    parent = f"{target.scheme}://{target.netloc}{target.path.rpartition('/')[0]}"
    return join_url(parent, location)


@contextlib.contextmanager
def _mapped(target: RepositoryUrl) -> Iterator[None]:
    try:
        yield
    except aiohttp.ClientConnectorCertificateError as error:
        raise SourceAuthFailed(
            f"{target.netloc}: its TLS certificate is not trusted",
            hint=f"Trust its CA with `fleet cert add-tls {target.host} --from FILE`.",
        ) from error
    except (aiohttp.ClientSSLError, ssl.SSLError) as error:
        raise SourceAuthFailed(
            f"{target.netloc}: no TLS connection",
            hint="Does that port speak TLS, and does the server want a client certificate?",
        ) from error
    except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
        raise SourceUnreachable(f"{target.netloc}: the connection failed") from error
    except (aiohttp.ClientError, ValueError) as error:
        raise SourceError(f"{target.netloc}: the answer is not proper HTTP") from error
