"""Annotations that the settings call sensitive are shown nowhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fleet.model.scope import EVERYTHING
from fleet.operations.diffing import diff_application, live_manifests, wanted_manifests
from tests.cluster.kube import TestCluster
from tests.integration.operations.harness import World, config_map, settings_for, world
from tests.servers.git_repo import GitRepo
from tests.servers.postgres import TestDatabase

TOKEN = "example.test/token"


@pytest.fixture
async def discreet(
    database: TestDatabase, bare_clusters: list[TestCluster], git_repo: GitRepo, tmp_path: Path
) -> AsyncIterator[World]:
    settings = settings_for(tmp_path, sensitive_annotations=TOKEN)
    async with world(settings, database, git_repo, bare_clusters[0]) as made:
        yield made


async def test_a_sensitive_annotation_is_a_label_in_manifests_diffs_and_drift(
    discreet: World,
) -> None:
    await discreet.add_app("web", heal=False)
    await discreet.deliver(web=(config_map("a", {TOKEN: "hush-old"}),))
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "annotations": {TOKEN: "hush-hand"}},
    }
    path = f"{discreet.path_of('a')}?fieldManager=hand&force=true"
    discreet.request("PATCH", path, body)
    await discreet.pass_(look=True)
    differs = await diff_application(discreet.runtime, EVERYTHING, "web")
    wanted = await wanted_manifests(discreet.runtime, EVERYTHING, "web")
    live = await live_manifests(discreet.runtime, EVERYTHING, "web")
    drift = await discreet.rows("select * from drift_events")
    for told in (differs.shown, wanted.items, live.items, drift):
        assert TOKEN in repr(told)
        assert "hush" not in repr(told)
