"""What this Fleet is made of, for ``fleet version``."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from fleet.model.renders import ToolVersion
from fleet.operations.runtime import Runtime
from fleet.registry import schema
from fleet.registry.database import server_version
from fleet.registry.schema import SchemaState
from fleet.render.sandbox import SandboxStatus, sandbox_status
from fleet.render.tools import tool_versions


@dataclass(frozen=True)
class Versions:
    """The schema, PostgreSQL, the tools that render, and what contains them."""

    schema: SchemaState
    database: str
    tools: tuple[ToolVersion, ...]
    sandbox: SandboxStatus


async def versions(runtime: Runtime) -> Versions:
    """All of it, asked now."""
    async with runtime.db.reading() as tx:
        database = await server_version(tx)
    state, tools, sandbox = await asyncio.gather(
        asyncio.to_thread(schema.check, runtime.db.conninfo()),
        asyncio.to_thread(tool_versions, runtime.settings.home),
        asyncio.to_thread(sandbox_status),
    )
    return Versions(state, database, tools, sandbox)
