"""What a repository may hold that no cluster should get: said by file, line and object.

All of it is committed to one repository and registered at once, as the applications of a
monorepo are; each is then asked for by itself, and the good one beside them still deploys.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.acceptance.stage import RENDER_SECONDS, Stage
from tests.cluster.kube import ApiFailed
from tests.servers.git_repo import Content, GitRepo, Symlink
from tests.servers.http import HttpServer, Request, Response
from tests.servers.tls import CertificateAuthority

NAMESPACE = "bad-content"
#: What is waited for takes seconds; a busy machine is no failure.
PATIENCE_SECONDS = 300
PATIENTLY = ("--timeout", str(PATIENCE_SECONDS))


def config_map(name: str, **fields: Any) -> str:
    return json.dumps(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **fields}
    )


def chart(*dependencies: dict[str, str]) -> str:
    return json.dumps(
        {"apiVersion": "v2", "name": "web", "version": "1.0.0", "dependencies": dependencies}
    )


def bomb() -> str:
    """Nine anchors that each repeat the one before nine times: 9⁹ words."""
    names = "abcdefghi"
    lines = [f"a: &a [{', '.join(['x'] * 9)}]"]
    for before, name in itertools.pairwise(names):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]")
    return "\n".join(lines) + "\n"


HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n"
HUGE_BYTES = 100 << 20
FILES: Mapping[str, Content] = {
    "good/a.yaml": config_map("good"),
    "tab/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n\tname: a\n",
    "bomb/a.yaml": bomb(),
    "duplicate/a.yaml": HEAD + "data:\n  x: '1'\n  x: '2'\n",
    "loop/a.yaml": HEAD + "data: &x\n  y: *x\n",
    "list/a.yaml": HEAD + "---\n- 1\n- 2\n",
    "huge/a.yaml": b"#" * HUGE_BYTES + b"\n" + HEAD.encode(),
    "no-base/kustomization.yaml": "resources: [../bases/none]\n",
    "broken/Chart.yaml": chart(),
    "broken/templates/a.yaml": "kind: ConfigMap\nmetadata:\n  name: {{ .Values.x | nofunction }}\n",
    "dependency/Chart.yaml": chart({"name": "db", "version": "1", "repository": "file://../db"}),
    "dependency/templates/a.yaml": config_map("a"),
    "runaway/Chart.yaml": chart(),
    "runaway/templates/a.yaml": "{{ range until 99999 }}{{ range until 99999 }}{{ end }}{{ end }}",
    "endless/a.jsonnet": "local f(n) = if n < 2 then n else f(n - 1) + f(n - 2); f(99)\n",
}
#: By the application's path: the error's type and what its message says.
REFUSED = {
    "tab": ("RenderError", "tab/a.yaml:4", "tab"),
    "bomb": ("RenderError", "bomb/a.yaml", "alias"),
    "duplicate": ("RenderError", "duplicate/a.yaml:7", "x"),
    "loop": ("RenderError", "loop/a.yaml:6", "x"),
    "list": ("RenderError", "list/a.yaml:6", "object"),
    "huge": ("RenderError", "huge/a.yaml", "large"),
    "no-base": ("RenderError", "no-base/kustomization.yaml", "bases/none"),
    "broken": ("RenderError", "templates/a.yaml", "nofunction"),
    "dependency": ("RenderError", "db"),
    "runaway": ("RenderTimeout", RENDER_SECONDS),
    "endless": ("RenderTimeout", RENDER_SECONDS),
    "no/such/folder": ("RenderError", "no/such/folder"),
}


def name_of(path: str) -> str:
    return "content-" + path.replace("/", "-")


def application(name: str, repository: GitRepo, path: str, **spec: Any) -> dict[str, Any]:
    source = {"repoURL": repository.url, "path": path, "targetRevision": "main"}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "labels": {"case": "content"}},
        "spec": {
            "project": "default",
            "source": source,
            "destination": {"name": "target", "namespace": NAMESPACE},
            "syncPolicy": {"syncOptions": ["CreateNamespace=true"]},
            **spec,
        },
    }


def conditions(stage: Stage) -> dict[str, list[dict[str, str]]]:
    """By application, once every bad one was looked at."""
    wanted = {name_of(path) for path in REFUSED}
    ours = {name_of("good"), *wanted}  # other tests' applications are there or not, by their order
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        listed = stage.machine.ok("app", "list", "-l", "case=content", "-o", "json").json()
        seen = {it["name"]: it["conditions"] for it in listed if it["name"] in ours}
        told = {name: said for name, said in seen.items() if said}
        if told.keys() >= wanted:
            break
    assert told.keys() == wanted
    return told


@pytest.fixture(scope="module")
def repository(stage: Stage) -> GitRepo:
    """The repository with all of ``FILES``, and one application for each of its folders."""
    made = GitRepo(stage.git / "content.git")
    made.commit(FILES)
    stage.machine.ok("repo", "add", made.url)
    documents = [application(name_of(path), made, path) for path in ("good", *REFUSED)]
    stage.machine.ok("apply", "-f", "-", stdin="\n---\n".join(map(json.dumps, documents)))
    conditions(stage)
    return made


@pytest.mark.parametrize("path", REFUSED)
def test_it_is_said_what_is_wrong(stage: Stage, repository: GitRepo, path: str) -> None:
    del repository
    asked = ("app", "manifests", name_of(path), "--revision", "main", "-o", "json")
    with stage.unchanged():
        error = stage.error(stage.machine.fleet(*asked), 3)
    kind, *said = REFUSED[path]
    assert error["type"] == kind, error
    assert [text for text in said if text not in error["message"]] == [], error


def test_the_applications_say_it_too(stage: Stage, repository: GitRepo) -> None:
    del repository
    told = conditions(stage)
    for path in REFUSED:
        (condition,) = told[name_of(path)]
        assert condition["type"] == "ComparisonError"
        missing = [text for text in REFUSED[path][1:] if text not in condition["message"]]
        assert missing == [], condition


def test_only_the_good_one_deploys(stage: Stage, repository: GitRepo) -> None:
    del repository
    stage.machine.ok("app", "sync", name_of("good"), *PATIENTLY)
    stage.cluster.request("GET", f"/api/v1/namespaces/{NAMESPACE}/configmaps/good")
    refused = stage.machine.fleet("app", "sync", name_of("tab"), *PATIENTLY)
    stage.failed(refused, 3, "tab/a.yaml:4")


def test_a_link_out_of_the_repository(stage: Stage) -> None:
    made = GitRepo(stage.git / "links.git")
    made.commit({"link/a.yaml": Symlink("../../../../etc/passwd")})
    stage.machine.ok("repo", "add", made.url)
    document = application("linked", made, "link")
    stage.machine.ok("apply", "-f", "-", stdin=json.dumps(document))
    asked = ("app", "manifests", "linked", "--revision", "main", "-o", "json")
    with stage.unchanged():
        error = stage.error(stage.machine.fleet(*asked), 3)
    assert "link/a.yaml: the symlink leaves the tree" in error["message"]
    assert "root:" not in json.dumps(error)


def test_a_branch_that_does_not_exist(stage: Stage, repository: GitRepo) -> None:
    asked = ("app", "manifests", name_of("good"), "--revision", "nope", "-o", "json")
    with stage.unchanged():
        error = stage.error(stage.machine.fleet(*asked), 3)
    assert error["type"] == "RevisionNotFound"
    assert f"{repository.url} has no branch, tag or commit nope" in error["message"]
    assert error["hint"]


class Refusals:
    """One application whose only file changes from case to case."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.repository = GitRepo(stage.git / "refusals.git")
        self.repository.commit({"a/a.yaml": config_map("fine", data={"x": "1"}, immutable=True)})
        stage.machine.ok("repo", "add", self.repository.url)
        stage.machine.ok("proj", "create", "refusals", "--src", "*", "--dest", "target,bad-*")
        document = application("refusals", self.repository, "a", project="refusals")
        stage.machine.ok("apply", "-f", "-", stdin=json.dumps(document))
        stage.machine.ok("app", "sync", "refusals", *PATIENTLY)

    def sync(self, text: str, *said: str) -> None:
        """Commit this and sync it: it fails like that, and no object is made or changed."""
        self.repository.commit({"a/a.yaml": text})
        machine = self.stage.machine
        machine.ok("app", "refresh", "refusals")
        before = self.stage.counts()
        done = machine.fleet("app", "sync", "refusals", *PATIENTLY)
        self.stage.failed(done, 3)
        missing = [part for part in said if part not in done.out + done.err]
        assert missing == [], done
        after = self.stage.counts()
        assert {key: after[key] for key in after if "/" in key} == {
            key: before[key] for key in before if "/" in key
        }
        path = f"/api/v1/namespaces/{NAMESPACE}/configmaps/fine"
        assert self.stage.cluster.request("GET", path)["data"] == {"x": "1"}


@pytest.fixture(scope="module")
def refusals(stage: Stage) -> Refusals:
    return Refusals(stage)


def test_what_cannot_be_rendered_any_more(refusals: Refusals) -> None:
    refusals.sync("kind: [\n", "cannot be rendered", "a/a.yaml:")


def test_an_object_that_the_project_forbids(refusals: Refusals) -> None:
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "rules": []}
    text = json.dumps({**role, "metadata": {"name": "bad-role"}})
    refusals.sync(text, "ClusterRole/bad-role", "clusterResourceWhitelist")


def test_a_namespace_that_the_project_forbids(refusals: Refusals) -> None:
    text = config_map("a", metadata={"name": "a", "namespace": "elsewhere"})
    refusals.sync(text, "ConfigMap/elsewhere/a", "destinations of the project")


def test_an_unknown_kind(refusals: Refusals) -> None:
    mystery = {"apiVersion": "example.test/v1", "kind": "Mystery", "metadata": {"name": "a"}}
    refusals.sync(json.dumps(mystery), "Mystery", "example.test")


def test_a_namespace_that_does_not_exist(refusals: Refusals) -> None:
    text = config_map("a", metadata={"name": "a", "namespace": "bad-none"})
    refusals.sync(text, "ConfigMap/bad-none/a", '"bad-none" not found')


def test_a_field_that_cannot_be_changed(refusals: Refusals) -> None:
    text = config_map("fine", data={"x": "2"}, immutable=True)
    refusals.sync(text, f"ConfigMap/{NAMESPACE}/fine", "immutable")


CREATES_CONFIG_MAPS = {
    "apiGroups": [""],
    "apiVersions": ["v1"],
    "operations": ["CREATE"],
    "resources": ["configmaps"],
}


@contextlib.contextmanager
def in_force(stage: Stage, refused: str, **objects: dict[str, Any]) -> Iterator[None]:
    """Admission objects by their resource; inside, no ConfigMap called ``refused`` can be made."""
    group = "admissionregistration.k8s.io"
    for resource, content in objects.items():
        path = f"/apis/{group}/v1/{resource}"
        stage.cluster.request("POST", path, {"apiVersion": f"{group}/v1", **content})
    try:
        _until_denied(stage, refused)
        yield
    finally:
        for resource, content in reversed(objects.items()):
            name = content["metadata"]["name"]
            stage.cluster.request("DELETE", f"/apis/{group}/v1/{resource}/{name}")


def _until_denied(stage: Stage, name: str) -> None:
    """The API server reads its policies with a delay of its own, and has no event for it."""
    content = json.loads(config_map(name))
    path = "/api/v1/namespaces/default/configmaps?dryRun=All"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            stage.cluster.request("POST", path, content)
        except ApiFailed:
            return
    raise AssertionError("the policy did not come into force")


def test_an_admission_policy_that_refuses(stage: Stage, refusals: Refusals) -> None:
    policy = {
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "no-cats"},
        "spec": {
            "matchConstraints": {"resourceRules": [CREATES_CONFIG_MAPS]},
            "validations": [{"expression": "object.metadata.name != 'cat'", "message": "no cats"}],
        },
    }
    binding = {
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": "no-cats"},
        "spec": {"policyName": "no-cats", "validationActions": ["Deny"]},
    }
    objects = {
        "validatingadmissionpolicies": policy,
        "validatingadmissionpolicybindings": binding,
    }
    with in_force(stage, "cat", **objects):
        refusals.sync(config_map("cat"), f"ConfigMap/{NAMESPACE}/cat", "no cats")


def no_dogs(request: Request) -> Response:
    """The answer of an admission webhook that lets everything pass but what is called dog."""
    review = json.loads(request.body)
    asked = review["request"]
    verdict = {
        "uid": asked["uid"],
        "allowed": asked["object"]["metadata"]["name"] != "dog",
        "status": {"message": "this is a house of cats"},
    }
    answer = {"apiVersion": review["apiVersion"], "kind": review["kind"], "response": verdict}
    return Response(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})


def test_an_admission_webhook_that_refuses(
    stage: Stage, refusals: Refusals, authority: CertificateAuthority
) -> None:
    with HttpServer(no_dogs, tls=authority.issue("webhook", hosts=("127.0.0.1",))) as server:
        webhook = {
            "name": "no-dogs.example.test",
            "clientConfig": {
                "url": f"{server.url}/review",
                "caBundle": base64.b64encode(authority.pem.encode()).decode(),
            },
            "rules": [CREATES_CONFIG_MAPS],
            "failurePolicy": "Fail",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }
        configuration = {
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "no-dogs"},
            "webhooks": [webhook],
        }
        with in_force(stage, "dog", validatingwebhookconfigurations=configuration):
            said = (f"ConfigMap/{NAMESPACE}/dog", "no-dogs.example.test", "a house of cats")
            refusals.sync(config_map("dog"), *said)
