"""Rendered manifests → the objects as they will be applied.

What a tool rendered is not yet what may be sent: Lists are taken apart, namespaces and
tracking marks are put in, what a controller writes is taken out, and whatever is not to
be applied is set apart with a reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, TypeAlias

from fleet.model.ids import ApplicationId
from fleet.model.lists import flattened
from fleet.model.names import is_dns_label
from fleet.model.objects import (
    INSTANCE_LABEL,
    SERVER_METADATA,
    TRACKING_ANNOTATION,
    GroupKind,
    Manifest,
    ObjectRef,
    Tracking,
    group_kind_of,
    group_version_of,
    metadata_of,
    ref_of,
    what_it_lacks,
)
from fleet.model.operations import Condition, SyncPhase
from fleet.plan.excluded import KindPolicy
from fleet.plan.hooks import DELETE_PHASES, DesiredHook, HookMarks, read_hook
from fleet.plan.options import ObjectOptions, Ssa, read_object_options
from fleet.plan.order import apply_key, wave_of

CRD = GroupKind("apiextensions.k8s.io", "CustomResourceDefinition")
CLUSTER_ROLE = GroupKind("rbac.authorization.k8s.io", "ClusterRole")

#: Whether the cluster serves the kind in that version as namespaced; None: it does not say.
DiscoveryScope: TypeAlias = Callable[[GroupKind, str], bool | None]

#: Metadata that an apply must not carry.
_NOT_SENT = SERVER_METADATA | {"generateName"}
_NOT_APPLIED = frozenset({"metadata", "status"})
_NAMED_IN_A_MESSAGE = 5
_SHOWN = 60  # characters of an option that nobody knows


@dataclass(frozen=True)
class DesiredObject:
    """One object as it will be applied. ``ref.namespace`` is "" exactly when it is
    cluster-scoped."""

    ref: ObjectRef
    version: str
    manifest: Manifest
    namespaced: bool
    wave: int = 0
    options: ObjectOptions = ObjectOptions()


@dataclass(frozen=True)
class Problem:
    """An object that cannot be applied. While there is one, nothing may be pruned."""

    ref: ObjectRef
    message: str
    error: str  # class of ``fleet.errors``: RenderError or KindUnknown


@dataclass(frozen=True)
class Prepared:
    """``objects`` in the order in which they are applied, refs unique. ``hooks`` in the order
    in which they run inside a phase. ``set_apart`` are hooks, run or not: neither applied nor
    pruned; ``ignored`` as if they were not ours. ``conditions`` are warnings, one per type and
    cause."""

    objects: tuple[DesiredObject, ...]
    hooks: tuple[DesiredHook, ...] = ()
    set_apart: tuple[ObjectRef, ...] = ()
    ignored: frozenset[ObjectRef] = frozenset()
    problems: tuple[Problem, ...] = ()
    conditions: tuple[Condition, ...] = ()

    @cached_property
    def by_ref(self) -> Mapping[ObjectRef, DesiredObject]:
        return MappingProxyType({object.ref: object for object in self.objects})


@dataclass(frozen=True)
class _Target:
    application_id: ApplicationId
    instance: str
    namespace: str
    scope: DiscoveryScope
    options: tuple[str, ...]
    policy: KindPolicy


@dataclass
class _Found:
    """What has been collected so far; a later object of the same ref replaces the earlier."""

    objects: dict[ObjectRef, DesiredObject] = field(default_factory=dict)
    seen: Counter[ObjectRef] = field(default_factory=Counter)
    hooks: dict[tuple[SyncPhase, ObjectRef, int], DesiredHook] = field(default_factory=dict)
    set_apart: set[ObjectRef] = field(default_factory=set)
    ignored: set[ObjectRef] = field(default_factory=set)
    repeated: Counter[ObjectRef] = field(default_factory=Counter)
    generated: Counter[tuple[SyncPhase, ObjectRef]] = field(default_factory=Counter)
    hook_warnings: list[str] = field(default_factory=list)
    excluded: set[ObjectRef] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def prepare(
    manifests: Iterable[Manifest],
    *,
    application_id: ApplicationId,
    instance: str,
    namespace: str,
    discovery_scope: DiscoveryScope,
    sync_options: Sequence[str] = (),
    policy: KindPolicy = KindPolicy(),  # noqa: B008 - a frozen value
) -> Prepared:
    """The manifests of one application, ready to be applied. The input is not changed.

    Args:
        instance: id of this Fleet, for the label by which its watches select.
        namespace: of the destination; given to namespaced objects that have none.
        discovery_scope: asked first; a kind that the cluster does not serve yet is looked up
            among the CustomResourceDefinitions of the same manifests.
        sync_options: of the application, in the order written.
        policy: which kinds are left out, and whose status is applied.
    """
    flat = [item for manifest in manifests for item in flattened(manifest)]
    scope = _with_rendered_crds(discovery_scope, flat)
    target = _Target(application_id, instance, namespace, scope, tuple(sync_options), policy)
    found = _Found()
    for manifest in flat:
        _collect(manifest, target, found)
    return Prepared(
        objects=tuple(
            sorted(found.objects.values(), key=lambda made: apply_key(made.wave, made.ref))
        ),
        hooks=tuple(
            sorted(
                found.hooks.values(),
                key=lambda hook: (*apply_key(hook.wave, hook.ref), hook.ordinal, hook.phase),
            )
        ),
        set_apart=tuple(sorted(found.set_apart)),
        ignored=frozenset(found.ignored),
        problems=(*found.problems, *_collisions(found)),
        conditions=tuple(_conditions(found)),
    )


def _collect(manifest: Manifest, target: _Target, found: _Found) -> None:
    ref = ref_of(manifest)
    version = group_version_of(manifest)[1]
    namespaced = target.scope(ref.group_kind, version)
    # how messages call it, too: most kinds have namespaces
    placed = _placed(ref, namespaced=namespaced is not False, namespace=target.namespace)
    if target.policy.excludes(ref.group_kind):
        found.excluded.add(placed)
        return
    marks = read_hook(manifest)
    if marks is not None:
        _collect_hook(manifest, marks, target, found)
        return
    options = read_object_options(manifest, target.options)
    if options.ssa is Ssa.IGNORE:
        # whether its kind has namespaces may be unknown: it is meant either way
        found.ignored |= {
            _placed(ref, namespaced=namespaced, namespace=target.namespace)
            for namespaced in (True, False)
        }
        return
    problem = _problem(manifest, placed)
    if problem:
        found.problems.append(Problem(placed, problem, "RenderError"))
        return
    if namespaced is None and options.skip_missing_kind:
        # it is there when its turn comes, or is waited for; most kinds have namespaces
        namespaced = bool(ref.namespace or target.namespace)
    if namespaced is None:
        found.problems.append(_unserved(placed, version))
        return
    placed = _placed(ref, namespaced=namespaced, namespace=target.namespace)
    if misplaced := _misplaced(placed, namespaced=namespaced):
        found.problems.append(misplaced)
        return
    wave = wave_of(manifest)
    if wave.warning:
        found.warnings.append(f"{placed}: {wave.warning}")
    found.seen[placed] += 1
    found.objects[placed] = DesiredObject(
        ref=placed,
        version=version,
        manifest=_marked(_without_aggregated(manifest), placed, target),
        namespaced=namespaced,
        wave=wave.number,
        options=options,
    )


def _without_aggregated(manifest: Manifest) -> Manifest:
    """An aggregated ClusterRole without ``rules``: the control plane overwrites whatever is
    written there, so a sync would fight it for ever."""
    is_role = group_kind_of(manifest) == CLUSTER_ROLE
    if is_role and manifest.get("aggregationRule") and "rules" in manifest:
        return {key: value for key, value in manifest.items() if key != "rules"}
    return manifest


def _with_rendered_crds(scope: DiscoveryScope, manifests: Iterable[Manifest]) -> DiscoveryScope:
    rendered: dict[tuple[GroupKind, str], bool] = {}
    for manifest in manifests:
        if group_kind_of(manifest) == CRD:
            rendered.update(_served_by(manifest))

    def served(kind: GroupKind, version: str) -> bool | None:
        answer = scope(kind, version)
        return rendered.get((kind, version)) if answer is None else answer

    return served


def kinds_brought(objects: Iterable[DesiredObject]) -> frozenset[tuple[GroupKind, str]]:
    """Kinds, each in a version, that the CustomResourceDefinitions among the objects define."""
    crds = [made.manifest for made in objects if made.ref.group_kind == CRD]
    return frozenset(served for crd in crds for served in _served_by(crd))


def _served_by(crd: Manifest) -> dict[tuple[GroupKind, str], bool]:
    """(kind, version) → namespaced, of a CustomResourceDefinition; empty for nonsense."""
    spec = crd.get("spec")
    if not isinstance(spec, dict):
        return {}
    names, versions = spec.get("names"), spec.get("versions")
    group, scope = spec.get("group"), spec.get("scope")
    kind = names.get("kind") if isinstance(names, dict) else None
    if not (isinstance(group, str) and isinstance(kind, str) and isinstance(versions, list)):
        return {}
    if scope not in {"Namespaced", "Cluster"}:
        return {}
    return {
        (GroupKind(group, kind), version["name"]): scope == "Namespaced"
        for version in versions
        if isinstance(version, dict) and isinstance(version.get("name"), str)
    }


def _collect_hook(manifest: Manifest, marks: HookMarks, target: _Target, found: _Found) -> None:
    """A hook, in each of its phases. One that never runs is set apart: neither applied, nor
    pruned if it was applied before."""
    ref, generated = _hook_ref(manifest)
    version = group_version_of(manifest)[1]
    namespaced = target.scope(ref.group_kind, version)
    placed = _placed(ref, namespaced=namespaced is not False, namespace=target.namespace)
    found.set_apart.add(placed)
    found.hook_warnings += [f"{placed}: {warning}" for warning in marks.warnings]
    if not marks.phases:
        return
    problem = _hook_problem(manifest, placed, generated=generated)
    if problem is None and namespaced is None and not DELETE_PHASES.issuperset(marks.phases):
        problem = _unserved(placed, version)
    problem = problem or _misplaced(placed, namespaced=namespaced is not False)
    if problem is not None:
        found.problems.append(problem)
        return
    wave = wave_of(manifest)
    if wave.warning:
        found.warnings.append(f"{placed}: {wave.warning}")
    marked = _marked(manifest, placed, target)
    for phase in marks.phases:
        ordinal = found.generated[phase, placed] if generated else 0
        found.generated[phase, placed] += 1
        if (phase, placed, ordinal) in found.hooks:
            found.repeated[placed] += 1
        found.hooks[phase, placed, ordinal] = DesiredHook(
            ref=placed,
            version=version,
            manifest=marked,
            namespaced=namespaced is not False,
            phase=phase,
            wave=wave.number,
            generated=generated,
            ordinal=ordinal,
        )


def _hook_ref(manifest: Manifest) -> tuple[ObjectRef, bool]:
    """A hook may be without a name and get one at each run: then by what it begins with."""
    ref = ref_of(manifest)
    prefix = metadata_of(manifest).get("generateName")
    if ref.name or not isinstance(prefix, str) or not prefix:
        return ref, False
    return ObjectRef(ref.group, ref.kind, ref.namespace, prefix), True


def _hook_problem(manifest: Manifest, ref: ObjectRef, *, generated: bool) -> Problem | None:
    named: Manifest = manifest
    if generated:
        named = {**manifest, "metadata": {**metadata_of(manifest), "name": ref.name}}
    problem = _problem(named, ref)
    return Problem(ref, problem, "RenderError") if problem else None


def _collisions(found: _Found) -> Iterable[Problem]:
    """Objects that are wanted for good and as a hook: running the hook would delete them."""
    hooks = {hook.ref for hook in found.hooks.values() if not hook.generated}
    for ref in sorted(hooks & found.objects.keys()):
        message = f"{ref}: a hook and an object of the application have the same name; rename one"
        yield Problem(ref, message, "RenderError")


def _problem(manifest: Manifest, ref: ObjectRef) -> str:
    if untyped := what_it_lacks(manifest):
        return f"{ref if ref.name else 'an object'}: no {untyped}"
    if not group_version_of(manifest)[1]:
        return f"{ref}: apiVersion {manifest['apiVersion']!r} has no version"
    metadata = metadata_of(manifest)
    if not ref.name:
        if metadata.get("generateName"):
            return f"{ref}: generateName is not supported, because nothing could track the object"
        return f"{ref}: no metadata.name"
    # The name becomes a part of a URL path at the API server.
    if ref.name in {".", ".."} or "/" in ref.name or "%" in ref.name:
        return f"{ref}: {ref.name!r} is no valid name"
    for key in ("labels", "annotations"):
        if not isinstance(metadata.get(key) or {}, dict):
            return f"{ref}: metadata.{key} is not a mapping"
    return ""


def _unserved(ref: ObjectRef, version: str) -> Problem:
    message = f"{ref}: the cluster does not serve kind {ref.group_kind} in version {version}"
    return Problem(ref, message, "KindUnknown")


def _misplaced(ref: ObjectRef, *, namespaced: bool) -> Problem | None:
    if not namespaced or is_dns_label(ref.namespace):
        return None
    message = f"{ref}: {ref.namespace!r} is no namespace, and the destination has none"
    if ref.namespace:
        message = f"{ref}: {ref.namespace!r} is no valid namespace"
    return Problem(ref, message, "RenderError")


def _placed(ref: ObjectRef, *, namespaced: bool, namespace: str) -> ObjectRef:
    where = (ref.namespace or namespace) if namespaced else ""
    return ObjectRef(ref.group, ref.kind, where, ref.name)


def _marked(manifest: Manifest, ref: ObjectRef, target: _Target) -> Manifest:
    """A copy down to the metadata, with our marks; the rest is shared with the input."""
    metadata: dict[str, Any] = {
        key: value for key, value in metadata_of(manifest).items() if key not in _NOT_SENT
    }
    metadata.pop("namespace", None)
    if ref.namespace:
        metadata["namespace"] = ref.namespace
    tracking = str(Tracking(str(target.application_id), ref))
    metadata["labels"] = {**(metadata.get("labels") or {}), INSTANCE_LABEL: target.instance}
    annotations = {**(metadata.get("annotations") or {}), TRACKING_ANNOTATION: tracking}
    metadata["annotations"] = annotations
    dropped = {"metadata"} if target.policy.keeps_status(ref.group_kind) else _NOT_APPLIED
    rest = {key: value for key, value in manifest.items() if key not in dropped}
    return {**rest, "metadata": metadata}


def _conditions(found: _Found) -> Iterable[Condition]:
    repeated = sorted((ref, count) for ref, count in found.seen.items() if count > 1)
    for ref, count in repeated:
        message = f"{ref} is rendered {count} times; the last one is used"
        yield Condition("RepeatedResourceWarning", message)
    if found.excluded:
        message = f"not applied, because their kinds are excluded: {_list(found.excluded)}"
        yield Condition("ExcludedResourceWarning", message)
    for ref, count in sorted(found.repeated.items()):
        message = f"hook {ref} is rendered {count + 1} times for a phase; the last one is used"
        yield Condition("RepeatedResourceWarning", message)
    for warning in sorted(set(found.hook_warnings)):
        yield Condition("HookWarning", warning)
    for warning in sorted(set(found.warnings)):
        yield Condition("SyncOptionWarning", warning)
    yield from _option_conditions(tuple(found.objects.values()))


def _option_conditions(objects: Sequence[DesiredObject]) -> Iterable[Condition]:
    unknown = sorted({option for object in objects for option in object.options.unknown})
    if unknown:
        more = "" if len(unknown) <= _NAMED_IN_A_MESSAGE else " …"
        named = ", ".join(option[:_SHOWN] for option in unknown[:_NAMED_IN_A_MESSAGE])
        message = f"sync options that Fleet does not know are kept and do nothing: {named}{more}"
        yield Condition("SyncOptionWarning", message)


def _list(refs: Iterable[ObjectRef]) -> str:
    ordered = [str(ref) for ref in sorted(refs)]
    more = len(ordered) - _NAMED_IN_A_MESSAGE
    shown = ", ".join(ordered[:_NAMED_IN_A_MESSAGE])
    return f"{shown} and {more} more" if more > 0 else shown
