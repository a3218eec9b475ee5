"""A driver in a process of its own, which may die."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def drive(module: str, question: str, crash_at: str) -> subprocess.CompletedProcess[str]:
    """Run a module of this folder, which is to die at ``crash_at``."""
    return subprocess.run(
        [sys.executable, "-m", f"tests.acceptance.crash.{module}"],
        input=question,
        env={**os.environ, "FLEET_CRASH_AT": crash_at},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,  # a slow machine is no failure
        check=False,
    )
