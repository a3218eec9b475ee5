"""Whose cluster an application may use, as whom it is synced there, and whence it comes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fleet.model.decisions import ALLOWED, Decision, refused
from fleet.model.projects import ProjectSpec
from fleet.policy.globs import matches_glob
from fleet.policy.patterns import MatchMode, finds, regex_of

#: In ``sourceNamespaces`` a regular expression stands between slashes.
_BETWEEN_SLASHES = re.compile(r"/(.+)/", re.DOTALL)


def may_use_cluster(
    project: ProjectSpec, *, project_name: str, cluster_name: str, cluster_project: str
) -> Decision:
    """A cluster that belongs to a project is that project's alone; a project may want no
    other (``permitOnlyProjectScopedClusters``)."""
    if cluster_project not in ("", project_name):
        return refused(f"cluster {cluster_name} belongs to project {cluster_project}")
    if project.only_own_clusters and not cluster_project:
        return refused(
            f"cluster {cluster_name} does not belong to project {project_name}, which permits its"
            " own clusters only (permitOnlyProjectScopedClusters)"
        )
    return ALLOWED


@dataclass(frozen=True, slots=True)
class Impersonation:
    """As which user writes are done; "" means as Fleet itself. ``refusal`` says why nothing
    may be written: the project says as whom, but not for this destination."""

    user: str = ""
    refusal: str = ""


def acts_as(project: ProjectSpec, *, server: str, namespace: str) -> Impersonation:
    """The first of ``destinationServiceAccounts`` that matches the application's destination."""
    if not project.service_accounts:
        return Impersonation()
    for rule in project.service_accounts:
        is_server = matches_glob(rule.server.rstrip("/"), server.rstrip("/"))
        if is_server and matches_glob(rule.namespace, namespace):
            home, colon, name = rule.account.rpartition(":")
            return Impersonation(f"system:serviceaccount:{home if colon else namespace}:{name}")
    return Impersonation(
        refusal=f"no entry of destinationServiceAccounts is for namespace {namespace or '(none)'}"
        f" on {server}; add one"
    )


def may_come_from(project: ProjectSpec, namespace: str, *, home: str) -> Decision:
    """Whether an Application that stands in ``namespace`` may be in the project.

    Args:
        home: the namespace from which any project takes them.
    """
    if namespace in ("", home) or any(
        _names(pattern, namespace) for pattern in project.source_namespaces
    ):
        return ALLOWED
    return refused(
        f"Applications of namespace {namespace} are not among the sourceNamespaces of their"
        " project; add it there"
    )


def _names(pattern: str, namespace: str) -> bool:
    between = _BETWEEN_SLASHES.fullmatch(pattern)
    if between is None:
        return matches_glob(pattern, namespace)
    regex = regex_of(between[1], MatchMode.REGEX)
    return regex is not None and finds(regex, namespace)
