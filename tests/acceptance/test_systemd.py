"""The units in config/systemd, judged by systemd itself."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.keeper import ROOT
from tests.needs import require

UNITS = ROOT / "config" / "systemd"
PROGRAM = "/opt/fleet/bin/fleet"
NAMES = sorted(it.name for it in UNITS.glob("*.service"))
#: In tenths, as ``systemd-analyze security`` counts: above 2.9 it no longer says OK, but MEDIUM.
#: What is left is what a deployer is for: the network, and namespaces for its renders.
EXPOSURE = 29
#: What bubblewrap asks of the kernel that an ordinary service does not.
WALLS = {"clone", "mount", "pivot_root", "setns", "umount2", "unshare"}


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units, with a program in them that this machine has."""
    require(shutil.which("systemd-analyze"), "no systemd-analyze: install systemd")
    target = tmp_path / "system"
    shutil.copytree(UNITS, target)
    for unit in target.glob("*.service"):
        unit.write_text(unit.read_text().replace(PROGRAM, sys.executable))
    return target


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", NAMES)
def test_systemd_understands_every_line(units: Path, name: str) -> None:
    done = analyze("verify", "--man=no", str(units / name.replace("@.", "@1.")))
    assert (done.returncode, done.stderr) == (0, ""), done


def test_systemd_would_notice(units: Path) -> None:
    unit = units / "fleet-api.service"
    unit.write_text(unit.read_text() + "\n[Service]\nNoSuchThing=yes\n")
    assert "NoSuchThing" in analyze("verify", "--man=no", str(unit)).stderr


@pytest.mark.parametrize("name", NAMES)
def test_they_expose_little(units: Path, name: str) -> None:
    unit = units / name.replace("@.", "@1.")
    if unit.name != name:
        (units / name).rename(unit)
    done = analyze("security", "--offline=true", f"--threshold={EXPOSURE}", str(unit))
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


def test_bubblewrap_may_do_its_work(units: Path) -> None:
    text = (units / "fleet-.service.d" / "service.conf").read_text()
    found = re.search(r"^SystemCallFilter=(.*)$", text, re.MULTILINE)
    assert found is not None
    assert allowed(*found.group(1).split()) >= WALLS
    assert not allowed("@system-service") >= WALLS
    assert "RestrictNamespaces=" not in settings(text)
    assert "AF_NETLINK" in settings(text)["RestrictAddressFamilies="]


def settings(text: str) -> dict[str, str]:
    return dict(re.findall(r"^(\w+=)(.*)$", text, re.MULTILINE))


def allowed(*sets: str) -> set[str]:
    """The system calls of these sets, and of the sets in them."""
    found: set[str] = set()
    for name in sets:
        lines = analyze("syscall-filter", name).stdout.split()
        inner = {it for it in lines if it.startswith("@") and it != name}
        found |= set(lines) | (allowed(*inner) if inner else set())
    return found


@pytest.mark.parametrize("name", NAMES)
def test_they_end_after_their_work_does(name: str) -> None:
    """Longer than a pass (20 s) and a request (10 s) may take, and then PostgreSQL."""
    shared = settings((UNITS / "fleet-.service.d" / "service.conf").read_text())
    assert int(shared["TimeoutStopSec="]) >= 45
    assert shared["KillMode="] == "mixed"  # PostgreSQL and git are ended by Fleet, not beside it
    assert "TimeoutStopSec" not in (UNITS / name).read_text()
