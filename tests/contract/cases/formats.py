"""The forms of an answer: metadata alone, tables, what is not to be had."""

from __future__ import annotations

from tests.contract.case import case
from tests.contract.cases.creating import configmap, deployment, pod
from tests.contract.cases.validation import job, service
from tests.contract.recording import METADATA, METADATA_LIST, TABLE, Object, Recorder


@case
def metadata_of_an_object(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    body = it.get(it.at("configmaps", "one"), accept=METADATA).body
    assert (body["kind"], body["apiVersion"]) == ("PartialObjectMetadata", "meta.k8s.io/v1")
    assert "data" not in body


@case
def metadata_of_a_list(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    body = it.get(it.at("configmaps"), accept=METADATA_LIST).body
    assert body["kind"] == "PartialObjectMetadataList"
    assert "data" not in body["items"][0]


@case
def metadata_of_a_page(it: Recorder) -> None:
    for name in "ab":
        it.have(it.at("configmaps"), configmap(name))
    body = it.get(f"{it.at('configmaps')}?limit=1", accept=METADATA_LIST).body
    assert (len(body["items"]), body["metadata"]["remainingItemCount"]) == (1, 1)


@case
def metadata_of_what_is_written(it: Recorder) -> None:
    body = it.post(it.at("configmaps"), configmap(), accept=METADATA).body
    assert body["kind"] == "PartialObjectMetadata"
    body = it.patch(it.at("configmaps", "one"), {"data": {"b": "2"}}, accept=METADATA).body
    assert body["kind"] == "PartialObjectMetadata"


@case
def metadata_of_a_custom_object(it: Recorder) -> None:
    it.shared("plain")
    body = {"apiVersion": f"{it.group}/v1", "kind": "Widget", "metadata": {"name": "one"}}
    it.have(it.custom(), body)
    found = it.get(it.custom(), accept=METADATA_LIST).body["items"]
    assert [one["metadata"]["name"] for one in found] == ["one"]


def columns(body: Object) -> list[str]:
    """Names of the columns of a table."""
    return [it["name"] for it in body["columnDefinitions"]]


@case
def table_of_configmaps(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    body = it.get(it.at("configmaps"), accept=TABLE).body
    assert columns(body) == ["Name", "Data", "Age"]
    assert body["rows"][0]["cells"][:2] == ["one", 1]
    assert body["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


@case
def table_of_one_object(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    body = it.get(it.at("configmaps", "one"), accept=TABLE).body
    assert len(body["rows"]) == 1


@case
def table_of_nothing(it: Recorder) -> None:
    body = it.get(it.at("configmaps"), accept=TABLE).body
    assert body["rows"] == []


@case
def table_with_whole_objects(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    body = it.get(f"{it.at('configmaps')}?includeObject=Object", accept=TABLE).body
    assert body["rows"][0]["object"]["data"] == {"a": "1"}
    body = it.get(f"{it.at('configmaps')}?includeObject=None", accept=TABLE).body
    assert body["rows"][0]["object"] is None


@case
def table_or_json(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    accept = f"{TABLE},application/json"
    assert it.get(it.at("configmaps"), accept=accept).body["kind"] == "Table"


@case
def table_of_deployments(it: Recorder) -> None:
    it.have(it.at("deployments"), deployment(replicas=2))
    body = it.get(it.at("deployments"), accept=TABLE).body
    assert columns(body)[:5] == ["Name", "Ready", "Up-to-date", "Available", "Age"]
    assert body["rows"][0]["cells"][:2] == ["one", "0/2"]


@case
def table_of_services(it: Recorder) -> None:
    it.have(it.at("services"), service({"port": 80, "name": "http"}))
    body = it.get(it.at("services"), accept=TABLE).body
    assert body["rows"][0]["cells"][4] == "80/TCP"


@case
def table_of_secrets(it: Recorder) -> None:
    it.have(it.at("secrets"), {"metadata": {"name": "one"}, "stringData": {"a": "b"}})
    body = it.get(it.at("secrets"), accept=TABLE).body
    assert body["rows"][0]["cells"][:3] == ["one", "Opaque", 1]


@case
def table_of_namespaces(it: Recorder) -> None:
    path = f"/api/v1/namespaces/{it.ns}"
    body = it.get(path, accept=TABLE).body
    assert body["rows"][0]["cells"][:2] == [it.ns, "Active"]


@case
def table_of_jobs(it: Recorder) -> None:
    it.have(it.at("jobs"), job())
    body = it.get(it.at("jobs"), accept=TABLE).body
    assert columns(body)[:4] == ["Name", "Status", "Completions", "Duration"]


@case
def table_of_pods(it: Recorder) -> None:
    it.have(it.at("pods"), pod())
    body = it.get(it.at("pods"), accept=TABLE).body
    assert columns(body)[:5] == ["Name", "Ready", "Status", "Restarts", "Age"]
    assert body["rows"][0]["cells"][:4] == ["one", "0/1", "Pending", "0"]


@case
def table_of_ingresses(it: Recorder) -> None:
    backend = {"service": {"name": "a", "port": {"number": 80}}}
    body = {"metadata": {"name": "one"}, "spec": {"defaultBackend": backend}}
    it.have(it.at("ingresses"), body)
    table = it.get(it.at("ingresses"), accept=TABLE).body
    assert table["rows"][0]["cells"][0] == "one"


@case
def table_of_definitions(it: Recorder) -> None:
    it.shared("plain")
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.{it.group}"
    table = it.get(f"{path}?includeObject=None", accept=TABLE).body
    assert columns(table)[:4] == ["Name", "Scope", "Versions", "Created At"]


@case
def not_acceptable(it: Recorder) -> None:
    it.get(it.at("configmaps"), accept="text/html", expect=(406, "NotAcceptable"))


@case
def table_of_another_version(it: Recorder) -> None:
    accept = "application/json;as=Table;g=meta.k8s.io;v=v9"
    it.get(it.at("configmaps"), accept=accept, expect=(406, "NotAcceptable"))


@case
def yaml(it: Recorder) -> None:
    it.have(it.at("configmaps"), configmap())
    answer = it.get(it.at("configmaps", "one"), accept="application/yaml", view=first_line)
    assert answer.body.startswith("apiVersion: v1\n")


def first_line(text: str) -> str:
    """Emitters of YAML quote differently."""
    return text.partition("\n")[0]


@case
def pretty(it: Recorder) -> None:
    answer = it.get(f"{it.at('configmaps')}?pretty=true")
    assert answer.body["items"] == []
