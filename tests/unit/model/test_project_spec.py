"""AppProjects: what is interpreted, what is only checked, and what is said about it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from fleet.errors import SpecInvalid
from fleet.model.access import ProjectRole
from fleet.model.cron import parse_cron
from fleet.model.orphans import OrphanRules
from fleet.model.parsing import parse_project
from fleet.model.projects import (
    KindRule,
    ProjectDestination,
    ProjectSpec,
    ServiceAccountRule,
)
from fleet.model.windows import SyncWindow, WindowKind


def project(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": "shop"},
        "spec": spec,
    }


def test_reads_what_is_interpreted_and_keeps_the_rest() -> None:
    line = "p, proj:shop:ci, applications, get, shop/*, allow"
    document = project(
        description="The shop",
        sourceRepos=["https://git.example/*", "!https://git.example/secret"],
        destinations=[{"server": "*", "namespace": "shop"}, {"name": "eu-*", "namespace": "shop"}],
        clusterResourceWhitelist=[{"group": "", "kind": "Namespace", "name": "shop-*"}],
        clusterResourceBlacklist=[{"group": "*", "kind": "ClusterRole"}],
        namespaceResourceWhitelist=[{"group": "*", "kind": "*"}],
        namespaceResourceBlacklist=[{"group": "apps", "kind": "DaemonSet"}],
        orphanedResources={"warn": None},
        sourceNamespaces=["team-*"],
        permitOnlyProjectScopedClusters=True,
        roles=[{"name": "ci", "description": "Pipelines", "policies": [line], "groups": ["devs"]}],
        destinationServiceAccounts=[
            {"server": "*", "namespace": "shop-*", "defaultServiceAccount": "robots:deployer"}
        ],
    )
    parsed = parse_project(document)
    assert parsed.spec == ProjectSpec(
        description="The shop",
        source_repos=("https://git.example/*", "!https://git.example/secret"),
        destinations=(
            ProjectDestination(server="*", namespace="shop"),
            ProjectDestination(name="eu-*", namespace="shop"),
        ),
        cluster_allow=(KindRule("", "Namespace", "shop-*"),),
        cluster_deny=(KindRule("*", "ClusterRole"),),
        namespace_allow=(KindRule("*", "*"),),
        namespace_deny=(KindRule("apps", "DaemonSet"),),
        roles=(ProjectRole("shop", "ci", (line,), ("devs",), "Pipelines"),),
        service_accounts=(ServiceAccountRule("*", "shop-*", "robots:deployer"),),
        source_namespaces=("team-*",),
        only_own_clusters=True,
        orphans=OrphanRules(),
    )
    assert json.dumps(parsed.document) == json.dumps(document)
    assert parsed.warnings == ()


def test_what_is_not_enforced_says_so() -> None:
    parsed = parse_project(
        project(
            roles=[{"name": "ci", "jwtTokens": [{"iat": 1}]}],
        )
    )
    assert [warning.split(":")[0] for warning in parsed.warnings] == [
        "spec.roles[0].jwtTokens",
    ]


def window(**changes: Any) -> dict[str, Any]:
    usual = {"kind": "allow", "schedule": "* * * * *", "duration": "1h"}
    return project(syncWindows=[usual | changes])


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (project(description="x" * 256), "spec.description"),
        (project(sourceRepos=["!*"]), "spec.sourceRepos[0]"),
        (project(sourceRepos="*"), "spec.sourceRepos"),
        (project(destinations=[{"namespace": "*"}]), "spec.destinations[0].server"),
        (
            project(destinations=[{"server": "*", "namespace": "!*"}]),
            "spec.destinations[0].namespace",
        ),
        (project(namespaceResourceWhitelist=[]), "spec.namespaceResourceWhitelist"),
        (
            project(clusterResourceWhitelist=[{"kind": "X"}]),
            "spec.clusterResourceWhitelist[0].group",
        ),
        (
            project(clusterResourceWhitelist=[{"group": ""}]),
            "spec.clusterResourceWhitelist[0].kind",
        ),
        (project(roles=[{"name": "a"}, {"name": "a"}]), "spec.roles"),
        (
            project(destinationServiceAccounts=[{"server": "*", "defaultServiceAccount": "*"}]),
            "spec.destinationServiceAccounts[0].defaultServiceAccount",
        ),
        (
            project(
                destinationServiceAccounts=[{"server": "!x", "defaultServiceAccount": "robot"}]
            ),
            "spec.destinationServiceAccounts[0].server",
        ),
        (window(kind="maybe"), "spec.syncWindows[0].kind"),
        (window(schedule="* * * *"), "spec.syncWindows[0].schedule"),
        (window(schedule="61 * * * *"), "spec.syncWindows[0].schedule"),
        (window(schedule="0 0 31 2 *"), "spec.syncWindows[0].schedule"),
        (window(duration="1 hour"), "spec.syncWindows[0].duration"),
        (window(duration="0s"), "spec.syncWindows[0].duration"),
        (window(duration="-1h"), "spec.syncWindows[0].duration"),
        (window(timeZone="Mars/../x"), "spec.syncWindows[0].timeZone"),
        (window(timeZone="Europe/Atlantis"), "spec.syncWindows[0].timeZone"),
        (window(timeZone="Europe"), "spec.syncWindows[0].timeZone"),
        (window(timeZone="/etc/passwd"), "spec.syncWindows[0].timeZone"),
        (window(timeZone="a" * 300), "spec.syncWindows[0].timeZone"),
        (window(timeZone="a\nb"), "spec.syncWindows[0].timeZone"),
        (window(manualSync="yes"), "spec.syncWindows[0].manualSync"),
        (project(roles=[{"name": "a b"}]), "spec.roles[0].name"),
    ],
)
def test_a_mistake_is_named(document: dict[str, Any], field: str) -> None:
    with pytest.raises(SpecInvalid) as caught:
        parse_project(document, file="p.yaml", line=1)
    assert caught.value.place.field == field
    assert str(caught.value).startswith(f"p.yaml:1: {field}: ")


def test_a_project_without_a_spec_allows_nothing() -> None:
    document = project()
    del document["spec"]
    assert parse_project(document).spec == ProjectSpec()


def test_a_name_on_a_namespaced_rule_is_not_understood_and_said_so() -> None:
    rule = {"group": "", "kind": "Secret", "name": "x"}
    parsed = parse_project(project(namespaceResourceBlacklist=[rule]))
    assert parsed.spec.namespace_deny == (KindRule("", "Secret"),)
    assert parsed.warnings[0].startswith("spec.namespaceResourceBlacklist[0].name: unknown")


def test_reads_sync_windows() -> None:
    written = {
        "kind": "deny",
        "schedule": "0 22 * * 1-5",
        "duration": "1h30m",
        "applications": ["web-*"],
        "namespaces": ["shop"],
        "clusters": ["eu-*", "https://10.0.0.1:6443"],
        "manualSync": True,
        "syncOverrun": True,
        "andOperator": True,
        "timeZone": "Europe/Berlin",
        "description": "Ticket 123",
    }
    parsed = parse_project(project(syncWindows=[window()["spec"]["syncWindows"][0], written]))
    plain, full = parsed.spec.windows
    assert (plain.id, plain.kind, plain.length, plain.time_zone) == (
        0,
        WindowKind.ALLOW,
        timedelta(hours=1),
        "UTC",
    )
    assert full == SyncWindow(
        id=1,
        kind=WindowKind.DENY,
        schedule="0 22 * * 1-5",
        duration="1h30m",
        cron=parse_cron("0 22 * * 1-5"),
        length=timedelta(minutes=90),
        time_zone="Europe/Berlin",
        applications=("web-*",),
        namespaces=("shop",),
        clusters=("eu-*", "https://10.0.0.1:6443"),
        and_operator=True,
        manual_sync=True,
        sync_overrun=True,
        description="Ticket 123",
    )
    assert parsed.warnings == (
        "spec.syncWindows[0]: names no applications, namespaces or clusters, so it concerns none",
    )


def test_a_stored_window_that_cannot_be_read_is_a_fault_and_no_error() -> None:
    parsed = parse_project(window(timeZone="Europe/Atlantis"), stored=True)
    assert parsed.spec.windows == ()
    assert "spec.syncWindows[0].timeZone" in parsed.spec.windows_fault
