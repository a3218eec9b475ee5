"""``fleet apply``: any number of Argo CD's documents in one request."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from fleet.api.caller import Calling
from fleet.api.guarded import guarded_router
from fleet.api.requests import Body
from fleet.operations.documents import Given, Result, apply_documents
from fleet.operations.exporting import export_documents

router = guarded_router("documents")

#: A whole fleet in one request; more are several requests.
MANY = 20_000


class DocumentBody(Body):
    """One document, and where its author finds it, for messages."""

    document: Any
    file: Annotated[str, Field(max_length=4096)] = ""
    line: Annotated[int, Field(ge=0)] = 0


class ApplyBody(Body):
    documents: Annotated[list[DocumentBody], Field(max_length=MANY)]
    upsert: bool = True
    dry_run: bool = False


@router.post("/apply", summary="Apply documents, each by itself; the answer says what became")
async def post_apply(caller: Calling, body: ApplyBody) -> dict[str, Any]:
    caller.anyone()  # each document asks for what it needs
    results = await apply_documents(
        caller.runtime,
        caller.actor,
        caller.scope,
        [
            Given(index, entry.document, entry.file, entry.line)
            for index, entry in enumerate(body.documents)
        ],
        upsert=body.upsert,
        dry_run=body.dry_run,
        permit=caller.require,
    )
    for result in results:
        if result.error is not None:
            await caller.refused(result.error, "apply", result.kind, result.name)
    return {"results": [_result_shape(result) for result in results]}


@router.get("/export", summary="Everything, as Argo CD's own documents")
async def get_export(caller: Calling, secrets: bool = False) -> dict[str, Any]:
    await caller.require("get", "settings")
    if secrets:
        await caller.require("get", "secrets")
    found = await export_documents(caller.runtime, caller.actor, secrets=secrets)
    return {"documents": found}


def _result_shape(result: Result) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "index": result.given.index,
        "kind": result.kind,
        "name": result.name,
        "file": result.given.file,
        "line": result.given.line,
        "action": result.action,
        "warnings": list(result.warnings),
    }
    if result.error is not None:
        shape["error"] = result.error.as_dict()
    return shape
