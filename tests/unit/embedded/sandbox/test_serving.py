"""What the server makes of what a client sends."""

from __future__ import annotations

from typing import Any

import orjson

from fleet.embedded.sandbox.serving import App
from tests.unit.embedded.sandbox.worlds import World

MAPS = "/api/v1/namespaces/default/configmaps"
OPTIONS = orjson.dumps({"preconditions": {"uid": "of-another"}})


def part(body: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


async def delete(world: World, *messages: dict[str, Any]) -> int:
    """Delete a ConfigMap by a request whose body comes so; the status of the answer."""
    token = f"Bearer {world.cluster.admin_token}".encode()
    scope = {
        "type": "http",
        "method": "DELETE",
        "raw_path": f"/clusters/one{MAPS}/kept".encode(),
        "query_string": b"",
        "headers": [(b"authorization", token)],
    }
    left = iter(messages)
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return next(left)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await App(world.clusters, "admin")(scope, receive, send)
    return int(sent[0]["status"])


async def test_a_body_may_come_in_parts() -> None:
    world = World()
    world.have(MAPS, {"metadata": {"name": "kept"}})
    parts = part(OPTIONS[:9], more=True), part(OPTIONS[9:], more=False)
    assert await delete(world, *parts) == 409
    assert await delete(world, part(b"", more=False)) == 200


async def test_what_a_client_that_left_had_begun_to_ask_is_not_done() -> None:
    """Without its options a deletion would have no preconditions."""
    world = World()
    world.have(MAPS, {"metadata": {"name": "kept"}})
    assert await delete(world, {"type": "http.disconnect"}) == 400
    assert await delete(world, part(b"", more=True), {"type": "http.disconnect"}) == 400
    assert "kept" in world.names(MAPS)
