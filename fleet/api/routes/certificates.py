"""SSH host keys and TLS authorities that people vouch for."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Response
from pydantic import Field

from fleet.api.answers import created
from fleet.api.caller import Calling
from fleet.api.guarded import guarded_router
from fleet.api.requests import PAGE, After, Body, Limit
from fleet.api.shapes import page
from fleet.model.repositories import KnownCertificate
from fleet.operations import sources
from fleet.registry import certificates

router = guarded_router("certificates")

#: Far more than any bundle of authorities that a system ships.
TEXT_LENGTH = 4 << 20
Kind = Literal["", "ssh", "https"]


class HostsBody(Body):
    """``known_hosts``: lines as ``ssh-keyscan`` prints them."""

    known_hosts: Annotated[str, Field(max_length=TEXT_LENGTH)]


class AuthorityBody(Body):
    """``pem``: the certificates that may vouch for ``host``."""

    host: str
    pem: Annotated[str, Field(max_length=TEXT_LENGTH)]


def certificate_shape(entry: KnownCertificate, *, data: bool = False) -> dict[str, Any]:
    """A certificate or host key; ``data`` adds the public key itself."""
    shape = {
        "host": entry.host,
        "kind": entry.kind,
        "subtype": entry.subtype,
        "fingerprint": entry.fingerprint,
    }
    return {**shape, "data": entry.data} if data else shape


@router.get("/certificates", summary="Host keys and authorities, by host")
async def list_certificates(
    caller: Calling,
    host: str = "",
    kind: Kind = "",
    data: bool = False,
    limit: Limit = PAGE,
    after: After = "",
) -> dict[str, Any]:
    await caller.require_some("certificates")
    async with caller.runtime.db.reading() as tx:
        found, cursor = await certificates.list_certificates(
            tx, caller.scope, host=host, kind=kind, limit=limit, after=after
        )
    return page((certificate_shape(entry, data=data) for entry in found), cursor)


@router.post("/certificates/ssh", summary="Trust the host keys of a known_hosts text")
async def post_ssh(caller: Calling, body: HostsBody) -> Response:
    await caller.require("create", "certificates")
    added, given = await sources.trust_hosts(caller.runtime, caller.actor, body.known_hosts)
    return _added(added, given)


@router.post("/certificates/tls", summary="Trust the authorities of a PEM bundle for a host")
async def post_tls(caller: Calling, body: AuthorityBody) -> Response:
    await caller.require("create", "certificates", body.host)
    added, given = await sources.trust_authority(caller.runtime, caller.actor, body.host, body.pem)
    return _added(added, given)


def _added(added: tuple[KnownCertificate, ...], given: int) -> Response:
    return created({"added": [certificate_shape(e) for e in added], "known": given - len(added)})


@router.delete("/certificates", summary="Stop trusting a host's keys")
async def delete_certificates(
    caller: Calling, host: str, kind: Kind = "", subtype: str = ""
) -> dict[str, Any]:
    await caller.require("delete", "certificates", host)
    async with caller.runtime.db.transaction() as tx:
        removed = await certificates.remove_certificates(
            tx, caller.actor, host, kind=kind, subtype=subtype
        )
    return {"removed": [certificate_shape(entry) for entry in removed]}
