"""The Application that users write (``argoproj.io/v1alpha1``), as a typed value.

The document itself is kept beside it, word for word: unknown fields survive a round
trip, tri-state booleans stay null, option order stays. Source of every field and
default: Argo CD's Application reference (``features.md`` §3.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fleet.model.health import Health, SyncStatus
from fleet.model.holds import NOTHING_HELD, Holds
from fleet.model.ids import ApplicationId, ClusterId
from fleet.model.objects import Manifest, ObjectRef, annotations_of
from fleet.model.operations import Condition, HistoryEntry, Operation
from fleet.model.retries import Retry

RESOURCES_FINALIZER = "resources-finalizer.argocd.argoproj.io"
BACKGROUND_FINALIZER = "resources-finalizer.argocd.argoproj.io/background"
#: When somebody agreed to deletions that wait for that (RFC 3339).
DELETION_APPROVED_ANNOTATION = "argocd.argoproj.io/deletion-approved"
SKIP_RECONCILE_ANNOTATION = "argocd.argoproj.io/skip-reconcile"
#: Of an Application that is compared, and for which nothing is ever written to a cluster.
SHADOW_ANNOTATION = "fleet.dev/shadow"


@dataclass(frozen=True, slots=True)
class HelmParameter:
    name: str
    value: str
    force_string: bool = False


#: Of a ConfigMap or Secret that holds values and says no other.
VALUES_KEY = "values.yaml"


@dataclass(frozen=True, slots=True)
class ValuesReference:
    """An entry of ``helm.valuesFrom``: values that stand in the destination's namespace.

    Attributes:
        kind: ConfigMap or Secret.
        values_key: which of its entries.
        target_path: where the entry goes, as text of one value; "" when it is YAML of many.
        optional: there may be no such object.
    """

    kind: str
    name: str
    values_key: str = VALUES_KEY
    target_path: str = ""
    optional: bool = False

    @property
    def is_secret(self) -> bool:
        return self.kind == "Secret"


@dataclass(frozen=True, slots=True)
class HelmSource:
    value_files: tuple[str, ...] = ()
    ignore_missing_value_files: bool = False
    values: str = ""
    values_object: dict[str, Any] | None = None
    parameters: tuple[HelmParameter, ...] = ()
    file_parameters: tuple[tuple[str, str], ...] = ()  # (name, path)
    release_name: str = ""
    pass_credentials: bool = False
    skip_crds: bool = False
    skip_tests: bool = False
    skip_schema_validation: bool = False
    namespace: str = ""
    kube_version: str = ""
    api_versions: tuple[str, ...] = ()
    values_from: tuple[ValuesReference, ...] = ()


@dataclass(frozen=True, slots=True)
class KustomizeReplica:
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class KustomizeSource:
    name_prefix: str = ""
    name_suffix: str = ""
    namespace: str = ""
    images: tuple[str, ...] = ()
    replicas: tuple[KustomizeReplica, ...] = ()
    common_labels: tuple[tuple[str, str], ...] = ()
    common_annotations: tuple[tuple[str, str], ...] = ()
    force_common_labels: bool = False
    force_common_annotations: bool = False
    label_without_selector: bool = False
    label_include_templates: bool = False
    common_annotations_envsubst: bool = False
    patches: tuple[dict[str, Any], ...] = ()
    components: tuple[str, ...] = ()
    ignore_missing_components: bool = False
    version: str = ""
    kube_version: str = ""
    api_versions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JsonnetVar:
    name: str
    value: str
    code: bool = False


@dataclass(frozen=True, slots=True)
class DirectorySource:
    recurse: bool = False
    include: str = ""
    exclude: str = ""
    disable_extension_filter: bool = False
    ext_vars: tuple[JsonnetVar, ...] = ()
    tlas: tuple[JsonnetVar, ...] = ()
    libs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PluginParameter:
    """Exactly what its author gave of ``string``, ``array`` and ``map``; None is not given."""

    name: str
    string: str | None = None
    array: tuple[str, ...] | None = None
    map: tuple[tuple[str, str], ...] | None = None

    def document(self) -> dict[str, Any]:
        """As in the Application, and as ``ARGOCD_APP_PARAMETERS`` tells it to the plugin."""
        given = {
            "string": self.string,
            "array": None if self.array is None else list(self.array),
            "map": None if self.map is None else dict(self.map),
        }
        return {"name": self.name, **{k: v for k, v in given.items() if v is not None}}


@dataclass(frozen=True, slots=True)
class PluginSource:
    """``name`` is empty where the plugin is to be discovered."""

    name: str = ""
    env: tuple[tuple[str, str], ...] = ()
    parameters: tuple[PluginParameter, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """One element of ``source`` or ``sources[]``. At most one tool block is set, but for
    ``kustomize`` beside ``helm``: it is what happens to Helm's output then."""

    repo_url: str
    path: str = ""
    chart: str = ""
    target_revision: str = ""  # "" means HEAD, or the newest chart
    tag_prefix: str = ""
    ref: str = ""
    name: str = ""
    helm: HelmSource | None = None
    kustomize: KustomizeSource | None = None
    directory: DirectorySource | None = None
    plugin: PluginSource | None = None

    @property
    def follows(self) -> str:
        """Names what moves: the target revision, behind the tag prefix and a colon if there
        is one (no ref name holds a colon). ``followed`` takes it apart."""
        return (
            f"{self.tag_prefix}:{self.target_revision}"
            if self.tag_prefix
            else (self.target_revision)
        )

    @property
    def only_ref(self) -> bool:
        """True when the source only lends files to others and renders nothing itself."""
        return bool(self.ref) and not self.path and not self.chart


def followed(follows: str) -> tuple[str, str]:
    """``Source.follows`` as (tag prefix, target revision)."""
    prefix, _, target = follows.rpartition(":")
    return prefix, target


@dataclass(frozen=True, slots=True)
class Destination:
    """``server`` xor ``name``; which cluster it means is looked up once and kept by id."""

    server: str = ""
    name: str = ""
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Automated:
    """Presence switches auto-sync on, unless ``enabled`` says false (None counts as true)."""

    enabled: bool | None = None
    prune: bool = False
    self_heal: bool = False
    allow_empty: bool = False

    @property
    def is_on(self) -> bool:
        return self.enabled is not False


@dataclass(frozen=True, slots=True)
class IgnoreDifference:
    group: str
    kind: str
    name: str = ""
    namespace: str = ""
    json_pointers: tuple[str, ...] = ()
    jq_path_expressions: tuple[str, ...] = ()
    managed_fields_managers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SyncPolicy:
    automated: Automated | None = None
    options: tuple[str, ...] = ()  # in the order written, unknown ones included
    retry: Retry = Retry()
    namespace_labels: tuple[tuple[str, str], ...] = ()
    namespace_annotations: tuple[tuple[str, str], ...] = ()

    @property
    def auto_sync(self) -> bool:
        return self.automated is not None and self.automated.is_on

    def option(self, name: str) -> str | None:
        """Value of ``name=value``; the last one written wins; None when absent."""
        found = None
        for entry in self.options:
            key, _, value = entry.partition("=")
            if key.strip() == name:
                found = value.strip()
        return found


#: The position of a hydrator's dry source: before all that is applied.
DRY = -1


@dataclass(frozen=True)
class SourceHydrator:
    """What an application that is hydrated comes from; its one source is where that goes.

    Attributes:
        dry: what is rendered.
        branch: of the repository of the application's source: where the render is committed.
    """

    dry: Source
    branch: str


@dataclass(frozen=True, slots=True)
class ApplicationSpec:
    project: str  # "default" where the document leaves it empty
    sources: tuple[Source, ...]  # one for ``source``
    destination: Destination
    sync_policy: SyncPolicy = SyncPolicy()
    ignore_differences: tuple[IgnoreDifference, ...] = ()
    revision_history_limit: int = 10
    info: tuple[tuple[str, str], ...] = ()
    multi_source: bool = False
    hydrator: SourceHydrator | None = None

    @property
    def followed(self) -> tuple[tuple[int, Source], ...]:
        """All that it reads, by position."""
        found = tuple(enumerate(self.sources))
        return found if self.hydrator is None else (*found, (DRY, self.hydrator.dry))


@dataclass(frozen=True)
class ApplicationDocument:
    """A parsed Application: the typed spec and the document it came from."""

    name: str
    labels: dict[str, str]
    annotations: dict[str, str]
    finalizers: tuple[str, ...]
    spec: ApplicationSpec
    document: Manifest  # apiVersion, kind, metadata, spec; never status or operation
    warnings: tuple[str, ...] = ()


def finalizers_of(document: Manifest) -> tuple[str, ...]:
    return tuple((document.get("metadata") or {}).get("finalizers") or ())


def deletes_its_objects(finalizers: Iterable[str]) -> bool:
    """Whether what an application applied is to go with it, says its finalizer."""
    return not {RESOURCES_FINALIZER, BACKGROUND_FINALIZER}.isdisjoint(finalizers)


def propagation_of(finalizers: Iterable[str]) -> str:
    """How what an application's objects own goes when it is deleted and nobody says how: as its
    finalizer says, else in the foreground, as with Argo CD."""
    return "background" if BACKGROUND_FINALIZER in tuple(finalizers) else "foreground"


def skips_reconciling(document: Manifest) -> bool:
    """Whether an Application says that nothing is to be compared or synced: somebody else
    does, or nobody should."""
    value = annotations_of(document).get(SKIP_RECONCILE_ANNOTATION, "")
    return value in _TRUE


def is_shadow(document: Manifest) -> bool:
    """Whether an Application is only to be compared. A word that nobody can read: rather write
    nothing."""
    return annotations_of(document).get(SHADOW_ANNOTATION, "").strip() not in ("", "false")


#: What Argo CD's language reads as true.
_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})


class Urgency:
    """Why an application waits for a pass; lower goes first."""

    PERSON = 0
    DRIFT = 10
    DESIRED = 20
    REFRESH = 30
    CLEAN = 100


@dataclass(frozen=True, slots=True)
class LiveResource:
    """One object of an application: what is in Git, in the inventory, or both."""

    ref: ObjectRef
    version: str
    sync: SyncStatus
    health: Health | None  # None: the kind has no health
    wave: int = 0
    hook: bool = False
    requires_pruning: bool = False
    uid: str = ""
    resource_version: str = ""
    owned: str = ""  # hash of our managedFields set after the last apply
    owned_fields: dict[str, Any] | None = None  # that set itself (fieldsV1)
    value_sha256: str = ""  # of the live values of those fields, after the last apply
    applied_sha256: str = ""  # of the manifest last applied; "" when never by us
    in_inventory: bool = False
    message: str = ""  # why out of sync, in one line
    drift: tuple[dict[str, Any], ...] = ()  # FieldChange as JSON, masked
    images: tuple[str, ...] = ()
    sync_options: str = ""  # what it says about its own end, as its annotation does
    ignore_extraneous: bool = False  # once out of Git, it makes no difference


@dataclass(frozen=True)
class ApplicationSummary:
    """A line of ``app list``."""

    id: ApplicationId
    name: str
    project: str
    cluster_id: ClusterId | None
    cluster: str
    server: str
    namespace: str
    labels: dict[str, str]
    repo_url: str
    path: str
    target_revision: str
    auto_sync: bool
    auto_prune: bool
    self_heal: bool
    sync: SyncStatus
    health: Health
    revision: str
    conditions: tuple[Condition, ...]
    stale_since: datetime | None  # not None: shown as Unknown
    operation_phase: str
    created_at: datetime
    deleting: bool = False


@dataclass(frozen=True)
class Application:
    """Everything about one application."""

    summary: ApplicationSummary
    document: ApplicationDocument
    generation: int
    revisions: tuple[str, ...]
    manifests_sha256: str
    reconciled_at: datetime | None
    health_since: datetime | None
    pending: bool = False  # asked for or changed, and no pass has looked at it since
    # asked for, and not looked at yet; what a failing repository keeps from rendering is
    # pending without it: there is nothing to wait for before the next poll
    refreshing: bool = False
    resources: tuple[LiveResource, ...] = ()
    history: tuple[HistoryEntry, ...] = ()
    operation: Operation | None = None  # the running one, else the last
    holds: Holds = NOTHING_HELD
    hydration: Mapping[str, Any] = field(default_factory=dict)  # ``registry.hydrations``
    orphans: tuple[ObjectRef, ...] = ()  # in its namespace, of no application
