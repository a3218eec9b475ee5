"""Writing an Application from flags: the YAML that a person would write, nothing more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fleet.model.applications import RESOURCES_FINALIZER
from fleet.model.documents import ARGO_API_VERSION
from fleet.model.objects import Manifest
from fleet.model.projects import DEFAULT_PROJECT


def new_application(
    name: str,
    *,
    repo_url: str,
    path: str = "",
    chart: str = "",
    revision: str = "",
    project: str = DEFAULT_PROJECT,
    dest_server: str = "",
    dest_name: str = "",
    dest_namespace: str = "",
    automated: bool = False,
    auto_prune: bool = False,
    self_heal: bool = False,
    allow_empty: bool = False,
    sync_options: Sequence[str] = (),
    retry: Mapping[str, Any] | None = None,
    helm: Mapping[str, Any] | None = None,
    kustomize: Mapping[str, Any] | None = None,
    directory: Mapping[str, Any] | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    cascade: bool = False,
    revision_history_limit: int | None = None,
) -> Manifest:
    """The document; what is empty is left out. ``parse_application`` judges whether it is valid.

    Args:
        retry, helm, kustomize, directory: the block of that name, in the document's own keys.
        cascade: deleting the application deletes its objects (Argo CD's finalizer).
    """
    metadata = {
        "name": name,
        "labels": dict(labels or {}),
        "annotations": dict(annotations or {}),
        "finalizers": [RESOURCES_FINALIZER] if cascade else [],
    }
    source = {
        "repoURL": repo_url,
        "path": path,
        "chart": chart,
        "targetRevision": revision,
        "helm": dict(helm or {}),
        "kustomize": dict(kustomize or {}),
        "directory": dict(directory or {}),
    }
    destination = {"server": dest_server, "name": dest_name, "namespace": dest_namespace}
    policy = {
        "automated": _automated(
            on=automated, prune=auto_prune, self_heal=self_heal, allow_empty=allow_empty
        ),
        "syncOptions": list(sync_options),
        "retry": dict(retry or {}),
    }
    spec = {
        "project": project,
        "source": _filled(source),
        "destination": _filled(destination),
        "syncPolicy": _filled(policy),
        "revisionHistoryLimit": revision_history_limit,
    }
    return {
        "apiVersion": ARGO_API_VERSION,
        "kind": "Application",
        "metadata": _filled(metadata),
        "spec": _filled(spec),
    }


def _automated(
    *, on: bool, prune: bool, self_heal: bool, allow_empty: bool
) -> dict[str, bool] | None:
    """None when off: the block's presence alone switches auto-sync on."""
    if not on:
        return None
    flags = {"prune": prune, "selfHeal": self_heal, "allowEmpty": allow_empty}
    return {key: True for key, is_set in flags.items() if is_set}


def _filled(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Without empty texts, lists and mappings; ``automated: {}`` is not empty in meaning."""
    return {
        key: value
        for key, value in mapping.items()
        if (key == "automated" and value is not None) or value not in ("", None, [], {})
    }
