"""A repository out of a folder, by real git."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from fleet.errors import SourceError
from fleet.source.founding import found_repository


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "sample"
    (made / "web").mkdir(parents=True)
    (made / "web" / "web.yaml").write_text("kind: ConfigMap\n")
    return made


def git(*arguments: str | Path) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_folder_is_the_first_commit_of_a_repository(folder: Path, tmp_path: Path) -> None:
    checkout = tmp_path / "shop"
    bare = found_repository(folder, checkout, "The shop opens")
    assert bare == tmp_path / "shop.git"
    assert git("-C", bare, "log", "--format=%s by %an", "main") == "The shop opens by Shop"
    assert git("-C", bare, "ls-tree", "-r", "--name-only", "main") == "web/web.yaml"
    assert not (tmp_path / "shop.new").exists()


def test_its_checkout_can_be_committed_in_and_pushed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)  # a user who never told git who they are
    checkout = tmp_path / "shop"
    bare = found_repository(folder, checkout, "The shop opens")
    (checkout / "web" / "web.yaml").write_text("kind: Secret\n")
    git("-C", checkout, "commit", "--quiet", "-am", "web: changed")
    git("-C", checkout, "push", "--quiet")
    assert git("-C", bare, "log", "--format=%s", "main") == "web: changed\nThe shop opens"


def test_one_that_is_there_is_kept(folder: Path, tmp_path: Path) -> None:
    checkout = tmp_path / "shop"
    found_repository(folder, checkout, "The shop opens")
    (checkout / "mine").touch()
    found_repository(folder, checkout, "Again")
    assert (checkout / "mine").exists()
    assert git("-C", checkout, "rev-list", "--count", "HEAD") == "1"


def test_what_an_interrupted_attempt_left_is_cleared_away(folder: Path, tmp_path: Path) -> None:
    for left in ("shop.new", "shop.git"):
        (tmp_path / left).mkdir()
        (tmp_path / left / "half").touch()
    found_repository(folder, tmp_path / "shop", "The shop opens")
    assert not (tmp_path / "shop.new").exists()
    assert not (tmp_path / "shop.git" / "half").exists()


def test_one_that_fails_leaves_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match="git is missing"):
        found_repository(folder, tmp_path / "shop", "The shop opens")
    assert [it.name for it in tmp_path.iterdir()] == ["sample"]
