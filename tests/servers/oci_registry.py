"""A real OCI registry on loopback: Debian's docker-registry."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.keeper import start_child
from tests.ports import free_port
from tests.servers.charts import SAMPLE, package
from tests.servers.tls import Pair

READY_SECONDS = 20
PROGRAM = "docker-registry"
USERNAME, PASSWORD = "ci", "ci-password"
# What `htpasswd -nbB ci ci-password` prints: the registry reads bcrypt only.
HTPASSWD = "ci:$2y$05$A5YenTREtUQp.5X2AH2cluRzxZNyqsGuRZTbhHWN/e0ZyfvLvHo.u"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
HELM_CONFIG = "application/vnd.cncf.helm.config.v1+json"
HELM_PROVENANCE = "application/vnd.cncf.helm.chart.provenance.v1.prov"
HELM_CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"


class OciRegistry:
    """An empty registry in memory; ``host`` goes into ``oci://`` URLs.

    With ``auth`` it asks for ``USERNAME`` and ``PASSWORD``.
    """

    def __init__(
        self, folder: Path, *, auth: bool = False, tls: Pair | None = None, ca_pem: str = ""
    ) -> None:
        self.auth = auth
        port = free_port()
        self.host = f"127.0.0.1:{port}"
        self.url = f"{'https' if tls else 'http'}://{self.host}"
        self._context = ssl.create_default_context(cadata=ca_pem) if tls else None
        config = folder / "config.json"
        config.write_text(json.dumps(self._config(folder, tls)))
        log = folder / "registry.log"
        self._process = start_child([PROGRAM, "serve", config], log)
        deadline = time.monotonic() + READY_SECONDS
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the registry did not start:\n{log.read_text()}")
            time.sleep(0.02)

    def _config(self, folder: Path, tls: Pair | None) -> dict[str, object]:
        """JSON is YAML."""
        http: dict[str, object] = {"addr": self.host, "secret": "test"}
        if tls:
            certificate, key = folder / "server.crt", folder / "server.key"
            certificate.write_text(tls.certificate)
            key.write_text(tls.key)
            http["tls"] = {"certificate": str(certificate), "key": str(key)}
        config: dict[str, object] = {
            "version": "0.1",
            "log": {"accesslog": {"disabled": True}},
            "storage": {"inmemory": {}, "delete": {"enabled": True}},
            "http": http,
        }
        if self.auth:
            passwords = folder / "htpasswd"
            passwords.write_text(HTPASSWD + "\n")
            config["auth"] = {"htpasswd": {"realm": "test", "path": str(passwords)}}
        return config

    def _ready(self) -> bool:
        try:
            self._ask("GET", "/v2/")
        except OSError:
            return False
        return True

    def _ask(
        self, method: str, path: str, data: bytes | None = None, kind: str = ""
    ) -> Mapping[str, str]:
        url = path if path.startswith("http") else self.url + path
        request = urllib.request.Request(url, data, method=method)
        if kind:
            request.add_header("Content-Type", kind)
        if self.auth:
            pair = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
            request.add_header("Authorization", f"Basic {pair}")
        with urllib.request.urlopen(request, timeout=10, context=self._context) as response:
            return dict(response.headers)

    def push_blob(self, repository: str, data: bytes) -> str:
        """Store a blob; its digest."""
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        where = self._ask("POST", f"/v2/{repository}/blobs/uploads/", b"")["Location"]
        separator = "&" if "?" in where else "?"
        upload = f"{where}{separator}digest={digest}"
        self._ask("PUT", upload, data, "application/octet-stream")
        return digest

    def push(
        self,
        repository: str,
        tag: str,
        layers: Mapping[str, bytes],
        *,
        config: bytes = b"{}",
        config_type: str = "application/vnd.oci.empty.v1+json",
    ) -> str:
        """Store an artifact of ``layers`` by media type; the digest of its manifest."""
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.describe(repository, config, config_type),
            "layers": [self.describe(repository, data, kind) for kind, data in layers.items()],
        }
        return self.put_manifest(repository, tag, manifest)

    def put_manifest(
        self, repository: str, tag: str, manifest: Mapping[str, object], kind: str = MANIFEST
    ) -> str:
        """Store a manifest as it is, at a tag or, without one, at its digest; its digest."""
        body = json.dumps(manifest).encode()
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        self._ask("PUT", f"/v2/{repository}/manifests/{tag or digest}", body, kind)
        return digest

    def describe(self, repository: str, data: bytes, kind: str) -> dict[str, object]:
        """Store a blob; how a manifest names it."""
        digest = self.push_blob(repository, data)
        return {"mediaType": kind, "digest": digest, "size": len(data)}

    def push_chart(
        self,
        name: str,
        version: str,
        files: Mapping[str, str] = SAMPLE,
        *,
        below: str = "charts",
        provenance: bytes = b"",
    ) -> str:
        """Store a chart as ``helm push`` does, at ``oci://<host>/<below>/<name>:<version>``."""
        chart = package(name, version, files)
        return self.push(
            f"{below}/{name}",
            version.replace("+", "_"),
            {HELM_CHART: chart.data} | ({HELM_PROVENANCE: provenance} if provenance else {}),
            config=json.dumps(chart.metadata).encode(),
            config_type=HELM_CONFIG,
        )

    def close(self) -> None:
        """End it; it forgets everything."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
