"""What a path asks for."""

from __future__ import annotations

import pytest

from fleet.embedded.sandbox.forms import form_of
from fleet.embedded.sandbox.kinds import Kinds
from fleet.embedded.sandbox.requests import NoPage, query_of, target_of
from fleet.embedded.sandbox.statuses import ApiError


def seen(method: str, path: str, *, watch: bool = False) -> tuple[str, str, str, str, str]:
    target = target_of(Kinds(), method, path, watch=watch)
    assert target is not None
    return (target.verb, target.kind.kind, target.namespace, target.name, target.subresource)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/v1/pods", ("list", "Pod", "", "", "")),
        ("GET", "/api/v1/namespaces", ("list", "Namespace", "", "", "")),
        ("GET", "/api/v1/namespaces/a", ("get", "Namespace", "", "a", "")),
        ("PUT", "/api/v1/namespaces/a/finalize", ("update", "Namespace", "", "a", "finalize")),
        ("GET", "/api/v1/namespaces/a/pods", ("list", "Pod", "a", "", "")),
        ("POST", "/api/v1/namespaces/a/pods", ("create", "Pod", "a", "", "")),
        ("DELETE", "/api/v1/namespaces/a/pods", ("deletecollection", "Pod", "a", "", "")),
        ("PATCH", "/api/v1/namespaces/a/pods/b", ("patch", "Pod", "a", "b", "")),
        ("GET", "/api/v1/namespaces/a/pods/b/log", ("get", "Pod", "a", "b", "log")),
        ("POST", "/api/v1/namespaces/a/pods/b/eviction", ("create", "Pod", "a", "b", "eviction")),
        ("GET", "/api/v1/watch/pods", ("watch", "Pod", "", "", "")),
        (
            "PATCH",
            "/apis/apps/v1/namespaces/a/deployments/b/scale",
            ("patch", "Deployment", "a", "b", "scale"),
        ),
        (
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            ("create", "SelfSubjectAccessReview", "", "", ""),
        ),
    ],
)
def test_paths(method: str, path: str, expected: tuple[str, ...]) -> None:
    assert seen(method, path) == expected


def test_watch_is_a_way_to_list() -> None:
    assert seen("GET", "/api/v1/pods", watch=True)[0] == "watch"
    assert seen("GET", "/api/v1/namespaces/a/pods/b", watch=True)[0] == "watch"


@pytest.mark.parametrize("path", ["/version", "/api", "/api/v1", "/apis/apps/v1", "/healthz"])
def test_paths_without_a_kind(path: str) -> None:
    assert target_of(Kinds(), "GET", path, watch=False) is None


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/api/v1/nothings", 404),
        ("GET", "/api/v1/namespaces/a/nodes", 404),
        ("GET", "/api/v1/namespaces/a/configmaps/b/status", 404),
        ("GET", "/api/v1/namespaces/a/pods/b/log/c", 404),
        ("GET", "/api/v1/namespaces/a/configmaps/b%2Fc", 404),
        ("POST", "/api/v1/pods", 405),
        ("PATCH", "/api/v1/namespaces/a/pods", 405),
        ("DELETE", "/api/v1/namespaces", 405),
        ("GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", 405),
        ("DELETE", "/api/v1/namespaces/a/pods/b/log", 405),
    ],
)
def test_paths_that_are_refused(method: str, path: str, code: int) -> None:
    with pytest.raises(ApiError) as refused:
        seen(method, path)
    assert refused.value.code == code


def test_a_group_that_nobody_serves_has_no_page() -> None:
    with pytest.raises(NoPage):
        seen("GET", "/apis/example.com/v1/widgets")


def test_the_first_parameter_of_a_name_counts() -> None:
    assert query_of(b"a=1&b=%20x&a=2&c=") == {"a": "1", "b": " x", "c": ""}


TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


@pytest.mark.parametrize(
    ("accept", "shape", "is_yaml"),
    [
        ("", "object", False),
        ("*/*", "object", False),
        ("application/json", "object", False),
        ("application/vnd.kubernetes.protobuf,application/json", "object", False),
        (f"{TABLE},application/json", "table", False),
        ("application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", "partial", False),
        ("application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", "partials", False),
        ("application/yaml", "object", True),
        ("application/json;as=Table;v=v9;g=meta.k8s.io,application/json", "object", False),
    ],
)
def test_forms(accept: str, shape: str, is_yaml: bool) -> None:
    form = form_of(accept)
    assert (form.shape, form.yaml) == (shape, is_yaml)


@pytest.mark.parametrize("accept", ["text/html", "application/json;as=Table;v=v9;g=meta.k8s.io"])
def test_forms_that_cannot_be_given(accept: str) -> None:
    with pytest.raises(ApiError) as refused:
        form_of(accept)
    assert refused.value.code == 406


def test_yaml_is_what_json_says() -> None:
    assert form_of("application/yaml").encoded(b'{"b": ["x"], "a": 1}') == b"a: 1\nb:\n- x\n"
