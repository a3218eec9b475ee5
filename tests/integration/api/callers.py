"""Calling the API in this process, as one account or another."""

from __future__ import annotations

import secrets
from typing import Any
from uuid import uuid4

import httpx

from fleet.api import create_app
from fleet.identity.tokens import ENTROPY_BYTES, mint
from fleet.model.ids import TokenId
from fleet.model.scope import Actor
from fleet.operations.runtime import Runtime
from fleet.registry import accounts
from tests.integration.operations.harness import ADMIN

Json = dict[str, Any]

ED25519 = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"


class Api:
    """The API with one account's token in hand. ``texts`` keeps what GETs answered."""

    def __init__(self, runtime: Runtime, token: str = "", *, local: Actor | None = None) -> None:
        self.runtime = runtime
        self.token = token
        self.app = create_app(runtime, local=local)
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.http = httpx.AsyncClient(
            transport=transport, base_url="http://fleet.test", headers=headers
        )

    async def send(
        self, method: str, path: str, body: Any = None, *, headers: Json | None = None, **query: Any
    ) -> httpx.Response:
        url = path if path.startswith("/") else f"/api/v1/{path}"
        given = {} if body is None else {"json": body}
        # no parameters at all, rather than none: those would take the place of the path's own
        return await self.http.request(method, url, params=query or None, headers=headers, **given)

    async def ask(
        self, method: str, path: str, body: Any = None, *, code: int = 200, **query: Any
    ) -> Json:
        """The JSON of an answer that has to have status ``code``."""
        answer = await self.send(method, path, body, **query)
        assert answer.status_code == code, f"{method} {path}: {answer.text}"
        found: Json = answer.json()
        return found

    async def get(self, path: str, *, code: int = 200, **query: Any) -> Json:
        return await self.ask("GET", path, code=code, **query)

    async def post(self, path: str, body: Any = None, *, code: int = 200, **query: Any) -> Json:
        return await self.ask("POST", path, {} if body is None else body, code=code, **query)

    async def refused(
        self, method: str, path: str, body: Any = None, *, code: int, type: str, **query: Any
    ) -> Json:
        """The error of an answer that has to be one, in the one shape that errors have."""
        answer = await self.ask(method, path, body, code=code, **query)
        assert set(answer) == {"error"}
        error: Json = answer["error"]
        assert error["type"] == type, error
        assert error["message"]
        assert set(error) <= {"type", "message", "hint", "object", "field", "transient"}
        return error


async def account(runtime: Runtime, role: str, name: str = "") -> Api:
    """The API as a new account with this role."""
    name = name or f"a-{secrets.token_hex(4)}"
    minted = mint(TokenId(uuid4()), secrets.token_bytes(ENTROPY_BYTES))
    now = runtime.now()
    async with runtime.db.transaction() as tx:
        await accounts.create_account(tx, ADMIN, name, role)
        await accounts.create_token(
            tx,
            ADMIN,
            name,
            minted.proof,
            name="test",
            expires_at=now + accounts.LONGEST_LIFE,
            now=now,
        )
    return Api(runtime, minted.text.reveal())


def connection_to(cluster: Any, **changes: Any) -> Json:
    """The ``connection`` of a request, by the admin's token of a test cluster."""
    return {"server": cluster.server, "ca": cluster.ca_pem, "token": cluster.admin_token, **changes}
