"""A team with operators: what their kinds' health is, and what can be done to them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.acceptance.conftest import connection
from tests.acceptance.kubelet import eventually
from tests.acceptance.shared import PATIENTLY, Shared
from tests.cluster.kube import ApiFailed, Object, TestCluster
from tests.integration.operations.harness import as_file
from tests.integration.operations.kinds import (
    CERTIFICATES,
    ROLLOUTS,
    WIDGETS,
    Kind,
    definition,
    thing,
)
from tests.servers.git_http import GitHttpServer

EXTERNAL_SECRETS = ("external-secrets.io", "v1", "ExternalSecret", "externalsecrets")
DATABASES = ("postgresql.cnpg.io", "v1", "Cluster", "clusters")
KINDS = (CERTIFICATES, ROLLOUTS, WIDGETS, EXTERNAL_SECRETS, DATABASES)
NAMESPACE = "operated"


@dataclass(frozen=True)
class Operators:
    """A cluster that serves their kinds; the operators are the test."""

    cluster: TestCluster

    def path(self, kind: Kind, name: str = "") -> str:
        group, version, _, plural = kind
        return f"/apis/{group}/{version}/namespaces/{NAMESPACE}/{plural}/{name}".rstrip("/")

    def live(self, kind: Kind, name: str) -> Object:
        return self.cluster.request("GET", self.path(kind, name))

    def says(self, kind: Kind, name: str, **status: Any) -> None:
        """What its operator makes of an object's status."""
        group, version, word, _ = kind
        body = {"apiVersion": f"{group}/{version}", "kind": word, "metadata": {"name": name}}
        path = f"{self.path(kind, name)}/status?fieldManager=operator&force=true"
        self.cluster.request("PATCH", path, {**body, "status": status})

    def serves(self, kind: Kind) -> bool:
        try:
            return bool(self.cluster.request("GET", self.path(kind)))
        except ApiFailed as failed:
            if failed.status not in (404, 429):  # not there yet; being made ready
                raise
            return False


@pytest.fixture
def operators(shared: Shared, bare_clusters: list[TestCluster]) -> Iterator[Operators]:
    """Registered as ``operators``."""
    cluster = bare_clusters[0].extra_apiserver(f"operators-{secrets.token_hex(4)}")
    made = Operators(cluster)
    for kind in KINDS:
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        cluster.request("POST", path, definition(kind))
    for kind in KINDS:
        eventually(lambda kind=kind: made.serves(kind), lambda: "the kinds are not served")
    shared.ok("cluster", "add", "operators", *connection(cluster), "-y")
    yield made
    shared.ok("app", "delete", "shop", "-y", "--cascade=false", "--wait", *PATIENTLY)
    shared.ok("cluster", "rm", "operators", "-y")
    cluster.remove()


def condition(type: str, status: str, message: str) -> dict[str, str]:
    return {"type": type, "status": status, "reason": "Because", "message": message}


def cron_job() -> Object:
    pod = {
        "restartPolicy": "Never",
        "containers": [{"name": "one", "image": "registry.test/one:1"}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "night"},
        "spec": {
            "schedule": "0 3 * * *",
            "jobTemplate": {"spec": {"template": {"spec": pod}}},
        },
    }


def argocd_cm(**data: str) -> Object:
    metadata = {"name": "argocd-cm", "namespace": "argocd"}
    keys = {f"resource.customizations.{key}": text for key, text in data.items()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": keys}


def test_health_and_actions_of_operators_kinds(
    shared: Shared, operators: Operators, git_http: GitHttpServer
) -> None:
    ok, repository = shared.ok, git_http.repository("shop")
    objects = (
        thing(CERTIFICATES, "tls"),
        thing(ROLLOUTS, "web", replicas=2),
        thing(WIDGETS, "gear", size=2),
        thing(EXTERNAL_SECRETS, "password"),
        thing(DATABASES, "db", instances=2),
        cron_job(),
    )
    repository.commit({"web/a.yaml": as_file(objects)})
    ok("app", "create", "shop", "--repo", repository.url, "--path", "web", "--revision", "main",
       "--dest-name", "operators", "--dest-namespace", NAMESPACE, "--sync-policy", "automated",
       "--sync-option", "CreateNamespace=true")  # fmt: skip
    ok("app", "wait", "shop", "--sync", *PATIENTLY)

    def health() -> dict[str, tuple[str, str]]:
        status = ok("app", "get", "shop", "-o", "json").json()["status"]
        told = [(it["kind"], it.get("health") or {}) for it in status["resources"]]
        return {kind: (it.get("status", ""), it.get("message", "")) for kind, it in told}

    def becomes(kind: str, *wanted: str) -> None:
        eventually(lambda: health()[kind] == wanted, lambda: str(health()))

    # what each operator documents of its kinds
    said = condition("Ready", "False", "no issuer")
    operators.says(CERTIFICATES, "tls", conditions=[said])
    paused: Object = {"phase": "Paused", "message": "CanaryPauseStep", "currentStepIndex": 1}
    pauses = [{"reason": "CanaryPauseStep"}]
    operators.says(ROLLOUTS, "web", **paused, observedGeneration="1", pauseConditions=pauses)
    fetched = condition("Ready", "True", "secret synced")
    operators.says(EXTERNAL_SECRETS, "password", conditions=[fetched])
    operators.says(DATABASES, "db", phase="Cluster in healthy state", readyInstances=2, instances=2,
                   conditions=[condition("Ready", "True", "all is well")])  # fmt: skip
    becomes("Certificate", "Degraded", "no issuer")
    becomes("Rollout", "Suspended", "CanaryPauseStep")
    eventually(lambda: health()["ExternalSecret"][0] == "Healthy", lambda: str(health()))
    eventually(lambda: health()["Cluster"][0] == "Healthy", lambda: str(health()))

    # a kind that nobody knows, by the conditions that all operators write
    operators.says(WIDGETS, "gear", observedGeneration=1,
                   conditions=[condition("Stalled", "True", "the gear is stuck")])  # fmt: skip
    becomes("Widget", "Degraded", "the gear is stuck")
    operators.says(WIDGETS, "gear", observedGeneration=0,
                   conditions=[condition("Ready", "True", "turns")])  # fmt: skip
    eventually(lambda: health()["Widget"][0] == "Progressing", lambda: str(health()))
    operators.says(WIDGETS, "gear", observedGeneration=1,
                   conditions=[condition("Ready", "True", "turns")], size=1)  # fmt: skip
    eventually(lambda: health()["Widget"][0] == "Healthy", lambda: str(health()))

    # an expression of the team's own stands above them
    expressions = """
        current: status.size >= spec.size
        failed: status.size < spec.size
        message: "'size ' + string(status.size)"
    """
    shared.apply(argocd_cm(**{"healthExprs.widgets.example_Widget": expressions}))
    becomes("Widget", "Degraded", "size 1")
    operators.says(WIDGETS, "gear", size=2)
    becomes("Widget", "Healthy", "size 2")
    shared.apply(argocd_cm())

    # and what may be done to them
    def run(action: str, kind: str, *more: str) -> None:
        ok("app", "actions", "run", "shop", action, "--kind", kind, *more)

    run("resume", "Rollout")
    assert "pauseConditions" not in operators.live(ROLLOUTS, "web")["status"]
    run("promote-full", "Rollout")
    assert operators.live(ROLLOUTS, "web")["status"]["promoteFull"] is True
    run("abort", "Rollout")
    run("retry", "Rollout")
    assert operators.live(ROLLOUTS, "web")["status"]["abort"] is False
    run("renew", "Certificate")
    issuing = operators.live(CERTIFICATES, "tls")["status"]["conditions"]
    assert ("Issuing", "True") in [(it["type"], it["status"]) for it in issuing]
    run("refresh", "ExternalSecret")
    assert "force-sync" in operators.live(EXTERNAL_SECRETS, "password")["metadata"]["annotations"]
    run("promote", "Cluster", "--param", "instance=db-2")
    assert operators.live(DATABASES, "db")["status"]["targetPrimary"] == "db-2"

    night = ("batch", "v1", "CronJob", "cronjobs")
    run("suspend", "CronJob")
    assert operators.live(night, "night")["spec"]["suspend"] is True
    run("resume", "CronJob")
    assert operators.live(night, "night")["spec"]["suspend"] is False
    run("create-job", "CronJob")
    jobs = operators.cluster.request("GET", f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs")
    (job,) = jobs["items"]
    assert job["metadata"]["ownerReferences"][0]["name"] == "night"
