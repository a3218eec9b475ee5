"""``helm.valuesFrom``: values of a chart that stand in the application's own cluster.

Read when the application is evaluated, and compared at each full reading of its cluster. They
are another input of a render, known by a digest: equal values of a thousand clusters render
once. Nothing else of them is kept. Only the namespace that the application goes to is read,
where its project permits that, and as whom the application is synced.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from fleet.cluster import get_object
from fleet.errors import ClusterError, ClusterUnreachable, FleetError, Forbidden, RenderError
from fleet.model.applications import Source, ValuesReference
from fleet.model.clusters import ApiKind, Cluster, ConnectionStatus
from fleet.model.ids import ApplicationId, ClusterId
from fleet.model.objects import Manifest, ObjectRef
from fleet.model.renders import GivenValues
from fleet.model.secret import Secret
from fleet.operations.connections import Link
from fleet.operations.runtime import Runtime
from fleet.operations.specs import application_spec, project_spec
from fleet.policy import acts_as, may_deploy_to, may_use_cluster
from fleet.registry import clusters, queue
from fleet.registry.cluster_values import look_anew, readers
from fleet.registry.desired import Pending

#: A cluster that takes longer for one of them does not answer: others wait for the same poll.
SECONDS = 10.0
#: Requests to one cluster at a time.
AT_ONCE = 8
#: Of all values of one application.
MOST_BYTES = 4 << 20

_KINDS = {
    "ConfigMap": ApiKind("", "v1", "ConfigMap", "configmaps", namespaced=True),
    "Secret": ApiKind("", "v1", "Secret", "secrets", namespaced=True),
}


@dataclass(frozen=True)
class Found:
    """What an application's sources name in its cluster.

    Attributes:
        digest: stands for all of it, and for why it could not be read; None when they name
            nothing.
        given: one entry a source, in order; empty where there is an ``error``.
    """

    digest: str | None = None
    given: tuple[tuple[GivenValues, ...], ...] = ()
    error: FleetError | None = None

    def of(self, position: int) -> tuple[GivenValues, ...]:
        """Those of one source.

        Raises:
            FleetError: they could not be read.
        """
        if self.error is not None:
            raise self.error
        return self.given[position] if self.given else ()


NOTHING = Found()


class Asking(Protocol):
    """An application, as far as reading for it needs it."""

    @property
    def id(self) -> ApplicationId: ...
    @property
    def name(self) -> str: ...
    @property
    def project(self) -> str: ...
    @property
    def project_document(self) -> dict[str, Any]: ...
    @property
    def namespace(self) -> str: ...
    @property
    def document(self) -> dict[str, Any]: ...


def references(source: Source) -> tuple[ValuesReference, ...]:
    return source.helm.values_from if source.helm is not None else ()


def asks(document: dict[str, Any]) -> bool:
    """Whether any source of an application reads from its cluster."""
    return any(references(source) for source in application_spec(document).sources)


async def read_for(runtime: Runtime, entries: Iterable[Pending]) -> Mapping[ApplicationId, Found]:
    """What stands in the clusters for those of ``entries`` that ask for anything."""
    groups: dict[ClusterId | None, list[Pending]] = defaultdict(list)
    for entry in entries:
        if asks(entry.document):
            groups[entry.cluster_id].append(entry)
    found: dict[ApplicationId, Found] = {}
    for answers in await asyncio.gather(*(_of(runtime, *group) for group in groups.items())):
        found |= answers
    return found


async def _of(
    runtime: Runtime, id: ClusterId | None, entries: Sequence[Pending]
) -> dict[ApplicationId, Found]:
    if id is None:
        error = RenderError(
            "its destination is no cluster that is registered, so the values that stand there"
            " cannot be read"
        )
        return {entry.id: _failed(runtime, error) for entry in entries}
    try:
        async with runtime.db.reading() as tx:
            cluster, connection = await clusters.get_connected(tx, runtime.ring, id)
        if cluster.status is ConnectionStatus.FAILED:
            raise _unanswered(cluster, cluster.message)  # a pass asks it, this poll does not wait
        link = await runtime.connections.link(id, cluster.name, connection)
    except FleetError as error:
        return {entry.id: _failed(runtime, error) for entry in entries}
    return await read(runtime, cluster, link, entries)


async def read(
    runtime: Runtime, cluster: Cluster, link: Link, entries: Sequence[Asking]
) -> dict[ApplicationId, Found]:
    """What stands in one cluster for applications that go there; each object is asked for once
    a user. A failure is what was found for the applications that it concerns."""
    reading = _Reading(runtime, cluster, link)
    answers = await asyncio.gather(*(reading.find(entry) for entry in entries))
    return dict(zip((entry.id for entry in entries), answers, strict=True))


async def look_at_values(runtime: Runtime, cluster: Cluster, link: Link) -> None:
    """Have those evaluated again whose values are not what they were at their last render."""
    async with runtime.db.reading() as tx:
        known = await readers(tx, cluster.id)
    found = await read(runtime, cluster, link, known)
    changed = [
        entry.id
        for entry in known
        # what cannot be read now says nothing
        if not isinstance(found[entry.id].error, ClusterUnreachable)
        and found[entry.id].digest != entry.digest
    ]
    if changed:
        async with runtime.db.transaction() as tx:
            polled = await look_anew(tx, changed)
            await queue.wake(tx, "poll", [str(id) for id in polled])


@dataclass
class _Reading:
    """One look at one cluster, each object asked for once a user. Once it did not answer, it is
    not asked any more."""

    runtime: Runtime
    cluster: Cluster
    link: Link
    asked: dict[tuple[str, ObjectRef], asyncio.Task[Manifest | None]] = field(default_factory=dict)
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    silence: ClusterUnreachable | None = None

    async def find(self, entry: Asking) -> Found:
        sources = [references(source) for source in application_spec(entry.document).sources]
        if not any(sources):
            return NOTHING
        try:
            user = self._user(entry)
            given = [
                tuple([await self._given(entry, user, wanted) for wanted in source])
                for source in sources
            ]
            _check_size(entry, given)
        except FleetError as error:
            return _failed(self.runtime, error)
        parts = [f"{position} {value.digest}" for position, source in enumerate(given)
                 for value in source]  # fmt: skip
        return Found(_keyed(self.runtime, "\n".join(parts)), tuple(given))

    def _user(self, entry: Asking) -> str:
        """As whom is read.

        Raises:
            ClusterUnreachable: the cluster did not answer last time, or is another one.
            RenderError: there is nothing to read from.
            Forbidden: the project does not permit the destination.
        """
        about, cluster = f"Application/{entry.name}", self.cluster
        if cluster.identity_changed:
            raise _unanswered(cluster, "it is another cluster than the one that was confirmed")
        if not entry.namespace:
            raise RenderError(
                "helm.valuesFrom reads from the namespace of the destination, which names none",
                hint="Set spec.destination.namespace.",
                object=about,
            )
        project = project_spec(entry.project_document)
        where = {"server": cluster.server, "namespace": entry.namespace}
        for decision in (
            may_deploy_to(project, cluster_name=cluster.name, project_name=entry.project, **where),
            may_use_cluster(
                project,
                project_name=entry.project,
                cluster_name=cluster.name,
                cluster_project=cluster.project,
            ),
        ):
            if not decision:
                raise Forbidden(f"{about}: {decision.reason}", object=about)
        if cluster.namespaces and entry.namespace not in cluster.namespaces:
            raise Forbidden(
                f"{about}: cluster {cluster.name} is registered for namespaces"
                f" {', '.join(cluster.namespaces)} only",
                object=about,
            )
        acting = acts_as(project, **where)
        if acting.refusal:
            raise Forbidden(f"{about}: {acting.refusal}", object=about)
        return acting.user

    async def _given(self, entry: Asking, user: str, wanted: ValuesReference) -> GivenValues:
        ref = ObjectRef("", wanted.kind, entry.namespace, wanted.name)
        found = await self._object(user, ref)
        if found is None:
            if wanted.optional:
                return GivenValues()
            raise RenderError(
                f"{ref} does not exist on cluster {self.cluster.name}, and its key"
                f" {wanted.values_key} holds values of this application",
                hint="Create it, or set optional in helm.valuesFrom. What runs stays as it is.",
                object=str(ref),
            )
        text = _text(found, ref, wanted)
        return GivenValues(_keyed(self.runtime, text), Secret(text))

    async def _object(self, user: str, ref: ObjectRef) -> Manifest | None:
        """
        Raises:
            ClusterUnreachable: no answer.
            RenderError: a refusal.
        """
        key = (user, ref)
        if key not in self.asked:
            self.asked[key] = asyncio.create_task(self._get(user, ref))
        try:
            return await self.asked[key]
        except ClusterUnreachable:
            raise
        except ClusterError as error:
            raise RenderError(
                f"{ref} cannot be read: {error.message}", hint=error.hint, object=str(ref)
            ) from None

    async def _get(self, user: str, ref: ObjectRef) -> Manifest | None:
        client, kind = self.link.client, _KINDS[ref.kind]
        async with self.slots:
            if self.silence is not None:
                raise self.silence
            try:
                async with asyncio.timeout(SECONDS):
                    return await get_object(client, kind, ref.namespace, ref.name, as_user=user)
            except ClusterUnreachable as error:
                self.silence = _unanswered(self.cluster, error.message)
            except TimeoutError:
                self.silence = _unanswered(self.cluster, f"{ref} took longer than {SECONDS:g} s")
            raise self.silence


def _text(found: Manifest, ref: ObjectRef, wanted: ValuesReference) -> str:
    """
    Raises:
        RenderError: the object has no such key, or no text there.
    """
    data = found.get("data")
    value = data.get(wanted.values_key) if isinstance(data, Mapping) else None
    if not isinstance(value, str):
        raise RenderError(
            f"{ref} has no key {wanted.values_key}, which holds values of this application",
            hint="Name another one in valuesKey of helm.valuesFrom. What runs stays as it is.",
            object=str(ref),
        )
    if not wanted.is_secret:
        return value
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeError):
        raise RenderError(
            f"{ref}: key {wanted.values_key} holds no UTF-8 text", object=str(ref)
        ) from None


def _check_size(entry: Asking, given: Iterable[Iterable[GivenValues]]) -> None:
    texts = (value.text for source in given for value in source)
    if sum(len(text.reveal()) for text in texts if text is not None) > MOST_BYTES:
        raise RenderError(
            f"helm.valuesFrom names more than {MOST_BYTES >> 20} MiB of values",
            object=f"Application/{entry.name}",
        )


def _failed(runtime: Runtime, error: FleetError) -> Found:
    """A failure is told apart from others by what it says, but for one that comes and goes."""
    said = "" if error.transient else error.message
    return Found(_keyed(runtime, f"{error.type} {said}"), error=error)


def _unanswered(cluster: Cluster, why: str) -> ClusterUnreachable:
    return ClusterUnreachable(
        f"the values that stand on cluster {cluster.name} cannot be read: {why}",
        hint="What was rendered before stays; it is tried again when the cluster answers.",
    )


def _keyed(runtime: Runtime, text: str) -> str:
    """A digest that nobody can guess a short value by who has the database alone. The oldest key
    makes it, so that a new one changes nothing."""
    key = runtime.ring.derive(runtime.ring.kids[-1], "digests of values")
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
