"""Live objects deleted and patched by hand, and applications that move or are forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.kube import TestCluster
from tests.integration.api.callers import Api
from tests.integration.operations.harness import World, config_map

PATH = "applications/web/resources"


@pytest.fixture
async def deployed(bare: World) -> World:
    """``web`` is synced by hand, with ConfigMaps ``a`` and ``b``."""
    await bare.add_app("web", auto=False)
    await bare.deliver(web=(config_map("a", colour="blue"), config_map("b")))
    await bare.sync("web")
    await bare.pass_()
    return bare


class TestObjects:
    @pytest.mark.parametrize(
        ("kind", "patch", "colour"),
        [
            ("merge", {"data": {"colour": "red"}}, "red"),
            ("strategic", {"data": {"colour": "green"}}, "green"),
            ("json", [{"op": "replace", "path": "/data/colour", "value": "pink"}], "pink"),
        ],
    )
    async def test_a_patch_is_drift_like_any_other(
        self, deployed: World, operator: Api, kind: str, patch: Any, colour: str
    ) -> None:
        body = {"kind": "ConfigMap", "name": "a", "patch": patch, "patchType": kind}
        done = await operator.post(f"{PATH}/patch", body)
        assert done["objects"] == [f"ConfigMap/{deployed.namespace}/a"]
        live = deployed.read("a")
        assert live is not None
        assert live["data"]["colour"] == colour
        await deployed.pass_(look=True)
        assert (await deployed.app("web"))["sync_status"] == "OutOfSync"

    async def test_one_is_deleted_and_the_log_says_so(self, deployed: World, operator: Api) -> None:
        body = {"kind": "ConfigMap", "name": "a", "force": True, "orphan": True}
        done = await operator.post(f"{PATH}/delete", body)
        assert done["objects"] == [f"ConfigMap/{deployed.namespace}/a"]
        assert deployed.is_going("a")
        assert not deployed.is_going("b")
        entries = await operator.get("audit/changes", limit=1)
        assert entries["items"][0]["action"] == "delete-resource"

    async def test_the_project_has_its_say(self, deployed: World, operator: Api) -> None:
        forbidden = [{"group": "", "kind": "ConfigMap"}]
        await deployed.put_project("default", namespaceResourceBlacklist=forbidden)
        one = {"kind": "ConfigMap", "name": "a"}
        patch = {**one, "patch": {"data": {"colour": "red"}}}
        for action, body in (("delete", one), ("patch", patch)):
            await operator.refused("POST", f"{PATH}/{action}", body, code=403, type="Forbidden")
        live = deployed.read("a")
        assert live is not None
        assert live["data"] == {"colour": "blue"}

    async def test_several_are_meant_only_by_saying_all(
        self, deployed: World, operator: Api
    ) -> None:
        error = await operator.refused(
            "POST", f"{PATH}/delete", {"kind": "ConfigMap"}, code=409, type="Refused"
        )
        assert "2 objects are meant" in error["message"]
        done = await operator.post(f"{PATH}/delete", {"kind": "ConfigMap", "all": True})
        assert len(done["objects"]) == 2

    @pytest.mark.parametrize(
        ("action", "body", "code", "type"),
        [
            ("delete", {"kind": "ConfigMap", "name": "none"}, 404, "NotFound"),
            ("delete", {"kind": "Secret", "name": "a"}, 404, "NotFound"),
            ("delete", {"name": "a"}, 422, "SpecInvalid"),
            ("patch", {"kind": "ConfigMap", "name": "a"}, 422, "SpecInvalid"),
            ("patch", {"kind": "ConfigMap", "name": "a", "patch": "x"}, 422, "SpecInvalid"),
            (
                "patch",
                {"kind": "ConfigMap", "name": "a", "patch": {"data": 1}},
                422,
                "ObjectRejected",
            ),
        ],
    )
    async def test_what_cannot_be_done_is_told(
        self,
        deployed: World,
        operator: Api,
        action: str,
        body: dict[str, Any],
        code: int,
        type: str,
    ) -> None:
        await operator.refused("POST", f"{PATH}/{action}", body, code=code, type=type)
        assert not deployed.is_going("a")


async def test_a_move_is_shown_before_it_is_made(
    deployed: World, operator: Api, bare_clusters: list[TestCluster]
) -> None:
    await deployed.add_cluster("other", bare_clusters[1])
    app = await operator.get("applications/web")
    document = {key: app[key] for key in ("apiVersion", "kind", "metadata", "spec")}
    document["spec"]["destination"] = {"name": "other", "namespace": deployed.namespace}
    error = await operator.refused(
        "PUT", "applications/web", {"document": document}, code=409, type="Refused"
    )
    assert "--move prune" in error["hint"]
    body = {"document": document, "move": "prune", "dryRun": True}
    shown = await operator.ask("PUT", "applications/web", body)
    assert [it for it in shown["warnings"] if "2 objects are pruned from cluster main" in it]
    assert shown["application"]["spec"]["destination"]["name"] == "main"
    moved = await operator.ask("PUT", "applications/web", body | {"dryRun": False})
    assert moved["application"]["spec"]["destination"]["name"] == "other"
    left = [it["name"] for it in (await operator.get("applications"))["items"]]
    assert [name.startswith("web-moved-") for name in left] == [False, True]
    page = await operator.get(f"applications/{left[1]}")
    assert len(page["status"]["resources"]) == 2


async def test_what_is_forgotten_stays_in_the_cluster(deployed: World, operator: Api) -> None:
    answer = await operator.ask("DELETE", "applications/web", forceForget=True)
    assert (answer["operation"], answer["left"]) == (None, 2)
    await operator.get("applications/web", code=404)
    assert not deployed.is_going("a")
