"""What a cluster needs for Pods to have a place: nodes, and a class of volumes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from fleet.embedded.sandbox.bootstrap import Template, load, template
from fleet.embedded.sandbox.cluster import Cluster
from fleet.embedded.sandbox.controllers.making import made
from fleet.embedded.sandbox.controllers.pods import host_address
from fleet.embedded.sandbox.controllers.steps import CONTROLLERS, KUBELET
from fleet.embedded.sandbox.controllers.volumes import PROVISIONER, STORAGE_CLASS
from fleet.embedded.sandbox.kinds import builtin_kind
from fleet.embedded.sandbox.objects import Object, timestamp

NODES = 3


def furnish(cluster: Cluster) -> None:
    """Put what is missing into a cluster."""
    now = timestamp(cluster.now()).encode()
    for each in _furniture():
        if cluster.store.entry(each.kind, "", each.name) is None:
            load(cluster.store, each, now)


@lru_cache(maxsize=1)
def _furniture() -> Sequence[Template]:
    node, storage = builtin_kind("v1", "Node"), builtin_kind("storage.k8s.io/v1", "StorageClass")
    nodes = [template(node, _node(f"node-{it}"), KUBELET) for it in range(1, NODES + 1)]
    return [*nodes, template(storage, _storage(), CONTROLLERS)]


def _storage() -> Object:
    return made(
        "storage.k8s.io/v1",
        "StorageClass",
        STORAGE_CLASS,
        annotations={"storageclass.kubernetes.io/is-default-class": "true"},
        provisioner=PROVISIONER,
        reclaimPolicy="Delete",
        volumeBindingMode="Immediate",
        allowVolumeExpansion=True,
    )


def _node(name: str) -> Object:
    room = {"cpu": "8", "memory": "32Gi", "pods": "110", "ephemeral-storage": "100Gi"}
    told = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "simulated"}
    return made(
        "v1",
        "Node",
        name,
        labels={
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
        },
        spec={},
        status={
            "capacity": room,
            "allocatable": room,
            "conditions": [told],
            "addresses": [
                {"type": "InternalIP", "address": host_address(name)},
                {"type": "Hostname", "address": name},
            ],
            "nodeInfo": {
                "kubeletVersion": "v1.37.0",
                "operatingSystem": "linux",
                "architecture": "amd64",
                "osImage": "sandbox",
                "kernelVersion": "none",
                "containerRuntimeVersion": "none",
            },
        },
    )
