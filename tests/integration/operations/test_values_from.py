"""``helm.valuesFrom`` on a real API server: what stands in a cluster decides what is rendered
for it, nothing of it is kept in the clear, and what is missing takes nothing down."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from fleet.errors import RenderError
from fleet.operations import cluster_values
from fleet.operations.rendering import render_at
from tests.cluster.kube import TestCluster
from tests.integration.operations.harness import World, settings_for, world
from tests.integration.operations.test_impersonation import as_robot, let
from tests.integration.operations.test_sops import stored
from tests.servers.git_repo import GitRepo
from tests.servers.postgres import TestDatabase
from tests.tools import tools_home

PASSWORD = "correct horse battery staple"
CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
TEMPLATE = """
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-conf}
data:
  colour: {{ .Values.colour }}
  password: {{ .Values.db.password | quote }}
"""
FILES = {
    "chart/Chart.yaml": CHART,
    "chart/values.yaml": 'colour: blue\ndb: {password: ""}\n',
    "chart/templates/conf.yaml": TEMPLATE,
}
MAP = {"kind": "ConfigMap", "name": "shared"}
DB = {"kind": "Secret", "name": "db", "valuesKey": "password", "targetPath": "db.password"}


@pytest.fixture
async def charts(
    database: TestDatabase, bare_clusters: list[TestCluster], git_repo: GitRepo, tmp_path: Path
) -> AsyncIterator[World]:
    """A world that renders charts, with one in its repository."""
    settings = settings_for(tmp_path)
    (Path(settings.home) / "tools").symlink_to(tools_home() / "tools")
    git_repo.commit(FILES)
    async with world(settings, database, git_repo, bare_clusters[0]) as there:
        there.create_namespace()
        yield there


async def add(there: World, *entries: dict[str, Any], name: str = "web", **flags: Any) -> None:
    await there.add_app(name, path="chart", helm={"valuesFrom": list(entries)}, **flags)


def say(there: World, values: str, *, cluster: str = "main", key: str = "values.yaml") -> None:
    """Have the ConfigMap hold these values."""
    put(there, "configmaps", {"metadata": {"name": "shared"}, "data": {key: values}}, cluster)


def tell(there: World, password: str, *, namespace: str = "") -> None:
    """Have the Secret hold this password."""
    data = {"password": base64.b64encode(password.encode()).decode()}
    put(there, "secrets", {"metadata": {"name": "db"}, "data": data}, namespace=namespace)


def put(
    there: World, kind: str, body: dict[str, Any], cluster: str = "main", namespace: str = ""
) -> None:
    path = f"/api/v1/namespaces/{namespace or there.namespace}/{kind}/{body['metadata']['name']}"
    named = {"apiVersion": "v1", "kind": {"secrets": "Secret"}.get(kind, "ConfigMap"), **body}
    there.request("PATCH", f"{path}?fieldManager=hand&force=true", named, cluster=cluster)


async def passes(there: World, name: str = "web", *, look: bool = False) -> str:
    """What the application's last render failed with; "" when it did not."""
    if look:
        await there.pass_(look=True)
    assert await there.poll() is None
    await there.pass_()
    await there.pass_()
    error = (await there.app(name))["render_error"]
    return str(error["message"]) if error else ""


def live(there: World, name: str = "web", cluster: str = "main") -> tuple[str, str] | None:
    found = there.read(f"{name}-conf", cluster=cluster)
    return (found["data"]["colour"], found["data"]["password"]) if found else None


async def renders(there: World) -> int:
    return len(await there.rows("select key from renders"))


async def test_what_stands_in_the_cluster_is_deployed_and_a_change_of_it_noticed(
    charts: World,
) -> None:
    say(charts, "colour: red\n")
    tell(charts, PASSWORD)
    await add(charts, MAP, DB)
    assert (await passes(charts), live(charts)) == ("", ("red", PASSWORD))
    # nothing moved: nothing is polled nor rendered for it
    made = await renders(charts)
    assert await passes(charts, look=True) == ""
    assert await renders(charts) == made
    # the next full reading sees it, without a commit
    say(charts, "colour: green\n")
    assert (await passes(charts, look=True), live(charts)) == ("", ("green", PASSWORD))
    tell(charts, "another horse")
    assert (await passes(charts, look=True), live(charts)) == ("", ("green", "another horse"))
    # back to what it was: that is known already
    made = await renders(charts)
    say(charts, "colour: red\n")
    tell(charts, PASSWORD)
    assert (await passes(charts, look=True), live(charts)) == ("", ("red", PASSWORD))
    assert await renders(charts) == made


async def test_another_key_of_the_object_renders_nothing_anew(charts: World) -> None:
    say(charts, "colour: red\n")
    await add(charts, MAP)
    assert await passes(charts) == ""
    before = await charts.app("web")
    charts.request(
        "PATCH",
        f"{charts.path_of('shared')}?fieldManager=other&force=true",
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shared"},
         "data": {"counter": "1"}},
    )  # fmt: skip
    await charts.pass_(look=True)
    assert (await charts.app("web"))["refresh"] == ""
    assert (await charts.app("web"))["rendered_at"] == before["rendered_at"]


async def test_what_is_missing_is_named_and_takes_nothing_down(charts: World) -> None:
    await add(charts, MAP, DB)
    said = await passes(charts)
    assert f"ConfigMap/{charts.namespace}/shared does not exist" in said
    assert "values.yaml" in said
    conditions = (await charts.app("web"))["conditions"]
    assert [it["type"] for it in conditions] == ["ComparisonError"]
    say(charts, "colour: red\n")
    assert f"Secret/{charts.namespace}/db does not exist" in await passes(charts, look=True)
    tell(charts, PASSWORD)
    assert (await passes(charts, look=True), live(charts)) == ("", ("red", PASSWORD))

    charts.request("DELETE", charts.path_of("shared"))
    assert "shared does not exist" in await passes(charts, look=True)
    assert live(charts) == ("red", PASSWORD)  # what runs, stays
    assert "ConfigMap/web-conf" in await charts.resources("web")
    say(charts, "colour: red\n", key="other.yaml")
    said = await passes(charts, look=True)
    assert f"ConfigMap/{charts.namespace}/shared has no key values.yaml" in said
    # a failure that stays the same is not evaluated again and again
    await charts.pass_(look=True)
    assert (await charts.app("web"))["refresh"] == ""
    say(charts, "colour: green\n")
    assert (await passes(charts, look=True), live(charts)) == ("", ("green", PASSWORD))


async def test_what_is_optional_may_be_missing_until_it_comes(charts: World) -> None:
    await add(charts, {**MAP, "optional": True})
    assert (await passes(charts), live(charts)) == ("", ("blue", ""))
    say(charts, "colour: red\n")
    assert (await passes(charts, look=True), live(charts)) == ("", ("red", ""))


async def test_the_source_wins_over_what_stands_in_the_cluster(charts: World) -> None:
    say(charts, "colour: red\n")
    tell(charts, PASSWORD)
    helm = {"valuesFrom": [MAP, DB], "values": "colour: white"}
    await charts.add_app("web", path="chart", helm=helm)
    assert (await passes(charts), live(charts)) == ("", ("white", PASSWORD))


async def test_what_a_secret_went_into_is_sealed_whatever_it_is(charts: World) -> None:
    tell(charts, PASSWORD)
    await add(charts, DB)
    assert (await passes(charts), live(charts)) == ("", ("blue", PASSWORD))
    # no Secret is among the manifests
    assert all(row["sealed"] for row in await charts.rows("select sealed from manifests"))


async def test_nothing_of_a_secret_is_kept_in_the_clear(charts: World) -> None:
    closed = TEMPLATE.replace("ConfigMap", "Secret").replace("\ndata", "\nstringData")
    charts.repo.commit({"chart/templates/conf.yaml": closed})
    tell(charts, PASSWORD)
    await add(charts, DB)
    assert await passes(charts) == ""
    assert "Secret/web-conf" in await charts.resources("web")
    tell(charts, PASSWORD[::-1])
    assert await passes(charts, look=True) == ""
    charts.repo.commit(
        {"chart/templates/fail.yaml": '{{ fail (printf "it is %s" .Values.db.password) }}'}
    )
    assert "it is ••••••" in await passes(charts)
    kept = await stored(charts)
    for password in (PASSWORD, PASSWORD[::-1]):
        assert password not in kept
        assert base64.b64encode(password.encode()).decode() not in kept


async def test_clusters_with_equal_values_share_a_render(
    charts: World, bare_clusters: list[TestCluster]
) -> None:
    await charts.add_cluster("other", bare_clusters[1])
    charts.create_namespace("other")
    for cluster in ("main", "other"):
        say(charts, "colour: red\n", cluster=cluster)
        helm = {"valuesFrom": [MAP], "releaseName": "web"}
        await charts.add_app(f"on-{cluster}", path="chart", cluster=cluster, helm=helm)
    assert await charts.poll() is None
    assert await renders(charts) == 1
    say(charts, "colour: green\n", cluster="other")
    await charts.pass_("other", look=True)
    assert await charts.poll() is None
    assert await renders(charts) == 2
    found = [(await charts.app(f"on-{name}"))["manifests_sha256"] for name in ("main", "other")]
    assert len(set(found)) == 2


async def test_it_is_read_as_whom_the_application_is_synced(charts: World) -> None:
    await charts.put_project("shop", **as_robot(charts))
    say(charts, "colour: red\n")
    await add(charts, MAP, project="shop")
    said = await passes(charts)
    assert f"ConfigMap/{charts.namespace}/shared cannot be read" in said
    assert f"system:serviceaccount:{charts.namespace}:robot" in said
    let(charts, "get", "create", "patch", "delete")
    assert (await passes(charts, look=True), live(charts)) == ("", ("red", ""))


async def test_a_destination_that_the_project_forbids_is_not_read(charts: World) -> None:
    await charts.put_project("shop")
    say(charts, "colour: red\n")
    await add(charts, MAP, project="shop")
    assert (await passes(charts), live(charts)) == ("", ("red", ""))
    await charts.put_project("shop", destinations=[{"server": "*", "namespace": "elsewhere"}])
    say(charts, "colour: green\n")
    before = charts.requests()
    said = await passes(charts, look=True)
    assert "is not among the destinations" in said
    asked = charts.requests() - before
    assert asked["get", "ConfigMap"] <= 1  # the object that it applied, and not its values
    assert live(charts) == ("red", "")


async def test_a_cluster_that_does_not_answer_keeps_what_it_has(
    charts: World, throwaway: Any
) -> None:
    gone = throwaway()
    await charts.add_cluster("gone", gone)
    charts.create_namespace("gone")
    say(charts, "colour: red\n", cluster="gone")
    await add(charts, MAP, cluster="gone")
    await add(charts, name="api")
    assert await charts.poll() is None
    wanted = (await charts.app("web"))["manifests_sha256"]
    assert wanted
    gone.stop()
    charts.repo.commit({"chart/values.yaml": 'colour: white\ndb: {password: ""}\n'})
    assert await charts.poll() is None
    web = await charts.app("web")
    assert web["manifests_sha256"] == wanted
    assert "the values that stand on cluster gone cannot be read" in web["render_error"]["message"]
    await charts.pass_()
    assert live(charts, "api") == ("white", "")  # others go on
    gone.start()
    await charts.pass_("gone", look=True)
    assert await charts.poll() is None
    assert (await charts.app("web"))["render_error"] is None


async def test_a_cluster_that_hangs_is_not_waited_for_by_others(
    charts: World, throwaway: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = throwaway()
    await charts.add_cluster("slow", slow)
    charts.create_namespace("slow")
    say(charts, "colour: red\n", cluster="slow")
    await add(charts, MAP, cluster="slow")
    await add(charts, name="api")
    assert await charts.poll() is None
    monkeypatch.setattr(cluster_values, "SECONDS", 0.2)
    slow.freeze()
    try:
        charts.repo.commit({"chart/values.yaml": 'colour: white\ndb: {password: ""}\n'})
        assert await charts.poll() is None
        error = (await charts.app("web"))["render_error"]
        assert error["type"] == "ClusterUnreachable"
        await charts.pass_()
        assert live(charts, "api") == ("white", "")
    finally:
        slow.thaw()


async def test_a_look_at_another_revision_has_them_too(charts: World) -> None:
    say(charts, "colour: red\n")
    await add(charts, MAP)
    assert await passes(charts) == ""
    id = (await charts.app("web"))["id"]
    found = await render_at(charts.runtime, id, {0: "main"})
    assert found.manifests[0]["data"]["colour"] == "red"
    charts.request("DELETE", charts.path_of("shared"))
    with pytest.raises(RenderError, match="does not exist"):
        await render_at(charts.runtime, id, {0: "main"})


async def test_an_application_without_any_costs_what_it_did(charts: World) -> None:
    await charts.add_app("web", path="chart", helm={"values": "colour: red"})
    assert await passes(charts) == ""
    spent = await charts.pass_(look=True)
    assert spent["get", "ConfigMap"] == spent["get", "Secret"] == 0
    assert (await charts.app("web"))["values_digest"] is None
