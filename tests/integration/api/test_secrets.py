"""Canaries: secrets planted everywhere never come back in an answer of any route."""

from __future__ import annotations

import base64
import logging
import secrets
from typing import Any

import pytest

from fleet.model.scope import Actor
from tests.cluster.kube import TestCluster
from tests.integration.api.callers import ED25519, Api, connection_to
from tests.integration.operations.harness import World

PLUGIN = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "ConfigManagementPlugin",
    "metadata": {"name": "web"},
    "spec": {"generate": {"command": ["true"]}},
}
#: What the application of these tests has not: the refusal is searched like an answer.
REFUSED = {
    "/applications/{name}/plugin-parameters": "RenderError",
    "/clusters/{name}/argo-applications": "KindUnknown",  # no Argo CD runs there
}


class Canaries:
    """Secrets that nothing else contains, and a search for any usual spelling of them."""

    def __init__(self) -> None:
        self.planted: dict[str, str] = {}

    def __call__(self, name: str) -> str:
        self.planted[name] = f"canary-{name}-{secrets.token_hex(12)}"
        return self.planted[name]

    def found_in(self, text: str) -> list[str]:
        return [
            name
            for name, value in self.planted.items()
            if value in text
            or value.encode().hex() in text
            or base64.b64encode(value.encode()).decode().rstrip("=") in text
        ]


def secret_manifest(name: str, value: str) -> dict[str, Any]:
    encoded = base64.b64encode(value.encode()).decode()
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "data": {"password": encoded},
    }


@pytest.fixture
async def planted(bare: World, operator: Api, bare_clusters: list[TestCluster]) -> Canaries:
    canary = Canaries()
    basic = {"username": "ci", "password": canary("repo-password"), "skipTest": True}
    url = bare.repo.url.replace("shop.git", "other.git")
    await operator.post(
        "repositories",
        {"url": url, **basic, "proxy": f"http://p:{canary('proxy')}@10.0.0.1:3128"},
        code=201,
    )
    await operator.post(
        "repocreds",
        {
            "url": bare.repo.url.rpartition("/")[0] + "/team/",
            "bearerToken": canary("template-token"),
            "sshPrivateKey": canary("ssh-key"),
        },
        code=201,
    )
    canary.planted["cluster-token"] = bare_clusters[1].admin_token
    body = {"name": "eu-1", "connection": connection_to(bare_clusters[1])}
    await operator.post("clusters", body, code=201)
    await operator.post("gpgkeys", {"keys": f"ssh-ed25519 {ED25519} ci"}, code=201)
    await operator.post("apply", {"documents": [{"document": PLUGIN}]})
    project = await operator.get("projects/default")
    project["spec"]["roles"] = [{"name": "ci"}]
    await operator.ask("PUT", "projects/default", {"document": project})
    made = await operator.post("projects/default/roles/ci/tokens", {"name": "ci"}, code=201)
    canary.planted["role-token"] = made["token"]
    await bare.add_app("web", auto=False)
    await bare.deliver(web=(secret_manifest("s", canary("old-secret")),))
    await bare.sync("web")
    await bare.pass_()
    await bare.deliver(web=(secret_manifest("s", canary("new-secret")),))
    live = secret_manifest("s", canary("hand-secret"))
    path = f"/api/v1/namespaces/{bare.namespace}/secrets/s?fieldManager=hand&force=true"
    bare.request("PATCH", path, live)
    await bare.pass_(look=True)
    return canary


async def everything(api: Api) -> list[tuple[str, str]]:
    """Every GET of the API, filled in with what there is; path and answer."""
    operations = (await api.get("operations"))["items"]
    repository = (await api.get("repositories"))["items"][0]
    keys = (await api.get("gpgkeys"))["items"]
    values = {
        "/clusters/{name}": ["main", "eu-1"],
        "/clusters/{name}/argo-applications": ["main"],
        "/projects/{name}": ["default"],
        "/projects/{name}/syncwindows": ["default"],
        "/projects/{name}/syncs": ["default"],
        "/projects/{name}/globalprojects": ["default"],
        "/projects/{name}/roles/{role}/tokens": ["default"],
        "/accounts/{name}/tokens": ["otto"],
        "/operations/{id}": [entry["id"] for entry in operations],
        "/gpgkeys/{key}": [entry["keyID"] for entry in keys],
    }
    answers = []
    for path, entry in api.app.openapi()["paths"].items():
        if "get" not in entry:
            continue
        short = path.removeprefix("/api/v1")
        names = values.get(short, ["web"])
        for name in names if "{" in path else [""]:
            filled = path.replace("{name}", name).replace("{id}", name).replace("{role}", "ci")
            filled = filled.replace("{key}", name)
            query = {"url": repository["url"], "data": "true", "action": "get", "resource": "jobs"}
            answer = await api.send("GET", filled, **query)
            if short in REFUSED:
                assert answer.json()["error"]["type"] == REFUSED[short], filled
            else:
                assert answer.status_code == 200, f"{filled}: {answer.text}"
            answers.append((filled, answer.text))
    for extra in ("?source=live", "?revision=main"):
        answer = await api.send("GET", f"/api/v1/applications/web/manifests{extra}")
        assert answer.status_code == 200, f"{extra}: {answer.text}"
        answers.append((extra, answer.text))
    return answers


async def test_no_get_answers_a_secret(
    planted: Canaries, operator: Api, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answers = await everything(operator)
    assert len(answers) > 30
    for path, text in answers:
        assert planted.found_in(text) == [], path
    assert planted.found_in(caplog.text) == []


async def test_jobs_hold_identities_alone(planted: Canaries, bare: World) -> None:
    jobs = await bare.rows("select * from procrastinate_jobs")
    assert {job["task_name"] for job in jobs} == {"poll", "reconcile"}
    known = await bare.rows("select id from clusters union select id from repositories")
    keys = {str(row["id"]) for row in known}
    for job in jobs:
        assert set(job["args"]) == {"key"}
        assert job["args"]["key"] in keys
        lock = f"{job['task_name']}:{job['args']['key']}"
        assert {job["lock"], job["queueing_lock"]} == {lock}
    events = await bare.rows("select * from procrastinate_events")
    assert planted.found_in(f"{jobs}{events}") == []


async def test_a_change_of_a_secret_is_seen_without_it(planted: Canaries, operator: Api) -> None:
    found = await operator.get("applications/web/diff")
    (item,) = [entry for entry in found["items"] if entry["kind"] == "Secret"]
    change = next(c for c in item["changes"] if c["path"].endswith("password"))
    assert change["live"] != change["desired"]
    assert change["live"].startswith("•")
    assert planted.found_in(str(found)) == []


async def test_a_secret_of_ones_own_manifests_is_not_echoed(
    planted: Canaries, operator: Api
) -> None:
    own = planted("local-secret")
    body = {"manifests": [secret_manifest("s", own), secret_manifest("t", own)]}
    answer = await operator.post("applications/web/diff", body)
    assert {item["action"] for item in answer["items"]} == {"change", "create"}
    assert planted.found_in(str(answer)) == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("clusters", {"name": "x", "connection": {"server": "http://x", "token": "CANARY"}}),
        ("clusters", {"name": "x", "connection": {"server": "https://u:CANARY@x", "token": "t"}}),
        (
            "clusters",
            {"name": "x", "connection": {"server": "https://127.0.0.1:1", "token": "CANARY"}},
        ),
        (
            "clusters",
            {
                "name": "x",
                "connection": {
                    "server": "https://x",
                    "token": "t",
                    "proxyUrl": "http://u:CANARY@p",
                },
            },
        ),
        (
            "clusters",
            {
                "name": "x",
                "connection": {
                    "server": "https://127.0.0.1:1",
                    "clientCertificate": "x",
                    "clientKey": "CANARY",
                },
            },
        ),
        ("repositories", {"url": "https://u:CANARY@git.example.test/x"}),
        ("repositories", {"url": "https://127.0.0.1:1/x", "username": "u", "password": "CANARY"}),
        ("repositories", {"url": "ssh://git@127.0.0.1:1/x", "sshPrivateKey": "CANARY"}),
        ("repositories", {"url": "https://127.0.0.1:1/x", "password": {"a": "CANARY"}}),
        ("repocreds", {"url": "ext::x", "bearerToken": "CANARY"}),
        (
            "apply",
            {
                "documents": [
                    {
                        "document": {
                            "apiVersion": "v1",
                            "kind": "Secret",
                            "metadata": {
                                "name": "x",
                                "labels": {"argocd.argoproj.io/secret-type": "cluster"},
                            },
                            "stringData": {
                                "server": "https://x",
                                "config": '{"bearerToken": CANARY',
                            },
                        }
                    }
                ]
            },
        ),
    ],
)
async def test_a_refusal_does_not_repeat_a_secret(
    api: Api, caplog: pytest.LogCaptureFixture, path: str, body: Any
) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = await api.send("POST", path, body)
    assert path == "apply" or answer.status_code >= 400
    assert "CANARY" not in answer.text
    assert "CANARY" not in caplog.text
    changes = await api.get("audit/changes")
    assert "CANARY" not in str(changes)


async def test_a_local_caller_gets_nothing_more(planted: Canaries, bare: World) -> None:
    local = Api(bare.runtime, local=Actor("local:anna", role="admin"))
    answer = await local.send("GET", "applications/web/manifests")
    assert planted.found_in(answer.text) == []
