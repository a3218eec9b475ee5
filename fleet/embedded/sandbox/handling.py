"""From a request to its answer: what it is about, whether it may, who does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import orjson

from fleet.embedded.sandbox import (
    deleting,
    discovery,
    patches,
    pod_logs,
    reading,
    reviews,
    scaling,
    storing,
    watching,
    writing,
)
from fleet.embedded.sandbox.authorizing import (
    act_of,
    check,
    may_read_path,
    path_refusal,
    refusal,
)
from fleet.embedded.sandbox.bodies import decoded
from fleet.embedded.sandbox.cluster import Cluster
from fleet.embedded.sandbox.kinds import builtin_kind
from fleet.embedded.sandbox.requests import Answer, NoPage, Request, Stream, Target, target_of
from fleet.embedded.sandbox.statuses import ApiError

BINDING = builtin_kind("v1", "Binding")
EVICTION = replace(
    builtin_kind("policy/v1", "PodDisruptionBudget"), kind="Eviction", model="V1Eviction"
)
Handler = Callable[[Cluster, Request, Target], Answer | Stream]
_DONE = orjson.dumps(
    {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
)
WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


def _evict(cluster: Cluster, request: Request, target: Target) -> Answer:
    """An eviction is a delete that may be refused; here it never is."""
    eviction = decoded(request, EVICTION)
    options = orjson.dumps(eviction.get("deleteOptions") or {})
    deleting.delete(cluster, replace(request, body=options, headers={}), target)
    return Answer(_DONE, 201)


def _bind(cluster: Cluster, request: Request, target: Target) -> Answer:
    """Place a Pod on a node, as a scheduler does."""
    write = storing.Write(cluster, request, target)
    pod = storing.live(write)
    node = decoded(request, BINDING)["target"]["name"]
    spec = {**pod["spec"], "nodeName": node}
    cluster.store.put(target.kind, {**pod, "spec": spec})
    return Answer(_DONE, 201)


def _impossible(_: Cluster, __: Request, target: Target) -> Answer:
    """What needs a running container."""
    raise ApiError(
        501, "NotImplemented", f"the sandbox runs no containers: no {target.subresource}"
    )


_PLAIN: Mapping[str, Handler] = {
    "get": reading.get,
    "list": reading.list_,
    "watch": watching.watch,
    "create": writing.create,
    "update": writing.update,
    "patch": patches.patch,
    "delete": deleting.delete,
    "deletecollection": deleting.delete_collection,
}
_SUBRESOURCES: Mapping[str, Mapping[str, Handler]] = {
    "scale": {"get": scaling.get, "update": scaling.update, "patch": scaling.patch},
    "log": {"get": pod_logs.log},
    "token": {"create": reviews.request_token},
    "eviction": {"create": _evict},
    "binding": {"create": _bind},
    **dict.fromkeys(
        ("attach", "exec", "portforward", "proxy"),
        dict.fromkeys(("get", "create", "update", "patch", "delete"), _impossible),
    ),
}


def handle(cluster: Cluster, request: Request) -> Answer | Stream:
    """Do what a request asks.

    Raises:
        ApiError: it cannot be done.
    """
    try:
        target = target_of(cluster.kinds, request.method, request.path, watch=request.flag("watch"))
    except NoPage:
        return discovery.NOT_FOUND
    if target is None:
        if not may_read_path(cluster, request.user, request.path.rstrip("/") or "/"):
            raise path_refusal(request.user, request.path)
        return discovery.answer(cluster, request)
    check(cluster, request.user, target)
    if target.verb in WRITES and cluster.broken:
        _refuse_write(cluster, request, target)
    if target.verb == "create" and reviews.is_review(target):
        return reviews.review(cluster, request, target)
    handlers = _SUBRESOURCES.get(target.subresource, _PLAIN)
    found = handlers[target.verb](cluster, request, target)
    warning = target.kind.custom.warning if target.kind.custom else ""
    if warning and isinstance(found, Answer):
        found.warnings = (warning, *found.warnings)
    return found


def _refuse_write(cluster: Cluster, request: Request, target: Target) -> None:
    """What a write meets in a cluster that is broken on purpose."""
    if cluster.broken == "full":
        raise ApiError(500, "", "etcdserver: mvcc: database space exceeded")
    if cluster.broken == "readonly":
        raise refusal(cluster, request.user, act_of(target))
