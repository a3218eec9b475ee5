"""Writes of several managers, one after another: the same objects, the same owners of the same
fields and the same conflicts as at a real API server."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from fleet.embedded.sandbox.definitions import kinds_of
from fleet.embedded.sandbox.kinds import Kind, builtin_kind
from fleet.embedded.sandbox.objects import Object
from tests.cluster.kube import TestCluster

from .plain import Ours, Step, Theirs, in_namespace
from .real import RealServer

some = st.sampled_from
flags = st.booleans()


def parts(**fields: SearchStrategy[Any]) -> SearchStrategy[dict[str, Any]]:
    """Some of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


def few(*values: Any) -> SearchStrategy[list[Any]]:
    """Some of these values, in any order."""
    return st.lists(some(values), unique=True, max_size=len(values))


def keyed(key: str, values: tuple[Any, ...], **fields: SearchStrategy[Any]) -> Any:
    """Objects that a key tells apart."""
    item = parts(**fields)
    pairs = st.lists(st.tuples(some(values), item), unique_by=lambda it: it[0], max_size=3)
    return pairs.map(lambda found: [{key: value, **rest} for value, rest in found])


metadata = parts(
    labels=parts(l=some("12"), m=some("1")),
    annotations=parts(n=some("12")),
    finalizers=few("a.b/c", "a.b/d"),
)


def of_kind(api_version: str, kind: str, body: SearchStrategy[Any]) -> SearchStrategy[Object]:
    """An object of this kind."""
    return st.builds(
        lambda meta, rest: {"apiVersion": api_version, "kind": kind, "metadata": meta, **rest},
        metadata,
        body,
    )


configs = of_kind(
    "v1",
    "ConfigMap",
    parts(
        data=parts(a=some("12"), b=some("12"), c=some("1")),
        binaryData=parts(z=some(["YQ==", "Yg=="])),
        immutable=st.just(False),
    ),
)
containers = keyed(
    "name",
    ("a", "b", "c"),
    image=some(["i:1", "i:2", "i"]),
    env=keyed("name", ("A", "B"), value=some(["", "1", "2"])),
    ports=keyed("containerPort", (1, 2), protocol=st.just("TCP"), hostPort=st.just(0)),
    command=few("x", "y"),
    resources=parts(
        limits=parts(cpu=some(["1", "1000m", "2"]), memory=st.just("1Gi")),
        requests=parts(cpu=some(["100m", 0.1])),
    ),
    tty=flags,
    volumeMounts=keyed("mountPath", ("/x", "/y"), readOnly=flags).map(
        lambda found: [{"name": "v", **it} for it in found]
    ),
).filter(bool)
pods = st.builds(
    lambda found, rest: {
        "containers": [{"image": "i", **it} for it in found],
        "volumes": [{"name": "v", "emptyDir": {}}],
        **rest,
    },
    containers,
    parts(
        nodeSelector=parts(a=some("12"), b=st.just("1")),
        imagePullSecrets=keyed("name", ("p", "q")),
        hostNetwork=flags,
        serviceAccountName=some(["s", "t"]),
        hostAliases=keyed("ip", ("1.1.1.1", "2.2.2.2"), hostnames=few("g", "h")),
        topologySpreadConstraints=keyed(
            "topologyKey",
            ("k",),
            whenUnsatisfiable=some(["DoNotSchedule", "ScheduleAnyway"]),
        ).map(lambda it: [{"maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", **x} for x in it]),
    ),
)
deployments = of_kind(
    "apps/v1",
    "Deployment",
    st.builds(
        lambda pod, rest: {
            "spec": {
                "selector": {"matchLabels": {"a": "b"}},
                "template": {"metadata": {"labels": {"a": "b"}}, "spec": pod},
                **rest,
            }
        },
        pods,
        parts(
            replicas=some([0, 1, 2]),
            strategy=some([{"type": "Recreate"}, {"rollingUpdate": {"maxSurge": 1}}, {}]),
            paused=flags,
            minReadySeconds=some([0, 5]),
        ),
    ),
)
ports = keyed(
    "port",
    (1, 2, 3),
    protocol=some(["TCP", "UDP"]),
    targetPort=some([5, "x"]),
    appProtocol=st.just("http"),
).filter(bool)
services = of_kind(
    "v1",
    "Service",
    st.builds(
        lambda found, rest: {
            "spec": {"ports": [{"name": f"p{it['port']}", **it} for it in found], **rest}
        },
        ports,
        parts(
            selector=parts(a=some("12"), b=st.just("1")),
            sessionAffinity=some(["None", "ClientIP"]),
            externalIPs=few("1.1.1.1", "2.2.2.2"),
            publishNotReadyAddresses=flags,
        ),
    ),
)
widgets = of_kind(
    "sandbox.test/v1",
    "Widget",
    parts(
        spec=parts(
            size=some([1, 2]),
            tags=few("a", "b", "c"),
            rules=keyed(
                "host",
                ("g", "h"),
                path=some(["/", "/x"]),
                port=some([1, 2]),
                options=parts(x=some("12"), y=st.just("1")),
            ),
            labels=parts(x=some("12"), y=st.just("1")),
            free=parts(x=some([1, [1, 2], {"a": 1}, {"a": 2, "b": {}}]), y=some(["1", {"z": []}])),
            pair=parts(a=some("12"), b=st.just("1")),
            numbers=few(1, 2),
            deep=parts(er=parts(x=some("12"), y=st.just("1"))),
        ),
        status=st.just({"ready": True}),
    ),
)


def sequences(objects: SearchStrategy[Object], *patches: str) -> SearchStrategy[list[Step]]:
    """A first write, and more of all kinds by three managers."""
    managers = some(["ann", "bob", "kubectl"])
    first = st.builds(Step, some(["create", "apply"]), managers, objects)
    applies = st.builds(Step, st.just("apply"), managers, objects, flags)
    others = st.builds(Step, some(["update", *patches]), managers, objects)
    more = st.lists(applies | applies | others, max_size=6)
    return st.builds(lambda start, rest: [start, *rest], first, more)


@pytest.fixture(scope="module")
def real(bare_clusters: list[TestCluster]) -> Iterator[RealServer]:
    server = RealServer(bare_clusters[0])
    yield server
    server.close()


def check(real: RealServer, kind: Kind, steps: list[Step]) -> None:
    """Run the steps at both; whatever each answers is the same."""
    namespace = f"t-{secrets.token_hex(6)}"
    real.make_namespace(namespace)
    theirs, ours = Theirs(real, kind, namespace), Ours(kind)
    for number, step in enumerate(in_namespace(it, namespace) for it in steps):
        expected = theirs.run(step)
        assert ours.run(step) == expected, step
        if number == 0 and expected[0] != 200:
            return  # nothing was made that the others could change


# A namespace and a few requests for each example: fewer than elsewhere.
thrifty = settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@thrifty
@given(sequences(configs, "merge", "strategic"))
def test_config_maps(real: RealServer, steps: list[Step]) -> None:
    check(real, builtin_kind("v1", "ConfigMap"), steps)


@thrifty
@given(sequences(deployments, "merge", "strategic"))
def test_deployments(real: RealServer, steps: list[Step]) -> None:
    check(real, builtin_kind("apps/v1", "Deployment"), steps)


@thrifty
@given(sequences(services, "merge", "strategic"))
def test_services(real: RealServer, steps: list[Step]) -> None:
    check(real, builtin_kind("v1", "Service"), steps)


STRING = {"type": "string"}
#: Requests, some milliseconds each, within which a new kind is served.
TRIES = 5000
WIDGETS: Object = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.sandbox.test"},
    "spec": {
        "group": "sandbox.test",
        "scope": "Namespaced",
        "names": {
            "plural": "widgets",
            "kind": "Widget",
            "singular": "widget",
            "listKind": "WidgetList",
        },
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "size": {"type": "integer", "default": 1},
                                    "tags": {
                                        "type": "array",
                                        "x-kubernetes-list-type": "set",
                                        "items": STRING,
                                    },
                                    "rules": {
                                        "type": "array",
                                        "x-kubernetes-list-type": "map",
                                        "x-kubernetes-list-map-keys": ["host", "path"],
                                        "items": {
                                            "type": "object",
                                            "required": ["host"],
                                            "properties": {
                                                "host": STRING,
                                                "path": {**STRING, "default": "/"},
                                                "port": {"type": "integer"},
                                                "options": {
                                                    "type": "object",
                                                    "additionalProperties": STRING,
                                                },
                                            },
                                        },
                                    },
                                    "labels": {"type": "object", "additionalProperties": STRING},
                                    "free": {
                                        "type": "object",
                                        "x-kubernetes-preserve-unknown-fields": True,
                                    },
                                    "pair": {
                                        "type": "object",
                                        "x-kubernetes-map-type": "atomic",
                                        "properties": {"a": STRING, "b": STRING},
                                    },
                                    "numbers": {"type": "array", "items": {"type": "integer"}},
                                    "deep": {
                                        "type": "object",
                                        "properties": {
                                            "er": {
                                                "type": "object",
                                                "properties": {"x": STRING, "y": STRING},
                                            }
                                        },
                                    },
                                },
                            },
                            "status": {
                                "type": "object",
                                "properties": {"ready": {"type": "boolean"}},
                            },
                        },
                    }
                },
            }
        ],
    },
}


@pytest.fixture(scope="module")
def widget(real: RealServer) -> Kind:
    """The kind, once the real server stores objects of it."""
    place = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    assert real.ask("POST", place, WIDGETS)[0] in {201, 409}
    obj = {"apiVersion": "sandbox.test/v1", "kind": "Widget", "metadata": {"name": "first"}}
    path = "/apis/sandbox.test/v1/namespaces/default/widgets"
    tries = (real.ask("POST", path, obj, dryRun="All")[0] for _ in range(TRIES))
    assert 201 in tries
    (kind,) = kinds_of(WIDGETS)
    return kind


@thrifty
@given(sequences(widgets, "merge"))
def test_custom_objects(real: RealServer, widget: Kind, steps: list[Step]) -> None:
    check(real, widget, steps)
