"""Making a repository out of a folder, for whoever has none yet."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from fleet.errors import SourceError

BRANCH = "main"
#: None of the user's configuration: a template or a hook of theirs has no business here.
UNCONFIGURED = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
#: Who commits in the checkout where the user has not told git who they are.
AUTHOR, ADDRESS = "Shop", "shop@example.com"


def found_repository(folder: Path, checkout: Path, message: str) -> Path:
    """A bare repository with the folder as its first commit, and a checkout to work in.

    ``checkout`` is there whole or not at all: it is renamed into place at the end, and what
    an interrupted attempt left is cleared away by the next.

    Returns:
        The bare repository, beside the checkout.

    Raises:
        SourceError: git is missing or failed.
    """
    bare, unfinished = checkout.with_suffix(".git"), checkout.with_suffix(".new")
    if checkout.exists():
        return bare
    for left in (unfinished, bare):
        shutil.rmtree(left, ignore_errors=True)
    try:
        shutil.copytree(folder, unfinished)
        _git("init", "--quiet", "--bare", f"--initial-branch={BRANCH}", bare)
        _git("init", "--quiet", f"--initial-branch={BRANCH}", unfinished)
        for key, value in (("user.name", AUTHOR), ("user.email", ADDRESS)):
            _git("-C", unfinished, "config", key, value)
        _git("-C", unfinished, "remote", "add", "origin", bare)
        _git("-C", unfinished, "add", "--all")
        _git("-C", unfinished, "commit", "--quiet", "--no-verify", "--message", message)
        _git("-C", unfinished, "push", "--quiet", "--set-upstream", "origin", BRANCH)
        unfinished.rename(checkout)
    except BaseException:
        for left in (unfinished, bare):
            shutil.rmtree(left, ignore_errors=True)
        raise
    return bare


def _git(*arguments: str | Path) -> None:
    try:
        done = subprocess.run(
            ["git", *arguments],
            env={**os.environ, **UNCONFIGURED},
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise SourceError("git is missing", hint="Install git.") from None
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise SourceError(f"git {arguments[0]} failed: {said[-1] if said else 'it said nothing'}")
