"""What a project demands of signatures decides what its applications render from."""

from __future__ import annotations

from typing import Any

from fleet.operations.verifying import add_signing_keys
from fleet.registry import signing_keys
from tests.integration.operations.harness import ADMIN, World, as_file, config_map
from tests.servers import signing
from tests.servers.signing import GpgKey


def integrity(mode: str, *keys: GpgKey, repo: str = "*") -> dict[str, Any]:
    policy = {"repos": [repo], "gpg": {"mode": mode, "keys": [key.id for key in keys]}}
    return {"git": {"policies": [policy]}}


def release(value: str, key: GpgKey | None, there: World) -> str:
    objects = as_file((config_map("a", x=value),))
    return signing.commit(there.repo, {"web/objects.yaml": objects}, key)


async def passes(there: World) -> str:
    """What the application's last render failed with; "" when it did not."""
    assert await there.poll() is None
    await there.pass_()
    await there.pass_()
    error = (await there.app("web"))["render_error"]
    return str(error["message"]) if error else ""


async def live(there: World) -> str:
    found = there.read("a")
    return found["data"]["x"] if found else ""


async def test_only_what_is_signed_is_deployed(bare: World) -> None:
    key = GpgKey()
    await bare.put_project("shop", sourceIntegrity=integrity("head", key))
    await bare.add_app("web", project="shop")
    first = release("1", key, bare)
    assert f"commit {first[:12]} is signed by a key that Fleet does not know" in await passes(bare)

    await add_signing_keys(bare.runtime, ADMIN, key.public)  # what waited for it goes on
    assert (await passes(bare), await live(bare)) == ("", "1")

    unsigned = release("2", None, bare)
    assert f"commit {unsigned[:12]} is not signed" in await passes(bare)
    assert await live(bare) == "1"  # what runs, stays
    release("3", key, bare)
    assert (await passes(bare), await live(bare)) == ("", "3")


async def test_a_policy_that_comes_later_holds_for_what_is_there(bare: World) -> None:
    key = GpgKey()
    await bare.put_project("shop")
    await bare.add_app("web", project="shop")
    release("1", None, bare)
    assert (await passes(bare), await live(bare)) == ("", "1")
    await bare.put_project("shop", signatureKeys=[{"keyID": key.id}])
    assert "is not signed" in await passes(bare)
    await bare.put_project("shop", sourceIntegrity=integrity("none"))
    assert await passes(bare) == ""


async def test_strict_refuses_what_head_lets_pass(bare: World) -> None:
    key = GpgKey()
    await add_signing_keys(bare.runtime, ADMIN, key.public)
    await bare.put_project("shop", sourceIntegrity=integrity("head", key))
    await bare.add_app("web", project="shop")
    hidden = release("1", None, bare)
    release("2", key, bare)
    assert await passes(bare) == ""
    await bare.put_project("shop", sourceIntegrity=integrity("strict", key))
    assert f"commit {hidden[:12]} is not signed" in await passes(bare)


async def test_a_key_that_is_let_go_signs_no_more(bare: World) -> None:
    key = GpgKey()
    await add_signing_keys(bare.runtime, ADMIN, key.public)
    await bare.put_project("shop", sourceIntegrity=integrity("head", key))
    await bare.add_app("web", project="shop")
    release("1", key, bare)
    assert await passes(bare) == ""
    async with bare.runtime.db.transaction() as tx:
        await signing_keys.remove_signing_key(tx, ADMIN, key.id)
    assert "does not know" in await passes(bare)
    assert await live(bare) == "1"


async def test_other_repositories_and_projects_are_not_asked(bare: World) -> None:
    key = GpgKey()
    policy = integrity("head", key, repo="https://elsewhere.example/**")
    await bare.put_project("shop", sourceIntegrity=policy)
    await bare.add_app("web", project="shop")
    release("1", None, bare)
    assert (await passes(bare), await live(bare)) == ("", "1")
