"""What is around every request: its size, its id, the headers of its answer, and what is
said when Fleet itself fails. Plain ASGI, so that it costs nothing and sees everything."""

from __future__ import annotations

import logging
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fleet.api.answers import error_answer
from fleet.logs import fields

log = logging.getLogger(__name__)

#: A whole fleet's documents fit; a body beyond it is refused before anything parses it.
BODY_BYTES = 32 << 20

#: No cached credentials, no sniffing, no framing: an API has no business in a frame.
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
_TOO_LARGE = f"a body may have {BODY_BYTES >> 20} MiB"


class Envelope:
    """Gives each request an id, each answer the headers that all have, and each failure
    that should not be an answer that tells nothing of the inside."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        started = False

        async def dressed(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers["X-Request-Id"] = request_id
                about = fields(status=message["status"], request=request_id)
                log.debug("%s %s", scope["method"], scope["path"], extra=about)
            await send(message)

        try:
            await self._app(scope, receive, dressed)
        except Exception:
            about = fields(request=request_id)
            log.exception("a request failed in a way it should not", extra=about)
            if started:
                raise
            answer = error_answer(
                500,
                {
                    "type": "FleetError",
                    "message": "Fleet failed in a way it should not; its log has the details",
                    "hint": f"Request id: {request_id}.",
                },
            )
            await answer(scope, receive, dressed)


class LimitBody:
    """Refuses a body that is too large: by its length, or else while it comes in."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdigit() or int(length) > BODY_BYTES:
            answer = error_answer(413, {"type": "UsageError", "message": _TOO_LARGE})
            await answer(scope, receive, send)
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > BODY_BYTES:
                raise HTTPException(413, _TOO_LARGE)
            return message

        await self._app(scope, counted, send)
