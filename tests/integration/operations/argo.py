"""Objects as Argo CD deploys them."""

from __future__ import annotations

import json
from typing import Any, Protocol

from fleet.model.objects import ref_of
from tests.integration.operations.harness import Object, in_namespace

TRACKING_ID = "argocd.argoproj.io/tracking-id"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
MANAGER = "argocd-controller"


class Where(Protocol):
    """A cluster, and the namespace in which things happen."""

    @property
    def namespace(self) -> str: ...

    def request(self, method: str, path: str, body: Object | None = None, /) -> Object: ...


def path_of(object: Object) -> str:
    """Of the collection that an object with a namespace lives in."""
    group = object["apiVersion"]
    root = f"/apis/{group}" if "/" in group else f"/api/{group}"
    return f"{root}/namespaces/{object['metadata']['namespace']}/{object['kind'].lower()}s"


def deploy(
    world: Where,
    object: Object,
    app: str = "web",
    *,
    labels: dict[str, str] | None = None,
    is_annotated: bool = True,
    installation: str = "",
) -> Object:
    """Deploy an object as Argo CD does by default: a client-side apply under its own name, with
    what was applied and whose it is in annotations. Returns what is live."""
    placed = in_namespace(object, world.namespace)
    ref, metadata = ref_of(placed), placed["metadata"]
    marks = {**metadata.get("annotations", {})}
    if is_annotated:
        about = f"{ref.group}/{ref.kind}:{ref.namespace}/{ref.name}"
        marks[TRACKING_ID] = f"{app}:{about}"
    if installation:
        marks["argocd.argoproj.io/installation-id"] = installation
    metadata = {**metadata, "annotations": marks, **({"labels": labels} if labels else {})}
    applied = {**placed, "metadata": metadata}
    told = {**marks, LAST_APPLIED: json.dumps(applied)}
    sent = {**applied, "metadata": {**metadata, "annotations": told}}
    return world.request("POST", f"{path_of(placed)}?fieldManager={MANAGER}", sent)


def live(world: Where, object: Object) -> Any:
    """What is there of an object now."""
    placed = in_namespace(object, world.namespace)
    return world.request("GET", f"{path_of(placed)}/{object['metadata']['name']}")
