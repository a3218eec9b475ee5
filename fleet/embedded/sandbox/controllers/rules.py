"""Which rule looks after which kind, and whom a change concerns besides the object itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from fleet.embedded.sandbox.controllers.budgets import budget
from fleet.embedded.sandbox.controllers.cronjobs import cron_job
from fleet.embedded.sandbox.controllers.daemonsets import daemon_set
from fleet.embedded.sandbox.controllers.deployments import deployment
from fleet.embedded.sandbox.controllers.jobs import job
from fleet.embedded.sandbox.controllers.pods import pod
from fleet.embedded.sandbox.controllers.reading import is_ending, spec_of, status_of
from fleet.embedded.sandbox.controllers.references import claims_of
from fleet.embedded.sandbox.controllers.replicasets import replica_set
from fleet.embedded.sandbox.controllers.scaling import autoscaler
from fleet.embedded.sandbox.controllers.services import ingress, service
from fleet.embedded.sandbox.controllers.statefulsets import stateful_set
from fleet.embedded.sandbox.controllers.steps import Rule, Seen
from fleet.embedded.sandbox.controllers.volumes import claim, volume
from fleet.embedded.sandbox.objects import Object, controller_of, labels_of, name_of, namespace_of
from fleet.embedded.sandbox.selectors import matches

#: Kind → the version of it that rules read and write.
API_VERSIONS: Mapping[str, str] = {
    "ConfigMap": "v1",
    "Endpoints": "v1",
    "Event": "v1",
    "Node": "v1",
    "PersistentVolume": "v1",
    "PersistentVolumeClaim": "v1",
    "Pod": "v1",
    "Secret": "v1",
    "Service": "v1",
    "ServiceAccount": "v1",
    "ControllerRevision": "apps/v1",
    "DaemonSet": "apps/v1",
    "Deployment": "apps/v1",
    "ReplicaSet": "apps/v1",
    "StatefulSet": "apps/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "CronJob": "batch/v1",
    "Job": "batch/v1",
    "EndpointSlice": "discovery.k8s.io/v1",
    "Ingress": "networking.k8s.io/v1",
    "PodDisruptionBudget": "policy/v1",
    "StorageClass": "storage.k8s.io/v1",
}

RULES: Mapping[str, Rule] = {
    "CronJob": cron_job,
    "DaemonSet": daemon_set,
    "Deployment": deployment,
    "HorizontalPodAutoscaler": autoscaler,
    "Ingress": ingress,
    "Job": job,
    "PersistentVolume": volume,
    "PersistentVolumeClaim": claim,
    "Pod": pod,
    "PodDisruptionBudget": budget,
    "ReplicaSet": replica_set,
    "Service": service,
    "StatefulSet": stateful_set,
}

#: Kind, namespace, name.
Key = tuple[str, str, str]


def concerned(obj: Object, seen: Seen, *, appeared: bool) -> Iterator[Key]:
    """Whom a write or a deletion of the object concerns, itself first.

    Args:
        appeared: it was not there before.
    """
    kind = str(obj["kind"])
    if kind in RULES:
        yield kind, namespace_of(obj), name_of(obj)
    owner = controller_of(obj)
    if owner is not None and API_VERSIONS.get(owner["kind"]) == owner["apiVersion"]:
        yield owner["kind"], namespace_of(obj), owner["name"]
    for found in CONCERNED.get(kind, ()):
        yield from found(obj, seen)
    if appeared and kind in AWAITED:
        yield from _waiting(obj, seen)


def _services(pod: Object, seen: Seen) -> Iterator[Key]:
    for each in seen.list("Service", namespace_of(pod)):
        selector = spec_of(each).get("selector")
        if selector and selector.items() <= labels_of(pod).items():
            yield "Service", namespace_of(each), name_of(each)


def _budgets(pod: Object, seen: Seen) -> Iterator[Key]:
    for each in seen.list("PodDisruptionBudget", namespace_of(pod)):
        if matches(spec_of(each).get("selector"), labels_of(pod)):
            yield "PodDisruptionBudget", namespace_of(each), name_of(each)


def _adopters(pod: Object, seen: Seen) -> Iterator[Key]:
    if controller_of(pod) is not None:
        return
    for each in seen.list("ReplicaSet", namespace_of(pod)):
        if matches(spec_of(each).get("selector"), labels_of(pod)):
            yield "ReplicaSet", namespace_of(each), name_of(each)


def _claims(pod: Object, seen: Seen) -> Iterator[Key]:
    for name in claims_of(pod):
        held = seen.get("PersistentVolumeClaim", namespace_of(pod), name)
        if held is not None and is_ending(held):
            yield "PersistentVolumeClaim", namespace_of(pod), name


def _autoscalers(target: Object, seen: Seen) -> Iterator[Key]:
    for each in seen.list("HorizontalPodAutoscaler", namespace_of(target)):
        reference = spec_of(each).get("scaleTargetRef") or {}
        if (reference.get("kind"), reference.get("name")) == (target["kind"], name_of(target)):
            yield "HorizontalPodAutoscaler", namespace_of(each), name_of(each)


def _volume(held: Object, seen: Seen) -> Iterator[Key]:
    yield from _waiting(held, seen)
    if name := spec_of(held).get("volumeName"):
        yield "PersistentVolume", "", name


def _claims_on(found: Object, seen: Seen) -> Iterator[Key]:
    for each in seen.list("PersistentVolumeClaim"):
        if spec_of(each).get("volumeName") == name_of(found):
            yield "PersistentVolumeClaim", namespace_of(each), name_of(each)


def _daemon_sets(_: Object, seen: Seen) -> Iterator[Key]:
    for each in seen.list("DaemonSet"):
        yield "DaemonSet", namespace_of(each), name_of(each)


def _waiting(found: Object, seen: Seen) -> Iterator[Key]:
    """Pods that may have waited for it."""
    for each in seen.list("Pod", namespace_of(found)):
        if status_of(each).get("phase") == "Pending":
            yield "Pod", namespace_of(each), name_of(each)


def _sets_of_account(account: Object, seen: Seen) -> Iterator[Key]:
    """ReplicaSets that may have waited for it."""
    for each in seen.list("ReplicaSet", namespace_of(account)):
        pod_spec = (spec_of(each).get("template") or {}).get("spec") or {}
        if pod_spec.get("serviceAccountName") == name_of(account):
            yield "ReplicaSet", namespace_of(each), name_of(each)


Finder = Callable[[Object, Seen], Iterable[Key]]
CONCERNED: Mapping[str, Sequence[Finder]] = {
    "Pod": (_services, _budgets, _claims, _adopters),
    "Deployment": (_autoscalers,),
    "ReplicaSet": (_autoscalers,),
    "StatefulSet": (_autoscalers,),
    "PersistentVolume": (_claims_on,),
    "PersistentVolumeClaim": (_volume,),
    "ServiceAccount": (_sets_of_account,),
    "Node": (_daemon_sets,),
}
#: Kinds that a Pod may wait for.
AWAITED = ("ConfigMap", "Secret")
