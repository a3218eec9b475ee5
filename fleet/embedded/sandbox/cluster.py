"""One cluster: its objects, who may do what, and whether it is broken on purpose."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from fleet.embedded.sandbox.authenticating import Account, TokenKey
from fleet.embedded.sandbox.kinds import Kinds
from fleet.embedded.sandbox.objects import now as wall_clock
from fleet.embedded.sandbox.store import Store

Schedule = Callable[[float, Callable[[], None]], None]

#: How a cluster can be broken, and what its clients see then.
BREAKS = {
    "unreachable": "nothing is answered: requests and watches hang",
    "slow": "every answer comes some seconds late",
    "500": "every request is answered by an internal error",
    "401": "nobody is known any more",
    "readonly": "writes are forbidden",
    "full": "writes fail: the database has no space left",
}


class Cluster:
    """One cluster. Its methods are those of its parts; this holds them together.

    Args:
        schedule: calls a function after some seconds; what controllers do later goes through it.
    """

    __slots__ = (
        "accounts",
        "admin_token",
        "broken",
        "ca_pem",
        "created",
        "key",
        "labels",
        "name",
        "now",
        "port",
        "rights",
        "schedule",
        "store",
        "streams",
    )

    def __init__(
        self,
        name: str,
        *,
        admin_token: str,
        key: TokenKey,
        ca_pem: str,
        port: int,
        schedule: Schedule,
        labels: dict[str, str] | None = None,
        now: Callable[[], datetime] = wall_clock,
    ) -> None:
        self.name = name
        self.admin_token = admin_token
        self.key = key
        self.ca_pem = ca_pem
        self.port = port
        self.schedule = schedule
        self.labels = labels or {}
        self.now = now
        self.created = now()
        self.store = Store(Kinds())
        #: Tokens that were found valid, and whose they are.
        self.accounts: dict[str, Account] = {}
        #: What authorizing remembers about users; emptied when roles change.
        self.rights: dict[str, Any] = {}
        #: How it is broken: a word of BREAKS, or "".
        self.broken = ""
        #: Called when it breaks or heals: open watches react.
        self.streams: set[Callable[[], None]] = set()

    def __repr__(self) -> str:
        return f"Cluster({self.name!r})"

    @property
    def kinds(self) -> Kinds:
        """What it serves."""
        return self.store.kinds

    def set_broken(self, how: str) -> None:
        """Break it, or heal it by ""; ``how`` is a word of BREAKS."""
        self.broken = how
        for wake in tuple(self.streams):
            wake()
