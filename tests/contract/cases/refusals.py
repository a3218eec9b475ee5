"""Requests that are no requests: methods, content types, bodies."""

from __future__ import annotations

from tests.contract.case import case
from tests.contract.cases.creating import configmap, deployment, pod
from tests.contract.recording import JSON, JSON_PATCH, MERGE, Recorder


@case
def method_that_there_is_not(it: Recorder) -> None:
    it.ask("TRACE", it.at("configmaps"), expect=(405, "MethodNotAllowed"))


@case
def patch_of_a_collection(it: Recorder) -> None:
    it.patch(it.at("configmaps"), {}, expect=(405, "MethodNotAllowed"))


@case
def put_of_a_collection(it: Recorder) -> None:
    it.put(it.at("configmaps"), configmap(), expect=(405, "MethodNotAllowed"))


@case
def post_to_a_subresource(it: Recorder) -> None:
    it.have(it.at("deployments"), deployment())
    path = it.at("deployments", "one", "status")
    it.post(path, deployment(), expect=(405, "MethodNotAllowed"))
    it.delete(path, expect=(405, "MethodNotAllowed"))


@case
def reviews_are_only_created(it: Recorder) -> None:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    it.get(path, expect=(405, "MethodNotAllowed"))


@case
def head(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    it.ask("HEAD", it.at("configmaps", "one"), expect=405)


@case
def content_type_nobody_knows(it: Recorder) -> None:
    expect = (415, "UnsupportedMediaType")
    it.post(it.at("configmaps"), configmap(), kind="text/html", expect=expect)


@case
def patch_type_nobody_knows(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    expect = (415, "UnsupportedMediaType")
    it.patch(it.at("configmaps", "one"), {}, kind=JSON, expect=expect)


@case
def content_type_with_a_charset(it: Recorder) -> None:
    it.post(it.at("configmaps"), configmap(), kind="application/json; charset=utf-8")
    patch = {"data": {"b": "2"}}
    it.patch(it.at("configmaps", "one"), patch, kind=f"{MERGE}; charset=utf-8")


@case
def no_content_type(it: Recorder) -> None:
    it.post(it.at("configmaps"), configmap(), headers={"Content-Type": ""})


@case
def broken_json(it: Recorder) -> None:
    it.post(it.at("configmaps"), b'{"metadata": {', expect=(400, "BadRequest"))


@case
def broken_json_of_a_custom_kind(it: Recorder) -> None:
    it.shared("plain")
    it.post(it.custom(), b'{"metadata": {', expect=(400, "BadRequest"))


@case
def broken_patch(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    path = it.at("configmaps", "one")
    it.patch(path, b'{"data": ', expect=(400, "BadRequest"))
    it.patch(path, b"[{", kind=JSON_PATCH, expect=(400, "BadRequest"))


@case
def broken_yaml(it: Recorder) -> None:
    body = b"metadata: [unclosed"
    view = status_and_reason
    it.post(it.at("configmaps"), body, kind="application/yaml", expect=400, view=view)


def status_and_reason(body: object) -> object:
    """A refusal without its words, which are those of a parser."""
    assert isinstance(body, dict)
    return [body["code"], body["reason"]]


@case
def empty_body(it: Recorder) -> None:
    it.post(it.at("configmaps"), b"", expect=(400, "BadRequest"))


@case
def body_that_is_a_list(it: Recorder) -> None:
    it.post(it.at("configmaps"), [], expect=(400, "BadRequest"))


@case
def body_that_is_a_text(it: Recorder) -> None:
    it.post(it.at("configmaps"), "text", expect=(400, "BadRequest"))


@case
def metadata_of_a_wrong_type(it: Recorder) -> None:
    body = {"metadata": "one"}
    it.post(it.at("configmaps"), body, expect=(400, "BadRequest"))


@case
def label_of_a_wrong_type(it: Recorder) -> None:
    body = {"metadata": {"name": "one", "labels": {"a": 1}}}
    it.post(it.at("configmaps"), body, expect=(400, "BadRequest"))


@case
def kind_of_another_resource(it: Recorder) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "one"}}
    it.post(it.at("configmaps"), body, expect=(400, "BadRequest"))


@case
def kind_that_nobody_knows(it: Recorder) -> None:
    body = {"apiVersion": "v1", "kind": "Thing", "metadata": {"name": "one"}}
    it.post(it.at("configmaps"), body, expect=(400, "BadRequest"))


@case
def version_of_another_group(it: Recorder) -> None:
    body = {"apiVersion": "apps/v2", "kind": "Deployment", **deployment()}
    it.post(it.at("deployments"), body, expect=(400, "BadRequest"))


@case
def version_that_is_no_version(it: Recorder) -> None:
    body = {"apiVersion": "a/b/c", "kind": "Deployment", **deployment()}
    it.post(it.at("deployments"), body, expect=(400, "BadRequest"))


@case
def list_is_no_object(it: Recorder) -> None:
    body = {"apiVersion": "v1", "kind": "List", "items": []}
    it.post(it.at("configmaps"), body, expect=(400, "BadRequest"))


@case
def too_large(it: Recorder) -> None:
    body = {"metadata": {"name": "one"}, "data": {"a": "x" * (3 * 1024 * 1024 + 1024)}}
    it.post(it.at("configmaps"), body, expect=(413, "RequestEntityTooLarge"))


@case
def too_much_data(it: Recorder) -> None:
    body = {"metadata": {"name": "one"}, "data": {"a": "x" * (1024 * 1024 + 1)}}
    it.post(it.at("configmaps"), body, expect=(422, "Invalid", "Too long"))


@case
def annotations_too_long(it: Recorder) -> None:
    annotations = {"example.com/a": "x" * (256 * 1024 + 1)}
    body = {"metadata": {"name": "one", "annotations": annotations}}
    it.post(it.at("configmaps"), body, expect=(422, "Invalid", "metadata.annotations"))


@case
def name_with_an_escaped_slash(it: Recorder) -> None:
    it.get(f"{it.at('configmaps')}/a%2Fb", expect=404)


@case
def double_slash(it: Recorder) -> None:
    it.get("/api/v1//configmaps", expect=404)


@case
def trailing_slash(it: Recorder) -> None:
    it.get(f"{it.at('configmaps')}/")


@case
def logs_of_no_pod(it: Recorder) -> None:
    it.get(it.at("pods", "none", "log"), expect=(404, "NotFound"))


@case
def logs_of_a_pod_that_runs_nowhere(it: Recorder) -> None:
    it.have(it.at("pods"), pod())
    it.get(it.at("pods", "one", "log"), expect=204, accept="*/*")


@case
def logs_of_no_container(it: Recorder) -> None:
    it.have(it.at("pods"), pod())
    path = it.at("pods", "one", "log")
    it.get(f"{path}?container=other", expect=(400, "BadRequest", "container other is not valid"))


@case
def logs_need_a_container_where_there_are_two(it: Recorder) -> None:
    it.have(it.at("pods"), pod("a", "b"))
    message = "a container name must be specified for pod one, choose one of: [a b]"
    it.get(it.at("pods", "one", "log"), expect=(400, "BadRequest", message))
