"""What a cluster serves: the lists of groups, versions and kinds, and their schemas."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from importlib.metadata import version as installed
from typing import Any

import orjson

from fleet.embedded.sandbox.builtin import subresource
from fleet.embedded.sandbox.cluster import Cluster
from fleet.embedded.sandbox.kinds import BUILTIN, Kind, is_builtin_group
from fleet.embedded.sandbox.openapi import document
from fleet.embedded.sandbox.requests import JSON, TEXT, Answer, Request
from fleet.embedded.sandbox.statuses import no_method, no_resource

VERSION = "v1.37.1"
_MAJOR, _MINOR = "1", "37"
_AGGREGATED = b"application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_VERSION_ANSWER = {
    "major": _MAJOR,
    "minor": _MINOR,
    "emulationMajor": _MAJOR,
    "emulationMinor": _MINOR,
    "minCompatibilityMajor": _MAJOR,
    "minCompatibilityMinor": str(int(_MINOR) - 1),
    "gitVersion": VERSION,
    "gitCommit": "",
    "gitTreeState": "",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}
_VERSION_DOCUMENT = {
    "openapi": "3.0.0",
    "info": {"title": "Kubernetes", "version": f"{_MAJOR}.{_MINOR}"},
    "paths": {"/version/": {"get": {"responses": {"200": {"description": "OK"}}}}},
}
_CHECKS = ("ping", "log", "etcd")
NOT_FOUND = Answer(b"404 page not found\n", 404, TEXT)
_STABILITY = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?")


def _is_aggregated(request: Request) -> bool:
    """Whether the client prefers the whole list at once."""
    for part in request.header(b"accept").split(","):
        words = {it.strip() for it in part.split(";")}
        if {"g=apidiscovery.k8s.io", "v=v2", "as=APIGroupDiscoveryList"} <= words:
            return True
        if "application/json" in words and len(words) == 1:
            return False
    return False


def answer(cluster: Cluster, request: Request) -> Answer:
    """The answer for a path that names no kind.

    Raises:
        ApiError: the method does not fit.
    """
    path = request.path.rstrip("/") or "/"
    first = path.strip("/").split("/")[0]
    found = _PLACES.get(first)
    if found is None:
        return NOT_FOUND
    if request.method != "GET":
        raise no_method()
    return found(cluster, request, path)  # type: ignore[no-any-return]


def _api(cluster: Cluster, request: Request, path: str) -> Answer:
    del cluster
    if path == "/api/v1":
        return _json(_resources("v1", [kind for kind in BUILTIN if not kind.group]))
    if path != "/api":
        return NOT_FOUND
    if _is_aggregated(request):
        return Answer(_builtin_list(core=True), content_type=_AGGREGATED)
    address = {"clientCIDR": "0.0.0.0/0", "serverAddress": request.header(b"host")}
    versions = {"kind": "APIVersions", "versions": ["v1"]}
    return _json({**versions, "serverAddressByClientCIDRs": [address]})


def _apis(cluster: Cluster, request: Request, path: str) -> Answer:
    parts = path.split("/")[2:]
    if not parts:
        return _groups(cluster, request)
    kinds = [kind for kind in (*BUILTIN, *cluster.kinds.custom) if kind.group == parts[0]]
    if not kinds or not parts[0]:
        return NOT_FOUND
    if len(parts) == 1:
        return _json({"kind": "APIGroup", "apiVersion": "v1", **_group(parts[0], kinds)})
    kinds = [kind for kind in kinds if kind.version == parts[1]]
    if not kinds or len(parts) > 2:
        if is_builtin_group(parts[0]):
            raise no_resource()
        return NOT_FOUND
    return _json(_resources(f"{parts[0]}/{parts[1]}", kinds))


def _groups(cluster: Cluster, request: Request) -> Answer:
    custom = _by_group(cluster.kinds.custom)
    if _is_aggregated(request):
        body = _builtin_list(core=False)
        if custom:
            more = b",".join(orjson.dumps(_discovered(*it)) for it in custom.items())
            body = body[:-2] + b"," + more + b"]}"
        return Answer(body, content_type=_AGGREGATED)
    groups = {**_by_group(kind for kind in BUILTIN if kind.group), **custom}
    found = [_group(name, kinds) for name, kinds in groups.items()]
    return _json({"kind": "APIGroupList", "apiVersion": "v1", "groups": found})


def _by_group(kinds: Iterable[Kind]) -> dict[str, list[Kind]]:
    found: dict[str, list[Kind]] = {}
    for kind in kinds:
        found.setdefault(kind.group, []).append(kind)
    return found


def _versions(kinds: Sequence[Kind]) -> list[str]:
    """The versions of a group, the preferred one first."""
    found = list(dict.fromkeys(kind.version for kind in kinds))
    return sorted(found, key=_rank) if kinds[0].custom else found


def _rank(version: str) -> tuple[int, int, int, str]:
    """Stable versions before beta before alpha, newer before older, then what is no version."""
    match = _STABILITY.fullmatch(version)
    if match is None:
        return (3, 0, 0, version)
    major, stage, minor = match.groups()
    return ({None: 0, "beta": 1, "alpha": 2}[stage], -int(major), -int(minor or 0), version)


def _group(name: str, kinds: Sequence[Kind]) -> dict[str, Any]:
    versions = [{"groupVersion": f"{name}/{it}", "version": it} for it in _versions(kinds)]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _resources(group_version: str, kinds: Sequence[Kind]) -> dict[str, Any]:
    """The legacy list: subresources are rows of their own."""
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": [row for kind in kinds for row in _rows(kind)],
    }


def _rows(kind: Kind) -> Iterable[dict[str, Any]]:
    row: dict[str, Any] = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        row["shortNames"] = list(kind.short_names)
    if kind.categories:
        row["categories"] = list(kind.categories)
    if "watch" in kind.verbs:
        row["storageVersionHash"] = _hash(kind.resource)[:11] + "="
    yield row
    for name in kind.subresources:
        about = subresource(kind.plural, name)
        words = {"group": about.group, "version": about.version} if about.group else {}
        yield {
            "name": f"{kind.plural}/{name}",
            "singularName": "",
            "namespaced": kind.namespaced,
            **words,
            "kind": about.kind or kind.kind,
            "verbs": list(about.verbs),
        }


@lru_cache(maxsize=2)
def _builtin_list(*, core: bool) -> bytes:
    groups = _by_group(kind for kind in BUILTIN if bool(kind.group) is not core)
    found = {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [_discovered(name, kinds) for name, kinds in groups.items()],
    }
    return orjson.dumps(found)


def _discovered(group: str, kinds: Sequence[Kind]) -> dict[str, Any]:
    """One group of the aggregated list."""
    versions = [
        {
            "version": version,
            "resources": [_resource(kind) for kind in kinds if kind.version == version],
            "freshness": "Current",
        }
        for version in _versions(kinds)
    ]
    return {"metadata": {"name": group} if group else {}, "versions": versions}


def _resource(kind: Kind) -> dict[str, Any]:
    # The real server leaves group and version empty where they are those of the list around it.
    words = (kind.group, kind.version) if kind.custom else ("", "")
    row: dict[str, Any] = {
        "resource": kind.plural,
        "responseKind": {"group": words[0], "version": words[1], "kind": kind.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        row["shortNames"] = list(kind.short_names)
    if kind.categories:
        row["categories"] = list(kind.categories)
    if kind.subresources:
        row["subresources"] = [_part(kind, name, words) for name in kind.subresources]
    return row


def _part(kind: Kind, name: str, words: tuple[str, str]) -> dict[str, Any]:
    about = subresource(kind.plural, name)
    group, version = (about.group, about.version) if about.group else words
    return {
        "subresource": name,
        "responseKind": {"group": group, "version": version, "kind": about.kind or kind.kind},
        "verbs": list(about.verbs),
    }


def _json(found: dict[str, Any]) -> Answer:
    return Answer(orjson.dumps(found))


def _version(cluster: Cluster, request: Request, path: str) -> Answer:
    del cluster, request
    return _json(_VERSION_ANSWER) if path == "/version" else NOT_FOUND


def _health(cluster: Cluster, request: Request, path: str) -> Answer:
    del cluster
    if "verbose" not in request.query:
        return Answer(b"ok", content_type=TEXT)
    lines = [f"[+]{check} ok" for check in _CHECKS]
    text = "\n".join([*lines, f"{path.strip('/')} check passed", ""])
    return Answer(text.encode(), content_type=TEXT)


def _openapi(cluster: Cluster, request: Request, path: str) -> Answer:
    del request
    if path == "/openapi/v3":
        return Answer(orjson.dumps({"paths": _documents(cluster)}), content_type=TEXT)
    if not path.startswith("/openapi/v3/"):
        return NOT_FOUND
    parts = path.split("/")[3:]
    if parts == ["version"]:
        return _json(_VERSION_DOCUMENT)
    group, version = ("", parts[1]) if parts[0] == "api" and len(parts) == 2 else ("-", "")
    if parts[0] == "apis" and len(parts) == 3:
        group, version = parts[1], parts[2]
    own = [it for it in cluster.kinds.custom if (it.group, it.version) == (group, version)]
    if own:
        return Answer(document(group, version, own), content_type=JSON)
    if any((kind.group, kind.version) == (group, version) for kind in BUILTIN):
        return Answer(_document(group, version), content_type=JSON)
    return Answer(b"", 404, b"")


@lru_cache(maxsize=64)
def _document(group: str, version: str) -> bytes:
    kinds = [kind for kind in BUILTIN if (kind.group, kind.version) == (group, version)]
    return document(group, version, kinds)


def _documents(cluster: Cluster) -> dict[str, Any]:
    """Where each document is. The hash changes when the document does."""
    found: dict[str, Any] = {}
    stamp = _models_version()
    found["version"] = {"serverRelativeURL": f"/openapi/v3/version?hash={_hash(VERSION).upper()}"}
    for kind in (*BUILTIN, *cluster.kinds.custom):
        place = f"apis/{kind.group}/{kind.version}" if kind.group else f"api/{kind.version}"
        if place in found:
            continue
        told = stamp if kind.custom is None else f"{stamp}.{cluster.kinds.changes}"
        url = f"/openapi/v3/{place}?hash={_hash(f'{told} {place}').upper()}"
        found[place] = {"serverRelativeURL": url}
    return found


@cache
def _models_version() -> str:
    """Of the package whose models the documents are made of; it is read from a file."""
    return installed("kubernetes")


@lru_cache(maxsize=256)
def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _root(cluster: Cluster, request: Request, path: str) -> Answer:
    del request, path
    places = {
        "/version",
        "/healthz",
        "/livez",
        "/readyz",
        "/openapi/v3",
        "/api",
        "/api/v1",
        "/apis",
    }
    for kind in (*BUILTIN, *cluster.kinds.custom):
        if kind.group:
            places |= {f"/apis/{kind.group}", f"/apis/{kind.group}/{kind.version}"}
    return _json({"paths": sorted(places)})


_PLACES: dict[str, Any] = {
    "": _root,
    "api": _api,
    "apis": _apis,
    "version": _version,
    "healthz": _health,
    "livez": _health,
    "readyz": _health,
    "openapi": _openapi,
}
