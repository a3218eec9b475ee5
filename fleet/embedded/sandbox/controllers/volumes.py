"""Claims and the volumes that are made for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from fleet.embedded.sandbox.controllers import knobs
from fleet.embedded.sandbox.controllers.making import (
    annotated,
    made,
    with_spec,
    with_status,
)
from fleet.embedded.sandbox.controllers.reading import (
    has_ended,
    is_ending,
    spec_of,
    status_of,
    uid_of,
)
from fleet.embedded.sandbox.controllers.references import claims_of
from fleet.embedded.sandbox.controllers.steps import Delete, Later, Seen, Step, Write
from fleet.embedded.sandbox.objects import Object, name_of, namespace_of, with_meta
from fleet.embedded.sandbox.quantities import amount

CLAIM_PROTECTION = "kubernetes.io/pvc-protection"
VOLUME_PROTECTION = "kubernetes.io/pv-protection"
PROVISIONER = "sandbox.fleet.dev/volumes"
STORAGE_CLASS = "standard"
BOUND = "pv.kubernetes.io/bind-completed"
BOUND_BY_US = "pv.kubernetes.io/bound-by-controller"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
ASKED_OF = "volume.kubernetes.io/storage-provisioner"
BIND_SECONDS = 0.0


def claim(obj: Object, seen: Seen) -> Iterator[Step]:
    """Make a volume and bind both; let go of a claim that no Pod uses any more."""
    if is_ending(obj):
        yield from _let_go(obj, CLAIM_PROTECTION, _is_used(obj, seen))
        return
    if status_of(obj).get("phase") in ("Bound", "Lost"):
        return
    named = spec_of(obj).get("volumeName")
    volume = seen.get("PersistentVolume", "", named or _volume_name(obj))
    if volume is None and not named:
        volume = _fitting(obj, seen)
    left = knobs.ready_in(obj, BIND_SECONDS, seen.now)
    waits = knobs.failure(obj) or left > 0 or (named and volume is None)
    if waits or (volume is not None and not _is_for(obj, volume)):
        yield from _pending(obj)
        if left > 0 and not knobs.failure(obj):
            yield Later(left)
        return
    yield from _bind(obj, volume or _volume(obj))


def _fitting(obj: Object, seen: Seen) -> Object | None:
    """The smallest volume that is there already, that nobody has, and that is what is asked."""
    spec = spec_of(obj)
    least = amount(((spec.get("resources") or {}).get("requests") or {}).get("storage", "0"))
    found = [
        it
        for it in seen.list("PersistentVolume")
        if not spec_of(it).get("claimRef")
        and not is_ending(it)
        and spec_of(it).get("storageClassName", "") == spec.get("storageClassName", STORAGE_CLASS)
        and {*spec.get("accessModes", ())} <= {*spec_of(it).get("accessModes", ())}
        and _size(it) >= least
    ]
    return min(found, key=_size, default=None)


def _size(volume: Object) -> Decimal:
    return amount((spec_of(volume).get("capacity") or {}).get("storage", "0"))


def _is_for(obj: Object, volume: Object) -> bool:
    """A volume that nobody has, or that waits for a claim of this name."""
    reference = spec_of(volume).get("claimRef") or {}
    uid = reference.get("uid") or uid_of(obj)
    return uid == uid_of(obj) and reference.get("name", name_of(obj)) == name_of(obj)


def _pending(obj: Object) -> Iterator[Step]:
    yield Write(annotated(obj, {ASKED_OF: PROVISIONER}))
    yield Write({**obj, "status": {"phase": "Pending"}}, subresource="status")


def _bind(obj: Object, volume: Object) -> Iterator[Step]:
    yield Write(with_spec(volume, claimRef=_claim_reference(obj)))
    yield Write({**volume, "status": {"phase": "Bound"}}, subresource="status")
    bound = annotated(obj, {BOUND: "yes", BOUND_BY_US: "yes", ASKED_OF: PROVISIONER})
    bound = with_spec(bound, volumeName=name_of(volume))
    yield Write(bound)
    status = {
        "phase": "Bound",
        "accessModes": spec_of(volume).get("accessModes"),
        "capacity": spec_of(volume).get("capacity"),
    }
    yield Write(with_status(bound, status), subresource="status")


def volume(obj: Object, seen: Seen) -> Iterator[Step]:
    """Available without a claim; gone, or released, with the claim that it was bound to."""
    reference = spec_of(obj).get("claimRef")
    bound = reference is not None and _is_held(reference, seen)
    if is_ending(obj):
        yield from _let_go(obj, VOLUME_PROTECTION, bound)
        return
    if not reference:
        phase = "Available"
    elif bound or not reference.get("uid"):
        return
    elif spec_of(obj).get("persistentVolumeReclaimPolicy") == "Delete":
        yield Delete(obj)
        return
    else:
        phase = "Released"
    yield Write({**obj, "status": {**status_of(obj), "phase": phase}}, subresource="status")


def _is_held(reference: Mapping[str, str], seen: Seen) -> bool:
    """Whether the claim is there, and the same one that the volume was bound to."""
    found = seen.get("PersistentVolumeClaim", reference.get("namespace", ""), reference["name"])
    return found is not None and reference.get("uid", uid_of(found)) == uid_of(found)


def _let_go(obj: Object, finalizer: str, used: bool) -> Iterator[Step]:
    finalizers = obj["metadata"].get("finalizers") or []
    if finalizer in finalizers and not used:
        left = [it for it in finalizers if it != finalizer]
        yield Write(with_meta(obj, finalizers=left))


def _is_used(obj: Object, seen: Seen) -> bool:
    return any(
        name_of(obj) in claims_of(it) and not has_ended(it)
        for it in seen.list("Pod", namespace_of(obj))
    )


def _volume_name(obj: Object) -> str:
    return f"pvc-{uid_of(obj)}"


def _claim_reference(obj: Object) -> dict[str, str]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": namespace_of(obj),
        "name": name_of(obj),
        "uid": uid_of(obj),
    }


def _volume(obj: Object) -> Object:
    spec = spec_of(obj)
    wanted = (spec.get("resources") or {}).get("requests") or {}
    made_now = made(
        "v1",
        "PersistentVolume",
        _volume_name(obj),
        annotations={PROVISIONED_BY: PROVISIONER},
        spec={
            "accessModes": spec.get("accessModes") or ["ReadWriteOnce"],
            "capacity": {"storage": wanted.get("storage", "1Gi")},
            "hostPath": {"path": f"/sandbox/{_volume_name(obj)}", "type": ""},
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": spec.get("storageClassName", STORAGE_CLASS),
            "volumeMode": spec.get("volumeMode", "Filesystem"),
        },
    )
    return with_meta(made_now, finalizers=[VOLUME_PROTECTION])
