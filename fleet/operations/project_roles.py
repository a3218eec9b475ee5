"""Tokens of projects' roles: for pipelines, which may what the role's rules say and no more."""

from __future__ import annotations

import secrets
from datetime import timedelta
from uuid import uuid4

from fleet.errors import NotFound
from fleet.identity.tokens import ENTROPY_BYTES, mint
from fleet.model.accounts import ApiToken
from fleet.model.ids import ProjectId, TokenId
from fleet.model.scope import Actor, Scope
from fleet.model.secret import Secret
from fleet.operations.accounts import the_one
from fleet.operations.runtime import Runtime
from fleet.registry import accounts, project_roles, projects
from fleet.registry.database import Tx


async def create_role_token(
    runtime: Runtime,
    actor: Actor,
    scope: Scope,
    project: str,
    role: str,
    name: str,
    life: timedelta,
) -> tuple[ApiToken, Secret]:
    """A new token of the role, and its text, which cannot be had again.

    Raises:
        NotFound: no such project, or it has no such role.
        UsageError: it would live for longer than a year, or not at all.
    """
    minted = mint(TokenId(uuid4()), secrets.token_bytes(ENTROPY_BYTES))
    now = runtime.now()
    async with runtime.db.transaction() as tx:
        token = await project_roles.create_role_token(
            tx,
            actor,
            await _with_role(tx, scope, project, role),
            role,
            minted.proof,
            name=name,
            expires_at=now + life,
            now=now,
        )
    return token, minted.text


async def role_tokens(
    runtime: Runtime, scope: Scope, project: str, role: str
) -> tuple[ApiToken, ...]:
    """The role's tokens, the newest first.

    Raises:
        NotFound: no such project, or it has no such role.
    """
    async with runtime.db.reading() as tx:
        place = await _with_role(tx, scope, project, role)
        return await project_roles.role_tokens(tx, place, role)


async def revoke_role_token(
    runtime: Runtime, actor: Actor, scope: Scope, project: str, role: str, which: str
) -> ApiToken:
    """Refuse a token from the next request on.

    Args:
        which: its id, or its name if only one valid token of the role has it.

    Raises:
        NotFound: no such project, role or token.
        UsageError: several have this name.
    """
    async with runtime.db.transaction() as tx:
        place = await _with_role(tx, scope, project, role)
        held = await project_roles.role_tokens(tx, place, role)
        token = the_one(held, which, f"role {role} of project {project}", runtime.now())
        await accounts.revoke_token(tx, actor, token.id)
        held = await project_roles.role_tokens(tx, place, role)
    return next(entry for entry in held if entry.id == token.id)


async def _with_role(tx: Tx, scope: Scope, project: str, role: str) -> tuple[ProjectId, str]:
    found = await projects.get_project(tx, scope, project)
    if not any(it.name == role for it in found.spec.roles):
        raise NotFound(
            f"project {project} has no role {role!r}",
            hint=f"`fleet proj role list {project}` lists those it has.",
            object=f"AppProject/{project}",
        )
    return await projects.project_id(tx, scope, project), project
