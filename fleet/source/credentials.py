"""Credentials → what a request carries: one header, or one SSH key.

Most kinds are a header as they stand. GitHub Apps, Google service accounts and Azure
identities are exchanged for a short-lived token at an endpoint of theirs; tokens are kept in
memory until five minutes before they end. The endpoints are arguments, so that sovereign
clouds, enterprise servers and tests bring their own.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson

from fleet.errors import SourceAuthFailed, SourceError, SourceUnreachable
from fleet.model.repositories import RepositoryAuth
from fleet.model.secret import Secret
from fleet.source.addresses import AddressRules
from fleet.source.http import HttpClient, Request, Route
from fleet.source.jwt import signed_jwt
from fleet.source.urls import parse_url

RENEW_BEFORE_SECONDS = 300.0
GOOGLE_TOKEN = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
GOOGLE_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
AZURE_DEVOPS_SCOPE = "499b84ac-1321-427f-aa17-267ca6975798/.default"  # Azure DevOps' own id
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


# (credential, repository URL, client) → (token, seconds since the epoch when it ends)
_Exchange = Callable[[RepositoryAuth, str, HttpClient], Awaitable[tuple[Secret, float]]]


@dataclass(frozen=True, slots=True)
class TokenEndpoints:
    """Base URLs, without a trailing slash. A RepositoryAuth that names its own (an
    enterprise GitHub, a sovereign Azure) beats these."""

    github: str = "https://api.github.com"
    google: str = GOOGLE_TOKEN
    azure: str = "https://login.microsoftonline.com"


@dataclass(frozen=True, slots=True)
class Access:
    """What to show a server. ``username`` and ``password`` are set beside the header for
    basic access, because registries ask for them at another place (the token endpoint)."""

    authorization: Secret | None = None
    username: str = ""
    password: Secret | None = None
    ssh_private_key: Secret | None = None

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Everything that must not appear in a message."""
        found = (self.authorization, self.password, self.ssh_private_key)
        return tuple(secret for secret in found if secret)


class Credentials:
    """Turns RepositoryAuth into Access, and remembers tokens.

    Args:
        clock: seconds since the epoch, for the life of tokens.
    """

    def __init__(
        self,
        rules: AddressRules,
        endpoints: TokenEndpoints | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._rules = rules
        self._endpoints = endpoints or TokenEndpoints()
        self._clock = clock
        self._tokens: dict[str, tuple[Secret, float]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def access(self, auth: RepositoryAuth, url: str, route: Route | None = None) -> Access:
        """What a request for the repository ``url`` carries.

        Args:
            route: the repository's TLS and proxy, used for a token endpoint as well.

        Raises:
            SourceAuthFailed: the credential is malformed, or its issuer refused it.
            SourceUnreachable: the token endpoint did not answer.
        """
        if auth.ssh_private_key:
            return Access(ssh_private_key=auth.ssh_private_key)
        if auth.bearer_token:
            return bearer(auth.bearer_token)
        if auth.github_app_id and auth.github_app_private_key:
            return basic("x-access-token", await self._token(auth, url, route, self._github))
        if auth.gcp_service_account_key:
            account = str(_google_key(auth).get("client_email", ""))
            return basic(account, await self._token(auth, "", route, self._google))
        if auth.use_azure_workload_identity or auth.azure_client_secret:
            return bearer(await self._token(auth, "", route, self._azure))
        if auth.password:
            # Hosts that want a token alone accept any user, but not an empty one.
            return basic(auth.username or "x-access-token", auth.password)
        return Access(username=auth.username)

    async def _token(
        self, auth: RepositoryAuth, url: str, route: Route | None, ask: _Exchange
    ) -> Secret:
        key = _identity(auth, url)
        async with self._locks.setdefault(key, asyncio.Lock()):
            known = self._tokens.get(key)
            if known and known[1] - RENEW_BEFORE_SECONDS > self._clock():
                return known[0]
            token, expires_at = await ask(auth, url, HttpClient(self._rules, route))
            self._tokens[key] = (token, expires_at)
            return token

    async def _github(
        self, auth: RepositoryAuth, url: str, client: HttpClient
    ) -> tuple[Secret, float]:
        base = (auth.github_app_enterprise_base_url or self._endpoints.github).rstrip("/")
        now = int(self._clock())
        assert auth.github_app_private_key is not None  # `access` asked
        # A minute back for clocks that differ; ten minutes are GitHub's maximum.
        claims = {"iat": now - 60, "exp": now + 540, "iss": auth.github_app_id}
        header = Secret("Bearer " + signed_jwt(claims, auth.github_app_private_key).reveal())
        installation = auth.github_app_installation_id
        if not installation:
            owner, _, name = parse_url(url).path.strip("/").removesuffix(".git").partition("/")
            found = await _ask(
                client, f"{base}/repos/{owner}/{name}/installation", authorization=header
            )
            installation = str(found.get("id", ""))
        reply = await _ask(
            client,
            f"{base}/app/installations/{installation}/access_tokens",
            authorization=header,
            body=b"{}",
        )
        # GitHub's tokens live for an hour; the reply says so as a date we need not parse.
        return _secret(reply, "token"), now + 3600.0

    async def _google(
        self, auth: RepositoryAuth, url: str, client: HttpClient
    ) -> tuple[Secret, float]:
        del url
        key = _google_key(auth)
        now = int(self._clock())
        claims = {
            "iss": key.get("client_email", ""),
            "scope": GOOGLE_SCOPE,
            # Google wants its public name here, wherever the request goes.
            "aud": GOOGLE_TOKEN,
            "iat": now,
            "exp": now + 3600,
        }
        assertion = signed_jwt(claims, Secret(str(key.get("private_key", "")))).reveal()
        form = {"grant_type": _JWT_GRANT, "assertion": assertion}
        reply = await _ask(client, self._endpoints.google, body=urlencode(form).encode())
        return _secret(reply, "access_token"), now + _lifetime(reply)

    async def _azure(
        self, auth: RepositoryAuth, url: str, client: HttpClient
    ) -> tuple[Secret, float]:
        del url
        base = (auth.azure_ad_endpoint or self._endpoints.azure).rstrip("/")
        tenant = auth.azure_tenant_id or os.environ.get("AZURE_TENANT_ID", "")
        form = {
            "grant_type": "client_credentials",
            "client_id": auth.azure_client_id or os.environ.get("AZURE_CLIENT_ID", ""),
            "scope": AZURE_DEVOPS_SCOPE,
        }
        if auth.azure_client_secret:
            form["client_secret"] = auth.azure_client_secret.reveal()
        else:
            form["client_assertion_type"] = _ASSERTION
            form["client_assertion"] = await asyncio.to_thread(_federated_token)
        endpoint = f"{base}/{tenant}/oauth2/v2.0/token"
        reply = await _ask(client, endpoint, body=urlencode(form).encode())
        return _secret(reply, "access_token"), self._clock() + _lifetime(reply)


def basic(username: str, password: Secret) -> Access:
    """HTTP basic access (RFC 7617)."""
    pair = base64.b64encode(f"{username}:{password.reveal()}".encode()).decode()
    return Access(Secret(f"Basic {pair}"), username, password)


def bearer(token: Secret) -> Access:
    """A bearer token (RFC 6750)."""
    return Access(Secret(f"Bearer {token.reveal()}"), "", token)


async def _ask(
    client: HttpClient, url: str, *, authorization: Secret | None = None, body: bytes | None = None
) -> dict[str, Any]:
    """POST with a body, GET without; the JSON object that came back."""
    form = body is not None and not body.startswith(b"{")
    headers = {"Accept": "application/json"}
    if body is not None:
        kind = "x-www-form-urlencoded" if form else "json"
        headers["Content-Type"] = f"application/{kind}"
    method = "POST" if body is not None else "GET"
    reply = await client.send(Request(url, method, headers, body, authorization))
    host = parse_url(url).netloc
    if reply.status >= 500 or reply.status == 429:
        raise SourceUnreachable(f"{host}: the token endpoint answered {reply.status}")
    if reply.status >= 300:
        raise SourceAuthFailed(
            f"{host}: no token for this credential ({reply.status})",
            hint="Check the ids and the key of the credential, and what it was granted.",
        )
    try:
        answer = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        answer = None
    if not isinstance(answer, dict):
        raise SourceError(f"{host}: the token endpoint did not answer with a JSON object")
    return answer


def _secret(reply: dict[str, Any], name: str) -> Secret:
    value = reply.get(name)
    if not isinstance(value, str) or not value or not value.isprintable():
        raise SourceAuthFailed(f"the token endpoint sent no {name}")
    return Secret(value)


def _lifetime(reply: dict[str, Any]) -> float:
    try:
        return float(reply.get("expires_in", 3600))
    except (TypeError, ValueError):
        return 3600.0


def _google_key(auth: RepositoryAuth) -> dict[str, Any]:
    assert auth.gcp_service_account_key is not None  # callers asked
    try:
        key = orjson.loads(auth.gcp_service_account_key.reveal())
    except orjson.JSONDecodeError:
        key = None
    if not isinstance(key, dict) or not key.get("client_email") or not key.get("private_key"):
        raise SourceAuthFailed(
            "the Google service account key is no JSON key file",
            hint="It has client_email and private_key; download it as JSON.",
        )
    return key


def _federated_token() -> str:
    path = os.environ.get("AZURE_FEDERATED_TOKEN_FILE", "")
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        raise SourceAuthFailed(
            "no Azure workload identity token on this machine",
            hint="Run Fleet where AZURE_FEDERATED_TOKEN_FILE is set, or use a client secret.",
        ) from None


def _identity(auth: RepositoryAuth, url: str) -> str:
    parts = (
        auth.github_app_id,
        auth.github_app_installation_id or url,
        auth.github_app_enterprise_base_url,
        auth.azure_client_id,
        auth.azure_tenant_id,
        auth.azure_ad_endpoint,
        *(
            secret.reveal() if secret else ""
            for secret in (
                auth.github_app_private_key,
                auth.gcp_service_account_key,
                auth.azure_client_secret,
            )
        ),
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
