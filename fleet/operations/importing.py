"""Argo CD's settings, key by key: what is done with each, and what is kept for later.

Every document is kept as written, so that nothing is lost on the way to something that acts
on it, and out again in an export. ``HANDLERS`` says which keys of which ConfigMap are acted
upon when they are imported; a part of Fleet that learns to act on another adds a line.
``argocd-cm`` and ``argocd-rbac-cm`` hold as a whole: ``settings_config`` and ``access``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import TypeAlias

from fleet.model.argo_secrets import secret_type_of
from fleet.model.argo_settings import (
    GPG_KEYS,
    KNOWN_HOSTS,
    TLS_CERTIFICATES,
    ArgoSettings,
)
from fleet.model.scope import Actor
from fleet.operations import sources
from fleet.operations.push_credentials import WRITE_TYPES, read_write_secret
from fleet.operations.putting import Put
from fleet.operations.runtime import Runtime
from fleet.operations.verifying import add_signing_keys
from fleet.registry import documents, hydrations, queue
from fleet.registry.database import rehearsed
from fleet.registry.documents import KeptDocument

#: Takes one key and its text; whether anything changed. Raises SpecInvalid for what is wrong.
Handler: TypeAlias = Callable[[Runtime, Actor, str, str], Awaitable[bool]]


async def _known_hosts(runtime: Runtime, actor: Actor, _key: str, text: str) -> bool:
    added, _ = await sources.trust_hosts(runtime, actor, text)
    return bool(added)


async def _authority(runtime: Runtime, actor: Actor, host: str, pem: str) -> bool:
    added, _ = await sources.trust_authority(runtime, actor, host, pem)
    return bool(added)


async def _signing_key(runtime: Runtime, actor: Actor, _key: str, text: str) -> bool:
    added, _ = await add_signing_keys(runtime, actor, text)
    return bool(added)


#: Name of a ConfigMap → pattern of its keys → who takes them. Keys without one are kept.
HANDLERS: Mapping[str, Mapping[str, Handler]] = {
    KNOWN_HOSTS: {"ssh_known_hosts": _known_hosts},
    TLS_CERTIFICATES: {"*": _authority},
    GPG_KEYS: {"*": _signing_key},
}


async def import_settings(
    runtime: Runtime, actor: Actor, found: ArgoSettings, *, dry_run: bool
) -> Put:
    """Keep the document, and act on those of its keys that something acts upon.

    Raises:
        SpecInvalid: a key that is acted upon is wrong; the document is kept all the same. Or a
            Secret to push with is; that is not kept.
    """
    pushes = secret_type_of(found.document) in WRITE_TYPES
    if pushes:
        read_write_secret(found.document)
    given = KeptDocument.of(found.document)
    async with runtime.db.transaction() as tx, rehearsed(tx, undo=dry_run):
        _, action = await documents.keep(tx, actor, given, runtime.ring)
        if pushes:
            # what waits for it is tried at once
            failed = await hydrations.ask_failed(tx)
            await queue.wake(tx, "poll", [str(repository) for repository in failed])
    acted, changed = 0, False
    waiting = []
    for key, text in sorted(found.entries.items()):
        handler = _handler(found, key)
        if handler is None:
            waiting.append(key)
            continue
        acted += 1
        if text and not dry_run:
            changed |= await handler(runtime, actor, key, text)
    if action == "unchanged" and changed:
        action = "configured"
    if pushes:
        return Put(found.name, action, found.warnings)
    if not acted:
        return Put(found.name, "kept", found.warnings)
    return Put(found.name, action, (*found.warnings, *_kept_keys(waiting)))


def _handler(found: ArgoSettings, key: str) -> Handler | None:
    if found.kind != "ConfigMap":
        return None
    handlers = HANDLERS.get(found.name, {})
    return next((take for pattern, take in handlers.items() if fnmatchcase(key, pattern)), None)


def _kept_keys(keys: list[str]) -> Iterator[str]:
    if keys:
        yield f"kept for later: {', '.join(keys)}"
