"""Runs the requests of a case against one server and writes down what it answered."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from tests.contract.normalising import Normaliser
from tests.contract.shared import DEFINITIONS, definition, group_of
from tests.contract.targets import READ_SECONDS, Object, Target

#: A status; with the reason; with a part of the message.
Expected = int | tuple[int, str] | tuple[int, str, str]
View = Callable[[Any], Any]

JSON = "application/json"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"

#: Group and version of the kinds that cases use; what is not here is of v1.
GROUPS = {
    **dict.fromkeys(("deployments", "replicasets", "statefulsets", "daemonsets"), "apps/v1"),
    **dict.fromkeys(("jobs", "cronjobs"), "batch/v1"),
    "ingresses": "networking.k8s.io/v1",
    "networkpolicies": "networking.k8s.io/v1",
    "horizontalpodautoscalers": "autoscaling/v2",
    "poddisruptionbudgets": "policy/v1",
    "roles": "rbac.authorization.k8s.io/v1",
    "rolebindings": "rbac.authorization.k8s.io/v1",
    "leases": "coordination.k8s.io/v1",
    "endpointslices": "discovery.k8s.io/v1",
}
POLL_SECONDS = 0.02
#: Parts of a query that are another server's words.
ACCIDENTAL = re.compile(r"(continue|resourceVersion)=[^&]+")


@dataclass(frozen=True)
class Answer:
    """What came back, as it was; ``body`` is a text where it is no JSON."""

    status: int
    body: Any

    @property
    def version(self) -> str:
        """The resourceVersion of the object or list."""
        found: str = self.body["metadata"]["resourceVersion"]
        return found


class Stream:
    """An open watch."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.events: list[Object] = []

    def take(self, count: int = 1) -> list[Object]:
        """The next events; raises StopIteration where the server ends the watch before."""
        taken = [json.loads(next(self._lines)) for _ in range(count)]
        self.events += taken
        return taken

    def rest(self) -> list[Object]:
        """All events until the server ends the watch."""
        taken = [json.loads(line) for line in self._lines]
        self.events += taken
        return taken


class Recorder:
    """What a case is given: a client that takes notes.

    ``tag`` is new for each run and the same on both servers: whatever a case makes is named by
    it, so that cases do not meet.
    """

    def __init__(self, target: Target, client: httpx.Client, tag: str) -> None:
        self.tag = tag
        self.group = f"{tag}.example.com"
        self.transcript: list[Object] = []
        self._target = target
        self._client = client
        self._normal = Normaliser(tag)
        self._namespaced = False

    @property
    def ns(self) -> str:
        """The namespace of this case, made when it is first asked for."""
        if not self._namespaced:
            self._namespaced = True
            self.have("/api/v1/namespaces", {"metadata": {"name": self.tag}})
        return self.tag

    @property
    def has_namespace(self) -> bool:
        """Whether the case has asked for one."""
        return self._namespaced

    def at(self, resource: str, name: str = "", subresource: str = "") -> str:
        """The path of a collection in the namespace of this case, of an object, of a part."""
        below = f"namespaces/{self.ns}/{resource}"
        root = f"apis/{GROUPS[resource]}" if resource in GROUPS else "api/v1"
        return "/" + "/".join(filter(None, (root, below, name, subresource)))

    def custom(self, name: str = "", subresource: str = "", *, version: str = "v1") -> str:
        """The same for this case's own kind of ``crd``."""
        below = f"apis/{self.group}/{version}/namespaces/{self.ns}/widgets"
        return "/" + "/".join(filter(None, (below, name, subresource)))

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        expect: Expected,
        kind: str = JSON,
        accept: str = JSON,
        view: View | None = None,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request, written down; ``view`` picks what of the body is compared.

        A ``body`` that is bytes is sent as it is; ``token`` is another user's, or "" for none.

        Raises:
            AssertionError: the real server answered with another status than is expected.
        """
        response = self._send(method, path, body, kind, accept, token, headers)
        answer = Answer(response.status_code, _content(response))
        self._normal.learn(answer.body)
        self.transcript.append(
            {
                "request": f"{method} {self._shown(path)}",
                "status": answer.status,
                "type": response.headers.get("content-type", ""),
                "warnings": self._normal(response.headers.get_list("warning")),
                "body": self._normal(self._viewed(answer.body, view)),
            }
        )
        if self._target.real:
            _check(answer, expect)
        return answer

    def _viewed(self, body: Any, view: View | None) -> Any:
        """What of a body is compared: all of one in which a sandbox has nothing to pick."""
        try:
            return view(body) if view else body
        except (LookupError, TypeError, ValueError):
            if self._target.real:
                raise
            return body

    def _send(
        self,
        method: str,
        path: str,
        body: Any,
        kind: str,
        accept: str,
        token: str | None,
        headers: dict[str, str] | None,
    ) -> httpx.Response:
        sent = {"Accept": accept, **(headers or {})}
        if body is not None:
            sent.setdefault("Content-Type", kind)
        if token is not None:
            sent["Authorization"] = f"Bearer {token}" if token else ""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        return self._client.request(method, path, content=data, headers=sent)

    def get(self, path: str, expect: Expected = 200, **how: Any) -> Answer:
        """Read an object, a list or a document."""
        return self.ask("GET", path, expect=expect, **how)

    def post(self, path: str, body: Any, expect: Expected = 201, **how: Any) -> Answer:
        """Create."""
        return self.ask("POST", path, body, expect=expect, **how)

    def put(self, path: str, body: Any, expect: Expected = 200, **how: Any) -> Answer:
        """Replace."""
        return self.ask("PUT", path, body, expect=expect, **how)

    def patch(self, path: str, body: Any, expect: Expected = 200, **how: Any) -> Answer:
        """Patch; by JSON merge unless ``kind`` says otherwise."""
        return self.ask("PATCH", path, body, expect=expect, **{"kind": MERGE, **how})

    def apply(
        self,
        path: str,
        body: Any,
        manager: str = "one",
        expect: Expected = 200,
        *,
        options: str = "",
        **how: Any,
    ) -> Answer:
        """Server-side apply as ``manager``."""
        query = f"?fieldManager={quote(manager)}{options}"
        return self.ask("PATCH", path + query, body, expect=expect, kind=APPLY, **how)

    def delete(
        self, path: str, options: Object | None = None, expect: Expected = 200, **how: Any
    ) -> Answer:
        """Delete an object or a collection."""
        return self.ask("DELETE", path, options, expect=expect, **how)

    @contextlib.contextmanager
    def watch(self, path: str, *, accept: str = JSON, view: View | None = None) -> Iterator[Stream]:
        """An open watch; the events that are taken are written down when it is left."""
        with self._client.stream("GET", path, headers={"Accept": accept}) as response:
            stream = Stream(response.iter_lines())
            try:
                yield stream
            finally:
                events = [self._viewed(it, view) for it in stream.events]
                self.transcript.append(
                    {
                        "request": f"WATCH {self._shown(path)}",
                        "status": response.status_code,
                        "type": response.headers.get("content-type", ""),
                        "events": self._normal(events),
                    }
                )

    def _shown(self, path: str) -> str:
        return ACCIDENTAL.sub(r"\1=…", str(self._normal(path)))

    def have(self, path: str, body: Object) -> Object:
        """Create what a case needs, without a note; the object as the server stored it."""
        response = self._send("POST", path, body, JSON, JSON, None, None)
        assert response.status_code == 201, f"{path}: {response.text}"
        made: Object = response.json()
        return made

    def quietly(self, method: str, path: str, body: Any = None, kind: str = JSON) -> Any:
        """Any request without a note, whatever the server answers."""
        content = _content(self._send(method, path, body, kind, JSON, None, None))
        self._normal.learn(content)
        return content

    def shared(self, name: str) -> None:
        """Let ``custom`` be about a kind that other cases use too."""
        self.group = group_of(name)

    def crd(self, *versions: Object, **spec: Any) -> None:
        """Define a kind of this case's own, ``Widget``; it is served when this returns."""
        made = definition(self.group, *versions, **spec)
        self.have(DEFINITIONS, made)
        path = f"/apis/{self.group}/{made['spec']['versions'][0]['name']}/widgets"
        self._until(lambda: self._client.get(path).status_code == 200)

    def remove_crd(self) -> None:
        """Forget the kind that ``crd`` made; without a note."""
        self._client.delete(f"{DEFINITIONS}/widgets.{self.tag}.example.com")

    def wait(self, path: str, ready: Callable[[Object], bool]) -> Object:
        """Follow the object at ``path`` until it is as it should be; without a note."""
        collection, _, name = path.rpartition("/")
        query = f"?watch=true&fieldSelector=metadata.name%3D{name}"
        for event in self._follow(collection + query):
            if event["type"] in {"ADDED", "MODIFIED"} and ready(event["object"]):
                return dict(event["object"])
        raise AssertionError(f"{path} did not become what was waited for")

    def until_seen(self, path: str, seen: Callable[[Any], Any], *, accept: str = JSON) -> None:
        """Read a document until ``seen`` finds what it looks for; without a note."""
        headers = {"Accept": accept}
        self._until(lambda: bool(seen(_content(self._client.get(path, headers=headers)))))

    def until_applied(self, path: str, body: Object) -> None:
        """Try a dry run until it is accepted: a change of a definition takes a moment."""
        query = "?fieldManager=x&force=true&dryRun=All"

        def tried() -> bool:
            sent = self._send("PATCH", path + query, body, APPLY, JSON, None, None)
            return sent.status_code == 201

        self._until(tried)

    def until_allowed(self, path: str, token: str) -> None:
        """Read with a token until that is allowed: roles take effect a moment later."""
        self._until(lambda: self._status(path, token) == 200)

    def _status(self, path: str, token: str) -> int:
        return self._send("GET", path, None, JSON, JSON, token, None).status_code

    def wait_gone(self, path: str) -> None:
        """Return when the object at ``path`` is no more."""
        self._until(lambda: self._client.get(path).status_code == 404)

    def _follow(self, path: str) -> Iterator[Object]:
        with self._client.stream("GET", f"{path}&timeoutSeconds={READ_SECONDS}") as response:
            yield from map(json.loads, response.iter_lines())

    @staticmethod
    def _until(ready: Callable[[], bool]) -> None:
        """Ask again and again: nothing tells when a server begins or ends to serve a path."""
        deadline = time.monotonic() + READ_SECONDS
        while not ready():
            assert time.monotonic() < deadline, "what was waited for did not happen"
            time.sleep(POLL_SECONDS)


def _content(response: httpx.Response) -> Any:
    """JSON whatever it calls itself: some documents are sent as plain text."""
    return response.json() if response.text.startswith("{") else response.text


def _check(answer: Answer, expect: Expected) -> None:
    status, reason, message = (*((expect,) if isinstance(expect, int) else expect), "", "")[:3]
    told = f"{answer.status} {str(answer.body)[:1500]}"
    assert answer.status == status, told
    if reason:
        assert answer.body["reason"] == reason, told
    if message:
        assert message in answer.body["message"], told
