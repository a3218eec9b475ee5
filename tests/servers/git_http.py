"""The real ``git http-backend`` behind a web server on loopback."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from pathlib import Path

from tests.servers.git_repo import GitRepo
from tests.servers.http import HttpServer, Request, Response
from tests.servers.tls import Pair


class GitHttpServer(HttpServer):
    """Serves the repositories below ``root``; everything of ``HttpServer`` applies."""

    def __init__(self, root: Path, *, tls: Pair | None = None) -> None:
        self.root = root
        super().__init__(self._backend, tls=tls)

    def repository(self, name: str = "shop") -> GitRepo:
        """A new repository, whose URL is served here."""
        return GitRepo(self.root / f"{name}.git", f"{self.url}/{name}.git")

    def counts(self) -> Counter[str]:
        """Requests so far: ``advertise``, ``ls-refs``, ``fetch``, ``push`` and ``other``."""
        return Counter(_kind(request) for request in self.requests)

    def _backend(self, request: Request) -> Response:
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "HOME": "/nonexistent",
            "REMOTE_USER": self.username or "anonymous",
            "REMOTE_ADDR": "127.0.0.1",
            "REQUEST_METHOD": request.method,
            "PATH_INFO": request.path,
            "QUERY_STRING": request.query,
            "CONTENT_TYPE": request.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(request.body)),
            "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
            "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
        }
        done = subprocess.run(
            ["git", "http-backend"],
            input=request.body,
            env=environment,
            capture_output=True,
            check=False,
        )
        return _parsed(done.stdout)


def _parsed(output: bytes) -> Response:
    """A CGI program's answer: headers, an empty line, a body; no Status means 200."""
    head, _, body = output.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
    status = int(headers.pop("Status", "200").split()[0]) if output else 500
    return Response(status, body, headers)


def _kind(request: Request) -> str:
    if request.path.endswith("/info/refs"):
        return "advertise"
    if request.path.endswith("/git-receive-pack"):
        return "push"
    if request.path.endswith("/git-upload-pack"):
        return "ls-refs" if b"command=ls-refs" in request.body else "fetch"
    return "other"
