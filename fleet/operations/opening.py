"""Opening what operations work with, in the order in which it can be refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

from fleet.errors import SettingsInvalid, SpecInvalid
from fleet.model.resource_settings import ResourceSettings, read_resource_settings
from fleet.model.secret import Secret
from fleet.model.selectors import parse_selector
from fleet.operations.connections import Connections
from fleet.operations.itself.answering import OwnObjects
from fleet.operations.runtime import Runtime
from fleet.registry import instance, projects, rotation, schema
from fleet.registry.database import Database
from fleet.registry.keyring import KeyRing, load_ring
from fleet.render.batches import Limits
from fleet.render.rendering import Renderer
from fleet.render.tools import find_tools
from fleet.render.yaml import load_one
from fleet.settings import Settings
from fleet.source import AddressRules, Bases, Charts, Credentials, Mirrors

#: Connections of a process that works, and of one that only asks.
POOL_SIZE = 12


def open_ring(settings: Settings) -> KeyRing:
    """The key ring that seals credentials; made at the first start.

    Raises:
        SettingsInvalid: it cannot be read.
    """
    return load_ring(
        key_file=settings.key_file,
        text=settings.secret_key,
        command=settings.secret_key_command,
    )


def address_rules(settings: Settings) -> AddressRules:
    """Where sources may be.

    Raises:
        SettingsInvalid: a network that is none.
    """
    try:
        networks = tuple(ip_network(text) for text in settings.allowed_networks)
    except ValueError as error:
        raise SettingsInvalid(
            f"allowed_networks: {error}", hint="Write networks as 127.0.0.0/8 or fd00::/8."
        ) from None
    return AddressRules(
        allowed_networks=networks,
        allowed_file_roots=settings.allowed_file_roots,
        allowed_content_hosts=settings.allowed_content_hosts,
    )


def resource_settings(settings: Settings) -> ResourceSettings:
    """What holds for objects of every application.

    Raises:
        SettingsInvalid: names the key, and what is wrong with it.
    """
    try:
        return read_resource_settings(settings.resource_settings, load_one)
    except SpecInvalid as error:
        raise SettingsInvalid(f"resource_settings: {error.message}", hint=error.hint) from None


@asynccontextmanager
async def open_runtime(
    settings: Settings, url: Secret, *, name: str, pool_size: int = POOL_SIZE
) -> AsyncIterator[Runtime]:
    """Everything that operations need, closed at the end.

    Args:
        url: of the database, as the role that the application uses.
        name: of this process, shown in ``pg_stat_activity``.

    Raises:
        RegistryUnavailable: no database.
        SchemaMismatch: it is older or newer than this program.
        SealBroken: the key ring is not the one that sealed its credentials.
        SettingsInvalid: a setting that cannot be read.
    """
    resources = resource_settings(settings)
    ring = open_ring(settings)
    db = Database(
        url,
        pool_size=pool_size,
        application_name=name,
        allow_unsafe=settings.allow_unsafe_database,
        ring=ring,
    )
    connections = Connections(
        call_seconds=settings.cluster_timeout_seconds,
        allowed_exec=frozenset(settings.allowed_exec_commands),
        own=OwnObjects(db),
    )
    try:
        await db.open()
        await asyncio.to_thread(schema.require_same, url)
        async with db.transaction() as tx:
            await rotation.check_key(tx, ring)
            await projects.ensure_default(tx)
            me = await instance.instance_id(tx)
            await instance.put_default_interval(tx, settings.reconcile_interval_seconds)
        runtime = replace(_runtime(settings, db, ring, me, connections), resources=resources)
        try:
            yield runtime
        finally:
            for shared in (runtime.beginnings, runtime.plans, runtime.records):
                await shared.close()
            await runtime.jq.close()
            await runtime.scripts.close()
    finally:
        await connections.close()
        await db.close()


def _runtime(
    settings: Settings,
    db: Database,
    ring: KeyRing,
    me: instance.InstanceId,
    connections: Connections,
) -> Runtime:
    rules = address_rules(settings)
    sources = Path(settings.home) / "sources"
    # one for both, so that a token is exchanged once
    credentials = Credentials(rules)
    mirrors = Mirrors(
        sources,
        rules=rules,
        credentials=credentials,
        deadline_seconds=settings.git_timeout_seconds,
    )
    tools = find_tools(settings.home)
    return Runtime(
        settings=settings,
        db=db,
        ring=ring,
        instance=me,
        connections=connections,
        mirrors=mirrors,
        charts=Charts(
            mirrors.trees,
            rules=rules,
            parse_yaml=load_one,
            credentials=credentials,
            deadline_seconds=settings.git_timeout_seconds,
        ),
        bases=Bases(mirrors, rules=rules, deadline_seconds=settings.git_timeout_seconds),
        tools=tools,
        renderer=Renderer(
            tools,
            Limits(
                wall_seconds=settings.render_timeout_seconds,
                memory_bytes=settings.render_memory_bytes,
            ),
            concurrency=settings.render_concurrency,
            plugin_paths=settings.plugin_paths,
        ),
        selector=parse_selector(settings.worker_select),
    )
