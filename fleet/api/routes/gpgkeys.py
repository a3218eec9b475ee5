"""Public keys that may sign commits, charts and artifacts: GPG's, SSH's and cosign's."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Response
from pydantic import Field

from fleet.api.answers import created
from fleet.api.caller import Calling
from fleet.api.guarded import guarded_router
from fleet.api.requests import PAGE, After, Body, Limit
from fleet.api.shapes import page
from fleet.model.integrity import SigningKey
from fleet.operations.verifying import add_signing_keys
from fleet.registry import signing_keys

router = guarded_router("gpgkeys")


class KeysBody(Body):
    """``keys``: armoured GPG keys, PEM public keys, or SSH public keys, one a line."""

    keys: Annotated[str, Field(max_length=4 << 20)]


def _shape(key: SigningKey, *, data: bool = False) -> dict[str, Any]:
    shape = {
        "keyID": key.id,
        "kind": key.kind,
        "subType": key.subtype,
        "fingerprint": key.fingerprint,
        "owner": key.owner,
    }
    return {**shape, "keyData": key.data} if data else shape


@router.get("/gpgkeys", summary="Public keys that may sign, by id")
async def list_keys(caller: Calling, limit: Limit = PAGE, after: After = "") -> dict[str, Any]:
    await caller.require("get", "gpgkeys")
    async with caller.runtime.db.reading() as tx:
        found, cursor = await signing_keys.list_signing_keys(tx, limit=limit, after=after)
    return page(map(_shape, found), cursor)


@router.get("/gpgkeys/{key:path}", summary="One key, with the key itself")
async def get_key(caller: Calling, key: str) -> dict[str, Any]:
    await caller.require("get", "gpgkeys", key)
    async with caller.runtime.db.reading() as tx:
        return _shape(await signing_keys.get_signing_key(tx, key), data=True)


@router.post("/gpgkeys", summary="Trust public keys")
async def post_keys(caller: Calling, body: KeysBody) -> Response:
    await caller.require("create", "gpgkeys")
    added, given = await add_signing_keys(caller.runtime, caller.actor, body.keys)
    return created({"added": [_shape(key) for key in added], "known": given - len(added)})


@router.delete("/gpgkeys/{key:path}", summary="Trust a key no longer")
async def delete_key(caller: Calling, key: str) -> dict[str, Any]:
    await caller.require("delete", "gpgkeys", key)
    async with caller.runtime.db.transaction() as tx:
        await signing_keys.remove_signing_key(tx, caller.actor, key)
    return {"keyID": key, "action": "deleted"}
