"""Build the control plane of the tests from the Go module proxy, once a machine.

No Go code of our own: ``go.mod`` names the programs as tools. The result is kept in a cache
folder named by the hash of ``go.mod`` and ``go.sum``. A machine without Go gets one first.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.cluster import toolchain
from tests.keeper import locked

HERE = Path(__file__).parent
VERSION = "v1.37.1"
PROGRAMS = ("server", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")
HOW = "build it once with `make control-plane` (ten minutes, 5 GB of cache)"


def cache_folder() -> Path:
    """Where things that tests build or download are kept between runs."""
    return Path(os.environ.get("FLEET_TEST_CACHE") or Path.home() / ".cache" / "fleet-tests")


def binaries() -> Path:
    """The folder the programs of this ``go.mod`` are in, or will be."""
    digest = hashlib.sha256((HERE / "go.mod").read_bytes() + (HERE / "go.sum").read_bytes())
    return cache_folder() / f"controlplane-{digest.hexdigest()[:16]}"


def is_built() -> bool:
    """Whether every program is there."""
    return all((binaries() / program).exists() for program in PROGRAMS)


def build() -> Path:
    """Build what is missing; a second builder waits for the first.

    Raises:
        SystemExit: no Go could be had, or the build failed; Go has said why on stderr.
    """
    target = binaries()
    with locked(target.with_suffix(".lock")):
        if not is_built():
            _compile(target)
    return target


def _compile(target: Path) -> None:
    go = toolchain.go(cache_folder())
    unfinished = target.with_suffix(".tmp")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    major, minor, _ = VERSION.removeprefix("v").split(".")
    stamp = "k8s.io/component-base/version"
    flags = (
        f"-s -w -X {stamp}.gitVersion={VERSION}"
        f" -X {stamp}.gitMajor={major} -X {stamp}.gitMinor={minor}"
    )
    argv = [go, "build", "-trimpath", "-ldflags", flags, "-o", f"{unfinished}/", "tool"]
    environment = {**os.environ, **toolchain.LOCAL, "CGO_ENABLED": "0"}
    if subprocess.run(argv, cwd=HERE, env=environment, check=False).returncode:
        raise SystemExit("the test control plane did not build")
    shutil.rmtree(target, ignore_errors=True)
    unfinished.rename(target)


if __name__ == "__main__":
    sys.stdout.write(f"{build()}\n")
