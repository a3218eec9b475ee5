"""In which turn applications are rendered when their repository moved."""

from __future__ import annotations

from itertools import chain
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from fleet.model.ids import ApplicationId
from fleet.operations.desiring import CHUNK, in_turn
from fleet.registry.desired import Pending

ENDLESS = {"type": "RenderTimeout", "message": "the render did not end within 60 s"}
WRONG = {"type": "RenderError", "message": "no such value"}


def pending(number: int, error: dict[str, Any] | None) -> Pending:
    return Pending(
        id=ApplicationId(UUID(int=number)),
        name=f"app-{number}",
        project="default",
        project_document={},
        namespace="default",
        document={},
        generation=1,
        rendered_generation=1,
        refresh="",
        manifests_sha256="",
        revisions=(),
        error=error,
        cluster_id=None,
        cluster_name="",
        cluster_server="",
        kube_version="",
        api_versions=(),
        sources=(),
        plugins="",
        signing_keys="",
        decryption_keys=(),
        values_digest=None,
    )


@given(
    st.lists(st.sampled_from([None, WRONG, ENDLESS]), max_size=40),
    st.sampled_from([0, CHUNK - 1, CHUNK, CHUNK + 1]),
)
def test_nobody_waits_for_what_did_not_end_the_last_time(
    errors: list[dict[str, Any] | None], more: int
) -> None:
    entries = [pending(n, error) for n, error in enumerate(errors + [None] * more)]
    chunks = in_turn(entries)
    assert all(0 < len(chunk) <= CHUNK for chunk in chunks)
    turns = list(chain.from_iterable(chunks))
    assert turns == [e for e in entries if e.error != ENDLESS] + [
        e for e in entries if e.error == ENDLESS
    ]
    assert not any({e.error == ENDLESS for e in chunk} == {True, False} for chunk in chunks)
