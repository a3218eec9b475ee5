"""Who calls, and what they may do. No route answers without one but those in ``health``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated

from fastapi import Depends, Request

from fleet.errors import AddressForbidden, FleetError, Forbidden, Unauthenticated
from fleet.identity.tokens import parse
from fleet.model.decisions import ALLOWED, Decision, refused
from fleet.model.scope import Actor, Scope
from fleet.operations.access import local_rights, rights
from fleet.operations.runtime import Runtime
from fleet.policy import Rights
from fleet.registry import accounts
from fleet.registry.audit import record_denied

_HINT = "Sign in with `fleet login`, or pass --auth-token or FLEET_AUTH_TOKEN."

#: Answers that say no to whoever asks, rather than that something is amiss.
DENIED = (Forbidden, AddressForbidden)


@dataclass
class Caller:
    """An authenticated subject, in one request.

    ``asked`` tells whether the route said what it lets whom do; one that did not is not
    answered (``guarded``).
    """

    actor: Actor
    runtime: Runtime
    rights: Rights
    asked: bool = field(default=False, init=False)
    #: What was asked for last: action, kind and name.
    _wanted: tuple[str, str, str] = field(default=("", "", ""), init=False)
    #: The refusals that are in the audit log.
    _recorded: list[FleetError] = field(default_factory=list, init=False)

    @property
    def scope(self) -> Scope:
        return self.rights.scope

    async def require(
        self, action: str, kind: str, name: str = "", project: str = "", *aliases: str
    ) -> None:
        """Go on only if the caller may; a refusal is written to the audit log.

        Args:
            aliases: other names by which a rule may mean the object.

        Raises:
            Forbidden: policy says no.
        """
        decision = self.rights.may(action, kind, name, project, aliases=aliases)
        await self._go_on(decision, action, kind, name)

    async def require_some(self, kind: str) -> None:
        """Go on only if the caller may look at any object of the kind; the caller's scope
        leaves out the others.

        Raises:
            Forbidden: policy says no of all.
        """
        decision = ALLOWED
        if self.scope.seen(kind).is_nothing:
            decision = refused(f"{self.rights.who} may not get {kind}; ask an administrator")
        await self._go_on(decision, "get", kind, "")

    async def require_administrator(self, action: str, kind: str, name: str) -> None:
        """Go on only if the caller may everything: they are about to give rights.

        Raises:
            Forbidden: they may not.
        """
        decision = self.rights.may(action, kind, name)
        if decision and not self.rights.is_administrator:
            decision = refused(f"{self.rights.who} may not give rights; ask an administrator")
        await self._go_on(decision, action, kind, name)

    async def _go_on(self, decision: Decision, action: str, kind: str, name: str) -> None:
        self.asked = True
        self._wanted = action, kind, name
        if decision:
            return
        about = f"{kind}/{name}" if name else kind
        error = Forbidden(f"{self.actor.name}: {decision.reason}", object=about)
        await self._record(error, action, kind, name, decision.reason)
        raise error

    def anyone(self) -> None:
        """Whoever signed in may: the answer tells nothing but what they know anyway."""
        self.asked = True

    async def refused(self, error: FleetError, *wanted: str) -> None:
        """Write to the audit log that an operation said no, unless it is there already.

        Args:
            wanted: action, kind and name, if not what ``require`` was asked for last.
        """
        if isinstance(error, DENIED) and not any(error is known for known in self._recorded):
            action, kind, name = wanted or self._wanted
            await self._record(error, action, kind, name, error.message)

    async def _record(
        self, error: FleetError, action: str, kind: str, name: str, reason: str
    ) -> None:
        self._recorded.append(error)
        await record_denied(self.runtime.db, self.actor, action, kind, name or "*", reason=reason)


async def caller_of(request: Request) -> Caller:
    """The caller of a request, found once.

    Raises:
        Unauthenticated: no token, or none that is valid. A wrong token is never a lesser
            identity.
    """
    known: Caller | None = getattr(request.state, "caller", None)
    if known is None:
        known = request.state.caller = await _authenticated(request)
    return known


async def _authenticated(request: Request) -> Caller:
    runtime: Runtime = request.app.state.runtime
    local: Actor | None = request.app.state.local
    request_id = request.state.request_id
    if local is not None:
        return Caller(replace(local, request_id=request_id), runtime, local_rights(local))
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not text:
        raise Unauthenticated("no API token was given", hint=_HINT)
    proof = parse(text.strip())
    source_ip = request.client.host if request.client else ""
    if proof is not None:
        async with runtime.db.transaction() as tx:
            found = await accounts.authenticate(tx, proof, runtime.now())
            held = None if found is None else await rights(tx, found.subject)
        if found is not None and held is not None:
            return Caller(found.actor(source_ip=source_ip, request_id=request_id), runtime, held)
    unknown = Actor("anonymous", source_ip, request_id)
    await record_denied(runtime.db, unknown, "sign-in", "Token", str(proof.id) if proof else "")
    raise Unauthenticated("the API token is unknown, expired or revoked", hint=_HINT)


Calling = Annotated[Caller, Depends(caller_of)]
