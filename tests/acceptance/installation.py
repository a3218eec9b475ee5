"""An installation of Fleet by config/kubernetes, made by another Fleet and run from here."""

from __future__ import annotations

import contextlib
import json
import secrets
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.acceptance.fleet_process import Machine
from tests.acceptance.kubelet import Pod
from tests.cluster.kube import Object, TestCluster
from tests.keeper import ROOT
from tests.servers.git_repo import GitRepo
from tests.servers.postgres import TestDatabase

MANIFESTS = ROOT / "config" / "kubernetes"
WAIT = "180"
#: What is installed: an overlay, with these components, and the processes that come of it.
COMPONENTS: dict[str, tuple[str, ...]] = {"small": (), "large": ("cluster-wide", "render-sandbox")}
PROCESSES = {"small": ("",), "large": ("daemon", "worker", "api")}


@dataclass
class Installation:
    """An overlay in a namespace of its own, and a namespace that it serves."""

    overlay: str
    cluster: TestCluster
    outer: Machine
    database: TestDatabase
    folder: Path
    git: GitRepo
    mark: str = field(default_factory=lambda: secrets.token_hex(4))
    pods: dict[str, Pod] = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        return f"fleet-{self.mark}"

    @property
    def served(self) -> str:
        return f"served-{self.mark}"

    @property
    def account(self) -> str:
        return f"system:serviceaccount:{self.namespace}:fleet-{self.mark}"

    @property
    def front(self) -> Pod:
        """The one that has the API."""
        return self.pods[PROCESSES[self.overlay][-1]]

    @property
    def is_cluster_wide(self) -> bool:
        return "cluster-wide" in self.components

    def install(self, repository: GitRepo) -> None:
        """Have the outer Fleet apply it, the way that docs/kubernetes.md shows."""
        files: dict[str, str] = {
            str(file.relative_to(ROOT)): file.read_text() for file in MANIFESTS.rglob("*.yaml")
        }
        own = {
            "resources": [f"../config/kubernetes/overlays/{self.overlay}"],
            "components": [f"../config/kubernetes/components/{it}" for it in self.components],
            "namespace": self.namespace,
            "nameSuffix": f"-{self.mark}",  # ClusterRoles of other installations have others
            "configMapGenerator": [
                {"name": "fleet", "behavior": "merge", "literals": list(self.settings())}
            ],
        }
        files["ours/kustomization.yaml"] = json.dumps(own)
        repository.commit(files)
        self.outer.ok("repo", "add", repository.url)
        source = ("--repo", repository.url, "--path", "ours", "--revision", "main")
        target = ("--dest-name", "target", "--dest-namespace", self.namespace)
        self.outer.ok("app", "create", self.mark, *source, *target, "--sync-policy", "automated")
        self.outer.ok("app", "wait", self.mark, "--sync", "--health", "--timeout", WAIT)
        self._make_secrets()

    @property
    def components(self) -> tuple[str, ...]:
        return COMPONENTS[self.overlay]

    def settings(self) -> Iterator[str]:
        """What a test's database and repository need beside the defaults."""
        yield "FLEET_ALLOW_UNSAFE_DATABASE=true"
        yield "FLEET_ALLOWED_NETWORKS=127.0.0.0/8"
        yield "FLEET_RECONCILE_INTERVAL_SECONDS=10"

    def _make_secrets(self) -> None:
        ring = f"k1:{b64encode(secrets.token_bytes(32)).decode()}"
        path = f"/api/v1/namespaces/{self.namespace}/secrets"
        for name, data in (
            ("fleet-database", {"url": self.database.url}),
            ("fleet-secret-key", {"keyring": ring}),
        ):
            body = {"metadata": {"name": name}, "stringData": data}
            self.cluster.request("POST", path, body)

    def serve(self) -> None:
        """Make the namespace; a RoleBinding where the rights are not cluster-wide."""
        self.cluster.request("POST", "/api/v1/namespaces", {"metadata": {"name": self.served}})
        if self.is_cluster_wide:
            return
        path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{self.served}/rolebindings"
        role = f"fleet-deployer-{self.mark}"
        subject = {"kind": "ServiceAccount", "name": f"fleet-{self.mark}"}
        body = {
            "metadata": {"name": "fleet"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role
            },
            "subjects": [{**subject, "namespace": self.namespace}],
        }  # fmt: skip
        self.cluster.request("POST", path, body)

    def pod_of(self, process: str) -> Object:
        """One of the Pods of a Deployment, as the API server has it."""
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments"
        name = "-".join(part for part in ("fleet", process, self.mark) if part)
        wanted = self.cluster.request("GET", f"{path}/{name}")["spec"]["selector"]["matchLabels"]
        selector = "%2C".join(f"{key.replace('/', '%2F')}%3D{it}" for key, it in wanted.items())
        found = self.cluster.request(
            "GET", f"/api/v1/namespaces/{self.namespace}/pods?labelSelector={selector}"
        )
        pod: Object = found["items"][0]
        return pod

    @contextlib.contextmanager
    def running(self) -> Iterator[Installation]:
        """With a process of each kind, its own cluster registered and a repository known."""
        with contextlib.ExitStack() as stack:
            for process in PROCESSES[self.overlay]:
                folder = self.folder / (process or "up")
                pod = Pod(self.cluster, folder, self.pod_of(process), token=self.first_token)
                self.pods[process] = stack.enter_context(pod.running())
            self.front.sign_in()
            confined = () if self.is_cluster_wide else ("--namespace", self.served)
            self.front.fleet("cluster", "add", "in-cluster", "--in-cluster", *confined)
            self.front.fleet("repo", "add", self.git.url)
            yield self

    def first_token(self, pod: Pod) -> str:
        """Bound to a Secret, so that it can be made void while the Pod lives."""
        path = f"/api/v1/namespaces/{self.namespace}/secrets"
        body = {"metadata": {"name": f"first-token-of-{pod.name}"}}
        return pod.bound_token("Secret", self.cluster.request("POST", path, body))

    def create_app(self, name: str, path: str) -> None:
        source = ("--repo", self.git.url, "--path", path, "--revision", "main")
        target = ("--dest-name", "in-cluster", "--dest-namespace", self.served)
        self.front.fleet(
            "app", "create", name, *source, *target, "--sync-policy", "automated", "--auto-prune"
        )

    def audit(self) -> list[Object]:
        """What the installed account asked of the cluster so far."""
        return [it for it in self.cluster.audit() if it["user"]["username"] == self.account]

    def remove(self) -> None:
        """What the outer Fleet installed goes with the outer Fleet's application."""
        self.outer.ok("app", "delete", self.mark, "--cascade", "true", "--wait", "-y")
        self.cluster.request("DELETE", f"/api/v1/namespaces/{self.served}")
