"""Job and CronJob: completions, failures, time; and what a schedule means."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from fleet.embedded.sandbox.controllers.jobs import spans
from fleet.embedded.sandbox.controllers.schedules import schedule
from fleet.embedded.sandbox.objects import Object
from tests.unit.embedded.sandbox.controllers.theatre import Theatre, condition, made, template


def job(restart: str = "Never", run_for: str = "2s", fail: str = "", **spec: Any) -> Object:
    wanted = template(run_for=run_for, fail=fail)
    wanted["spec"]["restartPolicy"] = restart
    return made("Job", "web", "batch/v1", template=wanted, **spec)


def ending(theatre: Theatre) -> tuple[str, str]:
    """Type and reason of the condition that it ended with; empty while it goes on."""
    for each in theatre.status("Job", "web").get("conditions", ()):
        if each["type"] in ("Complete", "Failed"):
            return each["type"], each["reason"]
    return "", ""


def test_it_completes_with_its_pod(theatre: Theatre) -> None:
    theatre.put(job())
    assert theatre.status("Job", "web")["active"] == 1
    theatre.wait(1)
    assert theatre.status("Job", "web")["ready"] == 1
    assert ending(theatre) == ("", "")
    theatre.wait(2)
    status = theatre.status("Job", "web")
    assert ending(theatre) == ("Complete", "CompletionsReached")
    assert condition(status, "SuccessCriteriaMet")["status"] == "True"
    assert (status["succeeded"], status["completionTime"]) == (1, "2026-03-01T12:00:03Z")
    assert "active" not in status
    labels = theatre.all("Pod")[0]["metadata"]["labels"]
    assert labels["batch.kubernetes.io/job-name"] == "web"


def test_completions_are_worked_off_side_by_side(theatre: Theatre) -> None:
    theatre.put(job(completions=5, parallelism=2))
    assert theatre.status("Job", "web")["active"] == 2
    theatre.wait(3)
    assert theatre.status("Job", "web")["succeeded"] == 2
    theatre.wait(6)
    assert ending(theatre) == ("Complete", "CompletionsReached")
    assert len(theatre.all("Pod")) == 5


def test_indexed_ones_do_each_number_once(theatre: Theatre) -> None:
    theatre.put(job(completions=3, parallelism=3, completionMode="Indexed"))
    theatre.wait(3)
    assert theatre.status("Job", "web")["completedIndexes"] == "0-2"
    at = "batch.kubernetes.io/job-completion-index"
    found = sorted(it["metadata"]["annotations"][at] for it in theatre.all("Pod"))
    assert found == ["0", "1", "2"]


@pytest.mark.parametrize(("restart", "pods"), [("Never", 3), ("OnFailure", 0)])
def test_too_many_failures_end_it(theatre: Theatre, restart: str, pods: int) -> None:
    theatre.put(job(restart, fail="Error", backoffLimit=2))
    theatre.wait(60)
    assert ending(theatre) == ("Failed", "BackoffLimitExceeded")
    status = theatre.status("Job", "web")
    assert condition(status, "FailureTarget")["status"] == "True"
    assert status["failed"] == (3 if restart == "Never" else 1)
    assert len(theatre.all("Pod")) == pods


def test_a_deadline_ends_it(theatre: Theatre) -> None:
    theatre.put(job(run_for="1h", activeDeadlineSeconds=30))
    theatre.wait(29)
    assert ending(theatre) == ("", "")
    theatre.wait(1)
    assert ending(theatre) == ("Failed", "DeadlineExceeded")
    assert theatre.all("Pod") == []


def test_a_suspended_one_waits(theatre: Theatre) -> None:
    theatre.put(job(suspend=True))
    theatre.wait(60)
    assert theatre.all("Pod") == []
    assert condition(theatre.status("Job", "web"), "Suspended")["status"] == "True"
    theatre.change("Job", "web", suspend=False)
    theatre.wait(3)
    assert condition(theatre.status("Job", "web"), "Suspended")["status"] == "False"
    assert ending(theatre) == ("Complete", "CompletionsReached")


def test_a_finished_one_goes_after_its_time(theatre: Theatre) -> None:
    theatre.put(job(ttlSecondsAfterFinished=10))
    theatre.wait(12)
    assert theatre.names("Job") == ["web"]
    theatre.wait(1)
    assert theatre.names("Job") == []


@pytest.mark.parametrize(("numbers", "text"), [([], ""), ([4], "4"), ([0, 1, 2, 5], "0-2,5")])
def test_spans(numbers: list[int], text: str) -> None:
    assert spans(numbers) == text


def cron(at: str = "*/5 * * * *", run_for: str = "2s", fail: str = "", **spec: Any) -> Object:
    wanted = job(run_for=run_for, fail=fail, backoffLimit=0)["spec"]
    return made("CronJob", "web", "batch/v1", schedule=at, jobTemplate={"spec": wanted}, **spec)


def test_a_job_is_started_when_it_is_due(theatre: Theatre) -> None:
    theatre.put(cron())
    theatre.wait(299)
    assert theatre.names("Job") == []
    theatre.wait(1)
    (name,) = theatre.names("Job")
    assert name == f"web-{int(theatre.now.timestamp()) // 60}"
    status = theatre.status("CronJob", "web")
    assert status["lastScheduleTime"] == "2026-03-01T12:05:00Z"
    assert [it["name"] for it in status["active"]] == [name]
    theatre.wait(3)
    status = theatre.status("CronJob", "web")
    assert status["lastSuccessfulTime"] == "2026-03-01T12:05:03Z"
    assert "active" not in status


def test_a_suspended_schedule_starts_nothing_and_has_no_alarm(theatre: Theatre) -> None:
    theatre.put(cron(suspend=True))
    assert theatre.alarms == 0
    theatre.wait(3600)
    assert theatre.names("Job") == []


@pytest.mark.parametrize(("policy", "jobs"), [("Allow", 3), ("Forbid", 1), ("Replace", 1)])
def test_runs_that_overlap(theatre: Theatre, policy: str, jobs: int) -> None:
    theatre.put(cron(run_for="1h", concurrencyPolicy=policy))
    theatre.wait(15 * 60)
    assert len(theatre.names("Job")) == jobs
    newest = int(theatre.now.timestamp()) // 60
    assert (f"web-{newest}" in theatre.names("Job")) is (policy != "Forbid")


@pytest.mark.parametrize(("fail", "kept"), [("", 3), ("Error", 1)])
def test_old_jobs_are_cleared_away(theatre: Theatre, fail: str, kept: int) -> None:
    theatre.put(cron(fail=fail))
    theatre.wait(3630)
    assert len(theatre.names("Job")) == kept


def test_a_run_that_was_missed_for_long_is_left_out(theatre: Theatre) -> None:
    theatre.put(cron("0 * * * *", suspend=True, startingDeadlineSeconds=60))
    theatre.wait(3700)
    theatre.change("CronJob", "web", suspend=False)
    assert theatre.names("Job") == []
    theatre.wait(3600)
    assert len(theatre.names("Job")) == 1


@pytest.mark.parametrize(
    ("text", "after", "due"),
    [
        ("* * * * *", "2026-03-01T12:00:30", "2026-03-01T12:01:00"),
        ("*/15 * * * *", "2026-03-01T12:00:00", "2026-03-01T12:15:00"),
        ("5/20 * * * *", "2026-03-01T12:06:00", "2026-03-01T12:25:00"),
        ("0 9-17/4 * * *", "2026-03-01T13:30:00", "2026-03-01T17:00:00"),
        ("30 2 1 jan *", "2026-03-01T12:00:00", "2027-01-01T02:30:00"),
        ("0 0 29 2 *", "2026-03-01T12:00:00", "2028-02-29T00:00:00"),
        ("0 0 * * mon-wed", "2026-03-01T12:00:00", "2026-03-02T00:00:00"),
        ("0 0 13 * fri", "2026-03-01T12:00:00", "2026-03-06T00:00:00"),
        ("0 0 13 * ?", "2026-03-01T12:00:00", "2026-03-13T00:00:00"),
        ("0 0 */20 * fri", "2026-03-01T12:00:00", "2026-03-06T00:00:00"),
        ("@hourly", "2026-03-01T12:00:00", "2026-03-01T13:00:00"),
        ("@weekly", "2026-03-01T12:00:00", "2026-03-08T00:00:00"),
    ],
)
def test_when_a_schedule_is_due(text: str, after: str, due: str) -> None:
    found = schedule(text)
    assert found is not None
    assert found.after(datetime.fromisoformat(after)) == datetime.fromisoformat(due)


@pytest.mark.parametrize(
    "text", ["", "* * * *", "60 * * * *", "a * * * *", "*/0 * * * *", "5-1 * * * *", "0 0 0 * *"]
)
def test_what_is_no_schedule(text: str) -> None:
    assert schedule(text) is None


def test_a_schedule_that_never_comes(theatre: Theatre) -> None:
    theatre.put(cron("0 0 30 2 *"))
    theatre.wait(5 * 366 * 24 * 3600)
    assert theatre.names("Job") == []
    assert theatre.alarms == 0


def test_a_schedule_of_another_time_zone(theatre: Theatre) -> None:
    theatre.put(cron("0 9 * * *", timeZone="Asia/Tokyo"))
    theatre.wait(24 * 3600)
    assert theatre.status("CronJob", "web")["lastScheduleTime"] == "2026-03-02T00:00:00Z"
    assert theatre.now.astimezone(ZoneInfo("Asia/Tokyo")).hour == 21
