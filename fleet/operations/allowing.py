"""Whether a project, and what a cluster was registered for, allow one object. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fleet.errors import Refused
from fleet.model.applications import SHADOW_ANNOTATION, is_shadow
from fleet.model.clusters import Cluster
from fleet.model.decisions import Decision
from fleet.model.objects import Manifest, ObjectRef
from fleet.model.projects import ProjectSpec
from fleet.plan.planning import CREATE_NAMESPACE
from fleet.policy import may_create_namespace, may_manage, may_use_cluster

DRY_RUN = "dry-run"
#: Why nothing is written for an application in shadow mode.
SHADOWED = f"it is compared and never written: its annotation {SHADOW_ANNOTATION} says so"


def check_shadow(application: Manifest, ref: ObjectRef, verb: str) -> None:
    """The last word before every write for an application.

    Args:
        application: its document.
        verb: as the gate is asked; a dry run writes nothing.

    Raises:
        Refused: the application is in shadow mode.
    """
    if verb != DRY_RUN and is_shadow(application):
        raise Refused(f"{ref}: nothing is written for its application: {SHADOWED}", object=str(ref))


@dataclass(frozen=True)
class ProjectGate:
    """The project's answer about one object of one application."""

    project: ProjectSpec
    server: str
    cluster: str

    def __call__(self, ref: ObjectRef, namespaced: bool, verb: str) -> Decision:
        if verb == CREATE_NAMESPACE:
            return may_create_namespace(
                self.project, namespace=ref.name, server=self.server, cluster_name=self.cluster
            )
        return may_manage(
            self.project,
            group=ref.group,
            kind=ref.kind,
            name=ref.name,
            namespace=ref.namespace,
            namespaced=namespaced,
            server=self.server,
            cluster_name=self.cluster,
        )


def gate_of(
    project: ProjectSpec, cluster: Cluster, project_name: str
) -> Callable[[ObjectRef, bool, str], Decision]:
    """The project's rules, narrowed to the namespaces that the cluster was given for."""
    ask = ProjectGate(project, cluster.server, cluster.name)
    usable = may_use_cluster(
        project,
        project_name=project_name,
        cluster_name=cluster.name,
        cluster_project=cluster.project,
    )
    if not usable:
        return lambda *_: usable
    if not cluster.namespaces:
        return ask

    def narrowed(ref: ObjectRef, namespaced: bool, verb: str) -> Decision:
        if namespaced and ref.namespace not in cluster.namespaces:
            return Decision(
                allowed=False,
                reason=f"cluster {cluster.name} is registered for namespaces"
                f" {', '.join(cluster.namespaces)} only",
            )
        if not namespaced and not cluster.cluster_resources:
            return Decision(
                allowed=False,
                reason=f"cluster {cluster.name} is registered without cluster-scoped objects",
            )
        return ask(ref, namespaced, verb)

    return narrowed
