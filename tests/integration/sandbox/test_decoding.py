"""What becomes of a new object, and of one with mistakes, against a real API server."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Final

import pytest

from fleet.embedded.sandbox import strategies
from fleet.embedded.sandbox.admitting import admitted
from fleet.embedded.sandbox.defaulting import set_defaults
from fleet.embedded.sandbox.kinds import builtin_kind
from fleet.embedded.sandbox.merging import track
from fleet.embedded.sandbox.objects import Object, at, with_meta
from fleet.embedded.sandbox.quantities import MILLI, canonical
from fleet.embedded.sandbox.validating import validate
from tests.cluster.kube import TestCluster

from .manifests import MANIFESTS
from .mistakes import MISTAKES
from .real import Owned, RealServer, collection, told_apart

NOW: Final = "2026-01-01T00:00:00Z"
#: Kind → what the servers choose for themselves, or the sandbox adds elsewhere.
_CHOSEN: Final = {
    "Service": ("spec.clusterIP", "spec.clusterIPs", "spec.ports.nodePort"),
    "PersistentVolume": ("status.lastPhaseTransitionTime",),
    "Namespace": ("spec.finalizers",),  # by the strategies of the sandbox
    "CustomResourceDefinition": ("status.storedVersions",),  # the same
    # Admission that a bare API server has not:
    "Pod": (
        "spec.priority",
        "spec.preemptionPolicy",
        "spec.serviceAccount",
        "spec.serviceAccountName",
    ),
}


@pytest.fixture(scope="module")
def real(bare_clusters: list[TestCluster]) -> Iterator[RealServer]:
    server = RealServer(bare_clusters[0])
    yield server
    server.close()


def _without(value: Any, path: str) -> Any:
    name, _, rest = path.partition(".")
    if isinstance(value, list):
        return [_without(it, path) for it in value]
    if not isinstance(value, dict) or name not in value:
        return value
    if not rest:
        return {key: it for key, it in value.items() if key != name}
    return {**value, name: _without(value[name], rest)}


def _compared(obj: Object) -> tuple[Object, Owned]:
    for path in _CHOSEN.get(obj["kind"], ()):
        obj = _without(obj, path)
    return told_apart(obj)


@pytest.mark.parametrize(
    ("api_version", "kind", "name", "parts"),
    MANIFESTS,
    ids=[f"{number}-{row[1]}" for number, row in enumerate(MANIFESTS)],
)
def test_a_new_object_is_what_it_is_at_a_real_server(
    real: RealServer, api_version: str, kind: str, name: str, parts: Any
) -> None:
    known = builtin_kind(api_version, kind)
    obj = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **parts}
    path = collection(known, "default")
    status, theirs = real.ask("POST", path, obj, dryRun="All", fieldManager="m")
    assert status == 201, theirs
    if known.namespaced:
        obj = {**obj, "metadata": {"name": name, "namespace": "default"}}
    given = copy.deepcopy(obj)
    made = set_defaults(obj, known)
    made = track(None, made, shape=known.shape, manager="m", now=NOW)
    made["metadata"]["uid"] = theirs["metadata"]["uid"]
    made = admitted(made, None, group=known.group, plural=known.plural, services=list)
    assert _compared(made) == _compared(theirs)
    made = strategies.created(known, made)
    assert [str(cause) for cause in validate(made, known, None)] == []
    assert obj == given


@pytest.mark.parametrize(
    ("api_version", "kind", "parts"),
    MISTAKES,
    ids=[f"{number}-{row[1]}" for number, row in enumerate(MISTAKES)],
)
def test_mistakes_have_the_causes_that_a_real_server_tells(
    real: RealServer, api_version: str, kind: str, parts: Any
) -> None:
    known = builtin_kind(api_version, kind)
    metadata = {"name": "x", **parts.get("metadata", {})}
    obj = {"apiVersion": api_version, "kind": kind, **parts, "metadata": metadata}
    status, theirs = real.ask("POST", collection(known, "default"), obj, dryRun="All")
    assert status == 422, theirs
    made = with_meta(set_defaults(obj, known), uid="u")
    made = admitted(made, None, group=known.group, plural=known.plural, services=list)
    told = {(cause.reason, cause.field) for cause in validate(made, known, None)}
    assert told == {(it["reason"], it["field"]) for it in theirs["details"]["causes"]}


QUANTITIES: Final = (
    *("1", "0", "0Gi", "1000m", "0.5", ".5", "1.", "1500m", "1000", "1024", "1000000", "1024Mi"),
    *("1.5Gi", "0.5Gi", "0.5Ki", "1000Mi", "1e3", "1E3", "1200e-3", "10e0", "0.1n", "1.1Ki"),
    *("12345678Ki", "1.234567890123", "100000000000000000000", "0.001", "3e-4", "1Ei", "+1"),
    *("-1", "1000e3", "5u", "20Ei", "0.000Ki", "010", "1.000", "1e19", "1e21"),
)


def test_quantities_are_written_as_by_a_real_server(real: RealServer) -> None:
    most = {f"example.com/q{number}": text for number, text in enumerate(QUANTITIES)}
    body = {"metadata": {"name": "q"}, "spec": {"limits": [{"type": "Pod", "max": most}]}}
    path = "/api/v1/namespaces/default/limitranges"
    status, answer = real.ask("POST", path, body, dryRun="All")
    assert status == 201, answer
    found = at(answer, "spec", "limits")[0]["max"]
    assert found == {name: canonical(text, MILLI) for name, text in most.items()}
