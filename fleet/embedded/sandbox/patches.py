"""PATCH: three ways that name their changes, and server-side apply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from fleet.embedded.sandbox import merging, strategies
from fleet.embedded.sandbox.authorizing import Act, may, refusal
from fleet.embedded.sandbox.bodies import (
    from_yaml,
    media_type,
    with_kind,
)
from fleet.embedded.sandbox.cluster import Cluster
from fleet.embedded.sandbox.converting import from_stored, to_stored
from fleet.embedded.sandbox.fieldsets import FieldsInvalid, NoStep
from fleet.embedded.sandbox.kinds import Kind
from fleet.embedded.sandbox.objects import (
    Object,
    at,
    go_word,
    meta_of,
    name_of,
    namespace_of,
    with_meta,
)
from fleet.embedded.sandbox.options import check_options
from fleet.embedded.sandbox.patching import (
    PatchFailed,
    json_patch,
    merge_patch,
    strategic_patch,
)
from fleet.embedded.sandbox.requests import Answer, Request, Target
from fleet.embedded.sandbox.statuses import (
    ApiError,
    apply_conflict,
    bad_request,
    conflict,
    internal,
    invalid,
    invalid_value,
    not_found,
    unsupported_media,
)
from fleet.embedded.sandbox.storing import (
    Misfit,
    Write,
    check_fields,
    check_name,
    check_version,
    create_object,
    in_namespace,
    live,
    store_changed,
)
from fleet.embedded.sandbox.validating import unknown_fields

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"


def patch(cluster: Cluster, request: Request, target: Target) -> Answer:
    """PATCH in any of the four ways."""
    media = media_type(request)
    if media not in _PATCHES and media != APPLY:
        raise unsupported_media("415: Unsupported Media Type", {})
    if media == STRATEGIC and target.kind.custom is not None:
        raise unsupported_media(
            "the body of the request was in an unknown format - accepted media types include: "
            f"{JSON_PATCH}, {MERGE}, {APPLY}"
        )
    check_options(request, "PatchOptions", applying=media == APPLY)
    write = Write(cluster, request, target)
    if media == APPLY:
        return _apply(write)
    before = live(write)
    shown_before = from_stored(target.kind, before)
    after = patched(request, target.kind, shown_before)
    check_name(target, after)
    after = in_namespace(write, after)
    check_fields(
        write,
        lambda: unknown_fields(after, target.kind.shape),
        lambda why: _patch_misfit(after, why),
    )
    stored_after = to_stored(cluster.kinds, target.kind, after)
    try:
        return write.answer(store_changed(write, before, stored_after))
    except Misfit as error:
        raise _patch_misfit(after, error.why) from None


_PATCHES: Mapping[str, Any] = {
    JSON_PATCH: lambda obj, patch, _: json_patch(obj, patch),
    MERGE: lambda obj, patch, _: merge_patch(obj, patch),
    STRATEGIC: strategic_patch,
}


def patched(request: Request, kind: Kind, obj: Object) -> Object:
    """The object with the patch of a request.

    Raises:
        ApiError: the patch cannot be read, or does not fit.
    """
    try:
        found = orjson.loads(request.body)
    except orjson.JSONDecodeError:
        raise bad_request("invalid JSON patch") from None
    media = media_type(request)
    wanted, go_type = (
        (list, "[]handlers.jsonPatchOp")
        if media == JSON_PATCH
        else (dict, "map[string]interface {}")
    )
    if not isinstance(found, wanted):
        why = f"json: cannot unmarshal {go_word(found)} into Go value of type {go_type}"
        raise bad_request(f"error decoding patch: {why}")
    try:
        after = _PATCHES[media](obj, found, kind.shape)
    except PatchFailed as failed:
        raise _patch_error(failed) from None
    if (after.get("apiVersion"), after.get("kind")) != (kind.api_version, kind.kind):
        raise _patch_misfit(after, "the kind of an object cannot change")
    return dict(after)


def _patch_error(failed: PatchFailed) -> ApiError:
    reasons = {400: "BadRequest", 413: "RequestEntityTooLarge", 422: "Invalid"}
    details: Mapping[str, Any] | None = {} if failed.code == 422 else None
    return ApiError(failed.code, reasons.get(failed.code, ""), str(failed), details)


def _patch_misfit(obj: Object, why: str) -> ApiError:
    """422 about what a patch made of an object."""
    return invalid("", "", "", [invalid_value("patch", orjson.dumps(obj).decode(), why)])


def _apply(write: Write) -> Answer:
    """Server-side apply; creates what is not there."""
    target, cluster, kind = write.target, write.cluster, write.kind
    sent = from_yaml(write.request.body)
    _check_applied(target, sent)
    applied = in_namespace(write, with_kind(sent, kind))
    if not name_of(applied):
        applied = with_meta(applied, name=target.name)
    before = cluster.store.get(kind, target.namespace, target.name)
    if before is None and target.subresource:
        raise not_found(kind, target.name)
    if before is None and not may(cluster, write.request.user, _creation(target)):
        raise refusal(cluster, write.request.user, _creation(target))
    if before is not None:
        check_version(write, before, applied)
    elif meta_of(applied).get("uid"):
        why = "uid mismatch: the provided object specified uid {}, and no existing object was found"
        raise conflict(kind, target.name, why.format(meta_of(applied)["uid"]))
    try:
        merged = merging.apply(
            from_stored(kind, before) if before else None,
            applied,
            shape=kind.shape,
            manager=write.request.manager,
            force=write.request.flag("force"),
            now=write.now,
            subresource=target.subresource,
            reset=strategies.reset_fields(kind, target.subresource),
        )
    except merging.ApplyConflict as found:
        raise apply_conflict(str(found), found.causes) from None
    except (FieldsInvalid, NoStep) as error:
        version = kind.api_version if kind.group else f"/{kind.version}"
        where = f"{namespace_of(sent)}/{name_of(sent)}; {version}, Kind={kind.kind}"
        raise internal(f"failed to create typed patch object ({where}): {error}") from None
    if before is None:
        return create_object(write, with_meta(merged, resourceVersion=None), tracked=True)
    merged = with_meta(merged, resourceVersion=None)
    return write.answer(
        store_changed(write, before, to_stored(cluster.kinds, kind, merged), tracked=True)
    )


def _creation(target: Target) -> Act:
    return Act("create", target.kind.group, target.kind.plural, target.namespace)


def _check_applied(target: Target, sent: Any) -> None:
    if not isinstance(sent, dict):
        raise bad_request("error decoding patch: an apply is an object")
    words = (sent.get("apiVersion") or "", sent.get("kind") or "")
    if words != (target.kind.api_version, target.kind.kind):
        version = words[0] if "/" in words[0] else f"/{words[0]}"
        raise bad_request(f"invalid object type: {version}, Kind={words[1]}")
    if at(sent, "metadata", "managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    if name_of(sent):
        check_name(target, sent)
