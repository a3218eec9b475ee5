"""A request as the handlers see it, what it asks for, and what it is answered with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from fleet.embedded.sandbox.builtin import subresource
from fleet.embedded.sandbox.kinds import Kind, Kinds, is_builtin_group
from fleet.embedded.sandbox.statuses import (
    ApiError,
    bad_request,
    no_method,
    no_resource,
    not_found,
)

if TYPE_CHECKING:
    from fleet.embedded.sandbox.authenticating import User

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"

Send = Callable[[Any], Awaitable[None]]
Receive = Callable[[], Awaitable[Any]]

#: The verb of a method on one object, and on a collection.
_ON_OBJECT = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_ON_COLLECTION = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}
_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True", ""})


@dataclass(slots=True)
class Request:
    """One HTTP request below a cluster's path."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[bytes, bytes]
    body: bytes
    user: User

    def header(self, name: bytes) -> str:
        """A header, "" where it was not sent."""
        return self.headers.get(name, b"").decode("latin-1")

    def flag(self, name: str) -> bool:
        """A boolean of the query, as Go reads it; absent is false."""
        found = self.query.get(name)
        return found is not None and found in _TRUE

    def number(self, name: str) -> int:
        """A whole number of the query; absent is 0.

        Raises:
            ApiError: it is none.
        """
        text = self.query.get(name) or "0"
        try:
            return int(text)
        except ValueError:
            raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None

    @property
    def manager(self) -> str:
        """Who a write is by, when it does not say so: the program's name."""
        agent = self.header(b"user-agent").partition("/")[0]
        return self.query.get("fieldManager") or agent[:128] or "unknown"

    @property
    def dry_run(self) -> bool:
        """Whether nothing is to be stored; options were checked before."""
        return bool(self.query.get("dryRun"))


@dataclass(slots=True)
class Target:
    """What of a cluster's kinds a request is about."""

    kind: Kind
    verb: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def resource(self) -> str:
        """As rules of RBAC write it: ``pods``, ``pods/log``."""
        return f"{self.kind.plural}/{self.subresource}" if self.subresource else self.kind.plural


@dataclass(slots=True)
class Answer:
    """A whole answer."""

    body: bytes
    code: int = 200
    content_type: bytes = JSON
    warnings: tuple[str, ...] = ()
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)


#: An answer that goes on: it sends for itself until it is over.
Stream = Callable[[Receive, Send], Awaitable[None]]


def query_of(raw: bytes) -> dict[str, str]:
    """The parameters of a query; the first one counts where a name is repeated."""
    if not raw:
        return {}
    found: dict[str, str] = {}
    for key, value in parse_qsl(raw.decode("latin-1"), keep_blank_values=True):
        found.setdefault(key, value)
    return found


def target_of(kinds: Kinds, method: str, path: str, *, watch: bool) -> Target | None:
    """What ``/api/…`` or ``/apis/…`` is about; None for paths without a kind.

    Raises:
        ApiError: nothing is served there, or not with this method.
    """
    parts = unquote(path).strip("/").split("/")
    root = 2 if parts[0] == "api" else 3
    if parts[0] not in {"api", "apis"} or len(parts) <= root:
        return None
    group, version = ("", parts[1]) if root == 2 else (parts[1], parts[2])
    rest = parts[root:]
    if rest[0] == "watch" and len(rest) > 1:
        rest, watch = rest[1:], True
    namespace, rest = _namespace(rest)
    kind = kinds.at_path(group, version, rest[0])
    if kind is None:
        raise no_resource() if is_builtin_group(group) else NoPage()
    name, part = (*rest[1:], "", "")[:2]
    if kind.custom is not None:
        _check_custom(kind, method, namespace, name)
    if (namespace and not kind.namespaced) or len(rest) > 3:
        raise no_resource()
    if part and part not in kind.subresources:
        raise not_found(kind, name) if kind.custom else no_resource()
    verb = _verb(kind, method, namespace, name, part, watch=watch)
    return Target(kind, verb, namespace, name, part)


class NoPage(Exception):
    """Nothing at all is served at a path, not even an error of the API."""


def _check_custom(kind: Kind, method: str, namespace: str, name: str) -> None:
    """For custom kinds the real server has no page at all in the wrong scope."""
    everywhere = method == "GET" and not name
    if bool(namespace) is not kind.namespaced and not (kind.namespaced and everywhere):
        raise NoPage


def _namespace(rest: list[str]) -> tuple[str, list[str]]:
    """Splits ``namespaces/<ns>/<plural>/…``; a namespace and its own parts stay together."""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in {"status", "finalize"}:
        return rest[1], rest[2:]
    return "", rest


def _verb(kind: Kind, method: str, namespace: str, name: str, part: str, *, watch: bool) -> str:
    if part:
        verb = "create" if method == "POST" else _ON_OBJECT.get(method, "")
        if verb not in subresource(kind.plural, part).verbs:
            raise no_method()
        return verb
    verb = (_ON_OBJECT if name else _ON_COLLECTION).get(method, "")
    if watch and verb in {"get", "list"}:
        verb = "watch"
    everywhere = kind.namespaced and not namespace
    if verb not in kind.verbs or (everywhere and verb not in {"list", "watch"}):
        raise no_method()
    return verb


async def until_left(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def as_answer(error: ApiError) -> Answer:
    """The error's ``Status``."""
    headers = list(error.headers)
    retry = (error.details or {}).get("retryAfterSeconds")
    if retry:
        headers.append((b"retry-after", str(retry).encode()))
    return Answer(error.json(), error.code, headers=headers)
