"""The stream of an Argo CD export, and Fleets that read it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from fleet.model.scope import EVERYTHING
from fleet.operations.documents import Given, Result, apply_documents
from fleet.operations.exporting import export_documents
from tests.integration.operations.harness import ADMIN, Object, World
from tests.servers.git_repo import GitRepo

PASSWORD = "hunter2-of-the-export"
HOST_KEY = (
    "git.example ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsABgH5C9okWi0dh2l9GKJl"
)


def argo(kind: str, name: str, spec: Any, **metadata: Any) -> Object:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "argocd", **metadata},
        "spec": spec,
    }


def config_map(name: str, **data: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "argocd"},
        "data": {key.replace("__", "."): value for key, value in data.items()},
    }


def secret(name: str, kind: str = "", **data: str) -> Object:
    labels = {"argocd.argoproj.io/secret-type": kind} if kind else {}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "argocd", "labels": labels},
        "data": {key: base64.b64encode(text.encode()).decode() for key, text in data.items()},
    }


def stream(repo: GitRepo) -> list[Object]:
    """Documents in the worst order: each before what it refers to."""
    spec = {
        "project": "shop",
        "source": {
            "repoURL": repo.url,
            "path": "web",
            "targetRevision": "main",
            "helm": {"parameters": [{"name": "a", "value": "1"}], "values": "a: 1 # kept\n"},
        },
        "destination": {"name": "main", "namespace": "shop"},
        "syncPolicy": {
            "automated": {"prune": True, "selfHeal": None},
            "syncOptions": ["CreateNamespace=true", "Vendor=thing", "Vendor=thing"],
        },
        "ignoreDifferences": [{"kind": "Deployment", "jqPathExpressions": [".spec.replicas"]}],
        "info": [{"name": "owner", "value": "shop"}],
    }
    finalizers = ["resources-finalizer.argocd.argoproj.io"]
    return [
        argo("ApplicationSet", "many", {"generators": [{"clusters": {}}], "template": {}}),
        argo("Application", "web", spec, finalizers=finalizers, labels={"team": "shop"}),
        argo(
            "AppProject",
            "shop",
            {
                "sourceRepos": ["*"],
                "destinations": [{"server": "*", "namespace": "shop"}],
                "clusterResourceWhitelist": [{"group": "", "kind": "Namespace"}],
                "roles": [
                    {
                        "name": "ci",
                        "policies": ["p, proj:shop:ci, applications, get, shop/*, allow"],
                    }
                ],
            },
        ),
        secret("creds-1", "repo-creds", url="https://git.example/shop", password=PASSWORD),
        config_map("argocd-rbac-cm", policy__csv="g, ops, role:admin\n"),
        config_map("argocd-ssh-known-hosts-cm", ssh_known_hosts=f"# ours\n{HOST_KEY}\n"),
        config_map("argocd-cm", installationID="one", timeout__reconciliation="60s"),
        secret("argocd-secret", server__secretkey="signing-" + PASSWORD),
    ]


async def put(
    world: World, documents: Sequence[Any], *, dry_run: bool = False
) -> tuple[Result, ...]:
    async def permit(*_: str) -> None:
        """Everybody may."""

    given = [Given(index, document) for index, document in enumerate(documents)]
    return await apply_documents(
        world.runtime, ADMIN, EVERYTHING, given, upsert=True, dry_run=dry_run, permit=permit
    )


def told(results: Sequence[Result]) -> list[str]:
    """One line a document, as ``fleet apply`` tells it."""
    return [f"{it.kind}/{it.name} {it.action}" for it in results]


async def exported(world: World, *, secrets: bool = False) -> dict[str, Object]:
    """By kind and name."""
    found = await export_documents(world.runtime, ADMIN, secrets=secrets)
    return {f"{doc['kind']}/{doc['metadata']['name']}": doc for doc in found}
