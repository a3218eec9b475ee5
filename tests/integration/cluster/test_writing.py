"""Server-side apply, delete and namespaces against a real API server."""

from __future__ import annotations

import pytest

from fleet.cluster import (
    ClusterClient,
    apply,
    delete,
    drop_finalizer,
    ensure_namespace,
    get_metadata,
    get_object,
)
from fleet.errors import (
    AdmissionDenied,
    FieldConflict,
    Forbidden,
    ImmutableField,
    KindUnknown,
    ObjectRejected,
    SpecInvalid,
)
from fleet.model.clusters import ApiKind
from tests.cluster.kube import TestCluster
from tests.integration.cluster.conftest import (
    CLUSTER_ROLE,
    CONFIG_MAP,
    DEPLOYMENT,
    NAMESPACE,
    SECRET,
    Gate,
    config_map,
    deployment,
)


async def test_apply_creates_once_and_changes_nothing_the_second_time(
    client: ClusterClient, spot: str, gate: Gate
) -> None:
    first = await apply(client, CONFIG_MAP, config_map(spot), force=False, gate=gate)
    second = await apply(client, CONFIG_MAP, config_map(spot), force=False, gate=gate)

    assert (first.created, second.created) == (True, False)
    version = first.object["metadata"]["resourceVersion"]
    assert second.object["metadata"]["resourceVersion"] == version
    assert gate.seen == [("apply", f"ConfigMap/{spot}/settings")] * 2
    assert client.requests == {("apply", "ConfigMap"): 2}


async def test_a_dry_run_answers_and_stores_nothing(
    client: ClusterClient, spot: str, gate: Gate
) -> None:
    answer = await apply(client, CONFIG_MAP, config_map(spot), force=False, gate=gate, dry_run=True)

    assert answer.object["data"] == {"colour": "blue"}
    assert await get_object(client, CONFIG_MAP, spot, "settings") is None
    assert gate.seen == [("dry-run", f"ConfigMap/{spot}/settings")]


async def test_one_finalizer_is_taken_off_the_object_that_was_looked_at(
    client: ClusterClient, spot: str, gate: Gate
) -> None:
    held = config_map(spot)
    held["metadata"]["finalizers"] = ["example.test/ours", "example.test/other"]
    await apply(client, CONFIG_MAP, held, force=False, gate=gate)
    seen = await get_metadata(client, CONFIG_MAP, spot, "settings")
    assert seen is not None

    version = await drop_finalizer(client, CONFIG_MAP, seen, "example.test/ours", gate=gate)

    left = await get_metadata(client, CONFIG_MAP, spot, "settings")
    assert left is not None
    assert (left.finalizers, left.resource_version) == (("example.test/other",), version)
    with pytest.raises(ObjectRejected) as caught:
        await drop_finalizer(client, CONFIG_MAP, seen, "example.test/other", gate=gate)
    assert caught.value.reason == "Conflict"
    assert gate.seen[1:] == [("delete", f"ConfigMap/{spot}/settings")] * 2
    await drop_finalizer(client, CONFIG_MAP, left, "example.test/other", gate=gate)
    await delete(
        client, CONFIG_MAP, spot, "settings", uid=left.uid, gate=gate, propagation="background"
    )
    assert await drop_finalizer(client, CONFIG_MAP, left, "example.test/x", gate=gate) == ""


async def test_a_field_of_another_manager_is_a_conflict_that_force_takes(
    client: ClusterClient, spot: str, gate: Gate
) -> None:
    await apply(client, CONFIG_MAP, config_map(spot), force=False, gate=gate, field_manager="hpa")
    ours = config_map(spot, colour="green")

    with pytest.raises(FieldConflict) as caught:
        await apply(client, CONFIG_MAP, ours, force=False, gate=gate)
    taken = await apply(client, CONFIG_MAP, ours, force=True, gate=gate)

    assert caught.value.conflicts == (("hpa", ".data.colour"),)
    assert caught.value.object == f"ConfigMap/{spot}/settings"
    assert str(caught.value).startswith(
        f"ConfigMap/{spot}/settings: apply refused on eu-1 (Conflict): "
    )
    assert taken.object["data"] == {"colour": "green"}


async def test_the_gate_stops_a_write_before_it_is_sent(
    client: ClusterClient, spot: str, gate: Gate
) -> None:
    gate.refuse = Forbidden("the window is closed")

    with pytest.raises(Forbidden):
        await apply(client, CONFIG_MAP, config_map(spot), force=True, gate=gate)
    with pytest.raises(Forbidden):
        await delete(client, CONFIG_MAP, spot, "settings", uid="some", gate=gate)
    with pytest.raises(Forbidden):
        await ensure_namespace(client, f"{spot}-new", {}, {}, gate=gate)

    assert {verb for verb, _ in client.requests} == {"get"}


async def test_scope_is_the_clusters_word_not_the_manifests(
    client: ClusterClient, spot: str, gate: Gate
) -> None:
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": f"a:{spot}", "namespace": spot},
        "rules": [],
    }

    applied = await apply(client, CLUSTER_ROLE, role, force=False, gate=gate)

    assert "namespace" not in applied.object["metadata"]
    assert gate.seen == [("apply", f"ClusterRole/a:{spot}")]


@pytest.mark.parametrize(
    "spoil", [{"name": "", "generateName": "x-"}, {"namespace": ""}, {"name": 5}]
)
async def test_an_object_without_an_address_is_not_sent(
    client: ClusterClient, spot: str, gate: Gate, spoil: dict[str, str]
) -> None:
    manifest = config_map(spot)
    manifest["metadata"] |= spoil

    with pytest.raises(SpecInvalid):
        await apply(client, CONFIG_MAP, manifest, force=False, gate=gate)

    assert not client.requests
    assert not gate.seen


async def test_another_version_than_the_clusters_is_not_sent(
    client: ClusterClient, spot: str, gate: Gate
) -> None:
    manifest = deployment(spot) | {"apiVersion": "apps/v1beta1"}

    with pytest.raises(KindUnknown, match="apps/v1beta1"):
        await apply(client, DEPLOYMENT, manifest, force=False, gate=gate)


async def test_what_the_server_refuses_has_its_own_errors(
    client: ClusterClient, spot: str, gate: Gate
) -> None:
    await apply(client, DEPLOYMENT, deployment(spot), force=False, gate=gate)
    moved = deployment(spot)
    moved["spec"]["selector"]["matchLabels"] = {"app": "other"}
    moved["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    wrong = deployment(spot)
    wrong["spec"]["replicas"] = -1
    misspelt = deployment(spot)
    misspelt["spec"]["replicaz"] = 3
    widget = ApiKind("example.org", "v1", "Widget", "widgets", namespaced=True)
    homeless = config_map("no-such-namespace")

    with pytest.raises(ImmutableField) as immutable:
        await apply(client, DEPLOYMENT, moved, force=True, gate=gate)
    with pytest.raises(ObjectRejected, match=r"spec\.replicas") as invalid:
        await apply(client, DEPLOYMENT, wrong, force=True, gate=gate)
    with pytest.raises(ObjectRejected, match="replicaz"):
        await apply(client, DEPLOYMENT, misspelt, force=True, gate=gate)
    with pytest.raises(KindUnknown, match=r"example\.org/Widget"):
        await apply(
            client,
            widget,
            {
                "apiVersion": "example.org/v1",
                "kind": "Widget",
                "metadata": {"name": "w", "namespace": spot},
            },
            force=True,
            gate=gate,
        )
    with pytest.raises(ObjectRejected) as absent:
        await apply(client, CONFIG_MAP, homeless, force=True, gate=gate)

    assert immutable.value.reason == "Invalid"
    assert (invalid.value.reason, type(invalid.value)) == ("Invalid", ObjectRejected)
    assert absent.value.reason == "NotFound"
    assert "CreateNamespace=true" in absent.value.hint


async def test_an_admission_policy_is_named_as_such(
    client: ClusterClient, spot: str, gate: Gate, bare: TestCluster
) -> None:
    bare.request("PATCH", f"/api/v1/namespaces/{spot}?fieldManager=t", _restricted(spot))
    pods = ApiKind("", "v1", "Pod", "pods", namespaced=True)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "root", "namespace": spot},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }

    with pytest.raises(AdmissionDenied, match="PodSecurity"):
        await apply(client, pods, pod, force=False, gate=gate)


def _restricted(name: str) -> dict[str, object]:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": labels},
    }


async def test_messages_about_secrets_never_quote_the_server(
    client: ClusterClient, spot: str, gate: Gate
) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": spot},
        "type": "kubernetes.io/tls",
        "data": {"tls.crt": "aHVudGVyMg==", "no/valid key": "aHVudGVyMg=="},
    }
    wrong_type = secret | {"data": {"a": {"hunter2": 1}}}

    for manifest in (secret, wrong_type):
        with pytest.raises(ObjectRejected) as caught:
            await apply(client, SECRET, manifest, force=False, gate=gate)
        assert "hunter2" not in str(caught.value.as_dict())
        assert "aHVudGVyMg" not in str(caught.value.as_dict())
        assert caught.value.reason in str(caught.value)


async def test_delete_takes_the_very_object_that_was_looked_at(
    client: ClusterClient, spot: str, gate: Gate
) -> None:
    stored = (await apply(client, CONFIG_MAP, config_map(spot), force=False, gate=gate)).object
    uid, version = stored["metadata"]["uid"], stored["metadata"]["resourceVersion"]
    await apply(client, CONFIG_MAP, config_map(spot, a="b"), force=False, gate=gate)
    other = "00000000-0000-0000-0000-000000000000"

    with pytest.raises(ObjectRejected) as namesake:
        await delete(client, CONFIG_MAP, spot, "settings", uid=other, gate=gate)
    with pytest.raises(ObjectRejected) as changed:
        await delete(
            client,
            CONFIG_MAP,
            spot,
            "settings",
            uid=uid,
            resource_version=version,
            gate=gate,
            propagation="background",
        )
    assert await get_object(client, CONFIG_MAP, spot, "settings") is not None
    gone = [
        await delete(
            client, CONFIG_MAP, spot, "settings", uid=uid, gate=gate, propagation="background"
        )
        for _ in range(2)
    ]

    assert namesake.value.reason == changed.value.reason == "Conflict"
    assert gone == [True, False]


async def test_foreground_is_the_default_propagation(
    client: ClusterClient, spot: str, gate: Gate
) -> None:
    stored = (await apply(client, CONFIG_MAP, config_map(spot), force=False, gate=gate)).object

    await delete(client, CONFIG_MAP, spot, "settings", uid=stored["metadata"]["uid"], gate=gate)

    # A bare cluster has no garbage collector that would finish it.
    meta = await get_metadata(client, CONFIG_MAP, spot, "settings")
    assert meta is not None
    assert meta.deletion_timestamp
    assert meta.finalizers == ("foregroundDeletion",)


async def test_a_namespace_is_made_once_and_left_alone_after(
    client: ClusterClient, spot: str, gate: Gate
) -> None:
    name = f"{spot}-new"
    made = await ensure_namespace(client, name, {"team": "a"}, {"note": "x"}, gate=gate)
    again = await ensure_namespace(client, name, {"team": "a"}, {}, gate=gate)

    meta = await get_metadata(client, NAMESPACE, "", name)
    assert (made, again) == (True, False)
    assert meta is not None
    assert meta.labels["team"] == "a"
    assert meta.annotations["note"] == "x"
    assert gate.seen == [("apply", f"Namespace/{name}")]


async def test_a_namespace_keeps_its_guard_when_labels_leave_it_out(
    client: ClusterClient, spot: str, gate: Gate
) -> None:
    name, guard = f"{spot}-new", "pod-security.kubernetes.io/enforce"
    await ensure_namespace(client, name, {guard: "restricted", "team": "a"}, {}, gate=gate)

    await ensure_namespace(client, name, {"tier": "web"}, {}, gate=gate)
    kept = await get_metadata(client, NAMESPACE, "", name)
    await ensure_namespace(client, name, {guard: "baseline"}, {}, gate=gate)
    given = await get_metadata(client, NAMESPACE, "", name)

    assert kept is not None
    assert given is not None
    assert (kept.labels[guard], kept.labels["tier"]) == ("restricted", "web")
    assert "team" not in kept.labels
    assert given.labels[guard] == "baseline"


async def test_a_namespace_that_goes_away_is_refused(
    client: ClusterClient, spot: str, gate: Gate, bare: TestCluster
) -> None:
    bare.request("DELETE", f"/api/v1/namespaces/{spot}")

    with pytest.raises(ObjectRejected) as early:
        await ensure_namespace(client, spot, {}, {}, gate=gate)
    with pytest.raises(ObjectRejected) as late:
        await apply(client, CONFIG_MAP, config_map(spot), force=False, gate=gate)

    assert early.value.reason == late.value.reason == "NamespaceTerminating"
