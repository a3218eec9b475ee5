from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet import errors
from fleet.cluster.answers import QUOTED, refusal
from fleet.cluster.calls import Call, call_about
from fleet.model.clusters import ApiKind

DEPLOYMENT = ApiKind("apps", "v1", "Deployment", "deployments", namespaced=True)
SECRET = ApiKind("", "v1", "Secret", "secrets", namespaced=True)


def call(kind: ApiKind = DEPLOYMENT, verb: str = "apply") -> Call:
    return call_about(verb, kind, "PATCH", "/x", namespace="shop", name="web")


def status(reason: str, message: str = "no", **details: Any) -> bytes:
    return json.dumps(
        {"kind": "Status", "reason": reason, "message": message, "details": details}
    ).encode()


def cause(reason: str, field: str, message: str = "") -> dict[str, str]:
    return {"reason": reason, "field": field, "message": message}


def refused(code: int, body: bytes, of: Call | None = None, **headers: str) -> errors.ClusterError:
    return refusal(of or call(), "eu-1", code, body, headers)


WEBHOOK = 'admission webhook "policy.example" denied the request: no latest tags'
BROKEN_HOOK = 'Internal error occurred: failed calling webhook "x": connection refused'
CONVERSION = "conversion webhook for example.org/v1, Kind=Widget failed: Post ..."
IMMUTABLE = "Deployment is invalid: spec.selector: Invalid value: field is immutable"
STATEFUL = "updates to statefulset spec for fields other than 'replicas' are forbidden"
TYPED = "failed to create typed patch object: .spec.x: field not declared in schema"


@pytest.mark.parametrize(
    ("code", "body", "error"),
    [
        (307, b"", errors.ClusterError),
        (400, status("BadRequest"), errors.ObjectRejected),
        (400, b"<html>", errors.ObjectRejected),
        (401, status("Unauthorized"), errors.ClusterAuthFailed),
        (403, status("Forbidden", "User x cannot patch"), errors.ObjectRejected),
        (403, status("Forbidden", WEBHOOK), errors.AdmissionDenied),
        (400, status("", WEBHOOK), errors.AdmissionDenied),
        (403, status("Forbidden", "exceeded quota: pods=1"), errors.AdmissionDenied),
        (404, status("NotFound", name="web", kind="deployments"), errors.ObjectRejected),
        (404, status("NotFound"), errors.KindUnknown),
        (404, b"404 page not found", errors.KindUnknown),
        (409, status("Conflict"), errors.ObjectRejected),
        (409, status("AlreadyExists"), errors.ObjectRejected),
        (410, status("Expired"), errors.WatchExpired),
        (413, b"", errors.ObjectRejected),
        (422, status("Invalid"), errors.ObjectRejected),
        (422, status("Invalid", IMMUTABLE), errors.ImmutableField),
        (422, status("Invalid", STATEFUL), errors.ImmutableField),
        (429, b"", errors.ClusterBusy),
        (500, status("InternalError", BROKEN_HOOK), errors.AdmissionDenied),
        (500, status("", CONVERSION), errors.AdmissionDenied),
        (500, status("", TYPED), errors.FieldUnknown),
        (500, status("", "etcdserver: request timed out"), errors.ClusterUnreachable),
        (502, b"bad gateway", errors.ClusterUnreachable),
        (503, b"service unavailable\n", errors.ObjectRejected),
        (503, b"<html>", errors.ClusterUnreachable),
        (504, status("Timeout"), errors.ClusterUnreachable),
    ],
)
def test_each_refusal_has_its_error(
    code: int, body: bytes, error: type[errors.ClusterError]
) -> None:
    assert type(refused(code, body)) is error


def test_a_conflict_names_every_manager_and_field() -> None:
    body = status(
        "Conflict",
        causes=[
            cause("FieldManagerConflict", ".spec.replicas", 'conflict with "hpa" using apps/v1'),
            cause("FieldManagerConflict", ".spec.paused", 'conflict with "me, \\"x\\""'),
        ],
    )

    found = refused(409, body)

    assert isinstance(found, errors.FieldConflict)
    assert found.conflicts == (("hpa", ".spec.replicas"), ('me, \\"x\\"', ".spec.paused"))


@pytest.mark.parametrize(
    ("body", "headers", "seconds"),
    [
        (b"", {}, 1.0),
        (b"", {"retry-after": "7"}, 7.0),
        (b"", {"retry-after": "99999999"}, 300.0),
        (b"", {"retry-after": "-1"}, 1.0),
        (b"", {"retry-after": "²"}, 1.0),
        (status("TooManyRequests", retryAfterSeconds=3), {}, 3.0),
    ],
)
def test_the_pause_is_the_servers_within_reason(
    body: bytes, headers: dict[str, str], seconds: float
) -> None:
    busy = refused(429, body, **headers)

    assert isinstance(busy, errors.ClusterBusy)
    assert busy.retry_after_seconds == seconds


def test_the_message_starts_with_the_object_and_quotes_no_strangers() -> None:
    told = str(refused(422, status("Invalid", "x" * 5000)))
    stranger = str(refused(400, b'{"token": "hunter2"}'))
    painted = str(refused(422, status("Invalid", "a\x1b[31m\nb")))

    assert told.startswith("Deployment/shop/web: apply refused on eu-1 (Invalid): xxx")
    assert len(told) < QUOTED + 100
    assert "hunter2" not in stranger
    assert painted.endswith("a [31m b")


def test_about_secrets_only_reason_and_fields_are_told() -> None:
    body = status(
        "Invalid",
        'Secret "web" is invalid: data[a]: Invalid value: "hunter2"',
        causes=[cause("FieldValueInvalid", "data[a]", 'Invalid value: "hunter2"')],
    )

    told = str(refused(422, body, call(SECRET)))

    assert told == "Secret/shop/web: apply refused on eu-1 (Invalid): data[a]"


def test_a_secret_in_a_call_or_answer_is_not_in_its_repr() -> None:
    sent = call_about("apply", SECRET, "PATCH", "/x", body=b"hunter2")

    assert "hunter2" not in repr(sent)


@given(
    st.integers(300, 599),
    st.one_of(
        st.binary(max_size=40),
        st.recursive(
            st.one_of(st.none(), st.integers(), st.text(max_size=5)),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3),
                st.dictionaries(
                    st.sampled_from(["kind", "details", "causes", "reason", "message"]), inner
                ),
            ),
        ).map(lambda value: json.dumps(value).encode()),
    ),
)
def test_no_answer_is_too_strange(code: int, body: bytes) -> None:
    assert isinstance(refused(code, body), errors.ClusterError)
