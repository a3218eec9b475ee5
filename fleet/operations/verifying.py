"""Signatures that projects demand: each revision is verified once, however many follow it.

A commit is verified before it is checked out; a chart or an artifact while it is fetched, as only
then it is known which digest a tag means.
"""

from __future__ import annotations

from fleet.errors import Forbidden
from fleet.model.applications import Source
from fleet.model.integrity import SignaturePolicy, SigningKey
from fleet.model.objects import Manifest
from fleet.model.repositories import Remote, RepositoryType
from fleet.model.scope import Actor
from fleet.operations.runtime import Runtime
from fleet.operations.specs import project_spec
from fleet.policy import content_policy, integrity_policy
from fleet.registry import signing_keys
from fleet.registry.desired import Pending
from fleet.source import (
    NOTHING_DEMANDED,
    Demands,
    Signers,
    integrity_fault,
    is_oci,
    parse_signing_keys,
)

_Question = tuple[str, str, str, str, SignaturePolicy]


class Verifier:
    """Verdicts for one chunk of applications, with the keys that are known now; they are read
    when the first is needed."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._keys: tuple[SigningKey, ...] | None = None
        self._known: dict[_Question, str] = {}

    async def require_signed(
        self, entry: Pending, source: Source, remote: Remote, revision: str
    ) -> None:
        """Of a git repository; charts and artifacts are asked while they are fetched.

        Raises:
            Forbidden: the project demands signatures that are not there.
            SourceError: the revision cannot be had.
        """
        if remote.type is not RepositoryType.GIT:
            return
        policy = integrity_policy(project_spec(entry.project_document), source.repo_url)
        if policy is None:
            return
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
                signers=Signers(await self._all_keys(), policy.keys),
            )
        if self._known[question]:
            raise unsigned(entry.name, entry.project, f"{source.repo_url}: {self._known[question]}")

    async def demands(self, project: Manifest, remote: Remote, url: str, chart: str) -> Demands:
        """Who has to have signed a chart or an artifact.

        Args:
            project: the document, as it is in force.
        """
        if remote.type is RepositoryType.GIT or not demands_content(project):
            return NOTHING_DEMANDED
        spec, keys = project_spec(project), await self._all_keys()
        provenance = content_policy(spec, "helm", url, chart)
        cosign = content_policy(spec, "oci", url, chart) if is_oci(remote) else None
        return Demands(
            provenance=None if provenance is None else Signers(keys, provenance.keys),
            cosign=None if cosign is None else Signers(keys, cosign.keys),
        )

    async def _all_keys(self) -> tuple[SigningKey, ...]:
        if self._keys is None:
            async with self._runtime.db.reading() as tx:
                self._keys = await signing_keys.signing_keys(tx)
        return self._keys


def demands_content(project: Manifest) -> bool:
    """Whether a project may demand signatures of what is not git."""
    return any(policy.of != "git" for policy in project_spec(project).integrity)


def unsigned(application: str, project: str, fault: str) -> Forbidden:
    """What an application is told that is not signed well enough."""
    return Forbidden(
        f"Application/{application}: {fault}",
        hint=f"Project {project} demands signatures (sourceIntegrity);"
        " `fleet gpg list` shows the keys that Fleet knows.",
        object=f"Application/{application}",
    )


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
