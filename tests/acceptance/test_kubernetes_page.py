"""docs/kubernetes.md, followed from its first command to its last.

kubectl runs as a person would run it; what it would run in a Pod runs in that Pod as
``kubelet.py`` has it.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fleet.render.sandbox import sandbox_status
from fleet.render.tools import find_tools
from tests.acceptance.fleet_process import Done, machine, typed
from tests.acceptance.kubelet import Pod, can_run
from tests.cluster.kube import TestCluster
from tests.documents import blocks, commands
from tests.keeper import ROOT, State
from tests.needs import kubectl, require
from tests.servers.postgres import EMPTY, TestDatabase, create_database, drop_database
from tests.tools import tools_home

PAGE = (ROOT / "docs" / "kubernetes.md").read_text()
OWN = "fleet"  # the folder of the reader's kustomization
IN_POD = "kubectl exec -n fleet deployment/fleet -- fleet "
#: A database of the tests may forget what it acknowledged.
TEST_SETTING = "  - FLEET_ALLOW_UNSAFE_DATABASE=true\n"


@pytest.fixture
def folder(tmp_path: Path, full_cluster: TestCluster) -> Iterator[Path]:
    """Where a reader works: a checkout, and the kustomization of the page beside it."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    name, _, own = blocks(PAGE, "yaml")[0].partition("\n")
    path = tmp_path / name.removeprefix("# ")
    path.parent.mkdir()
    path.write_text(own + TEST_SETTING)
    yield tmp_path
    for kind, which in (("-k", str(path.parent)), ("namespace", "shop")):
        kubectl(full_cluster, "delete", "--ignore-not-found", "--wait=false", kind, which)


@pytest.fixture
def external(postgres: State) -> Iterator[TestDatabase]:
    made = create_database(postgres, template=EMPTY)
    yield made
    drop_database(postgres, made)


class Reader:
    """Does what the page says; the Pod runs from the first command in it on."""

    def __init__(
        self, cluster: TestCluster, folder: Path, database: TestDatabase, volumes: Path
    ) -> None:
        self.cluster = cluster
        self.folder = folder
        self.volumes = volumes
        program = Path(find_tools(tools_home()).kubectl.path)
        self.environment = {
            **os.environ,
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "KUBECONFIG": str(cluster.kubeconfig),
            "DATABASE_URL": database.url,
        }
        self.pod: Pod | None = None
        self.stack = ExitStack()

    def does(self, command: str) -> Done:
        if command.startswith(IN_POD):
            return self._pod().fleet(*shlex.split(command.removeprefix(IN_POD)))
        done = typed(command, self.folder, self.environment)
        assert done.code == 0, f"{command}: {done}"
        return done

    def generations(self) -> dict[str, int]:
        """How often each Deployment has changed."""
        found = self.cluster.request("GET", "/apis/apps/v1/namespaces/fleet/deployments")["items"]
        return {it["metadata"]["name"]: it["metadata"]["generation"] for it in found}

    def _pod(self) -> Pod:
        if self.pod is None:
            pods = self.cluster.request("GET", "/api/v1/namespaces/fleet/pods")["items"]
            self.pod = Pod(self.cluster, self.volumes / "pod", pods[0])
            self.stack.enter_context(self.pod.running())
        return self.pod


def test_the_page_leads_to_a_fleet_that_works(
    full_cluster: TestCluster, folder: Path, external: TestDatabase
) -> None:
    require(can_run(), "no bubblewrap: install Debian's package of that name")
    require(sandbox_status().is_safe, sandbox_status().message)
    with machine() as volumes:
        reader = Reader(full_cluster, folder, external, volumes.home)
        with reader.stack:
            done = {command: reader.does(command) for command in commands(PAGE)}
            tell(done)
            generations = reader.generations()
            reader.does(f"kubectl apply -k {OWN}")
            assert reader.generations() == generations  # nothing is rolled out anew
            clusters = reader.does(IN_POD + "cluster list -o json").json()
    assert [(it["name"], it["namespaces"]) for it in clusters] == [("in-cluster", ["shop"])]


def tell(done: dict[str, Done]) -> None:
    """What the page promises about the answers."""
    assert "RENDERS ARE NOT SANDBOXED" in done[IN_POD + "version"].out
    assert done[IN_POD + "account create-token ops"].out.startswith("flt_")
    assert "up to date" in done[IN_POD + "db check"].out
    rollout = "kubectl rollout status deployment/fleet -n fleet --timeout 5m"
    assert "successfully rolled out" in done[rollout].out


def test_the_role_that_is_shown_is_added_to_the_deployer(full_cluster: TestCluster) -> None:
    role = next(it for it in blocks(PAGE, "yaml") if "kind: ClusterRole" in it)
    said = kubectl(full_cluster, "apply", "--dry-run=server", "-f", "-", stdin=role)
    assert "fleet-certificates created" in said
    account = (ROOT / "config" / "kubernetes" / "base" / "account.yaml").read_text()
    label = 'fleet.dev/aggregate-to-deployer: "true"'
    assert label in role
    assert label in account
