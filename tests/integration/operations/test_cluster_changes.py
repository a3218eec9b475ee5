"""A cluster is called, found or managed otherwise: what its applications and people notice."""

from __future__ import annotations

from fleet.model.clusters import Connection
from fleet.model.parsing import new_application, parse_application
from fleet.model.scope import EVERYTHING
from fleet.model.secret import Secret
from fleet.operations.clusters import Described, describe_cluster
from fleet.operations.onboarding import ServiceAccount, rotate_credentials
from fleet.operations.putting import put_application
from fleet.registry.clusters import ClusterChanges
from tests.integration.operations.harness import ADMIN, World, config_map


async def change(world: World, cluster: str, **changes: object) -> Described:
    wanted: ClusterChanges = changes  # type: ignore[assignment]
    return await describe_cluster(world.runtime, ADMIN, EVERYTHING, cluster, wanted)


async def destination(world: World, name: str) -> dict[str, str]:
    found: dict[str, str] = (await world.app(name))["document"]["spec"]["destination"]
    return found


async def test_after_a_rename_applications_can_be_changed_and_nothing_is_applied_again(
    bare: World,
) -> None:
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a"),))
    described = await change(bare, "main", name="eu-west")
    assert any("1 application(s) name eu-west" in warning for warning in described.warnings)
    assert await destination(bare, "web") == {"name": "eu-west", "namespace": bare.namespace}
    app = await bare.app("web")
    assert app["generation"] == app["rendered_generation"]
    assert await bare.poll() is None
    spent = await bare.pass_()
    assert not {verb for verb, _ in spent} & {"apply", "dry-run", "delete"}
    assert len(await bare.operations("web")) == 1
    await bare.add_app("web", cluster="eu-west", heal=False, upsert=True)
    assert (await bare.app("web"))["sync_status"] == "Synced"
    (entry,) = await bare.rows(
        "select before, after from audit_log where object_kind = 'Application'"
        " and action = 'update' order by at limit 1"
    )
    assert entry["before"]["spec"]["destination"]["name"] == "main"
    assert entry["after"]["spec"]["destination"]["name"] == "eu-west"


async def test_a_rename_tells_which_projects_do_not_allow_the_new_name(bare: World) -> None:
    await bare.put_project("shop", destinations=[{"name": "main", "namespace": "*"}])
    await bare.add_app("web", project="shop")
    described = await change(bare, "main", name="eu-west")
    assert any("project shop" in warning and "eu-west" in warning for warning in described.warnings)


async def test_applications_follow_an_address_that_moved(bare: World) -> None:
    live = bare.live["main"]
    written = new_application(
        "web",
        repo_url=bare.repo.url,
        path="web",
        revision="main",
        dest_server=live.server + "/",
        dest_namespace=bare.namespace,
    )
    await put_application(bare.runtime, ADMIN, EVERYTHING, parse_application(written), upsert=False)
    moved = live.server.replace("127.0.0.1", "localhost")
    connection = Connection(server=moved, ca_pem=live.ca_pem, token=Secret(live.admin_token))
    await rotate_credentials(bare.runtime, ADMIN, EVERYTHING, "main", connection)
    assert await destination(bare, "web") == {"server": moved, "namespace": bare.namespace}
    (row,) = await bare.rows("select cluster_id from applications")
    assert row["cluster_id"] == bare.clusters["main"].id


async def test_whoever_changes_the_namespaces_is_told_about_the_rights(bare: World) -> None:
    assert (await change(bare, "main", namespaces=["shop"])).warnings == ()
    await change(bare, "main", namespaces=[])
    live = bare.live["main"]
    connection = Connection(server=live.server, ca_pem=live.ca_pem, token=Secret(live.admin_token))
    account = ServiceAccount(name=f"fleet-{bare.namespace}")
    await rotate_credentials(bare.runtime, ADMIN, EVERYTHING, "main", connection, account=account)
    described = await change(bare, "main", namespaces=["shop", "web"])
    (warning,) = described.warnings
    assert "fleet cluster rotate-auth main" in warning
    described = await change(bare, "main", namespaces=["shop"])
    assert any("rights in web" in warning for warning in described.warnings)
    assert (await change(bare, "main", labels={"env": "prod"})).warnings == ()
