"""Who may what: the policy as it is kept, and the rights of those who ask."""

from __future__ import annotations

from functools import lru_cache

import orjson

from fleet.errors import NotFound, UsageError
from fleet.model.access import NO_POLICY, RBAC_CONFIG, RbacConfig, Subject, parse_rbac_config
from fleet.model.objects import Manifest
from fleet.model.scope import EVERYTHING, Actor
from fleet.operations.putting import Put
from fleet.operations.runtime import Runtime
from fleet.policy import (
    ADMIN,
    NONE,
    Policy,
    Rights,
    doubts,
    is_role,
    names_of,
    read_policy,
    rights_of,
    unlimited,
)
from fleet.registry import accounts
from fleet.registry.config_maps import config_map, put_config_map
from fleet.registry.database import Tx, rehearsed
from fleet.registry.project_roles import roles_meant

#: Texts of the policy that are kept read: that in force, and one that is tried.
_POLICIES = 4


async def policy_of(tx: Tx) -> Policy:
    """The policy in force."""
    document = await config_map(tx, RBAC_CONFIG)
    return Policy() if document is None else _policy(orjson.dumps(document))


@lru_cache(maxsize=_POLICIES)
def _policy(text: bytes) -> Policy:
    return read_policy(parse_rbac_config(orjson.loads(text)))


async def rights(tx: Tx, subject: Subject, policy: Policy | None = None) -> Rights:
    """What a subject may do by now.

    Args:
        policy: to try instead of the one in force.
    """
    policy = policy or await policy_of(tx)
    roles = await roles_meant(tx, names_of(subject, policy))
    return rights_of(subject, policy, roles)


async def rights_of_author(tx: Tx, author: Actor) -> Rights:
    """What whoever asked for something earlier may do by now: nothing, for an account that
    was disabled or removed since, or a role that its project has no more. ``local:<user>``
    never had an account, and acts as it did."""
    if author.is_local:
        return local_rights(author)
    if author.name.startswith("proj:"):
        _, project, _ = author.name.split(":", 2)
        return await rights(tx, Subject(author.name, project=project))
    try:
        account = await accounts.get_account(tx, EVERYTHING, author.name)
    except NotFound:
        return Rights(author.name)
    return await rights(tx, account.subject) if account.enabled else Rights(author.name)


def local_rights(local: Actor) -> Rights:
    """Of whoever runs Fleet on its own database: no policy concerns an administrator there,
    so none can lock everybody out."""
    if local.role == ADMIN:
        return unlimited(local.name)
    return rights_of(Subject(local.name, local.role), Policy())


async def subject_named(tx: Tx, name: str) -> Subject:
    """Whom ``name`` means when a policy is tried: an account, a role of a project
    (``proj:<project>:<role>``), else a role or group of the policy.

    Raises:
        UsageError: it is none of these.
    """
    if name.startswith("proj:"):
        parts = name.split(":")
        if len(parts) != 3:
            raise UsageError(f"{name!r} is not proj:PROJECT:ROLE")
        return Subject(name, project=parts[1])
    try:
        return (await accounts.get_account(tx, EVERYTHING, name)).subject
    except NotFound:
        role = name.removeprefix("role:")
        return Subject(name, role if is_role(role) and name != role else NONE)


async def put_policy(
    runtime: Runtime, actor: Actor, config: RbacConfig, *, upsert: bool, dry_run: bool = False
) -> Put:
    """Have this policy in force from the next request on.

    Raises:
        SpecInvalid: names the key and line of what is wrong; the policy before stays.
        UsageError: without ``upsert``, there is one already.
    """
    warnings = (*config.warnings, *doubts(read_policy(config)))
    async with runtime.db.transaction() as tx, rehearsed(tx, undo=dry_run):
        if not upsert and await config_map(tx, RBAC_CONFIG) is not None:
            raise UsageError(f"{RBAC_CONFIG} is there already", hint="Add --upsert.")
        action = await put_config_map(tx, actor, RBAC_CONFIG, config.document)
    return Put(RBAC_CONFIG, action, warnings)


async def shown_policy(tx: Tx) -> Manifest:
    """The document in force."""
    return await config_map(tx, RBAC_CONFIG) or NO_POLICY


def tried(document: Manifest) -> tuple[Policy, tuple[str, ...]]:
    """A policy that is not in force, and what is doubtful about it.

    Raises:
        SpecInvalid: names the key and line of what is wrong.
    """
    config = parse_rbac_config(document)
    policy = read_policy(config)
    return policy, (*config.warnings, *doubts(policy))
