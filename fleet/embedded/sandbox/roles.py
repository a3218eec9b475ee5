"""The roles that every cluster has, as the real server makes them when it first starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fleet.embedded.sandbox.authorizing import CLUSTER_ROLE, GROUP
from fleet.embedded.sandbox.objects import Object, labels_of, meta_of
from fleet.embedded.sandbox.selectors import matches
from fleet.embedded.sandbox.store import Event, Store

_READ = ("get", "list", "watch")
_WRITE = ("create", "delete", "deletecollection", "patch", "update")
_ALL = (*_WRITE[:3], "get", "list", *_WRITE[3:], "watch")
_AGGREGATE = f"{GROUP}/aggregate-to-"
_BOOTSTRAPPING = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_AUTOUPDATE = {"rbac.authorization.kubernetes.io/autoupdate": "true"}

Rule = tuple[Sequence[str], str, str]  # verbs; groups and resources, separated by spaces


VIEW: tuple[Rule, ...] = (
    (
        _READ,
        "",
        (
            "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods "
            "replicationcontrollers replicationcontrollers/scale serviceaccounts services "
            "services/status"
        ),
    ),
    (
        _READ,
        "",
        (
            "bindings limitranges namespaces/status pods/log pods/status "
            "replicationcontrollers/status resourcequotas resourcequotas/status"
        ),
    ),
    (_READ, "", "namespaces"),
    (_READ, "core events.k8s.io", "events"),
    (_READ, "discovery.k8s.io", "endpointslices"),
    (
        _READ,
        "apps",
        (
            "controllerrevisions daemonsets daemonsets/status deployments deployments/scale "
            "deployments/status replicasets replicasets/scale replicasets/status statefulsets "
            "statefulsets/scale statefulsets/status"
        ),
    ),
    (_READ, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"),
    (_READ, "batch", "cronjobs cronjobs/status jobs jobs/status"),
    (
        _READ,
        "extensions",
        (
            "daemonsets daemonsets/status deployments deployments/scale deployments/status "
            "ingresses ingresses/status networkpolicies replicasets replicasets/scale "
            "replicasets/status "
            "replicationcontrollers/scale"
        ),
    ),
    (_READ, "policy", "poddisruptionbudgets poddisruptionbudgets/status"),
    (_READ, "networking.k8s.io", "ingresses ingresses/status networkpolicies"),
    (_READ, "resource.k8s.io", "resourceclaims resourceclaims/status resourceclaimtemplates"),
)

EDIT: tuple[Rule, ...] = (
    (
        _READ,
        "",
        "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy",
    ),
    (("impersonate",), "", "serviceaccounts"),
    (_WRITE, "", "pods pods/attach pods/exec pods/portforward pods/proxy"),
    (("create",), "", "pods/eviction"),
    (
        _WRITE,
        "",
        (
            "configmaps persistentvolumeclaims replicationcontrollers replicationcontrollers/scale "
            "secrets serviceaccounts services services/proxy"
        ),
    ),
    (("create",), "", "serviceaccounts/token"),
    (_WRITE, "core events.k8s.io", "events"),
    (
        _WRITE,
        "apps",
        (
            "daemonsets deployments deployments/rollback deployments/scale replicasets "
            "replicasets/scale statefulsets statefulsets/scale"
        ),
    ),
    (_WRITE, "autoscaling", "horizontalpodautoscalers"),
    (_WRITE, "batch", "cronjobs jobs"),
    (
        _WRITE,
        "extensions",
        (
            "daemonsets deployments deployments/rollback deployments/scale ingresses "
            "networkpolicies replicasets replicasets/scale replicationcontrollers/scale"
        ),
    ),
    (_WRITE, "policy", "poddisruptionbudgets"),
    (_WRITE, "networking.k8s.io", "ingresses networkpolicies"),
    (_ALL, "coordination.k8s.io", "leases"),
    (_WRITE, "resource.k8s.io", "resourceclaims resourceclaimtemplates"),
)

ADMIN: tuple[Rule, ...] = (
    (("create",), "authorization.k8s.io", "localsubjectaccessreviews"),
    (_ALL, GROUP, "rolebindings roles"),
)

_BASIC: tuple[Rule, ...] = (
    (("create",), "authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews"),
    (("create",), "authentication.k8s.io", "selfsubjectreviews"),
)
_PUBLIC = ("/healthz", "/livez", "/readyz", "/version", "/version/")
_DISCOVERY = (
    "/api",
    "/api/*",
    "/apis",
    "/apis/*",
    "/healthz",
    "/livez",
    "/openapi",
    "/openapi/*",
    "/readyz",
    "/version",
    "/version/",
)


def _rules(rows: Sequence[Rule]) -> list[Object]:
    return [
        {
            "verbs": list(verbs),
            "apiGroups": ["" if it == "core" else it for it in groups.split(" ")],
            "resources": resources.split(),
        }
        for verbs, groups, resources in rows
    ]


def _paths(paths: Sequence[str], verb: str = "get") -> list[Object]:
    return [{"verbs": [verb], "nonResourceURLs": list(paths)}]


def _role(name: str, rules: list[Object], **more: Any) -> Object:
    labels = {**_BOOTSTRAPPING, **more.pop("labels", {})}
    metadata = {"name": name, "labels": labels, "annotations": _AUTOUPDATE}
    return {"metadata": metadata, "rules": rules, **more}


def _gathers(word: str) -> Object:
    return {"clusterRoleSelectors": [{"matchLabels": {f"{_AGGREGATE}{word}": "true"}}]}


def cluster_roles() -> list[Object]:
    """The ClusterRoles, with their rules gathered as a controller would."""
    view, edit, admin = _rules(VIEW), _rules(EDIT), _rules(ADMIN)
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    parts = [
        _role(f"system:aggregate-to-{word}", rules, labels={f"{_AGGREGATE}{word}": "true"})
        for word, rules in (("admin", admin), ("edit", edit), ("view", view))
    ]
    return [
        _role("cluster-admin", [everything, *_paths(["*"], "*")]),
        _role("admin", [*edit, *view, *admin], aggregationRule=_gathers("admin")),
        _role(
            "edit",
            [*edit, *view],
            aggregationRule=_gathers("edit"),
            labels={f"{_AGGREGATE}admin": "true"},
        ),
        _role("view", view, aggregationRule=_gathers("view"), labels={f"{_AGGREGATE}edit": "true"}),
        *parts,
        _role("system:basic-user", _rules(_BASIC)),
        _role("system:discovery", _paths(_DISCOVERY)),
        _role("system:public-info-viewer", _paths(_PUBLIC)),
    ]


def cluster_role_bindings() -> list[Object]:
    """Who has these roles."""
    everybody = ("system:authenticated",)
    rows = (
        ("cluster-admin", ("system:masters",)),
        ("system:basic-user", everybody),
        ("system:discovery", everybody),
        ("system:public-info-viewer", (*everybody, "system:unauthenticated")),
    )
    return [_binding(name, groups) for name, groups in rows]


def _binding(name: str, groups: Sequence[str]) -> Object:
    return {
        "metadata": {"name": name, "labels": _BOOTSTRAPPING, "annotations": _AUTOUPDATE},
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "Group", "apiGroup": GROUP, "name": group} for group in groups],
    }


def aggregate(store: Store, event: Event) -> None:
    """A listener that keeps the rules of roles which gather those of others."""
    if event.kind is not CLUSTER_ROLE:
        return
    roles = store.list(CLUSTER_ROLE)
    for role in roles:
        if role.get("aggregationRule"):
            rules = _gathered(role, roles)
            if rules != role.get("rules"):
                store.put(CLUSTER_ROLE, {**role, "rules": rules})


def _gathered(role: Object, roles: Sequence[Object]) -> list[Mapping[str, Any]]:
    selectors = role["aggregationRule"].get("clusterRoleSelectors") or ()
    found: list[Mapping[str, Any]] = []
    for other in roles:
        if meta_of(other)["name"] == meta_of(role)["name"]:
            continue
        if any(matches(selector, labels_of(other)) for selector in selectors):
            found += [rule for rule in other.get("rules") or () if rule not in found]
    return found
