"""An Argo CD export read in any order, and given back so that Argo CD takes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.model.documents import kept
from fleet.model.scope import EVERYTHING
from fleet.registry.application_views import Freshness, get_application
from tests.cluster.argo_crds import definitions
from tests.cluster.kube import ApiFailed, TestCluster
from tests.integration.operations.apps import add_root, application, roll
from tests.integration.operations.exports import (
    HOST_KEY,
    PASSWORD,
    argo,
    config_map,
    exported,
    put,
    stream,
    told,
)
from tests.integration.operations.harness import Object, World, settings_for, until, world
from tests.integration.operations.harness import config_map as object_in_git
from tests.servers.git_repo import GitRepo
from tests.servers.postgres import TestDatabase
from tests.servers.signing import GpgKey


async def _conditions(made: World, name: str) -> list[str]:
    async with made.runtime.db.reading() as tx:
        fresh = Freshness(made.runtime.now(), 120)
        found = await get_application(tx, EVERYTHING, name, fresh=fresh)
    return [condition.message for condition in found.summary.conditions]


async def test_an_export_is_read_in_any_order(bare: World) -> None:
    wanted = stream(bare.repo)
    results = await put(bare, wanted)
    assert told(results) == [
        "ApplicationSet/many kept",
        "Application/web created",
        "AppProject/shop created",
        "RepoCredential/https://git.example/shop created",
        "ConfigMap/argocd-rbac-cm created",
        "ConfigMap/argocd-ssh-known-hosts-cm created",
        "ConfigMap/argocd-cm created",
        "Secret/argocd-secret kept",
    ], [str(it.error) for it in results if it.error]
    assert [row["host"] for row in await bare.rows("select host from known_certificates")] == [
        "git.example"
    ]
    again = await put(bare, list(reversed(wanted)))
    assert {line.split()[1] for line in told(again)} == {"kept", "unchanged"}


async def test_a_dry_run_changes_nothing(bare: World) -> None:
    before = await bare.versions()
    results = await put(bare, stream(bare.repo), dry_run=True)
    assert not [it.error for it in results if it.error]
    assert await bare.versions() == before
    for table in ("kept_documents", "known_certificates", "repositories where not implicit"):
        assert len(await bare.rows(f"select 1 from {table}")) == (
            1 if table.startswith("repositories") else 0  # that of the world itself
        )


async def test_an_application_may_come_before_its_project_and_its_cluster(
    bare: World, throwaway: Callable[[], TestCluster]
) -> None:
    bare.commit(web=(object_in_git("page"),))
    _, web, project, *_ = stream(bare.repo)
    early = argo("Application", "early", {**web["spec"], "destination": {"name": "later"}})
    plain = {**web["spec"], "source": {"repoURL": bare.repo.url, "path": "web"}}
    results = await put(bare, [argo("Application", "web", plain), early])
    assert told(results) == ["Application/web created", "Application/early created"]
    assert "AppProject/shop does not exist yet" in results[0].warnings
    assert "cluster later is not registered yet" in results[1].warnings
    await bare.poll()
    await bare.pass_()
    assert await _conditions(bare, "web") == ["Application/web: AppProject/shop does not exist"]
    assert "cluster later is not registered yet" in await _conditions(bare, "early")
    assert bare.read("page", namespace="shop") is None

    assert told(await put(bare, [project])) == ["AppProject/shop created"]
    await bare.poll()
    await bare.pass_()
    (only,) = await _conditions(bare, "web")
    assert only == "sync options that Fleet does not know are kept and do nothing: Vendor=thing"
    assert (await bare.app("web"))["sync_status"] == "Synced"
    added = await bare.add_cluster("later", throwaway())
    assert (await bare.app("early"))["cluster_id"] == added.id


async def test_one_that_is_wrong_keeps_none_of_the_others_back(bare: World) -> None:
    wrong = [
        config_map("argocd-ssh-known-hosts-cm", ssh_known_hosts="nonsense"),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine"}},
        argo("AppProject", "shop", {"destinations": [{}]}),
        argo("AppProject", "good", {"sourceRepos": ["*"]}),
    ]
    results = await put(bare, wrong)
    assert [it.action for it in results] == ["failed", "failed", "failed", "created"]
    assert "is not a document that Fleet reads" in str(results[1].error)


async def test_nothing_is_lost_on_the_way_through(
    bare: World, git_repo: GitRepo, second_database: TestDatabase, tmp_path: Path
) -> None:
    wanted = stream(bare.repo)
    await put(bare, wanted)
    found = await exported(bare, secrets=True)
    for document in wanted:
        name = document["metadata"]["name"]
        if document["kind"] == "Secret" and name == "creds-1":
            continue  # its name is made from its URL
        mine = found[f"{document['kind']}/{name}"]
        if name == "argocd-ssh-known-hosts-cm":
            assert mine["data"] == {"ssh_known_hosts": f"{HOST_KEY}\n"}
            continue
        assert mine == kept(document)
    assert not [key for key in await exported(bare) if key.startswith("Secret/")]
    (entry,) = await bare.rows("select actor from audit_log where action = 'export'")
    assert entry["actor"] == "admin"

    folder = tmp_path / "second"
    folder.mkdir()
    settings = settings_for(folder, allowed_file_roots=str(tmp_path))
    async with world(settings, second_database, git_repo, bare.live["main"]) as other:
        results = await put(other, list(found.values()))
        assert not [str(it.error) for it in results if it.error]
        assert await exported(other, secrets=True) == found


async def test_plugins_leave_as_they_came(bare: World) -> None:
    """Argo CD keeps them as files of sidecars: they have no namespace."""
    plugin: Object = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ConfigManagementPlugin",
        "metadata": {"name": "prefix"},
        "spec": {"version": "v1", "generate": {"command": ["sed", "", "objects.txt"]}},
    }
    assert [it.action for it in await put(bare, [plugin])] == ["created"]
    found = await exported(bare)
    assert found["ConfigManagementPlugin/prefix"] == plugin
    assert [it.action for it in await put(bare, [plugin])] == ["unchanged"]


async def test_secrets_that_are_kept_are_sealed(bare: World) -> None:
    await put(bare, stream(bare.repo))
    rows = await bare.rows("select kept_documents::text as row from kept_documents")
    assert not [row for row in rows if PASSWORD in row["row"]]


async def test_argo_cd_takes_what_is_exported(
    bare: World, throwaway: Callable[[], TestCluster]
) -> None:
    """Validated by an API server, strictly, against the fields that Argo CD has."""
    unmarked = argo("Application", "plain", {"source": {"repoURL": bare.repo.url, "path": "web"}})
    unmarked["spec"]["destination"] = {"name": "main", "namespace": "shop"}
    await put(bare, [*stream(bare.repo), unmarked])
    cluster = throwaway()
    cluster.request("POST", "/api/v1/namespaces", {"metadata": {"name": "argocd"}})
    base = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    for definition in definitions():
        cluster.request("POST", base, definition)
    for document in (await exported(bare)).values():
        path = _collection(document)
        if path:
            await until(lambda path=path: _served(cluster, path))
            cluster.request("POST", f"{path}?fieldValidation=Strict", document)
    misspelt = argo("Application", "bad", {"project": "x", "destination": {}, "sourc": {}})
    with pytest.raises(ApiFailed, match="unknown field"):
        cluster.request("POST", f"{_collection(misspelt)}?fieldValidation=Strict", misspelt)


def _collection(document: dict[str, object]) -> str:
    plural = f"{document['kind']}s".lower()
    return (
        f"/apis/{document['apiVersion']}/namespaces/argocd/{plural}"
        if "argo" in str(document["apiVersion"])
        else ""
    )


async def _served(cluster: TestCluster, path: str) -> bool:
    try:
        cluster.request("GET", path)
    except ApiFailed as failed:
        if failed.status not in (404, 429):  # its storage is being made
            raise
        return False
    return True


async def test_what_fleet_writes_into_documents_stays_here(bare: World) -> None:
    """Children carry marks by which Fleet knows them: an export is without."""
    bare.commit(root=(application(bare, "web"),), web=(object_in_git("page"),))
    await add_root(bare)
    await roll(bare, 2)
    assert "fleet.dev" in json.dumps((await bare.app("web"))["document"])
    found = await exported(bare)
    assert "fleet.dev" not in json.dumps(found["Application/web"])
    assert found["Application/web"] == application(bare, "web")


async def test_keys_that_sign_and_authorities_are_trusted_and_given_back(bare: World) -> None:
    key = GpgKey()
    keys = config_map("argocd-gpg-keys-cm")
    keys["data"] = {key.id: key.public}
    assert told(await put(bare, [keys])) == ["ConfigMap/argocd-gpg-keys-cm created"]
    assert [row["id"] for row in await bare.rows("select id from signing_keys")] == [key.id]
    assert told(await put(bare, [keys])) == ["ConfigMap/argocd-gpg-keys-cm unchanged"]
    found = (await exported(bare))["ConfigMap/argocd-gpg-keys-cm"]
    assert list(found["data"]) == [key.id]
    assert "BEGIN PGP PUBLIC KEY" in found["data"][key.id]
