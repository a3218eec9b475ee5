"""From what a source renders to what is wanted: objects that are there twice, and releases
that are named after their application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from fleet.errors import Refused
from fleet.model.parsing import new_application, parse_application
from fleet.model.scope import EVERYTHING
from fleet.operations.putting import put_application
from fleet.operations.renaming import rename_application
from tests.cluster.kube import TestCluster
from tests.integration.operations.harness import (
    ADMIN,
    World,
    as_file,
    config_map,
    settings_for,
    world,
)
from tests.servers.git_repo import GitRepo
from tests.servers.postgres import TestDatabase
from tests.tools import tools_home

CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
OBJECT = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}-conf'}\n"


@pytest.fixture
async def charted(
    tmp_path: Path, database: TestDatabase, git_repo: GitRepo, bare_clusters: list[TestCluster]
) -> AsyncIterator[World]:
    """A world with helm, and a chart in ``web``."""
    settings = settings_for(tmp_path)
    (Path(settings.home) / "tools").symlink_to(tools_home() / "tools")
    git_repo.commit({"web/Chart.yaml": CHART, "web/templates/conf.yaml": OBJECT})
    async with world(settings, database, git_repo, bare_clusters[0]) as made:
        yield made


async def _rename(world: World, name: str, new_name: str) -> None:
    await rename_application(world.runtime, ADMIN, EVERYTHING, name, new_name)


async def _document(world: World, name: str) -> dict[str, Any]:
    found: dict[str, Any] = (await world.app(name))["document"]
    return found


async def test_a_renamed_application_keeps_its_release(charted: World) -> None:
    await charted.add_app("web")
    await charted.poll()
    await charted.pass_()
    before = charted.read("web-conf")
    assert before is not None
    await _rename(charted, "web", "shop")
    await _rename(charted, "shop", "store")
    await charted.poll()
    await charted.pass_(look=True)
    app = await charted.app("store")
    assert (app["sync_status"], app["render_error"]) == ("Synced", None)
    assert set(await charted.resources("store")) == {"ConfigMap/web-conf"}
    after = charted.read("web-conf")
    assert after is not None
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert len(await charted.operations("web")) == 1
    assert (await _document(charted, "store"))["spec"]["source"]["helm"] == {"releaseName": "web"}
    entries = await charted.rows("select after from audit_log where action = 'rename' order by at")
    assert [entry["after"] for entry in entries] == [
        {"name": "shop", "releaseName": "web"},
        {"name": "store"},
    ]


async def test_a_release_with_a_name_and_plain_files_are_left_as_they_are(charted: World) -> None:
    charted.commit(plain=(config_map("a"),))
    await charted.add_app("named", path="web", helm={"releaseName": "other"})
    await charted.add_app("plain")
    await charted.poll()
    for name in ("named", "plain"):
        spec = (await _document(charted, name))["spec"]
        await _rename(charted, name, f"{name}-2")
        assert (await _document(charted, f"{name}-2"))["spec"] == spec


async def test_what_was_changed_and_not_rendered_yet_is_not_renamed(charted: World) -> None:
    await charted.add_app("shop", path="web")
    await charted.poll()
    await charted.add_app("shop", path="other", upsert=True)
    with pytest.raises(Refused, match="before it is rendered") as caught:
        await _rename(charted, "shop", "store")
    assert "--hard" in caught.value.hint


async def test_of_an_object_that_is_there_twice_the_last_one_is_used(bare: World) -> None:
    """In the order of files, and of sources; whatever they contain."""
    document = new_application(
        "web",
        repo_url=bare.repo.url,
        path="one",
        revision="main",
        dest_name="main",
        dest_namespace=bare.namespace,
        automated=True,
        sync_options=("CreateNamespace=true",),
    )
    source = document["spec"].pop("source")
    document["spec"]["sources"] = [source, {**source, "path": "two"}]
    await put_application(
        bare.runtime, ADMIN, EVERYTHING, parse_application(document), upsert=False
    )
    for last in ("1", "9"):
        bare.repo.commit(
            {
                "one/a.yaml": as_file((config_map("a", x="5"), config_map("b", x="5"))),
                "one/b.yaml": as_file((config_map("a", x=last),)),
                "two/b.yaml": as_file((config_map("b", x=last),)),
            }
        )
        await bare.poll()
        await bare.pass_()
        for name in ("a", "b"):
            live = bare.read(name)
            assert live is not None
            assert live["data"] == {"x": last}
        conditions = (await bare.app("web"))["conditions"]
        assert [c["type"] for c in conditions] == ["RepeatedResourceWarning"] * 2
