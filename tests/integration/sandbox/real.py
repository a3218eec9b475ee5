"""A real API server that stores and never acts, asked as the sandbox is."""

from __future__ import annotations

import ssl
from typing import Any, Final

import httpx

from fleet.embedded.sandbox.kinds import Kind
from fleet.embedded.sandbox.objects import Object
from tests.cluster.kube import TestCluster

MEDIA: Final = {
    "apply": "application/apply-patch+yaml",
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}


class RealServer:
    """A client of one bare cluster; answers are ``(status, JSON)``.

    A path that the server does not serve (yet: a custom kind's comes a moment after its
    definition) is answered in plain text, which is told as ``message``.
    """

    def __init__(self, cluster: TestCluster) -> None:
        self._client = httpx.Client(
            base_url=cluster.server,
            verify=ssl.create_default_context(cadata=cluster.ca_pem),
            headers={"Authorization": f"Bearer {cluster.admin_token}"},
            timeout=30,
            trust_env=False,
        )

    def close(self) -> None:
        """End its connections."""
        self._client.close()

    def ask(
        self, method: str, path: str, body: Any = None, *, media: str = "", **query: str
    ) -> tuple[int, Object]:
        """One request; ``media`` is a key of MEDIA."""
        headers = {"Content-Type": MEDIA.get(media, "application/json")}
        answer = self._client.request(method, path, json=body, headers=headers, params=query)
        plain = answer.headers["Content-Type"].startswith("text/plain")
        return answer.status_code, {"message": answer.text} if plain else answer.json()

    def make_namespace(self, name: str) -> None:
        """A namespace that is new."""
        status, answer = self.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        assert status == 201, answer


def collection(kind: Kind, namespace: str) -> str:
    """The path under which the objects of a kind are."""
    root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    return (
        f"{root}/namespaces/{namespace}/{kind.plural}"
        if kind.namespaced
        else (f"{root}/{kind.plural}")
    )


Owned = dict[tuple[str, ...], Object]


def told_apart(obj: Object) -> tuple[Object, Owned]:
    """An object without what differs between two servers, and its owners with their fields.

    Of an owner's time only remains whether it has one.
    """
    chance = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields")
    metadata = {name: it for name, it in obj["metadata"].items() if name not in chance}
    owners = {
        (it["manager"], it["operation"], it["apiVersion"], it.get("subresource", "")): {
            "fields": it["fieldsV1"],
            "timed": "time" in it,
        }
        for it in obj["metadata"].get("managedFields") or ()
    }
    return {**obj, "metadata": metadata}, owners
