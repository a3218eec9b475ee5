"""Objects that Fleet itself holds and that an application has in Git: its children.

They are Argo CD's kinds: an Application that is rendered by another one, its project, and
ApplicationSets. Nothing of them exists in any cluster.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from fleet.model.clusters import ApiKind
from fleet.model.documents import ARGO_API_VERSION
from fleet.model.health import Health, SyncStatus
from fleet.model.ids import ApplicationId
from fleet.model.objects import Manifest

_GROUP, _, _VERSION = ARGO_API_VERSION.partition("/")
_VERBS = frozenset({"get", "list", "patch", "delete"})


def _kind(kind: str, plural: str) -> ApiKind:
    return ApiKind(_GROUP, _VERSION, kind, plural, namespaced=True, verbs=_VERBS)


APPLICATION = _kind("Application", "applications")
PROJECT = _kind("AppProject", "appprojects")
APPLICATION_SET = _kind("ApplicationSet", "applicationsets")

#: Annotations of an AppProject. Each is a comma-separated list of globs of project names:
#: those that its applications may make applications in, and those that they may write.
CHILD_PROJECTS = "fleet.dev/child-projects"
MANAGED_PROJECTS = "fleet.dev/managed-projects"


@dataclass(frozen=True, slots=True)
class Parent:
    """The application that has a child in Git; ``ancestors`` from its own parent upwards."""

    id: ApplicationId
    name: str
    project: str
    project_document: Manifest
    ancestors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Held:
    """An object that Fleet holds, as its parent sees it.

    Attributes:
        uid: of the row; one of the same name that is made anew has another.
        parent_id, parent: who has it in Git; None and "" when nobody has.
        namespace: in which its parent wrote it; it means nothing else.
        applied: what the parent applied last.
        standing: of an application.
    """

    uid: UUID
    name: str
    document: Manifest
    generation: int
    created_at: datetime
    parent_id: ApplicationId | None = None
    parent: str = ""
    namespace: str = ""
    applied: Manifest | None = None
    standing: Standing | None = None


@dataclass(frozen=True)
class Standing:
    """Where an application stands, and whether that is about what is wanted now.

    Attributes:
        lags: a commit of a repository that it follows is not looked at yet.
        wanted_key: names what is wanted now; ``judged_key`` what was compared last, and
            ``attempted_key`` what was synced last.
    """

    project: str
    sync: SyncStatus
    health: Health
    revision: str = ""
    has_cluster: bool = True
    auto_sync: bool = False
    is_skipped: bool = False
    is_rendered: bool = True
    render_error: str = ""
    lags: bool = False
    wanted_key: str = ""
    judged_key: str = ""
    attempted_key: str = ""
    attempt_phase: str = ""
    is_at_work: bool = False
    deleting: dict[str, Any] | None = field(default=None)
