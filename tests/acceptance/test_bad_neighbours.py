"""Applications that go wrong beside one that is well: each says clearly what is wrong with it,
nothing is deleted, and the others go on."""

from __future__ import annotations

import json

from tests.acceptance.kubelet import eventually
from tests.acceptance.shared import PATIENTLY, Shared
from tests.cluster.kube import Object
from tests.integration.operations.harness import as_file, config_map
from tests.servers.git_http import GitHttpServer
from tests.servers.git_repo import GitRepo

HOOK = "argocd.argoproj.io/hook"
#: By name: what a plugin runs, and what its application says of it.
PLUGINS = {
    "garbage": ("echo '{{ garbage'", "the output of plugin garbage"),
    "floods": ("yes", "printed more than 16 MiB"),
    "fills": (
        "i=0; while head -c 60000000 /dev/zero > /tmp/$i; do i=$((i+1)); done; exit 1",
        "No space left",
    ),
    "forks": ("while :; do sleep 600 & done", "processes"),
    "lingers": ("sleep 600", "did not end within"),
}


def plugin(name: str, script: str) -> Object:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ConfigManagementPlugin",
        "metadata": {"name": name},
        "spec": {"generate": {"command": ["sh", "-c"], "args": [script]}},
    }


def test_plugins_that_print_garbage_fill_the_disk_and_fork(
    shared: Shared, git_http: GitHttpServer
) -> None:
    repository = git_http.repository("shop")
    repository.commit({f"{name}/a.txt": as_file((config_map(name),)) for name in PLUGINS})
    repository.commit({"good/a.yaml": as_file((config_map("good"),))})

    # at first they are as they should be
    applications = [
        shared.application(name, source={**source_of(repository, name), "plugin": {"name": name}})
        for name in PLUGINS
    ]
    applications.append(shared.application("good", source=source_of(repository, "good")))
    shared.apply(*(plugin(name, "cat a.txt") for name in PLUGINS), *applications)
    shared.settled(*PLUGINS, "good")

    # then each goes its own way
    shared.apply(*(plugin(name, script) for name, (script, _) in PLUGINS.items()))
    repository.commit({"good/a.yaml": as_file((config_map("good", colour="red"),))})
    shared.follows("good")
    shared.ok("app", "refresh", *PLUGINS)
    listed = shared.ok("app", "list", "-o", "json").json()
    told = {it["name"]: str(it["conditions"]) for it in listed}
    for name, (_, said) in PLUGINS.items():
        assert said in told[name], name
    assert {name: shared.data(name) for name in (*PLUGINS, "good")} == {
        **{name: {"colour": "blue"} for name in PLUGINS},
        "good": {"colour": "red"},
    }


def job(name: str, *, stuck: bool = False) -> Object:
    """A hook; a stuck one has a Pod that no node takes."""
    pod: Object = {
        "restartPolicy": "Never",
        "containers": [{"name": "one", "image": "registry.test/one:1"}],
        **({"nodeSelector": {"no": "node"}} if stuck else {}),
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "annotations": {HOOK: "PreSync"}},
        "spec": {"template": {"spec": pod}},
    }


def test_a_hook_that_never_ends_and_who_syncs_meanwhile(
    shared: Shared, git_http: GitHttpServer
) -> None:
    ok, repository = shared.ok, git_http.repository("shop")
    repository.commit({"web/a.yaml": as_file((job("migrate", stuck=True), config_map("web")))})
    repository.commit({"good/a.yaml": as_file((config_map("good"),))})
    for name in ("web", "good"):
        shared.create(name, repository.url, "--path", name, auto=False)
    ok("app", "refresh", "web", "good")
    ok("app", "sync", "web", "--async")
    waits = f"waiting for Job/{shared.namespace}/migrate"

    def state() -> Object:
        status = ok("app", "get", "web", "-o", "json").json()["status"]
        return dict(status.get("operationState", {}))

    eventually(lambda: waits in str(state().get("message")), lambda: str(state()))
    shared.refused(3, "at work", "app", "sync", "web")
    ok("app", "sync", "good", *PATIENTLY)
    assert (shared.data("web"), shared.data("good")) == (None, {"colour": "blue"})
    ok("app", "terminate-op", "web", "-y")
    eventually(lambda: state()["phase"] == "Failed", lambda: str(state()))
    eventually(lambda: shared.live("batch/v1/jobs/migrate") is None, shared.machine.log)


def test_objects_and_hooks_that_two_applications_claim(
    shared: Shared, git_http: GitHttpServer
) -> None:
    repository = git_http.repository("shop")
    mark = {HOOK: "PreSync"}
    first = (config_map("page", by="first"), config_map("hook", mark, by="first"))
    second = (config_map("page", by="second"), config_map("own"))
    third = (config_map("hook", mark, by="third"), config_map("after"))
    repository.commit({"first/a.yaml": as_file(first), "second/a.yaml": as_file(second)})
    repository.commit({"third/a.yaml": as_file(third)})
    shared.create("first", repository.url, "--path", "first")
    shared.settled("first")
    for name in ("second", "third"):
        shared.create(name, repository.url, "--path", name, "--sync-retry-limit", "0")
    shared.ok("app", "wait", "second", "third", "--operation", *PATIENTLY)

    # whoever had it keeps it, and the other says whose it is
    whose = "belongs to application first, too"
    assert whose in shared.conditions("second")["SharedResourceWarning"]
    assert whose in shared.conditions("third")["SharedResourceWarning"]
    assert shared.data("page") == shared.data("hook") == {"by": "first"}
    assert shared.data("own") == {"colour": "blue"}
    assert shared.data("after") is None  # what follows a hook does not come without it
    shared.settled("first")

    # an object that is written twice in one application: the later one is used
    twice = as_file((config_map("own", x="1"), config_map("own", x="2")))
    repository.commit({"second/a.yaml": twice})
    assert "own" in shared.conditions("second")["RepeatedResourceWarning"]
    shared.settled("second")
    assert shared.data("own") == {"x": "2"}
    assert shared.data("page") == {"by": "first"}


def test_applications_that_come_from_each_other(shared: Shared, git_http: GitHttpServer) -> None:
    repository = git_http.repository("shop")
    here = {"name": "in-cluster", "namespace": "argocd"}

    def child(name: str) -> Object:
        source = {"repoURL": repository.url, "path": name, "targetRevision": "main"}
        return shared.application(name, source=source, destination=here)

    leaf = shared.application("leaf", source=source_of(repository, "leaf"))
    repository.commit(
        {
            "root/a.yaml": as_file((child("second"), child("root"))),
            "second/a.yaml": as_file((child("root"), leaf)),
            "leaf/a.yaml": as_file((config_map("leaf"),)),
        }
    )
    shared.apply(child("root"))
    shared.ok("app", "wait", "root", "--sync", *PATIENTLY)
    eventually(lambda: shared.data("leaf") == {"colour": "blue"}, shared.machine.log)
    assert "root" in shared.conditions("root")["ResourceCycleWarning"]
    cycle = "an application cannot come from itself: root → second → root"
    eventually(
        lambda: cycle in shared.conditions("second").get("SyncError", ""), shared.machine.log
    )
    assert shared.ok("app", "get", "root", "-o", "json").json()["spec"]["source"]["path"] == "root"


def source_of(repository: GitRepo, path: str) -> Object:
    return {"repoURL": repository.url, "path": path, "targetRevision": "main"}


CUSTOMIZED = "resource.customizations."
#: A key of argocd-cm, what it says, and what is told of the objects it judges.
JUDGES = (
    (
        "health.ConfigMap",
        "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end",
        "it needs more memory than it may have",
    ),
    ("healthExprs.ConfigMap", "current: ((", "Syntax error"),
    ("healthExprs.ConfigMap", "current: 1 / int(data.zero) == 1", "divide by zero"),
)


def argocd_cm(data: dict[str, str]) -> Object:
    metadata = {"name": "argocd-cm", "namespace": "argocd"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def test_scripts_and_expressions_that_go_wrong(shared: Shared, git_http: GitHttpServer) -> None:
    repository = git_http.repository("shop")
    repository.commit({"web/a.yaml": as_file((config_map("web", zero="0"),))})
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "other"}}
    repository.commit({"other/a.yaml": as_file((secret,))})
    for name in ("web", "other"):
        shared.create(name, repository.url, "--path", name)
    shared.settled("web", "other")

    def health(name: str) -> str:
        shared.ok("app", "refresh", name)
        told = shared.ok("app", "get", name, "-o", "json").json()["status"]["health"]
        return f"{told['status']}: {told.get('message', '')}"

    try:
        for key, text, said in JUDGES:
            shared.apply(argocd_cm({CUSTOMIZED + key: text}))
            told = health("web")
            assert (told.startswith("Unknown: "), said in told) == (True, True), told
            assert health("other").startswith("Healthy"), key
        wrong = json.dumps(argocd_cm({CUSTOMIZED + "actions.ConfigMap": "a: [}"}))
        shared.refused(2, "actions.ConfigMap", "apply", "-f", "-", stdin=wrong)
    finally:
        shared.apply(argocd_cm({}))
    shared.settled("web", "other")
    assert shared.data("web") == {"zero": "0"}


def test_jq_that_never_ends(shared: Shared, git_http: GitHttpServer) -> None:
    repository = git_http.repository("shop")
    repository.commit({f"{name}/a.yaml": as_file((config_map(name),)) for name in ("web", "other")})
    endless = ".data | until(false; .)"
    rule = {"group": "", "kind": "ConfigMap", "jqPathExpressions": [endless]}
    source = source_of(repository, "web")
    shared.apply(shared.application("web", source=source, ignoreDifferences=[rule]))
    shared.create("other", repository.url, "--path", "other")
    shared.settled("other")
    assert endless in shared.conditions("web")["ComparisonError"]
    shared.apply(shared.application("web", source=source))
    shared.settled("web")
