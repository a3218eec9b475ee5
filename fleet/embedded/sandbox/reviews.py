"""Questions that are asked by creating an object which nobody stores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import orjson

from fleet.embedded.sandbox.authenticating import (
    ISSUER,
    SERVICE_ACCOUNT,
    User,
    account_of,
    account_token,
)
from fleet.embedded.sandbox.authorizing import Act, may, may_read_path, rights_of
from fleet.embedded.sandbox.bodies import decoded
from fleet.embedded.sandbox.cluster import Cluster
from fleet.embedded.sandbox.kinds import builtin_kind
from fleet.embedded.sandbox.merging import track
from fleet.embedded.sandbox.objects import Object, timestamp
from fleet.embedded.sandbox.requests import Answer, Request, Target
from fleet.embedded.sandbox.statuses import invalid, invalid_value, not_found

#: It is a subresource alone; no path of its own leads to it.
TOKEN_REQUEST = replace(
    builtin_kind("authentication.k8s.io/v1", "TokenReview"),
    kind="TokenRequest",
    model="AuthenticationV1TokenRequest",
)
SHORTEST_SECONDS, LONGEST_SECONDS, USUAL_SECONDS = 600, 1 << 32, 3600
_EVERYTHING = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
_EVERY_PATH = {"verbs": ["*"], "nonResourceURLs": ["*"]}

Spec = Mapping[str, Any]


def _self_access(cluster: Cluster, user: User, spec: Spec) -> Object:
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None:
        name = resource.get("resource", "")
        if resource.get("subresource"):
            name = f"{name}/{resource['subresource']}"
        act = Act(
            resource.get("verb", ""),
            resource.get("group", ""),
            name,
            resource.get("namespace", ""),
            resource.get("name", ""),
        )
        return {"allowed": may(cluster, user, act)}
    if path is None:
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        raise invalid("authorization.k8s.io", "", "", [invalid_value("spec", None, why)])
    verb, where = path.get("verb", ""), path.get("path", "")
    return {"allowed": may_read_path(cluster, user, where, verb)}


def _access(cluster: Cluster, _: User, spec: Spec) -> Object:
    user = User(spec.get("user") or "", "", tuple(spec.get("groups") or ()))
    return _self_access(cluster, user, spec)


def _self_rules(cluster: Cluster, user: User, spec: Spec) -> Object:
    rights = rights_of(cluster, user)
    rules = list(rights.rules(spec.get("namespace") or ""))
    if user.is_master:
        rules = [_EVERYTHING, _EVERY_PATH, *(it for it in rules if "*" not in it["verbs"])]
    paths = [
        {"verbs": it["verbs"], "nonResourceURLs": it["nonResourceURLs"]}
        for it in rules
        if it.get("nonResourceURLs")
    ]
    resources = [
        {
            key: it[key]
            for key in ("verbs", "apiGroups", "resources", "resourceNames")
            if it.get(key)
        }
        for it in rules
        if it.get("resources")
    ]
    return {"resourceRules": resources, "nonResourceRules": paths, "incomplete": False}


def _self_review(_: Cluster, user: User, __: Spec) -> Object:
    return {"userInfo": user.shape()}


def _token(cluster: Cluster, _: User, spec: Spec) -> Object:
    account = account_of(cluster, spec.get("token") or "")
    if account is None:
        return {"user": {}, "error": "[invalid bearer token, token lookup failed]"}
    audiences = spec.get("audiences") or [ISSUER]
    return {"authenticated": True, "user": account.user().shape(), "audiences": audiences}


_REVIEWS: dict[str, Callable[[Cluster, User, Spec], Object]] = {
    "SelfSubjectAccessReview": _self_access,
    "SubjectAccessReview": _access,
    "LocalSubjectAccessReview": _access,
    "SelfSubjectRulesReview": _self_rules,
    "SelfSubjectReview": _self_review,
    "TokenReview": _token,
}


def is_review(target: Target) -> bool:
    """Whether creating this kind asks a question."""
    return target.kind.kind in _REVIEWS and target.kind.group.endswith("k8s.io")


def review(cluster: Cluster, request: Request, target: Target) -> Answer:
    """The object that was sent, with the answer as its status."""
    obj = decoded(request, target.kind)
    status = _REVIEWS[target.kind.kind](cluster, request.user, obj.get("spec") or {})
    metadata = dict(obj.get("metadata") or {})
    if target.kind.kind == "SelfSubjectReview":
        metadata["creationTimestamp"] = timestamp(cluster.now())
    words = {"kind": target.kind.kind, "apiVersion": target.kind.api_version}
    spec = {} if target.kind.kind == "SelfSubjectRulesReview" else obj.get("spec")
    found: Object = {**words, "metadata": metadata, "status": status}
    if spec is not None:
        found["spec"] = spec
    return Answer(orjson.dumps(found), 201)


def request_token(cluster: Cluster, request: Request, target: Target) -> Answer:
    """A token for a ServiceAccount.

    Raises:
        ApiError: there is no such account, or the time asked for is too short.
    """
    account = cluster.store.get(SERVICE_ACCOUNT, target.namespace, target.name)
    if account is None:
        raise not_found(SERVICE_ACCOUNT, target.name)
    obj = decoded(request, TOKEN_REQUEST)
    spec = obj.get("spec") or {}
    seconds = USUAL_SECONDS if spec.get("expirationSeconds") is None else spec["expirationSeconds"]
    _check_seconds(seconds)
    audiences = spec.get("audiences") or [ISSUER]
    metadata = account["metadata"]
    now = cluster.now()
    owned = track(
        None,
        {**obj, "spec": {**spec, "expirationSeconds": seconds}},
        shape=TOKEN_REQUEST.shape,
        manager=request.manager,
        now=timestamp(now),
        subresource="token",
    )
    token, expires = account_token(
        cluster.key,
        target.namespace,
        target.name,
        metadata["uid"],
        now=now,
        seconds=seconds,
        audiences=audiences,
    )
    found = {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {
            "name": target.name,
            "namespace": target.namespace,
            "uid": metadata["uid"],
            "creationTimestamp": timestamp(now),
            "managedFields": owned["metadata"].get("managedFields", []),
        },
        "spec": {
            "audiences": audiences,
            "expirationSeconds": seconds,
            "boundObjectRef": spec.get("boundObjectRef"),
        },
        "status": {"token": token, "expirationTimestamp": timestamp(expires)},
    }
    return Answer(orjson.dumps(found), 201)


def _check_seconds(seconds: int) -> None:
    why = ""
    if seconds < SHORTEST_SECONDS:
        why = "may not specify a duration less than 10 minutes"
    elif seconds > LONGEST_SECONDS:
        why = "may not specify a duration larger than 2^32 seconds"
    if why:
        cause = invalid_value("spec.expirationSeconds", seconds, why)
        raise invalid("authentication.k8s.io", "TokenRequest", "", [cause])
