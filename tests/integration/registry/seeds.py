"""Rows to start from, made through the same functions that Fleet uses."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fleet.model.application_spec import parse_application
from fleet.model.applications import ApplicationDocument
from fleet.model.clusters import Cluster, ClusterFacts, Connection
from fleet.model.ids import ApplicationId, ClusterId, RepositoryId
from fleet.model.new_application import new_application
from fleet.model.project_spec import parse_project
from fleet.model.repositories import RepositoryType
from fleet.model.scope import EVERYTHING, Actor
from fleet.model.secret import Secret
from fleet.registry import applications, clusters, projects, repositories
from fleet.registry.database import Tx
from fleet.registry.keyring import KeyRing

ANNA = Actor(name="anna", source_ip="10.0.0.7", request_id="r-1", role="admin")
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


async def cluster(
    tx: Tx, ring: KeyRing, name: str = "eu-1", *, project: str = "", **fields: Any
) -> Cluster:
    connection = fields.pop("connection", None) or Connection(
        server=f"https://{name}.example:6443", token=Secret(f"token-of-{name}")
    )
    facts = fields.pop("facts", ClusterFacts(uid=f"uid-{name}", version="v1.33.0"))
    new = clusters.NewCluster(
        name=name,
        connection=connection,
        labels=fields.pop("labels", {}),
        annotations=fields.pop("annotations", {}),
        project=project,
        facts=facts,
        **fields,
    )
    return await clusters.add_cluster(tx, ANNA, ring, new)


async def project(tx: Tx, name: str) -> None:
    document = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": name},
        "spec": {"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}]},
    }
    await projects.upsert_project(tx, ANNA, parse_project(document))


def document(name: str, **fields: Any) -> ApplicationDocument:
    values = {
        "repo_url": "https://git.example/shop.git",
        "path": "web",
        "revision": "main",
        "project": "shop",
        "dest_name": "eu-1",
        "dest_namespace": "shop",
    }
    return parse_application(new_application(name, **(values | fields)))


async def repository(tx: Tx, url: str = "https://git.example/shop.git") -> RepositoryId:
    canonical = url.removesuffix(".git")
    return await repositories.ensure_implicit(tx, url, canonical, RepositoryType.GIT)


async def application(
    tx: Tx, name: str, cluster_id: ClusterId | None, **fields: Any
) -> ApplicationId:
    """In project ``shop`` unless told otherwise; the project has to exist."""
    wanted = document(name, **fields)
    return await applications.create_application(
        tx,
        ANNA,
        wanted,
        project_id=await projects.project_id(tx, EVERYTHING, wanted.spec.project),
        cluster_id=cluster_id,
        repository_ids=[await repository(tx, s.repo_url) for s in wanted.spec.sources],
    )
