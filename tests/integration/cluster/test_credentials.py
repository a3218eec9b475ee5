"""Every way to prove who we are, against real API servers."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from fleet.cluster import (
    ClusterClient,
    apply,
    connection_of,
    get_metadata,
    list_metadata,
    open_client,
    probe,
)
from fleet.cluster.exec_plugin import run_exec
from fleet.errors import ClusterAuthFailed, ClusterUnreachable, Forbidden, SpecInvalid
from fleet.model.clusters import Connection, ExecCredential
from fleet.model.secret import Secret
from tests.cluster.kube import TestCluster
from tests.integration.cluster.conftest import (
    CONFIG_MAP,
    NAMESPACE,
    Gate,
    config_map,
    connection_to,
)
from tests.integration.cluster.faulty import answer, faulty, in_turn
from tests.servers.tls import CertificateAuthority

HELPER = "fleet-test-helper"
ALLOWED = frozenset({HELPER})
V1 = "client.authentication.k8s.io/v1"


async def reads(client: ClusterClient) -> bool:
    return await get_metadata(client, NAMESPACE, "", "kube-system") is not None


@pytest.mark.parametrize("context", ["bare-1", "bare-1-cert"])
async def test_a_kubeconfig_with_files_connects(bare: TestCluster, context: str) -> None:
    written = json.loads(bare.kubeconfig.read_text())

    connection, _ = connection_of(
        written, context, base_dir=bare.kubeconfig.parent, allow_files=True
    )
    async with open_client(connection) as client:
        assert await reads(client)
    with pytest.raises(SpecInvalid, match="certificate-authority"):
        connection_of(written, context, base_dir=bare.kubeconfig.parent)


def test_files_of_a_kubeconfig_are_small_and_regular(tmp_path: Path) -> None:
    (tmp_path / "huge").write_bytes(b"x" * (2 << 20))
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "token").write_text(" secret\n")
    written: dict[str, Any] = {
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://eu"}}],
    }

    def read(path: str) -> Connection:
        users = [{"name": "u", "user": {"tokenFile": path}}]
        found, _ = connection_of(
            {**written, "users": users}, "c", base_dir=tmp_path, allow_files=True
        )
        return found

    for path in ("huge", "pipe", "absent", ".", "/dev/zero", "a\0b"):
        with pytest.raises(SpecInvalid, match="tokenFile"):
            read(path)
    assert read("token").token == Secret("secret")


async def test_a_wrong_token_is_told_as_such(bare: TestCluster) -> None:
    async with open_client(connection_to(bare, token=Secret("expired")), name="eu-1") as client:
        with pytest.raises(ClusterAuthFailed, match="refused our credentials") as caught:
            await probe(client)

    assert "rotate-auth eu-1" in caught.value.hint
    assert client.requests == {("get", "/version"): 1}


async def test_a_wrong_ca_is_told_as_such(bare: TestCluster) -> None:
    other = CertificateAuthority("other").pem
    for connection in (connection_to(bare, ca_pem=other), connection_to(bare, ca_pem="")):
        async with open_client(connection) as client:
            with pytest.raises(ClusterUnreachable, match="signed by unknown authority") as caught:
                await probe(client)
        assert "--ca" in caught.value.hint


async def test_no_verification_is_only_what_was_asked_for(bare: TestCluster) -> None:
    connection = connection_to(bare, ca_pem="", insecure_skip_tls_verify=True)

    async with open_client(connection) as client:
        assert await reads(client)


async def test_nothing_listening_is_told_as_such(bare: TestCluster) -> None:
    for server in ("https://127.0.0.1:1", "https://no-such-host.invalid"):
        async with open_client(connection_to(bare, server=server)) as client:
            with pytest.raises(ClusterUnreachable) as caught:
                await probe(client)
        assert caught.value.transient


async def test_a_client_certificate_is_shown_to_its_own_cluster_alone(
    bare_clusters: list[TestCluster],
) -> None:
    first, second = bare_clusters[:2]
    certificate = {
        "token": None,
        "client_cert_pem": first.client_cert_pem,
        "client_key_pem": Secret(first.client_key_pem),
    }
    async with open_client(connection_to(first, **certificate)) as client:
        assert await reads(client)
    async with open_client(connection_to(second, **certificate)) as client:
        with pytest.raises(ClusterAuthFailed):
            await reads(client)
    async with open_client(connection_to(first, token=Secret("wrong"))) as client:
        with pytest.raises(ClusterAuthFailed):
            await reads(client)


@pytest.mark.parametrize("changes", [{"ca_pem": "not a PEM"}, {"client_key_pem": Secret("x")}])
def test_certificates_that_cannot_be_read_are_refused_at_once(
    bare: TestCluster, changes: dict[str, Any]
) -> None:
    certificate = {"client_cert_pem": bare.client_cert_pem} if len(changes) == 1 else {}

    with pytest.raises(SpecInvalid):
        open_client(connection_to(bare, **certificate, **changes))


async def test_a_password_is_sent_as_basic() -> None:
    async with faulty(answer(200, {"metadata": {}})) as server:
        connection = server.connection(token=None, username="joe", password=Secret("p:w"))
        async with open_client(connection) as client:
            await reads(client)

    assert "Authorization: Basic am9lOnA6dw==" in server.heads[0]


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A credential plugin on PATH; what is written into the file returned is its body. It
    counts its runs in ``runs`` beside it."""
    script = tmp_path / HELPER
    body = tmp_path / "body.py"
    script.write_text(
        dedent(
            f"""\
            #!{sys.executable}
            import json, os, sys, time
            with open({str(tmp_path / "runs")!r}, "a") as runs:
                runs.write("x")
            def credential(**status):
                print(json.dumps({{"apiVersion": {V1!r}, "kind": "ExecCredential",
                                  "status": status}}))
            exec(open({str(body)!r}).read())
            """
        )
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return body


def runs(helper: Path) -> int:
    return len((helper.parent / "runs").read_text())


def by_plugin(bare: TestCluster, **changes: Any) -> Connection:
    plugin = ExecCredential(HELPER, ("get-token",), **changes)
    return connection_to(bare, token=None, exec=plugin)


def opened(connection: Connection) -> ClusterClient:
    return open_client(connection, allowed_exec=ALLOWED)


async def test_a_plugins_token_is_used_until_it_ends(bare: TestCluster, helper: Path) -> None:
    helper.write_text(f"credential(token={bare.admin_token!r})")
    async with opened(by_plugin(bare)) as client:
        await asyncio.gather(*(reads(client) for _ in range(5)))
        assert await reads(client)
    assert runs(helper) == 1

    ended = "2020-01-01T00:00:00Z"
    helper.write_text(f"credential(token={bare.admin_token!r}, expirationTimestamp={ended!r})")
    async with opened(by_plugin(bare)) as client:
        assert await reads(client)
        assert await reads(client)
    assert runs(helper) == 1 + 2


async def test_a_plugins_certificate_is_used(bare: TestCluster, helper: Path) -> None:
    pair = {"clientCertificateData": bare.client_cert_pem, "clientKeyData": bare.client_key_pem}
    helper.write_text(f"credential(**{pair!r})")

    async with opened(by_plugin(bare)) as client:
        assert await reads(client)


async def test_a_refused_token_is_renewed_once(bare: TestCluster, helper: Path) -> None:
    good = f"credential(token={bare.admin_token!r})"
    helper.write_text(
        f"first = not os.path.exists({str(helper)!r} + '.again')\n"
        f"open({str(helper)!r} + '.again', 'w').close()\n"
        f"credential(token='stale') if first else {good}"
    )
    async with opened(by_plugin(bare)) as client:
        assert await reads(client)
        assert (await list_metadata(client, NAMESPACE)).items
    assert runs(helper) == 2

    helper.write_text("credential(token='stale')")
    async with opened(by_plugin(bare)) as client:
        with pytest.raises(ClusterAuthFailed):
            await reads(client)
    assert runs(helper) == 4


async def test_a_plugin_sees_little_and_is_told_what_it_needs(
    bare: TestCluster, helper: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET_SECRET_KEY", "hunter2")
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    helper.write_text(
        f"json.dump([dict(os.environ), sys.argv, sys.stdin.read()], open({str(helper)!r}, 'w'))\n"
        "credential(token='t')"
    )
    connection = by_plugin(bare, env=(("AWS_PROFILE", "prod"),), provide_cluster_info=True)
    assert connection.exec is not None

    found = await run_exec(connection.exec, connection, allowed=ALLOWED, cluster="eu-1")

    environment, argv, stdin = json.loads(helper.read_text())
    info = json.loads(environment["KUBERNETES_EXEC_INFO"])
    assert found.token == Secret("t")
    assert "hunter2" not in str(environment)
    assert (environment["AWS_REGION"], environment["AWS_PROFILE"]) == ("eu-north-1", "prod")
    assert (argv[1:], stdin) == (["get-token"], "")
    assert info["spec"]["interactive"] is False
    assert info["spec"]["cluster"]["server"] == bare.server


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("sys.exit('session expired\\n')", "ended with 1: session expired"),
        ("print('hunter2')", "not JSON"),
        ("print('[]')", "no ExecCredential"),
        ("credential()", "neither a token nor a certificate"),
        ("credential(token=5)", "neither a token nor a certificate"),
        ("print('x' * (3 << 20))", "not JSON"),
    ],
)
async def test_a_plugin_that_fails_is_told(
    bare: TestCluster, helper: Path, body: str, words: str
) -> None:
    helper.write_text(body)

    async with opened(by_plugin(bare)) as client:
        with pytest.raises(ClusterAuthFailed, match=words) as caught:
            await reads(client)

    assert "hunter2" not in str(caught.value)
    assert not client.requests


async def test_a_plugin_that_hangs_is_killed(bare: TestCluster, helper: Path) -> None:
    helper.write_text("time.sleep(600)")
    connection = by_plugin(bare)
    assert connection.exec is not None

    with pytest.raises(ClusterAuthFailed, match="no credential within"):
        await run_exec(
            connection.exec, connection, allowed=ALLOWED, cluster="eu-1", deadline_seconds=0.2
        )


async def test_what_a_plugin_started_ends_with_it(bare: TestCluster, helper: Path) -> None:
    pid_file = helper.with_name("pid")
    helper.write_text(
        "import subprocess\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(pid_file)!r} + '.part', 'w').write(str(child.pid))\n"
        f"os.rename({str(pid_file)!r} + '.part', {str(pid_file)!r})\n"
        "time.sleep(600)"
    )
    connection = by_plugin(bare)
    assert connection.exec is not None
    running = asyncio.create_task(
        run_exec(connection.exec, connection, allowed=ALLOWED, cluster="eu-1")
    )
    async with asyncio.timeout(30):
        while not pid_file.exists():
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait([running])
        while _is_alive(int(pid_file.read_text())):
            await asyncio.sleep(0.01)


def _is_alive(pid: int) -> bool:
    """Whether the process runs; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_plugin_that_is_not_installed_says_how_to_get_it(bare: TestCluster) -> None:
    plugin = ExecCredential("tsh", ("kube", "credentials"), install_hint="get tsh")
    async with open_client(connection_to(bare, token=None, exec=plugin)) as client:
        with pytest.raises(ClusterAuthFailed, match="not installed") as caught:
            await reads(client)

    assert caught.value.hint == "get tsh"


def test_a_plugin_off_the_list_never_runs(bare: TestCluster, helper: Path) -> None:
    with pytest.raises(Forbidden):
        open_client(by_plugin(bare))
    with pytest.raises(Forbidden):
        open_client(
            connection_to(bare, token=None, exec=ExecCredential(str(helper.parent / HELPER))),
            allowed_exec=ALLOWED,
        )


@pytest.fixture
def pod(tmp_path: Path, bare: TestCluster, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a Pod finds around it: the two variables and the ServiceAccount's files."""
    host, _, port = bare.server.removeprefix("https://").partition(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    (tmp_path / "ca.crt").write_text(bare.ca_pem)
    (tmp_path / "token").write_text(bare.admin_token)
    return tmp_path


async def test_in_cluster_finds_its_own_way_and_follows_the_token(
    bare: TestCluster, pod: Path
) -> None:
    here = Connection(server="https://kubernetes.default.svc", in_cluster=True)
    (pod / "token").write_text("stale")
    async with ClusterClient(here, service_account=pod) as client:
        with pytest.raises(ClusterAuthFailed):
            await reads(client)
        (pod / "token").write_text(f"{bare.admin_token}\n")
        assert await reads(client)

    assert client.server == bare.server


def test_in_cluster_outside_of_a_pod_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(SpecInvalid, match="does not run in a Pod"):
        ClusterClient(
            Connection(server="https://kubernetes.default.svc", in_cluster=True),
            service_account=tmp_path,
        )


async def test_a_refused_write_is_sent_again_only_after_a_401(helper: Path) -> None:
    helper.write_text("credential(token='t')")
    stored = answer(201, {"metadata": {"name": "a"}})
    async with faulty(in_turn(answer(401), stored)) as server:
        connection = server.connection(token=None, exec=ExecCredential(HELPER))
        async with opened(connection) as client:
            applied = await apply(client, CONFIG_MAP, config_map("n"), force=False, gate=Gate())

    assert applied.created
    assert len(server.heads) == 2


async def test_a_proxy_is_used_where_the_cluster_names_one(bare: TestCluster) -> None:
    asked: list[str] = []

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        asked.append(head)
        host, _, port = head.split()[1].partition(":")
        upstream, to_upstream = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(_pump(reader, to_upstream), _pump(upstream, writer))
        closed.set()

    closed = asyncio.Event()
    server = await asyncio.start_server(tunnel, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        connection = connection_to(bare, proxy_url=address, tls_server_name="localhost")
        async with open_client(connection) as client:
            assert await reads(client)
        await asyncio.wait_for(closed.wait(), 120)

    assert asked[0].startswith(f"CONNECT {bare.server.removeprefix('https://')} ")
    assert bare.admin_token not in "".join(asked)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(1 << 16):
        writer.write(chunk)
    writer.close()
    await writer.wait_closed()
