"""Signatures that projects demand: each revision is verified once, however many follow it."""

from __future__ import annotations

from fleet.model.applications import Source
from fleet.model.integrity import SignaturePolicy, SigningKey
from fleet.model.repositories import Remote, RepositoryType
from fleet.model.scope import Actor
from fleet.operations.runtime import Runtime
from fleet.registry import signing_keys
from fleet.source import Signers, integrity_fault, parse_signing_keys

_Question = tuple[str, str, str, str, SignaturePolicy]


class Verifier:
    """Verdicts for one chunk of applications, with the keys that are known now."""

    def __init__(self, runtime: Runtime, keys: tuple[SigningKey, ...]) -> None:
        self._runtime = runtime
        self._keys = keys
        self._known: dict[_Question, str] = {}

    async def fault(
        self, policy: SignaturePolicy, remote: Remote, source: Source, revision: str
    ) -> str:
        """Why the revision may not be used under ``policy``; "" when it may. The policies are
        git's: charts and artifacts are not asked, as in Argo CD.

        Raises:
            SourceError: it cannot be had.
        """
        if remote.type is not RepositoryType.GIT:
            return ""
        question = (
            remote.cache_key, revision, source.target_revision, source.tag_prefix, policy
        )  # fmt: skip
        if question not in self._known:
            self._known[question] = await integrity_fault(
                self._runtime.mirrors,
                remote,
                revision,
                target=source.target_revision,
                prefix=source.tag_prefix,
                strict=policy.mode == "strict",
                signers=Signers(self._keys, policy.keys),
            )
        return self._known[question]


async def add_signing_keys(
    runtime: Runtime, actor: Actor, text: str
) -> tuple[tuple[SigningKey, ...], int]:
    """Trust the public keys in a text: those that are new, and how many it has.

    Raises:
        SpecInvalid: there are none, or one of them is private.
    """
    keys = parse_signing_keys(text)
    async with runtime.db.transaction() as tx:
        added = await signing_keys.add_signing_keys(tx, actor, keys)
    return added, len(keys)
