"""Runs one case on two servers and tells where they differ."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

import httpx

from tests.contract.case import Case
from tests.contract.comparing import Difference, differences
from tests.contract.recording import Recorder
from tests.contract.targets import Object, Target


@dataclass(frozen=True)
class Side:
    """One of the two servers, with the client that all cases share."""

    target: Target
    client: httpx.Client

    def run(self, case: Case, tag: str) -> list[Object]:
        """What it answers to a case.

        Raises:
            AssertionError: the real server does not do what the case says. A sandbox that does
                not has a last entry that says so.
        """
        recorder = Recorder(self.target, self.client, tag)
        try:
            case.script(recorder)
        except Exception as error:
            if self.target.real:
                raise
            recorder.transcript.append({"stopped": f"{type(error).__name__}: {error}"})
        finally:
            recorder.remove_crd()
            if case.controllers and recorder.has_namespace:
                self.client.delete(f"/api/v1/namespaces/{tag}")
        return recorder.transcript


@dataclass(frozen=True)
class Pair:
    """The real server and the sandbox."""

    real: Side
    sandbox: Side

    def compare(self, case: Case) -> list[Difference]:
        """Where they differ."""
        tag = f"c{secrets.token_hex(4)}"
        return list(between(self.real.run(case, tag), self.sandbox.run(case, tag)))


def between(real: list[Object], sandbox: list[Object]) -> Iterator[Difference]:
    """The differences of two transcripts, request by request."""
    for number, (one, other) in enumerate(zip_longest(real, sandbox)):
        yield from differences(one, other, str(number))
