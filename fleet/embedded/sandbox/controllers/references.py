"""What a Pod needs from its namespace before it can start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fleet.embedded.sandbox.controllers.containers import CREATING, Waiting
from fleet.embedded.sandbox.controllers.reading import spec_of, status_of
from fleet.embedded.sandbox.controllers.steps import Seen
from fleet.embedded.sandbox.objects import Object, namespace_of

#: Field of ``envFrom``, field of ``env[].valueFrom``, field of a volume, its name there → kind.
SOURCES = (
    ("configMapRef", "configMapKeyRef", "configMap", "name", "ConfigMap"),
    ("secretRef", "secretKeyRef", "secret", "secretName", "Secret"),
)


def missing_reference(pod: Object, seen: Seen) -> Waiting | None:
    """What a Pod says that waits for the first ConfigMap or Secret that is named, not optional,
    and not there.

    A container without its environment is told to be misconfigured; one whose volume is
    missing is never made, and says no more than that it is being made.
    """
    namespace = namespace_of(pod)
    for kind, name in _environment(pod):
        if seen.get(kind, namespace, name) is None:
            told = f'{kind.lower()} "{name}" not found'
            return Waiting("CreateContainerConfigError", told)
    for kind, name in _volumes(pod):
        if seen.get(kind, namespace, name) is None:
            return Waiting(CREATING, "")
    return None


def unbound_claim(pod: Object, seen: Seen) -> str:
    """A claim that the Pod mounts and that has no volume yet; "" when all have one."""
    for name in claims_of(pod):
        claim = seen.get("PersistentVolumeClaim", namespace_of(pod), name)
        if claim is None or status_of(claim).get("phase") != "Bound":
            return name
    return ""


def claims_of(pod: Object) -> list[str]:
    """Names of the claims that a Pod mounts."""
    mounted = (it.get("persistentVolumeClaim") for it in spec_of(pod).get("volumes") or ())
    return [str(it["claimName"]) for it in mounted if it]


def _environment(pod: Object) -> Iterator[tuple[str, str]]:
    spec = spec_of(pod)
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        for whole, key, _, _, kind in SOURCES:
            for source in container.get("envFrom") or ():
                yield from _named(source.get(whole), "name", kind)
            for variable in container.get("env") or ():
                yield from _named((variable.get("valueFrom") or {}).get(key), "name", kind)


def _volumes(pod: Object) -> Iterator[tuple[str, str]]:
    for volume in spec_of(pod).get("volumes") or ():
        for _, _, field, name, kind in SOURCES:
            yield from _named(volume.get(field), name, kind)


def _named(source: Mapping[str, Any] | None, field: str, kind: str) -> Iterator[tuple[str, str]]:
    if source and source.get(field) and not source.get("optional"):
        yield kind, str(source[field])
