"""What a part of Fleet refuses before it opens anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.cli.program import run

pytestmark = pytest.mark.usefixtures("logging_as_before")


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home that is not made, and a database that does not answer."""
    home = tmp_path / "home"
    monkeypatch.setenv("FLEET_HOME", str(home))
    monkeypatch.setenv("FLEET_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/fleet")
    return home


def test_a_worker_with_a_selector_that_is_none(
    nowhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["worker", "--select", "region eu"]) == 2
    assert "label selector" in capsys.readouterr().err
    assert not nowhere.exists()


def test_up_serves_every_cluster(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLEET_WORKER_SELECT", "region=eu")
    assert run(["up"]) == 2
    assert "fleet worker --select" in capsys.readouterr().err
    assert not nowhere.exists()
