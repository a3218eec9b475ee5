"""Calls of the HTTP API, one after the other, whoever answers them."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn
from urllib.parse import quote

import httpx

from fleet.cli.failures import error_from
from fleet.errors import FleetError, ServerUnreachable

PREFIX = "/api/v1"
PAGE = 500
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 180.0  # a diff asks the cluster about every object of an application

_BROKE_OFF = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)
_HINT = "`fleet context` shows which server is used; `fleet up` starts one on this machine."

Query = Mapping[str, Any]


class Api:
    """One Fleet. Paths are given in parts, so that no name can add a part of its own.

    Args:
        where: what it is called in messages.
        local: it runs in this process.
    """

    def __init__(
        self, runner: asyncio.Runner, http: httpx.AsyncClient, where: str, *, local: bool
    ) -> None:
        self._runner = runner
        self._http = http
        self.where = where
        self.local = local

    def get(self, *path: str, query: Query | None = None) -> Any:
        return self._call("GET", path, query, None)

    def post(
        self, *path: str, body: Any = None, query: Query | None = None, once: bool = False
    ) -> Any:
        """Args:
        once: never sent again: the answer holds what is shown only once.
        """
        return self._call("POST", path, query, {} if body is None else body, once=once)

    def put(self, *path: str, body: Any) -> Any:
        return self._call("PUT", path, None, body)

    def patch(self, *path: str, body: Any, query: Query | None = None) -> Any:
        return self._call("PATCH", path, query, body)

    def delete(self, *path: str, query: Query | None = None) -> Any:
        return self._call("DELETE", path, query, None)

    def items(self, *path: str, query: Query | None = None, most: int = 0) -> list[Any]:
        """Every item of a list, page by page; at most ``most`` unless that is 0."""
        found: list[Any] = []
        after = ""
        while True:
            limit = min(PAGE, most - len(found)) if most else PAGE
            page = self.get(*path, query={**(query or {}), "limit": limit, "after": after})
            found += page["items"]
            after = page.get("next", "")
            if not after or (most and len(found) >= most):
                return found

    def alive(self) -> bool:
        """Whether a Fleet answers there at all; asks without a token."""
        try:
            answer = self._run(self._http.get("/healthz", headers={"Authorization": ""}))
        except httpx.HTTPError:
            return False
        return answer.status_code == 200 and _is_json(answer)

    def pause(self, seconds: float) -> None:
        """Between two looks at something; an interrupt ends it at once."""
        time.sleep(seconds)

    def _run(self, call: Any) -> httpx.Response:
        async def answered() -> httpx.Response:
            response: httpx.Response = await call
            return response

        return self._runner.run(answered())

    def _call(
        self,
        method: str,
        path: tuple[str, ...],
        query: Query | None,
        body: Any,
        *,
        once: bool = False,
    ) -> Any:
        url = "/".join((PREFIX, *(quote(part, safe="") for part in path)))
        params = {k: v for k, v in (query or {}).items() if v not in ("", None, ())}
        headers = {} if method == "GET" or once else {"Idempotency-Key": secrets.token_hex(16)}
        sent: dict[str, Any] = {"params": params, "headers": headers}
        if body is not None:
            sent["json"] = body
        try:
            try:
                answer = self._run(self._http.request(method, url, **sent))
            except _BROKE_OFF:
                if once:
                    raise
                # the key makes it the same request, even if the first one was carried out
                answer = self._run(self._http.request(method, url, **sent))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self._unreachable(error)
        return self._content(answer)

    def _content(self, answer: httpx.Response) -> Any:
        if answer.status_code >= 300 or not _is_json(answer):
            raise self._failure(answer)
        return answer.json() if answer.content else {}

    def _failure(self, answer: httpx.Response) -> FleetError:
        try:
            shape = answer.json()["error"]
        except (ValueError, KeyError, TypeError):
            return ServerUnreachable(
                f"{self.where} answered {answer.status_code}, but not as Fleet does",
                hint=f"Something else may listen there. {_HINT}",
            )
        error = error_from(shape, answer.status_code)
        if self.local and type(error) is FleetError:
            error.hint = "Set FLEET_DEBUG=1 to see where."  # the log it speaks of is nowhere
        return error

    def _unreachable(self, error: Exception) -> NoReturn:
        reason = str(error) or type(error).__name__
        if isinstance(error, httpx.TimeoutException):
            reason = "it did not answer in time"
        hint = _HINT
        if "CERTIFICATE_VERIFY_FAILED" in reason:
            reason = "its certificate is not trusted"
            hint = "Give the CA that signed it with --server-crt FILE."
        raise ServerUnreachable(f"{self.where} cannot be reached: {reason}", hint=hint) from error


def _is_json(answer: httpx.Response) -> bool:
    kind: str = answer.headers.get("content-type", "")
    return kind.startswith("application/json")


@contextmanager
def remote(
    server: str, token: str, *, server_crt: str = "", connect_seconds: float = CONNECT_SECONDS
) -> Iterator[Api]:
    """The API of a server; nothing is sent yet. No redirect is followed with the token."""
    import ssl

    host = httpx.URL(server).host
    verify: ssl.SSLContext | bool = True
    if server_crt:
        try:
            verify = ssl.create_default_context(cafile=server_crt)
        except (OSError, ssl.SSLError) as error:
            from fleet.errors import UsageError

            raise UsageError(f"--server-crt {server_crt}: no certificates: {error}") from None
    with asyncio.Runner() as runner:
        http = httpx.AsyncClient(
            base_url=server,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=connect_seconds),
            verify=verify,
            trust_env=not is_loopback(host),
        )
        try:
            yield Api(runner, http, server, local=False)
        finally:
            runner.run(http.aclose())


def is_loopback(host: str) -> bool:
    from ipaddress import ip_address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
