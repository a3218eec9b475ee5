"""One running Fleet for many stories: each has a namespace of its own, and goes without a trace."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.acceptance.fleet_process import Done, Machine, machine
from tests.acceptance.stage import RENDER_SECONDS
from tests.cluster.kube import ApiFailed, Object, TestCluster
from tests.tools import tools_home

CLUSTER = "eu-1"
PATIENTLY = ("--timeout", "120")


@dataclass(frozen=True)
class Shared:
    """What a story works with.

    Args:
        cluster: registered as ``eu-1``.
        namespace: of that cluster, where this story's applications go.
    """

    machine: Machine
    cluster: TestCluster
    namespace: str

    def fleet(self, *arguments: str, stdin: str = "", **variables: str) -> Done:
        return self.machine.fleet(*arguments, stdin=stdin, **variables)

    def ok(self, *arguments: str, stdin: str = "") -> Done:
        return self.machine.ok(*arguments, stdin=stdin)

    def apply(self, *documents: Object) -> Done:
        return self.ok("apply", "-f", "-", stdin="\n---\n".join(map(json.dumps, documents)))

    def refused(self, code: int, said: str, *arguments: str, stdin: str = "") -> Done:
        """The command fails like this."""
        done = self.fleet(*arguments, stdin=stdin)
        assert (done.code, said in done.err) == (code, True), done
        assert "Traceback" not in done.err
        return done

    def create(
        self, name: str, url: str, *flags: str, revision: str = "main", auto: bool = True
    ) -> None:
        """An application of the story's namespace, by flags."""
        where = ("--dest-name", CLUSTER, "--dest-namespace", self.namespace)
        source = ("--repo", url, "--revision", revision)
        policy = ("--sync-policy", "automated", "--auto-prune", "--self-heal") if auto else ()
        self.ok("app", "create", name, *source, *where, *policy, *flags)

    def application(self, name: str, **spec: Any) -> Object:
        """The document of one, for ``apply``."""
        return {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": name, "namespace": "argocd"},
            "spec": {
                "project": "default",
                "destination": {"name": CLUSTER, "namespace": self.namespace},
                "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
                **spec,
            },
        }

    def project(self, name: str, **spec: Any) -> Object:
        """The document of one that is open but for what is given."""
        return {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AppProject",
            "metadata": {"name": name, "namespace": "argocd"},
            "spec": {
                "sourceRepos": ["*"],
                "destinations": [{"name": CLUSTER, "server": "*", "namespace": "*"}],
                "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
                **spec,
            },
        }

    def settled(self, *names: str) -> None:
        self.ok("app", "wait", *names, "--sync", "--health", *PATIENTLY)

    def follows(self, *names: str) -> None:
        """They have looked at what Git has now, and are as it says."""
        self.ok("app", "refresh", *names)
        self.settled(*names)

    def conditions(self, name: str) -> dict[str, str]:
        """What is wrong with an application that looked at Git just now: type → message."""
        self.ok("app", "refresh", name)
        status = self.ok("app", "get", name, "-o", "json").json()["status"]
        return {it["type"]: it["message"] for it in status.get("conditions", [])}

    def live(self, path: str) -> Object | None:
        """An object of the cluster by its path below the namespace; None when there is none."""
        group = "api/v1" if path.count("/") == 1 else "apis/" + path.rsplit("/", 2)[0]
        where = f"/{group}/namespaces/{self.namespace}/" + "/".join(path.rsplit("/", 2)[-2:])
        try:
            found = self.cluster.request("GET", where)
        except ApiFailed as failed:
            if failed.status != 404:
                raise
            return None
        return None if "deletionTimestamp" in found["metadata"] else found

    def data(self, name: str) -> Any:
        """Of a ConfigMap, None when there is none."""
        found = self.live(f"configmaps/{name}")
        return found["data"] if found else None


@contextlib.contextmanager
def shared_machine(cluster: TestCluster) -> Iterator[Machine]:
    """A running Fleet that has the cluster, and plugins that may use what Debian has."""
    settings = {"PLUGIN_PATHS": "/usr/bin", "RENDER_TIMEOUT_SECONDS": RENDER_SECONDS}
    with machine(**settings) as made:
        (made.home / "tools").symlink_to(tools_home() / "tools")
        with made.up():
            connection = ("--kubeconfig", str(cluster.kubeconfig), "--context", cluster.name)
            made.ok("cluster", "add", CLUSTER, *connection, "-y")
            yield made


def forget_applications(made: Machine) -> None:
    """What a story leaves behind is no concern of the next one."""
    if names := made.ok("app", "list", "-o", "name").out.split():
        plain = [name.removeprefix("application/") for name in names]
        made.ok("app", "delete", *plain, "--cascade=false", "-y", "--wait", *PATIENTLY)
