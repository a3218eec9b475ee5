"""Job, CronJob, and Argo's Workflow.

Source of rules and messages: Argo CD, gitops-engine ``pkg/health`` for Job and Workflow,
the bundled health rule of ``batch/CronJob`` for CronJob.
"""

from __future__ import annotations

from fleet.health.reading import at, conditions, text
from fleet.health.verdicts import degraded, healthy, progressing, suspended, unknown
from fleet.model.health import Health
from fleet.model.objects import Manifest


def job(obj: Manifest) -> Health:
    found = {entry.type: entry for entry in conditions(obj) if not entry.is_false}
    if "Failed" in found:
        return degraded(found["Failed"].message)
    if "Complete" in found:
        return healthy(found["Complete"].message)
    if "Suspended" in found:
        return suspended(found["Suspended"].message)
    if at(obj, "spec", "suspend") is True:
        return suspended("Job is Suspended")
    return progressing()


def cron_job(obj: Manifest) -> Health:
    if at(obj, "spec", "suspend") is True:
        return suspended("CronJob is Suspended")
    status = obj.get("status")
    if not isinstance(status, dict):
        return progressing("Waiting for CronJob")
    scheduled = text(status, "lastScheduleTime")
    succeeded = text(status, "lastSuccessfulTime")
    if not scheduled:
        return healthy("CronJob has not been scheduled yet")
    if not succeeded:
        # Either the first run is under way or none ever succeeded; the object does not say.
        return healthy("CronJob never completed successfully. It may not be healthy")
    if status.get("active"):
        return healthy("The job is running. Its last execution may not have been successful")
    if succeeded < scheduled:  # RFC 3339 in UTC sorts as text
        return degraded("CronJob has not completed its last execution successfully")
    return healthy("CronJob has completed its last execution successfully")


def workflow(obj: Manifest) -> Health:
    phase, message = text(obj, "status", "phase"), text(obj, "status", "message")
    if phase in ("", "Pending", "Running"):
        return progressing(message)
    if phase == "Succeeded":
        return healthy(message)
    if phase in ("Failed", "Error"):
        return degraded(message)
    return unknown(message)
