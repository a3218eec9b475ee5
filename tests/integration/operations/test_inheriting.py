"""Global projects: what they say holds for whoever inherits from them, from the moment on that
it is said."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.errors import Forbidden, Refused, SpecInvalid
from fleet.model.global_projects import parse_settings_config
from fleet.model.objects import GroupKind
from fleet.model.parsing import parse_project
from fleet.operations.customizing import current_customizations
from fleet.operations.openings import Openings
from fleet.operations.projects import put_project, remove_project
from fleet.operations.settings_config import put_settings
from fleet.registry import projects
from tests.integration.operations import exports
from tests.integration.operations.harness import ADMIN, World, config_map
from tests.integration.operations.windows import HOUR, conditions, window

GLOBALS = """
- labelSelector:
    matchLabels: {tier: prod}
  projectName: company
"""
OPEN = {
    "sourceRepos": ["*"],
    "destinations": [{"server": "*", "namespace": "*"}],
    "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
}


async def put(world: World, name: str, labels: dict[str, str], **spec: Any) -> None:
    document = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
    }
    await put_project(world.runtime, ADMIN, parse_project(document), upsert=True)


def argocd_cm(text: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "argocd-cm"},
        "data": {"globalProjects": text, "url": "https://argocd.example"},
    }


async def say(world: World, text: str) -> tuple[str, ...]:
    config = parse_settings_config(argocd_cm(text))
    return (await put_settings(world.runtime, ADMIN, config, upsert=True)).warnings


async def test_a_window_of_a_global_project_holds_the_syncs_of_those_that_inherit(
    bare: World,
) -> None:
    await put(bare, "shop", {"tier": "prod"}, **OPEN)
    await put(bare, "lab", {"tier": "test"}, **OPEN)
    for name, project in (("web", "shop"), ("try", "lab")):
        await bare.add_app(name, project=project)
    # named before it is there: it is told, and holds when it comes
    assert any("no project company yet" in it for it in await say(bare, GLOBALS))
    await put(bare, "company", {}, syncWindows=[window(bare, "deny", -10, HOUR)])
    bare.commit(web=(config_map("a"),), **{"try": (config_map("b"),)})
    await bare.poll()
    await bare.pass_()
    assert bare.read("a") is None
    assert bare.read("b") is not None
    assert "deny window" in (await conditions(bare, "web"))["SyncWindow"]
    async with bare.runtime.db.reading() as tx:
        told = await Openings().next(tx, bare.clock())
    assert {opening.name for opening in told} == {"company", "shop"}
    # the company relents: whoever waited goes on without a poll
    await put(bare, "company", {})
    await bare.pass_()
    assert bare.read("a") is not None


async def test_kinds_and_destinations_are_inherited_behind_ones_own(bare: World) -> None:
    await say(bare, GLOBALS)
    await put(
        bare,
        "company",
        {},
        sourceRepos=["*"],
        destinations=[{"server": "*", "namespace": "*"}, {"server": "*", "namespace": "!kube-*"}],
        clusterResourceWhitelist=[{"group": "", "kind": "Namespace"}],
        namespaceResourceBlacklist=[{"group": "", "kind": "ConfigMap"}],
    )
    await put(bare, "shop", {"tier": "prod"})
    # nothing of its own, and still it may have applications; but for what is denied
    await bare.add_app("web", project="shop")
    with pytest.raises(Forbidden, match=r"kube-\*"):
        await bare.add_app("dns", project="shop", namespace="kube-system")
    await bare.deliver(web=(config_map("a"),))
    assert bare.read("a") is None
    (operation,) = await bare.operations("web")
    assert "namespaceResourceBlacklist" in operation["message"]
    # without the label it inherits nothing
    await put(bare, "shop", {})
    with pytest.raises(Forbidden, match="sourceRepos"):
        await bare.add_app("api", project="shop")


async def test_what_a_project_says_itself_is_kept_apart_from_what_it_inherits(
    bare: World,
) -> None:
    await put(bare, "company", {}, sourceRepos=["https://git.example/*"])
    await put(bare, "shop", {"tier": "prod"}, sourceRepos=["https://own.example/*"])
    await say(bare, GLOBALS)
    (row,) = await bare.rows("select document, effective from projects where name = 'shop'")
    assert row["document"]["spec"]["sourceRepos"] == ["https://own.example/*"]
    assert row["effective"]["spec"]["sourceRepos"] == [
        "https://own.example/*",
        "https://git.example/*",
    ]
    await say(bare, "")
    (row,) = await bare.rows("select effective from projects where name = 'shop'")
    assert row["effective"] is None


async def test_a_global_project_stays_while_it_is_one(bare: World) -> None:
    await put(bare, "company", {})
    await say(bare, GLOBALS)
    with pytest.raises(Refused, match="global"):
        await remove_project(bare.runtime, ADMIN, "company")
    await say(bare, "[]")
    await remove_project(bare.runtime, ADMIN, "company")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "- labelSelector: {}",
        "- projectName: company\n  labelSelector: {matchLabels: {'a b': c}}",
        "- projectName: company\n  labelSelector: {matchExpressions: [{key: a, operator: Is}]}",
        "- projectName: company\n  labelSelector: {matchExpressions: [{key: a, operator: In}]}",
        "company",
    ],
)
async def test_what_cannot_be_read_leaves_what_was_said_before(bare: World, text: str) -> None:
    await put(bare, "company", {}, sourceRepos=["*"])
    await put(bare, "shop", {"tier": "prod"})
    await say(bare, GLOBALS)
    with pytest.raises(SpecInvalid):
        await say(bare, text)
    (row,) = await bare.rows("select effective from projects where name = 'shop'")
    assert row["effective"]["spec"]["sourceRepos"] == ["*"]


async def test_an_argocd_cm_holds_as_a_whole_and_is_one_change(bare: World) -> None:
    """With global projects and a health script: neither takes the other's place."""
    await put(bare, "company", {}, syncWindows=[window(bare, "deny", -10, HOUR)])
    await put(bare, "shop", {"tier": "prod"}, **OPEN)
    document = argocd_cm(GLOBALS)
    script = "resource.customizations.health.example.com_Database"
    document["data"][script] = "return {status = 'Healthy'}"

    async def apply() -> list[str]:
        return [it.action for it in await exports.put(bare, [document])]

    assert await apply() == ["created"]
    assert await apply() == ["unchanged"]
    # a project that changes later still inherits
    await put(bare, "shop", {"tier": "prod", "team": "web"}, **OPEN)
    async with bare.runtime.db.reading() as tx:
        assert (await projects.rules_of(tx, "shop")).windows
        assert (await current_customizations(tx)).health_of(GroupKind("example.com", "Database"))
    changes = (
        "select action from audit_log where object = 'argocd-cm' and object_kind = 'ConfigMap'"
    )
    assert [row["action"] for row in await bare.rows(changes)] == ["create"]
