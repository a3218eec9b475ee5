"""Sync options as a person meets them: a manifest that cannot be changed in place, an object that
is not to go unasked, and a team that brings what kubectl applied."""

from __future__ import annotations

import json
import secrets
from typing import Any

from tests.acceptance.conftest import apply_shop
from tests.acceptance.fleet_process import Machine
from tests.acceptance.kubelet import eventually
from tests.acceptance.team import Team
from tests.cluster.kube import TestCluster
from tests.integration.operations.harness import (
    Object,
    as_file,
    config_map,
    deployment,
    in_wave,
)
from tests.servers.git_http import GitHttpServer

WAIT = "180"
OPTIONS = "argocd.argoproj.io/sync-options"


def results(fleet: Machine) -> dict[str, str]:
    """What the last operation says of each object."""
    shown: dict[str, Any] = fleet.ok("app", "get", "shop", "-o", "json").json()
    found = shown["status"]["operationState"]["syncResult"]["resources"]
    return {it["name"]: it.get("message", "") for it in found}


def test_a_release_that_has_to_replace_and_to_ask(
    running: Machine, full_cluster: TestCluster, git_http: GitHttpServer
) -> None:
    ok, repository = running.ok, git_http.repository("shop")
    namespace = f"options-{secrets.token_hex(4)}"
    base = f"/api/v1/namespaces/{namespace}/configmaps"

    def release(*objects: Object) -> None:
        repository.commit({"shop/objects.yaml": as_file(objects)})
        ok("app", "refresh", "shop")

    def fixed(version: str) -> Object:
        return {**config_map("release", version=version), "immutable": True}

    full_cluster.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    before = f"{base}?fieldManager=kubectl-client-side-apply"
    full_cluster.request("POST", before, config_map("settings", colour="blue", old="value"))
    precious = config_map("precious", {OPTIONS: "Prune=confirm,Delete=confirm"})
    repository.commit(
        {"shop/objects.yaml": as_file((fixed("1"), config_map("settings"), precious))}
    )
    apply_shop(running, full_cluster, repository.url, namespace, "Vendor=1")
    ok("app", "refresh", "shop")  # what is said of options is said once it was compared
    assert "Vendor=1" in ok("app", "get", "shop").out

    # what kubectl applied before is taken over, and what Git does not hold of it goes
    ok("app", "sync", "shop", "--timeout", WAIT)
    assert "kubectl-client-side-apply" in results(running)["settings"]
    assert full_cluster.request("GET", f"{base}/settings")["data"] == {"colour": "blue"}

    # a content that cannot change: refused, shown, and then forced
    release(fixed("2"), config_map("settings"), precious)
    failed = running.fleet("app", "sync", "shop", "--timeout", WAIT)
    assert (failed.code, "immutable" in failed.err) == (3, True), failed
    ok("app", "sync", "shop", "--force", "--dry-run", "--timeout", WAIT)
    assert results(running)["release"] == "dry run: would be made anew"
    assert full_cluster.request("GET", f"{base}/release")["data"] == {"version": "1"}
    ok("app", "sync", "shop", "--force", "--timeout", WAIT)
    assert results(running)["release"] == "made anew"
    assert full_cluster.request("GET", f"{base}/release")["data"] == {"version": "2"}

    # what somebody added is replaced when that is asked for
    patch = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"added": "by hand"}}
    full_cluster.request("PATCH", f"{base}/settings?fieldManager=hand", patch)
    ok("app", "sync", "shop", "--replace", "--timeout", WAIT)
    assert results(running)["settings"] == "replaced"
    assert full_cluster.request("GET", f"{base}/settings")["data"] == {"colour": "blue"}

    # an object that left Git stays until somebody agrees
    release(fixed("2"), config_map("settings"))
    ok("app", "sync", "shop", "--prune", "--timeout", WAIT)
    assert "waits for a confirmation" in results(running)["precious"]
    ok("app", "confirm-deletion", "shop", "--timeout", WAIT)
    assert results(running) == {"precious": "pruned"}
    refused = running.fleet("app", "confirm-deletion", "shop")
    assert (refused.code, "nothing waits" in refused.err) == (3, True), refused

    # and so does an application that is to be deleted
    release(fixed("2"), precious)
    ok("app", "sync", "shop", "--timeout", WAIT)
    ok("app", "delete", "shop", "-y")
    assert full_cluster.request("GET", f"{base}/precious")["data"]
    told = ok("app", "confirm-deletion", "shop").out
    assert "deletion confirmed" in told
    ok("app", "wait", "shop", "--delete", "--timeout", WAIT)
    assert "precious" not in [
        item["metadata"]["name"] for item in full_cluster.request("GET", base)["items"]
    ]
    full_cluster.request("DELETE", f"/api/v1/namespaces/{namespace}")


def with_options(made: Object, text: str, key: str = OPTIONS) -> Object:
    metadata = made["metadata"]
    marks = {**metadata.get("annotations", {}), key: text}
    return {**made, "metadata": {**metadata, "annotations": marks}}


def managers(live: Object) -> set[tuple[str, str]]:
    """Who wrote an object, and how."""
    return {(it["manager"], it["operation"]) for it in live["metadata"]["managedFields"]}


def test_each_object_says_how_it_is_to_be_written(
    running: Machine, full_cluster: TestCluster, namespace: str, git_http: GitHttpServer
) -> None:
    team = Team(running, full_cluster, namespace, git_http.repository("shop"))
    kind = f"w{secrets.token_hex(4)}.example.test"
    widget = {"apiVersion": f"{kind}/v1", "kind": "Widget", "metadata": {"name": "late"}}
    odd = deployment("odd")
    odd["spec"]["replica"] = 3
    twice = deployment("twice")
    env = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    twice["spec"]["template"]["spec"]["containers"][0]["env"] = env
    team.make("configmaps", config_map("whole", theirs="1"))
    objects = (
        with_options(odd, "Validate=false,ServerSideApply=true"),
        twice,
        with_options(config_map("whole", ours="1"), "Replace=true"),
        with_options(config_map("page"), "ServerSideApply=true"),
        in_wave(with_options(widget, "SkipDryRunOnMissingResource=true"), 1),
    )
    team.commit("shop", *objects)
    team.register()
    policy = {
        "syncOptions": ["CreateNamespace=true", "ServerSideApply=false"],
        "managedNamespaceMetadata": {"labels": {"team": "shop"}},
    }
    team.create("shop")
    team.ok("app", "patch", "shop", "--type", "merge", "--patch",
            json.dumps({"spec": {"syncPolicy": policy}}))  # fmt: skip

    # a kind that somebody else brings holds up its own wave alone
    team.ok("app", "sync", "shop", "--async")
    team.says("shop", f"waiting for Widget/{namespace}/late")
    full_cluster.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
        "metadata": {"name": f"widgets.{kind}"},
        "spec": {
            "group": kind,
            "names": {"kind": "Widget", "plural": "widgets"},
            "scope": "Namespaced",
            "versions": [{"name": "v1", "served": True, "storage": True,
                          "schema": {"openAPIV3Schema": {"type": "object"}}}],
        },
    })  # fmt: skip
    team.settles("shop", "--operation", "--sync")
    assert team.state("shop")["phase"] == "Succeeded"
    assert team.live("widgets", "late", group=f"{kind}/v1")

    # each in its own way: what stands on an object beats what the application says
    told = team.told("shop")
    assert "without fields that" in told["odd"]
    assert ".spec.replica" in told["odd"]
    live = team.live("deployments", "twice", group="apps/v1")
    assert live["spec"]["template"]["spec"]["containers"][0]["env"] == env
    assert ("fleet", "Update") in managers(live)
    assert team.data("whole") == {"ours": "1"}
    assert ("fleet", "Apply") in managers(team.live("configmaps", "page"))
    space = full_cluster.request("GET", f"/api/v1/namespaces/{namespace}")
    assert space["metadata"]["labels"]["team"] == "shop"

    # what is as it should be is not written again; what belongs to it may outlive it
    team.ok("app", "sync", "shop", "--timeout", WAIT)
    assert team.results("shop") == []
    team.release("shop", *objects[2:])
    orphans = ("--sync-option", "PrunePropagationPolicy=orphan")
    team.ok("app", "sync", "shop", "--prune", *orphans, "--timeout", WAIT)
    eventually(
        lambda: team.names("deployments", group="apps/v1") == set(),
        lambda: str(team.names("deployments", group="apps/v1")),
    )
    assert len(team.names("replicasets", group="apps/v1")) == 2
    team.ok("app", "delete", "shop", "-y", "--wait", "--timeout", WAIT)
    full_cluster.request(
        "DELETE", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.{kind}"
    )


def test_what_others_made_and_what_is_to_stay(
    running: Machine, full_cluster: TestCluster, namespace: str, git_http: GitHttpServer
) -> None:
    team = Team(running, full_cluster, namespace, git_http.repository("shop"))
    ssa, take_over = "fleet.dev/ssa", "fleet.dev/take-over"
    for name in ("merged", "present", "ignored", "same", "other", "never", "mine"):
        team.make("configmaps", config_map(name, x="theirs"))
    rest = (
        with_options(config_map("merged", x="ours"), "Merge", ssa),
        with_options(config_map("present", x="ours"), "IfNotPresent", ssa),
        with_options(config_map("ignored", x="ours"), "Ignore", ssa),
        with_options(config_map("override", x="ours"), "Override", ssa),
        with_options(config_map("same", x="theirs"), "IfNoDiff", take_over),
        with_options(config_map("unpruned"), "Prune=false"),
        with_options(config_map("undeleted"), "Delete=false"),
    )
    refused = (
        with_options(config_map("other", x="ours"), "IfNoDiff", take_over),
        with_options(config_map("never", x="theirs"), "Never", take_over),
        config_map("mine", x="ours"),
    )
    team.commit("shop", *rest, *refused)
    team.register()
    team.create("shop")

    # what is not to be taken, or is somebody's, stays as it is, with the reason
    said = team.fails(3, "app", "sync", "shop", "--timeout", WAIT)
    told = team.told("shop")
    assert f"{take_over}=IfNoDiff" in told["other"]
    assert f"{take_over}=Never" in told["never"]
    assert '"hand"' in told["mine"]
    assert "sync Failed" in said
    assert [team.data(name) for name in ("other", "never", "mine")] == [{"x": "theirs"}] * 3
    found = {name: team.data(name) for name in ("merged", "present", "ignored", "override", "same")}
    assert {name: data["x"] for name, data in found.items()} == {
        "merged": "ours",
        "present": "theirs",
        "ignored": "theirs",
        "override": "ours",
        "same": "theirs",
    }
    team.ok("app", "sync", "shop", "--force-conflicts", "--resource", ":ConfigMap:mine",
            "--timeout", WAIT)  # fmt: skip
    assert team.data("mine") == {"x": "ours"}

    # what people add by kubectl goes where that is said
    team.edit("override", "kubectl-edit", added="by hand")
    team.edit("merged", "kubectl-edit", added="by hand")
    team.release("shop", *rest)
    team.ok("app", "sync", "shop", "--timeout", WAIT)
    assert team.data("override") == {"x": "ours"}
    assert team.data("merged") == {"x": "ours", "added": "by hand"}

    # an object of two applications stays with the first, who is named
    team.commit("second", config_map("same", x="second"), config_map("own"))
    team.create("second")
    team.ok("app", "sync", "second", "--timeout", WAIT)
    team.warns("second", "SharedResourceWarning", "shop")
    assert (team.data("same"), team.data("own")) == ({"x": "theirs"}, {"colour": "blue"})
    strict = ("--sync-option", "FailOnSharedResource=true", "--timeout", WAIT)
    said = team.fails(3, "app", "sync", "second", *strict)
    assert "belongs to application shop" in said

    # what is not to be pruned stays out of Git; what is not to be deleted outlives all
    team.release("shop", *rest[:5], rest[6])
    team.ok("app", "sync", "shop", "--prune", "--timeout", WAIT)
    assert "Prune=false" in team.told("shop")["unpruned"]
    assert team.document("shop")["status"]["sync"]["status"] == "OutOfSync"
    team.ok("app", "delete", "shop", "-y", "--wait", "--timeout", WAIT)
    left = team.names("configmaps")
    assert left >= {"present", "ignored", "undeleted"}
    assert not left & {"merged", "override"}
