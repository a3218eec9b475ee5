"""The AppProject that users write. Source of fields and rules: ``features.md`` §3.2."""

from __future__ import annotations

from dataclasses import dataclass

from fleet.model.access import ProjectRole
from fleet.model.integrity import SignaturePolicy
from fleet.model.objects import Manifest, annotations_of
from fleet.model.orphans import OrphanRules
from fleet.model.windows import SyncWindow


@dataclass(frozen=True, slots=True)
class ProjectDestination:
    """Globs; ``!`` in front of any part denies."""

    server: str = ""
    name: str = ""
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class KindRule:
    """``group`` and ``kind`` are globs; ``name`` a glob too, "" means any."""

    group: str
    kind: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class ServiceAccountRule:
    """As whom syncs to some destinations are done. ``server`` and ``namespace`` are globs;
    ``account`` is ``name`` or ``namespace:name``."""

    server: str
    namespace: str
    account: str


@dataclass(frozen=True, slots=True)
class ProjectSpec:
    """What the applications of a project may use.

    An empty list allows nothing, with one exception that Argo CD makes: an empty
    ``namespace_allow`` allows every namespaced kind.

    ``windows_fault`` says why the sync windows of a stored document cannot be read; then
    nothing may be synced, because one of them might forbid it.
    """

    description: str = ""
    source_repos: tuple[str, ...] = ()
    destinations: tuple[ProjectDestination, ...] = ()
    cluster_allow: tuple[KindRule, ...] = ()
    cluster_deny: tuple[KindRule, ...] = ()
    namespace_allow: tuple[KindRule, ...] = ()
    namespace_deny: tuple[KindRule, ...] = ()
    windows: tuple[SyncWindow, ...] = ()
    windows_fault: str = ""
    roles: tuple[ProjectRole, ...] = ()
    service_accounts: tuple[ServiceAccountRule, ...] = ()
    source_namespaces: tuple[str, ...] = ()
    only_own_clusters: bool = False  # permitOnlyProjectScopedClusters
    integrity: tuple[SignaturePolicy, ...] = ()  # the first that matches a repository counts
    orphans: OrphanRules | None = None


@dataclass(frozen=True)
class Project:
    """A parsed AppProject: the typed spec and the document it came from."""

    name: str
    spec: ProjectSpec
    document: Manifest
    warnings: tuple[str, ...] = ()


DEFAULT_PROJECT = "default"
#: Annotation of a project that nobody made yet: an application names it. It allows nothing.
AWAITED = "fleet.dev/awaited"


def awaited_project(name: str) -> Manifest:
    """What stands for a project until it is made."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": name, "annotations": {AWAITED: "true"}},
        "spec": {"description": "Does not exist yet: applications name it."},
    }


def is_awaited(document: Manifest) -> bool:
    return annotations_of(document).get(AWAITED) == "true"


DEFAULT_PROJECT_SPEC = ProjectSpec(
    description="Allows everything; access to it is what guards it.",
    source_repos=("*",),
    destinations=(ProjectDestination(server="*", name="", namespace="*"),),
    cluster_allow=(KindRule("*", "*"),),
)
