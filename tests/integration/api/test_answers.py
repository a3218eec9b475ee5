"""What holds for every route: who is answered, in which shape, and how often a write is done."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from fleet.api.envelope import BODY_BYTES
from fleet.model.scope import Actor
from fleet.operations.runtime import Runtime
from tests.integration.api.callers import ED25519, Api, account

OPEN = {"/healthz", "/readyz", "/metrics", "/openapi.json"}
#: Routes that any account may call: they tell it nothing but what it knows.
ANYONE = {
    ("GET", "/api/v1/version"),
    ("GET", "/api/v1/session"),
    ("GET", "/api/v1/session/can"),
    ("POST", "/api/v1/apply"),
    ("POST", "/api/v1/policy/validate"),
}
DOCUMENT = {"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": "x"}}
APPLICATION = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Application",
    "metadata": {"name": "x"},
    "spec": {
        "source": {"repoURL": "https://git.example/x.git", "path": "."},
        "destination": {"name": "x"},
    },
}
#: A body that each write accepts, so that its refusal is about the caller.
BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/api/v1/clusters"): {"name": "x", "connection": {"token": "t"}},
    ("POST", "/api/v1/clusters/{name}/pause"): {"reason": "x"},
    ("POST", "/api/v1/repositories"): {"url": "https://git.example/x"},
    ("POST", "/api/v1/repocreds"): {"url": "https://git.example/"},
    ("POST", "/api/v1/certificates/ssh"): {"knownHosts": ""},
    ("POST", "/api/v1/certificates/tls"): {"host": "x", "pem": ""},
    ("POST", "/api/v1/gpgkeys"): {"keys": ""},
    ("POST", "/api/v1/decryptionkeys"): {"keys": ""},
    ("POST", "/api/v1/projects"): {"document": DOCUMENT},
    ("PUT", "/api/v1/projects/{name}"): {"document": DOCUMENT},
    ("POST", "/api/v1/applications"): {"document": APPLICATION},
    ("PUT", "/api/v1/applications/{name}"): {"document": APPLICATION},
    ("POST", "/api/v1/applications/{name}/actions"): {"action": "x"},
    ("POST", "/api/v1/applications/{name}/rollback"): {"id": 1},
    ("POST", "/api/v1/applications/{name}/rename"): {"name": "y"},
    ("POST", "/api/v1/applications/{name}/pause"): {"reason": "x"},
    ("POST", "/api/v1/applications/{name}/resources/delete"): {"kind": "Pod"},
    ("POST", "/api/v1/applications/{name}/resources/patch"): {"kind": "Pod", "patch": {}},
    ("POST", "/api/v1/apply"): {"documents": []},
    ("POST", "/api/v1/accounts"): {"name": "x", "role": "admin"},
    ("POST", "/api/v1/accounts/{name}/tokens"): {"name": "x"},
    ("POST", "/api/v1/projects/{name}/roles/{role}/tokens"): {"name": "x"},
    ("POST", "/api/v1/policy/can"): {"subject": "x", "action": "get", "resource": "jobs"},
    ("POST", "/api/v1/policy/validate"): {"document": {}},
}


def routes(api: Api) -> list[tuple[str, str, dict[str, Any]]]:
    """Method, path template and OpenAPI entry of every route."""
    paths = api.app.openapi()["paths"]
    return [(m.upper(), path, entry) for path, found in paths.items() for m, entry in found.items()]


def filled(path: str) -> str:
    """The path of something that does not exist."""
    path = path.replace("{id}", str(uuid4())).replace("{role}", "x")
    return path.replace("{name}", "x").replace("{which}", "x").replace("{key}", "x")


async def call(api: Api, method: str, path: str) -> Any:
    query = {"url": "https://git.example/x", "host": "x", "action": "get", "resource": "jobs"}
    body = BODIES.get((method, path), {} if method in ("POST", "PUT", "PATCH") else None)
    return await api.send(method, filled(path), body, **query)


async def test_nobody_unknown_is_answered(runtime: Runtime) -> None:
    anonymous = Api(runtime)
    for method, path, _ in routes(anonymous):
        answer = await call(anonymous, method, path)
        if path in OPEN:
            assert answer.status_code == 200, path
            continue
        assert answer.status_code == 401, f"{method} {path}"
        assert answer.json()["error"]["type"] == "Unauthenticated"
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_an_unknown_caller_learns_nothing_from_a_malformed_body(runtime: Runtime) -> None:
    answer = await Api(runtime).http.post(
        "/api/v1/clusters", content=b"{", headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 401


async def test_every_route_asks_for_a_permission(runtime: Runtime) -> None:
    nobody = Api(runtime, local=Actor("local:nobody", role="none"))
    for method, path, _ in routes(nobody):
        if path in OPEN or (method, path) in ANYONE:
            continue
        answer = await call(nobody, method, path)
        # what may not be seen does not exist; what exists may not be touched
        assert answer.status_code in (403, 404), f"{method} {path}: {answer.text}"


async def test_a_route_that_forgets_to_ask_is_not_answered(runtime: Runtime) -> None:
    from fleet.api.guarded import guarded_router

    router = guarded_router("careless")

    @router.get("/careless", summary="Forgets to ask")
    async def careless() -> dict[str, str]:
        return {"secret": "everything"}

    api = Api(runtime, local=Actor("local:anna", role="admin"))
    api.app.include_router(router)
    error = await api.refused("GET", "/careless", code=500, type="FleetError")
    assert "everything" not in str(error)


async def test_every_route_has_a_summary_and_one_tag(runtime: Runtime) -> None:
    found = routes(Api(runtime))
    assert len(found) > 50
    for method, path, entry in found:
        assert entry.get("summary"), f"{method} {path}"
        assert len(entry.get("tags", [])) == 1, f"{method} {path}"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer nonsense",
        "Basic YWxhZGRpbjpvcGVuc2VzYW1l",
        "Bearer flt_" + "0" * 22 + "_" + "0" * 43 + "_000000",
    ],
)
async def test_a_wrong_token_is_never_a_lesser_identity(runtime: Runtime, header: str) -> None:
    answer = await Api(runtime).send("GET", "version", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "Unauthenticated"


async def test_a_token_of_a_disabled_account_is_refused_at_once(api: Api) -> None:
    other = await account(api.runtime, "readonly", "otto")
    await other.get("session")
    await api.post("accounts/otto/disable")
    await other.refused("GET", "session", code=401, type="Unauthenticated")
    await api.post("accounts/otto/enable")
    await other.get("session")


async def test_answers_carry_the_headers_that_all_answers_have(api: Api) -> None:
    for answer in (await api.send("GET", "version"), await api.send("GET", "nothing")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert len(answer.headers["x-request-id"]) == 16


async def test_a_request_id_leads_to_the_audit_log(api: Api) -> None:
    answer = await api.send("POST", "accounts", {"name": "otto", "role": "readonly"})
    changes = await api.get("audit/changes", kind="Account", object="otto")
    assert changes["items"][0]["requestId"] == answer.headers["x-request-id"]


async def test_an_unknown_path_and_a_wrong_method_have_the_shape_of_errors(api: Api) -> None:
    await api.refused("GET", "nothing", code=404, type="NotFound")
    await api.refused("DELETE", "version", code=405, type="UsageError")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("clusters", {"name": "x", "connection": {}, "color": "red"}, "color"),
        ("clusters", {"name": "x", "connection": {"tokn": "s3cr3t"}}, "connection.tokn"),
        ("clusters", {"connection": {}}, "name"),
        ("repositories", {"url": "https://git.example/x", "pasword": "s3cr3t"}, "pasword"),
        ("repositories", {"url": "https://git.example/x", "depth": -1}, "depth"),
        ("repositories", {"url": "https://git.example/x", "password": ["s3cr3t"]}, "password"),
        ("apply", {"documents": [{"document": {}, "lin": 3}]}, "documents.0.lin"),
        ("accounts", {"name": "x"}, "role"),
    ],
)
async def test_a_wrong_body_names_the_field_and_never_the_value(
    api: Api, path: str, body: Any, field: str
) -> None:
    error = await api.refused("POST", path, body, code=422, type="SpecInvalid")
    assert error["field"] == field
    assert field in error["message"]
    assert "s3cr3t" not in str(error)


async def test_a_body_that_is_no_json_says_so(api: Api) -> None:
    answer = await api.http.post(
        "/api/v1/clusters", content=b'{"name": ', headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    assert "json" in answer.json()["error"]["message"]


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "1001"}, {"limit": "many"}])
async def test_a_wrong_query_names_the_parameter(api: Api, query: dict[str, str]) -> None:
    error = await api.refused("GET", "clusters", code=422, type="SpecInvalid", **query)
    assert error["field"] == "limit"


@pytest.mark.parametrize(
    "path", ["operations", "audit/changes", "certificates", "accounts/anna/tokens"]
)
async def test_a_foreign_cursor_is_refused(api: Api, path: str) -> None:
    for cursor in ("nonsense", "[]"):
        await api.refused("GET", path, code=400, type="UsageError", after=cursor)


async def test_lists_are_read_page_by_page(api: Api) -> None:
    keys = "\n".join(f"{host} ssh-ed25519 {ED25519}" for host in ("a.test", "b.test", "c.test"))
    await api.post("certificates/ssh", {"knownHosts": keys}, code=201)
    for name in ("b", "a"):
        await api.post("accounts", {"name": name, "role": "readonly"}, code=201)
        await api.post("accounts/anna/tokens", {"name": name}, code=201)
        body = {"url": f"https://{name}.test/", "username": "ci", "password": "hunter2"}
        await api.post("repocreds", body, code=201)
    for path in ("certificates", "accounts", "accounts/anna/tokens", "repocreds"):
        whole = await api.get(path)
        assert whole["next"] == ""
        seen, after = [], ""
        while True:
            part = await api.get(path, limit=1, after=after)
            assert len(part["items"]) == 1, path
            seen += part["items"]
            after = part["next"]
            if not after:
                break
        assert seen == whole["items"], path
        assert len(seen) >= 2


async def test_a_body_that_is_too_large_is_refused(api: Api) -> None:
    too_large = b'{"documents": [' + b" " * BODY_BYTES + b"]}"
    headers = {"Content-Type": "application/json"}
    answer = await api.http.post("/api/v1/apply", content=too_large, headers=headers)
    assert answer.status_code == 413
    assert "MiB" in answer.json()["error"]["message"]


async def test_a_body_that_lies_about_its_length_is_refused_while_it_comes_in(api: Api) -> None:
    async def chunks() -> Any:
        for _ in range(BODY_BYTES // (1 << 20) + 1):
            yield b" " * (1 << 20)

    headers = {"Content-Type": "application/json"}
    answer = await api.http.post("/api/v1/apply", content=chunks(), headers=headers)
    assert answer.status_code == 413


class TestIdempotency:
    async def test_a_write_that_is_sent_twice_is_done_once(self, api: Api) -> None:
        body = {"name": "otto", "role": "readonly"}
        key = {"Idempotency-Key": "k-1"}
        first = await api.send("POST", "accounts", body, headers=key)
        second = await api.send("POST", "accounts", body, headers=key)
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json() == second.json()
        assert "idempotent-replay" not in first.headers
        assert second.headers["idempotent-replay"] == "true"
        changes = await api.get("audit/changes", kind="Account", object="otto")
        assert len(changes["items"]) == 1

    async def test_a_key_is_for_one_request(self, api: Api) -> None:
        key = {"Idempotency-Key": "k-1"}
        await api.send("POST", "accounts", {"name": "otto", "role": "readonly"}, headers=key)
        answer = await api.send(
            "POST", "accounts", {"name": "emil", "role": "readonly"}, headers=key
        )
        assert (answer.status_code, answer.json()["error"]["type"]) == (400, "UsageError")

    async def test_a_refused_write_may_be_sent_again(self, api: Api) -> None:
        key = {"Idempotency-Key": "k-1"}
        body = {"name": "otto", "role": "project:shop"}
        first = await api.send("POST", "accounts", body, headers=key)
        assert first.status_code == 404
        await api.post("projects", {"document": project("shop")}, code=201)
        second = await api.send("POST", "accounts", body, headers=key)
        assert second.status_code == 201

    async def test_keys_of_two_accounts_have_nothing_to_do_with_each_other(self, api: Api) -> None:
        other = await account(api.runtime, "admin")
        key = {"Idempotency-Key": "k-1"}
        await api.send("POST", "accounts", {"name": "otto", "role": "readonly"}, headers=key)
        answer = await other.send(
            "POST", "accounts", {"name": "emil", "role": "readonly"}, headers=key
        )
        assert answer.status_code == 201

    async def test_a_new_token_is_kept_nowhere(self, api: Api) -> None:
        key = {"Idempotency-Key": "k-1"}
        first = await api.send("POST", "accounts/anna/tokens", {"name": "ci"}, headers=key)
        second = await api.send("POST", "accounts/anna/tokens", {"name": "ci"}, headers=key)
        assert first.json()["token"] != second.json()["token"]

    async def test_an_unusable_key_is_refused(self, api: Api) -> None:
        answer = await api.send(
            "POST",
            "accounts",
            {"name": "o", "role": "admin"},
            headers={"Idempotency-Key": "k" * 201},
        )
        assert answer.status_code == 400


def project(name: str, **spec: Any) -> dict[str, Any]:
    return {**DOCUMENT, "metadata": {"name": name}, "spec": spec}


async def test_the_application_works_in_process_without_a_token(runtime: Runtime) -> None:
    local = Api(runtime, local=Actor("local:anna", role="admin"))
    found = await local.get("session")
    assert found == {
        "account": "local:anna",
        "role": "admin",
        "projects": None,
        "local": True,
    }


async def test_a_failure_that_should_not_be_says_nothing_about_itself(
    runtime: Runtime,
) -> None:
    async def broken() -> None:
        raise ValueError("the inside of Fleet")

    api = Api(runtime, local=Actor("local:anna", role="admin"))
    api.app.add_api_route("/broken", broken)
    error = await api.refused("GET", "/broken", code=500, type="FleetError")
    assert "inside" not in str(error)
    assert "Request id" in error["hint"]
