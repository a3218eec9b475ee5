"""Private keys that open encrypted files of repositories. None is ever shown."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import SecretStr

from fleet.api.answers import created
from fleet.api.caller import Calling
from fleet.api.guarded import guarded_router
from fleet.api.requests import PAGE, After, Body, Limit
from fleet.api.shapes import page
from fleet.errors import Place, SpecInvalid
from fleet.model.secret import Secret
from fleet.operations.decrypting import keep_decryption_keys
from fleet.registry import decryption_keys
from fleet.registry.decryption_keys import StoredKey

router = guarded_router("decryptionkeys")

LONGEST_TEXT = 1 << 20
Project = Annotated[str, Query(description="Whose key it is; without one, of all projects.")]


class KeysBody(Body):
    """``keys``: age's private keys, one a line, or armoured OpenPGP ones without a passphrase.
    Without ``project``, all projects may use them."""

    keys: SecretStr
    project: str = ""


def _shape(key: StoredKey) -> dict[str, Any]:
    return {"id": key.id, "kind": key.kind, "project": key.project, "owner": key.owner}


@router.get("/decryptionkeys", summary="Keys that files are decrypted with, by id")
async def list_keys(caller: Calling, limit: Limit = PAGE, after: After = "") -> dict[str, Any]:
    await caller.require("get", "decryptionkeys")
    async with caller.runtime.db.reading() as tx:
        found, cursor = await decryption_keys.list_decryption_keys(tx, limit=limit, after=after)
    return page(map(_shape, found), cursor)


@router.post("/decryptionkeys", summary="Keep private keys")
async def post_keys(caller: Calling, body: KeysBody) -> Response:
    await caller.require("create", "decryptionkeys", project=body.project)
    text = body.keys.get_secret_value()
    if len(text) > LONGEST_TEXT:
        raise SpecInvalid("more than 1 MiB of keys", place=Place(field="keys"))
    added, given = await keep_decryption_keys(
        caller.runtime, caller.actor, Secret(text), body.project
    )
    return created({"added": [_shape(key) for key in added], "known": given - len(added)})


@router.delete("/decryptionkeys/{key:path}", summary="Forget a key")
async def delete_key(caller: Calling, key: str, project: Project = "") -> dict[str, Any]:
    await caller.require("delete", "decryptionkeys", key, project)
    async with caller.runtime.db.transaction() as tx:
        await decryption_keys.remove_decryption_key(tx, caller.actor, key, project)
    return {"id": key, "project": project, "action": "deleted"}
