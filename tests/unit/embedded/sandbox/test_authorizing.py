"""Who is who, and may do what."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.embedded.sandbox.authenticating import (
    ADMIN,
    SERVICE_ACCOUNT,
    TokenKey,
    User,
    account_token,
    authenticate,
)
from fleet.embedded.sandbox.authorizing import Act, may, may_read_path
from fleet.embedded.sandbox.objects import Object
from tests.unit.embedded.sandbox.worlds import KEY, World

RBAC = "/apis/rbac.authorization.k8s.io/v1"
IN_SHOP = f"{RBAC}/namespaces/default"
ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
EVERYTHING = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}


@pytest.fixture
def world() -> World:
    return World()


def token(world: World, name: str = "default", seconds: int = 600, key: TokenKey = KEY) -> str:
    account = world.cluster.store.get(SERVICE_ACCOUNT, "default", name)
    assert account is not None
    made, _ = account_token(
        key,
        "default",
        name,
        account["metadata"]["uid"],
        now=world.time,
        seconds=seconds,
        audiences=["https://kubernetes.default.svc"],
    )
    return made


def test_the_admin_has_a_token(world: World) -> None:
    assert authenticate(world.cluster, f"Bearer {world.cluster.admin_token}") is ADMIN


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic x", "Bearer x.y.z", "Bearer é"])
def test_nobody(world: World, header: str) -> None:
    assert authenticate(world.cluster, header) is None


def test_a_token_of_an_account(world: World) -> None:
    user = authenticate(world.cluster, f"Bearer {token(world)}")
    assert user is not None
    assert user.name == "system:serviceaccount:default:default"
    assert "system:serviceaccounts:default" in user.groups


def test_a_token_ends(world: World) -> None:
    header = f"Bearer {token(world)}"
    assert authenticate(world.cluster, header) is not None
    world.wait(601)
    assert authenticate(world.cluster, header) is None


def test_a_token_ends_with_its_account(world: World) -> None:
    world.have(ACCOUNTS, {"metadata": {"name": "robot"}})
    header = f"Bearer {token(world, 'robot')}"
    assert authenticate(world.cluster, header) is not None
    world.ask("DELETE", f"{ACCOUNTS}/robot")
    world.have(ACCOUNTS, {"metadata": {"name": "robot"}})
    assert authenticate(world.cluster, header) is None


def test_a_token_of_another_key_or_cluster(world: World) -> None:
    assert authenticate(World().cluster, f"Bearer {token(world)}") is None
    whole = token(world)
    changed = whole[:-4] + ("AAAA" if not whole.endswith("AAAA") else "BBBB")
    assert authenticate(world.cluster, f"Bearer {changed}") is None


ROBOT = User(
    "system:serviceaccount:default:robot",
    "",
    ("system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"),
)
SUBJECT = {"kind": "ServiceAccount", "name": "robot", "namespace": "default"}


def bind(world: World, role: str, *, everywhere: bool = False, subject: Any = SUBJECT) -> None:
    """Give the robot a ClusterRole."""
    path = f"{RBAC}/clusterrolebindings" if everywhere else f"{IN_SHOP}/rolebindings"
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
    name = f"robot-{role}"
    world.have(path, {"metadata": {"name": name}, "roleRef": ref, "subjects": [subject]})


def role(world: World, *rules: Object, name: str = "mine") -> None:
    world.have(f"{RBAC}/clusterroles", {"metadata": {"name": name}, "rules": list(rules)})


@pytest.mark.parametrize(
    ("act", "allowed"),
    [
        (Act("get", "", "pods", "default"), True),
        (Act("get", "", "pods", "other"), False),
        (Act("get", "", "pods"), False),
        (Act("get", "", "pods/log", "default"), True),
        (Act("get", "", "secrets", "default"), False),
        (Act("delete", "", "pods", "default"), False),
        (Act("list", "apps", "deployments", "default"), True),
    ],
)
def test_view_in_one_namespace(world: World, act: Act, allowed: bool) -> None:
    bind(world, "view")
    assert may(world.cluster, ROBOT, act) is allowed


def test_rights_follow_bindings(world: World) -> None:
    act = Act("get", "", "secrets", "anywhere")
    assert not may(world.cluster, ROBOT, act)
    bind(world, "cluster-admin", everywhere=True)
    assert may(world.cluster, ROBOT, act)
    world.ask("DELETE", f"{RBAC}/clusterrolebindings/robot-cluster-admin")
    assert not may(world.cluster, ROBOT, act)


@pytest.mark.parametrize(
    "subject",
    [
        {"kind": "Group", "name": "system:serviceaccounts:default"},
        {"kind": "User", "name": ROBOT.name},
    ],
)
def test_groups_and_users(world: World, subject: Object) -> None:
    bind(world, "view", subject={**subject, "apiGroup": "rbac.authorization.k8s.io"})
    assert may(world.cluster, ROBOT, Act("get", "", "pods", "default"))


def test_names_and_parts(world: World) -> None:
    role(
        world,
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["a"], "verbs": ["get"]},
        {"apiGroups": ["apps"], "resources": ["*/scale"], "verbs": ["update"]},
        {"nonResourceURLs": ["/metrics/*"], "verbs": ["get"]},
    )
    bind(world, "mine", everywhere=True)
    assert may(world.cluster, ROBOT, Act("get", "", "configmaps", "x", "a"))
    assert not may(world.cluster, ROBOT, Act("get", "", "configmaps", "x", "b"))
    assert may(world.cluster, ROBOT, Act("update", "apps", "deployments/scale", "x"))
    assert not may(world.cluster, ROBOT, Act("update", "apps", "deployments", "x"))
    assert may_read_path(world.cluster, ROBOT, "/metrics/cadvisor")
    assert not may_read_path(world.cluster, ROBOT, "/logs")
    assert may_read_path(world.cluster, ROBOT, "/version")


def test_rules_are_gathered_from_labelled_roles(world: World) -> None:
    bind(world, "view")
    act = Act("get", "example.com", "widgets", "default")
    assert not may(world.cluster, ROBOT, act)
    labels = {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
    rule = {"apiGroups": ["example.com"], "resources": ["widgets"], "verbs": ["get"]}
    world.have(
        f"{RBAC}/clusterroles", {"metadata": {"name": "more", "labels": labels}, "rules": [rule]}
    )
    assert may(world.cluster, ROBOT, act)


def test_a_refusal_says_who_and_what(world: World) -> None:
    code, found = world.ask("DELETE", "/api/v1/namespaces/default/pods/a", user=ROBOT)
    assert (code, found["reason"], found["details"]) == (
        403,
        "Forbidden",
        {"name": "a", "kind": "pods"},
    )
    assert found["message"] == (
        f'pods "a" is forbidden: User "{ROBOT.name}" cannot delete resource "pods" in API group '
        '"" in the namespace "default"'
    )


def test_a_binding_that_leads_nowhere_is_told(world: World) -> None:
    bind(world, "absent")
    found = world.ask("GET", "/api/v1/namespaces/default/pods", user=ROBOT)[1]
    assert found["message"].endswith(
        ': RBAC: clusterrole.rbac.authorization.k8s.io "absent" not found'
    )


WRITER = {
    "apiGroups": ["rbac.authorization.k8s.io"],
    "resources": ["clusterroles", "clusterrolebindings"],
    "verbs": ["create", "update"],
}
READER = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}


def try_role(world: World, *rules: Object) -> tuple[int, Object]:
    body = {"metadata": {"name": "new"}, "rules": list(rules)}
    return world.ask("POST", f"{RBAC}/clusterroles", body, user=ROBOT)


def test_nobody_gives_away_more_than_they_have(world: World) -> None:
    role(world, WRITER, READER)
    bind(world, "mine", everywhere=True)
    code, found = try_role(world, EVERYTHING)
    assert code == 403
    assert "is attempting to grant RBAC permissions not currently held" in found["message"]
    assert '{APIGroups:["*"], Resources:["*"], Verbs:["*"]}' in found["message"]
    assert try_role(world, {**READER, "verbs": ["get", "delete"]})[0] == 403
    assert try_role(world, {"nonResourceURLs": ["/secret"], "verbs": ["get"]})[0] == 403
    assert try_role(world, {**READER, "verbs": ["get"]})[0] == 201


def test_nobody_binds_more_than_they_have(world: World) -> None:
    role(world, WRITER, READER)
    bind(world, "mine", everywhere=True)
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole"}
    path = f"{RBAC}/clusterrolebindings"
    for name, code in (("cluster-admin", 403), ("mine", 201)):
        body = {"metadata": {"name": f"{name}-too"}, "roleRef": {**ref, "name": name}}
        assert world.ask("POST", path, body, user=ROBOT)[0] == code


@pytest.mark.parametrize("verb", ["escalate", "*"])
def test_who_may_escalate_is_exempt(world: World, verb: str) -> None:
    role(world, {**WRITER, "verbs": ["create", verb]})
    bind(world, "mine", everywhere=True)
    assert try_role(world, EVERYTHING)[0] == 201
