"""Errors as Kubernetes tells them: a ``Status`` with code, reason, message and details.

The words are those of the real server; clients read them, and the contract suite compares.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from fleet.embedded.sandbox.kinds import Kind

MODIFIED = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


class Cause(NamedTuple):
    """One thing that is wrong with an object, e.g. ``FieldValueRequired`` at ``spec.x``."""

    reason: str
    message: str
    field: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


@dataclass
class ApiError(Exception):
    """What a request is answered with instead of what it asked for."""

    code: int
    reason: str
    message: str
    details: Mapping[str, Any] | None = None
    headers: Sequence[tuple[bytes, bytes]] = field(default=())

    def __str__(self) -> str:
        return f"{self.code} {self.reason}: {self.message}"

    def status(self) -> dict[str, Any]:
        """The ``Status`` object."""
        found: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            found["reason"] = self.reason
        if self.details is not None:
            found["details"] = self.details
        return {**found, "code": self.code}

    def json(self) -> bytes:
        """The ``Status`` object, encoded."""
        return orjson.dumps(self.status())


def about(kind: Kind, name: str, **more: Any) -> dict[str, Any]:
    """``details`` that name an object by its resource; empty parts are left out."""
    found = {"name": name, "group": kind.group, "kind": kind.plural, **more}
    return {key: value for key, value in found.items() if value}


def bad_request(message: str) -> ApiError:
    """400: the request itself makes no sense."""
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    """401: no token, or one that is not known."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(message: str, details: Mapping[str, Any]) -> ApiError:
    """403 with a message of its own."""
    return ApiError(403, "Forbidden", message, details)


def refused(kind: Kind, name: str, why: str, causes: Iterable[Cause] = ()) -> ApiError:
    """403: admission does not let the object be so."""
    details = about(kind, name, causes=[cause_shape(it) for it in causes])
    return forbidden(f'{kind.resource} "{name}" is forbidden: {why}', details)


def not_found(kind: Kind, name: str) -> ApiError:
    """404: no object of this name."""
    return ApiError(404, "NotFound", f'{kind.resource} "{name}" not found', about(kind, name))


def no_resource() -> ApiError:
    """404: no kind is served there."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def no_method() -> ApiError:
    """405: what is there does not take this method."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, {})


def not_acceptable(message: str, details: Mapping[str, Any] | None = None) -> ApiError:
    """406: the answer cannot be given in the form that was asked for."""
    return ApiError(406, "NotAcceptable", message, details)


def unsupported_media(message: str, details: Mapping[str, Any] | None = None) -> ApiError:
    """415: the body is in a form that is not read."""
    return ApiError(415, "UnsupportedMediaType", message, details)


def already_exists(kind: Kind, name: str, *, going: bool = False) -> ApiError:
    """409: the name is taken, perhaps by what is being deleted."""
    message = f'{kind.resource} "{name}" already exists'
    if going:
        message = f"object is being deleted: {message}"
    return ApiError(409, "AlreadyExists", message, about(kind, name))


def conflict(kind: Kind, name: str, why: str = MODIFIED) -> ApiError:
    """409: the object is not what the writer thinks it is."""
    message = f'Operation cannot be fulfilled on {kind.resource} "{name}": {why}'
    return ApiError(409, "Conflict", message, about(kind, name))


def apply_conflict(message: str, conflicts: Iterable[tuple[str, str, str]]) -> ApiError:
    """409: an apply would take fields from other managers.

    Args:
        conflicts: manager, path and message of each.
    """
    causes = [
        {"reason": "FieldManagerConflict", "message": told, "field": path}
        for _, path, told in conflicts
    ]
    return ApiError(409, "Conflict", message, {"causes": causes})


def gone(message: str, more: Mapping[str, str] | None = None) -> ApiError:
    """410: the history does not reach back that far.

    Args:
        more: metadata of the status, e.g. a new ``continue`` token.
    """
    found = ApiError(410, "Expired", message)
    return found if not more else ContinuedElsewhere(410, "Expired", message, continued=more)


@dataclass
class ContinuedElsewhere(ApiError):
    """410 for a list that can be continued, but not consistently."""

    continued: Mapping[str, str] = field(default_factory=dict)

    def status(self) -> dict[str, Any]:
        return {**super().status(), "metadata": dict(self.continued)}


def invalid(group: str, kind: str, name: str, causes: Sequence[Cause]) -> ApiError:
    """422: the object breaks rules; all of them are told."""
    told = [str(cause) for cause in dict.fromkeys(causes)]
    text = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    details = {
        "name": name,
        "group": group,
        "kind": kind,
        "causes": [cause_shape(it) for it in causes],
    }
    qualified = f"{kind}.{group}" if group else kind
    return ApiError(
        422,
        "Invalid",
        f'{qualified} "{name}" is invalid: {text}',
        {key: value for key, value in details.items() if value},
    )


def invalid_object(kind: Kind, name: str, causes: Sequence[Cause]) -> ApiError:
    """422 about an object of ``kind``."""
    return invalid(kind.group, kind.kind, name, causes)


def invalid_options(kind: str, causes: Sequence[Cause]) -> ApiError:
    """422 about query parameters or ``DeleteOptions``."""
    return invalid("meta.k8s.io", kind, "", causes)


def internal(message: str) -> ApiError:
    """500 with a message; the real server answers some wrong input with it, without a reason."""
    return ApiError(500, "", message)


def too_new(version: int, current: int) -> ApiError:
    """504: a version that does not exist yet."""
    message = f"Timeout: Too large resource version: {version}, current: {current}"
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    return ApiError(504, "Timeout", message, {"causes": [cause], "retryAfterSeconds": 1})


def cause_shape(cause: Cause) -> dict[str, str]:
    """As ``details.causes`` lists it."""
    return {"reason": cause.reason, "message": cause.message, "field": cause.field}


def unsupported_value(path: str, value: object, supported: Sequence[str]) -> Cause:
    """A word that is not one of those that may stand there."""
    words = ", ".join(f'"{word}"' for word in supported)
    shown = orjson.dumps(value).decode()
    return Cause(
        "FieldValueNotSupported", f"Unsupported value: {shown}: supported values: {words}", path
    )


def too_long(path: str, limit: int) -> Cause:
    """A text of more bytes than may be."""
    return Cause("FieldValueTooLong", f"Too long: may not be more than {limit} bytes", path)


def duplicate_value(path: str, value: object) -> Cause:
    """A value that another item of the list has already."""
    shown = orjson.dumps(value).decode()
    return Cause("FieldValueDuplicate", f"Duplicate value: {shown}", path)


def forbidden_field(path: str, why: str) -> Cause:
    """A field that may not be set here."""
    return Cause("FieldValueForbidden", f"Forbidden: {why}", path)


def required_field(path: str, why: str = "") -> Cause:
    """A field that must be set."""
    return Cause("FieldValueRequired", f"Required value{f': {why}' if why else ''}", path)


def invalid_value(path: str, value: object, why: str) -> Cause:
    """A field whose value breaks a rule."""
    shown = orjson.dumps(value).decode()
    return Cause("FieldValueInvalid", f"Invalid value: {shown}: {why}", path)
