"""Private keys that open encrypted files of repositories."""

from __future__ import annotations

from fleet.model.scope import Actor
from fleet.model.secret import Secret
from fleet.operations.runtime import Runtime
from fleet.registry.decryption_keys import StoredKey, add_decryption_keys
from fleet.render.recipients import parse_decryption_keys


async def keep_decryption_keys(
    runtime: Runtime, actor: Actor, text: Secret, project: str = ""
) -> tuple[tuple[StoredKey, ...], int]:
    """Keep the private keys in a text: those that are new, and how many it has.

    Args:
        project: whose applications may use them; "" for all.

    Raises:
        SpecInvalid: there are none, or one cannot be used as it is.
        NotFound: there is no such project.
    """
    keys = parse_decryption_keys(text.reveal())
    async with runtime.db.transaction() as tx:
        added = await add_decryption_keys(tx, actor, runtime.ring, keys, project)
    return added, len(keys)
