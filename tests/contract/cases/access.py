"""Who may do what: tokens, reviews, refusals."""

from __future__ import annotations

from typing import Any

from tests.contract.case import case
from tests.contract.cases.creating import configmap
from tests.contract.recording import Object, Recorder

AUTHENTICATION = "/apis/authentication.k8s.io/v1"
AUTHORIZATION = "/apis/authorization.k8s.io/v1"


def account(it: Recorder, *verbs: str, name: str = "robot") -> str:
    """A token of a new ServiceAccount that may do this to ConfigMaps of the namespace."""
    it.have(it.at("serviceaccounts"), {"metadata": {"name": name}})
    if verbs:
        rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": list(verbs)}
        it.have(it.at("roles"), {"metadata": {"name": name}, "rules": [rule]})
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
        subject = {"kind": "ServiceAccount", "name": name, "namespace": it.ns}
        body = {"metadata": {"name": name}, "roleRef": role, "subjects": [subject]}
        it.have(it.at("rolebindings"), body)
    made = it.have(it.at("serviceaccounts", name, "token"), {"spec": {}})
    token: str = made["status"]["token"]
    if verbs:
        it.until_allowed(f"{it.at('configmaps')}?limit=1", token)
    return token


def without_token(body: Object) -> Any:
    """A TokenRequest whose token is only counted."""
    return {**body, "status": {**body["status"], "token": body["status"]["token"].count(".")}}


@case
def no_token(it: Recorder) -> None:
    it.get(it.at("configmaps"), token="", expect=(401, "Unauthorized"))
    it.post(it.at("configmaps"), configmap(), token="", expect=(401, "Unauthorized"))


@case
def wrong_token(it: Recorder) -> None:
    it.get(it.at("configmaps"), token="nonsense", expect=(401, "Unauthorized"))
    it.get("/api", token="nonsense", expect=(401, "Unauthorized"))


@case
def token_of_an_account(it: Recorder) -> None:
    it.have(it.at("serviceaccounts"), {"metadata": {"name": "robot"}})
    body = {"spec": {"expirationSeconds": 3600}}
    path = it.at("serviceaccounts", "robot", "token")
    answer = it.post(path, body, view=without_token)
    assert answer.body["status"]["token"].count(".") == 2
    assert answer.body["status"]["expirationTimestamp"]
    assert answer.body["spec"]["expirationSeconds"] == 3600


@case
def token_for_an_audience(it: Recorder) -> None:
    it.have(it.at("serviceaccounts"), {"metadata": {"name": "robot"}})
    path = it.at("serviceaccounts", "robot", "token")
    answer = it.post(path, {"spec": {"audiences": ["somebody"]}}, view=without_token)
    assert answer.body["spec"]["audiences"] == ["somebody"]
    token = answer.body["status"]["token"]
    it.get("/api", token=token, expect=(401, "Unauthorized"))


@case
def token_for_a_short_time(it: Recorder) -> None:
    it.have(it.at("serviceaccounts"), {"metadata": {"name": "robot"}})
    path = it.at("serviceaccounts", "robot", "token")
    body = {"spec": {"expirationSeconds": 60}}
    message = "may not specify a duration less than 10 minutes"
    it.post(path, body, expect=(422, "Invalid", message))


@case
def token_of_nobody(it: Recorder) -> None:
    path = it.at("serviceaccounts", "nobody", "token")
    it.post(path, {"spec": {}}, expect=(404, "NotFound"))


@case
def account_may_what_its_role_says(it: Recorder) -> None:
    token = account(it, "get", "list")
    it.have(it.at("configmaps"), configmap())
    it.get(it.at("configmaps"), token=token)
    it.get(it.at("configmaps", "one"), token=token)


@case
def account_may_nothing_else(it: Recorder) -> None:
    token = account(it, "get", "list")
    who = f'User "system:serviceaccount:{it.ns}:robot" cannot'
    refused = (403, "Forbidden", f'configmaps is forbidden: {who} create resource "configmaps"')
    it.post(it.at("configmaps"), configmap(), token=token, expect=refused)
    it.have(it.at("configmaps"), configmap())
    refused = (403, "Forbidden", f'configmaps "one" is forbidden: {who} delete')
    it.delete(it.at("configmaps", "one"), token=token, expect=refused)
    it.patch(it.at("configmaps", "one"), {"data": {}}, token=token, expect=(403, "Forbidden"))
    it.put(it.at("configmaps", "one"), configmap(), token=token, expect=(403, "Forbidden"))
    it.get(f"{it.at('configmaps')}?watch=true", token=token, expect=(403, "Forbidden"))
    it.delete(it.at("configmaps"), token=token, expect=(403, "Forbidden"))


@case
def account_stays_in_its_namespace(it: Recorder) -> None:
    token = account(it, "get", "list")
    refused = (403, "Forbidden", "at the cluster scope")
    it.get("/api/v1/configmaps", token=token, expect=refused)
    refused = (403, "Forbidden", 'in the namespace "default"')
    it.get("/api/v1/namespaces/default/configmaps", token=token, expect=refused)
    it.get("/apis/apps/v1/deployments", token=token, expect=(403, "Forbidden", "apps"))


@case
def account_may_ask_what_there_is(it: Recorder) -> None:
    token = account(it)
    it.get("/version", token=token, view=sorted)
    it.get("/api", token=token, view=lambda body: body["versions"])


@case
def account_may_not_read_other_paths(it: Recorder) -> None:
    token = account(it)
    expect = (403, "Forbidden", 'cannot get path "/metrics"')
    it.get("/metrics", token=token, expect=expect)


def review(it: Recorder, **attributes: str) -> Object:
    """A review of what the asker may do in the namespace."""
    wanted = {"namespace": it.ns, **attributes}
    return {"spec": {"resourceAttributes": wanted}}


def allowed(body: Object) -> Any:
    """The question and the answer, without the words for it."""
    return [body["spec"], body["status"]["allowed"]]


@case
def review_of_an_admin(it: Recorder) -> None:
    body = review(it, verb="create", group="apps", resource="deployments")
    path = f"{AUTHORIZATION}/selfsubjectaccessreviews"
    answer = it.post(path, body, view=allowed)
    assert answer.body["status"]["allowed"] is True


@case
def review_of_an_account(it: Recorder) -> None:
    token = account(it, "list")
    path = f"{AUTHORIZATION}/selfsubjectaccessreviews"
    yes = review(it, verb="list", resource="configmaps")
    no = review(it, verb="delete", resource="configmaps")
    assert it.post(path, yes, token=token, view=allowed).body["status"]["allowed"] is True
    assert it.post(path, no, token=token, view=allowed).body["status"]["allowed"] is False


@case
def review_without_a_question(it: Recorder) -> None:
    path = f"{AUTHORIZATION}/selfsubjectaccessreviews"
    it.post(path, {"spec": {}}, expect=(422, "Invalid"))


@case
def review_of_a_path(it: Recorder) -> None:
    body = {"spec": {"nonResourceAttributes": {"path": "/metrics", "verb": "get"}}}
    path = f"{AUTHORIZATION}/selfsubjectaccessreviews"
    answer = it.post(path, body, view=allowed)
    assert answer.body["status"]["allowed"] is True


@case
def who_am_i(it: Recorder) -> None:
    answer = it.post(
        f"{AUTHENTICATION}/selfsubjectreviews",
        {},
        view=lambda body: [body["kind"], sorted(body["status"]["userInfo"])],
    )
    assert "system:masters" in answer.body["status"]["userInfo"]["groups"]


@case
def who_is_an_account(it: Recorder) -> None:
    token = account(it)

    def view(body: Object) -> Any:
        who = body["status"]["userInfo"]
        return [who["username"], sorted(who["groups"])]

    answer = it.post(f"{AUTHENTICATION}/selfsubjectreviews", {}, token=token, view=view)
    name = f"system:serviceaccount:{it.ns}:robot"
    assert answer.body["status"]["userInfo"]["username"] == name


@case
def token_review(it: Recorder) -> None:
    token = account(it)

    def view(body: Object) -> Any:
        status = body["status"]
        return [status["authenticated"], status["user"]["username"]]

    path = f"{AUTHENTICATION}/tokenreviews"
    answer = it.post(path, {"spec": {"token": token}}, view=view)
    assert answer.body["status"]["authenticated"] is True
    body = {"spec": {"token": "nonsense"}}
    answer = it.post(path, body, view=lambda body: body["status"].get("authenticated"))
    assert "authenticated" not in answer.body["status"]
