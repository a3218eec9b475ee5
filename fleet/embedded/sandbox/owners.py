"""Who owns which fields: ``metadata.managedFields``, read and written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from fleet.embedded.sandbox.fieldsets import FieldSet, union
from fleet.embedded.sandbox.objects import Object

#: With more entries of updates than this, the oldest are merged into one.
MAX_UPDATERS: Final = 10
ANCIENT: Final = "ancient-changes"

#: (manager, operation, apiVersion, subresource); an applier is the same in every version.
Key = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Owner:
    """One entry of ``managedFields``."""

    manager: str
    operation: str
    api_version: str
    subresource: str
    #: As in the entry; "" for an owner whose apply changed nothing.
    time: str
    fields: FieldSet

    @property
    def key(self) -> Key:
        """What makes two entries the same owner."""
        version = "" if self.operation == "Apply" else self.api_version
        return self.manager, self.operation, version, self.subresource

    def __str__(self) -> str:
        name = f'"{self.manager}"'
        if self.subresource:
            name += f' with subresource "{self.subresource}"'
        return f"{name} using {self.api_version}" if self.operation == "Update" else name


Owners = dict[Key, Owner]


def read_owners(obj: Mapping[str, Any] | None) -> Owners:
    """The owners that an object names; none where the entries are malformed."""
    owners: Owners = {}
    for entry in ((obj or {}).get("metadata") or {}).get("managedFields") or ():
        if (
            entry.get("operation") not in {"Apply", "Update"}
            or not entry.get("apiVersion")
            or entry.get("fieldsType") != "FieldsV1"
        ):
            return {}
        owner = Owner(
            manager=entry.get("manager", ""),
            operation=entry["operation"],
            api_version=entry["apiVersion"],
            subresource=entry.get("subresource", ""),
            time=entry.get("time") or "",
            fields=entry.get("fieldsV1") or {},
        )
        owners[owner.key] = owner
    return owners


def write_owners(obj: Object, owners: Owners) -> Object:
    """A copy of the object with these owners, sorted as the API server sorts them."""
    metadata = dict(obj.get("metadata") or {})
    if owners:
        metadata["managedFields"] = [_entry(owner) for owner in sorted(owners.values(), key=_order)]
    else:
        metadata.pop("managedFields", None)
    return {**obj, "metadata": metadata}


def _order(owner: Owner) -> tuple[str, ...]:
    return owner.operation, owner.time, owner.manager, owner.api_version, owner.subresource


def _entry(owner: Owner) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "manager": owner.manager,
        "operation": owner.operation,
        "apiVersion": owner.api_version,
        "time": owner.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": owner.fields,
        "subresource": owner.subresource,
    }
    return {name: value for name, value in entry.items() if value != ""}


def cap_updaters(owners: Owners) -> Owners:
    """Merge the oldest updaters of a version into one entry while there are too many."""
    updaters = [owner for owner in owners.values() if owner.operation == "Update"]
    excess = len(updaters) - MAX_UPDATERS
    if excess <= 0:
        return owners
    owners = dict(owners)
    first: dict[str, Owner] = {}
    for owner in sorted(updaters, key=lambda it: (it.time, it.key)):
        if excess <= 0:
            break
        oldest = first.setdefault(owner.api_version, owner)
        if oldest is owner:
            continue
        bucket_key = (ANCIENT, "Update", owner.api_version, "")
        bucket = owners.get(bucket_key)
        if bucket is None:
            bucket = replace(owners.pop(oldest.key), manager=ANCIENT, subresource="")
        fields = union(bucket.fields, owner.fields)
        owners.pop(owner.key, None)
        owners[bucket_key] = replace(bucket, fields=fields, time=owner.time)
        excess -= 1
    return owners
