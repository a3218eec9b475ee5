"""Documents that users write, told apart by apiVersion and kind, each read by its own module."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from fleet.errors import Place, SpecInvalid
from fleet.model.application_spec import parse_application
from fleet.model.applications import ApplicationDocument
from fleet.model.argo_secrets import (
    SECRET_TYPE_LABEL,
    ClusterSecret,
    RepoCredsSecret,
    RepositorySecret,
    parse_cluster_secret,
    parse_repo_creds_secret,
    parse_repository_secret,
    secret_type_of,
)
from fleet.model.argo_settings import ArgoSettings, is_settings, parse_settings
from fleet.model.documents import ARGO_API_VERSION
from fleet.model.lists import flattened
from fleet.model.new_application import new_application
from fleet.model.objects import Manifest, ref_of, what_it_lacks
from fleet.model.plugins import Plugin, parse_plugin
from fleet.model.project_spec import parse_project
from fleet.model.projects import Project

Document: TypeAlias = (
    ApplicationDocument
    | Plugin
    | Project
    | ClusterSecret
    | RepositorySecret
    | RepoCredsSecret
    | ArgoSettings
)

_READERS: dict[tuple[str, str, str], Callable[..., Document]] = {
    (ARGO_API_VERSION, "Application", ""): parse_application,
    (ARGO_API_VERSION, "AppProject", ""): parse_project,
    (ARGO_API_VERSION, "ConfigManagementPlugin", ""): parse_plugin,
    ("v1", "Secret", "cluster"): parse_cluster_secret,
    ("v1", "Secret", "repository"): parse_repository_secret,
    ("v1", "Secret", "repo-creds"): parse_repo_creds_secret,
}

_HINT = (
    "Fleet reads Application, AppProject and ConfigManagementPlugin (argoproj.io/v1alpha1), and"
    f" Secrets (v1) labelled {SECRET_TYPE_LABEL}: cluster, repository or repo-creds; and keeps"
    " ApplicationSets and the ConfigMaps and Secrets that are Argo CD's own."
)


def parse_document(doc: Manifest, *, file: str = "", line: int = 0, item: str = "") -> Document:
    """Whatever ``doc`` is.

    Args:
        item: where in a List it is, as ``items[2]``; told while it does not say what it is.

    Raises:
        SpecInvalid: of a kind that Fleet does not read, or wrong in itself.
    """
    place = Place(file=file, line=line, field=item)
    if not isinstance(doc, dict):
        raise SpecInvalid("the document is not a mapping", place=place)
    if untyped := what_it_lacks(doc):
        ref = ref_of(doc)
        which = str(ref) if ref.name else "the document"
        raise SpecInvalid(f"{which} has no {untyped}", place=place, hint=_HINT)
    api_version, kind = doc["apiVersion"], doc["kind"]
    secret_type = secret_type_of(doc) if kind == "Secret" else ""
    reader = _READERS.get((api_version, kind, secret_type))
    if reader is None and is_settings(doc):
        reader = parse_settings
    if reader is None:
        what = f"{api_version} {kind}" + (f" of type {secret_type}" if secret_type else "")
        raise SpecInvalid(f"{what} is not a document that Fleet reads", place=place, hint=_HINT)
    return reader(doc, file=file, line=line)


__all__ = [
    "ArgoSettings",
    "ClusterSecret",
    "Document",
    "RepoCredsSecret",
    "RepositorySecret",
    "flattened",
    "new_application",
    "parse_application",
    "parse_cluster_secret",
    "parse_document",
    "parse_plugin",
    "parse_project",
    "parse_repo_creds_secret",
    "parse_repository_secret",
]
