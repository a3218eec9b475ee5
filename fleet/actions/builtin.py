"""The built-in actions: group → kind → what may be done. Patches are RFC 7386.

The names are Argo CD's where it has the action; what each changes is from the documentation of
the kind's own controller. A group that begins with a dot stands for all whose names end so,
``*`` for all kinds of a group.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleet.actions.leaves import (
    backup_of_schedule,
    flipped_auto_sync,
    issuing,
    job_of_cron_job,
    next_step,
    now,
    parameter,
    seconds,
    workflow_of_cron_workflow,
    workflow_of_template,
)
from fleet.actions.offers import OFF, ON, ActionSpec, Parameter
from fleet.model.objects import GroupKind

_Actions = tuple[ActionSpec, ...]


def _switch(on: str, off: str, path: str, *, by: tuple[Any, Any] = (True, False)) -> _Actions:
    """Two actions that switch a field on and off: each is offered while the other was last."""
    return tuple(
        ActionSpec(name, {"": _nested(path, value)}, when={path: states})
        for name, value, states in ((on, by[0], OFF), (off, by[1], ON))
    )


def _marked(name: str, annotation: str, value: Any) -> ActionSpec:
    """An annotation that the controller acts on."""
    return ActionSpec(name, {"": {"metadata": {"annotations": {annotation: value}}}})


def _nested(path: str, value: Any) -> dict[str, Any]:
    outer, _, inner = path.partition("[")
    for key in reversed([*outer.split("."), *([inner.removesuffix("]")] if inner else [])]):
        value = {key: value}
    return dict(value)


_RESTARTED = {"kubectl.kubernetes.io/restartedAt": now}
_RESTART = ActionSpec(
    "restart", {"": {"spec": {"template": {"metadata": {"annotations": _RESTARTED}}}}}
)
_SCALE = ActionSpec(
    "scale",
    {"": {"spec": {"replicas": parameter("replicas")}}},
    parameters=(Parameter("replicas", is_count=True),),
)
_PAUSE = _switch("pause", "resume", "spec.paused")
_SUSPEND = _switch("suspend", "resume", "spec.suspend")

_FLUX = (_marked("reconcile", "reconcile.fluxcd.io/requestedAt", now), *_SUSPEND)
_CROSSPLANE = _switch(
    "pause", "resume", "metadata.annotations[crossplane.io/paused]", by=("true", None)
)
_STRIMZI = _switch(
    "pause", "resume", "metadata.annotations[strimzi.io/pause-reconciliation]", by=("true", None)
)
_KEDA = _switch(
    "pause", "resume", "metadata.annotations[autoscaling.keda.sh/paused]", by=("true", None)
)
_NUMAFLOW = (
    ActionSpec(
        "pause",
        {"": {"spec": {"lifecycle": {"desiredPhase": "Paused"}}}},
        when={"spec.lifecycle.desiredPhase": (None, "Running")},
    ),
    ActionSpec(
        "unpause-fast",
        {"": {"spec": {"lifecycle": {"desiredPhase": "Running"}}}},
        when={"spec.lifecycle.desiredPhase": ("Paused",)},
    ),
)

_UNDERWAY = {"status.phase": ("Progressing", "Paused")}
_ROLLOUT = (
    ActionSpec("abort", {"status": {"status": {"abort": True}}}, when=_UNDERWAY),
    ActionSpec("pause", {"": {"spec": {"paused": True}}}, when={"spec.paused": OFF}),
    ActionSpec("promote-full", {"status": {"status": {"promoteFull": True}}}, when=_UNDERWAY),
    ActionSpec("restart", {"": {"spec": {"restartAt": now}}}),
    ActionSpec(
        "resume",
        {"": {"spec": {"paused": False}}, "status": {"status": {"pauseConditions": None}}},
        when={"status.phase": ("Paused",)},
    ),
    ActionSpec("retry", {"status": {"status": {"abort": False}}}, when={"status.abort": ON}),
    _SCALE,
    ActionSpec(
        "skip-current-step",
        {"status": {"status": {"currentStepIndex": next_step, "pauseConditions": None}}},
        when=_UNDERWAY,
    ),
)
_CNPG = (
    _marked("reload", "cnpg.io/reloadedAt", now),
    _marked("restart", "kubectl.kubernetes.io/restartedAt", now),
    *_switch("suspend", "resume", "metadata.annotations[cnpg.io/hibernation]", by=("on", "off")),
    ActionSpec(
        "promote",
        {
            "status": {
                "status": {
                    "targetPrimary": parameter("instance"),
                    "targetPrimaryTimestamp": now,
                    "phase": "Switchover in progress",
                }
            }
        },
        parameters=(Parameter("instance"),),
    ),
)

_TABLE: Mapping[str, Mapping[str, _Actions]] = {
    "apps": {
        "DaemonSet": (_RESTART,),
        "Deployment": (*_PAUSE, _RESTART, _SCALE),
        "ReplicaSet": (_SCALE,),
        "StatefulSet": (_RESTART, _SCALE),
    },
    "batch": {
        "CronJob": (ActionSpec("create-job", makes=job_of_cron_job), *_SUSPEND),
        "Job": (
            *_SUSPEND,
            ActionSpec(
                "terminate",
                {"": {"spec": {"activeDeadlineSeconds": 1}}},
                when={"status.completionTime": (None,)},
            ),
        ),
    },
    "argoproj.io": {
        "AnalysisRun": (ActionSpec("terminate", {"": {"spec": {"terminate": True}}}),),
        "Application": (
            ActionSpec(
                "toggle-auto-sync",
                {"": {"spec": {"syncPolicy": {"automated": {"enabled": flipped_auto_sync}}}}},
            ),
        ),
        "CronWorkflow": (
            ActionSpec("create-workflow", makes=workflow_of_cron_workflow),
            *_SUSPEND,
        ),
        "Experiment": (ActionSpec("terminate", {"": {"spec": {"terminate": True}}}),),
        "Rollout": _ROLLOUT,
        "Workflow": (
            *_SUSPEND,
            ActionSpec(
                "stop",
                {"": {"spec": {"shutdown": "Stop"}}},
                when={"status.finishedAt": (None,)},
            ),
            ActionSpec(
                "terminate",
                {"": {"spec": {"shutdown": "Terminate"}}},
                when={"status.finishedAt": (None,)},
            ),
        ),
        "WorkflowTemplate": (ActionSpec("create-workflow", makes=workflow_of_template),),
    },
    "numaflow.numaproj.io": {"MonoVertex": _NUMAFLOW, "Pipeline": _NUMAFLOW},
    "kustomize.toolkit.fluxcd.io": {"*": _FLUX},
    "helm.toolkit.fluxcd.io": {
        "*": (
            *_FLUX,
            ActionSpec(
                "force",
                {
                    "": {
                        "metadata": {
                            "annotations": {
                                "reconcile.fluxcd.io/forceAt": now,
                                "reconcile.fluxcd.io/requestedAt": now,
                            }
                        }
                    }
                },
            ),
        ),
    },
    "source.toolkit.fluxcd.io": {"*": _FLUX},
    "image.toolkit.fluxcd.io": {"*": _FLUX},
    "notification.toolkit.fluxcd.io": {"*": _FLUX},
    "fluxcd.controlplane.io": {"*": (_FLUX[0],)},
    "external-secrets.io": {
        "ClusterExternalSecret": (_marked("refresh", "force-sync", seconds),),
        "ExternalSecret": (_marked("refresh", "force-sync", seconds),),
        "PushSecret": (_marked("push", "force-sync", seconds),),
    },
    "cert-manager.io": {
        "Certificate": (ActionSpec("renew", {"status": {"status": {"conditions": issuing}}}),),
    },
    "keda.sh": {"ScaledJob": _KEDA, "ScaledObject": _KEDA},
    "kafka.strimzi.io": {
        "KafkaConnector": (*_STRIMZI, _marked("restart", "strimzi.io/restart", "true")),
        "KafkaRebalance": tuple(
            _marked(name, "strimzi.io/rebalance", name) for name in ("approve", "refresh", "stop")
        ),
        "*": _STRIMZI,
    },
    "core.strimzi.io": {
        "StrimziPodSet": (_marked("rolling-update", "strimzi.io/manual-rolling-update", "true"),),
    },
    "postgresql.cnpg.io": {"Cluster": _CNPG, "ScheduledBackup": _SUSPEND},
    ".crossplane.io": {"*": _CROSSPLANE},
    ".upbound.io": {"*": _CROSSPLANE},
    "cluster.x-k8s.io": {
        "Cluster": _PAUSE,
        "MachineDeployment": (*_PAUSE, _SCALE),
    },
    "velero.io": {
        "Schedule": (ActionSpec("create-backup", makes=backup_of_schedule), *_PAUSE),
    },
    "monitoring.coreos.com": {
        "Alertmanager": _PAUSE,
        "Prometheus": _PAUSE,
        "ThanosRuler": _PAUSE,
    },
    "apps.openshift.io": {"DeploymentConfig": (*_PAUSE, _RESTART, _SCALE)},
    "volsync.backube": {
        "ReplicationDestination": _PAUSE,
        "ReplicationSource": (
            *_PAUSE,
            ActionSpec("sync", {"": {"spec": {"trigger": {"manual": now}}}}),
        ),
    },
    "kubevirt.io": {
        "VirtualMachine": (
            ActionSpec(
                "start",
                {"": {"spec": {"runStrategy": "Always"}}},
                when={"spec.runStrategy": ("Halted", "Manual")},
            ),
            ActionSpec(
                "stop",
                {"": {"spec": {"runStrategy": "Halted"}}},
                when={"spec.runStrategy": ("Always", "RerunOnFailure")},
            ),
        ),
    },
    "ray.io": {"RayCluster": _SUSPEND, "RayJob": _SUSPEND},
    "k8s.mariadb.com": {"MariaDB": _SUSPEND},
    "pxc.percona.com": {"PerconaXtraDBCluster": _switch("pause", "resume", "spec.pause")},
    "psmdb.percona.com": {"PerconaServerMongoDB": _switch("pause", "resume", "spec.pause")},
    "pgv2.percona.com": {"PerconaPGCluster": _switch("pause", "resume", "spec.pause")},
}
_FAMILIES = tuple(group for group in _TABLE if group.startswith("."))


def builtin_actions(kind: GroupKind) -> _Actions:
    """By name; none for a kind that nothing is known of."""
    family = next((group for group in _FAMILIES if kind.group.endswith(group)), "")
    kinds = _TABLE.get(kind.group) or _TABLE.get(family, {})
    found = kinds.get(kind.kind) or kinds.get("*", ())
    return tuple(sorted(found, key=lambda spec: spec.name))
