"""Applications over the API: real commits, a real API server, passes on demand."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from fleet.model.parsing import new_application
from tests.integration.api.callers import Api
from tests.integration.operations.harness import World, config_map, deployment


def document(bare: World, name: str = "web", **fields: Any) -> dict[str, Any]:
    values = {
        "repo_url": bare.repo.url,
        "path": name,
        "revision": "main",
        "dest_name": "main",
        "dest_namespace": bare.namespace,
        "sync_options": ("CreateNamespace=true",),
    }
    return new_application(name, **(values | fields))


@pytest.fixture
async def deployed(bare: World) -> World:
    """``web`` is synced, with one ConfigMap ``a``."""
    await bare.add_app("web")
    await bare.deliver(web=(config_map("a", colour="blue"),))
    return bare


class TestDocuments:
    async def test_a_document_comes_back_with_status(self, bare: World, operator: Api) -> None:
        given = document(bare, labels={"team": "a"})
        made = await operator.post("applications", {"document": given}, code=201)
        assert made["action"] == "created"
        app = await operator.get("applications/web")
        assert app["spec"] == given["spec"]
        assert app["metadata"]["generation"] == 1
        assert app["status"]["sync"]["status"] == "Unknown"

    async def test_an_application_is_created_once(self, bare: World, operator: Api) -> None:
        body = {"document": document(bare)}
        await operator.post("applications", body, code=201)
        await operator.refused("POST", "applications", body, code=409, type="AlreadyExists")
        same = await operator.post("applications", body, upsert=True)
        assert same["action"] == "unchanged"
        changed = {"document": document(bare, path="other"), "upsert": True}
        assert (await operator.post("applications", changed))["action"] == "configured"

    @pytest.mark.parametrize(
        ("change", "code", "type"),
        [
            ({"dest_name": "none"}, 404, "NotFound"),
            ({"project": "none"}, 404, "NotFound"),
            ({"project": "narrow"}, 403, "Forbidden"),
            ({"repo_url": "ext::sh"}, 422, "SpecInvalid"),
            ({"dest_server": "https://x"}, 422, "SpecInvalid"),
        ],
    )
    async def test_a_document_that_cannot_be_is_refused(
        self, bare: World, operator: Api, change: dict[str, Any], code: int, type: str
    ) -> None:
        await bare.put_project("narrow", destinations=[])
        body = {"document": document(bare, **change)}
        await operator.refused("POST", "applications", body, code=code, type=type)
        assert (await operator.get("applications"))["items"] == []

    async def test_what_the_project_refuses_is_in_the_audit_log(
        self, bare: World, operator: Api
    ) -> None:
        await bare.put_project("narrow", destinations=[])
        body = {"document": document(bare, project="narrow")}
        await operator.refused("POST", "applications", body, code=403, type="Forbidden")
        results = await operator.post("apply", {"documents": [body]})
        assert results["results"][0]["error"]["type"] == "Forbidden"
        denied = (await operator.get("audit/changes", decision="denied"))["items"]
        assert [(c["action"], c["kind"], c["object"]) for c in denied] == [
            ("apply", "Application", "web"),
            ("create", "applications", "web"),
        ]
        assert all("destination" in c["after"]["reason"] for c in denied)
        assert all(c["requestId"] for c in denied)

    async def test_a_change_made_from_an_old_state_is_refused(
        self, bare: World, operator: Api
    ) -> None:
        await operator.post("applications", {"document": document(bare)}, code=201)
        body = {"document": document(bare, path="other"), "generation": 1}
        assert (await operator.ask("PUT", "applications/web", body))["action"] == "configured"
        body["document"] = document(bare, path="third")
        error = await operator.refused("PUT", "applications/web", body, code=409, type="Refused")
        assert "generation 2" in error["message"]

    async def test_a_put_is_about_one_that_exists_and_its_name(
        self, bare: World, operator: Api
    ) -> None:
        body = {"document": document(bare)}
        await operator.refused("PUT", "applications/web", body, code=404, type="NotFound")
        await operator.post("applications", body, code=201)
        other = {"document": document(bare, name="api")}
        error = await operator.refused(
            "PUT", "applications/web", other, code=422, type="SpecInvalid"
        )
        assert error["field"] == "document.metadata.name"

    async def test_a_rename_keeps_what_it_is(self, deployed: World, operator: Api) -> None:
        before = await operator.get("applications/web")
        after = await operator.post("applications/web/rename", {"name": "shop"})
        assert after["metadata"]["uid"] == before["metadata"]["uid"]
        assert after["status"]["history"] == before["status"]["history"]
        await operator.refused("GET", "applications/web", code=404, type="NotFound")
        await operator.refused(
            "POST", "applications/shop/rename", {"name": "A b"}, code=422, type="SpecInvalid"
        )


class TestReading:
    async def test_a_list_is_filtered_on_the_server(self, deployed: World, operator: Api) -> None:
        await deployed.add_app("api", labels={"team": "b"}, auto=False)
        names = {
            "": ["api", "web"],
            "sync=Synced": ["web"],
            "health=Healthy": ["web"],
            "selector=team=b": ["api"],
            "cluster=main": ["api", "web"],
            "cluster=none": [],
            "name=we": ["web"],
            f"namespace={deployed.namespace}": ["api", "web"],
            f"repo={deployed.repo.url}": ["api", "web"],
            "project=default": ["api", "web"],
            "project=other": [],
        }
        for query, expected in names.items():
            key, _, value = query.partition("=")
            found = await operator.get("applications", **({key: value} if key else {}))
            assert [item["name"] for item in found["items"]] == expected, query
        first = await operator.get("applications", limit=1)
        rest = await operator.get("applications", limit=1, after=first["next"])
        assert [item["name"] for item in rest["items"]] == ["web"]

    async def test_status_has_the_shape_of_argo_cd(self, deployed: World, operator: Api) -> None:
        status = (await operator.get("applications/web"))["status"]
        sha = deployed.repo.sha()
        assert status["sync"]["status"] == "Synced"
        assert status["sync"]["revision"] == sha
        assert status["health"]["status"] == "Healthy"
        assert status["operationState"]["phase"] == "Succeeded"
        assert status["operationState"]["operation"]["initiatedBy"] == {"automated": True}
        (entry,) = status["history"]
        assert entry["revision"] == sha
        kinds = {(r["kind"], r["name"], r["status"]) for r in status["resources"]}
        assert ("ConfigMap", "a", "Synced") in kinds

    async def test_status_has_the_fields_of_argo_cd(self, bare: World, operator: Api) -> None:
        await bare.add_app("web", auto=False)
        await bare.deliver(web=(deployment("web"),))
        await bare.sync("web")
        await bare.pass_()
        app = await operator.get("applications/web")
        status, sha = app["status"], bare.repo.sha()
        source = app["spec"]["source"]
        assert status["summary"] == {"images": ["registry.test/web:1"]}
        state = status["operationState"]
        assert state.keys() == {
            "operation", "phase", "message", "startedAt", "finishedAt", "syncResult",
        }  # fmt: skip
        assert state["operation"].keys() == {"initiatedBy", "sync"}
        assert state["operation"]["sync"].keys() <= {"prune", "revision"}
        assert state["syncResult"].keys() == {"revision", "source", "resources"}
        assert (state["syncResult"]["revision"], state["syncResult"]["source"]) == (sha, source)
        results = {result["kind"]: result for result in state["syncResult"]["resources"]}
        ours = {"action"}
        assert results["Deployment"].keys() - ours == {
            "group", "version", "kind", "namespace", "name", "status", "syncPhase", "hookPhase",
        } | ({"message"} & results["Deployment"].keys())  # fmt: skip
        assert results["Deployment"]["version"] == "v1"
        assert results["Deployment"]["hookPhase"] == "Succeeded"
        (entry,) = status["history"]
        ours = {"deployedUntil", "healthyAt", "manifestsSha256"}
        assert entry.keys() - ours == {
            "id", "revision", "deployedAt", "deployStartedAt", "initiatedBy", "source",
        }  # fmt: skip
        assert entry["source"] == source
        await bare.deliver(web=(deployment("web", replicas=2),))
        await bare.sync("web")
        await bare.pass_()
        await bare.pretend_worker()
        await operator.post("applications/web/rollback", {"id": entry["id"]}, code=202)
        state = (await operator.get("applications/web"))["status"]["operationState"]
        assert state["operation"].keys() == {"initiatedBy", "info", "sync"}
        assert state["operation"]["info"] == [{"name": "kind", "value": "rollback"}]

    async def test_a_sync_may_leave_hooks_out_and_keep_what_was_said(
        self, bare: World, operator: Api
    ) -> None:
        await bare.add_app("web", auto=False)
        hook = config_map("before", {"argocd.argoproj.io/hook": "PreSync"})
        await bare.deliver(web=(hook, config_map("a")))
        await bare.pretend_worker()
        ticket = {"name": "ticket", "value": "OPS-17"}
        own = {"name": "kind", "value": "rollback"}
        refused = {"strategy": "apply", "info": [own]}
        await operator.refused(
            "POST", "applications/web/sync", refused, code=422, type="SpecInvalid"
        )
        body = {"strategy": "apply", "info": [ticket]}
        await operator.post("applications/web/sync", body, code=202)
        await bare.pass_()
        assert bare.read("before") is None
        assert bare.read("a") is not None
        status = (await operator.get("applications/web"))["status"]
        assert status["operationState"]["operation"]["info"] == [ticket]
        assert status["operationState"]["operation"]["sync"]["syncStrategy"] == {"apply": {}}
        (entry,) = status["history"]
        assert entry["info"] == [ticket]
        # the next one runs them, as nothing else was said
        await operator.post("applications/web/sync", {}, code=202)
        await bare.pass_()
        assert "syncStrategy" not in str((await operator.get("applications/web"))["status"])
        (operation,) = (await bare.operations("web"))[1:]
        assert [hook["object"] for hook in operation["hooks"]] == [
            f"/ConfigMap/{bare.namespace}/before"
        ]

    async def test_resources_history_and_operations(self, deployed: World, operator: Api) -> None:
        resources = (await operator.get("applications/web/resources"))["items"]
        assert [r["name"] for r in resources if r["kind"] == "ConfigMap"] == ["a"]
        history = (await operator.get("applications/web/history"))["items"]
        assert [entry["revision"] for entry in history] == [deployed.repo.sha()]
        listed = (await operator.get("operations", application="web", phase="Succeeded"))["items"]
        assert len(listed) == 1
        operation = await operator.get(f"operations/{listed[0]['id']}")
        results = operation["syncResult"]["resources"]
        assert {"ConfigMap"} <= {result["kind"] for result in results}
        await operator.refused("GET", f"operations/{uuid4()}", code=404, type="NotFound")
        assert (await operator.get("operations", application="none"))["items"] == []

    async def test_a_wrong_file_is_the_repositorys_and_not_the_requests(
        self, deployed: World, operator: Api
    ) -> None:
        deployed.repo.commit({"web/bad.yaml": "a: 1\n\tb: 2\n"}, branch="bad")
        for what in ("manifests", "diff"):
            path = f"applications/web/{what}"
            error = await operator.refused(
                "GET", path, code=422, type="RenderError", revision="bad"
            )
            assert "web/bad.yaml:2" in error["message"]

    async def test_manifests_are_those_of_git_of_a_revision_and_of_the_cluster(
        self, deployed: World, operator: Api
    ) -> None:
        first = deployed.repo.sha()
        deployed.commit(web=(config_map("a", colour="red"),))
        git = await operator.get("applications/web/manifests")
        assert (git["revision"], git["items"][0]["data"]) == (first, {"colour": "blue"})
        later = await operator.get("applications/web/manifests", revision="main")
        assert later["items"][0]["data"] == {"colour": "red"}
        live = await operator.get("applications/web/manifests", source="live")
        (found,) = [item for item in live["items"] if item["kind"] == "ConfigMap"]
        assert found["metadata"]["uid"]
        assert "managedFields" not in found["metadata"]
        await operator.refused(
            "GET", "applications/web/manifests", code=404, type="RevisionNotFound", revision="no"
        )

    async def test_what_drifted_is_told(self, bare: World, operator: Api) -> None:
        await bare.add_app("web", auto=False)
        await bare.deliver(web=(config_map("a", colour="blue"),))
        await bare.sync("web")
        await bare.pass_()
        bare.edit("a", colour="red")
        await bare.pass_(look=True)
        (event,) = (await operator.get("applications/web/events"))["items"]
        assert event["object"] == f"ConfigMap/{bare.namespace}/a"
        assert (event["manager"], event["healedAt"]) == ("hand", None)
        assert event["fields"][0]["path"].endswith("colour")


class TestDiff:
    async def test_nothing_differs_after_a_sync(self, deployed: World, operator: Api) -> None:
        found = await operator.get("applications/web/diff")
        assert (found["different"], found["items"], found["errors"]) == (False, [], [])

    async def test_a_hand_edit_is_shown_with_its_writer(
        self, deployed: World, operator: Api
    ) -> None:
        deployed.edit("a", colour="red")
        (item,) = (await operator.get("applications/web/diff"))["items"]
        assert (item["action"], item["kind"], item["name"]) == ("change", "ConfigMap", "a")
        (change,) = item["changes"]
        assert (change["path"], change["type"]) == (".data.colour", "changed")
        assert (change["live"], change["desired"]) == ("red", "blue")
        assert change["manager"] == "hand"
        assert "-  colour: red" in item["unified"]
        assert "+  colour: blue" in item["unified"]

    async def test_a_revision_is_rendered_and_nothing_is_stored(
        self, deployed: World, operator: Api
    ) -> None:
        deployed.repo.commit(
            {
                "web/objects.yaml": None,
                "web/b.json": '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b"}}',
            },
            branch="next",
            parent=deployed.repo.sha(),
        )
        before = await deployed.versions()
        found = await operator.get("applications/web/diff", revision="next")
        actions = {(item["action"], item["name"]) for item in found["items"]}
        assert actions == {("create", "b"), ("prune", "a")}
        assert found["revisions"] == [deployed.repo.sha("next")]
        assert await deployed.versions() == before
        assert deployed.read("b") is None

    async def test_manifests_of_ones_own_are_compared(self, deployed: World, operator: Api) -> None:
        body = {"manifests": [config_map("a", colour="green")]}
        found = await operator.post("applications/web/diff", body)
        (item,) = found["items"]
        assert item["changes"][0]["desired"] == "green"
        both = {"manifests": [], "revision": "main"}
        await operator.refused("POST", "applications/web/diff", both, code=422, type="SpecInvalid")

    async def test_what_the_project_forbids_is_an_error_of_that_object(
        self, deployed: World, operator: Api
    ) -> None:
        await deployed.put_project(
            "default", namespaceResourceBlacklist=[{"group": "", "kind": "Secret"}]
        )
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
        unknown = {"apiVersion": "x.example/v1", "kind": "Thing", "metadata": {"name": "t"}}
        body = {"manifests": [config_map("a", colour="blue"), secret, unknown]}
        found = await operator.post("applications/web/diff", body)
        errors = {error["type"]: error["object"] for error in found["errors"]}
        assert errors["Forbidden"].startswith("Secret/")
        assert "Thing" in errors["KindUnknown"]
        assert found["items"] == []

    async def test_before_the_first_sync_everything_would_be_created(
        self, bare: World, operator: Api
    ) -> None:
        await bare.add_app("web", auto=False)
        await operator.refused("GET", "applications/web/diff", code=409, type="Refused")
        bare.commit(web=(config_map("a"),))
        await bare.poll()
        found = await operator.get("applications/web/diff")
        assert [(item["action"], item["name"]) for item in found["items"]] == [("create", "a")]
        assert found["errors"] == []

    async def test_a_kind_that_comes_with_it_is_created_too(
        self, deployed: World, operator: Api
    ) -> None:
        crd = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "things.api-test.example"},
            "spec": {
                "group": "api-test.example",
                "scope": "Namespaced",
                "names": {"kind": "Thing", "plural": "things"},
                "versions": [
                    {
                        "name": "v1",
                        "served": True,
                        "storage": True,
                        "schema": {"openAPIV3Schema": {"type": "object"}},
                    }
                ],
            },
        }
        thing = {"apiVersion": "api-test.example/v1", "kind": "Thing", "metadata": {"name": "t"}}
        body = {"manifests": [config_map("a", colour="blue"), thing, crd]}
        found = await operator.post("applications/web/diff", body)
        created = {item["kind"] for item in found["items"] if item["action"] == "create"}
        assert created == {"CustomResourceDefinition", "Thing"}
        assert found["errors"] == []

    async def test_a_cluster_that_does_not_answer_is_no_difference(
        self, deployed: World, operator: Api
    ) -> None:
        await deployed.run("update clusters set server = 'https://127.0.0.1:1', sealed = ''")
        await operator.refused("GET", "applications/web/diff", code=502, type="ClusterUnreachable")


class TestActions:
    async def test_without_a_worker_nothing_is_promised(
        self, deployed: World, operator: Api
    ) -> None:
        answer = await operator.send("POST", "applications/web/sync", {})
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert answer.json()["error"]["type"] == "NoWorker"

    async def test_a_sync_is_done_by_the_next_pass(self, bare: World, operator: Api) -> None:
        await bare.add_app("web", auto=False)
        await bare.deliver(web=(config_map("a"),))
        await bare.pretend_worker()
        asked = await operator.post("applications/web/sync", {"prune": True}, code=202)
        assert (asked["phase"], asked["trigger"], asked["kind"]) == ("Pending", "manual", "sync")
        busy = await operator.refused("POST", "applications/web/sync", {}, code=409, type="Refused")
        assert "otto" in busy["message"]
        await bare.pass_()
        done = await operator.get(f"operations/{asked['id']}")
        assert done["phase"] == "Succeeded"
        assert done["operation"]["initiatedBy"] == {"username": "otto"}
        assert bare.read("a") is not None

    @pytest.mark.parametrize(
        "body",
        [
            {"resources": ["ConfigMap"]},
            {"resources": ["!:ConfigMap:a"]},
            {"syncOptions": ["Prune"]},
            {"syncOptions": ["Replace=maybe"]},
            {"syncOptions": ["Replce=true"]},
            {"retry": {"limit": -1}},
            {"retryLimit": 1},
        ],
    )
    async def test_a_sync_of_nothing_sensible_is_refused(
        self, deployed: World, operator: Api, body: dict[str, Any]
    ) -> None:
        await deployed.pretend_worker()
        await operator.refused("POST", "applications/web/sync", body, code=422, type="SpecInvalid")

    async def test_a_sync_of_some_objects(self, bare: World, operator: Api) -> None:
        await bare.add_app("web", auto=False)
        await bare.deliver(web=(config_map("a"), config_map("b")))
        await bare.pretend_worker()
        body = {"resources": [f":ConfigMap:{bare.namespace}/b"]}
        await operator.post("applications/web/sync", body, code=202)
        await bare.pass_()
        assert (bare.read("a"), bare.read("b") is not None) == (None, True)

    async def test_a_rollback_is_for_what_was_deployed(self, bare: World, operator: Api) -> None:
        await bare.add_app("web", auto=False)
        await bare.deliver(web=(config_map("a", colour="blue"),))
        await bare.sync("web")
        await bare.pass_()
        await bare.deliver(web=(config_map("a", colour="red"),))
        await bare.sync("web")
        await bare.pass_()
        history = (await operator.get("applications/web/history"))["items"]
        await bare.pretend_worker()
        ids = [entry["id"] for entry in history]
        assert ids == sorted(ids, reverse=True), "the newest first"
        page = await operator.get("applications/web/history", limit=1)
        rest = await operator.get("applications/web/history", after=page["next"])
        assert [*page["items"], *rest["items"]] == history
        asked = await operator.post("applications/web/rollback", {"id": ids[-1]}, code=202)
        assert asked["kind"] == "rollback"
        await bare.pass_()
        live = bare.read("a")
        assert live is not None
        assert live["data"] == {"colour": "blue"}
        await operator.refused(
            "POST", "applications/web/rollback", {"id": 99}, code=404, type="NotFound"
        )

    async def test_a_rollback_stays_until_somebody_resumes(
        self, deployed: World, operator: Api
    ) -> None:
        await deployed.pretend_worker()
        body = {"id": 0, "reason": "the new one is slow"}
        await operator.post("applications/web/rollback", body, code=202)
        await deployed.pass_()
        status = (await operator.get("applications/web"))["status"]
        pin = status["holds"]["pin"]
        assert (pin["what"], pin["reason"]) == ("deployment 0", "the new one is slow")
        assert [it["type"] for it in status["conditions"]] == ["Pinned"]
        resumed = await operator.post("applications/web/resume")
        assert "holds" not in resumed["status"]
        await operator.refused("POST", "applications/web/resume", {}, code=409, type="Refused")

    async def test_what_is_done_by_itself_is_paused(self, deployed: World, operator: Api) -> None:
        body = {"reason": "a fair", "until": "2100-01-01T00:00:00Z", "only": ["prune"]}
        paused = await operator.post("applications/web/pause", body)
        ((switch, stay),) = paused["status"]["holds"]["paused"].items()
        assert (switch, stay["reason"], stay["until"]) == (
            "prune",
            "a fair",
            "2100-01-01T00:00:00Z",
        )
        for wrong in ({}, {"reason": ""}, {"reason": "x", "only": ["lunch"]}):
            await operator.refused(
                "POST", "applications/web/pause", wrong, code=422, type="SpecInvalid"
            )

    async def test_a_sync_to_another_revision(self, bare: World, operator: Api) -> None:
        await bare.add_app("web", auto=False)
        old = await bare.deliver(web=(config_map("a", colour="blue"),))
        await bare.deliver(web=(config_map("a", colour="red"),))
        await bare.pretend_worker()
        for wrong, code in (
            ({"revision": "nope"}, 404),
            ({"revisions": ["main"]}, 422),
            ({"revisions": ["main"], "sourcePositions": [2]}, 422),
            ({"revisions": ["main", "main"], "sourcePositions": [1, 1]}, 422),
            ({"revisions": ["main"], "sourcePositions": [1, 1]}, 422),
            ({"manifests": [{"kind": 1}]}, 422),
            ({"revision": "main", "manifests": []}, 422),
        ):
            answer = await operator.send("POST", "applications/web/sync", wrong)
            assert answer.status_code == code, answer.text
        body = {"revisions": [old], "sourcePositions": [1]}
        asked = await operator.post("applications/web/sync", body, code=202)
        assert asked["operation"]["sync"]["revision"] == old
        await bare.pass_()
        live = bare.read("a")
        assert live is not None
        assert live["data"] == {"colour": "blue"}

    async def test_a_refresh_and_a_termination(self, bare: World, operator: Api) -> None:
        await bare.add_app("web", auto=False)
        await bare.deliver(web=(config_map("a"),))
        await bare.pretend_worker()
        assert (await operator.post("applications/web/refresh", {"hard": True}, code=202)) == {
            "name": "web",
            "mode": "hard",
        }
        await operator.refused("POST", "applications/web/terminate", {}, code=409, type="Refused")
        asked = await operator.post("applications/web/sync", code=202)
        await operator.post("applications/web/terminate")
        await bare.pass_()
        assert (await operator.get(f"operations/{asked['id']}"))["phase"] == "Failed"

    async def test_a_deletion_takes_its_objects_along_or_not(
        self, deployed: World, operator: Api
    ) -> None:
        await operator.refused(
            "DELETE", "applications/web", code=503, type="NoWorker", cascade=True
        )
        await deployed.pretend_worker()
        await operator.refused(
            "DELETE", "applications/web", code=422, type="SpecInvalid", propagationPolicy="none"
        )
        asked = await operator.ask(
            "DELETE", "applications/web", code=202, cascade=True, propagationPolicy="background"
        )
        assert asked["operation"]["kind"] == "delete"
        await deployed.pass_()
        assert deployed.is_going("a")
        await deployed.add_app("api")
        await deployed.deliver(api=(config_map("kept"),))
        gone = await operator.ask("DELETE", "applications/api", cascade=False)
        assert gone == {"name": "api", "operation": None}
        assert deployed.read("kept") is not None
