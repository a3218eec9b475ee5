"""Objects of every kind by server-side apply: made, applied again, changed, given up in part."""

from __future__ import annotations

import copy
from collections.abc import Callable

from tests.contract.case import tabled
from tests.contract.cases.defaults import BODIES
from tests.contract.recording import GROUPS, Object, Recorder

KINDS = {
    "configmaps": "ConfigMap",
    "cronjobs": "CronJob",
    "daemonsets": "DaemonSet",
    "deployments": "Deployment",
    "endpointslices": "EndpointSlice",
    "horizontalpodautoscalers": "HorizontalPodAutoscaler",
    "ingresses": "Ingress",
    "jobs": "Job",
    "leases": "Lease",
    "limitranges": "LimitRange",
    "networkpolicies": "NetworkPolicy",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "poddisruptionbudgets": "PodDisruptionBudget",
    "pods": "Pod",
    "replicasets": "ReplicaSet",
    "resourcequotas": "ResourceQuota",
    "rolebindings": "RoleBinding",
    "roles": "Role",
    "secrets": "Secret",
    "serviceaccounts": "ServiceAccount",
    "services": "Service",
    "statefulsets": "StatefulSet",
}


def labelled(body: Object, **labels: str) -> Object:
    """``body`` with labels."""
    changed = copy.deepcopy(body)
    changed["metadata"]["labels"] = {**changed["metadata"].get("labels", {}), **labels}
    return changed


def applying(resource: str, body: Object) -> Callable[[Recorder], None]:
    """A script that lives through the life of an applied object."""
    group = GROUPS.get(resource, "v1")
    whole = {"apiVersion": group, "kind": KINDS[resource], **body}

    def script(it: Recorder) -> None:
        path = it.at(resource, "one")
        made = it.apply(path, whole, expect=201)
        again = it.apply(path, whole)
        assert again.body.get("spec") == made.body.get("spec")
        changed = it.apply(path, labelled(whole, a="b"))
        assert changed.body["metadata"]["labels"]["a"] == "b"
        assert changed.body.get("spec") == made.body.get("spec")
        given_up = it.apply(path, whole)
        assert given_up.body["metadata"].get("labels") == made.body["metadata"].get("labels")

    return script


for _name, (_resource, _body) in BODIES.items():
    tabled(__name__, _name, applying(_resource, _body))
