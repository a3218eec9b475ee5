"""A Kubernetes cluster of the tests, as a test sees it, and a client that needs no library."""

from __future__ import annotations

import json
import ssl
import subprocess
import urllib.error
import urllib.request
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from tests.keeper import ask

Object = dict[str, Any]


@dataclass(frozen=True)
class TestCluster:
    """One API server over a prefix of the shared etcd.

    Its ``kubeconfig`` holds two contexts: ``<name>`` with a token, ``<name>-cert`` with a
    client certificate; both are cluster-admin.
    """

    __test__: ClassVar[bool] = False  # pytest would collect a class of this name

    name: str
    server: str
    ca_pem: str = field(repr=False)
    admin_token: str = field(repr=False)
    client_cert_pem: str = field(repr=False)
    client_key_pem: str = field(repr=False)
    kubeconfig: Path
    etcd_endpoint: str
    etcd_prefix: str
    keeper: str

    @classmethod
    def from_state(cls, state: Object) -> TestCluster:
        """Made from what the keeper tells about it."""
        return cls(**{**state, "kubeconfig": Path(state["kubeconfig"])})

    def stop(self) -> None:
        """Kill the API server: connections are refused from here on."""
        self._tell("stop")

    def start(self) -> None:
        """Start it again on the same port, with the same objects; returns when it is ready."""
        self._tell("start")

    def rebuild(self) -> None:
        """Set it up anew: the same address, keys and tokens, another identity, no objects."""
        self.stop()
        # a range of keys ends before what follows the prefix
        end = self.etcd_prefix[:-1] + chr(ord(self.etcd_prefix[-1]) + 1)
        everything = {"key": f"{self.etcd_prefix}/", "range_end": end}
        body = {name: b64encode(key.encode()).decode() for name, key in everything.items()}
        delete = self.etcd_endpoint + "/v3/kv/deleterange"
        with urllib.request.urlopen(delete, json.dumps(body).encode(), timeout=30) as answer:
            answer.read()
        self.start()

    def uid(self) -> str:
        """Who it is: the UID of its kube-system namespace."""
        found: str = self.request("GET", "/api/v1/namespaces/kube-system")["metadata"]["uid"]
        return found

    def audit(self) -> list[Object]:
        """What ServiceAccounts have asked of the full cluster so far, as its audit log has it."""
        lines = (self.kubeconfig.parent / "audit.log").read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def freeze(self) -> None:
        """Stop its process without ending it: connections open, nothing answers."""
        self._tell("freeze")

    def thaw(self) -> None:
        """Let a frozen API server continue."""
        self._tell("thaw")

    def extra_apiserver(self, prefix: str) -> TestCluster:
        """A throw-away bare cluster beside this one, ready; ``remove`` it afterwards.

        ``prefix`` is its name and its place in etcd: it must be new in this run, unless the
        cluster is to be an old one with a new identity.
        """
        state = ask(self.keeper, {"do": "bare", "names": [prefix]})[prefix]
        return TestCluster.from_state({**state, "keeper": self.keeper})

    def remove(self) -> None:
        """End a throw-away cluster."""
        self._tell("remove")

    def _tell(self, what: str) -> None:
        ask(self.keeper, {"do": what, "name": self.name})

    def request(self, method: str, path: str, body: Object | None = None) -> Object:
        """Ask the API server as the admin; the answer's JSON.

        Raises:
            ApiFailed: any status but 2xx.
        """
        return request(self.server, self.ca_pem, self.admin_token, method, path, body)

    def kubectl(self, *arguments: str, stdin: str = "", kubectl: str = "kubectl") -> str:
        """What the real kubectl prints; raises CalledProcessError (with stderr) if it fails."""
        argv = [kubectl, f"--kubeconfig={self.kubeconfig}", f"--context={self.name}", *arguments]
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=True)
        return done.stdout


class ApiFailed(Exception):
    """The API server answered with an error; holds its status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


def request(
    server: str, ca_pem: str, token: str, method: str, path: str, body: Object | None = None
) -> Object:
    """One request to an API server; a PATCH is a server-side apply."""
    kind = "application/apply-patch+yaml" if method == "PATCH" else "application/json"
    data = json.dumps(body).encode() if body is not None else None
    headers = {"Authorization": f"Bearer {token}", "Content-Type": kind}
    prepared = urllib.request.Request(server + path, data, headers, method=method)
    trust = ssl.create_default_context(cadata=ca_pem)
    try:
        with urllib.request.urlopen(prepared, context=trust, timeout=30) as response:
            text = response.read()
    except urllib.error.HTTPError as error:
        with error:
            raise ApiFailed(error.code, error.read().decode(errors="replace")) from None
    if not text.startswith(b"{"):
        return {"text": text.decode()}
    answer: Object = json.loads(text)
    return answer
