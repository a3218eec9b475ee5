"""The real servers' part of the contract that nobody else may use: an API server alone.

Runs as a keeper (``tests.keeper``) with an etcd of its own, which is compacted: what others
list or watch meanwhile would break by that.
"""

from __future__ import annotations

import contextlib
import json
import urllib.request
from collections.abc import Iterator

from tests.cluster.control_plane import control_plane
from tests.contract.shared import prepare
from tests.contract.targets import Target
from tests.keeper import State, keep, scratch

NAME = "contract"


@contextlib.contextmanager
def alone() -> Iterator[State]:
    """An API server with the shared kinds; its etcd has forgotten everything before them."""
    with scratch() as folder, control_plane(folder) as plane:
        state = plane.handle({"do": "bare", "names": [NAME]})[NAME]
        target = Target(state["server"], state["ca_pem"], state["admin_token"], real=True)
        prepare(target)
        _compact(state["etcd_endpoint"])
        yield {"alone": {"url": target.url, "ca_pem": target.ca_pem, "token": target.token}}


def _compact(etcd: str) -> None:
    def ask(path: str, body: State) -> State:
        sent = urllib.request.Request(f"{etcd}/v3/kv/{path}", json.dumps(body).encode())
        with urllib.request.urlopen(sent, timeout=30) as answer:
            found: State = json.load(answer)
        return found

    revision = ask("range", {"key": "AA=="})["header"]["revision"]
    ask("compaction", {"revision": revision, "physical": True})


if __name__ == "__main__":
    keep(alone())
