"""Clusters over the API, against real API servers."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from fleet.model.scope import EVERYTHING
from fleet.registry import clusters
from tests.cluster.kube import TestCluster
from tests.integration.api.callers import Api, connection_to
from tests.integration.operations.harness import World


@pytest.fixture
def live(bare_clusters: list[TestCluster]) -> TestCluster:
    return bare_clusters[1]


@pytest.fixture
def other(bare_clusters: list[TestCluster]) -> TestCluster:
    return bare_clusters[2]


async def add(api: Api, live: TestCluster, name: str = "eu-1", **fields: Any) -> dict[str, Any]:
    body = {"name": name, "connection": connection_to(live), **fields}
    return await api.post("clusters", body, code=201)


async def woken(api: Api, task: str) -> list[str]:
    """The keys for which a task waits."""
    query = text("select args ->> 'key' from procrastinate_jobs where task_name = :task")
    async with api.runtime.db.reading() as tx:
        return [str(row[0]) for row in await tx.execute(query, {"task": task})]


async def test_credentials_that_do_not_open_are_replaced_or_removed(
    api: Api, live: TestCluster
) -> None:
    await add(api, live)
    await _break_seals(api)
    body = {"name": "eu-1", "connection": connection_to(live), "upsert": True}
    assert (await api.post("clusters", body))["action"] == "configured"
    assert await kept_token(api) == live.admin_token
    await _break_seals(api)
    await api.ask("DELETE", "clusters/eu-1", removeServiceAccount=True)
    assert (await api.get("clusters"))["items"] == []


async def _break_seals(api: Api) -> None:
    """As if the key that sealed them were lost."""
    async with api.runtime.db.transaction() as tx:
        await tx.execute(text("update clusters set sealed = 'v1:lost:AAAA:AAAA:AAAA'"))


async def become(api: Api, name: str, uid: str) -> None:
    """As if another cluster had been confirmed at this address before."""
    async with api.runtime.db.transaction() as tx:
        await tx.execute(
            text("update clusters set uid = :uid, confirmed_uid = :uid where name = :name"),
            {"uid": uid, "name": name},
        )


async def test_a_cluster_is_asked_who_it_is_and_shown_without_credentials(
    api: Api, live: TestCluster
) -> None:
    added = await add(api, live, labels={"env": "prod"}, annotations={"team": "a"})
    cluster = added["cluster"]
    assert (added["action"], added["warnings"]) == ("created", [])
    assert cluster["connectionState"]["status"] == "Successful"
    assert cluster["uid"]
    assert cluster["version"].startswith("v1.")
    assert "apps/v1" in cluster["apiVersions"]
    assert (cluster["auth"], cluster["managedAuth"]) == ("token", None)
    assert live.admin_token not in str(added)
    assert await api.get("clusters/eu-1") == {**cluster, "workers": None}
    assert await woken(api, "reconcile") == [cluster["id"]]


async def test_clusters_are_listed_by_page_selector_and_status(
    api: Api, live: TestCluster, other: TestCluster
) -> None:
    await add(api, live, "eu-1", labels={"region": "eu"})
    await add(api, other, "us-1", labels={"region": "us"})
    first = await api.get("clusters", limit=1)
    assert [item["name"] for item in first["items"]] == ["eu-1"]
    assert "apiVersions" not in first["items"][0]
    second = await api.get("clusters", limit=1, after=first["next"])
    assert [item["name"] for item in second["items"]] == ["us-1"]
    assert second["next"] == ""
    chosen = await api.get("clusters", selector="region in (us)", status="Successful")
    assert [item["name"] for item in chosen["items"]] == ["us-1"]
    await api.refused("GET", "clusters", code=400, type="UsageError", selector="a b")


async def test_a_name_may_be_an_arn(api: Api, live: TestCluster) -> None:
    arn = "arn:aws:eks:eu-central-1:111122223333:cluster/shop"
    await add(api, live, arn)
    assert (await api.get(f"clusters/{arn}"))["name"] == arn
    paused = await api.post(f"clusters/{arn}/pause", {"reason": "upgrade"})
    assert paused["paused"] is True
    await api.ask("DELETE", f"clusters/{arn}")


@pytest.mark.parametrize(
    ("change", "status", "type", "said"),
    [
        ({"server": "https://127.0.0.1:1"}, 502, "ClusterUnreachable", "127.0.0.1:1"),
        ({"ca": ""}, 502, "ClusterUnreachable", ""),
        ({"token": "wrong"}, 502, "ClusterAuthFailed", ""),
        ({"server": "http://10.0.0.1"}, 422, "SpecInvalid", "connection.server"),
        ({"server": "https://u:p@10.0.0.1"}, 422, "SpecInvalid", "connection.server"),
        ({"token": None}, 422, "SpecInvalid", "no credentials"),
        ({"username": "u", "password": "p"}, 422, "SpecInvalid", "more than one"),
        ({"insecure": True}, 422, "SpecInvalid", "exclude"),
        ({"ca": "nonsense"}, 422, "SpecInvalid", "connection.ca"),
        ({"clientCertificate": "x", "token": None}, 422, "SpecInvalid", "go together"),
        ({"token": None, "exec": {"command": "/bin/sh"}}, 403, "Forbidden", "sh"),
    ],
)
async def test_a_cluster_that_cannot_be_used_changes_nothing(
    api: Api, live: TestCluster, change: dict[str, Any], status: int, type: str, said: str
) -> None:
    body = {"name": "eu-1", "connection": connection_to(live, **change)}
    error = await api.refused("POST", "clusters", body, code=status, type=type)
    assert said in error["message"]
    assert (await api.get("clusters"))["items"] == []


@pytest.mark.parametrize("name", ["", "a b", "a/", "x" * 254, "a?b"])
async def test_a_name_that_cannot_be_is_refused(api: Api, live: TestCluster, name: str) -> None:
    body = {"name": name, "connection": connection_to(live)}
    error = await api.refused("POST", "clusters", body, code=422, type="SpecInvalid")
    assert error["field"] == "name"


async def test_a_label_that_cannot_be_is_refused(api: Api, live: TestCluster) -> None:
    body = {"name": "eu-1", "connection": connection_to(live), "labels": {"a b": "c"}}
    await api.refused("POST", "clusters", body, code=422, type="SpecInvalid")


async def test_one_cluster_has_one_name(api: Api, live: TestCluster, other: TestCluster) -> None:
    await add(api, live)
    body = {"name": "eu-1", "connection": connection_to(other)}
    error = await api.refused("POST", "clusters", body, code=409, type="AlreadyExists")
    assert "upsert" in error["hint"]
    body = {"name": "eu-2", "connection": connection_to(live)}
    error = await api.refused("POST", "clusters", body, code=409, type="AlreadyExists")
    assert "'eu-1'" in error["message"]
    alias = live.server.replace("127.0.0.1", "localhost")
    body = {"name": "eu-2", "connection": connection_to(live, server=alias)}
    error = await api.refused("POST", "clusters", body, code=409, type="AlreadyExists")
    assert "kube-system UID" in error["message"]


async def test_an_upsert_finds_its_cluster_among_any_number_of_like_names(
    api: Api, live: TestCluster
) -> None:
    await add(api, live)
    async with api.runtime.db.transaction() as tx:
        await tx.execute(
            text(
                "insert into clusters (name, server) select '0-' || n || '-eu-1', 'https://' || n"
                " from generate_series(1, 1001) n"
            )
        )
    body = {"name": "eu-1", "connection": connection_to(live), "labels": {"env": "prod"}}
    answer = await api.post("clusters", {**body, "upsert": True})
    assert (answer["action"], answer["cluster"]["labels"]) == ("configured", {"env": "prod"})


async def test_an_upsert_changes_what_differs_and_nothing_else(
    api: Api, live: TestCluster, other: TestCluster
) -> None:
    await add(api, live)
    body = {"name": "eu-1", "connection": connection_to(live), "upsert": True}
    same = await api.post("clusters", body)
    assert same["action"] == "unchanged"
    changed = await api.post("clusters", {**body, "labels": {"env": "prod"}})
    assert (changed["action"], changed["cluster"]["labels"]) == ("configured", {"env": "prod"})
    body["connection"] = connection_to(other)
    error = await api.refused("POST", "clusters", body, code=409, type="IdentityChanged")
    assert "confirm-identity" in error["hint"]


async def test_a_cluster_is_changed_by_what_is_given(api: Api, live: TestCluster) -> None:
    await add(api, live, labels={"env": "prod", "old": "x"}, intervalSeconds=60)
    changed = await api.ask(
        "PATCH",
        "clusters/eu-1",
        {"name": "eu-2", "labels": {"tier": "1", "old": None}, "intervalSeconds": None},
    )
    assert changed["name"] == "eu-2"
    assert changed["labels"] == {"env": "prod", "tier": "1"}
    assert changed["intervalSeconds"] is None
    error = await api.refused("GET", "clusters/eu-1", code=404, type="NotFound")
    assert "eu-2" in error["hint"]
    kept = await api.ask("PATCH", "clusters/eu-2", {"namespaces": ["shop"]})
    assert (kept["namespaces"], kept["labels"]) == (["shop"], {"env": "prod", "tier": "1"})


async def test_a_cluster_is_paused_until_it_is_resumed(api: Api, live: TestCluster) -> None:
    await add(api, live)
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    paused = await api.post("clusters/eu-1/pause", {"reason": "upgrade", "until": until})
    assert paused["pause"]["by"] == "anna"
    assert paused["pause"]["reason"] == "upgrade"
    resumed = await api.post("clusters/eu-1/resume")
    assert (resumed["paused"], resumed["pause"]) == (False, None)
    past = {"reason": "x", "until": "2020-01-01T00:00:00Z"}
    error = await api.refused("POST", "clusters/eu-1/pause", past, code=422, type="SpecInvalid")
    assert error["field"] == "until"
    vague = {"reason": "x", "until": "2099-01-01T00:00:00"}
    error = await api.refused("POST", "clusters/eu-1/pause", vague, code=422, type="SpecInvalid")
    assert "time zone" in error["message"]


async def test_a_test_asks_now_and_writes_down_what_came(api: Api, live: TestCluster) -> None:
    await add(api, live)
    tested = await api.post("clusters/eu-1/test")
    assert (tested["ok"], tested["uid"]) == (True, tested["cluster"]["uid"])
    async with api.runtime.db.transaction() as tx:
        await tx.execute(text("update clusters set server = 'https://127.0.0.1:1', sealed = ''"))
    await api.refused("POST", "clusters/eu-1/test", {}, code=502, type="ClusterUnreachable")
    state = (await api.get("clusters/eu-1"))["connectionState"]
    assert state["status"] == "Failed"
    assert "127.0.0.1:1" in state["message"]


async def test_another_cluster_at_a_known_address_waits_for_a_person(
    api: Api, live: TestCluster
) -> None:
    uid = (await add(api, live))["cluster"]["uid"]
    await api.refused("POST", "clusters/eu-1/confirm-identity", {}, code=409, type="Refused")
    await become(api, "eu-1", "another")
    await api.refused("POST", "clusters/eu-1/test", {}, code=409, type="IdentityChanged")
    assert (await api.get("clusters/eu-1"))["identityChanged"] is True
    confirmed = await api.post("clusters/eu-1/confirm-identity")
    assert (confirmed["identityChanged"], confirmed["uid"]) == (False, uid)


class TestServiceAccount:
    @pytest.fixture
    def names(self, live: TestCluster) -> Any:
        """Of an account that no other test makes; removed afterwards."""
        name = f"fleet-{secrets.token_hex(4)}"
        yield {
            "createServiceAccount": True,
            "serviceAccountNamespace": "kube-system",
            "serviceAccountName": name,
        }
        rbac = "/apis/rbac.authorization.k8s.io/v1"
        for path in (f"{rbac}/clusterrolebindings", f"{rbac}/clusterroles"):
            if any(o["metadata"]["name"] == name for o in live.request("GET", path)["items"]):
                live.request("DELETE", f"{path}/{name}")

    async def test_only_a_token_of_it_is_kept(
        self, api: Api, live: TestCluster, names: dict[str, Any]
    ) -> None:
        connection = connection_to(
            live,
            token=None,
            clientCertificate=live.client_cert_pem,
            clientKey=live.client_key_pem,
        )
        added = await api.post(
            "clusters", {"name": "eu-1", "connection": connection, **names}, code=201
        )
        managed = added["cluster"]["managedAuth"]
        assert managed["serviceAccount"] == names["serviceAccountName"]
        assert managed["expiresAt"] > datetime.now(UTC).isoformat()
        assert added["cluster"]["auth"] == "token"
        async with api.runtime.db.reading() as tx:
            known = (await clusters.list_clusters(tx, EVERYTHING))[0][0]
            kept = await clusters.connection_of(tx, api.runtime.ring, known.id)
        assert kept.client_key_pem is None
        assert kept.token is not None
        assert kept.token.reveal() != live.admin_token
        await api.post("clusters/eu-1/test")

    async def test_its_token_is_renewed(
        self, api: Api, live: TestCluster, names: dict[str, Any]
    ) -> None:
        await add(api, live, **names)
        before = await kept_token(api)
        await api.post("clusters/eu-1/rotate-auth")
        assert await kept_token(api) != before
        await api.post("clusters/eu-1/test")
        changes = await api.get("audit/changes", action="rotate-auth")
        assert changes["items"][0]["actor"] == "anna"

    async def test_it_is_taken_back_as_far_as_its_own_token_reaches(
        self, api: Api, live: TestCluster, names: dict[str, Any]
    ) -> None:
        await add(api, live, **names)
        removed = await api.ask("DELETE", "clusters/eu-1", removeServiceAccount=True)
        bindings = live.request("GET", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings")
        held = [o["metadata"]["name"] for o in bindings["items"]]
        assert names["serviceAccountName"] not in held
        assert len(removed["warnings"]) <= 1


async def kept_token(api: Api) -> str:
    async with api.runtime.db.reading() as tx:
        known = (await clusters.list_clusters(tx, EVERYTHING))[0][0]
        kept = await clusters.connection_of(tx, api.runtime.ring, known.id)
    assert kept.token is not None
    return kept.token.reveal()


async def test_given_credentials_replace_the_old_ones_after_they_were_tried(
    api: Api, live: TestCluster, other: TestCluster
) -> None:
    await add(api, live)
    error = await api.refused("POST", "clusters/eu-1/rotate-auth", {}, code=409, type="Refused")
    assert "ServiceAccount" in error["message"]
    wrong = {"connection": connection_to(live, token="wrong")}
    await api.refused(
        "POST", "clusters/eu-1/rotate-auth", wrong, code=502, type="ClusterAuthFailed"
    )
    stranger = {"connection": connection_to(other)}
    await api.refused(
        "POST", "clusters/eu-1/rotate-auth", stranger, code=409, type="IdentityChanged"
    )
    assert await kept_token(api) == live.admin_token
    certificate = connection_to(
        live, token=None, clientCertificate=live.client_cert_pem, clientKey=live.client_key_pem
    )
    rotated = await api.post("clusters/eu-1/rotate-auth", {"connection": certificate})
    assert rotated["auth"] == "client-certificate"


class TestRemoval:
    async def test_applications_that_target_it_are_in_the_way(
        self, bare: World, operator: Api
    ) -> None:
        await bare.add_app("web")
        error = await operator.refused("DELETE", "clusters/main", code=409, type="Refused")
        assert "web" in error["message"]

    async def test_kept_applications_find_it_again(self, bare: World, operator: Api) -> None:
        await bare.add_app("web")
        gone = await operator.ask("DELETE", "clusters/main", applications="keep")
        assert (gone["applications"], gone["kept"]) == (["web"], True)
        orphan = await operator.get("applications/web")
        assert orphan["status"]["sync"]["status"] == "Unknown"
        await operator.refused("GET", "applications/web/diff", code=409, type="Refused")
        added = await add(operator, bare.live["main"], "main")
        assert added["adopted"] == ["web"]
        assert (await operator.get("clusters/main"))["applications"] == 1

    async def test_deleted_applications_leave_their_objects(
        self, bare: World, operator: Api
    ) -> None:
        await bare.add_app("web")
        await bare.deliver(
            web=({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}},)
        )
        gone = await operator.ask("DELETE", "clusters/main", applications="delete")
        assert gone["applications"] == ["web"]
        await operator.refused("GET", "applications/web", code=404, type="NotFound")
        assert bare.read("a") is not None
        history = await bare.rows("select deployed_until from deployments")
        assert [row["deployed_until"] is None for row in history] == [False]

    async def test_an_application_at_work_is_in_the_way(self, bare: World, operator: Api) -> None:
        bare.commit(web=())
        await bare.add_app("web", auto=False)
        await bare.poll()
        await bare.sync("web")
        error = await operator.refused(
            "DELETE", "clusters/main", code=409, type="Refused", applications="keep"
        )
        assert "terminate-op" in error["hint"]
        assert (await operator.get("clusters/main"))["applications"] == 1
