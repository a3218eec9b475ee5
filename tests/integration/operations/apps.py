"""Applications in Git, for tests of applications of applications."""

from __future__ import annotations

from typing import Any

from fleet.model.clusters import IN_CLUSTER_NAME
from fleet.model.scope import EVERYTHING
from fleet.registry import clusters
from tests.integration.operations.harness import Object, World, in_wave

CASCADE = "resources-finalizer.argocd.argoproj.io"
#: For API servers without a garbage collector.
BACKGROUND = f"{CASCADE}/background"


def application(
    world: World,
    name: str,
    *,
    wave: int | None = None,
    auto: bool = True,
    finalizers: tuple[str, ...] = (CASCADE,),
    destination: Object | None = None,
    project: str = "default",
    **spec: Any,
) -> Object:
    """An Application as it stands in Git; it deploys the folder of its name to ``main``."""
    found: Object = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd", "finalizers": list(finalizers)},
        "spec": {
            "project": project,
            "source": {"repoURL": world.repo.url, "path": name, "targetRevision": "main"},
            "destination": destination or {"name": "main", "namespace": world.namespace},
            "syncPolicy": {"syncOptions": ["CreateNamespace=true"]},
            **spec,
        },
    }
    if auto:
        found["spec"]["syncPolicy"]["automated"] = {"prune": True, "selfHeal": True}
    return found if wave is None else in_wave(found, wave)


def itself(namespace: str = "argocd") -> Object:
    """The destination that names Fleet itself."""
    return {"server": "https://kubernetes.default.svc", "namespace": namespace}


async def add_root(world: World, name: str = "root", **flags: Any) -> None:
    """An application of applications, which does everything by itself."""
    await world.add_app(name, cluster=IN_CLUSTER_NAME, namespace="argocd", **flags)
    async with world.runtime.db.reading() as tx:
        world.clusters[IN_CLUSTER_NAME] = await clusters.get_cluster(
            tx, EVERYTHING, IN_CLUSTER_NAME
        )


async def roll(world: World, turns: int = 1, *, look: bool = False) -> None:
    """Poll, and pass over Fleet itself and over ``main``, so many times, five seconds apart."""
    for _ in range(turns):
        assert await world.poll() is None
        for cluster in (IN_CLUSTER_NAME, "main"):
            await world.pass_(cluster, look=look)
        world.clock.forward(5)


async def names(world: World) -> list[str]:
    """Of the applications that there are."""
    rows = await world.rows("select name from applications order by name")
    return [row["name"] for row in rows]
