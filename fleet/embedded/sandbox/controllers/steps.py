"""What a rule sees, and what it may ask for.

A rule is ``(object, Seen) → steps``: it looks at one object and what belongs to it, and says
what is to be written for the world to come nearer to what the object wants. It keeps nothing:
called again it finds what it wrote, so a step that was lost is asked for once more, and a
world that is as it should be gives no step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from fleet.embedded.sandbox.objects import Object

CONTROLLERS = "kube-controller-manager"
KUBELET = "kubelet"
CLOUD = "cloud-controller-manager"


class Seen(Protocol):
    """One cluster at one moment."""

    @property
    def now(self) -> datetime: ...
    def get(self, kind: str, namespace: str, name: str) -> Object | None: ...
    def list(self, kind: str, namespace: str = "") -> Sequence[Object]: ...
    def owned(self, kind: str, owner: Object) -> Sequence[Object]:
        """What the owner controls, oldest first."""

    def suffix(self) -> str:
        """Five characters that nobody used yet, for the end of a name."""


@dataclass(frozen=True, slots=True)
class Write:
    """Create the object or replace it. ``manager`` is who owns the fields that change; ""
    leaves ``managedFields`` alone, as the binding of a Pod to a node does."""

    object: Object
    manager: str = CONTROLLERS
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the object. ``at_once`` is the kubelet's word that a Pod has ended."""

    object: Object
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Tell:
    """Say what happened to the object, as an Event that ``kubectl describe`` shows. Said once,
    when it happens: the same again only counts. ``source`` is who says it."""

    object: Object
    reason: str
    message: str
    source: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Later:
    """Look again after this many seconds: only time will have changed."""

    seconds: float


Step = Write | Delete | Tell | Later
Rule = Callable[[Object, Seen], Iterable[Step]]
