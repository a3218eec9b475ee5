"""What the Containerfile makes: its one step is run in a Debian root of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import fleet
from fleet.render.sandbox import sandbox_status
from fleet.render.tools import HELM, KUBECTL
from tests.acceptance.kubelet import image, is_almighty
from tests.keeper import ROOT
from tests.needs import require

#: How this machine reaches package registries; the rest of its environment stays outside.
NETWORK = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CERT", "HTTP_PROXY", "HTTPS_PROXY")
PLACES = ("/etc/resolv.conf", "/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"

pytestmark = pytest.mark.sweep


def base() -> str:
    """The release of Debian that the image is made of."""
    found = re.search(r"^FROM debian:(\w+)-slim$", (ROOT / "Containerfile").read_text(), re.M)
    assert found is not None
    return found.group(1)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The file system of the image. Takes some two minutes, and 800 MB for a while."""
    require(shutil.which("mmdebstrap"), "no mmdebstrap: install Debian's package of that name")
    require(shutil.which("bwrap"), "no bubblewrap: install Debian's package of that name")
    require(is_almighty(), "a Debian root is made by root, with all capabilities")
    folder = tmp_path_factory.mktemp("image") / "root"
    argv = ["mmdebstrap", "--quiet", "--variant=minbase", "--include=ca-certificates"]
    subprocess.run([*argv, base(), str(folder)], check=True)
    network = {
        name: value for name in NETWORK for name in (name, name.lower())
        if (value := os.environ.get(name))
    }  # fmt: skip
    mounts = [word for it in PLACES if Path(it).exists() for word in ("--ro-bind", it, it)]
    mounts += ["--ro-bind", str(ROOT), "/src"]
    build = ("/src/config/container/build.sh", "/src")
    done = subprocess.run(
        [*inside(folder, "--bind"), *mounts, "--cap-add", "ALL", *build],
        env={"PATH": PATH, "HOME": "/root", **network},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def inside(root: Path, bind: str) -> list[str]:
    argv = ["bwrap", bind, str(root), "/", "--dev", "/dev", "--proc", "/proc", "--unshare-pid"]
    return [*argv, "--unshare-ipc", "--unshare-uts", "--die-with-parent", "--new-session"]


def run(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """As a container runtime: by the Containerfile's user and environment, on a read-only root."""
    argv = [*inside(root, "--ro-bind"), "--tmpfs", "/tmp", "--tmpfs", "/var/lib/fleet"]
    argv += ["--unshare-user", "--uid", image().user, "--gid", image().user]
    return subprocess.run(
        [*argv, *command], env=image().environment, capture_output=True, text=True, check=False
    )


def test_fleet_and_its_tools_are_in_it(root: Path) -> None:
    done = run(root, "tini", "-s", "--", *image().entrypoint, "version", "-o", "json")
    assert done.returncode == 0, done
    told = json.loads(done.stdout)
    assert told["client"]["version"] == fleet.__version__
    tools = {it["name"]: (it["version"], it["path"]) for it in told["server"]["tools"]}
    assert tools == {it.name: (it.version, f"/usr/local/bin/{it.name}") for it in (HELM, KUBECTL)}
    if sandbox_status().is_safe:
        assert told["server"]["sandbox"]["kind"] == "bubblewrap"


@pytest.mark.parametrize("program", ["git", "ssh", "bwrap", "tini"])
def test_what_fleet_runs_is_in_it(root: Path, program: str) -> None:
    done = run(root, "sh", "-c", f"command -v {program}")
    assert (done.returncode, done.stdout) == (0, f"/usr/bin/{program}\n")


def test_its_user_has_a_name_and_owns_nothing_but_its_home(root: Path) -> None:
    assert run(root, "id", "--user", "--name").stdout == "fleet\n"
    user = int(image().user)
    owned = [
        path
        for top, folders, files in os.walk(root)
        for path in (Path(top) / name for name in (*folders, *files))
        if path.lstat().st_uid == user
    ]
    assert owned == [root / "var" / "lib" / "fleet"]


def test_nothing_of_the_build_is_left(root: Path) -> None:
    left = [*root.glob("tmp/*"), *root.glob("root/.cache"), *root.glob("var/cache/apt/*.bin")]
    packages = {it.name for it in root.glob("opt/fleet/lib/python3*/site-packages/*")}
    assert left == []
    assert "fleet" in packages
    assert not packages & {"pip", "mypy", "pytest", "ruff"}
