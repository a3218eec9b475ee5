"""Projects, accounts and the audit log over the API."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.api.callers import Api, account
from tests.integration.operations.harness import World


def project(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": name},
        "spec": spec,
    }


class TestProjects:
    async def test_a_document_comes_back_word_for_word(self, api: Api) -> None:
        document = project("shop", sourceRepos=["*"], orphanedResources={"warn": True})
        made = await api.post("projects", {"document": document}, code=201)
        assert (made["action"], made["project"]) == ("created", document)
        assert await api.get("projects/shop") == document
        listed = await api.get("projects", name="sho")
        assert listed["items"] == [document]

    async def test_a_project_is_created_once(self, api: Api) -> None:
        body = {"document": project("shop")}
        await api.post("projects", body, code=201)
        await api.refused("POST", "projects", body, code=409, type="AlreadyExists")
        assert (await api.post("projects", {**body, "upsert": True}))["action"] == "unchanged"
        changed = {"document": project("shop", sourceRepos=["*"]), "upsert": True}
        assert (await api.post("projects", changed))["action"] == "configured"

    async def test_a_project_is_replaced_under_its_own_name(self, api: Api) -> None:
        await api.refused(
            "PUT", "projects/shop", {"document": project("shop")}, code=404, type="NotFound"
        )
        await api.post("projects", {"document": project("shop")}, code=201)
        body = {"document": project("shop", sourceRepos=["*"])}
        assert (await api.ask("PUT", "projects/shop", body))["action"] == "configured"
        error = await api.refused(
            "PUT", "projects/shop", {"document": project("other")}, code=422, type="SpecInvalid"
        )
        assert error["field"] == "document.metadata.name"

    async def test_a_wrong_document_names_the_field(self, api: Api) -> None:
        body = {"document": project("shop", sourceRepos="*")}
        error = await api.refused("POST", "projects", body, code=422, type="SpecInvalid")
        assert error["field"] == "spec.sourceRepos"

    async def test_the_default_project_is_closed_and_stays(self, api: Api) -> None:
        closed = await api.post("projects/default/close")
        assert closed["action"] == "configured"
        assert closed["project"]["spec"]["destinations"] == []
        assert (await api.post("projects/default/close"))["action"] == "unchanged"
        await api.refused("DELETE", "projects/default", code=409, type="Refused")

    async def test_a_project_is_forgotten_when_nothing_is_in_it(
        self, bare: World, operator: Api
    ) -> None:
        await bare.put_project("shop")
        await bare.add_app("web", project="shop")
        error = await operator.refused("DELETE", "projects/shop", code=409, type="Refused")
        assert "web" in error["message"]
        await operator.ask("DELETE", "applications/web", cascade=False)
        assert await operator.ask("DELETE", "projects/shop") == {"name": "shop"}
        await operator.refused("GET", "projects/shop", code=404, type="NotFound")


class TestAccounts:
    async def test_a_token_is_shown_once_and_opens_the_door(self, api: Api) -> None:
        await api.post("accounts", {"name": "ci", "role": "readonly"}, code=201)
        made = await api.post("accounts/ci/tokens", {"name": "build"}, code=201)
        ci = Api(api.runtime, made["token"])
        assert (await ci.get("session"))["account"] == "ci"
        listed = await api.get("accounts/ci/tokens")
        assert [token["name"] for token in listed["items"]] == ["build"]
        assert made["token"] not in str(listed)

    async def test_a_token_is_revoked_by_name_or_id(self, api: Api) -> None:
        await api.post("accounts", {"name": "ci", "role": "readonly"}, code=201)
        first = await api.post("accounts/ci/tokens", {"name": "build"}, code=201)
        second = await api.post("accounts/ci/tokens", {"name": "build"}, code=201)
        await api.refused("DELETE", "accounts/ci/tokens/build", code=400, type="UsageError")
        gone = await api.ask("DELETE", f"accounts/ci/tokens/{first['id']}")
        assert (gone["valid"], gone["revokedAt"] is not None) == (False, True)
        await Api(api.runtime, first["token"]).refused(
            "GET", "session", code=401, type="Unauthenticated"
        )
        await api.ask("DELETE", "accounts/ci/tokens/build")
        await Api(api.runtime, second["token"]).refused(
            "GET", "session", code=401, type="Unauthenticated"
        )
        await api.refused("DELETE", "accounts/ci/tokens/none", code=404, type="NotFound")

    @pytest.mark.parametrize(
        ("body", "code", "type"),
        [
            ({"name": "ci", "role": "root"}, 400, "UsageError"),
            ({"name": "Ci!", "role": "admin"}, 400, "UsageError"),
            ({"name": "ci", "role": "project:none"}, 404, "NotFound"),
            ({"name": "anna", "role": "admin"}, 409, "AlreadyExists"),
        ],
    )
    async def test_an_account_that_cannot_be_is_refused(
        self, api: Api, body: dict[str, Any], code: int, type: str
    ) -> None:
        await api.refused("POST", "accounts", body, code=code, type=type)
        assert [item["name"] for item in (await api.get("accounts"))["items"]] == ["anna"]

    async def test_a_token_lives_for_a_year_at_most(self, api: Api) -> None:
        body = {"name": "long", "expiresInSeconds": 366 * 86_400}
        await api.refused("POST", "accounts/anna/tokens", body, code=400, type="UsageError")
        await api.refused("POST", "accounts/none/tokens", {"name": "x"}, code=404, type="NotFound")
        await api.refused("GET", "accounts/none/tokens", code=404, type="NotFound")

    async def test_the_last_administrator_stays(self, api: Api) -> None:
        await api.refused("POST", "accounts/anna/disable", {}, code=409, type="Refused")
        await account(api.runtime, "admin", "otto")
        assert (await api.post("accounts/anna/disable"))["enabled"] is False


class TestAudit:
    async def test_what_was_done_and_refused_is_there(self, api: Api) -> None:
        reader = await account(api.runtime, "readonly", "rita")
        await api.post("projects", {"document": project("shop")}, code=201)
        await reader.refused("POST", "projects/default/close", {}, code=403, type="Forbidden")
        done = (await api.get("audit/changes", kind="AppProject", actor="anna"))["items"]
        assert [(c["action"], c["object"], c["decision"]) for c in done] == [
            ("create", "shop", "allowed")
        ]
        assert done[0]["after"]["metadata"]["name"] == "shop"
        denied = (await api.get("audit/changes", decision="denied"))["items"]
        assert [(c["actor"], c["action"], c["kind"]) for c in denied] == [
            ("rita", "update", "projects")
        ]
        assert "readonly" in denied[0]["after"]["reason"]

    async def test_what_an_operation_refuses_is_there(self, api: Api) -> None:
        operator = await account(api.runtime, "operator", "otto")
        body = {"url": "https://169.254.169.254/x.git", "type": "git"}
        await api.refused("POST", "repositories", body, code=403, type="AddressForbidden")
        await operator.refused("POST", "repositories", body, code=403, type="Forbidden")
        denied = (await api.get("audit/changes", decision="denied"))["items"]
        assert [(c["actor"], c["action"], c["kind"], bool(c["requestId"])) for c in denied] == [
            ("otto", "create", "repositories", True),
            ("anna", "create", "repositories", True),
        ]
        assert "169.254.169.254" in denied[1]["after"]["reason"]

    async def test_it_is_read_page_by_page_newest_first(self, api: Api) -> None:
        for name in ("a", "b", "c"):
            await api.post("projects", {"document": project(name)}, code=201)
        first = await api.get("audit/changes", kind="AppProject", actor="anna", limit=2)
        assert [c["object"] for c in first["items"]] == ["c", "b"]
        second = await api.get(
            "audit/changes", kind="AppProject", actor="anna", limit=2, after=first["next"]
        )
        assert [c["object"] for c in second["items"]] == ["a"]
        since = first["items"][0]["at"]
        late = await api.get("audit/changes", since=since, until="2020-01-01T00:00:00Z")
        assert late["items"] == []

    async def test_a_sign_in_is_written_down_when_asked(self, api: Api) -> None:
        await api.get("session")
        assert (await api.get("audit/changes", action="sign-in"))["items"] == []
        await api.get("session", login=True)
        assert len((await api.get("audit/changes", action="sign-in"))["items"]) == 1

    async def test_a_wrong_token_is_written_down(self, api: Api) -> None:
        await Api(api.runtime, "nonsense").send("GET", "session")
        found = await api.get("audit/changes", action="sign-in", decision="denied")
        assert found["items"][0]["actor"] == "anonymous"

    async def test_the_chain_is_whole_and_holds_an_exported_head(self, api: Api) -> None:
        head = await api.get("audit/head")
        await api.post("projects", {"document": project("shop")}, code=201)
        whole = await api.post("audit/verify")
        assert (whole["ok"], whole["badSeq"]) == (True, None)
        assert (await api.post("audit/verify", {"head": head}))["ok"] is True
        forged = {**head, "chain_hash": head["chain_hash"][:-1] + "x"}
        assert (await api.post("audit/verify", {"head": forged}))["ok"] is False
