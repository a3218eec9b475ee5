"""What the applications of an AppProject may use. Rules: ``features.md`` §1.8 and §3.2.

Three rules hold for every list: a denial wins over any permission; an empty list permits
nothing, except an empty ``namespaceResourceWhitelist``, which permits every namespaced
kind; and a pattern that is no glob permits nothing and denies everything.

An entry with ``!`` only ever denies, as Argo CD documents it (its code also lets such an
entry permit whatever it does not name).
"""

from __future__ import annotations

from fleet.model.decisions import ALLOWED, Decision, refused
from fleet.model.projects import KindRule, ProjectDestination, ProjectSpec
from fleet.policy.globs import is_glob, matches_glob
from fleet.policy.repository_urls import canonical_pattern, canonical_url


def may_use_source(project: ProjectSpec, repo_url: str, *, project_name: str = "") -> Decision:
    """``*`` alone is every repository; inside a pattern it stops at ``/``, ``**`` does not."""
    url = canonical_url(repo_url)
    whose = _project(project_name)
    for pattern in project.source_repos:
        if pattern.startswith("!") and denies_source(pattern[1:], url):
            return refused(
                f"repository {url} is denied by {whose} (sourceRepos: {pattern}); "
                "take that entry out, or use another repository"
            )
    if any(permits_source(pattern, url) for pattern in project.source_repos):
        return ALLOWED
    return refused(f"repository {url} is not among the sourceRepos of {whose}; add it there")


def may_deploy_to(
    project: ProjectSpec, *, server: str, cluster_name: str, namespace: str, project_name: str = ""
) -> Decision:
    """Whether applications may target this namespace of this cluster."""
    what = f"namespace {namespace or '(none)'} on cluster {cluster_name or server}"
    whose = _project(project_name)
    for entry in project.destinations:
        if _denies_destination(entry, server, cluster_name, namespace):
            return refused(
                f"{what} is denied by {whose} (destinations: {_spelled(entry)}); "
                "take that entry out, or choose another destination"
            )
    for entry in project.destinations:
        if _permits_cluster(entry, server, cluster_name) and _permits(entry.namespace, namespace):
            return ALLOWED
    return refused(f"{what} is not among the destinations of {whose}; add it there")


def may_manage(
    project: ProjectSpec,
    *,
    group: str,
    kind: str,
    name: str,
    namespace: str,
    namespaced: bool,
    server: str,
    cluster_name: str,
    project_name: str = "",
) -> Decision:
    """Whether applications may create, change or delete this object.

    Args:
        namespaced: what the cluster's discovery says of the kind, never what a manifest claims.
    """
    whose = _project(project_name)
    if not namespaced:
        by_kind = _by_kind_in_cluster(project, group, kind, name, whose)
        return by_kind and _may_reach(project, server, cluster_name, whose)
    by_kind = _by_kind_in_namespace(project, group, kind, whose)
    return by_kind and may_deploy_to(
        project,
        server=server,
        cluster_name=cluster_name,
        namespace=namespace,
        project_name=project_name,
    )


def may_create_namespace(
    project: ProjectSpec, *, namespace: str, server: str, cluster_name: str, project_name: str = ""
) -> Decision:
    """``CreateNamespace=true``: a permitted destination may be created without Namespace being
    on the clusterResourceWhitelist, as in Argo CD; the blacklist still denies it."""
    denial = _denying_rule(project.cluster_deny, "", "Namespace", namespace)
    if denial is not None:
        return _denied_kind(
            "", "Namespace", denial, "clusterResourceBlacklist", _project(project_name)
        )
    return may_deploy_to(
        project,
        server=server,
        cluster_name=cluster_name,
        namespace=namespace,
        project_name=project_name,
    )


def _by_kind_in_cluster(
    project: ProjectSpec, group: str, kind: str, name: str, whose: str
) -> Decision:
    denial = _denying_rule(project.cluster_deny, group, kind, name)
    if denial is not None:
        return _denied_kind(group, kind, denial, "clusterResourceBlacklist", whose)
    if any(_permits_kind(rule, group, kind, name) for rule in project.cluster_allow):
        return ALLOWED
    return refused(
        f"cluster-scoped kind {_kind(group, kind)} ({name}) is not allowed by {whose}; "
        "add it to its clusterResourceWhitelist"
    )


def _by_kind_in_namespace(project: ProjectSpec, group: str, kind: str, whose: str) -> Decision:
    denial = _denying_rule(project.namespace_deny, group, kind, "")
    if denial is not None:
        return _denied_kind(group, kind, denial, "namespaceResourceBlacklist", whose)
    allow = project.namespace_allow
    if not allow or any(_permits_kind(rule, group, kind, "") for rule in allow):
        return ALLOWED
    return refused(
        f"kind {_kind(group, kind)} is not allowed by {whose}; "
        "add it to its namespaceResourceWhitelist"
    )


def _may_reach(project: ProjectSpec, server: str, cluster_name: str, whose: str) -> Decision:
    """Whether any namespace of the cluster is a destination: what a cluster-scoped object
    needs, since it is in none."""
    for entry in project.destinations:
        names_cluster = entry.server.startswith("!") or entry.name.startswith("!")
        if names_cluster and _denies_cluster(entry, server, cluster_name):
            return refused(
                f"cluster {cluster_name or server} is denied by {whose} "
                f"(destinations: {_spelled(entry)}); take that entry out"
            )
    for entry in project.destinations:
        if _permits_cluster(entry, server, cluster_name) and not entry.namespace.startswith("!"):
            return ALLOWED
    return refused(
        f"cluster {cluster_name or server} is not among the destinations of {whose}; add it there"
    )


def _permits(pattern: str, text: str) -> bool:
    return not pattern.startswith("!") and matches_glob(pattern, text)


def _denies(pattern: str, text: str) -> bool:
    return not is_glob(pattern) or matches_glob(pattern, text)


def permits_source(pattern: str, url: str) -> bool:
    """Whether a pattern names a repository, given as ``canonical_url`` spells it."""
    if pattern.startswith("!"):
        return False
    return pattern == "*" or matches_glob(canonical_pattern(pattern), url, separator="/")


def denies_source(pattern: str, url: str) -> bool:
    """Without regard to case: many hosts serve ``Shop`` and ``shop`` as one repository."""
    lowered = canonical_pattern(pattern).lower()
    return not is_glob(lowered) or matches_glob(lowered, url.lower(), separator="/")


def _permits_cluster(entry: ProjectDestination, server: str, cluster_name: str) -> bool:
    """By server or by name; an entry that denies anything permits nothing."""
    if entry.server.startswith("!") or entry.name.startswith("!"):
        return False
    by_server = bool(server) and _permits(entry.server.rstrip("/"), server.rstrip("/"))
    return by_server or (bool(cluster_name) and _permits(entry.name, cluster_name))


def _denies_destination(
    entry: ProjectDestination, server: str, cluster_name: str, namespace: str
) -> bool:
    """True when the parts with ``!`` name this destination and the others apply to it."""
    parts = (entry.server, entry.name, entry.namespace)
    if not any(part.startswith("!") for part in parts):
        return False
    return _denies_cluster(entry, server, cluster_name) and _denies(
        entry.namespace.removeprefix("!"), namespace
    )


def _denies_cluster(entry: ProjectDestination, server: str, cluster_name: str) -> bool:
    """By the parts with ``!`` alone where there are any: what stands beside them cannot
    soften a denial. An entry that names no cluster means all."""
    given = [
        (pattern.removeprefix("!").rstrip("/"), text, pattern.startswith("!"))
        for pattern, text in ((entry.server, server.rstrip("/")), (entry.name, cluster_name))
        if pattern
    ]
    negated = [part for part in given if part[2]]
    return not given or any(_denies(pattern, text) for pattern, text, _ in negated or given)


def _permits_kind(rule: KindRule, group: str, kind: str, name: str) -> bool:
    return (
        matches_glob(rule.group, group)
        and matches_glob(rule.kind, kind)
        and (not rule.name or matches_glob(rule.name, name))
    )


def _denying_rule(rules: tuple[KindRule, ...], group: str, kind: str, name: str) -> KindRule | None:
    for rule in rules:
        by_name = not rule.name or _denies(rule.name, name)
        if by_name and _denies(rule.group, group) and _denies(rule.kind, kind):
            return rule
    return None


def _denied_kind(group: str, kind: str, rule: KindRule, field: str, whose: str) -> Decision:
    entry = "/".join(part for part in (rule.group, rule.kind, rule.name) if part)
    return refused(
        f"kind {_kind(group, kind)} is denied by {whose} ({field}: {entry}); "
        "take that entry out, or the object"
    )


def _project(name: str) -> str:
    return f"project {name}" if name else "the project"


def _kind(group: str, kind: str) -> str:
    return f"{kind}.{group}" if group else kind


def _spelled(entry: ProjectDestination) -> str:
    parts = {"server": entry.server, "name": entry.name, "namespace": entry.namespace}
    return ", ".join(f"{key} {value}" for key, value in parts.items() if value)
