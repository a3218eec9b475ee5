"""The way of every write: what was sent becomes an object of its kind, its fields get owners, the
server fills in what is its own, the rules of the kind are checked, and it is stored.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

import orjson

from fleet.embedded.sandbox import merging, strategies
from fleet.embedded.sandbox.admitting import admitted
from fleet.embedded.sandbox.cluster import Cluster
from fleet.embedded.sandbox.converting import to_stored
from fleet.embedded.sandbox.defaulting import set_defaults
from fleet.embedded.sandbox.deleting import finish_if_done
from fleet.embedded.sandbox.escalating import check_grant
from fleet.embedded.sandbox.fieldsets import FieldsInvalid, NoStep
from fleet.embedded.sandbox.kinds import Kind, builtin_kind
from fleet.embedded.sandbox.objects import (
    Object,
    meta_of,
    name_of,
    new_uid,
    timestamp,
    with_meta,
)
from fleet.embedded.sandbox.reading import shown
from fleet.embedded.sandbox.requests import Answer, Request, Target
from fleet.embedded.sandbox.roundtrip import Undecodable
from fleet.embedded.sandbox.statuses import (
    MODIFIED,
    ApiError,
    Cause,
    already_exists,
    bad_request,
    conflict,
    forbidden_field,
    internal,
    invalid_object,
    invalid_value,
    not_found,
    refused,
)
from fleet.embedded.sandbox.store import packed
from fleet.embedded.sandbox.validating import validate

NAMESPACE = builtin_kind("v1", "Namespace")
SERVICE = builtin_kind("v1", "Service")
_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"  # as the real server: no vowels, nothing to misread
_SUFFIX_LENGTH = 5
_LONGEST_PREFIX = 58
_OWNED_BY_SERVER = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


@dataclass(slots=True)
class Write:
    """One write under way."""

    cluster: Cluster
    request: Request
    target: Target
    warnings: list[str] = field(default_factory=list)

    @property
    def kind(self) -> Kind:
        """The kind in the version of the request."""
        return self.target.kind

    @property
    def now(self) -> str:
        """The time as it is stored."""
        return timestamp(self.cluster.now())

    def answer(self, obj: Object, *, code: int = 200) -> Answer:
        """The object as it is now, in the form that was asked for."""
        version = int(meta_of(obj).get("resourceVersion") or 0)
        entry = packed(self.cluster.kinds.kept_as(self.kind), obj, version)
        if not version:  # a dry run of a create: it has none
            entry.meta = orjson.dumps(meta_of(obj))
        return shown(
            self.cluster,
            self.request,
            self.kind,
            entry,
            code=code,
            warnings=tuple(self.warnings),
        )


def check_fields(
    write: Write, unknown: Callable[[], list[str]], refusal: Callable[[str], ApiError]
) -> None:
    """Complain about fields that the kind does not have, as the request asks.

    Args:
        unknown: names them.
        refusal: the error of a request that wants none, from why.
    """
    mode = write.request.query.get("fieldValidation") or "Warn"
    found = unknown() if mode != "Ignore" else []
    if found and mode == "Strict":
        raise refusal(f"strict decoding error: {', '.join(found)}")
    write.warnings += found


def create_object(write: Write, obj: Object, *, tracked: bool = False) -> Answer:
    """Store a new object.

    Args:
        tracked: whether its fields have owners already, from an apply.
    """
    kind, cluster = write.kind, write.cluster
    metadata = meta_of(obj)
    if metadata.get("resourceVersion"):
        raise internal("resourceVersion should not be set on objects to be created")
    obj = in_namespace(write, obj)
    _check_namespace(write, obj)
    obj = _named(obj)
    obj = to_stored(cluster.kinds, kind, obj)
    stored = cluster.kinds.kept_as(kind)
    obj = with_meta(obj, **dict.fromkeys(_OWNED_BY_SERVER, None), selfLink=None)
    defaulted = _decoded(obj, stored, applied=tracked)
    if not tracked:
        defaulted = _tracked(write, None, defaulted, stored)
    obj = strategies.created(stored, defaulted)
    if strategies.has_status(stored):
        obj = set_defaults(obj, stored, applied=True)  # an empty status, as the type has it
    obj = with_meta(obj, uid=new_uid(), creationTimestamp=write.now)
    obj = _admitted(cluster, stored, obj, None)
    check_grant(cluster, write.request.user, stored, obj, None)
    _check(stored, obj, None)
    name = name_of(obj)
    there = cluster.store.entry(kind, write.target.namespace, name)
    if there is not None:
        going = bool(there.metadata().get("deletionTimestamp"))
        raise already_exists(kind, name, going=going)
    if not write.request.dry_run:
        obj = cluster.store.put(stored, obj)
    return write.answer(obj, code=201)


def _admitted(cluster: Cluster, kind: Kind, obj: Object, before: Object | None) -> Object:
    return admitted(
        obj,
        before,
        group=kind.group,
        plural=kind.plural,
        services=lambda: cluster.store.list(SERVICE),
    )


def in_namespace(write: Write, obj: Object) -> Object:
    """The object in the namespace of the path.

    Raises:
        ApiError: it says another one.
    """
    if not write.kind.namespaced:
        return with_meta(obj, namespace=None) if "namespace" in meta_of(obj) else obj
    said = meta_of(obj).get("namespace")
    if said and said != write.target.namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    return obj if said else with_meta(obj, namespace=write.target.namespace)


def _check_namespace(write: Write, obj: Object) -> None:
    """Admission of a new object: its namespace is there, and is to stay."""
    namespace = write.target.namespace
    if not namespace:
        return
    found = write.cluster.store.get(NAMESPACE, "", namespace)
    if found is None:
        raise not_found(NAMESPACE, namespace)
    if meta_of(found).get("deletionTimestamp"):
        cause = Cause(
            "NamespaceTerminating",
            f"namespace {namespace} is being terminated",
            "metadata.namespace",
        )
        why = (
            f"unable to create new content in namespace {namespace} because it is being terminated"
        )
        raise refused(write.kind, name_of(obj), why, [cause])


def _named(obj: Object) -> Object:
    prefix = meta_of(obj).get("generateName")
    if not prefix or name_of(obj):
        return obj
    suffix = "".join(secrets.choice(_SUFFIX) for _ in range(_SUFFIX_LENGTH))
    return with_meta(obj, name=f"{prefix[:_LONGEST_PREFIX]}{suffix}")


def check_name(target: Target, obj: Object) -> None:
    """Refuse an object that is called differently than the path says.

    Raises:
        ApiError: it is.
    """
    name = name_of(obj)
    if name != target.name:
        raise bad_request(
            f"the name of the object ({name}) does not match the name on the URL ({target.name})"
        )


def live(write: Write) -> Object:
    """The object as it is stored.

    Raises:
        ApiError: there is none.
    """
    target = write.target
    found = write.cluster.store.get(target.kind, target.namespace, target.name)
    if found is None:
        raise not_found(target.kind, target.name)
    return found


def store_changed(
    write: Write, before: Object, obj: Object, *, tracked: bool = False, subresource: str = ""
) -> Object:
    """Store a changed object, and finish its deletion when nothing holds it any more."""
    kind, cluster, part = write.kind, write.cluster, subresource or write.target.subresource
    stored = cluster.kinds.kept_as(kind)
    check_version(write, before, obj)
    kept = {key: meta_of(before).get(key) for key in (*_OWNED_BY_SERVER, "generation")}
    uid = meta_of(obj).get("uid")
    obj = _decoded(with_meta(obj, **kept, selfLink=None), stored, applied=tracked)
    if not tracked:
        obj = _tracked(write, before, obj, stored, part)
        if part == "scale":
            obj = _untimed(obj, write)
    obj = strategies.updated(stored, obj, before, part)
    obj = _timed_as_before(_admitted(cluster, stored, obj, before), before)
    check_grant(cluster, write.request.user, stored, obj, before)
    _check(stored, obj, before, [*_identity(uid, before), *_new_finalizers(obj, before)])
    if write.request.dry_run:
        return with_meta(obj, resourceVersion=meta_of(before)["resourceVersion"])
    done = finish_if_done(cluster, stored, obj)
    return done if done is not None else cluster.store.put(stored, obj)


def check_version(write: Write, before: Object, obj: Object) -> None:
    version = meta_of(obj).get("resourceVersion")
    if not version or version == meta_of(before)["resourceVersion"]:
        return
    if not version.isdecimal():
        raise internal(f'strconv.ParseUint: parsing "{version}": invalid syntax')
    raise conflict(write.kind, write.target.name, MODIFIED)


def _decoded(obj: Object, kind: Kind, *, applied: bool) -> Object:
    try:
        return set_defaults(obj, kind, applied=applied)
    except Undecodable as error:
        raise Misfit(400, "BadRequest", str(error)) from None


class Misfit(ApiError):
    """400 that is another error where a patch made the object."""

    @property
    def why(self) -> str:
        """What does not fit, without the kind that it does not fit."""
        return self.message.partition(" cannot be handled as a ")[2].partition(": ")[2]


def _identity(uid: str | None, before: Object) -> list[Cause]:
    if uid and uid != meta_of(before)["uid"]:
        return [invalid_value("metadata.uid", uid, "field is immutable")]
    return []


def _new_finalizers(obj: Object, before: Object) -> list[Cause]:
    if not meta_of(before).get("deletionTimestamp"):
        return []
    had = meta_of(before).get("finalizers") or ()
    new = [it for it in meta_of(obj).get("finalizers") or () if it not in had]
    if not new:
        return []
    shown = ", ".join(f'"{it}"' for it in new)
    why = (
        "no new finalizers can be added if the object is being deleted, found new finalizers "
        f"[]string{{{shown}}}"
    )
    return [forbidden_field("metadata.finalizers", why)]


def _tracked(
    write: Write, before: Object | None, obj: Object, kind: Kind, subresource: str = ""
) -> Object:
    if subresource == "finalize":
        return obj
    told = obj
    if kind.custom is not None:  # fields are owned in the version they were written in
        told = {**obj, "apiVersion": write.kind.api_version}
    try:
        owned = merging.track(
            before,
            told,
            shape=write.kind.shape if kind.custom else kind.shape,
            manager=write.request.manager,
            now=write.now,
            subresource=subresource,
            reset=strategies.reset_fields(kind, subresource),
        )
    except (FieldsInvalid, NoStep):
        return obj  # validation will say what is wrong
    return {**owned, "apiVersion": obj["apiVersion"]}


def _timed_as_before(obj: Object, before: Object) -> Object:
    """``obj``, with the owners of before where only their times differ: that is no change.

    An apply sets them where what was sent is not what is stored, if only by defaults.
    """
    had, has = (meta_of(it).get("managedFields") or () for it in (before, obj))
    same = [{**it, "time": ""} for it in had] == [{**it, "time": ""} for it in has]
    timed = with_meta(obj, managedFields=had or None) if same else obj
    rest = {"managedFields": None, "resourceVersion": None}
    return timed if with_meta(timed, **rest) == with_meta(before, **rest) else obj


def _untimed(obj: Object, write: Write) -> Object:
    """The real server forgets the time when it takes owners over from a scale."""
    owners = [
        {key: it for key, it in owner.items() if key != "time"}
        if (owner.get("subresource"), owner["manager"]) == ("scale", write.request.manager)
        else owner
        for owner in meta_of(obj).get("managedFields") or ()
    ]
    return with_meta(obj, managedFields=owners or None)


def _check(kind: Kind, obj: Object, before: Object | None, more: list[Cause] | None = None) -> None:
    causes = [*(more or ()), *validate(obj, kind, before)]
    if causes:
        raise invalid_object(kind, name_of(obj), causes)
