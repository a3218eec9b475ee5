"""A team that wants to read in Git what will be applied: from its dry source to a branch of
rendered manifests, and from there to the cluster."""

from __future__ import annotations

import json

from tests.acceptance.shared import PATIENTLY, Shared
from tests.cluster.kube import Object
from tests.integration.operations.harness import as_file, config_map
from tests.servers.git_http import GitHttpServer
from tests.servers.git_repo import GitRepo, git

BRANCH = "env/staging"


def hydrated(shared: Shared, repository: GitRepo, name: str, **sync_source: str) -> Object:
    dry = {"repoURL": repository.url, "targetRevision": "main", "path": "web"}
    synced = {"targetBranch": BRANCH, "path": f"apps/{name}", **sync_source}
    return shared.application(name, sourceHydrator={"drySource": dry, "syncSource": synced})


def write_secret(url: str) -> Object:
    """What Fleet may push with, as Argo CD has it."""
    label = {"argocd.argoproj.io/secret-type": "repository-write"}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "shop-write", "namespace": "argocd", "labels": label},
        "stringData": {"url": url, "username": "fleet", "password": "push-password"},
    }


def chart(colour: str) -> dict[str, str]:
    """The files of a dry commit."""
    page = config_map("page", colour="COLOUR")
    return {
        "web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
        "web/values.yaml": f"colour: {colour}\n",
        "web/templates/a.yaml": as_file((page,)).replace("COLOUR", "{{ .Values.colour }}"),
    }


def test_what_is_applied_can_be_read_in_git_before(shared: Shared, git_http: GitHttpServer) -> None:
    ok, repository = shared.ok, git_http.repository("shop")
    first = repository.commit(chart("blue"))

    def log(*arguments: str) -> str:
        return git("log", *arguments, BRANCH, cwd=repository.path).strip()

    # reading and writing are two rights: nobody has given the second
    shared.apply(hydrated(shared, repository, "web"))
    assert "nobody gave Fleet credentials" in shared.conditions("web")["HydrationError"]
    assert git_http.counts()["push"] == 0

    # with it, the dry commit is rendered, pushed, and synced from the branch
    shared.apply(write_secret(repository.url))
    ok("app", "refresh", "web")
    ok("app", "wait", "web", "--hydrated", *PATIENTLY)
    shared.settled("web")
    assert shared.data("page") == {"colour": "blue"}
    assert "colour: blue" in repository.read("apps/web/manifest.yaml", BRANCH)
    about = json.loads(repository.read("apps/web/hydrator.metadata", BRANCH))
    assert (about["repoURL"], about["drySha"]) == (repository.url, first)
    assert f"Fleet-Dry-Sha: {first}" in log("-1", "--format=%B")
    status = ok("app", "get", "web", "-o", "json").json()["status"]
    assert status["sync"]["revision"] == repository.sha(BRANCH)
    assert status["sourceHydrator"]["lastSuccessfulOperation"]["drySHA"] == first
    assert "push-password" not in ok("audit", "changes", "-o", "json").out

    # a commit that changes no manifest makes none; one that does goes the same way
    repository.commit({"web/NOTES.md": "for people"})
    ok("app", "refresh", "web")
    second = repository.commit(chart("red"))
    ok("app", "refresh", "web")
    ok("app", "wait", "web", "--hydrated", *PATIENTLY)
    shared.follows("web")
    assert shared.data("page") == {"colour": "red"}
    assert log("--format=%(trailers:key=Fleet-Dry-Sha,valueonly)").split() == [second, first]

    # what does not render changes neither branch nor cluster
    repository.commit({"web/templates/a.yaml": "{{ nonsense }}"})
    assert "nonsense" in shared.conditions("web")["HydrationError"]
    assert log("--format=%H").count("\n") == 1
    assert shared.data("page") == {"colour": "red"}
    repository.commit(chart("green"))
    ok("app", "refresh", "web")
    ok("app", "wait", "web", "--hydrated", *PATIENTLY)
    shared.follows("web")
    assert shared.data("page") == {"colour": "green"}

    # of two applications with one folder none writes it, and what runs stays
    shared.apply(hydrated(shared, repository, "other", path="apps/web"))
    assert "apps/web" in shared.conditions("other")["HydrationError"]
    assert shared.data("page") == {"colour": "green"}
