"""The test clusters do what the other tests take for granted."""

from __future__ import annotations

import pytest

from tests.cluster.kube import ApiFailed, TestCluster, request
from tests.needs import kubectl


def deployment(name: str, **annotations: str) -> dict[str, object]:
    pod = {
        "metadata": {
            "labels": {"app": name},
            "annotations": {f"tests.fleet.dev/{key}": value for key, value in annotations.items()},
        },
        "spec": {"containers": [{"name": "web", "image": "web:1"}]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": pod},
    }


def apply(cluster: TestCluster, path: str, body: dict[str, object]) -> None:
    cluster.request("PATCH", f"{path}?fieldManager=test&force=true", body)


def test_deployment_becomes_available_and_its_logs_can_be_read(
    full_cluster: TestCluster, namespace: str
) -> None:
    apply(full_cluster, f"/apis/apps/v1/namespaces/{namespace}/deployments/web", deployment("web"))
    kubectl(
        full_cluster,
        "-n",
        namespace,
        "wait",
        "--for=condition=Available",
        "deploy/web",
        "--timeout=60s",
    )
    assert "hello" in kubectl(full_cluster, "-n", namespace, "logs", "deploy/web")


def test_job_completes(full_cluster: TestCluster, namespace: str) -> None:
    kubectl(full_cluster, "-n", namespace, "create", "job", "once", "--image=x")
    kubectl(
        full_cluster,
        "-n",
        namespace,
        "wait",
        "--for=condition=Complete",
        "job/once",
        "--timeout=60s",
    )


def test_annotated_pod_crashes(full_cluster: TestCluster, namespace: str) -> None:
    body = deployment("bad", pod="crash")
    apply(full_cluster, f"/apis/apps/v1/namespaces/{namespace}/deployments/bad", body)
    reason = "{.status.containerStatuses[0].state.waiting.reason}"
    pods = ("-n", namespace, "wait", "pod", "-l", "app=bad", "--timeout=60s")
    kubectl(full_cluster, *pods, "--for=create")
    kubectl(full_cluster, *pods, f"--for=jsonpath={reason}=CrashLoopBackOff")


def test_namespace_deletion_finishes(full_cluster: TestCluster) -> None:
    kubectl(full_cluster, "create", "namespace", "short-lived")
    kubectl(full_cluster, "delete", "namespace", "short-lived", "--timeout=60s")


def test_service_account_token_has_the_rights_it_was_given(
    full_cluster: TestCluster, namespace: str
) -> None:
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    full_cluster.request("POST", accounts, {"metadata": {"name": "robot"}})
    kubectl(
        full_cluster,
        "-n",
        namespace,
        "create",
        "rolebinding",
        "robot",
        "--clusterrole=view",
        f"--serviceaccount={namespace}:robot",
    )
    issued = full_cluster.request("POST", f"{accounts}/robot/token", {"spec": {}})
    token = issued["status"]["token"]

    def as_robot(path: str) -> None:
        request(full_cluster.server, full_cluster.ca_pem, token, "GET", path)

    as_robot(f"/api/v1/namespaces/{namespace}/configmaps")
    with pytest.raises(ApiFailed, match="403"):
        as_robot("/api/v1/nodes")


def test_client_certificate_is_an_admin(full_cluster: TestCluster) -> None:
    context = f"--context={full_cluster.name}-cert"
    assert "yes" in kubectl(full_cluster, context, "auth", "can-i", "*", "*")


def test_bare_clusters_are_three_different_clusters(bare_clusters: list[TestCluster]) -> None:
    uids = {
        cluster.request("GET", "/api/v1/namespaces/kube-system")["metadata"]["uid"]
        for cluster in bare_clusters
    }
    assert len(uids) == 3


def test_rebuilt_cluster_is_another_at_the_same_address(bare_clusters: list[TestCluster]) -> None:
    cluster = bare_clusters[0].extra_apiserver("rebuilt")
    try:
        path = "/api/v1/namespaces/default/configmaps/lost"
        body: dict[str, object] = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "lost"},
        }
        apply(cluster, path, body)
        before, beside = cluster.uid(), bare_clusters[0].uid()
        cluster.rebuild()
        assert cluster.uid() != before
        with pytest.raises(ApiFailed, match="404"):
            cluster.request("GET", path)
        assert bare_clusters[0].uid() == beside
    finally:
        cluster.remove()


def test_stopped_cluster_comes_back_with_its_objects(bare_clusters: list[TestCluster]) -> None:
    cluster = bare_clusters[0].extra_apiserver("stopped")
    try:
        path = "/api/v1/namespaces/default/configmaps/kept"
        apply(
            cluster,
            path,
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "kept"},
                "data": {"a": "b"},
            },
        )
        cluster.stop()
        with pytest.raises(OSError, match="refused"):
            cluster.request("GET", path)
        cluster.start()
        assert cluster.request("GET", path)["data"] == {"a": "b"}
    finally:
        cluster.remove()
