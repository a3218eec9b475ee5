"""The control endpoint ``/sandbox/…``: clusters are listed, added, removed, broken, healed.

``GET /sandbox/clusters`` · ``POST /sandbox/clusters`` with a list of ``{name, labels}`` ·
``GET|DELETE /sandbox/clusters/NAME`` · ``POST /sandbox/clusters/NAME/break`` with ``{how}`` ·
``POST /sandbox/clusters/NAME/heal`` · ``POST /sandbox/clusters/NAME/compact``.
"""

from __future__ import annotations

from typing import Any

import orjson

from fleet.embedded.sandbox.cluster import Cluster
from fleet.embedded.sandbox.clusters import Clusters
from fleet.embedded.sandbox.objects import timestamp
from fleet.embedded.sandbox.requests import Answer
from fleet.errors import FleetError, NotFound, UsageError


def control(clusters: Clusters, method: str, path: str, body: bytes) -> Answer:
    """The answer to one request; errors have the shape that Fleet's own API uses."""
    try:
        return _json(_do(clusters, method, path, _read(body)))
    except FleetError as error:
        return _json({"error": error.as_dict()}, error.http_status)


def _do(clusters: Clusters, method: str, path: str, body: Any) -> Any:
    match [method, *path.strip("/").split("/")[1:]]:
        case ["GET", "clusters"]:
            return {"clusters": [shape(clusters, it) for it in clusters]}
        case ["POST", "clusters"]:
            wanted = body if isinstance(body, list) else [body]
            made = [clusters.add(_name(it), labels=it.get("labels")) for it in wanted]
            return {"clusters": [shape(clusters, it) for it in made]}
        case ["GET", "clusters", name]:
            return shape(clusters, clusters.get(name))
        case ["DELETE", "clusters", name]:
            clusters.remove(name)
            return {}
        case ["POST", "clusters", name, "break"]:
            how = body.get("how") if isinstance(body, dict) else None
            if not how:
                raise UsageError("how is the cluster to break?", hint='Send {"how": "slow"}.')
            clusters.break_(name, how)
            return shape(clusters, clusters.get(name))
        case ["POST", "clusters", name, "heal"]:
            clusters.break_(name, "")
            return shape(clusters, clusters.get(name))
        case ["POST", "clusters", name, "compact"]:
            clusters.get(name).store.compact()
            return {}
        case _:
            raise NotFound(f"the control endpoint has no {method} {path}")


def _name(wanted: Any) -> str:
    name = wanted.get("name") if isinstance(wanted, dict) else None
    if not isinstance(name, str):
        raise UsageError("a cluster needs a name", hint='Send [{"name": "dev-1"}].')
    return name


def _read(body: bytes) -> Any:
    if not body:
        return {}
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UsageError(f"the request is no JSON: {error}") from None


def shape(clusters: Clusters, cluster: Cluster) -> dict[str, Any]:
    """A cluster, with what is needed to reach it."""
    return {
        "name": cluster.name,
        "labels": cluster.labels,
        "server": clusters.server_url(cluster),
        "token": cluster.admin_token,
        "ca": clusters.ca_pem,
        "broken": cluster.broken,
        "created": timestamp(cluster.created),
        "objects": sum(1 for _ in cluster.store.all_entries()),
    }


def _json(found: Any, code: int = 200) -> Answer:
    return Answer(orjson.dumps(found), code)
