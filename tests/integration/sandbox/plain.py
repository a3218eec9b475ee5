"""The sandbox's rules without its server: what a sequence of writes makes of one object."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from fleet.embedded.sandbox.admitting import admitted
from fleet.embedded.sandbox.defaulting import set_defaults
from fleet.embedded.sandbox.fieldsets import FieldsInvalid
from fleet.embedded.sandbox.kinds import Kind
from fleet.embedded.sandbox.merging import ApplyConflict, apply, track
from fleet.embedded.sandbox.objects import Object, with_meta
from fleet.embedded.sandbox.patching import PatchFailed, json_patch, merge_patch, strategic_patch
from fleet.embedded.sandbox.roundtrip import Undecodable
from fleet.embedded.sandbox.validating import validate

from .real import MEDIA, Owned, RealServer, collection, told_apart

NOW: Final = "2026-01-01T00:00:00Z"
NAME: Final = "one"


@dataclass(frozen=True)
class Step:
    """One write: ``create``, ``update``, or a kind of patch."""

    do: str
    manager: str
    body: Any
    force: bool = False

    def __repr__(self) -> str:
        force = ", force=True" if self.force else ""
        return f"Step({self.do!r}, {self.manager!r}, {self.body!r}{force})"


#: The status, and what is there afterwards or what is in the way.
Outcome = tuple[int, Any]
#: What an address is, both servers choose.
_CHOSEN: Final = ("clusterIP", "clusterIPs")


def _seen(obj: Object) -> tuple[Object, Owned]:
    plain, owned = told_apart(obj)
    if obj["kind"] == "Service":
        spec = {name: it for name, it in obj["spec"].items() if name not in _CHOSEN}
        plain = {**plain, "spec": spec}
    return plain, owned


class Ours:
    """One object, by the sandbox's rules."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._live: Object | None = None

    def run(self, step: Step) -> Outcome:
        """Do a step; an object that cannot be stored stays as it was."""
        try:
            made = self._made(step)
        except ApplyConflict as conflict:
            return 409, sorted((it.message, it.path) for it in conflict.causes)
        except FieldsInvalid as error:
            return 500, re.sub(r"^errors:\n  ", "", str(error))
        except Undecodable:
            return 400, None
        except PatchFailed as failed:
            return failed.code, None
        causes = validate(made, self._kind, self._live)
        if causes:
            return 422, sorted({cause.field for cause in causes})
        self._live = made
        return 200, _seen(made)

    def _made(self, step: Step) -> Object:
        kind, live = self._kind, self._live
        if step.do == "apply":
            made = apply(
                live,
                step.body,
                shape=kind.shape,
                manager=step.manager,
                force=step.force,
                now=NOW,
            )
            made = set_defaults(made, kind, applied=True)
        else:
            made = (
                step.body
                if live is None or step.do == "update"
                else _PATCHES[step.do](live, step.body, kind)
            )
            made = set_defaults(made, kind)
            made = track(live, made, shape=kind.shape, manager=step.manager, now=NOW)
        made = with_meta(made, uid="u")
        if "status" in kind.subresources:
            status = live.get("status") if live else None
            made = {name: it for name, it in made.items() if name != "status"}
            made = made if status is None else {**made, "status": status}
            made = set_defaults(made, kind, applied=True)
        return admitted(made, live, group=kind.group, plural=kind.plural, services=list)


_PATCHES: Final[Mapping[str, Callable[[Object, Any, Kind], Object]]] = {
    "json": lambda live, body, _: json_patch(live, body),
    "merge": lambda live, body, _: merge_patch(live, body),
    "strategic": lambda live, body, kind: strategic_patch(live, body, kind.shape),
}


class Theirs:
    """The same object at a real API server."""

    def __init__(self, server: RealServer, kind: Kind, namespace: str) -> None:
        self._server = server
        self._place = collection(kind, namespace)

    def run(self, step: Step) -> Outcome:
        """Do a step."""
        item, media = f"{self._place}/{NAME}", step.do if step.do in MEDIA else ""
        query = {"fieldManager": step.manager}
        match step.do:
            case "create":
                status, answer = self._server.ask("POST", self._place, step.body, **query)
            case "update":
                version = self._server.ask("GET", item)[1]["metadata"]["resourceVersion"]
                body = with_meta(step.body, resourceVersion=version)
                status, answer = self._server.ask("PUT", item, body, **query)
            case _:
                if step.do == "apply":
                    query["force"] = str(step.force).lower()
                status, answer = self._server.ask("PATCH", item, step.body, media=media, **query)
        return _outcome(status, answer)


def _outcome(status: int, answer: Object) -> Outcome:
    causes = (answer.get("details") or {}).get("causes") or ()
    if status < 300:
        return 200, _seen(answer)
    if status == 409:
        return 409, sorted((it["message"], it["field"]) for it in causes)
    if status == 422 and causes:
        return 422, sorted({it["field"] for it in causes})
    if status == 500 and "failed to create typed patch object" in answer["message"]:
        return 500, re.sub(r"^.*?\): (errors:\n  )?", "", answer["message"])
    return status, None


def in_namespace(step: Step, namespace: str) -> Step:
    """The step, with its object in a namespace and under the name that all have."""
    if not isinstance(step.body, dict):
        return step
    metadata = {**step.body.get("metadata", {}), "name": NAME, "namespace": namespace}
    return replace(step, body={**step.body, "metadata": metadata})
