"""Taking over what Argo CD deployed: the plan first, then one sync that does it.

The plan asks the cluster, object by object: is it there, which application of Argo CD has it,
who wrote its fields, what an apply would change. The sync is an ordinary one that may make
fields of Argo CD and of kubectl's client-side apply Fleet's; fields of others stay conflicts.
What Git does not hold is deleted only where that was asked for, after everything was applied.
Argo CD's marks stay, so that it knows its objects again when somebody goes back to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from fleet.cluster import get_metadata, list_metadata
from fleet.errors import (
    ClusterAuthFailed,
    ClusterError,
    ClusterUnreachable,
    FieldConflict,
    FleetError,
    Forbidden,
    Refused,
)
from fleet.model.applications import Application
from fleet.model.argo_tracking import ArgoTracking, Claim, Takeover, names_of
from fleet.model.clusters import ApiKind
from fleet.model.live import LiveMeta
from fleet.model.objects import GroupKind, ObjectRef, Tracking, metadata_of
from fleet.model.operations import Operation, SyncOptions
from fleet.model.scope import Actor, Scope
from fleet.model.sync_options import TAKE_OVER
from fleet.operations.applications import sync_application
from fleet.operations.customizing import current_customizations
from fleet.operations.diffing import (
    Failure,
    Shown,
    Site,
    application_of,
    compared,
    kind_at,
    manifests_of,
    prepared_at,
    problems_of,
    site_of,
)
from fleet.operations.marks import claim_on, mark_on
from fleet.operations.runtime import Runtime
from fleet.operations.views import policy_for
from fleet.plan import (
    Consent,
    DesiredObject,
    Prepared,
    TakeOver,
    read_hook,
    read_object_options,
)

#: What an adoption asks for, whatever the application says: else fields of Argo CD stay its own.
_MIGRATE = "ClientSideApplyMigration=true"
_NAMED = 3
#: Nobody applies these: the API server makes them up while it is asked, without metadata.
_COMPUTED = frozenset({GroupKind("", "ComponentStatus")})


@dataclass(frozen=True, slots=True)
class Adoption:
    """How to adopt.

    Attributes:
        policy: of objects that are there and not Fleet's yet.
        applications: of Argo CD whose objects are meant beside those of the same name.
        installation: id of that Argo CD; None as the stored ``argocd-cm`` says.
        prune: delete what those applications have and Git does not hold.
    """

    policy: TakeOver = TakeOver.ALWAYS
    applications: tuple[str, ...] = ()
    installation: str | None = None
    prune: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """An object that Git holds.

    Attributes:
        exists: it is there.
        is_ours: this application has it already.
        claim: which application of Argo CD has it.
        managers: who wrote its fields, by name.
        shown: what an apply would change; None: nothing.
        refused: why it is not to be taken over; "" when it is.
    """

    ref: ObjectRef
    exists: bool
    is_ours: bool = False
    claim: Claim | None = None
    managers: tuple[str, ...] = ()
    shown: Shown | None = None
    refused: str = ""

    @property
    def is_taken(self) -> bool:
        return self.exists and not self.is_ours and not self.refused


@dataclass(frozen=True, slots=True)
class Leftover:
    """An object that Argo CD's application has and Git does not hold.

    Attributes:
        kept: what would keep it from being deleted; "" when nothing would.
    """

    ref: ObjectRef
    claim: Claim
    kept: str = ""


@dataclass(frozen=True)
class AdoptionPlan:
    """What an adoption would do.

    Attributes:
        unread: kinds that could not be listed, so that nobody knows of leftovers of them.
        has_hooks: the application has some; taking over runs none.
    """

    candidates: tuple[Candidate, ...]
    leftovers: tuple[Leftover, ...]
    failures: tuple[Failure, ...]
    unread: tuple[str, ...]
    revisions: tuple[str, ...]
    takeover: Takeover
    has_hooks: bool

    @property
    def prunable(self) -> tuple[ObjectRef, ...]:
        return tuple(it.ref for it in self.leftovers if not it.kept)

    def why_not(self, policy: TakeOver) -> str:
        """Why nothing of it is to be done; "" when it may."""
        refused = [f"{it.ref}: {it.refused}" for it in self.candidates if it.refused]
        refused += [failure.error.message for failure in self.failures]
        if refused:
            return _some(refused)
        taken = [it for it in self.candidates if it.is_taken]
        if policy is TakeOver.NEVER and taken:
            return f"it is there already: {_some([str(it.ref) for it in taken])}"
        different = [str(it.ref) for it in taken if it.shown is not None]
        if policy is TakeOver.IF_NO_DIFF and different:
            return f"it differs from Git: {_some(different)}"
        return ""


def _some(told: Sequence[str]) -> str:
    more = f" and {len(told) - _NAMED} more" if len(told) > _NAMED else ""
    return "; ".join(told[:_NAMED]) + more


async def plan_adoption(
    runtime: Runtime, scope: Scope, name: str, adoption: Adoption
) -> AdoptionPlan:
    """What it would come to; nothing is written.

    Raises:
        NotFound: no such application.
        Refused: it has no cluster, or nothing could be rendered yet.
        ClusterError: the cluster did not answer.
    """
    app = await application_of(runtime, scope, name)
    wanted = await manifests_of(runtime, app)
    site = await site_of(runtime, app)
    async with runtime.db.reading() as tx:
        tracking = (await current_customizations(tx)).tracking
    takeover = _takeover(app, adoption, tracking)
    prepared = prepared_at(site, wanted.items, (_MIGRATE,))
    answers = await asyncio.gather(
        *(_candidate(site, it, prepared, tracking, takeover) for it in prepared.objects),
        return_exceptions=True,
    )
    candidates, failures = _told(prepared.objects, answers)
    known = {it.ref for it in prepared.objects} | prepared.ignored | set(prepared.set_apart)
    leftovers, unread = await _leftovers(site, tracking, takeover, known)
    return AdoptionPlan(
        candidates=candidates,
        leftovers=leftovers,
        failures=failures + problems_of(prepared),
        unread=unread,
        revisions=wanted.revisions,
        takeover=takeover,
        has_hooks=bool(prepared.hooks),
    )


def _takeover(app: Application, adoption: Adoption, tracking: ArgoTracking) -> Takeover:
    namespace = str(metadata_of(app.document.document).get("namespace") or "")
    names = (*names_of(app.summary.name, namespace), *adoption.applications)
    installation = adoption.installation
    return Takeover(names, tracking.installation if installation is None else installation)


async def adopt_application(
    runtime: Runtime, actor: Actor, scope: Scope, name: str, adoption: Adoption
) -> Operation:
    """Ask for the sync that takes over what is there.

    Raises:
        NotFound: no such application.
        Refused: the plan does not permit it: an object that somebody else has, a field that
            others own, a difference with ``IfNoDiff``; or an operation runs already.
        WindowClosed: sync windows are against it.
        NoWorker: no worker is alive that would do it.
        ClusterError: the cluster did not answer.
    """
    plan = await plan_adoption(runtime, scope, name, adoption)
    if why := plan.why_not(adoption.policy):
        raise Refused(
            f"Application/{name}: nothing is taken over: {why}",
            hint=f"`fleet app adopt {name} --dry-run` shows the plan; `--from NAME` takes objects"
            " of another application of Argo CD, too.",
            object=f"Application/{name}",
        )
    asked = (_MIGRATE, f"{TAKE_OVER}={adoption.policy}")
    # hooks belong to deployments, and nothing is deployed: a selective sync runs none
    chosen = tuple(it.ref for it in plan.candidates) if plan.has_hooks else ()
    takeover = replace(plan.takeover, leftovers=plan.prunable if adoption.prune else ())
    options = SyncOptions(sync_options=asked, takeover=takeover, resources=chosen)
    return await sync_application(runtime, actor, scope, name, options)


async def _candidate(
    site: Site,
    wanted: DesiredObject,
    prepared: Prepared,
    tracking: ArgoTracking,
    takeover: Takeover,
) -> Candidate:
    ref, kind = wanted.ref, kind_at(site, wanted.ref, wanted.version)
    meta = None
    if kind is not None:
        meta = await get_metadata(site.link.client, kind, ref.namespace, ref.name)
    if meta is None:
        return Candidate(
            ref, exists=False, shown=await compared(site, wanted, prepared, tracking=tracking)
        )
    claim = claim_on(tracking, meta)
    is_ours = _is_ours(site.app, meta)
    refused = "" if is_ours else takeover.why_not(claim)
    try:
        shown = await compared(site, wanted, prepared, force=is_ours, tracking=tracking)
    except FieldConflict as conflict:
        # what is at stake is shown all the same
        shown = await compared(site, wanted, prepared, tracking=tracking)
        refused = refused or conflict.message
    managers = {str(entry.get("manager", "")) for entry in meta.managed_fields}
    return Candidate(
        ref,
        exists=True,
        is_ours=is_ours,
        claim=claim,
        managers=tuple(sorted(managers)),
        shown=shown,
        refused=refused,
    )


def _is_ours(app: Application, meta: LiveMeta) -> bool:
    return mark_on(meta) == Tracking(str(app.summary.id), meta.ref)


def _told(
    objects: Sequence[DesiredObject], answers: Sequence[Candidate | BaseException]
) -> tuple[tuple[Candidate, ...], tuple[Failure, ...]]:
    """Raises what is wrong with the cluster as a whole."""
    candidates, failures = [], []
    for wanted, answer in zip(objects, answers, strict=True):
        if isinstance(answer, Candidate):
            candidates.append(answer)
        elif isinstance(answer, FleetError) and not isinstance(
            answer, ClusterUnreachable | ClusterAuthFailed
        ):
            failures.append(Failure(wanted.ref, answer))
        else:
            raise answer
    return tuple(candidates), tuple(failures)


# what Git does not hold


async def _leftovers(
    site: Site, tracking: ArgoTracking, takeover: Takeover, known: Iterable[ObjectRef]
) -> tuple[tuple[Leftover, ...], tuple[str, ...]]:
    """Objects of Argo CD's application that Git does not hold, and kinds of which that cannot
    be told. Every kind is listed, by metadata: marks of one kind cannot be searched for."""
    policy, wanted = policy_for(site.runtime, site.cluster), set(known)
    served = {kind.group_kind for kind in site.discovery.kinds} - _COMPUTED
    named = [site.discovery.find(it) for it in sorted(served) if not policy.excludes(it)]
    kinds = [kind for kind in named if kind is not None and "list" in kind.verbs]
    answers = await asyncio.gather(*(_listed(site, kind) for kind in kinds))
    found = []
    for meta, kind in ((m, k) for k, ms in zip(kinds, answers, strict=True) for m in ms or ()):
        is_another = bool(meta.owner_references or meta.deletion_timestamp)
        claim = None if is_another else claim_on(tracking, meta)
        if claim is None or meta.ref in wanted or takeover.why_not(claim):
            continue
        found.append(Leftover(meta.ref, claim, _why_kept(site, kind, meta)))
    unread = [str(k.group_kind) for k, a in zip(kinds, answers, strict=True) if a is None]
    return tuple(sorted(found, key=lambda it: it.ref)), tuple(unread)


async def _listed(site: Site, kind: ApiKind) -> list[LiveMeta] | None:
    """None when the kind cannot be listed: a broken API of one kind is no reason not to tell of
    the others. A cluster that was given for some namespaces is asked about those."""
    places = site.cluster.namespaces if kind.namespaced else ()
    try:
        lists = await asyncio.gather(
            *(list_metadata(site.link.client, kind, namespace=it) for it in places or ("",))
        )
    except ClusterAuthFailed:
        raise
    except ClusterError:
        return None
    return [meta for found in lists for meta in found.items]


def _why_kept(site: Site, kind: ApiKind, meta: LiveMeta) -> str:
    manifest = {"metadata": {"annotations": meta.annotations}}
    if mark_on(meta) is not None:
        return "Fleet's mark: a sync of the application that has it prunes it"
    if read_hook(manifest) is not None:
        return "its being a hook"
    options = read_object_options(manifest, site.app.document.spec.sync_policy.options)
    if options.prune is not Consent.GIVEN:
        return "its sync option Prune"
    try:
        site.gate(kind, meta.ref.namespace, meta.ref.name, "delete")
    except (Forbidden, Refused) as refused:
        return refused.message
    return ""
