"""What an API server's refusal means: HTTP status and ``Status`` body → our error.

Every message reads ``Kind/namespace/name: <verb> refused on <cluster> (<reason>): …``. Only
the words of a ``Status`` are quoted, cut at ``QUOTED`` characters: any other body may come
from a proxy, a portal or an attacker. About Secrets not even those are: the API server
repeats the values that it rejects. Source: Kubernetes ``apimachinery/api/errors``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from fleet.cluster.calls import Call
from fleet.errors import (
    AdmissionDenied,
    ClusterAuthFailed,
    ClusterBusy,
    ClusterError,
    ClusterUnreachable,
    FieldConflict,
    FieldUnknown,
    ImmutableField,
    KindUnknown,
    ObjectRejected,
    WatchExpired,
)

_UNKNOWN_HINT = "The sync option Validate=false leaves such fields out."
QUOTED = 512  # characters of the server's words: enough for its reason, not for an object
BUSY_SECONDS = 1.0  # pause after a 429 that names none; the API server's own default
LONGEST_BUSY_SECONDS = 300.0  # a Retry-After beyond is a mistake or an attack

_IMMUTABLE = re.compile(
    r"immutable|may not change once set|updates to .{1,80} for fields other than"
    r"|cannot be changed|may not be changed after",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"admission webhook \".*denied|ValidatingAdmissionPolicy|violates PodSecurity"
    r"|exceeded quota|denied the request|failed calling webhook",
    re.IGNORECASE,
)
#: An apply that does not fit the kind's schema comes as a 500 without a reason.
_UNTYPED = re.compile(r"failed to create typed (patch|live) object|field not declared in schema")
#: Each path of one: ``errors:\n  .spec.foo: field not declared in schema``.
_UNDECLARED = re.compile(r"(\.[^\s]*): field not declared in schema")
_HOOK = re.compile(r"webhook", re.IGNORECASE)
#: What the API server says, as plain text, when the service behind an APIService is down.
_AGGREGATED = (b"service unavailable", b"error trying to reach service")


@dataclass(frozen=True, slots=True)
class Cause:
    reason: str
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The parts of a ``Status`` that are read. ``is_status`` False: some other body."""

    is_status: bool
    reason: str = ""
    message: str = ""
    name: str = ""
    plural: str = ""
    causes: tuple[Cause, ...] = ()
    retry_after_seconds: float = 0.0


def verdict_of(body: bytes | Mapping[str, Any]) -> Verdict:
    """Read a ``Status``; never raises, whatever the body is."""
    status: Any = body
    if isinstance(body, bytes):
        try:
            status = orjson.loads(body)
        except orjson.JSONDecodeError:
            return Verdict(is_status=False)
    if not isinstance(status, dict) or status.get("kind") != "Status":
        return Verdict(is_status=False)
    details = status.get("details")
    details = details if isinstance(details, dict) else {}
    causes = details.get("causes")
    seconds = details.get("retryAfterSeconds")
    return Verdict(
        is_status=True,
        reason=_text(status.get("reason")),
        message=_text(status.get("message")),
        name=_text(details.get("name")),
        plural=_text(details.get("kind")),
        causes=tuple(
            Cause(_text(c.get("reason")), _text(c.get("field")), _text(c.get("message")))
            for c in (causes if isinstance(causes, list) else [])
            if isinstance(c, dict)
        ),
        retry_after_seconds=float(seconds) if isinstance(seconds, int | float) else 0.0,
    )


def refusal(
    call: Call, cluster: str, status: int, body: bytes, headers: Mapping[str, str]
) -> ClusterError:
    """The error that a non-2xx answer means. ``headers`` have lower-case names."""
    if 300 <= status < 400:
        return ClusterError(
            f"{call.subject}: {call.verb} on {cluster} was redirected, and redirects are "
            "not followed",
            hint="Register the address of the API server itself.",
        )
    if status == 401:
        return ClusterAuthFailed(
            f"Cluster/{cluster}: the API server refused our credentials (401)",
            hint="They are wrong, expired or revoked: `fleet cluster rotate-auth "
            f"{cluster}`, or give it new ones.",
            object=f"Cluster/{cluster}",
        )
    verdict = verdict_of(body)
    if status == 429:
        return _busy(cluster, verdict, headers)
    told = _told(call, cluster, status, verdict)
    if status == 410 or verdict.reason in ("Expired", "Gone"):
        return WatchExpired(told)
    if status == 404:
        return _missing(call, cluster, verdict, told)
    if status >= 500:
        return _broken(call, cluster, verdict, status=status, body=body, headers=headers, told=told)
    return _rejected(call, verdict, told)


def _busy(cluster: str, verdict: Verdict, headers: Mapping[str, str]) -> ClusterBusy:
    seconds = verdict.retry_after_seconds or BUSY_SECONDS
    written = headers.get("retry-after", "")
    if written.isascii() and written.isdigit():
        seconds = float(written)
    seconds = min(seconds, LONGEST_BUSY_SECONDS)
    return ClusterBusy(
        f"Cluster/{cluster}: the API server has too much to do and asked for a pause of "
        f"{seconds:.0f} s",
        retry_after_seconds=seconds,
    )


def _missing(call: Call, cluster: str, verdict: Verdict, told: str) -> ClusterError:
    if verdict.is_status and verdict.reason == "NotFound" and verdict.name:
        hint = ""
        if verdict.plural == "namespaces" and call.verb != "get":
            hint = (
                f"Create the namespace {verdict.name!r}, or set the sync option "
                "CreateNamespace=true."
            )
        return ObjectRejected(told, reason="NotFound", hint=hint, object=call.subject)
    return KindUnknown(
        f"{call.subject}: {call.verb} refused on {cluster} (NotFound): the cluster does not "
        f"serve {call.kind} there",
        hint="Is the CustomResourceDefinition installed, in this version?",
        object=call.subject,
    )


def _broken(
    call: Call,
    cluster: str,
    verdict: Verdict,
    *,
    status: int,
    body: bytes,
    headers: Mapping[str, str],
    told: str,
) -> ClusterError:
    """5xx. A webhook or an aggregated API that is down concerns its kinds alone: taken for
    a dead cluster it would stop everything else there."""
    if verdict.is_status and _HOOK.search(verdict.message):
        return AdmissionDenied(
            told,
            reason=verdict.reason,
            hint="A webhook on the cluster does not answer; its owner has to repair it.",
            object=call.subject,
        )
    if verdict.is_status and _UNTYPED.search(verdict.message):
        fields = tuple(_UNDECLARED.findall(verdict.message))
        if fields:
            return FieldUnknown(told, fields=fields, hint=_UNKNOWN_HINT, object=call.subject)
        return ObjectRejected(told, reason="Invalid", object=call.subject)
    if status == 503 and body.strip().startswith(_AGGREGATED):
        return ObjectRejected(
            f"{call.subject}: {call.verb} refused on {cluster} (ServiceUnavailable): the "
            f"service behind the API of {call.kind} does not answer",
            reason="ServiceUnavailable",
            hint="See the conditions of its APIService on the cluster.",
            object=call.subject,
        )
    if status == 503 and "retry-after" in headers:
        return _busy(cluster, verdict, headers)
    return ClusterUnreachable(told)


def _rejected(call: Call, verdict: Verdict, told: str) -> ObjectRejected:
    conflicts = tuple(
        (_manager_of(cause.message), cause.field)
        for cause in verdict.causes
        if cause.reason == "FieldManagerConflict"
    )
    if conflicts:
        return FieldConflict(
            told,
            conflicts=conflicts,
            hint="Remove the field from Git, or take it with --force-conflicts.",
            object=call.subject,
        )
    causes = " ".join(cause.message for cause in verdict.causes)
    if _DENIED.search(verdict.message):
        return AdmissionDenied(told, reason=verdict.reason, object=call.subject)
    if verdict.reason == "Invalid" and _IMMUTABLE.search(f"{verdict.message} {causes}"):
        return ImmutableField(
            told,
            reason=verdict.reason,
            hint="The field is fixed for the life of the object: delete it, so that it is "
            "made anew.",
            object=call.subject,
        )
    return ObjectRejected(told, reason=_reason(verdict), object=call.subject)


def _reason(verdict: Verdict) -> str:
    """The server's reason; a namespace that is going away has one only among the causes."""
    for cause in verdict.causes:
        if cause.reason == "NamespaceTerminating":
            return cause.reason
    return verdict.reason


def _told(call: Call, cluster: str, status: int, verdict: Verdict) -> str:
    reason = _reason(verdict) or f"HTTP {status}"
    if _UNTYPED.search(verdict.message):
        reason = "Invalid"
    opening = f"{call.subject}: {call.verb} refused on {cluster} ({reason})"
    if not verdict.is_status:
        return f"{opening}: the answer is not a Kubernetes Status"
    if call.confidential:
        fields = ", ".join(sorted({cause.field for cause in verdict.causes if cause.field}))
        return f"{opening}: {_cut(fields)}" if fields else opening
    return f"{opening}: {_cut(verdict.message)}" if verdict.message else opening


def _cut(words: str) -> str:
    # Control characters could repaint a terminal or forge a log line.
    clean = "".join(c if c.isprintable() else " " for c in words)
    return clean if len(clean) <= QUOTED else clean[: QUOTED - 1] + "…"


def _manager_of(message: str) -> str:
    """The manager in ``conflict with "kubectl" using apps/v1``."""
    found = re.search(r'conflict with "((?:[^"\\]|\\.)*)"', message)
    return found[1] if found else ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
