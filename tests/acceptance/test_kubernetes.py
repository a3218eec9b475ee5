"""Fleet in a cluster, by the manifests in config/kubernetes.

Fleet itself installs them, on a cluster where Pods become Ready. Then each container is started
as a kubelet would (``kubelet.py``), and works with the ServiceAccount that was installed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

import fleet
from fleet.render.sandbox import sandbox_status
from tests.acceptance.conftest import connection
from tests.acceptance.every_kind import in_the_cluster, in_the_namespace
from tests.acceptance.fleet_process import Machine, machine
from tests.acceptance.installation import COMPONENTS, PROCESSES, WAIT, Installation
from tests.acceptance.kubelet import TOKENS, can_run, eventually
from tests.cluster.kube import ApiFailed, Object, TestCluster, request
from tests.keeper import State
from tests.needs import require
from tests.servers.git_http import GitHttpServer
from tests.servers.git_repo import GitRepo
from tests.servers.postgres import EMPTY, create_database, drop_database
from tests.tools import tools_home

#: (API group, plural, name or "" for any, verb)
Right = tuple[str, str, str, str]


@pytest.fixture(scope="module")
def outer(
    full_cluster: TestCluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Machine, Path]]:
    """The Fleet that installs, and the folder of its repositories."""
    folder = tmp_path_factory.mktemp("installations")
    with machine(ALLOWED_FILE_ROOTS=str(folder)) as made:
        (made.home / "tools").symlink_to(tools_home() / "tools")
        with made.up():
            made.ok("cluster", "add", "target", *connection(full_cluster), "--keep-credentials")
            yield made, folder


@pytest.fixture(scope="module", params=COMPONENTS)
def installed(
    request: pytest.FixtureRequest,
    full_cluster: TestCluster,
    outer: tuple[Machine, Path],
    postgres: State,
) -> Iterator[Installation]:
    """Synced and Healthy, by the outer Fleet's own word."""
    installer, folder = outer
    database = create_database(postgres, template=EMPTY)
    with machine() as volumes, GitHttpServer(folder / request.param) as git:
        made = Installation(
            request.param, full_cluster, installer, database, volumes.home, git.repository()
        )
        made.install(GitRepo(folder / f"{made.mark}.git"))
        made.serve()
        yield made
        made.remove()
    drop_database(postgres, database)


@pytest.fixture(scope="module")
def running(installed: Installation) -> Iterator[Installation]:
    """The processes of the installation."""
    require(can_run(), "no bubblewrap: install Debian's package of that name")
    require(sandbox_status().is_safe, sandbox_status().message)
    with installed.running() as made:
        yield made


def tree_of(outer: Machine, name: str) -> list[Object]:
    found: list[Object] = outer.ok("app", "get", name, "-o", "json").json()["status"]["resources"]
    return found


def test_fleet_installs_itself(installed: Installation) -> None:
    resources = tree_of(installed.outer, installed.mark)
    kinds = {it["kind"] for it in resources}
    assert {"Deployment", "ServiceAccount", "Service", "NetworkPolicy"} < kinds
    assert {it["status"] for it in resources} == {"Synced"}
    deployments = [it for it in resources if it["kind"] == "Deployment"]
    assert len(deployments) == len(PROCESSES[installed.overlay])
    assert {it["health"]["status"] for it in deployments} == {"Healthy"}


def test_the_namespace_enforces_what_the_pods_keep_to(installed: Installation) -> None:
    """The API server let the Pods in, so they are what the label says."""
    path = f"/api/v1/namespaces/{installed.namespace}"
    labels = installed.cluster.request("GET", path)["metadata"]["labels"]
    level = "privileged" if "render-sandbox" in installed.components else "restricted"
    assert labels["pod-security.kubernetes.io/enforce"] == level
    assert installed.cluster.request("GET", f"{path}/pods")["items"]


def test_images_are_of_this_version(installed: Installation) -> None:
    specs = [installed.pod_of(process)["spec"] for process in PROCESSES[installed.overlay]]
    containers = [
        it for spec in specs for it in (*spec["containers"], *spec.get("initContainers", ()))
    ]
    assert {it["image"] for it in containers} == {f"fleet:{fleet.__version__}"}


def test_the_leader_has_no_token(running: Installation) -> None:
    for process, pod in running.pods.items():
        mounted = {it["mountPath"] for it in pod.container["volumeMounts"]}
        assert (TOKENS in mounted) == (process != "daemon"), process
        assert pod.spec["automountServiceAccountToken"] is False


def test_the_root_is_read_only_and_the_user_is_nobody(running: Installation) -> None:
    pod = running.front
    script = "import os; print(os.getuid(), os.statvfs('/').f_flag & os.ST_RDONLY != 0)"
    done = pod.execute("/usr/bin/python3", "-c", script)
    assert done.out.split() == ["65532", "True"], done


@pytest.mark.parametrize("again", [False, True], ids=["first", "rotated"])
def test_it_brings_an_application_to_healthy_in_its_own_cluster(
    running: Installation, again: bool
) -> None:
    name = "again" if again else "web"
    if again:
        rotate(running)
    running.git.commit(kustomized(name, web(name)))
    running.create_app(name, name)
    running.front.fleet("app", "wait", name, "--sync", "--health", "--timeout", WAIT)
    path = f"/apis/apps/v1/namespaces/{running.served}/deployments/{name}"
    assert running.cluster.request("GET", path)["status"]["availableReplicas"] == 2


def rotate(running: Installation) -> None:
    """Every Pod gets another token, and the first ones are void before anything goes on."""
    cluster = running.cluster
    for pod in running.pods.values():
        if not pod.tokens:
            continue
        first = (pod.folder / "token" / "token").read_text()
        pod.rotate(pod.bound_token("Pod", pod.manifest))
        path = f"/api/v1/namespaces/{running.namespace}/secrets/first-token-of-{pod.name}"
        cluster.request("DELETE", path)
        eventually(lambda first=first: is_void(cluster, first), pod.told)


def is_void(cluster: TestCluster, token: str) -> bool:
    try:
        request(cluster.server, cluster.ca_pem, token, "GET", "/api")
    except ApiFailed as refused:
        return refused.status == HTTPStatus.UNAUTHORIZED
    return False


def kustomized(folder: str, objects: list[Object]) -> dict[str, str]:
    """Files that take kubectl to render."""
    files = {f"{it['kind']}.json": json.dumps(it) for it in objects}
    files["kustomization.yaml"] = json.dumps({"resources": list(files)})
    return {f"{folder}/{name}": text for name, text in files.items()}


def web(name: str) -> list[Object]:
    """What a team deploys at first."""
    labels = {"app": name}
    container = {"name": "web", "image": "web", "envFrom": [{"configMapRef": {"name": name}}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    ports = [{"port": 80}]
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}},
        {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": labels, "ports": ports},
        },
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec},
    ]  # fmt: skip


def test_every_right_is_used_and_every_request_is_granted(running: Installation) -> None:
    """Granted: what the API server says that the account may, in the namespace that is served,
    without what anybody may. Used: what its audit log says that the account did, while an
    application with an object of every kind was applied, watched and deleted."""
    objects = in_the_namespace(running.mark)
    if running.is_cluster_wide:
        objects += in_the_cluster(running.mark)
    running.git.commit({f"every/{n}.json": json.dumps(it) for n, it in enumerate(objects)})
    running.create_app("every", "every")
    running.front.fleet("app", "wait", "every", "--sync", "--timeout", WAIT)
    granted = granted_to(running)
    before_the_end = {right for right in granted if right[-1] not in ("delete", "get")}
    eventually(lambda: before_the_end <= used_by(running), lambda: missing(running, granted))
    running.front.fleet("app", "delete", "every", "--cascade", "true", "--wait", "-y")
    assert used_by(running) == granted
    refused = [it for it in running.audit() if decision(it) != "allow"]
    assert refused == []


def missing(running: Installation, granted: set[Right]) -> str:
    return f"never used: {sorted(granted - used_by(running))}\n{running.front.told()}"


def decision(entry: Object) -> str:
    return str(entry["annotations"]["authorization.k8s.io/decision"])


def granted_to(running: Installation) -> set[Right]:
    """The rules of the account in the namespace that it serves, less those of an account that
    nobody gave anything."""
    pod = running.front
    ours = rules_of(running, pod.bound_token("Pod", pod.manifest))
    path = f"/api/v1/namespaces/{running.served}/serviceaccounts/default/token"
    anybody = running.cluster.request("POST", path, {"spec": {}})["status"]["token"]
    return ours - rules_of(running, anybody)


def rules_of(running: Installation, token: str) -> set[Right]:
    cluster = running.cluster
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    body = {"spec": {"namespace": running.served}}
    status = request(cluster.server, cluster.ca_pem, token, "POST", path, body)["status"]
    assert not status["incomplete"]
    return {
        (group, plural, name, verb)
        for rule in status["resourceRules"]
        for group in rule["apiGroups"]
        for plural in rule["resources"]
        for name in rule.get("resourceNames", [""])
        for verb in rule["verbs"]
    }


def used_by(running: Installation) -> set[Right]:
    """An apply that made an object took the right to create it as well as the one to patch."""
    found: set[Right] = set()
    for entry in running.audit():
        about = entry.get("objectRef")
        if about is None or about.get("apiGroup") == "authorization.k8s.io":
            continue  # discovery, which anybody may, and what this test itself asked
        group, plural = about.get("apiGroup", ""), about["resource"]
        verbs = {entry["verb"]}
        if entry["verb"] == "patch" and entry["responseStatus"]["code"] == HTTPStatus.CREATED:
            verbs.add("create")
        is_identity = (plural, about.get("name")) == ("namespaces", "kube-system")
        name = "kube-system" if is_identity else ""
        found |= {(group, plural, name, verb) for verb in verbs}
    return found


def test_whether_renders_are_walled_in_is_told(running: Installation) -> None:
    told = json.loads(running.front.fleet("version", "-o", "json").out)["server"]["sandbox"]
    if "render-sandbox" in running.components:
        assert told["kind"] == "bubblewrap"
    else:
        assert told["kind"] == "none"
        assert "RENDERS ARE NOT SANDBOXED" in told["message"]
