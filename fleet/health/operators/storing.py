"""Volumes, object stores, snapshots and backups."""

from __future__ import annotations

from collections.abc import Mapping

from fleet.health.rules import Judge, Rule, words
from fleet.model.health import HealthStatus

_ANY = frozenset({"*"})
_VELERO_RUN = Rule(
    said=(
        words(
            healthy=("Completed",),
            degraded=("Failed", "PartiallyFailed", "FailedValidation"),
            message="status.failureReason",
        ),
    ),
)
_AVAILABLE = words(healthy=("Available",), degraded=("Unavailable",))
#: Ceph's own word stands above the operator's: HEALTH_WARN is degraded redundancy or worse.
_ROOK = Rule(
    said=(
        words(
            path="status.ceph.health",
            progressing=("HEALTH_WARN",),
            degraded=("HEALTH_ERR",),
        ),
        words(
            healthy=("Ready", "Connected", "Bound", "Created"),
            progressing=("Progressing", "Connecting", "Updating", "Deleting", "Reconciling"),
            degraded=("Failure", "Failed", "ReconcileFailed", "DeletionIsBlocked"),
        ),
    ),
)
#: Longhorn tells of a volume that is attached how many of its replicas are well.
_LONGHORN_VOLUME = Rule(
    said=(
        words(
            path="status.robustness",
            healthy=("healthy",),
            degraded=("degraded", "faulted"),
            message="status.state",
        ),
        words(
            path="status.state",
            healthy=("detached",),
            progressing=("creating", "attaching", "attached", "detaching", "deleting"),
        ),
    ),
)
_LONGHORN_INSTANCE = Rule(
    said=(
        words(
            path="status.currentState",
            healthy=("running", "stopped"),
            progressing=("starting", "stopping", "unknown"),
            degraded=("error",),
        ),
    ),
)
_SNAPSHOT = Rule(
    complaint="status.error.message",
    said=(words(path="status.readyToUse", healthy=("true",), progressing=("false",)),),
)

TABLE: Mapping[str, Mapping[str, Judge]] = {
    "velero.io": {
        "Backup": _VELERO_RUN,
        "BackupRepository": Rule(
            said=(words(healthy=("Ready",), progressing=("New",), degraded=("NotReady",)),),
        ),
        "BackupStorageLocation": Rule(said=(_AVAILABLE,)),
        "DataDownload": _VELERO_RUN,
        "DataUpload": _VELERO_RUN,
        "DeleteBackupRequest": Rule(said=(words(healthy=("Processed",)),)),
        "PodVolumeBackup": _VELERO_RUN,
        "PodVolumeRestore": _VELERO_RUN,
        "Restore": _VELERO_RUN,
        "Schedule": Rule(
            suspended=("spec.paused",),
            said=(
                words(healthy=("Enabled",), progressing=("New",), degraded=("FailedValidation",)),
            ),
        ),
        "VolumeSnapshotLocation": Rule(said=(_AVAILABLE,), absent=HealthStatus.HEALTHY),
    },
    "ceph.rook.io": {"*": _ROOK},
    "objectbucket.io": {
        "ObjectBucketClaim": Rule(
            said=(words(healthy=("Bound",), progressing=("Pending",), degraded=("Failed",)),),
        ),
    },
    "longhorn.io": {
        "BackupTarget": Rule(
            failing=("Unavailable",),
            said=(words(path="status.available", healthy=("true",), degraded=("false",)),),
        ),
        "BackingImage": Rule(absent=HealthStatus.HEALTHY),
        "Backup": Rule(
            said=(
                words(
                    path="status.state",
                    healthy=("Completed",),
                    degraded=("Error", "Unknown"),
                    message="status.error",
                ),
            ),
        ),
        "Engine": _LONGHORN_INSTANCE,
        "InstanceManager": _LONGHORN_INSTANCE,
        "Node": Rule(wanted=("Ready",), pending=_ANY),
        "RecurringJob": Rule(absent=None),
        "Replica": _LONGHORN_INSTANCE,
        "ShareManager": Rule(
            said=(
                words(
                    path="status.state",
                    healthy=("running", "stopped"),
                    degraded=("error",),
                ),
            ),
        ),
        "Volume": _LONGHORN_VOLUME,
        "*": Rule(absent=None),
    },
    "snapshot.storage.k8s.io": {
        "VolumeSnapshot": _SNAPSHOT,
        "VolumeSnapshotContent": _SNAPSHOT,
        "*": Rule(absent=None),
    },
    "minio.min.io": {
        "Tenant": Rule(
            said=(
                words(
                    path="status.healthStatus",
                    progressing=("yellow",),
                    degraded=("red",),
                    message="status.healthMessage",
                ),
                words(path="status.currentState", healthy=("Initialized",)),
            ),
        ),
    },
    "cdi.kubevirt.io": {
        "CDI": Rule(failing=("Degraded",), doing=("Progressing",), wanted=("Available",)),
        "DataVolume": Rule(
            said=(
                words(
                    healthy=("Succeeded", "PendingPopulation"),
                    degraded=("Failed",),
                    suspended=("Paused",),
                    progressing=("WaitForFirstConsumer", "Unknown"),
                ),
            ),
        ),
        "StorageProfile": Rule(absent=None),
    },
    "volsync.backube": {
        "*": Rule(
            suspended=("spec.paused",),
            said=(
                words(
                    path="status.latestMoverStatus.result",
                    healthy=("Successful",),
                    degraded=("Failed",),
                    message="status.latestMoverStatus.logs",
                ),
            ),
        ),
    },
    "k8up.io": {
        "Schedule": Rule(absent=HealthStatus.HEALTHY),
        "*": Rule(failing=("Failed",), doing=("Progressing",), wanted=("Completed",), pending=_ANY),
    },
    "stash.appscode.com": {
        "BackupSession": Rule(
            said=(words(healthy=("Succeeded",), degraded=("Failed",), suspended=("Skipped",)),)
        ),
        "RestoreSession": Rule(said=(words(healthy=("Succeeded",), degraded=("Failed",)),)),
        "*": Rule(absent=None),
    },
    "trident.netapp.io": {
        "TridentBackend": Rule(
            said=(words(path="state", healthy=("online",), degraded=("failed", "offline")),),
            absent=None,
        ),
        "TridentOrchestrator": Rule(
            said=(
                words(
                    path="status.status",
                    healthy=("Installed",),
                    progressing=("Installing", "Updating", "Uninstalling", "Uninstalled"),
                    degraded=("Failed", "Error"),
                ),
            ),
        ),
    },
    "piraeus.io": {
        "LinstorCluster": Rule(wanted=("Applied", "Available"), pending=_ANY),
        "LinstorSatellite": Rule(wanted=("Applied", "Available"), pending=_ANY),
    },
    "ocs.openshift.io": {
        "StorageCluster": Rule(
            said=(words(healthy=("Ready",), degraded=("Error",)),),
        ),
    },
    "noobaa.io": {
        "*": Rule(said=(words(healthy=("Ready",), degraded=("Rejected", "Failed")),)),
    },
}
