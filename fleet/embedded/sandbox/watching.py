"""Watches: what happened since a version, then what happens, until the time is up.

A watch is one coroutine that sleeps until the store or the clock wakes it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable

import orjson

from fleet.embedded.sandbox.cluster import Cluster
from fleet.embedded.sandbox.converting import presented
from fleet.embedded.sandbox.forms import Form, form_of
from fleet.embedded.sandbox.reading import Choice, choice_of, version_of
from fleet.embedded.sandbox.requests import Receive, Request, Send, Stream, Target, until_left
from fleet.embedded.sandbox.statuses import (
    ApiError,
    Cause,
    forbidden_field,
    gone,
    invalid_options,
    unsupported_value,
)
from fleet.embedded.sandbox.store import Entry, Event, Expired, head_of
from fleet.embedded.sandbox.tables import table

BOOKMARK_SECONDS = 60.0
#: A bookmark also comes this long before a watch ends.
LAST_BOOKMARK_SECONDS = 2.0
SHORTEST_SECONDS = 1800
#: Ways to be broken that end a watch; in others it goes on.
_ENDING = frozenset({"401", "500"})
_INITIAL_END = {"k8s.io/initial-events-end": "true"}


def watch(cluster: Cluster, request: Request, target: Target) -> Stream:
    """The stream of a watch; what is wrong with the request is told before it begins.

    Raises:
        ApiError: a parameter is wrong.
    """
    causes = list(_wrong_options(request))
    if causes:
        raise invalid_options("ListOptions", causes)
    seconds = request.number("timeoutSeconds")
    return Watch(cluster, request, target, seconds or _some_time()).run


def _some_time() -> int:
    """Ends of watches without a time limit are spread, as the real server does."""
    return SHORTEST_SECONDS + secrets.randbelow(SHORTEST_SECONDS)


def _wrong_options(request: Request) -> Iterable[Cause]:
    match = request.query.get("resourceVersionMatch") or ""
    if "sendInitialEvents" in request.query:
        if not match:
            why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            yield forbidden_field("resourceVersionMatch", why)
    elif match:
        why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        yield forbidden_field("resourceVersionMatch", why)
    if match and match != "NotOlderThan":
        yield unsupported_value("resourceVersionMatch", match, ["NotOlderThan"])


class Watch:
    """One open watch."""

    __slots__ = (
        "_again",
        "_bookmarks",
        "_choice",
        "_cluster",
        "_form",
        "_headed",
        "_include",
        "_initial",
        "_kind",
        "_loop",
        "_pending",
        "_seconds",
        "_version",
        "_waiter",
    )

    def __init__(self, cluster: Cluster, request: Request, target: Target, seconds: float) -> None:
        self._cluster = cluster
        self._kind = target.kind
        self._choice: Choice = choice_of(request, target)
        self._form: Form = form_of(request.header(b"accept"))
        self._include = request.query.get("includeObject") or "Metadata"
        self._bookmarks = request.flag("allowWatchBookmarks")
        asked = request.query.get("resourceVersion") or ""
        try:
            self._version = version_of(asked, message="")
        except ApiError as error:
            raise ApiError(500, "", error.message) from None
        told = request.query.get("sendInitialEvents")
        #: Whether what is there now is told first; and whether the end of that is marked.
        self._initial = request.flag("sendInitialEvents") if told is not None else not self._version
        self._again = told is not None and self._initial
        self._headed = True
        self._seconds = seconds
        self._pending: list[Event] = []
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None

    async def run(self, receive: Receive, send: Send) -> None:
        """Answer until the time is up, the client leaves, or the cluster breaks."""
        stop = self._cluster.store.subscribe(self._kind, self._tell)
        self._cluster.streams.add(self._wake)
        left = asyncio.ensure_future(self._until_left(receive))
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": 200,
                    "headers": [
                        (b"content-type", self._form.content_type),
                        (b"cache-control", b"no-cache, private"),
                    ],
                }
            )
            await self._follow(send, left)
            await send({"type": "http.response.body", "body": b""})
        finally:
            left.cancel()
            self._cluster.streams.discard(self._wake)
            stop()

    async def _follow(self, send: Send, left: asyncio.Future[None]) -> None:
        first = self._first()
        await self._send(send, first)
        if first and first[-1].startswith(b'{"type":"ERROR"'):
            return
        ends = self._loop.time() + self._seconds
        bookmark = self._next_bookmark(ends)
        while not left.done():
            if self._cluster.broken == "unreachable":
                await self._silence(left)
                return
            if self._cluster.broken in _ENDING:
                return
            if self._pending:
                events, self._pending = self._pending, []
                await self._send(send, [it for event in events for it in self._lines(event)])
            now = self._loop.time()
            if now >= ends:
                return
            if now >= bookmark:
                if self._bookmarks:
                    await self._send(send, [self._bookmark()])
                bookmark = self._next_bookmark(ends)
            await self._wait(min(ends, bookmark))

    async def _silence(self, left: asyncio.Future[None]) -> None:
        """Send nothing while nobody can reach the cluster; what happens is lost."""
        while self._cluster.broken == "unreachable" and not left.done():
            self._pending.clear()
            await self._wait(self._loop.time() + BOOKMARK_SECONDS)

    def _next_bookmark(self, ends: float) -> float:
        now = self._loop.time()
        last = ends - LAST_BOOKMARK_SECONDS
        return min(now + BOOKMARK_SECONDS, last) if last > now else now + BOOKMARK_SECONDS

    async def _send(self, send: Send, lines: list[bytes]) -> None:
        # An empty body is sent too at first: it makes the headers leave.
        body = b"".join(lines)
        await send({"type": "http.response.body", "body": body, "more_body": True})

    async def _wait(self, until: float) -> None:
        """Sleep until something happens, or until then."""
        if self._pending:
            return
        self._waiter = self._loop.create_future()
        alarm = self._loop.call_at(until, self._wake)
        try:
            await self._waiter
        finally:
            alarm.cancel()
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _until_left(self, receive: Receive) -> None:
        await until_left(receive)
        self._wake()

    def _tell(self, event: Event) -> None:
        self._pending.append(event)
        self._wake()

    def _first(self) -> list[bytes]:
        """What is sent at once: the objects there are, or what happened since a version."""
        store = self._cluster.store
        if self._initial:
            choice = self._choice
            items = store.entries(self._kind, choice.namespace)
            lines = [self._line("ADDED", entry) for key, entry in items if choice.takes(key, entry)]
            if self._again and self._bookmarks:
                lines.append(self._bookmark(_INITIAL_END))
            return lines
        if not self._version:
            return []
        try:
            events = store.events(self._kind, self._version)
        except Expired as expired:
            return [_event("ERROR", gone(str(expired)).json())]
        return [line for event in events for line in self._lines(event)]

    def _lines(self, event: Event) -> list[bytes]:
        """The event as this watch sees it: what leaves or enters the selection is deleted or
        added."""
        before = event.before is not None and self._choice.takes(event.key, event.before)
        if event.deleted:
            return [self._line("DELETED", event.entry)] if before else []
        after = self._choice.takes(event.key, event.entry)
        if after:
            return [self._line("MODIFIED" if before else "ADDED", event.entry)]
        if before and event.before is not None:
            # The object as it was last selected, in the version in which it left.
            obj = event.before.object()
            obj["metadata"]["resourceVersion"] = str(event.version)
            meta = orjson.dumps(obj["metadata"])
            entry = Entry(event.version, event.before.head, meta, event.before.rest)
            return [self._line("DELETED", entry)]
        return []

    def _line(self, kind: str, entry: Entry) -> bytes:
        entry = presented(self._kind, entry)
        if self._form.shape == "object":
            return _event(kind, entry.json())
        if self._form.shape == "table":
            return _event(kind, self._row(entry))
        return _event(kind, self._form.partial(entry.meta))

    def _row(self, entry: Entry) -> bytes:
        headed, self._headed = self._headed, False
        return table(
            self._kind,
            [entry],
            self._cluster.now(),
            form=self._form,
            include=self._include,
            metadata={"resourceVersion": str(entry.version)},
            headed=headed,
        )

    def _bookmark(self, annotations: dict[str, str] | None = None) -> bytes:
        version = self._cluster.store.version
        metadata: dict[str, object] = {"resourceVersion": str(version)}
        if annotations:
            metadata["annotations"] = annotations
        entry = Entry(version, head_of(self._kind), orjson.dumps(metadata), b"}")
        if self._form.shape == "table":
            return _event("BOOKMARK", self._row(entry))
        whole = self._form.shape == "object"
        return _event("BOOKMARK", entry.json() if whole else self._form.partial(entry.meta))


def _event(kind: str, body: bytes) -> bytes:
    return b'{"type":"%b","object":%b}\n' % (kind.encode(), body)
