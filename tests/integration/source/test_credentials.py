"""Credentials that are exchanged for tokens, against small servers that speak the protocol."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from fleet.errors import FleetError, SourceAuthFailed, SourceUnreachable
from fleet.model.repositories import RepositoryAuth
from fleet.model.secret import Secret
from fleet.source import AddressRules, Credentials, TokenEndpoints
from fleet.source.credentials import Access
from tests.servers.http import Fault, HttpServer, Request, Response

URL = "https://github.example/org/shop.git"
KEY = rsa.generate_private_key(65537, 2048)


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> Secret:
    raw = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Secret(raw.decode())


def verified(token: str) -> dict[str, object]:
    """The claims of a JWT whose signature is right."""
    head, claims, signature = token.split(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    KEY.public_key().verify(raw, f"{head}.{claims}".encode(), padding.PKCS1v15(), SHA256())
    found: dict[str, object] = json.loads(base64.urlsafe_b64decode(claims + "=="))
    return found


class Issuer:
    """GitHub's, Google's and Azure's endpoints; tokens are numbered."""

    def __init__(self) -> None:
        self.issued = 0
        self.server = HttpServer(self.answer)

    def answer(self, request: Request) -> Response:
        if request.path.endswith("/repos/org/shop/installation"):
            return Response(200, b'{"id": 42}')
        self.issued += 1
        name = "token" if "/app/" in request.path else "access_token"
        return Response(200, json.dumps({name: f"t{self.issued}", "expires_in": 3600}).encode())


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    with issuer.server:
        yield issuer


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def credentials(issuer: Issuer, rules: AddressRules, clock: Clock) -> Credentials:
    url = issuer.server.url
    endpoints = TokenEndpoints(github=url, google=f"{url}/google", azure=url)
    return Credentials(rules, endpoints, clock)


def header(access: Access) -> str:
    assert access.authorization
    return access.authorization.reveal()


def basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


GITHUB = RepositoryAuth(github_app_id="7", github_app_private_key=pem(KEY))


async def test_github_app(credentials: Credentials, issuer: Issuer, clock: Clock) -> None:
    access = await credentials.access(GITHUB, URL)
    assert header(access) == basic("x-access-token", "t1")
    lookup, exchange = issuer.server.requests
    assert exchange.path == "/app/installations/42/access_tokens"
    claims = verified(lookup.headers["authorization"].removeprefix("Bearer "))
    assert claims == {"iss": "7", "iat": clock.now - 60, "exp": clock.now + 540}


async def test_a_given_installation_is_not_looked_up(
    credentials: Credentials, issuer: Issuer
) -> None:
    auth = RepositoryAuth(
        github_app_id="7", github_app_installation_id="9", github_app_private_key=pem(KEY)
    )
    await credentials.access(auth, URL)
    assert [r.path for r in issuer.server.requests] == ["/app/installations/9/access_tokens"]


async def test_an_enterprise_server_is_asked_itself(rules: AddressRules, issuer: Issuer) -> None:
    auth = RepositoryAuth(
        github_app_id="7",
        github_app_private_key=pem(KEY),
        github_app_enterprise_base_url=f"{issuer.server.url}/api/v3/",
    )
    await Credentials(rules).access(auth, URL)
    assert all(request.path.startswith("/api/v3/") for request in issuer.server.requests)


async def test_tokens_are_kept_until_shortly_before_their_end(
    credentials: Credentials, issuer: Issuer, clock: Clock
) -> None:
    await asyncio.gather(*(credentials.access(GITHUB, URL) for _ in range(10)))
    assert issuer.issued == 1
    clock.now += 3600 - 301
    assert header(await credentials.access(GITHUB, URL)) == basic("x-access-token", "t1")
    clock.now += 2
    assert header(await credentials.access(GITHUB, URL)) == basic("x-access-token", "t2")
    other = RepositoryAuth(github_app_id="8", github_app_private_key=pem(KEY))
    assert header(await credentials.access(other, URL)) == basic("x-access-token", "t3")


async def test_google_service_account(credentials: Credentials, issuer: Issuer) -> None:
    key = {"client_email": "ci@proj.iam", "private_key": pem(KEY).reveal(), "token_uri": "http://x"}
    auth = RepositoryAuth(gcp_service_account_key=Secret(json.dumps(key)))
    assert header(await credentials.access(auth, URL)) == basic("ci@proj.iam", "t1")
    (request,) = issuer.server.requests
    form = parse_qs(request.body.decode())
    assert request.path == "/google"
    assert verified(form["assertion"][0])["iss"] == "ci@proj.iam"


async def test_azure_service_principal(credentials: Credentials, issuer: Issuer) -> None:
    auth = RepositoryAuth(
        azure_client_id="app", azure_tenant_id="tenant", azure_client_secret=Secret("s3cret")
    )
    assert header(await credentials.access(auth, URL)) == "Bearer t1"
    (request,) = issuer.server.requests
    form = parse_qs(request.body.decode())
    assert request.path == "/tenant/oauth2/v2.0/token"
    assert form["client_secret"] == ["s3cret"]
    assert form["scope"] == ["499b84ac-1321-427f-aa17-267ca6975798/.default"]


async def test_azure_workload_identity(
    credentials: Credentials, issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    auth = RepositoryAuth(use_azure_workload_identity=True)
    monkeypatch.setenv("AZURE_TENANT_ID", "tenant")
    monkeypatch.setenv("AZURE_CLIENT_ID", "app")
    with pytest.raises(SourceAuthFailed, match="workload identity"):
        await credentials.access(auth, URL)
    (tmp_path / "token").write_text("federated\n")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(tmp_path / "token"))
    assert header(await credentials.access(auth, URL)) == "Bearer t1"
    form = parse_qs(issuer.server.requests[0].body.decode())
    assert form["client_assertion"] == ["federated"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.UNAUTHORIZED, SourceAuthFailed),
        (Fault.FORBIDDEN, SourceAuthFailed),
        (Fault.ERROR, SourceUnreachable),
        (Fault.PAGE, FleetError),
        (Fault.REDIRECT, FleetError),
    ],
)
async def test_an_issuer_that_refuses(
    credentials: Credentials, issuer: Issuer, fault: Fault, error: type[FleetError]
) -> None:
    issuer.server.fault, issuer.server.redirect_to = fault, "http://127.0.0.1:1"
    with pytest.raises(error) as refused:
        await credentials.access(GITHUB, URL)
    assert "PRIVATE KEY" not in str(refused.value.as_dict())


@pytest.mark.parametrize(
    "auth",
    [
        RepositoryAuth(github_app_id="7", github_app_private_key=Secret("garbage")),
        RepositoryAuth(
            github_app_id="7", github_app_private_key=pem(ec.generate_private_key(ec.SECP256R1()))
        ),
        RepositoryAuth(gcp_service_account_key=Secret("garbage")),
        RepositoryAuth(gcp_service_account_key=Secret("{}")),
        RepositoryAuth(gcp_service_account_key=Secret('{"client_email": "a", "private_key": "b"}')),
    ],
)
async def test_a_key_that_is_none(
    credentials: Credentials, issuer: Issuer, auth: RepositoryAuth
) -> None:
    with pytest.raises(SourceAuthFailed):
        await credentials.access(auth, URL)
    assert issuer.server.requests == []


async def test_what_needs_no_exchange(credentials: Credentials, issuer: Issuer) -> None:
    assert (await credentials.access(RepositoryAuth(), URL)).authorization is None
    named = RepositoryAuth(username="ci", password=Secret("pw"))
    assert header(await credentials.access(named, URL)) == basic("ci", "pw")
    token = RepositoryAuth(password=Secret("token"))
    assert header(await credentials.access(token, URL)) == basic("x-access-token", "token")
    bearer = RepositoryAuth(bearer_token=Secret("b"))
    assert header(await credentials.access(bearer, URL)) == "Bearer b"
    key = await credentials.access(RepositoryAuth(ssh_private_key=Secret("k")), URL)
    assert key.ssh_private_key == Secret("k")
    assert issuer.server.requests == []
    assert "pw" not in repr(await credentials.access(named, URL))
