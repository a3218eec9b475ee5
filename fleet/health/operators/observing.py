"""Operators of metrics, logs, traces and dashboards."""

from __future__ import annotations

from collections.abc import Mapping

from fleet.health.rules import Judge, Rule, words
from fleet.model.health import HealthStatus

_ANY = frozenset({"*"})
#: ``Available`` may be Degraded besides true and false: some, not all, of its Pods are ready.
_PROMETHEUS = Rule(
    suspended=("spec.paused",),
    wanted=("Reconciled", "Available"),
    pending=frozenset({"NoPodReady", "SomePodsNotReady", "StatefulSetNotFound"}),
)
_VICTORIA = Rule(
    suspended=("spec.paused",),
    said=(
        words(
            path="status.updateStatus",
            healthy=("operational",),
            progressing=("expanding",),
            degraded=("failed",),
            suspended=("paused",),
            message="status.reason",
        ),
    ),
)
_LOKI = Rule(
    failing=("Failed", "Degraded"),
    doing=("Pending",),
    wanted=("Ready",),
    pending=_ANY,
)


def _synchronized(what: str) -> Rule:
    """A part of Grafana's content, which instances take up."""
    return Rule(
        suspended=("spec.suspend",),
        failing=("InvalidSpec", "NoMatchingInstance"),
        wanted=(f"{what}Synchronized",),
    )


TABLE: Mapping[str, Mapping[str, Judge]] = {
    "monitoring.coreos.com": {
        "Alertmanager": _PROMETHEUS,
        "Prometheus": _PROMETHEUS,
        "PrometheusAgent": _PROMETHEUS,
        "ThanosRuler": _PROMETHEUS,
        "*": Rule(observed=False, absent=None),
    },
    "grafana.integreatly.org": {
        "Grafana": Rule(
            suspended=("spec.suspend",),
            said=(
                words(
                    path="status.stageStatus",
                    healthy=("success",),
                    progressing=("in progress", "reconciling"),
                    degraded=("failed",),
                    message="status.lastMessage",
                ),
            ),
            wanted=("GrafanaReady",),
        ),
        "GrafanaAlertRuleGroup": _synchronized("AlertGroup"),
        "GrafanaContactPoint": _synchronized("ContactPoint"),
        "GrafanaDashboard": _synchronized("Dashboard"),
        "GrafanaDatasource": _synchronized("Datasource"),
        "GrafanaFolder": _synchronized("Folder"),
        "GrafanaLibraryPanel": _synchronized("LibraryPanel"),
        "GrafanaMuteTiming": _synchronized("MuteTiming"),
        "GrafanaNotificationPolicy": _synchronized("NotificationPolicy"),
        "GrafanaNotificationTemplate": _synchronized("NotificationTemplate"),
    },
    "operator.victoriametrics.com": {"*": _VICTORIA},
    "loki.grafana.com": {"LokiStack": _LOKI},
    "tempo.grafana.com": {"TempoStack": _LOKI, "TempoMonolithic": _LOKI},
    "k6.io": {
        "*": Rule(
            said=(
                words(
                    path="status.stage",
                    healthy=("finished",),
                    degraded=("error",),
                    suspended=("stopped",),
                ),
            ),
        ),
    },
    "opentelemetry.io": {
        "OpenTelemetryCollector": Rule(absent=HealthStatus.HEALTHY),
        "Instrumentation": Rule(absent=None),
    },
    "jaegertracing.io": {
        "Jaeger": Rule(
            said=(words(healthy=("Running",), degraded=("Failed",)),),
            absent=HealthStatus.PROGRESSING,
        ),
    },
    "logging.banzaicloud.io": {
        "Logging": Rule(absent=HealthStatus.HEALTHY),
        "*": Rule(
            said=(words(path="status.active", healthy=("true",), degraded=("false",)),),
            absent=None,
        ),
    },
    "datadoghq.com": {
        "DatadogMetric": Rule(failing=("Error",), wanted=("Valid",), pending=_ANY),
        "DatadogMonitor": Rule(failing=("Error",), wanted=("Created",), pending=_ANY),
        "DatadogAgent": Rule(failing=("DatadogAgentReconcileError",), absent=HealthStatus.HEALTHY),
    },
    "sloth.slok.dev": {
        "PrometheusServiceLevel": Rule(
            said=(
                words(
                    path="status.promOpRulesGenerated",
                    healthy=("true",),
                    progressing=("false",),
                ),
            ),
        ),
    },
    "core.humio.com": {
        "*": Rule(
            said=(
                words(
                    path="status.state",
                    healthy=("Running", "Exists"),
                    degraded=("ConfigError", "NotFound"),
                ),
            ),
        ),
    },
}
