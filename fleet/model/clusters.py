"""Clusters: how to reach one, what was learnt about it, and where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from fleet.model.ids import ClusterId
from fleet.model.objects import GroupKind
from fleet.model.secret import Secret

#: Annotation of a cluster that only workers which select it can reach: "true", or not there.
RESERVED = "fleet.dev/reserved"
#: The queue of clusters that no worker selects and any worker may serve.
ANYONES_QUEUE = "default"
#: The queue of reserved clusters that no live worker selects: nobody takes anything from it.
NOBODYS_QUEUE = "nobody"


#: What Argo CD calls the cluster that it runs in: here Fleet itself, and what runs it.
IN_CLUSTER_SERVER = "https://kubernetes.default.svc"
IN_CLUSTER_NAME = "in-cluster"


def is_itself(name: str, server: str) -> bool:
    """Whether a cluster, or a destination, of this name or at this address is Fleet itself."""
    return name == IN_CLUSTER_NAME or server.rstrip("/") == IN_CLUSTER_SERVER


def is_reserved(annotations: Mapping[str, str]) -> bool:
    """Whether only workers that select a cluster by its labels may serve it."""
    return annotations.get(RESERVED) == "true"


@dataclass(frozen=True, slots=True)
class ExecCredential:
    """A credential plugin, already checked against the allow-list. Source: client-go
    ``ExecConfig``; Argo CD ``execProviderConfig``. Its arguments and environment may hold
    secrets anywhere."""

    command: str
    args: tuple[str, ...] = field(default=(), repr=False)
    env: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    api_version: str = "client.authentication.k8s.io/v1"
    install_hint: str = ""
    provide_cluster_info: bool = False


@dataclass(frozen=True, slots=True)
class Connection:
    """Everything needed to talk to one API server. Exactly one way to prove who we are:
    ``token``, ``client_cert``+``client_key``, ``username``+``password`` or ``exec``.

    ``server`` is ``https://host[:port][/path]`` without a trailing slash. ``in_cluster``
    means: read token and CA from the Pod's ServiceAccount at each use (they rotate).
    """

    server: str
    ca_pem: str = ""
    insecure_skip_tls_verify: bool = False
    tls_server_name: str = ""
    proxy_url: str = field(default="", repr=False)  # with a password, perhaps
    token: Secret | None = None
    client_cert_pem: str = ""
    client_key_pem: Secret | None = None
    username: str = ""
    password: Secret | None = None
    exec: ExecCredential | None = None
    in_cluster: bool = False


@dataclass(frozen=True, slots=True)
class ManagedAuth:
    """The ServiceAccount that Fleet made in the cluster and whose token it renews."""

    namespace: str
    service_account: str
    expires_at: datetime | None


class ConnectionStatus(StrEnum):
    """Argo CD's ``connectionState.status``."""

    SUCCESSFUL = "Successful"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class ApiKind:
    """One kind as a cluster serves it, in the group's preferred (or asked) version."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str] = frozenset()

    @property
    def group_kind(self) -> GroupKind:
        return GroupKind(self.group, self.kind)

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


@dataclass(frozen=True)
class Discovery:
    """What a cluster serves.

    ``kinds`` holds every served (group, version, kind). ``failed_groups`` are groups whose
    discovery failed (an aggregated API that is down): their kinds are *unknown*, which is
    never the same as *absent*.
    """

    kinds: tuple[ApiKind, ...]
    preferred: dict[str, str] = field(default_factory=dict)  # group → preferred version
    failed_groups: frozenset[str] = frozenset()

    def find(self, wanted: GroupKind, version: str = "") -> ApiKind | None:
        """The kind in ``version`` if served, else in the group's preferred version."""
        served = [k for k in self.kinds if k.group == wanted.group and k.kind == wanted.kind]
        for candidate in (version, self.preferred.get(wanted.group, "")):
            for kind in served:
                if candidate and kind.version == candidate:
                    return kind
        return served[0] if served else None

    def api_versions(self) -> tuple[str, ...]:
        """``group/version/Kind`` and ``group/version`` as Helm's ``--api-versions`` wants
        them, sorted and unique."""
        both = {k.api_version for k in self.kinds}
        both |= {f"{k.api_version}/{k.kind}" for k in self.kinds}
        return tuple(sorted(both))


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """What a cluster says about itself when asked."""

    uid: str  # of the kube-system Namespace: who the cluster is, whatever its URL
    version: str  # "v1.37.1"
    api_versions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cluster:
    """A registered cluster, without its credentials."""

    id: ClusterId
    name: str
    server: str
    labels: dict[str, str]
    annotations: dict[str, str]
    project: str  # "" means any project may use it
    namespaces: tuple[str, ...]  # () means cluster-wide
    cluster_resources: bool  # in namespaced mode: manage cluster-scoped objects too
    auth: str  # token | client-certificate | basic | exec | in-cluster
    managed_auth: ManagedAuth | None
    uid: str
    confirmed_uid: str  # differs from uid while an identity waits for a person
    version: str
    api_versions: tuple[str, ...]
    status: ConnectionStatus
    message: str
    observed_at: datetime | None  # last complete pass or probe that got an answer
    attempted_at: datetime | None
    interval_seconds: int | None  # None means the setting
    paused_reason: str
    paused_until: datetime | None
    paused_by: str
    created_at: datetime
    application_count: int = 0
    insecure: bool = False
    queue: str = ANYONES_QUEUE  # whose workers serve it

    @property
    def is_reserved(self) -> bool:
        return is_reserved(self.annotations)

    @property
    def is_unserved(self) -> bool:
        """It is reserved, and no worker that lives selects it."""
        return self.queue == NOBODYS_QUEUE

    def is_paused(self, now: datetime) -> bool:
        if not self.paused_by:
            return False
        return self.paused_until is None or now < self.paused_until

    @property
    def identity_changed(self) -> bool:
        """Another cluster than the one that we know was seen, or one with another name."""
        return bool(self.uid) and self.uid != self.confirmed_uid
