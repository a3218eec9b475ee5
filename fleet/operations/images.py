"""Which images the containers of a workload run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def images_of(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """Images of a workload's containers, sorted and unique; total on nonsense."""
    found: set[str] = set()
    spec = manifest.get("spec")
    pods = [spec]
    for path in (("template", "spec"), ("jobTemplate", "spec", "template", "spec")):
        node: Any = spec
        for key in path:
            node = node.get(key) if isinstance(node, Mapping) else None
        pods.append(node)
    for pod in pods:
        if not isinstance(pod, Mapping):
            continue
        for part in ("containers", "initContainers"):
            for container in pod.get(part) or ():
                image = container.get("image") if isinstance(container, Mapping) else None
                if isinstance(image, str):
                    found.add(image)
    return tuple(sorted(found))
