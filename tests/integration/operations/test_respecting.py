"""``RespectIgnoreDifferences``: what is ignored is left as it lives, by an apply too."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet.diff import normalize, respecting, without_mutations
from fleet.model.applications import IgnoreDifference
from fleet.model.objects import FIELD_MANAGER
from tests.cluster.kube import TestCluster
from tests.integration.operations.harness import Object, World, deployment
from tests.integration.operations.test_jq import _edit, _image, _path, _web, jq, put

IMAGE = jq('.spec.template.spec.containers[] | select(.name == "web") | .image')
REPLICAS = {"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]}


@pytest.mark.parametrize("owner", ["another", "fleet alone"])
async def test_a_sync_leaves_ignored_fields_as_they_live(bare: World, owner: str) -> None:
    await put(bare, "web", REPLICAS, IMAGE, options=("RespectIgnoreDifferences=true",))
    await bare.deliver(web=(deployment("d"),))
    if owner == "another":
        _edit(bare, "scaler", replicas=5)
        _edit(bare, "image-updater", template=_web("registry.test/web:2"))
    replicas, image = (5, "web:2") if owner == "another" else (1, "web:1")
    # Git changes an ignored field and one that counts
    await bare.deliver(web=(deployment("d", replicas=3, seconds=60),))
    await bare.pass_(look=True)
    spec = bare.request("GET", _path(bare))["spec"]
    assert (spec["replicas"], spec["progressDeadlineSeconds"]) == (replicas, 60)
    assert _image(bare) == f"registry.test/{image}"
    app = await bare.app("web")
    assert (app["sync_status"], app["conditions"]) == ("Synced", [])
    assert len(await bare.operations("web")) == 2


async def test_an_object_that_is_made_is_made_as_git_says(bare: World) -> None:
    await put(bare, "web", REPLICAS, options=("RespectIgnoreDifferences=true",))
    await bare.deliver(web=(deployment("d", replicas=3),))
    assert bare.request("GET", _path(bare))["spec"]["replicas"] == 3


async def test_without_the_option_a_sync_costs_no_read(bare: World) -> None:
    await put(bare, "web", REPLICAS)
    await bare.deliver(web=(deployment("d"),))
    bare.commit(web=(deployment("d", seconds=60),))
    await bare.poll()
    spent = await bare.pass_()
    assert (spent["get", "apps/Deployment"], spent["apply", "apps/Deployment"]) == (0, 1)


@pytest.fixture
def a_cluster(bare_clusters: list[TestCluster]) -> TestCluster:
    return bare_clusters[0]


NAMES = st.sampled_from(["a", "b", "c", "d"])
VALUES = st.sampled_from(["1", "2", "3"])
DATA = st.dictionaries(NAMES, VALUES, max_size=4)


@given(before=DATA, other=DATA, after=DATA, ignored=st.sets(NAMES))
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_an_apply_changes_what_counts_and_nothing_else(
    a_cluster: TestCluster,
    before: Mapping[str, str],
    other: Mapping[str, str],
    after: Mapping[str, str],
    ignored: set[str],
) -> None:
    """Against the server's own merge: for environment variables of a container, which are
    merged by name, and labels."""
    path = f"/apis/apps/v1/namespaces/default/deployments/p-{secrets.token_hex(6)}"
    _apply(a_cluster, path, FIELD_MANAGER, before)
    _apply(a_cluster, path, "other", other)
    live = a_cluster.request("GET", path)
    desired = _deployment(path, after)
    sent = respecting(
        desired,
        live,
        desired_rules=[_rule(desired, ignored)],
        live_rules=[_rule(live, ignored)],
        owned=_owned(live),
    )
    query = f"{path}?fieldManager={FIELD_MANAGER}&force=true"
    found = a_cluster.request("PATCH", query, sent)
    for then, now in zip(_found(live), _found(found), strict=True):
        for name in ignored:
            assert now.get(name) == then.get(name), name
        for name in set("abcd") - ignored:
            # what Git no longer says goes, unless another holds it
            assert now.get(name) == after.get(name, other.get(name)), name
    a_cluster.request("DELETE", path)


@given(before=DATA, other=DATA, after=DATA)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_without_webhooks_a_prediction_is_what_fleet_changes(
    a_cluster: TestCluster,
    before: Mapping[str, str],
    other: Mapping[str, str],
    after: Mapping[str, str],
) -> None:
    """What is left of a dry run is all of it, where nobody else has a hand in it."""
    path = f"/apis/apps/v1/namespaces/default/deployments/p-{secrets.token_hex(6)}"
    _apply(a_cluster, path, FIELD_MANAGER, before)
    _apply(a_cluster, path, "other", other)
    live = a_cluster.request("GET", path)
    query = f"{path}?fieldManager={FIELD_MANAGER}&force=true&dryRun=All"
    predicted = a_cluster.request("PATCH", query, _deployment(path, after))
    assert normalize(without_mutations(live, predicted)) == normalize(predicted)
    a_cluster.request("DELETE", path)


def _deployment(path: str, data: Mapping[str, str]) -> Object:
    found = deployment(path.rpartition("/")[2])
    container = found["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": name, "value": value} for name, value in data.items()]
    found["metadata"]["labels"] = dict(data)
    return found


def _apply(cluster: TestCluster, path: str, manager: str, data: Mapping[str, str]) -> None:
    cluster.request("PATCH", f"{path}?fieldManager={manager}&force=true", _deployment(path, data))


def _found(obj: Object) -> tuple[dict[str, str], dict[str, str]]:
    container = obj["spec"]["template"]["spec"]["containers"][0]
    env = {item["name"]: item.get("value", "") for item in container.get("env", [])}
    return env, obj["metadata"].get("labels", {})


def _rule(obj: Object, ignored: set[str]) -> IgnoreDifference:
    """As jq would name it: the items by their places in this very object."""
    env = obj["spec"]["template"]["spec"]["containers"][0].get("env", [])
    places = [index for index, item in enumerate(env) if item["name"] in ignored]
    pointers = [f"/spec/template/spec/containers/0/env/{index}" for index in places]
    pointers += [f"/metadata/labels/{name}" for name in ignored]
    return IgnoreDifference("*", "*", json_pointers=tuple(pointers))


def _owned(live: Object) -> dict[str, Any]:
    entries = live["metadata"]["managedFields"]
    fields: dict[str, Any] = next(e["fieldsV1"] for e in entries if e["manager"] == FIELD_MANAGER)
    return fields
