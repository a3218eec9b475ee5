"""The cluster side of the bench: what is live and since when, hand edits, request counts."""

from __future__ import annotations

import http.client
import json
import re
import ssl
import threading
import time
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

NAMESPACE = "bench"
CONFIG_MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
#: A person's edit, as ``kubectl edit`` sends it.
EDITOR = "kubectl-edit"
_COUNTED = re.compile(r"^apiserver_request_total\{(.*)\} (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


class Server:
    """One API server, asked over one connection. Not for several threads at once."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state
        self._context = ssl.create_default_context(cadata=state["ca_pem"])
        self._connection = self.connect()

    def connect(self) -> http.client.HTTPSConnection:
        where = urlsplit(self.state["server"])
        return http.client.HTTPSConnection(
            str(where.hostname), where.port, context=self._context, timeout=600
        )

    def headers(self, content: str = "application/json") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.state['admin_token']}", "Content-Type": content}

    def ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        content: str = "application/json",
    ) -> bytes:
        """The answer to one request; raises RuntimeError for any status but 2xx."""
        sent = None if body is None else json.dumps(body)
        self._connection.request(method, path, sent, self.headers(content))
        response = self._connection.getresponse()
        answer = response.read()
        if not 200 <= response.status < 300:
            raise RuntimeError(f"{method} {path}: {response.status} {answer.decode()}")
        return answer

    def edit(self, name: str, **data: str) -> None:
        """Change fields of a ConfigMap as a person would."""
        path = f"{CONFIG_MAPS}/{name}?fieldManager={EDITOR}"
        self.ask("PATCH", path, {"data": data}, "application/merge-patch+json")

    def counts(self) -> Counter[tuple[str, str]]:
        """Requests answered so far about what applications hold, by verb and resource.

        Only ConfigMaps and Namespaces: what else is asked does not grow with applications.
        Watches count when they end. The server's own look at its configuration is a few
        LISTs and WATCHes of ConfigMaps, all before a bench begins.
        """
        found: Counter[tuple[str, str]] = Counter()
        for labels, value in _COUNTED.findall(self.ask("GET", "/metrics").decode()):
            named = dict(_LABEL.findall(labels))
            if named["resource"] in ("configmaps", "namespaces"):
                found[named["verb"], named["resource"]] += int(float(value))
        return found


class Watcher:
    """Follows every ConfigMap of the namespace: which value each has, and since when."""

    def __init__(self, server: Server) -> None:
        self._connection = server.connect()
        self._connection.request("GET", f"{CONFIG_MAPS}?watch=true", headers=server.headers())
        self._response = self._connection.getresponse()
        self._news = threading.Condition()
        self._values: dict[str, str] = {}
        self._since: dict[str, float] = {}
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        for line in self._response:
            now = time.monotonic()
            found = json.loads(line)["object"]
            name, value = found["metadata"]["name"], found.get("data", {}).get("value", "")
            with self._news:
                if self._values.get(name) != value:
                    self._values[name], self._since[name] = value, now
                    self._news.notify_all()

    def await_all(self, value: str, count: int, seconds: float) -> float:
        """When the last of ``count`` objects got the value (monotonic seconds).

        Raises:
            TimeoutError: says how many have it.
        """
        with self._news:
            if not self._news.wait_for(lambda: self._having(value) >= count, seconds):
                raise TimeoutError(f"{self._having(value)} of {count} objects have {value!r}")
            return max(self._since[name] for name, v in self._values.items() if v == value)

    def _having(self, value: str) -> int:
        return sum(1 for found in self._values.values() if found == value)

    def await_one(self, name: str, value: str, after: float, seconds: float) -> float:
        """When the object got the value, later than ``after``."""

        def is_back() -> bool:
            return self._values.get(name) == value and self._since[name] > after

        with self._news:
            if not self._news.wait_for(is_back, seconds):
                raise TimeoutError(f"{name} is still {self._values.get(name)!r}")
            return self._since[name]
