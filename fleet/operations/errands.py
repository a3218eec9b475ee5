"""One object that is to be written, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fleet.cluster import ClusterClient, Gate, get_object
from fleet.expressions import Jq
from fleet.model.applications import IgnoreDifference, LiveResource
from fleet.model.argo_tracking import ArgoTracking, Takeover
from fleet.model.clusters import ApiKind
from fleet.model.objects import Manifest
from fleet.plan import DesiredObject, ObjectOptions

#: Others may write an object between a look at it and our write.
TRIES = 4
#: Fields named in a message.
SHOWN = 3


@dataclass(frozen=True)
class Errand:
    """One object, and how it is to be written.

    Attributes:
        kind: as the cluster serves it.
        options: of the object, under those of the application and of this sync.
        row: what is recorded of the object.
        force: take fields from other managers.
        ignored: differences that others may make; ``jq`` is asked what they name.
        tracking: how Argo CD marks what it deploys.
        takeover: whose objects are taken over; None: nobody asked for that.
        run: names the try of the sync that asks; "" for none.
    """

    client: ClusterClient
    kind: ApiKind
    wanted: DesiredObject
    options: ObjectOptions
    gate: Gate
    row: LiveResource | None = None
    force: bool = False
    dry_run: bool = False
    run: str = ""
    ignored: Sequence[IgnoreDifference] = ()
    jq: Jq | None = None
    tracking: ArgoTracking = ArgoTracking()
    takeover: Takeover | None = None

    async def live(self) -> Manifest | None:
        ref = self.wanted.ref
        return await get_object(self.client, self.kind, ref.namespace, ref.name)


@dataclass(frozen=True, slots=True)
class Sent:
    """An object as the server has it now, or would after a dry run. ``told`` is what was done
    beside what an ordinary apply does."""

    live: Manifest
    created: bool
    told: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """Nothing is sent: for good, as what is there is let be; or for ``now``."""

    why: str
    live: Manifest | None = None
    now: bool = False


def both(one: str, other: str) -> str:
    return "; ".join(part for part in (one, other) if part)
