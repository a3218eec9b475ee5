"""The server as such: many clusters, ones that are broken, state that outlives the process."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from fleet.cluster import list_metadata, open_client, probe, watch
from fleet.cluster.calls import Limits
from fleet.embedded.sandbox import serving
from fleet.embedded.sandbox.serving import SandboxServer
from fleet.errors import (
    ClusterAuthFailed,
    ClusterUnreachable,
    ObjectRejected,
    Refused,
    WatchExpired,
)
from fleet.model.clusters import ApiKind
from tests.integration.sandbox.conftest import Running, Sandbox, opened

CONFIG_MAP = ApiKind("", "v1", "ConfigMap", "configmaps", namespaced=True)
MAPS = "/api/v1/namespaces/default/configmaps"


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": data}


def test_clusters_do_not_see_each_other(running: Running, tmp_path: Path) -> None:
    one, other = running.add(), running.add()
    with opened(running, one, tmp_path) as first, opened(running, other, tmp_path) as second:
        assert first.client.post(MAPS, json=config_map("mine")).status_code == 201
        assert second.client.get(f"{MAPS}/mine").status_code == 404
        stranger = {"Authorization": first.client.headers["Authorization"]}
        assert second.client.get(MAPS, headers=stranger).status_code == 401


def test_an_account_of_one_cluster_is_nobody_in_another(running: Running, tmp_path: Path) -> None:
    one, other = running.add(), running.add()
    with opened(running, one, tmp_path) as first, opened(running, other, tmp_path) as second:
        path = "/api/v1/namespaces/default/serviceaccounts/default/token"
        token = first.client.post(path, json={"spec": {}}).json()["status"]["token"]
        as_account = {"Authorization": f"Bearer {token}"}
        review = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        assert first.client.post(review, json={}, headers=as_account).status_code == 201
        assert second.client.post(review, json={}, headers=as_account).status_code == 401


async def test_fleets_own_client(sandbox: Sandbox) -> None:
    async with open_client(sandbox.connection, name="sandbox") as client:
        facts = await probe(client)
        assert facts.version.startswith("v1.37")
        assert facts.uid
        listed = await list_metadata(client, CONFIG_MAP)
        names = {item.ref.name for item in listed.items}
        assert names == {"kube-root-ca.crt"}
        events = watch(
            client, CONFIG_MAP, resource_version=listed.resource_version, timeout_seconds=5
        )
        await asyncio.to_thread(sandbox.client.post, MAPS, json=config_map("new"))
        event = await anext(events)
        assert event.type == "ADDED"
        await events.aclose()


async def test_a_compacted_version_is_expired(sandbox: Sandbox) -> None:
    sandbox.client.post(MAPS, json=config_map("new"))
    async with open_client(sandbox.connection, name="sandbox") as client:
        with pytest.raises(WatchExpired):
            async for _ in watch(client, CONFIG_MAP, resource_version="1", timeout_seconds=5):
                pass


class Control:
    """The control endpoint."""

    def __init__(self, running: Running) -> None:
        place = running.place
        self._client = httpx.Client(
            base_url=place.url,
            verify=ssl.create_default_context(cadata=place.ca_pem),
            headers={"Authorization": f"Bearer {place.admin_token}"},
            trust_env=False,
        )

    def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return self._client.request(method, f"/sandbox/{path}", json=body)

    def close(self) -> None:
        self._client.close()


@pytest.fixture
def control(running: Running) -> Iterator[Control]:
    made = Control(running)
    yield made
    made.close()


def test_control_adds_lists_and_removes(control: Control) -> None:
    added = control.ask("POST", "clusters", [{"name": "eu-1", "labels": {"region": "eu"}}])
    (made,) = added.json()["clusters"]
    assert made["labels"] == {"region": "eu"}
    assert made["server"].endswith("/clusters/eu-1")
    assert "eu-1" in [it["name"] for it in control.ask("GET", "clusters").json()["clusters"]]
    again = control.ask("POST", "clusters", [{"name": "eu-1"}])
    assert (again.status_code, again.json()["error"]["type"]) == (409, "AlreadyExists")
    assert control.ask("DELETE", "clusters/eu-1").status_code == 200
    assert control.ask("GET", "clusters/eu-1").json()["error"]["type"] == "NotFound"


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("POST", "clusters", [{"name": "Not A Name"}], 400),
        ("POST", "clusters", [{}], 400),
        ("POST", "clusters/nope/break", {"how": "slow"}, 404),
        ("POST", "clusters/nope/heal", None, 404),
        ("GET", "nothing", None, 404),
    ],
)
def test_control_says_what_is_wrong(
    control: Control, method: str, path: str, body: Any, code: int
) -> None:
    answer = control.ask(method, path, body)
    assert (answer.status_code, bool(answer.json()["error"]["message"])) == (code, True)


def test_control_is_for_its_admin_alone(running: Running) -> None:
    trust = ssl.create_default_context(cadata=running.place.ca_pem)
    answer = httpx.get(f"{running.place.url}/sandbox/clusters", verify=trust, trust_env=False)
    assert answer.status_code == 401


def break_it(sandbox: Sandbox, how: str) -> None:
    clusters = sandbox.running.server.clusters
    sandbox.running.do(lambda: clusters.break_(sandbox.cluster.name, how))


@pytest.mark.parametrize(
    ("how", "code", "reason"),
    [("500", 500, "InternalError"), ("401", 401, "Unauthorized")],
)
def test_broken_for_all(sandbox: Sandbox, how: str, code: int, reason: str) -> None:
    break_it(sandbox, how)
    answer = sandbox.client.get(MAPS)
    assert (answer.status_code, answer.json()["reason"]) == (code, reason)
    break_it(sandbox, "")
    assert sandbox.client.get(MAPS).status_code == 200


@pytest.mark.parametrize(
    ("how", "code", "part"),
    [
        ("readonly", 403, 'User "admin" cannot create resource "configmaps" in API group ""'),
        ("full", 500, "database space exceeded"),
    ],
)
def test_broken_for_writes(sandbox: Sandbox, how: str, code: int, part: str) -> None:
    break_it(sandbox, how)
    answer = sandbox.client.post(MAPS, json=config_map("new"))
    assert (answer.status_code, part in answer.json()["message"]) == (code, True)
    assert sandbox.client.get(MAPS).status_code == 200


async def test_unreachable_hangs_until_the_client_gives_up(sandbox: Sandbox) -> None:
    limits = Limits(call_seconds=0.5, page_seconds=0.5)
    async with open_client(sandbox.connection, name="sandbox", limits=limits) as client:
        listed = await list_metadata(client, CONFIG_MAP)
        break_it(sandbox, "unreachable")
        with pytest.raises(ClusterUnreachable):
            await list_metadata(client, CONFIG_MAP)
        break_it(sandbox, "")
        assert (await list_metadata(client, CONFIG_MAP)).items == listed.items


async def test_an_open_watch_ends_when_its_cluster_breaks(sandbox: Sandbox) -> None:
    async with open_client(sandbox.connection, name="sandbox") as client:
        listed = await list_metadata(client, CONFIG_MAP)
        events = watch(
            client, CONFIG_MAP, resource_version=listed.resource_version, timeout_seconds=30
        )
        first = asyncio.ensure_future(anext(events, None))
        while not sandbox.cluster.streams:
            await asyncio.sleep(0)
        await asyncio.to_thread(break_it, sandbox, "401")
        assert await first is None
        with pytest.raises(ClusterAuthFailed):
            await list_metadata(client, CONFIG_MAP)


@pytest.mark.parametrize("how", ["slow", "readonly", "full"])
async def test_an_open_watch_goes_on_where_reads_do(sandbox: Sandbox, how: str) -> None:
    async with open_client(sandbox.connection, name="sandbox") as client:
        listed = await list_metadata(client, CONFIG_MAP)
        events = watch(
            client, CONFIG_MAP, resource_version=listed.resource_version, timeout_seconds=30
        )
        first = asyncio.ensure_future(anext(events))
        while not sandbox.cluster.streams:
            await asyncio.sleep(0)
        await asyncio.to_thread(break_it, sandbox, how)
        await asyncio.to_thread(break_it, sandbox, "")
        await asyncio.to_thread(sandbox.client.post, MAPS, json=config_map("new"))
        assert (await first).type == "ADDED"
        await events.aclose()


async def test_slow_answers_come_late(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "SLOW_SECONDS", 3600.0)
    break_it(sandbox, "slow")
    limits = Limits(call_seconds=0.5, page_seconds=0.5)
    async with open_client(sandbox.connection, name="sandbox", limits=limits) as client:
        with pytest.raises(ClusterUnreachable):
            await list_metadata(client, CONFIG_MAP)
        monkeypatch.setattr(serving, "SLOW_SECONDS", 0.0)
        assert (await list_metadata(client, CONFIG_MAP)).items


async def test_rights_are_refused_as_fleet_reads_them(sandbox: Sandbox) -> None:
    break_it(sandbox, "readonly")
    from fleet.cluster import apply
    from tests.integration.cluster.conftest import Gate

    async with open_client(sandbox.connection, name="sandbox") as client:
        manifest = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "a", "namespace": "default"},
        }
        with pytest.raises(ObjectRejected) as refused:
            await apply(client, CONFIG_MAP, manifest, force=True, gate=Gate())
    assert refused.value.reason == "Forbidden"


SERVER = """
import asyncio, signal, sys
from pathlib import Path
from fleet.embedded.sandbox.controllers import Controllers
from fleet.embedded.sandbox.objects import now
from fleet.embedded.sandbox.serving import SandboxServer

async def main():
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    controllers = Controllers(loop.call_later, now)
    server = SandboxServer(folder=Path(sys.argv[1]), controllers=controllers)
    await server.start()
    if server.clusters.find("kept") is None:
        server.clusters.add("kept", labels={"region": "eu"})
    Path(sys.argv[2]).write_text(server.clusters.kubeconfig(server.clusters.get("kept")))
    print("ready", flush=True)
    await ended.wait()
    await server.stop()

asyncio.run(main())
"""


class Process:
    """A server in a process of its own, over a folder."""

    def __init__(self, folder: Path, kubeconfig: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(folder), str(kubeconfig)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def end(self, how: signal.Signals) -> None:
        self._process.send_signal(how)
        self._process.wait(timeout=20)
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_state_outlives_the_process(sandbox: Sandbox, tmp_path: Path, how: signal.Signals) -> None:
    """Objects, their versions, custom kinds and tokens are as they were."""
    folder, kubeconfig = tmp_path / "state", tmp_path / "kubeconfig"
    first = Process(folder, kubeconfig)
    kept = Sandbox(sandbox.running, sandbox.cluster, kubeconfig, sandbox.client)
    from tests.integration.sandbox.test_kubectl import DEFINITION, WIDGET

    kept.kubectl("create", "configmap", "settings", "--from-literal=colour=blue")
    kept.kubectl("create", "configmap", "gone")
    kept.kubectl("delete", "configmap", "gone")
    kept.kubectl("apply", "-f", "-", stdin=DEFINITION)
    kept.kubectl("wait", "--for=condition=Established", "crd/widgets.example.com")
    kept.kubectl("apply", "-f", "-", stdin=WIDGET)
    token = kept.kubectl("create", "token", "default").strip()
    before = kept.kubectl("get", "configmaps,widgets", "-o", "yaml")
    first.end(how)
    second = Process(folder, kubeconfig)
    try:
        assert kept.kubectl("get", "configmaps,widgets", "-o", "yaml") == before
        told = kept.kubectl(f"--token={token}", "auth", "whoami")
        assert "system:serviceaccount:default:default" in told
        kept.kubectl("scale", "widget", "one", "--replicas=3")
    finally:
        second.end(signal.SIGTERM)


async def test_a_folder_has_one_server(tmp_path: Path) -> None:
    first = SandboxServer(folder=tmp_path)
    await first.start()
    with pytest.raises(Refused, match="in use: process"):
        SandboxServer(folder=tmp_path)
    await first.stop()
    second = SandboxServer(folder=tmp_path)
    await second.start()
    await second.stop()


def test_a_full_disk_is_told_and_made_up_for(tmp_path: Path) -> None:
    """A write that cannot be kept fails; what memory has is kept as soon as there is room."""
    running = Running(tmp_path / "state")
    cluster = running.add()
    disk = running.server._disk
    assert disk is not None
    with opened(running, cluster, tmp_path) as found:
        running.do(lambda: disk._database.execute("pragma max_page_count = 1"))
        large = {"blob": "x" * 500_000}
        refused = found.client.post(MAPS, json=config_map("large", **large))
        assert (refused.status_code, "space exceeded" in refused.json()["message"]) == (500, True)
        running.do(lambda: disk._database.execute("pragma max_page_count = 1000000"))
        assert found.client.post(MAPS, json=config_map("small")).status_code == 201
        before = found.client.get(MAPS).json()["items"]
    running.stop()
    again = Running(tmp_path / "state")
    with opened(again, again.server.clusters.get(cluster.name), tmp_path) as found:
        assert found.client.get(MAPS).json()["items"] == before
    again.stop()
