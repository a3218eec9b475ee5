"""Whether an application may have others, and projects, in its Git.

Whoever can push to a repository from which applications come into being can write any
project's name into them. So an application may make others in its own project, and in those
that its project names; a project is written by an application only where its project says
so. One that allows everything anyway gives nothing away by it, and may do both.
"""

from __future__ import annotations

from collections.abc import Mapping

from fleet.model.children import CHILD_PROJECTS, MANAGED_PROJECTS, Parent
from fleet.model.decisions import ALLOWED, Decision, refused
from fleet.model.objects import annotations_of
from fleet.model.projects import ProjectSpec
from fleet.policy.globs import is_glob, matches_glob


def may_have_application(parent: Parent, spec: ProjectSpec, project: str) -> Decision:
    """Whether ``parent`` may make, change or delete an application in ``project``.

    Args:
        spec: of the parent's own project.
    """
    if project == parent.project or is_open(spec) or _names(parent, CHILD_PROJECTS, project):
        return ALLOWED
    return refused(
        f"project {parent.project} may not have applications in project {project} in its Git; an"
        f" administrator can allow it: the annotation {CHILD_PROJECTS} of {parent.project}"
    )


def may_write_project(parent: Parent, spec: ProjectSpec, project: str) -> Decision:
    """Whether ``parent`` may make, change or delete the project itself."""
    if is_open(spec) or _names(parent, MANAGED_PROJECTS, project):
        return ALLOWED
    return refused(
        f"project {parent.project} may not write project {project} from its Git; an administrator"
        f" can allow it: the annotation {MANAGED_PROJECTS} of {parent.project}"
    )


def may_keep_document(parent: Parent, spec: ProjectSpec) -> Decision:
    """Whether ``parent`` may have an ApplicationSet: it can name any project, once it is
    acted upon."""
    if is_open(spec) or _names(parent, MANAGED_PROJECTS, parent.project):
        return ALLOWED
    return refused(
        f"project {parent.project} may not have ApplicationSets in its Git, as these can make"
        f" applications of any project; the annotation {MANAGED_PROJECTS} allows it"
    )


def is_open(spec: ProjectSpec) -> bool:
    """Whether a project allows everything: any source, any destination, any kind, as Fleet."""
    return (
        "*" in spec.source_repos
        and not any(pattern.startswith("!") for pattern in spec.source_repos)
        and any(
            "*" in (entry.server, entry.name) and entry.namespace == "*"
            for entry in spec.destinations
        )
        and not any(
            part.startswith("!")
            for entry in spec.destinations
            for part in (entry.server, entry.name, entry.namespace)
        )
        and any(
            (rule.group, rule.kind) == ("*", "*") and not rule.name for rule in spec.cluster_allow
        )
        and not (spec.cluster_deny or spec.namespace_deny or spec.namespace_allow)
        and not (spec.service_accounts or spec.only_own_clusters)
    )


def _names(parent: Parent, annotation: str, project: str) -> bool:
    return any(
        is_glob(pattern) and matches_glob(pattern, project)
        for pattern in _patterns(parent.project_document, annotation)
    )


def _patterns(document: Mapping[str, object], annotation: str) -> list[str]:
    text = annotations_of(document).get(annotation, "")
    return [part.strip() for part in text.split(",") if part.strip()]
