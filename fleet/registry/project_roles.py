"""Roles of projects, as far as they concern somebody who asks, and their tokens."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from fleet.model.access import ProjectRole, role_subject
from fleet.model.accounts import ApiToken, TokenProof
from fleet.model.ids import ProjectId, TokenId
from fleet.model.scope import Actor
from fleet.registry.accounts import TOKENS, check_life
from fleet.registry.audit import record_change
from fleet.registry.database import Tx
from fleet.registry.statements import text
from fleet.registry.tables import TABLES

PROJECTS = TABLES["projects"]

#: By an index over the documents of all projects.
_MEANT = """
    select p.name as project, r.role
      from projects p, jsonb_path_query(p.document, '$.spec.roles[*]') as r(role)
     where (p.document @> any(cast(:groups as jsonb[])) or p.name = any(:projects))
       and (r.role -> 'groups' ?| :names
            or 'proj:' || p.name || ':' || (r.role ->> 'name') = any(:names))
     order by 1, r.role ->> 'name'
"""


async def roles_meant(tx: Tx, names: Iterable[str]) -> tuple[ProjectRole, ...]:
    """The roles of projects that one of ``names`` is (``proj:<project>:<role>``), or has by
    its groups."""
    wanted = sorted(names)
    subjects = [name.split(":") for name in wanted if name.startswith("proj:")]
    values = {
        "names": wanted,
        "groups": [_having(name) for name in wanted],
        "projects": [parts[1] for parts in subjects],
    }
    rows = await tx.execute(text(_MEANT), values)
    return tuple(_role_of(row.project, row.role) for row in rows)


def _having(group: str) -> str:
    return orjson.dumps({"spec": {"roles": [{"groups": [group]}]}}).decode()


def _role_of(project: str, role: dict[str, Any]) -> ProjectRole:
    return ProjectRole(
        project,
        role.get("name", ""),
        tuple(role.get("policies") or ()),
        tuple(role.get("groups") or ()),
        role.get("description", ""),
    )


async def create_role_token(
    tx: Tx,
    actor: Actor,
    project: tuple[ProjectId, str],
    role: str,
    proof: TokenProof,
    *,
    name: str,
    expires_at: datetime,
    now: datetime,
) -> ApiToken:
    """Keep a token of a role, which is the caller's to know of.

    Raises:
        UsageError: it expires in the past, or in more than a year.
    """
    check_life(expires_at, now)
    new = sa.insert(TOKENS).values(
        id=proof.id,
        project_id=project[0],
        role=role,
        name=name,
        secret_sha256=proof.secret_sha256,
        expires_at=expires_at,
    )
    row = (await tx.execute(new.returning(*TOKENS.c))).one()
    after = {"role": role_subject(project[1], role), "name": name, "expires_at": expires_at}
    await record_change(tx, actor, "create", "Token", str(proof.id), after=after)
    return _token(row, project[1])


async def role_tokens(tx: Tx, project: tuple[ProjectId, str], role: str) -> tuple[ApiToken, ...]:
    """Tokens of a role, the newest first, the revoked and expired included."""
    query = sa.select(TOKENS).where(TOKENS.c.project_id == project[0], TOKENS.c.role == role)
    rows = await tx.execute(query.order_by(TOKENS.c.created_at.desc(), TOKENS.c.id.desc()))
    return tuple(_token(row, project[1]) for row in rows)


async def revoke_lost(tx: Tx, actor: Actor, project: ProjectId, kept: Iterable[str]) -> None:
    """Refuse, from the next request on, the tokens of roles that a project has no more: a
    role of the same name that is made later does not revive them."""
    lost = (
        sa.update(TOKENS)
        .where(
            TOKENS.c.project_id == project,
            TOKENS.c.role.not_in(list(kept)),
            TOKENS.c.revoked_at.is_(None),
        )
        .values(revoked_at=sa.func.now())
        .returning(TOKENS.c.id)
    )
    for id in (await tx.execute(lost)).scalars().all():
        await record_change(tx, actor, "revoke", "Token", str(id))


def _token(row: Any, project: str) -> ApiToken:
    return ApiToken(
        TokenId(row.id),
        role_subject(project, row.role),
        row.name,
        row.created_at,
        row.expires_at,
        row.used_on,
        row.revoked_at,
    )
