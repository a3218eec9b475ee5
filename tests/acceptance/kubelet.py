"""What a kubelet does with a Pod, as far as the Pod's processes can tell, on this machine.

Containers run under bubblewrap: the root is read-only, the user is the one that the Pod names,
without capabilities; environment, volumes and the token of the ServiceAccount are made from the
Pod as the API server has it. ``RuntimeDefault`` stands for what such a profile refuses that
matters here: new namespaces and mounts. What is missing: a network of its own, so the port of a
container is another one here, and control groups.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from platform import machine
from typing import Any

from fleet.render.tools import FOLDER
from tests.acceptance.fleet_process import Done
from tests.cluster.kube import Object, TestCluster
from tests.keeper import ROOT
from tests.ports import free_port
from tests.tools import tools_home

SOURCE = "/opt/source"  # where containers see this checkout
TOOLS = "/opt/tools"  # and helm and kubectl, which the image has in /usr/local/bin
TOKENS = "/var/run/secrets/kubernetes.io/serviceaccount"
DEADLINE = 180  # seconds; only a hang takes so long
POLL_SECONDS = 0.1
#: Audit architecture, then clone, clone3, and those that are refused whatever they are asked:
#: mount, pivot_root, setns, umount2, unshare.
SYSCALLS = {
    "x86_64": (0xC000003E, 56, 435, (165, 155, 308, 166, 272)),
    "aarch64": (0xC00000B7, 220, 435, (40, 41, 268, 39, 97)),
}
CLONE_NEW = 0x7E020000
CAP_SYS_ADMIN = 21
LOAD, EQUAL, SET, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, NOT_PERMITTED, NOT_THERE = 0x7FFF0000, 0x00050001, 0x00050026


@dataclass(frozen=True)
class Image:
    """What the Containerfile says about every container made of it."""

    entrypoint: tuple[str, ...]
    environment: dict[str, str]
    user: str


@cache
def image() -> Image:
    """Without tini: bubblewrap is the first process here, and reaps as well."""
    text = (ROOT / "Containerfile").read_text()
    found = re.search(r"^ENTRYPOINT (.*)$", text, re.MULTILINE)
    assert found is not None
    init, end, *entrypoint = json.loads(found.group(1))
    assert (init, end) == ("tini", "--")
    environment = dict(re.findall(r"^ENV (\w+)=(.*)$", text, re.MULTILINE))
    user = re.search(r"^USER (\d+):\d+$", text, re.MULTILINE)
    assert user is not None
    return Image(tuple(entrypoint), environment, user.group(1))


def eventually(holds: Callable[[], bool], what: Callable[[], str]) -> None:
    """Ask until it holds; for what has no event to wait for."""
    ends = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < ends, what()
        time.sleep(POLL_SECONDS)


@dataclass
class Pod:
    """A Pod of the cluster, run from here; its volumes are below ``folder``.

    ``token`` says what the first token is; the default is one as a kubelet asks for.
    """

    cluster: TestCluster
    folder: Path
    manifest: Object
    token: Callable[[Pod], str] = field(default=lambda pod: pod.bound_token("Pod", pod.manifest))
    port: int = field(default_factory=free_port)
    tokens: int = 0
    signed_in: tuple[str, ...] = ()

    @property
    def namespace(self) -> str:
        return str(self.manifest["metadata"]["namespace"])

    @property
    def name(self) -> str:
        return str(self.manifest["metadata"]["name"])

    @property
    def spec(self) -> Object:
        spec: Object = self.manifest["spec"]
        return spec

    @property
    def container(self) -> Object:
        (container,) = self.spec["containers"]
        assert isinstance(container, dict)
        return container

    @contextlib.contextmanager
    def running(self) -> Iterator[Pod]:
        """Init containers one after the other, then the container, until it is ready."""
        self._make_volumes()
        for init in self.spec.get("initContainers", ()):
            done = self._run(init, (*image().entrypoint, *init["args"]))
            assert done.code == 0, done
        with self.log.open("w") as log:
            command = (*image().entrypoint, *self.container["args"])
            process = self._start(self.container, command, stdout=log, stderr=subprocess.STDOUT)
        try:
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                eventually(lambda probe=probe: self._passes(probe, process), self.told)
            yield self
        finally:
            process.kill()
            process.wait()

    @property
    def log(self) -> Path:
        return self.folder / "container.log"

    def told(self) -> str:
        """The end of what the container logged."""
        return f"Pod/{self.name}: {self.log.read_text()[-6000:]}"

    def fleet(self, *arguments: str) -> Done:
        """As ``kubectl exec POD -- fleet …``; anything but exit code 0 fails the test."""
        done = self.execute("env", *self.signed_in, *image().entrypoint, *arguments)
        assert done.code == 0, f"fleet {' '.join(arguments)}: {done}\n{self.told()}"
        return done

    def sign_in(self) -> None:
        """From here on ``fleet`` asks the API in the Pod, rather than open the database itself."""
        token = self.fleet("account", "create-token", "admin").out.strip()
        server = f"http://127.0.0.1:{self.port}"
        self.signed_in = (f"FLEET_SERVER={server}", f"FLEET_AUTH_TOKEN={token}")

    def execute(self, *command: str) -> Done:
        """As ``kubectl exec POD -- COMMAND``."""
        return self._run(self.container, command)

    # The ServiceAccount

    def bound_token(self, kind: str, to: Object) -> str:
        """A token of the Pod's account that ends with the object it is bound to."""
        source = next(it for it in self._token_sources() if "serviceAccountToken" in it)
        reference = {
            "apiVersion": "v1",
            "kind": kind,
            "name": to["metadata"]["name"],
            "uid": to["metadata"]["uid"],
        }
        seconds = source["serviceAccountToken"]["expirationSeconds"]
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts"
        body = {"spec": {"boundObjectRef": reference, "expirationSeconds": seconds}}
        answer = self.cluster.request(
            "POST", f"{path}/{self.spec['serviceAccountName']}/token", body
        )
        return str(answer["status"]["token"])

    def rotate(self, token: str) -> None:
        """Put another token in place, as a kubelet does: by one rename."""
        place = self.folder / "token"
        self.tokens += 1
        version = place / f"..{self.tokens}"
        version.mkdir(parents=True)
        path = f"/api/v1/namespaces/{self.namespace}/configmaps/kube-root-ca.crt"
        (version / "ca.crt").write_text(self.cluster.request("GET", path)["data"]["ca.crt"])
        (version / "token").write_text(token)
        for name in ("ca.crt", "token"):
            self._give(version / name)
            if self.tokens == 1:
                (place / name).symlink_to(f"..data/{name}")
        (place / "..new").symlink_to(version.name)
        (place / "..new").rename(place / "..data")

    def _token_sources(self) -> list[Object]:
        found = [it["projected"]["sources"] for it in self.spec["volumes"] if "projected" in it]
        return found[0] if found else []

    # Volumes and environment

    def _make_volumes(self) -> None:
        self.folder.mkdir()
        self.folder.chmod(0o711)
        for volume in self.spec["volumes"]:
            if "emptyDir" in volume:
                (self.folder / volume["name"]).mkdir(mode=0o770)
                self._give(self.folder / volume["name"])
        if self._token_sources():
            self.rotate(self.token(self))

    def _volume(self, name: str) -> Path:
        volume = next(it for it in self.spec["volumes"] if it["name"] == name)
        return self.folder / ("token" if "projected" in volume else name)

    def _environment(self, container: Object) -> dict[str, str]:
        _, _, port = self.cluster.server.rpartition(":")
        found = {
            **image().environment,
            "PATH": f"{Path(sys.prefix) / 'bin'}:{TOOLS}:{image().environment['PATH']}",
            "PYTHONPATH": SOURCE,
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": port,
        }
        for source in container.get("envFrom", ()):
            found |= self._object("configmaps", source["configMapRef"]["name"])["data"]
        for variable in container.get("env", ()):
            at = variable["valueFrom"]["secretKeyRef"]
            value = self._object("secrets", at["name"])["data"][at["key"]]
            found[variable["name"]] = b64decode(value).decode()
        ports = {str(it["containerPort"]) for it in self.container["ports"]}
        return {name: str(self.port) if it in ports else it for name, it in found.items()}

    def _object(self, plural: str, name: str) -> Object:
        path = f"/api/v1/namespaces/{self.namespace}/{plural}/{name}"
        return self.cluster.request("GET", path)

    # Processes

    def _give(self, path: Path) -> None:
        if is_almighty():
            os.chown(path, *self._user())

    def _user(self) -> tuple[int, int]:
        security = self.spec["securityContext"]
        return security["runAsUser"], security["runAsGroup"]

    def _run(self, container: Object, command: Sequence[str]) -> Done:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = self._start(container, command, text=True, **pipes)
        out, err = process.communicate()
        return Done(process.returncode, out, err)

    def _start(
        self, container: Object, command: Sequence[str], **popen: Any
    ) -> subprocess.Popen[Any]:
        security = {**self.spec["securityContext"], **container["securityContext"]}
        assert security["capabilities"] == {"drop": ["ALL"]}  # there are none under bubblewrap
        filtered = security["seccompProfile"]["type"] == "RuntimeDefault"
        filter_fd = os.memfd_create("seccomp")
        os.write(filter_fd, runtime_default() if filtered else b"")
        os.lseek(filter_fd, 0, os.SEEK_SET)
        # a checkout may be below what the container mounts, /tmp above all
        argv = ["bwrap", *self._root(), *self._mounts(container), *self._programs()]
        if security["readOnlyRootFilesystem"]:
            argv += ["--remount-ro", "/"]
        if filtered:
            argv += ["--seccomp", str(filter_fd)]
        try:
            return subprocess.Popen(
                [*argv, *self._becoming(), *command],
                env=self._environment(container),
                stdin=subprocess.DEVNULL,
                pass_fds=[filter_fd],
                **popen,
            )
        finally:
            os.close(filter_fd)

    def _becoming(self) -> list[str]:
        """How the process becomes the Pod's user: by dropping all that root has or, for those
        who are nobody themselves, as a name for them in a user namespace."""
        user, group = map(str, self._user())
        if not is_almighty():
            return ["--unshare-user", "--uid", user, "--gid", group, "--"]
        kept = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP")
        argv = [word for it in kept for word in ("--cap-add", it)]
        drop = ["--clear-groups", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
        return [*argv, "--", "setpriv", "--reuid", user, "--regid", group, *drop]

    def _root(self) -> list[str]:
        """The system of this machine in place of the image's, and nothing of its data."""
        argv = ["--die-with-parent", "--new-session", "--unshare-pid", "--unshare-ipc"]
        argv += ["--unshare-uts", "--proc", "/proc", "--dev", "/dev"]
        for name in ("/bin", "/lib", "/lib32", "/lib64", "/sbin"):
            if Path(name).is_symlink():
                argv += ["--symlink", str(Path(name).readlink()), name]
        for path in ("/usr", "/etc"):
            argv += _bound(path, path)
        return argv

    def _programs(self) -> list[str]:
        """What the image has beside the system: Python, Fleet, helm and kubectl."""
        argv = []
        venv = Path(sys.prefix).resolve()
        for path in sorted({str(venv), sys.base_prefix}):
            argv += _bound(path, path)
        argv += _bound(str(tools_home() / "tools" / FOLDER), TOOLS)
        for path in ("fleet", "migrations", "config"):
            argv += _bound(str(ROOT / path), f"{SOURCE}/{path}")
        return argv if venv == Path(sys.prefix) else [*argv, "--symlink", str(venv), sys.prefix]

    def _mounts(self, container: Object) -> list[str]:
        argv = []
        for mount in container["volumeMounts"]:
            source = str(self._volume(mount["name"]))
            argv += _bound(source, mount["mountPath"], writable=not mount.get("readOnly"))
        return argv

    def _passes(self, name: str, process: subprocess.Popen[Any]) -> bool:
        assert process.poll() is None, self.told()
        probe = self.container[name]["httpGet"]
        assert probe["port"] in {it["name"] for it in self.container["ports"]}
        seconds = self.container[name]["timeoutSeconds"]
        with contextlib.suppress(OSError, urllib.error.HTTPError):
            url = f"http://127.0.0.1:{self.port}{probe['path']}"
            with urllib.request.urlopen(url, timeout=seconds) as answer:
                return bool(answer.status == 200)
        return False


def _bound(source: str, target: str, *, writable: bool = False) -> list[str]:
    """Mount, in directories that others may enter: by itself bubblewrap makes private ones."""
    argv = []
    for parent in reversed(Path(target).parents[:-1]):
        argv += ["--perms", "0755", "--dir", str(parent)]
    return [*argv, "--bind" if writable else "--ro-bind", source, target]


def runtime_default() -> bytes:
    """A program for seccomp that refuses what a container runtime's own profile refuses to a
    process without CAP_SYS_ADMIN: namespaces and mounts."""
    architecture, clone, clone3, refused = SYSCALLS[machine()]
    number, arguments = 0, 16
    program = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, architecture), (RETURN, 0, 0, ALLOW)]
    program += [(LOAD, 0, 0, number)]
    for call in refused:
        program += [(EQUAL, 0, 1, call), (RETURN, 0, 0, NOT_PERMITTED)]
    program += [(EQUAL, 0, 1, clone3), (RETURN, 0, 0, NOT_THERE)]
    program += [(EQUAL, 0, 3, clone), (LOAD, 0, 0, arguments), (SET, 0, 1, CLONE_NEW)]
    program += [(RETURN, 0, 0, NOT_PERMITTED), (RETURN, 0, 0, ALLOW)]
    return b"".join(struct.pack("HBBI", *instruction) for instruction in program)


def is_almighty() -> bool:
    """Whether we are root with all that comes with it; in a container root may have little."""
    status = Path("/proc/self/status").read_text()
    found = re.search(r"^CapEff:\t(\w+)$", status, re.MULTILINE)
    assert found is not None
    return os.geteuid() == 0 and bool(int(found.group(1), 16) >> CAP_SYS_ADMIN & 1)


def can_run() -> bool:
    """Whether this machine has what it takes."""
    return shutil.which("bwrap") is not None and machine() in SYSCALLS
