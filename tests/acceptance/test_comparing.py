"""A team with ignore rules, exclusions and orphans: the real commands, one after another."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.acceptance.conftest import connection
from tests.acceptance.fleet_process import Machine, machine
from tests.acceptance.kubelet import eventually
from tests.acceptance.team import Team
from tests.cluster.kube import TestCluster
from tests.integration.operations.harness import Object, as_file, config_map, deployment
from tests.servers.git_http import GitHttpServer

#: As it stands in the ``data`` of a ConfigMap argocd-cm.
ARGOCD_CM = {
    "resource.customizations.ignoreDifferences.all": "managedFieldsManagers:\n- scaler\n",
    "resource.exclusions": "- apiGroups: ['']\n  kinds: [ResourceQuota]\n  clusters: ['*']\n",
}
QUOTA: Object = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "q"},
    "spec": {"hard": {"pods": "10"}},
}
IMAGE = '.spec.template.spec.containers[] | select(.name == "web") | .image'
KEPT = {"argocd.argoproj.io/compare-options": "IgnoreExtraneous"}


@pytest.fixture
def running() -> Iterator[Machine]:
    settings = {
        "RESOURCE_SETTINGS": json.dumps(ARGOCD_CM),
        "RECONCILE_INTERVAL_SECONDS": "2",
        "RECONCILE_JITTER_SECONDS": "0",
    }
    with machine(**settings) as made, made.up():
        yield made


class _Story:
    """One application of the team, and its Deployment as it lives."""

    def __init__(self, running: Machine, cluster: TestCluster, namespace: str, url: str) -> None:
        self.fleet, self.cluster = running, cluster
        self.namespace, self.url = namespace, url
        self.path = f"/apis/apps/v1/namespaces/{namespace}/deployments/d"

    def apply(self, name: str, expression: str) -> None:
        document = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": name},
            "spec": {
                "project": "shop",
                "source": {"repoURL": self.url, "path": name, "targetRevision": "main"},
                "destination": {"name": "eu-1", "namespace": self.namespace},
                "syncPolicy": {
                    "automated": {"prune": True, "selfHeal": True},
                    "syncOptions": ["CreateNamespace=true", "RespectIgnoreDifferences=true"],
                },
                "ignoreDifferences": [
                    {"group": "apps", "kind": "Deployment", "jqPathExpressions": [expression]}
                ],
            },
        }
        self.fleet.ok("apply", "-f", "-", stdin=yaml.safe_dump(document))
        self.fleet.ok("app", "refresh", name)

    def settings(self, exclusions: str) -> None:
        document = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "argocd-cm", "namespace": "argocd"},
            "data": {"resource.exclusions": exclusions},
        }
        answer = self.fleet.fleet("apply", "-f", "-", stdin=yaml.safe_dump(document))
        assert (answer.code == 0) is exclusions.endswith("]"), answer.err
        assert ("data.resource.exclusions: is no YAML" in answer.err) is bool(answer.code)

    def edit(self, manager: str, **spec: Any) -> None:
        body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}}
        path = f"{self.path}?fieldManager={manager}&force=true"
        self.cluster.request("PATCH", path, {**body, "spec": spec})

    def spec(self) -> dict[str, Any]:
        found: dict[str, Any] = self.cluster.request("GET", self.path)["spec"]
        return found

    def status(self, name: str = "web") -> dict[str, Any]:
        found: dict[str, Any] = self.fleet.ok("app", "get", name, "-o", "json").json()["status"]
        return found

    def becomes(self, sync: str, *conditions: str, name: str = "web") -> None:
        def holds() -> bool:
            status = self.status(name)
            told = {it["type"] for it in status.get("conditions") or ()}
            return bool(status["sync"]["status"] == sync) and told == set(conditions)

        eventually(holds, lambda: f"{sync} {conditions}: {self.status(name)}")


def test_what_may_differ_and_what_belongs_to_nobody(
    running: Machine, full_cluster: TestCluster, namespace: str, git_http: GitHttpServer
) -> None:
    repository = git_http.repository("shop")
    files = {"other/c.yaml": as_file((config_map("c"),))}
    objects = (deployment("d"), QUOTA, config_map("extra", KEPT))
    repository.commit({**files, "web/all.yaml": as_file(objects)})
    story = _Story(running, full_cluster, namespace, repository.url)
    running.ok("cluster", "add", "eu-1", *connection(full_cluster), "-y")
    project = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": "shop"},
        "spec": {
            "sourceRepos": ["*"],
            "destinations": [{"server": "*", "namespace": "*"}],
            "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
            "orphanedResources": {"warn": True, "ignore": [{"group": "*", "name": "given-*"}]},
        },
    }
    running.ok("apply", "-f", "-", stdin=yaml.safe_dump(project))
    for name in ("web", "other"):
        story.apply(name, IMAGE)
    story.becomes("Synced", "ExcludedResourceWarning")
    story.becomes("Synced", name="other")

    # an image updater and an autoscaler write what they are for; a hand does not
    web = {"spec": {"containers": [{"name": "web", "image": "registry.test/web:2"}]}}
    story.edit("image-updater", template=web)
    story.edit("scaler", replicas=3)
    story.edit("hand", progressDeadlineSeconds=60)
    eventually(lambda: story.spec()["progressDeadlineSeconds"] == 600, lambda: str(story.spec()))
    story.becomes("Synced", "ExcludedResourceWarning")
    assert running.ok("app", "diff", "web").out == ""

    # a commit changes all three; what is ignored stays, as the application asks
    objects = (deployment("d", replicas=2, seconds=300), QUOTA)
    repository.commit({**files, "web/all.yaml": as_file(objects)})
    running.ok("app", "refresh", "web")
    eventually(lambda: story.spec()["progressDeadlineSeconds"] == 300, lambda: str(story.spec()))
    assert story.spec()["replicas"] == 3
    assert story.spec()["template"]["spec"]["containers"][0]["image"] == "registry.test/web:2"
    story.becomes("Synced", "ExcludedResourceWarning")

    # wrong jq stops its application and no other, and deletes nothing
    repository.commit({**files, "web/all.yaml": as_file((QUOTA, config_map("new")))})
    story.apply("web", ".spec |")
    story.becomes("Unknown", "ComparisonError", "ExcludedResourceWarning")
    assert "syntax error" in running.ok("app", "get", "web").out
    story.becomes("Synced", name="other")
    assert story.spec()["replicas"] == 3
    repository.commit({**files, "web/all.yaml": as_file(objects)})
    story.apply("web", IMAGE)
    story.becomes("Synced", "ExcludedResourceWarning")

    # what somebody left in the namespace is told to whoever works in it
    for name in ("left", "given-1"):
        path = f"/api/v1/namespaces/{namespace}/configmaps"
        full_cluster.request("POST", path, config_map(name))
    story.becomes("Synced", "ExcludedResourceWarning", "OrphanedResourceWarning")
    listed = running.ok("app", "resources", "web", "--orphaned").out.splitlines()
    assert listed[0].split() == ["GROUP", "KIND", "NAMESPACE", "NAME"]
    assert [line.split() for line in listed[1:]] == [["-", "ConfigMap", namespace, "left"]]
    full_cluster.request("DELETE", f"/api/v1/namespaces/{namespace}/configmaps/left")
    story.becomes("Synced", "ExcludedResourceWarning")

    # what an applied argocd-cm says counts above the setting, with no start in between
    story.settings("- {kinds: [ResourceQuota")
    story.becomes("Synced", "ExcludedResourceWarning")
    story.settings("[]")
    story.becomes("Synced")
    path = f"/api/v1/namespaces/{namespace}/resourcequotas/q"
    assert full_cluster.request("GET", path)["spec"]["hard"] == {"pods": "10"}


def test_settings_that_cannot_be_read_are_refused_at_the_start() -> None:
    with machine(RESOURCE_SETTINGS='{"resource.exclusion": ""}') as made:
        refused = made.fleet("app", "list")
        assert refused.code == 2
        assert "resource_settings: resource.exclusion: is no setting about resources" in refused.err


FIELDS = """
- {field: spec.size, type: core/Quantity}
- {field: spec.every, type: meta/v1/Duration}
- {field: spec.ports, type: core/v1/ServicePort}
"""


def things(group: str) -> Object:
    """A kind without a status subresource: its status is a field like any other."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": "Thing", "plural": "things"},
            "scope": "Namespaced",
            "versions": [{**version, "schema": {"openAPIV3Schema": schema}}],
        },
    }


def thing(group: str, size: str, every: str, colour: str) -> Object:
    return {
        "apiVersion": f"{group}/v1",
        "kind": "Thing",
        "metadata": {"name": "t"},
        "spec": {"size": size, "every": every},
        "status": {"colour": colour},
    }


def test_what_only_looks_different_and_what_two_claim(
    running: Machine, full_cluster: TestCluster, namespace: str, git_http: GitHttpServer
) -> None:
    team = Team(running, full_cluster, namespace, git_http.repository("shop"))
    group = f"t{secrets.token_hex(4)}.example.test"
    role: Object = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": group},
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"part-of": group}}]},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    }
    part = {**role, "metadata": {"name": f"{group}-part", "labels": {"part-of": group}}}
    part.pop("aggregationRule")
    part["rules"] = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}]
    job: Object = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "job"}}
    included = f"- apiGroups: ['', apps, rbac.*, apiext*, {group}]\n  kinds: ['*']\n"
    data = {
        f"resource.customizations.knownTypeFields.{group}_Thing": FIELDS,
        "resource.customizations.ignoreResourceUpdates.all": "jsonPointers: [/status]\n",
        "resource.compareoptions": "ignoreResourceStatusField: crd\nignoreAggregatedRoles: true\n",
        "resource.inclusions": included,
    }
    document = {"apiVersion": "v1", "kind": "ConfigMap", "data": data}
    metadata = {"name": "argocd-cm", "namespace": "argocd"}
    running.ok("apply", "-f", "-", stdin=yaml.safe_dump({**document, "metadata": metadata}))

    scaled, fixed = deployment("scaled-1"), deployment("fixed")
    wanted = (things(group), thing(group, "1000m", "60s", "blue"), role, part, scaled, fixed,
              config_map("twice", x="1"), config_map("twice", x="2"), job)  # fmt: skip
    team.commit("web", *wanted)
    team.register()
    team.create("web", "--sync-policy", "automated", "--self-heal", "--annotation",
                "argocd.argoproj.io/compare-options=ServerSideDiff=true")  # fmt: skip
    rule = {"group": "a*", "kind": "Deploy*", "name": "scaled-*", "namespace": "t-*"}
    rules = [{**rule, "jsonPointers": ["/spec/replicas"]}]
    patch = json.dumps({"spec": {"ignoreDifferences": rules}})
    team.ok("app", "patch", "web", "--type", "merge", "--patch", patch)
    team.settles("web")

    # another spelling, an aggregated role and an ignored field are no difference
    path = f"{team.base('things', f'{group}/v1')}/t?fieldManager=controller&force=true"
    full_cluster.request("PATCH", path, thing(group, "1", "1m", "blue"))
    for name in ("scaled-1", "fixed"):
        body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}}
        path = f"{team.base('deployments', 'apps/v1')}/{name}?fieldManager=hand&force=true"
        full_cluster.request("PATCH", path, {**body, "spec": {"replicas": 2}})

    def replicas(name: str) -> int:
        return int(team.live("deployments", name, group="apps/v1")["spec"]["replicas"])

    eventually(lambda: replicas("fixed") == 1, lambda: team.ok("app", "get", "web").out)
    team.settles("web")
    assert replicas("scaled-1") == 2
    found = team.live("things", "t", group=f"{group}/v1")
    assert found["spec"] == {"size": "1", "every": "1m"}
    live = full_cluster.request("GET", f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{group}")
    assert [rule["resources"] for rule in live["rules"]] == [["secrets"]]
    # another status is one: the settings say that it counts
    path = f"{team.base('things', f'{group}/v1')}/t?fieldManager=controller&force=true"
    full_cluster.request("PATCH", path, thing(group, "1", "1m", "red"))
    eventually(
        lambda: team.live("things", "t", group=f"{group}/v1")["status"] == {"colour": "blue"},
        lambda: team.ok("app", "get", "web").out,
    )

    # what is there twice, or of a kind that is not included, is told
    told = team.conditions("web")
    assert "ConfigMap" in told["RepeatedResourceWarning"]
    assert f"Job/{namespace}/job" in told["ExcludedResourceWarning"]
    assert team.data("twice") == {"x": "2"}
    # and so is what belongs to somebody else: to whom, until he lets it go
    team.commit("other", config_map("twice", x="3"))
    team.create("other", "--sync-policy", "automated", "--self-heal")
    team.warns("other", "SharedResourceWarning", "web")
    assert team.data("twice") == {"x": "2"}
    team.ok("app", "delete", "web", "-y", "--wait", "--timeout", "180")
    eventually(lambda: team.data("twice") == {"x": "3"}, lambda: team.ok("app", "get", "other").out)
