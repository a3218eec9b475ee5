"""Operators of databases, caches and search engines."""

from __future__ import annotations

from collections.abc import Mapping

from fleet.health.rules import Judge, Rule, words
from fleet.model.health import HealthStatus

_ANY = frozenset({"*"})
_READY = Rule(wanted=("Ready",), pending=_ANY)

_ELASTIC = Rule(
    said=(
        words(
            path="status.health",
            healthy=("green",),
            progressing=("yellow", "unknown"),
            degraded=("red",),
            message="status.phase",
        ),
        words(progressing=("ApplyingChanges", "MigratingData"), degraded=("Invalid",)),
    ),
)
_PERCONA = Rule(
    suspended=("spec.pause",),
    said=(
        words(
            path="status.state",
            healthy=("ready",),
            progressing=("initializing", "stopping", "unknown"),
            degraded=("error",),
            suspended=("paused",),
        ),
    ),
)
_PERCONA_RUN = Rule(
    said=(
        words(
            path="status.state",
            healthy=("Succeeded", "ready"),
            degraded=("Failed", "Error", "error", "rejected"),
            message="status.error",
        ),
    ),
)
_CNPG_APPLIED = Rule(
    said=(words(path="status.applied", healthy=("true",), degraded=("false",)),),
)
#: Progressing is what the words of CloudNativePG mean that are not named here.
_CNPG_CLUSTER = Rule(
    observed=False,
    held=("cnpg.io/hibernation",),
    said=(
        words(
            healthy=("Cluster in healthy state",),
            degraded=(
                "Cluster cannot execute instance online upgrade due to missing architecture binary",
                "Cluster cannot proceed to reconciliation due to an unknown plugin being required",
                "Cluster has incomplete or invalid image catalog",
                "Cluster is in an unrecoverable state, needs manual intervention",
                "Cluster is unrecoverable and needs manual intervention",
                "Cluster upgrade failed",
                "Not enough disk space",
                "Unable to create required cluster objects",
            ),
            suspended=("Cluster upgrade delayed", "Waiting for user action"),
            message="status.phaseReason",
        ),
    ),
    wanted=("Ready",),
    pending=_ANY,
)
_MARIADB = Rule(
    suspended=("spec.suspend",),
    wanted=("Ready",),
    pending=_ANY,
)
_MARIADB_RUN = Rule(wanted=("Complete",), pending=_ANY)

TABLE: Mapping[str, Mapping[str, Judge]] = {
    "postgresql.cnpg.io": {
        "Backup": Rule(
            said=(
                words(
                    healthy=("completed",),
                    degraded=("failed", "walArchivingFailing"),
                    message="status.error",
                ),
            ),
        ),
        "Cluster": _CNPG_CLUSTER,
        "Database": _CNPG_APPLIED,
        "Pooler": Rule(absent=HealthStatus.HEALTHY),
        "Publication": _CNPG_APPLIED,
        "ScheduledBackup": Rule(suspended=("spec.suspend",), absent=HealthStatus.HEALTHY),
        "Subscription": _CNPG_APPLIED,
    },
    "acid.zalan.do": {
        "postgresql": Rule(
            said=(
                words(
                    path="status.PostgresClusterStatus",
                    healthy=("Running",),
                    degraded=("CreateFailed", "UpdateFailed", "SyncFailed", "Invalid"),
                ),
            ),
        ),
    },
    "postgres-operator.crunchydata.com": {
        "PostgresCluster": Rule(
            suspended=("spec.paused", "spec.shutdown"),
            failing=("PersistentVolumeResizeError",),
            wanted=("PGBackRestRepoHostReady", "PGBackRestReplicaRepoReady"),
            pending=_ANY,
        ),
    },
    "pxc.percona.com": {
        "PerconaXtraDBCluster": _PERCONA,
        "PerconaXtraDBClusterBackup": _PERCONA_RUN,
        "PerconaXtraDBClusterRestore": _PERCONA_RUN,
    },
    "psmdb.percona.com": {
        "PerconaServerMongoDB": _PERCONA,
        "PerconaServerMongoDBBackup": _PERCONA_RUN,
        "PerconaServerMongoDBRestore": _PERCONA_RUN,
    },
    "ps.percona.com": {"PerconaServerMySQL": _PERCONA},
    "pgv2.percona.com": {
        "PerconaPGCluster": _PERCONA,
        "PerconaPGBackup": _PERCONA_RUN,
        "PerconaPGRestore": _PERCONA_RUN,
    },
    "k8s.mariadb.com": {
        "Backup": _MARIADB_RUN,
        "PhysicalBackup": _MARIADB_RUN,
        "Restore": _MARIADB_RUN,
        "SqlJob": _MARIADB_RUN,
        "*": _MARIADB,
    },
    "mysql.oracle.com": {
        "InnoDBCluster": Rule(
            said=(
                words(
                    path="status.cluster.status",
                    healthy=("ONLINE",),
                    progressing=("PENDING", "INITIALIZING", "FINALIZING", "ONLINE_PARTIAL"),
                    degraded=(
                        "OFFLINE",
                        "ONLINE_UNCERTAIN",
                        "OFFLINE_UNCERTAIN",
                        "NO_QUORUM",
                        "SPLIT_BRAIN",
                        "INVALID",
                        "UNKNOWN",
                    ),
                ),
            ),
        ),
        "MySQLBackup": Rule(
            said=(words(path="status.status", healthy=("Completed",), degraded=("Error",)),)
        ),
    },
    "mysql.presslabs.org": {
        "MysqlCluster": Rule(wanted=("Ready",), pending=_ANY),
        "MysqlBackup": Rule(failing=("Failed",), wanted=("Complete",), pending=_ANY),
    },
    "moco.cybozu.com": {
        "MySQLCluster": Rule(
            wanted=("Initialized", "Available", "Healthy"), pending=frozenset({"*"})
        ),
    },
    "mongodbcommunity.mongodb.com": {
        "MongoDBCommunity": Rule(
            said=(words(healthy=("Running",), progressing=("Pending",), degraded=("Failed",)),),
        ),
    },
    "mongodb.com": {
        "*": Rule(
            said=(
                words(
                    healthy=("Running", "Updated"),
                    progressing=("Pending", "Reconciling"),
                    degraded=("Failed",),
                    suspended=("Unsupported", "Disabled"),
                ),
            ),
            absent=None,
        ),
    },
    "atlas.mongodb.com": {"*": Rule(wanted=("Ready",), pending=_ANY)},
    "redis.redis.opstreelabs.in": {
        "RedisCluster": Rule(
            said=(
                words(
                    path="status.state",
                    healthy=("Ready",),
                    progressing=("Initializing", "Bootstrap"),
                    degraded=("Failed",),
                    message="status.reason",
                ),
            ),
        ),
        "*": Rule(absent=None),
    },
    "app.redislabs.com": {
        "RedisEnterpriseCluster": Rule(
            said=(
                words(
                    path="status.state",
                    healthy=("Running",),
                    degraded=("Error", "Invalid", "InvalidUpgrade", "RecoveryReset"),
                ),
            ),
        ),
        "RedisEnterpriseDatabase": Rule(
            said=(
                words(
                    path="status.status",
                    healthy=("active",),
                    degraded=("creation-failed", "import-failed", "error"),
                ),
            ),
        ),
    },
    "dragonflydb.io": {
        "Dragonfly": Rule(said=(words(healthy=("Ready", "ready"), degraded=("Failed",)),))
    },
    "hyperspike.io": {"Valkey": _READY},
    ".k8s.elastic.co": {"*": _ELASTIC},
    "autoscaling.k8s.elastic.co": {
        "*": Rule(wanted=("Active", "Healthy"), pending=_ANY, absent=HealthStatus.HEALTHY)
    },
    "stackconfigpolicy.k8s.elastic.co": {
        "*": Rule(
            said=(
                words(
                    healthy=("Ready",),
                    progressing=("ApplyingChanges",),
                    degraded=("Invalid", "Error", "Conflict"),
                ),
            )
        ),
    },
    "opensearch.opster.io": {
        "OpenSearchCluster": Rule(
            said=(
                words(
                    path="status.health",
                    healthy=("green",),
                    progressing=("yellow", "unknown"),
                    degraded=("red",),
                    message="status.phase",
                ),
                words(healthy=("RUNNING",), progressing=("PENDING", "UPGRADING")),
            ),
        ),
        "*": Rule(
            said=(
                words(
                    path="status.state",
                    healthy=("CREATED",),
                    progressing=("PENDING",),
                    degraded=("ERROR",),
                    message="status.reason",
                ),
            ),
        ),
    },
    "solr.apache.org": {
        "SolrBackup": Rule(
            said=(words(path="status.successful", healthy=("true",), degraded=("false",)),)
        ),
        "SolrPrometheusExporter": Rule(
            said=(words(path="status.ready", healthy=("true",), progressing=("false",)),)
        ),
    },
    "cassandra.datastax.com": {
        "CassandraDatacenter": Rule(
            suspended=("spec.stopped",),
            said=(
                words(
                    path="status.cassandraOperatorProgress",
                    healthy=("Ready",),
                    progressing=("Updating",),
                ),
            ),
            wanted=("Ready",),
            pending=_ANY,
        ),
    },
    "scylla.scylladb.com": {
        "*": Rule(
            failing=("Degraded",), doing=("Progressing",), wanted=("Available",), pending=_ANY
        ),
    },
    "clickhouse.altinity.com": {
        "ClickHouseInstallation": Rule(
            said=(
                words(
                    path="status.status",
                    healthy=("Completed",),
                    progressing=("InProgress", "Terminating"),
                    degraded=("Aborted",),
                    message="status.error",
                ),
            ),
            suspended=("spec.stop",),
        ),
    },
    "clickhouse-keeper.altinity.com": {
        "ClickHouseKeeperInstallation": Rule(
            said=(words(path="status.status", healthy=("Completed",), degraded=("Aborted",)),),
        ),
    },
    "crdb.cockroachlabs.com": {
        "CrdbCluster": Rule(
            said=(
                words(
                    path="status.clusterStatus",
                    healthy=("Finished",),
                    progressing=("Starting", "Unknown"),
                    degraded=("Failed",),
                ),
            ),
        ),
    },
    "apps.kubeblocks.io": {
        "Cluster": Rule(
            said=(
                words(
                    healthy=("Running",),
                    degraded=("Failed", "Abnormal"),
                    suspended=("Stopped", "Stopping"),
                ),
            ),
        ),
    },
    "db.atlasgo.io": {
        "*": Rule(
            wanted=("Ready",),
            pending=frozenset({"Reconciling", "GettingSecret", "GettingDevDB", "Pending"}),
        ),
    },
    "sparkoperator.k8s.io": {
        "ScheduledSparkApplication": Rule(
            suspended=("spec.suspend",),
            said=(
                words(
                    path="status.scheduleState",
                    healthy=("Scheduled",),
                    degraded=("FailedValidation",),
                    message="status.reason",
                ),
            ),
        ),
        "SparkApplication": Rule(
            said=(
                words(
                    path="status.applicationState.state",
                    healthy=("RUNNING", "COMPLETED"),
                    degraded=("FAILED", "SUBMISSION_FAILED", "FAILING", "UNKNOWN"),
                    suspended=("SUSPENDED", "SUSPENDING"),
                    message="status.applicationState.errorMessage",
                ),
            ),
        ),
    },
    "flink.apache.org": {
        "FlinkDeployment": Rule(
            said=(
                words(
                    path="status.lifecycleState",
                    healthy=("STABLE", "DEPLOYED"),
                    progressing=("CREATED", "UPGRADING", "ROLLING_BACK", "ROLLED_BACK"),
                    degraded=("FAILED",),
                    suspended=("SUSPENDED",),
                    message="status.error",
                ),
                words(
                    path="status.jobStatus.state",
                    healthy=("RUNNING", "FINISHED"),
                    degraded=("FAILED", "FAILING"),
                    suspended=("SUSPENDED", "CANCELED"),
                    message="status.error",
                ),
            ),
        ),
    },
}
