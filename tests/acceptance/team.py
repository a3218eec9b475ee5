"""A team at its keyboard: what it commits, what it types, and what it then sees in its cluster."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.acceptance.conftest import connection
from tests.acceptance.fleet_process import Done, Machine
from tests.acceptance.kubelet import eventually
from tests.cluster.kube import ApiFailed, TestCluster
from tests.integration.operations.harness import Object, as_file
from tests.servers.git_repo import GitRepo

WAIT = ("--timeout", "180")


@dataclass(frozen=True)
class Team:
    """Its Fleet, its cluster ``eu-1``, its namespace there, and its repository."""

    fleet: Machine
    cluster: TestCluster
    namespace: str
    repository: GitRepo

    # what it types

    def ok(self, *arguments: str, stdin: str = "") -> Done:
        return self.fleet.ok(*arguments, stdin=stdin)

    def fails(self, code: int, *arguments: str) -> str:
        """What a command says that ends with this exit code."""
        done = self.fleet.fleet(*arguments)
        assert done.code == code, done
        return done.err + done.out

    def register(self, name: str = "eu-1") -> None:
        self.ok("cluster", "add", name, *connection(self.cluster), "-y")

    def create(self, name: str, *flags: str, path: str = "") -> None:
        source = ("--repo", self.repository.url, "--path", path or name, "--revision", "main")
        where = ("--dest-name", "eu-1", "--dest-namespace", self.namespace)
        self.ok("app", "create", name, *source, *where, *flags)

    def commit(self, folder: str, *objects: Object) -> str:
        """Make a folder of the repository hold exactly these; the commit's SHA."""
        return self.repository.commit({f"{folder}/objects.yaml": as_file(objects)})

    def release(self, name: str, *objects: Object) -> str:
        """The same, and have Fleet look at once."""
        sha = self.commit(name, *objects)
        self.ok("app", "refresh", name)
        return sha

    # what it is told

    def document(self, name: str) -> Any:
        return self.ok("app", "get", name, "-o", "json").json()

    def state(self, name: str) -> Any:
        """``operationState``; {} where nothing was done yet."""
        return self.document(name)["status"].get("operationState") or {}

    def results(self, name: str) -> list[dict[str, Any]]:
        """What the last operation says of each object."""
        return list(self.state(name)["syncResult"].get("resources") or ())

    def told(self, name: str) -> dict[str, str]:
        """The same: name of the object → message."""
        return {it["name"]: it.get("message", "") for it in self.results(name)}

    def hooks(self, name: str) -> list[tuple[str, str, str]]:
        """Phase, name and state of each hook of the last operation, sorted."""
        hooks = [it for it in self.results(name) if it.get("hookType")]
        return sorted((it["hookType"], it["name"], it["hookPhase"]) for it in hooks)

    def conditions(self, name: str) -> dict[str, str]:
        found = self.document(name)["status"].get("conditions") or ()
        return {it["type"]: it["message"] for it in found}

    def says(self, name: str, text: str) -> None:
        """Sooner or later the operation that runs does."""
        eventually(
            lambda: text in str(self.state(name).get("message")), lambda: str(self.state(name))
        )

    def warns(self, name: str, condition: str, text: str = "") -> None:
        """Sooner or later the application does."""
        eventually(
            lambda: text in self.conditions(name).get(condition, "\0"),
            lambda: f"{condition}: {self.conditions(name)}",
        )

    def settles(self, name: str, *flags: str) -> None:
        self.ok("app", "wait", name, *(flags or ("--sync", "--health")), *WAIT)

    # what is in the cluster

    def request(self, method: str, path: str, body: Object | None = None, /) -> Object:
        return self.cluster.request(method, path, body)

    def base(self, plural: str, group: str = "") -> str:
        root = f"/apis/{group}" if group else "/api/v1"
        return f"{root}/namespaces/{self.namespace}/{plural}"

    def live(self, plural: str, name: str, *, group: str = "") -> Any:
        """None when it is not there, or on its way out."""
        try:
            found = self.cluster.request("GET", f"{self.base(plural, group)}/{name}")
        except ApiFailed as failed:
            if failed.status != 404:
                raise
            return None
        return None if "deletionTimestamp" in found["metadata"] else found

    def data(self, name: str) -> Any:
        """Of a ConfigMap; None when it is not there."""
        found = self.live("configmaps", name)
        return None if found is None else found["data"]

    def names(self, plural: str, *, group: str = "") -> set[str]:
        """Of what is there and not on its way out."""
        items = self.cluster.request("GET", self.base(plural, group))["items"]
        there = [it["metadata"] for it in items if "deletionTimestamp" not in it["metadata"]]
        return {it["name"] for it in there}

    def edit(self, name: str, manager: str = "hand", **data: str) -> None:
        """Write a ConfigMap as somebody else does."""
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
        path = f"{self.base('configmaps')}/{name}?fieldManager={manager}&force=true"
        self.cluster.request("PATCH", path, body)

    def make(self, plural: str, body: Object, *, manager: str = "hand", group: str = "") -> None:
        self.cluster.request("POST", f"{self.base(plural, group)}?fieldManager={manager}", body)

    def pods_become(self, phase: str, prefix: str) -> None:
        """What a kubelet says of the pods whose names begin so; waits until there is one."""
        eventually(
            lambda: any(it.startswith(prefix) for it in self.names("pods")),
            lambda: json.dumps(sorted(self.names("pods"))),
        )
        is_ready = "True" if phase == "Running" else "False"
        ready = [{"type": it, "status": is_ready} for it in ("Ready", "ContainersReady")]
        for name in self.names("pods"):
            if name.startswith(prefix):
                path = f"{self.base('pods')}/{name}/status?fieldManager=kubelet&force=true"
                status = {"phase": phase, "conditions": ready}
                body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}}
                self.cluster.request("PATCH", path, {**body, "status": status})
