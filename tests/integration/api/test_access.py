"""Who may do and see what: policies, groups, roles of projects and their tokens, as a story is
told through the API alone."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.model.parsing import new_application
from tests.integration.api.callers import Api, Json, account
from tests.integration.api.test_documents import project, request
from tests.integration.operations.harness import World


def policy(csv: str, **data: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "argocd-rbac-cm", "namespace": "argocd"},
        "data": {"policy.csv": csv, **data},
    }


async def put_policy(api: Api, csv: str, **data: str) -> None:
    (result,) = (await api.post("apply", request(policy(csv, **data))))["results"]
    assert "error" not in result, result


async def names(api: Api, path: str = "applications") -> list[str]:
    items = (await api.get(path))["items"]
    return [it.get("name") or it.get("url") or it["metadata"]["name"] for it in items]


async def can(api: Api, action: str, resource: str, object: str) -> bool:
    answer = await api.get("session/can", action=action, resource=resource, object=object)
    assert bool(answer["reason"]) is not answer["allowed"]
    return bool(answer["allowed"])


@pytest.fixture
async def shops(bare: World, operator: Api) -> World:
    """Applications web and web-2 of project shop, and safe of project bank."""
    await operator.post("apply", request(project("shop"), project("bank")))
    await bare.pretend_worker()
    for name, where in (("web", "shop"), ("web-2", "shop"), ("safe", "bank")):
        await bare.add_app(name, project=where, auto=False)
    return bare


async def test_a_policy_says_what_is_done_and_what_is_listed(shops: World, operator: Api) -> None:
    alice = await account(shops.runtime, "none", "alice")
    await alice.refused("GET", "applications", code=403, type="Forbidden")
    await put_policy(
        operator,
        "p, role:dev, applications, get, shop/*, allow\n"
        "p, role:dev, applications, refresh, shop/web, allow\n"
        "p, role:dev, applications, get, shop/web-2, deny\n"
        "g, alice, role:dev\n",
    )
    assert await names(alice) == ["web"]
    # what a rule hides does not exist: in lists, by its name, in the history
    for hidden in ("web-2", "safe", "nothing"):
        await alice.refused("GET", f"applications/{hidden}", code=404, type="NotFound")
    await alice.get("applications/web")
    await alice.post("applications/web/refresh", code=202)
    await alice.refused("POST", "applications/web/sync", {}, code=403, type="Forbidden")
    assert await can(alice, "get", "applications", "shop/web")
    assert not await can(alice, "get", "applications", "shop/web-2")
    # no rule about clusters or projects: none are seen, and the application is whole all the same
    for path in ("clusters", "projects", "accounts", "repocreds"):
        await alice.refused("GET", path, code=403, type="Forbidden")
    # in force from the next request on
    await put_policy(operator, "")
    await alice.refused("GET", "applications/web", code=404, type="NotFound")


async def test_the_default_role_is_for_whoever_signed_in_and_a_denial_beats_it(
    shops: World, operator: Api
) -> None:
    bob = await account(shops.runtime, "none", "bob")
    await put_policy(
        operator,
        "p, bob, applications, get, bank/*, deny",
        **{"policy.default": "role:readonly"},
    )
    assert await names(bob) == ["web", "web-2"]
    assert await names(bob, "clusters") == ["main"]
    await bob.refused("DELETE", "applications/web", code=403, type="Forbidden")


async def test_a_regular_expression_filters_lists_as_it_permits(
    shops: World, operator: Api
) -> None:
    carol = await account(shops.runtime, "none", "carol")
    await put_policy(
        operator,
        r"p, carol, applications, (get|refresh), ^shop/web-\d+$, allow",
        **{"policy.matchMode": "regex"},
    )
    assert await names(carol) == ["web-2"]
    await carol.post("applications/web-2/refresh", code=202)


async def test_a_policy_that_cannot_be_read_leaves_the_one_before(
    shops: World, operator: Api
) -> None:
    alice = await account(shops.runtime, "none", "alice")
    await put_policy(operator, "p, alice, applications, get, shop/*, allow")
    (result,) = (await operator.post("apply", request(policy("p, alice, nonsense"))))["results"]
    assert result["action"] == "failed"
    assert "line 1" in result["error"]["message"]
    assert await names(alice) == ["web", "web-2"]


async def test_only_administrators_give_rights(shops: World, operator: Api) -> None:
    await put_policy(
        operator,
        "p, mallory, accounts, *, *, allow\np, mallory, projects, *, shop, allow\n"
        "p, mallory, applications, *, shop/*, allow\n",
    )
    mallory = await account(shops.runtime, "none", "mallory")
    await mallory.refused(
        "PATCH", "accounts/mallory", {"role": "admin"}, code=403, type="Forbidden"
    )
    await mallory.refused(
        "POST", "accounts", {"name": "x", "role": "admin"}, code=403, type="Forbidden"
    )
    await mallory.refused(
        "POST",
        "accounts",
        {"name": "x", "role": "none", "groups": ["ops"]},
        code=403,
        type="Forbidden",
    )
    (result,) = (await mallory.post("apply", request(policy("g, mallory, role:admin"))))["results"]
    assert result["error"]["type"] == "Forbidden"
    # nor do they take an application out of a project that is not theirs, by its name
    stolen = new_application("safe", repo_url=shops.repo.url, path="x", dest_name="main")
    stolen["spec"]["project"] = "shop"
    stolen["spec"]["destination"]["namespace"] = "shop"
    (result,) = (await mallory.post("apply", request(stolen)))["results"]
    assert result["action"] == "failed"
    assert (await operator.get("applications/safe"))["spec"]["project"] == "bank"


async def test_who_sees_an_application_moves_it_only_if_they_may_change_it_where_it_is(
    shops: World, operator: Api
) -> None:
    await put_policy(
        operator,
        "p, dora, applications, get, */*, allow\np, dora, applications, *, shop/*, allow\n",
    )
    dora = await account(shops.runtime, "none", "dora")
    document = await operator.get("applications/safe")
    document = {key: document[key] for key in ("apiVersion", "kind", "metadata", "spec")}
    moved = {**document, "spec": {**document["spec"], "project": "shop"}}
    (result,) = (await dora.post("apply", request(moved)))["results"]
    assert result["error"]["type"] == "Forbidden"
    assert "project bank" in result["error"]["message"]
    (denied, *_) = (await operator.get("audit/changes", decision="denied"))["items"]
    assert denied["actor"] == "dora"


async def put_role(api: Api, *policies: str, groups: tuple[str, ...] = ()) -> None:
    document = project("shop", roles=[{"name": "ci", "policies": policies, "groups": groups}])
    await api.ask("PUT", "projects/shop", {"document": document})


SYNC = "p, proj:shop:ci, applications, {action}, shop/web, allow"


async def role_token(api: Api, name: str = "pipeline", **body: Any) -> tuple[Api, str]:
    made = await api.post("projects/shop/roles/ci/tokens", {"name": name, **body}, code=201)
    return Api(api.runtime, made["token"]), made["id"]


async def test_a_token_of_a_role_is_confined_to_its_project(shops: World, operator: Api) -> None:
    await put_role(operator, SYNC.format(action="get"), SYNC.format(action="sync"))
    # neither the default role nor the policy lead it out
    await put_policy(
        operator,
        "g, proj:shop:ci, role:admin\np, proj:shop:ci, applications, *, */*, allow",
        **{"policy.default": "role:readonly"},
    )
    pipeline, _ = await role_token(operator)
    session = await pipeline.get("session")
    assert (session["account"], session["projects"]) == ("proj:shop:ci", ["shop"])
    assert await names(pipeline, "projects") == ["shop"]
    assert "safe" not in await names(pipeline)
    await pipeline.refused("GET", "applications/safe", code=404, type="NotFound")
    await pipeline.refused("GET", "projects/bank", code=404, type="NotFound")
    for path in ("accounts", "audit/changes", "jobs", "policy"):
        await pipeline.refused("GET", path, code=403, type="Forbidden")
    (result,) = (await pipeline.post("apply", request(policy(""))))["results"]
    assert result["error"]["type"] == "Forbidden"


async def test_a_role_may_what_its_lines_say_and_look_at_its_project(
    shops: World, operator: Api
) -> None:
    await put_role(operator, SYNC.format(action="get"), SYNC.format(action="refresh"))
    pipeline, _ = await role_token(operator)
    assert await names(pipeline) == ["web"]
    await pipeline.post("applications/web/refresh", code=202)
    await pipeline.refused("POST", "applications/web/sync", {}, code=403, type="Forbidden")
    await pipeline.get("projects/shop")
    await pipeline.refused("DELETE", "projects/shop", code=403, type="Forbidden")
    (denied, *_) = (await operator.get("audit/changes", decision="denied"))["items"]
    assert denied["actor"] == "proj:shop:ci"


async def test_a_revoked_expired_or_roleless_token_is_nobody(shops: World, operator: Api) -> None:
    await put_role(operator, SYNC.format(action="get"))
    # a lesser identity would be let in by this
    await put_policy(operator, "", **{"policy.default": "role:admin"})
    revoked, id = await role_token(operator, "one")
    expired, _ = await role_token(operator, "two", expiresInSeconds=60)
    roleless, _ = await role_token(operator, "three")
    await revoked.get("session")
    gone = await operator.ask("DELETE", f"projects/shop/roles/ci/tokens/{id}")
    assert gone["valid"] is False
    shops.clock.forward(61)
    for token in (revoked, expired):
        await token.refused("GET", "session", code=401, type="Unauthenticated")
    await roleless.get("session")
    await operator.ask("PUT", "projects/shop", {"document": project("shop")})
    await roleless.refused("GET", "session", code=401, type="Unauthenticated")
    # a role of the same name is another role
    await put_role(operator, SYNC.format(action="get"))
    await roleless.refused("GET", "session", code=401, type="Unauthenticated")
    states = (await operator.get("projects/shop/roles/ci/tokens"))["items"]
    assert [it["valid"] for it in states] == [False, False, False]


async def test_a_group_has_a_role_of_a_project(shops: World, operator: Api) -> None:
    await put_role(operator, SYNC.format(action="get"), groups=("devs",))
    erin = await account(shops.runtime, "none", "erin")
    await erin.refused("GET", "applications", code=403, type="Forbidden")
    await operator.ask("PATCH", "accounts/erin", {"groups": ["devs"]})
    assert await names(erin) == ["web"]
    assert await names(erin, "projects") == ["shop"]


@pytest.mark.parametrize(
    "line",
    [
        "p, proj:shop:ci, applications, get, bank/*, allow",
        "p, proj:shop:ci, applications, get, shop/../bank/*, allow",
        "p, proj:shop:ci, accounts, get, shop/*, allow",
        "p, role:admin, applications, get, shop/*, allow",
        "g, proj:shop:ci, role:admin",
    ],
)
async def test_a_project_cannot_give_what_is_not_its(
    shops: World, operator: Api, line: str
) -> None:
    document = project("shop", roles=[{"name": "ci", "policies": [line]}])
    error = await operator.refused(
        "PUT", "projects/shop", {"document": document}, code=422, type="SpecInvalid"
    )
    assert error["field"] == "spec.roles[0].policies[0]"


async def test_a_policy_is_tried_before_it_is_applied(shops: World, operator: Api) -> None:
    tried = policy("p, role:dev, applications, get, shop/*, allow\ng, alice, role:dev")
    question = {"subject": "alice", "action": "get", "resource": "applications"}
    answer = await operator.post("policy/can", {**question, "object": "shop/web"})
    assert answer["allowed"] is False
    body = {**question, "object": "shop/web", "document": tried}
    assert (await operator.post("policy/can", body))["allowed"] is True
    checked = await operator.post("policy/validate", {"document": tried})
    assert checked == {"rules": 1, "grants": 1, "warnings": []}


async def test_a_project_that_is_in_use_stays(shops: World, operator: Api) -> None:
    async def kept(word: str) -> None:
        error = await operator.refused("DELETE", "projects/shop", code=409, type="Refused")
        assert word in error["message"]

    await kept("application(s)")
    for name in ("web", "web-2"):
        await operator.ask("DELETE", f"applications/{name}", cascade="false")
    await operator.ask("PATCH", "clusters/main", {"project": "shop"})
    await kept("cluster(s)")
    await operator.ask("PATCH", "clusters/main", {"project": ""})
    await operator.post("accounts", {"name": "ci", "role": "project:shop"}, code=201)
    await kept("account(s)")
    await operator.ask("PATCH", "accounts/ci", {"role": "none"})
    await operator.ask("DELETE", "projects/shop")


async def test_a_cluster_or_repository_of_a_project_is_for_who_sees_the_project(
    shops: World, operator: Api
) -> None:
    url = shops.repo.url.replace("shop.git", "other.git")
    body = {"url": url, "project": "shop", "skipTest": True}
    await operator.post("repositories", body, code=201)
    await operator.ask("PATCH", "clusters/main", {"project": "shop"})
    await put_policy(
        operator,
        "p, role:s, repositories, get, shop/*, allow\np, role:s, clusters, get, shop/*, allow\n"
        "p, role:b, repositories, get, bank/*, allow\np, role:b, clusters, get, bank/*, allow\n"
        "g, sam, role:s\ng, ben, role:b\n",
    )
    sam, ben = [await account(shops.runtime, "none", name) for name in ("sam", "ben")]
    assert (await names(sam, "repositories"), await names(sam, "clusters")) == ([url], ["main"])
    assert (await names(ben, "repositories"), await names(ben, "clusters")) == ([], [])
    await ben.refused("GET", "clusters/main", code=404, type="NotFound")
