"""Holding back what Fleet would do by itself: switches that people pause, manifests they pin."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from fleet.errors import Place, Refused, SpecInvalid
from fleet.model.holds import Holds, Pin, Stay, Switch
from fleet.model.scope import Actor, Scope
from fleet.operations.crashpoints import committing
from fleet.operations.runtime import Runtime
from fleet.operations.specs import application_spec
from fleet.registry import applications, holds, queue
from fleet.registry.application_refs import ApplicationRef
from fleet.registry.database import Tx
from fleet.registry.holds import Held

EVERY_SWITCH = frozenset(Switch)


@dataclass(frozen=True, slots=True)
class Terms:
    """Why something is held back, and until when; ``until`` None: until somebody resumes."""

    reason: str = ""
    until: datetime | None = None


#: Until somebody resumes, for a reason that follows from what was done.
OPEN_END = Terms()


async def pause_application(
    runtime: Runtime,
    actor: Actor,
    scope: Scope,
    name: str,
    switches: Collection[Switch],
    terms: Terms,
) -> Holds:
    """Keep Fleet from deploying, healing or pruning by itself; people may go on to.

    Args:
        switches: which; none means all.

    Raises:
        NotFound: no such application.
        SpecInvalid: ``until`` is past.
    """
    stay = stay_of(actor, terms, runtime.now())
    chosen = frozenset(switches) or EVERY_SWITCH
    async with committing(runtime.db, "request") as tx:
        app = await applications.find_application(tx, scope, name)
        held = await holds.hold_application(tx, app.id)
        now = held.holds.at(runtime.now())
        return await _put(
            tx, actor, app, held, now.with_paused(dict.fromkeys(chosen, stay)), action="pause"
        )


async def resume_application(
    runtime: Runtime, actor: Actor, scope: Scope, name: str, switches: Collection[Switch]
) -> Holds:
    """Let Fleet do by itself again what was paused; all of it, and no pin, unless told which.

    Raises:
        NotFound: no such application.
        Refused: nothing of it is held back.
    """
    chosen = frozenset(switches) or EVERY_SWITCH
    async with committing(runtime.db, "request") as tx:
        app = await applications.find_application(tx, scope, name)
        held = await holds.hold_application(tx, app.id)
        now = held.holds.at(runtime.now())
        left = now.without(chosen)
        if left == now:
            raise Refused(
                f"application {name!r} has nothing paused"
                + (f" of {', '.join(sorted(switches))}" if switches else " and is not pinned"),
                hint=f"`fleet app get {name}` shows what is held back.",
                object=f"Application/{name}",
            )
        return await _put(tx, actor, app, held, left, action="resume")


async def pin_application(
    tx: Tx, actor: Actor, app: ApplicationRef, pin: Pin, now: datetime
) -> bool:
    """Have stored manifests wanted from now on where auto-sync would undo them at once;
    False where it would not, and nothing is written."""
    held = await holds.hold_application(tx, app.id)
    current = held.holds.at(now)
    if not application_spec(held.document).sync_policy.auto_sync and current.pin is None:
        return False
    await _put(tx, actor, app, held, replace(current, pin=pin), action="pin")
    return True


def stay_of(actor: Actor, terms: Terms, now: datetime, *, otherwise: str = "") -> Stay:
    """Who holds something back on these terms.

    Args:
        otherwise: the reason where none is given.

    Raises:
        SpecInvalid: it would be over already.
    """
    if terms.until is not None and terms.until <= now:
        raise SpecInvalid("lies in the past", place=Place(field="until"))
    return Stay(actor.name, terms.reason.strip() or otherwise, terms.until)


async def _put(
    tx: Tx, actor: Actor, app: ApplicationRef, held: Held, wanted: Holds, *, action: str
) -> Holds:
    await holds.put_holds(tx, actor, held, wanted, action=action)
    if app.cluster_id is not None:
        await queue.wake(tx, "reconcile", [str(app.cluster_id)])
    return wanted
