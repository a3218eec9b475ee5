"""The page of a project: nothing that its document says is left out."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.cli.proj_page import Beside, page
from fleet.model.parsing import parse_project

SPEC: dict[str, Any] = {
    "description": "The shop",
    "sourceRepos": ["https://git.example/*"],
    "destinations": [{"name": "eu-*", "namespace": "shop"}],
    "clusterResourceWhitelist": [{"group": "", "kind": "Namespace", "name": "shop-*"}],
    "clusterResourceBlacklist": [{"group": "rbac.authorization.k8s.io", "kind": "ClusterRole"}],
    "namespaceResourceWhitelist": [{"group": "apps", "kind": "Deployment"}],
    "namespaceResourceBlacklist": [{"group": "batch", "kind": "Job"}],
    "permitOnlyProjectScopedClusters": True,
    "sourceIntegrity": {
        "git": {
            "policies": [
                {
                    "repos": [{"url": "https://git.example/a"}],
                    "gpg": {"mode": "head", "keys": ["4AEE18F83AFDEB23"]},
                }
            ]
        },
        "oci": {
            "policies": [
                {
                    "repos": [{"url": "oci://r.example/*"}],
                    "cosign": {"mode": "none"},
                }
            ]
        },
    },
    "roles": [
        {
            "name": "ci",
            "policies": ["p, proj:shop:ci, applications, sync, shop/*, allow"],
            "groups": ["devs"],
        },
        {"name": "idle"},
    ],
    "destinationServiceAccounts": [
        {"server": "*", "namespace": "shop", "defaultServiceAccount": "robot"}
    ],
    "sourceNamespaces": ["team-*"],
    "orphanedResources": {
        "warn": True,
        "ignore": [{"group": "", "kind": "Secret", "name": "token-*"}],
    },
    "syncWindows": [
        {
            "kind": "deny",
            "schedule": "0 22 * * *",
            "duration": "8h",
            "timeZone": "Europe/Berlin",
            "applications": ["web"],
            "clusters": ["eu-1", "eu-2"],
            "manualSync": True,
            "description": "Night",
        }
    ],
}
DOCUMENT = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "AppProject",
    "metadata": {"name": "shop"},
    "spec": SPEC,
}
SAID = {
    "Description": "The shop",
    "Sources": "https://git.example/*",
    "Destinations": "eu-*,shop",
    "Allowed cluster kinds": "core/Namespace shop-*",
    "Denied cluster kinds": "rbac.authorization.k8s.io/ClusterRole",
    "Allowed kinds": "apps/Deployment",
    "Denied kinds": "batch/Job",
    "Clusters": "only those that are the project's own",
    "Inherits from": "company",
    "Signatures": "git https://git.example/a: head, by 4AEE18F83AFDEB23",
    "Roles": "ci (1 policy, 2 tokens; groups: devs)",
    "Service accounts": "*,shop: robot",
    "Source namespaces": "team-*",
    "Orphaned resources": "warned of",
    "Sync windows": "deny 0 22 * * * for 8h, Europe/Berlin; applications web;"
    " clusters eu-1, eu-2; syncs by hand too (Night)",
}


@pytest.fixture
def shown() -> dict[str, str]:
    """Titles and the first lines beside them; lines below under their own text."""
    beside = Beside(givers=["company"], tokens={"ci": [{}, {}]})
    lines = page(DOCUMENT, beside).splitlines()
    pairs = (line.partition(":") for line in lines if not line.startswith(" "))
    return {title: text.strip() for title, _, text in pairs} | {
        line.strip(): "" for line in lines if line.startswith(" ")
    }


def test_the_document_is_one_that_fleet_takes() -> None:
    assert not parse_project(DOCUMENT).warnings


def test_every_field_is_shown(shown: dict[str, str]) -> None:
    assert shown | SAID == shown
    more = ("idle (0 policies, 0 tokens)", "oci oci://r.example/*: none")
    assert {*more, "but not core/Secret/*/token-*"} <= shown.keys()


def test_keys_of_the_older_form_are_shown() -> None:
    spec = {"signatureKeys": [{"keyID": "4AEE18F83AFDEB23"}]}
    assert "git *: head, by 4AEE18F83AFDEB23" in page({**DOCUMENT, "spec": spec}, Beside())
