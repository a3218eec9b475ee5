"""Encrypted files from commit to cluster: which keys open them, and what follows when keys come
and go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from fleet.errors import NotFound, SpecInvalid
from fleet.model.secret import Secret
from fleet.operations.decrypting import keep_decryption_keys
from fleet.registry import decryption_keys
from tests.integration.operations.harness import ADMIN, World, as_file, config_map
from tests.servers.sops import AgeKey, encrypt

PASSWORD = "correct horse battery staple"


def release(there: World, folder: Path, value: str, *keys: AgeKey, app: str = "web") -> None:
    """A commit with an encrypted Secret and, from an encrypted file too, a ConfigMap."""
    closed = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"{app}-db"}}
    objects = (
        {**closed, "stringData": {"password": value}},
        config_map(f"{app}-conf", note=value),
    )
    files = {
        f"{app}/{number}.yaml": encrypt(
            folder, f"{number}.yaml", as_file((found,)), *keys,
            flags=("--encrypted-regex", "^(data|stringData)$"),
        )
        for number, found in enumerate(objects)
    }  # fmt: skip
    there.repo.commit(files)


async def keep(there: World, key: AgeKey, project: str = "") -> None:
    await keep_decryption_keys(there.runtime, ADMIN, Secret(key.private), project)


async def forget(there: World, key: AgeKey, project: str = "") -> None:
    async with there.runtime.db.transaction() as tx:
        await decryption_keys.remove_decryption_key(tx, ADMIN, key.id, project)


async def passes(there: World, app: str = "web") -> str:
    """What the application's last render failed with; "" when it did not."""
    assert await there.poll() is None
    await there.pass_()
    await there.pass_()
    error = (await there.app(app))["render_error"]
    return str(error["message"]) if error else ""


def live(there: World, app: str = "web") -> str:
    found = there.read(f"{app}-conf")
    return found["data"]["note"] if found else ""


async def stored(there: World) -> str:
    """All that the database holds, but for what is sealed, as text."""
    names = [
        row["name"]
        for row in await there.rows(
            "select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where n.nspname = 'public' and c.relkind in ('r', 'p')"
            " and has_table_privilege(c.oid, 'select')"
        )
    ]
    found = []
    async with there.runtime.db.reading() as tx:
        for name in names:
            rows = await tx.execute(text(f'select t::text from "{name}" t'))
            found += rows.scalars().all()
    return "\n".join(found)


async def test_a_key_that_comes_opens_and_one_that_goes_takes_nothing_down(
    bare: World, tmp_path: Path
) -> None:
    key = AgeKey()
    await bare.add_app("web")
    release(bare, tmp_path, PASSWORD, key)
    said = await passes(bare)
    assert "web/0.yaml: is encrypted with SOPS" in said
    assert f"age {key.id}" in said
    assert live(bare) == ""

    await keep(bare, key)  # what waited for it goes on by itself
    assert (await passes(bare), live(bare)) == ("", PASSWORD)
    assert "Secret/web-db" in await bare.resources("web")

    await forget(bare, key)
    assert "is encrypted with SOPS" in await passes(bare)
    assert live(bare) == PASSWORD  # what runs, stays
    assert "Secret/web-db" in await bare.resources("web")

    await keep(bare, key)
    assert await passes(bare) == ""


async def test_a_rotation_renders_nothing_anew_before_the_files_are(
    bare: World, tmp_path: Path
) -> None:
    old, new = AgeKey(), AgeKey()
    await keep(bare, old)
    await bare.add_app("web")
    release(bare, tmp_path, "first value", old)
    assert await passes(bare) == ""
    renders = await bare.rows("select key from renders order by key")

    await keep(bare, new)
    assert await passes(bare) == ""
    assert await bare.rows("select key from renders order by key") == renders

    release(bare, tmp_path, "second value", new)
    assert (await passes(bare), live(bare)) == ("", "second value")
    await forget(bare, old)
    assert (await passes(bare), live(bare)) == ("", "second value")


async def test_a_key_of_a_project_is_for_its_applications_alone(
    bare: World, tmp_path: Path
) -> None:
    key = AgeKey()
    await bare.put_project("shop")
    await bare.put_project("other")
    await keep(bare, key, "shop")
    await bare.add_app("web", project="shop")
    release(bare, tmp_path, PASSWORD, key)
    assert (await passes(bare), live(bare)) == ("", PASSWORD)
    # the very same source: a render that is there already is not given away
    await bare.add_app("spy", path="web", project="other")
    assert "no key that the project may use" in await passes(bare, "spy")


async def test_nothing_of_it_is_kept_in_the_clear(bare: World, tmp_path: Path) -> None:
    key = AgeKey()
    await keep(bare, key)
    await bare.add_app("web")
    closed = encrypt(tmp_path, "conf.yaml", as_file((config_map("web-conf", note=PASSWORD),)), key)
    bare.repo.commit({"web/conf.yaml": closed})
    assert (await passes(bare), live(bare)) == ("", PASSWORD)
    # no Secret is among it, and it is sealed all the same
    assert all(row["sealed"] for row in await bare.rows("select sealed from manifests"))
    kept = await stored(bare)
    assert key.private not in kept
    assert PASSWORD not in kept


async def test_a_changed_file_is_told_and_takes_nothing_down(bare: World, tmp_path: Path) -> None:
    key = AgeKey()
    await keep(bare, key)
    await bare.add_app("web")
    release(bare, tmp_path, PASSWORD, key)
    assert await passes(bare) == ""
    file = bare.repo.read("web/1.yaml")
    bare.repo.commit({"web/1.yaml": file.replace("web-conf", "web-other")})
    assert "web/1.yaml: its SOPS mac does not fit" in await passes(bare)
    assert live(bare) == PASSWORD


@pytest.mark.parametrize("given", ["", "AGE-SECRET-KEY-1QQQQ", "age1qqqq", "no key"])
async def test_what_is_no_key_is_refused(bare: World, given: str) -> None:
    with pytest.raises(SpecInvalid):
        await keep_decryption_keys(bare.runtime, ADMIN, Secret(given))


async def test_a_key_of_nobody(bare: World) -> None:
    key = AgeKey()
    with pytest.raises(NotFound):
        await keep(bare, key, "nowhere")
    with pytest.raises(NotFound):
        await forget(bare, key)


async def test_keys_are_listed_without_themselves(bare: World) -> None:
    one, other = sorted((AgeKey(), AgeKey()), key=lambda key: key.id)
    await bare.put_project("shop")
    for key, project in ((one, ""), (one, "shop"), (other, "")):
        await keep(bare, key, project)
    found: list[Any] = []
    after = ""
    while True:
        async with bare.runtime.db.reading() as tx:
            page, after = await decryption_keys.list_decryption_keys(tx, limit=2, after=after)
        found += [(key.id, key.project) for key in page]
        if not after:
            break
    assert found == [(one.id, ""), (one.id, "shop"), (other.id, "")]
