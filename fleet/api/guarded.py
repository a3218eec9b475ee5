"""Routes that know their caller before they read anything, write down every refusal, and
do a write once.

A request with an ``Idempotency-Key`` is claimed before it is handled; its answer is kept
for a day and given again to the same request. The answer is kept after the work has
committed: a process that dies between the two leaves a claim that lapses after some
minutes, and the request that is sent again then finds what the first one did.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from fleet.api.answers import JSON
from fleet.api.caller import DENIED, Caller, caller_of
from fleet.errors import UsageError
from fleet.registry import idempotency
from fleet.registry.idempotency import Answer

KEY_HEADER = "Idempotency-Key"
REPLAY_HEADER = "Idempotent-Replay"
KEY_LENGTH = 200
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Guarded(APIRoute):
    """A route that answers nobody unknown, and nobody whom it did not ask about."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()
        shown_once = bool((self.openapi_extra or {}).get("x-shown-once"))

        async def guarded(request: Request) -> Response:
            caller = await caller_of(request)
            key = request.headers.get(KEY_HEADER, "")
            try:
                if key and request.method in WRITES:
                    return await _once(request, caller, _key(key), handle, keep=not shown_once)
                return await _checked(request, caller, handle)
            except DENIED as error:
                await caller.refused(error)
                raise

        return guarded


def guarded_router(tag: str) -> APIRouter:
    """A router for one noun; every route of it is guarded."""
    return APIRouter(tags=[tag], route_class=Guarded)


async def _checked(request: Request, caller: Caller, handle: Handler) -> Response:
    response = await handle(request)
    # not an assert: an answer that nobody was asked about must not go out
    if not caller.asked:
        raise RuntimeError(f"{request.method} {request.url.path} asks for no permission")
    return response


def _key(text: str) -> str:
    if len(text) > KEY_LENGTH or not text.isprintable():
        raise UsageError(f"{KEY_HEADER} has at most {KEY_LENGTH} printable characters")
    return text


async def _once(
    request: Request, caller: Caller, key: str, handle: Handler, *, keep: bool
) -> Response:
    account, db = caller.actor.name, caller.runtime.db
    asked = hashlib.sha256()
    for part in (request.method, request.url.path, request.url.query):
        asked.update(part.encode() + b"\0")
    asked.update(await request.body())
    async with db.transaction() as tx:
        known = await idempotency.claim(tx, account, key, asked.hexdigest())
    if known is not None:
        return JSON(known.response, status_code=known.status, headers={REPLAY_HEADER: "true"})
    try:
        response = await _checked(request, caller, handle)
    except BaseException:
        # refused or failed, and rolled back: it may be sent again
        async with db.transaction() as tx:
            await idempotency.release(tx, account, key)
        raise
    async with db.transaction() as tx:
        if keep:
            body = orjson.loads(bytes(response.body))
            await idempotency.finish(tx, account, key, Answer(response.status_code, body))
        else:
            await idempotency.release(tx, account, key)
    return response
