"""A world with applications that are hydrated, and what is on their branch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleet.api.shapes import application_document
from fleet.model.ids import RepositoryId
from fleet.model.parsing import parse_application
from fleet.model.scope import EVERYTHING
from fleet.operations.desiring import poll_repository
from fleet.operations.documents import Given, apply_documents
from fleet.operations.putting import put_application
from fleet.registry.application_views import Freshness, get_application
from tests.integration.operations.harness import ADMIN, Object, World
from tests.servers.git_repo import GitRepo, git

BRANCH = "env/dev"


@dataclass
class Farm:
    """A world, and what people and others do to its repository."""

    world: World

    @property
    def repo(self) -> GitRepo:
        return self.world.repo

    async def allow_push(self, project: str = "", type: str = "repository-write") -> None:
        """Apply Argo CD's Secret for pushes, or one of another type."""
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": type,
                "namespace": "argocd",
                "labels": {"argocd.argoproj.io/secret-type": type},
            },
            "stringData": {
                "url": self.repo.url,
                "username": "ci",
                "password": "push-password",
                **({"project": project} if project else {}),
            },
        }
        await self.apply(secret)

    async def apply(self, document: Object) -> None:
        async def permit(*_asked: str) -> None:
            """Whoever asks is an administrator."""

        results = await apply_documents(
            self.world.runtime,
            ADMIN,
            EVERYTHING,
            [Given(0, document)],
            upsert=True,
            dry_run=False,
            permit=permit,
        )
        assert [result.error for result in results] == [None]

    async def add(
        self, name: str, annotations: Mapping[str, str] | None = None, **changes: Any
    ) -> None:
        """An application that is hydrated from the folder of its name."""
        dry = {"repoURL": self.repo.url, "targetRevision": "main", "path": name}
        hydrator = {
            "drySource": dry,
            "syncSource": {"targetBranch": BRANCH, "path": f"apps/{name}"},
            **changes,
        }
        document = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {
                "name": name,
                "namespace": "argocd",
                "annotations": dict(annotations or {}),
            },
            "spec": {
                "project": "default",
                "sourceHydrator": hydrator,
                "destination": {"name": "main", "namespace": self.world.namespace},
                "syncPolicy": {
                    "automated": {"prune": True, "selfHeal": True},
                    "syncOptions": ["CreateNamespace=true"],
                },
            },
        }
        parsed = parse_application(document)
        await put_application(self.world.runtime, ADMIN, EVERYTHING, parsed, upsert=True)

    async def poll(self) -> None:
        rows = await self.world.rows("select id from repositories")
        for row in rows:
            await poll_repository(self.world.runtime, RepositoryId(row["id"]))

    def commits(self, branch: str = BRANCH) -> int:
        return int(git("rev-list", "--count", branch, cwd=self.repo.path))

    def written(self, path: str, branch: str = BRANCH) -> str:
        return self.repo.read(path, branch)

    async def state(self, name: str) -> dict[str, Any]:
        rows = await self.world.rows(
            "select s.hydration from application_sources s"
            " join applications a on a.id = s.application_id"
            " where a.name = :name and s.position < 0",
            name=name,
        )
        return dict(rows[0]["hydration"])

    async def shown(self, name: str) -> dict[str, Any]:
        """Its status, as people and programs see it."""
        fresh = Freshness(self.world.runtime.now(), 120.0)
        async with self.world.runtime.db.reading() as tx:
            app = await get_application(tx, EVERYTHING, name, fresh=fresh)
        return dict(application_document(app, None)["status"])

    async def conditions(self, name: str) -> dict[str, str]:
        found = (await self.shown(name)).get("conditions", [])
        return {entry["type"]: entry["message"] for entry in found}
