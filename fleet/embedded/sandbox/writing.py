"""Create and update, of objects and of their status."""

from __future__ import annotations

from fleet.embedded.sandbox.bodies import (
    decoded,
    duplicates,
)
from fleet.embedded.sandbox.cluster import Cluster
from fleet.embedded.sandbox.converting import to_stored
from fleet.embedded.sandbox.kinds import Kind
from fleet.embedded.sandbox.objects import (
    Object,
    meta_of,
    name_of,
)
from fleet.embedded.sandbox.options import check_options
from fleet.embedded.sandbox.requests import Answer, Request, Target
from fleet.embedded.sandbox.statuses import (
    bad_request,
    conflict,
    invalid,
    invalid_value,
)
from fleet.embedded.sandbox.storing import (
    Write,
    check_fields,
    check_name,
    create_object,
    in_namespace,
    live,
    store_changed,
)
from fleet.embedded.sandbox.validating import unknown_fields

#: An update of what is not there creates it.
_CREATED_BY_PUT = frozenset(
    {
        ("", "endpoints"),
        ("", "events"),
        ("", "limitranges"),
        ("", "podtemplates"),
        ("", "services"),
        ("coordination.k8s.io", "leases"),
        ("rbac.authorization.k8s.io", "clusterrolebindings"),
        ("rbac.authorization.k8s.io", "clusterroles"),
        ("rbac.authorization.k8s.io", "rolebindings"),
        ("rbac.authorization.k8s.io", "roles"),
    }
)


def create(cluster: Cluster, request: Request, target: Target) -> Answer:
    """POST to a collection."""
    check_options(request, "CreateOptions")
    write = Write(cluster, request, target)
    obj = decoded(request, target.kind)
    _check_fields(write, obj, request.body)
    return create_object(write, obj)


def update(cluster: Cluster, request: Request, target: Target) -> Answer:
    """PUT of an object, or of a subresource that has its shape."""
    check_options(request, "UpdateOptions")
    write = Write(cluster, request, target)
    obj = decoded(request, target.kind)
    _check_fields(write, obj, request.body)
    name = name_of(obj)
    if not name:
        raise bad_request(
            f"the name of the object ({target.name} based on URL) was undeterminable: "
            "name must be provided"
        )
    check_name(target, obj)
    obj = in_namespace(write, obj)
    new = cluster.store.entry(target.kind, target.namespace, name) is None
    if new and target.kind.storage in _CREATED_BY_PUT and not target.subresource:
        return create_object(write, obj)
    before = live(write)
    _check_custom_version(target.kind, obj)
    uid = meta_of(obj).get("uid")
    if uid and uid != meta_of(before)["uid"]:
        raise conflict(
            target.kind,
            name,
            f"StorageError: invalid object, Code: 4, Key: /registry/{target.kind.plural}/"
            f"{target.namespace}/{name}, ResourceVersion: 0, AdditionalErrorMsg: Precondition "
            f"failed: UID in precondition: {uid}, UID in object meta: {meta_of(before)['uid']}",
        )
    return write.answer(store_changed(write, before, to_stored(cluster.kinds, target.kind, obj)))


def _check_custom_version(kind: Kind, obj: Object) -> None:
    if kind.custom is not None and not meta_of(obj).get("resourceVersion"):
        cause = invalid_value("metadata.resourceVersion", 0, "must be specified for an update")
        raise invalid(kind.group, kind.plural, name_of(obj), [cause])


def _check_fields(write: Write, obj: Object, body: bytes) -> None:
    kind = write.kind
    check_fields(
        write,
        lambda: [*unknown_fields(obj, kind.shape), *duplicates(body)],
        lambda why: bad_request(
            f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {why}'
        ),
    )
