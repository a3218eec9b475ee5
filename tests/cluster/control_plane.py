"""The Kubernetes control planes of a test run: one full, others bare, over one etcd.

Runs as a keeper (``tests.keeper``): ``python -m tests.cluster.control_plane``. The full
cluster has controllers, a scheduler and kwok, so namespaces are deleted, Deployments become
available and Jobs complete. A bare one is an API server alone: it stores objects, and nothing
ever acts on them.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path

from tests.cluster.build import binaries
from tests.cluster.kube import ApiFailed, Object, request
from tests.keeper import State, keep, scratch, start_child
from tests.ports import free_port
from tests.servers.tls import CertificateAuthority, Pair, key_pair

HERE = Path(__file__).parent
READY_SECONDS = 60
FULL = "full"
NODES = ("node-1", "node-2")
HOSTS = ("localhost", "kubernetes.default.svc", "127.0.0.1", "10.0.0.1")
ISSUER = "https://kubernetes.default.svc"

#: What ServiceAccounts ask for is written down, so that a test can compare it with their rights.
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata", "userGroups": ["system:serviceaccounts"]}, {"level": "None"}],
}

# Without controllers nothing makes the default ServiceAccounts that admission waits for.
NO_CONTROLLERS = (
    "--disable-admission-plugins=ServiceAccount,DefaultStorageClass,"
    "StorageObjectInUseProtection,TaintNodesByCondition,Priority"
)


def _wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    """Poll until ``ready``; a server tells nobody but its port that it is."""
    deadline = time.monotonic() + READY_SECONDS
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{log.stem} did not become ready:\n{log.read_text()[-3000:]}")
        time.sleep(0.05)


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


class Etcd:
    """One etcd on loopback; every cluster has a prefix of its own in it."""

    def __init__(self, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        peer = f"http://127.0.0.1:{free_port()}"
        log = folder / "etcd.log"
        argv: list[str | Path] = [
            binaries() / "server",
            f"--data-dir={folder / 'etcd'}",
            f"--listen-client-urls={self.url}",
            f"--advertise-client-urls={self.url}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=error",
        ]
        self.process = start_child(argv, log)
        _wait_until(self._ready, self.process, log)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=2) as answer:
                return bool(json.load(answer)["health"] == "true")
        except OSError:
            return False


def _port_of(kubeconfig: Path) -> int:
    server: str = json.loads(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
    return int(server.rpartition(":")[2])


class ApiServer:
    """One kube-apiserver with an authority, tokens and keys of its own.

    In a folder that an earlier one left, it is that one again: same port, same keys.
    """

    def __init__(self, folder: Path, name: str, etcd: Etcd, *, controllers: bool) -> None:
        self.name = name
        self.folder = folder / name
        self.folder.mkdir(exist_ok=True)
        self.etcd = etcd
        self.controllers = controllers
        self.token = f"{name}-admin-token"
        self.prefix = f"/registry-{name}"
        self.log = self.folder / "kube-apiserver.log"
        self.kubeconfig = self.folder / "kubeconfig"
        known = self.kubeconfig.exists()
        self.port = _port_of(self.kubeconfig) if known else free_port()
        self.server = f"https://127.0.0.1:{self.port}"
        if not known:
            self._write_identity()
            self._write_kubeconfig()
        self.ca_pem = (self.folder / "ca.crt").read_text()
        self.admin = Pair(
            (self.folder / "admin.crt").read_text(), (self.folder / "admin.key").read_text()
        )
        self.launch()

    def _write_identity(self) -> None:
        authority = CertificateAuthority(f"{self.name}-ca")
        front = CertificateAuthority(f"{self.name}-front-proxy-ca")
        serving = authority.issue("kube-apiserver", hosts=HOSTS)
        admin = authority.issue("admin", organization="system:masters")
        proxy = front.issue("front-proxy")
        private, public = key_pair()
        for file, text in {
            "ca.crt": authority.pem,
            "front-ca.crt": front.pem,
            "server.crt": serving.certificate,
            "server.key": serving.key,
            "admin.crt": admin.certificate,
            "admin.key": admin.key,
            "proxy.crt": proxy.certificate,
            "proxy.key": proxy.key,
            "accounts.key": private,
            "accounts.pub": public,
            "tokens.csv": f'{self.token},admin,1,"system:masters"\n',
            "audit.json": json.dumps(AUDIT_POLICY),
        }.items():
            (self.folder / file).write_text(text)

    def _write_kubeconfig(self) -> None:
        """JSON is YAML; keys and certificates are named by file, as many tools write them."""
        certificate = {
            "client-certificate": str(self.folder / "admin.crt"),
            "client-key": str(self.folder / "admin.key"),
        }
        cluster = {"server": self.server, "certificate-authority": str(self.folder / "ca.crt")}
        users: dict[str, Object] = {"": {"token": self.token}, "-cert": certificate}
        contexts = [
            {
                "name": self.name + suffix,
                "context": {"cluster": self.name, "user": "admin" + suffix},
            }
            for suffix in users
        ]
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": self.name, "cluster": cluster}],
            "users": [{"name": "admin" + end, "user": user} for end, user in users.items()],
            "contexts": contexts,
            "current-context": self.name,
        }
        unfinished = self.kubeconfig.with_suffix(".new")
        unfinished.write_text(json.dumps(config))
        unfinished.rename(self.kubeconfig)

    def launch(self) -> None:
        """Start the process; ``wait`` tells when it answers."""
        here = self.folder
        argv: list[str | Path] = [
            binaries() / "kube-apiserver",
            f"--etcd-servers={self.etcd.url}",
            f"--etcd-prefix={self.prefix}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--cert-dir={here}",
            f"--tls-cert-file={here}/server.crt",
            f"--tls-private-key-file={here}/server.key",
            f"--client-ca-file={here}/ca.crt",
            f"--token-auth-file={here}/tokens.csv",
            "--anonymous-auth=false",
            "--authorization-mode=RBAC",
            f"--service-account-issuer={ISSUER}",
            f"--service-account-key-file={here}/accounts.pub",
            f"--service-account-signing-key-file={here}/accounts.key",
            f"--api-audiences={ISSUER}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--endpoint-reconciler-type=none",
            "--allow-privileged=true",
            "--enable-priority-and-fairness=false",
            "--max-requests-inflight=400",
            "--profiling=false",
            *(self._for_controllers() if self.controllers else (NO_CONTROLLERS,)),
        ]
        self.process = start_child(argv, self.log)

    def _for_controllers(self) -> tuple[str, ...]:
        here = self.folder
        return (
            "--disable-admission-plugins=TaintNodesByCondition",
            "--kubelet-preferred-address-types=InternalIP",
            "--enable-aggregator-routing=true",
            f"--audit-policy-file={here}/audit.json",
            f"--audit-log-path={here}/audit.log",
            f"--requestheader-client-ca-file={here}/front-ca.crt",
            "--requestheader-allowed-names=front-proxy",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={here}/proxy.crt",
            f"--proxy-client-key-file={here}/proxy.key",
        )

    def request(self, method: str, path: str, body: Object | None = None) -> Object:
        """One request as the admin."""
        return request(self.server, self.ca_pem, self.token, method, path, body)

    def ready(self) -> bool:
        """Whether it answers and has made its first namespaces."""
        try:
            self.request("GET", "/readyz")
            self.request("GET", "/api/v1/namespaces/default")
            self.request("GET", "/api/v1/namespaces/kube-system")
        except (OSError, ApiFailed):
            return False
        return True

    def wait(self) -> None:
        """Return when it is ready.

        Raises:
            RuntimeError: it ended or took too long; holds the end of its log.
        """
        _wait_until(self.ready, self.process, self.log)

    def state(self) -> State:
        """What ``TestCluster`` is made from, without the keeper's address."""
        return {
            "name": self.name,
            "server": self.server,
            "ca_pem": self.ca_pem,
            "admin_token": self.token,
            "client_cert_pem": self.admin.certificate,
            "client_key_pem": self.admin.key,
            "kubeconfig": str(self.kubeconfig),
            "etcd_endpoint": self.etcd.url,
            "etcd_prefix": self.prefix,
        }


def _start_controllers(api: ApiServer) -> list[subprocess.Popen[bytes]]:
    here = api.folder
    identity = [
        f"--kubeconfig={api.kubeconfig}",
        f"--authentication-kubeconfig={api.kubeconfig}",
        f"--authorization-kubeconfig={api.kubeconfig}",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--cert-dir={here}",
    ]
    manager = [
        "kube-controller-manager",
        *identity,
        f"--secure-port={free_port()}",
        f"--service-account-private-key-file={here}/accounts.key",
        f"--root-ca-file={here}/ca.crt",
        "--use-service-account-credentials=false",
        "--node-monitor-grace-period=10m",
    ]
    scheduler = ["kube-scheduler", *identity, f"--secure-port={free_port()}"]
    port = free_port()
    kwok = [
        "kwok",
        f"--kubeconfig={api.kubeconfig}",
        f"--config={_kwok_config(here)}",
        "--manage-all-nodes=true",
        "--node-ip=127.0.0.1",
        f"--node-port={port}",
        f"--server-address=127.0.0.1:{port}",
    ]
    return [
        start_child([binaries() / argv[0], *argv[1:]], here / f"{argv[0]}.log")
        for argv in (manager, scheduler, kwok)
    ]


def _kwok_config(folder: Path) -> Path:
    """Our stages, and a log for every container, so that `kubectl logs` works."""
    lines = folder / "container.log"
    lines.write_text("2026-01-01T00:00:00.000000000Z stdout F hello from a container\n")
    logs = {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "ClusterLogs",
        "metadata": {"name": "every-container"},
        "spec": {"logs": [{"logsFile": str(lines)}]},
    }
    config = folder / "kwok.yaml"
    config.write_text(f"{(HERE / 'stages.yaml').read_text()}---\n{json.dumps(logs)}\n")
    return config


def _create_nodes(api: ApiServer) -> None:
    for name in NODES:
        node = {
            "metadata": {
                "name": name,
                "annotations": {"kwok.x-k8s.io/node": "fake"},
                "labels": {"kubernetes.io/os": "linux", "kubernetes.io/hostname": name},
            },
        }
        try:
            api.request("POST", "/api/v1/nodes", node)
        except ApiFailed as error:
            if error.status != HTTPStatus.CONFLICT:  # there from an earlier run
                raise


def _nodes_ready(api: ApiServer) -> bool:
    nodes = api.request("GET", "/api/v1/nodes")["items"]
    accounts = api.request("GET", "/api/v1/namespaces/default/serviceaccounts")["items"]
    return bool(accounts) and all("allocatable" in node["status"] for node in nodes)


class ControlPlane:
    """What one keeper holds: etcd, API servers by name, the controllers of the full one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._etcd: Etcd | None = None
        self._servers: dict[str, ApiServer] = {}
        self._controllers: list[subprocess.Popen[bytes]] = []

    def handle(self, question: State) -> State:
        """Answer a test process: start clusters, or do something to one."""
        match question:
            case {"do": "full"}:
                return {FULL: self._full().state()}
            case {"do": "bare", "names": names}:
                return {name: api.state() for name, api in self._bare(names).items()}
            case {"do": what, "name": name}:
                self._act(what, self._servers[name])
                return {}
        raise ValueError(f"not understood: {question}")

    def _launch(self, name: str, *, controllers: bool) -> ApiServer:
        if self._etcd is None:
            self._etcd = Etcd(self._folder)
        if name not in self._servers:
            self._servers[name] = ApiServer(self._folder, name, self._etcd, controllers=controllers)
        return self._servers[name]

    def _full(self) -> ApiServer:
        api = self._launch(FULL, controllers=True)
        if not self._controllers:
            api.wait()
            self._controllers = _start_controllers(api)
            _create_nodes(api)
            kwok = self._controllers[-1]
            _wait_until(lambda: _nodes_ready(api), kwok, api.folder / "kwok.log")
        return api

    def _bare(self, names: list[str]) -> dict[str, ApiServer]:
        """All launched first, then waited for: they start side by side."""
        servers = {name: self._launch(name, controllers=False) for name in names}
        for api in servers.values():
            api.wait()
        return servers

    def _act(self, what: str, api: ApiServer) -> None:
        match what:
            case "stop":
                _kill(api.process)
            case "start":
                if api.process.poll() is not None:
                    api.launch()
                api.wait()
            case "freeze":
                api.process.send_signal(signal.SIGSTOP)
            case "thaw":
                api.process.send_signal(signal.SIGCONT)
            case "remove":
                _kill(self._servers.pop(api.name).process)
                shutil.rmtree(api.folder)
            case _:
                raise ValueError(f"a cluster cannot be told to {what}")

    def end(self) -> None:
        """Kill everything, etcd last: an API server without its etcd would hang about."""
        for process in self._controllers:
            _kill(process)
        for api in self._servers.values():
            _kill(api.process)
        if self._etcd:
            _kill(self._etcd.process)


@contextlib.contextmanager
def control_plane(folder: Path) -> Iterator[ControlPlane]:
    """A control plane with nothing in it yet, ended at the end."""
    plane = ControlPlane(folder)
    try:
        yield plane
    finally:
        plane.end()


@contextlib.contextmanager
def _nothing_yet() -> Iterator[State]:
    yield {}


def main() -> None:
    """Keep a control plane; clusters start when a test first asks for them."""
    with scratch() as folder, control_plane(folder) as plane:
        keep(_nothing_yet(), plane.handle)


if __name__ == "__main__":
    main()
