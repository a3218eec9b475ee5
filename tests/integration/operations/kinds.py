"""Operators' kinds on an API server of the test's own, and their operators played by it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fleet.model.global_projects import parse_settings_config
from fleet.operations.putting import Put
from fleet.operations.settings_config import put_settings
from tests.cluster.kube import ApiFailed, TestCluster
from tests.integration.operations.harness import ADMIN, Object, World, settings_for, until, world
from tests.servers.git_repo import GitRepo
from tests.servers.postgres import TestDatabase

CERTIFICATES = ("cert-manager.io", "v1", "Certificate", "certificates")
ROLLOUTS = ("argoproj.io", "v1alpha1", "Rollout", "rollouts")
WIDGETS = ("widgets.example", "v1", "Widget", "widgets")
KINDS = (CERTIFICATES, ROLLOUTS, WIDGETS)
Kind = tuple[str, str, str, str]


def definition(kind: Kind) -> Object:
    group, version, name, plural = kind
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": name, "plural": plural, "singular": name.lower()},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "x-kubernetes-preserve-unknown-fields": True,
                        }
                    },
                }
            ],
        },
    }


def thing(kind: Kind, name: str, **spec: Any) -> Object:
    group, version, word, _ = kind
    return {
        "apiVersion": f"{group}/{version}",
        "kind": word,
        "metadata": {"name": name},
        "spec": spec,
    }


def place(made: World, kind: Kind, name: str = "") -> str:
    group, version, _, plural = kind
    return f"/apis/{group}/{version}/namespaces/{made.namespace}/{plural}/{name}".rstrip("/")


def says(made: World, kind: Kind, name: str, **status: Any) -> Object:
    """What its operator makes of an object's status; what it said before and not now is gone."""
    group, version, word, _ = kind
    path = f"{place(made, kind, name)}/status?fieldManager=operator&force=true"
    metadata = {"name": name}
    body = {"apiVersion": f"{group}/{version}", "kind": word, "metadata": metadata}
    return made.request("PATCH", path, {**body, "status": status})


def live(made: World, kind: Kind, name: str) -> Object:
    return made.request("GET", place(made, kind, name))


async def configure(made: World, **data: str) -> Put:
    """Apply an argocd-cm with these keys below ``resource.customizations``."""
    said = {f"resource.customizations.{key}": text for key, text in data.items()}
    return await configure_keys(made, said)


async def configure_keys(made: World, data: Mapping[str, str]) -> Put:
    """Apply an argocd-cm that says this."""
    document = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "argocd-cm", "namespace": "argocd"},
        "data": dict(data),
    }
    config = parse_settings_config(document)
    return await put_settings(made.runtime, ADMIN, config, upsert=True)


async def health(made: World, app: str, object: str = "") -> tuple[str, str]:
    """Of an application, or of one of its objects (``Kind/name``)."""
    row = (await made.resources(app))[object] if object else await made.app(app)
    return row["health_status"], row["health_message"]


def serve_kinds(server: TestCluster) -> None:
    for kind in KINDS:
        server.request(
            "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition(kind)
        )


@asynccontextmanager
async def with_kinds(
    tmp_path: Path, database: TestDatabase, repo: GitRepo, server: TestCluster
) -> AsyncIterator[World]:
    """A world whose cluster serves ``KINDS``."""
    async with world(settings_for(tmp_path), database, repo, server) as made:
        made.create_namespace()

        async def served() -> bool:
            try:
                return all(made.request("GET", place(made, kind)) for kind in KINDS)
            except ApiFailed as failed:
                if failed.status not in (404, 429):  # not there yet; being made ready
                    raise
                return False

        await until(served)
        yield made
