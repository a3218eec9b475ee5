"""Git LFS: pointer files in a tree are replaced by what they point to.

The protocol is spoken here, over the guarded HTTP client, instead of by ``git-lfs``: that
program goes wherever the server or a committed ``.lfsconfig`` sends it. The server is the one
beside the repository; where it sends us for an object is judged as named by content unless
it is the same host. Every object is checked against the digest in its pointer.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from fleet.errors import SourceError
from fleet.model.repositories import Remote
from fleet.model.secret import Secret
from fleet.source.addresses import AddressRules
from fleet.source.credentials import Credentials
from fleet.source.http import HttpClient, Request, refuse_status
from fleet.source.listing import Entry
from fleet.source.transport import route_of
from fleet.source.urls import RepositoryUrl, parse_url

OBJECT_BYTES = 200 * 1024 * 1024  # an object passes through memory
_POINTER_BYTES = 1024
_BATCH = 100
_MEDIA_TYPE = "application/vnd.git-lfs+json"
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-[^\n]*\n)*"
    rb"oid sha256:([0-9a-f]{64})\nsize ([0-9]{1,15})\n(?:ext-[^\n]*\n)*"
)


@dataclass(frozen=True, slots=True)
class Pointer:
    """``oid`` is the SHA-256 of the object, in hex; ``size`` its bytes."""

    oid: str
    size: int


async def fill(
    folder: Path,
    entries: Iterable[Entry],
    remote: Remote,
    rules: AddressRules,
    credentials: Credentials,
    room_bytes: int,
) -> int:
    """Replace the pointer files among ``entries``, which are in ``folder``.

    Returns the bytes that were added.

    Raises:
        SourceError: the repository has no LFS server that we can speak to, an object is not
            there, is not what its pointer says, or does not fit.
    """
    pointers = await asyncio.to_thread(_find, folder, entries)
    if not pointers:
        return 0
    wanted = {pointer.oid: pointer for pointer in pointers.values()}
    if sum(pointer.size for pointer in pointers.values()) > room_bytes:
        raise SourceError(f"{remote.url}: the large files do not fit into the limit of a tree")
    server = _Server(remote, rules, credentials)
    for oid, action in (await server.actions(list(wanted.values()))).items():
        content = await server.download(wanted[oid], action)
        for path, pointer in pointers.items():
            if pointer.oid == oid:
                await asyncio.to_thread(path.write_bytes, content)
    return sum(pointer.size for pointer in pointers.values())


def parse_pointer(content: bytes) -> Pointer | None:
    """The pointer in ``content``, None when it is a file like any other."""
    match = _POINTER.fullmatch(content)
    return Pointer(match[1].decode(), int(match[2])) if match else None


def _find(folder: Path, entries: Iterable[Entry]) -> dict[Path, Pointer]:
    found: dict[Path, Pointer] = {}
    for entry in entries:
        if entry.is_link or entry.is_submodule or not 0 < entry.size <= _POINTER_BYTES:
            continue
        pointer = parse_pointer((folder / entry.path).read_bytes())
        if pointer:
            found[folder / entry.path] = pointer
    return found


class _Server:
    """The LFS server beside one repository."""

    def __init__(self, remote: Remote, rules: AddressRules, credentials: Credentials) -> None:
        self._remote = remote
        self._credentials = credentials
        self._client = HttpClient(rules, route_of(remote))
        self._rules = rules
        target = parse_url(remote.url)
        if target.scheme not in {"http", "https"}:
            raise SourceError(
                f"{remote.url}: large files (LFS) are fetched over https only",
                hint="Register the repository by its https address, or without --enable-lfs.",
            )
        self._target: RepositoryUrl = target

    async def actions(self, pointers: Sequence[Pointer]) -> dict[str, dict[str, Any]]:
        """oid → the server's ``download`` action, one for every pointer."""
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(pointers), _BATCH):
            for answer in await self._ask(pointers[start : start + _BATCH]):
                action = (answer.get("actions") or {}).get("download")
                if isinstance(action, dict) and isinstance(action.get("href"), str):
                    found[str(answer.get("oid"))] = action
        for pointer in pointers:
            if pointer.oid not in found:
                raise SourceError(f"{self._target}: no large file {pointer.oid[:12]} (LFS)")
        return {pointer.oid: found[pointer.oid] for pointer in pointers}

    async def download(self, pointer: Pointer, action: dict[str, Any]) -> bytes:
        """One object, its digest checked."""
        if pointer.size > OBJECT_BYTES:
            raise SourceError(f"{self._target}: a large file has more than {OBJECT_BYTES} bytes")
        target = parse_url(action["href"], link=True)
        own = target.origin == self._target.origin
        given = {str(name): str(value) for name, value in (action.get("header") or {}).items()}
        shown = next(
            (given.pop(name) for name in list(given) if name.lower() == "authorization"), ""
        )
        access = await self._authorization() if own else None
        # The repository's CA and client certificate are for its own host.
        client = self._client if own else HttpClient(self._rules)
        request = Request(
            str(target),
            headers=given,
            authorization=Secret(shown) if shown else access,
            registered=self._remote.registered and own,
            limit_bytes=pointer.size,
        )
        reply = await client.send(request)
        refuse_status(reply, target.netloc)
        if hashlib.sha256(reply.body).hexdigest() != pointer.oid:
            raise SourceError(f"{target.netloc}: a large file is not the one of its pointer")
        return reply.body

    async def _ask(self, pointers: Sequence[Pointer]) -> list[dict[str, Any]]:
        path = self._target.path.removesuffix(".git")
        origin = f"{self._target.scheme}://{self._target.netloc}"
        body = {
            "operation": "download",
            "transfers": ["basic"],
            "objects": [{"oid": pointer.oid, "size": pointer.size} for pointer in pointers],
        }
        request = Request(
            f"{origin}{path}.git/info/lfs/objects/batch",
            "POST",
            {"Accept": _MEDIA_TYPE, "Content-Type": _MEDIA_TYPE},
            orjson.dumps(body),
            await self._authorization(),
            self._remote.registered,
        )
        reply = await self._client.send(request)
        if reply.status == 404:
            raise SourceError(f"{self._target}: the server does not offer large files (LFS)")
        refuse_status(reply, str(self._target))
        try:
            objects = orjson.loads(reply.body)["objects"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            objects = None
        if not isinstance(objects, list):
            raise SourceError(f"{self._target}: the LFS server did not answer as one")
        return [answer for answer in objects if isinstance(answer, dict)]

    async def _authorization(self) -> Secret | None:
        remote = self._remote
        access = await self._credentials.access(remote.auth, remote.url, route_of(remote))
        return access.authorization
