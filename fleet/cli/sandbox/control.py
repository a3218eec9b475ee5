"""Talking to the process that serves the clusters, over its own admin endpoint."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import httpx

from fleet.cli.failures import error_from
from fleet.cli.sandbox.endpoint import read_endpoint
from fleet.cli.sandbox.place import Place
from fleet.errors import Refused, ServerUnreachable

SECONDS = 60.0  # adding a thousand clusters takes a few of them


class Control:
    """One running sandbox."""

    def __init__(self, http: httpx.Client, address: str) -> None:
        self._http = http
        self.address = address

    def clusters(self) -> list[Mapping[str, Any]]:
        """All of them, in the order in which they were added."""
        found: list[Mapping[str, Any]] = self._call("GET", "clusters")["clusters"]
        return found

    def add(self, clusters: Sequence[Mapping[str, Any]]) -> None:
        """Add clusters, each with ``name`` and ``labels``."""
        self._call("POST", "clusters", list(clusters))

    def set_broken(self, name: str, how: str) -> None:
        """Break a cluster; "" heals it."""
        path = f"clusters/{quote(name, safe='')}"
        if how:
            self._call("POST", f"{path}/break", {"how": how})
        else:
            self._call("POST", f"{path}/heal")

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        try:
            answer = self._http.request(method, f"/sandbox/{path}", json=body)
        except httpx.HTTPError as error:
            raise ServerUnreachable(
                f"the sandbox at {self.address} does not answer: {error}",
                hint="`fleet sandbox down` and `fleet sandbox up` start it anew.",
            ) from None
        content = answer.json() if answer.content else {}
        if answer.status_code >= 300:
            raise error_from(content.get("error", content), answer.status_code)
        return content


@contextmanager
def running(place: Place) -> Iterator[Control]:
    """The sandbox that runs on this home.

    Raises:
        Refused: none does, or it is only starting.
    """
    found = place.holder()
    if found is None or not found.address:
        what = "no sandbox runs" if found is None else "the sandbox is only starting"
        raise Refused(f"{what} on {place.home}", hint="Start one: fleet sandbox up")
    with opened(place) as control:
        yield control


@contextmanager
def opened(place: Place) -> Iterator[Control]:
    """The sandbox that announced itself on this home."""
    endpoint = read_endpoint(place)
    if endpoint is None:
        raise Refused(
            f"{place.endpoint} cannot be read",
            hint="`fleet sandbox down` and `fleet sandbox up` write it anew.",
        )
    with httpx.Client(
        base_url=endpoint.url,
        headers={"Authorization": f"Bearer {endpoint.token}"},
        verify=ssl.create_default_context(cadata=endpoint.ca),
        timeout=SECONDS,
        trust_env=False,
    ) as http:
        yield Control(http, endpoint.url)
