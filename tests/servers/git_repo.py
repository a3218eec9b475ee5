"""A bare git repository that tests write commits into."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

AUTHOR = "Test Author <author@example.test>"
FIRST_SECOND = 1_750_000_000


@dataclass(frozen=True)
class Symlink:
    """A file of a commit that points elsewhere."""

    target: str


@dataclass(frozen=True)
class Executable:
    """A file of a commit with its execute bit set."""

    text: str


@dataclass(frozen=True)
class Submodule:
    """Another repository at a commit. ``.gitmodules`` is up to the test."""

    sha: str


Content = str | bytes | Symlink | Executable | Submodule | None


def git(*arguments: str, cwd: Path | None = None, stdin: bytes = b"") -> str:
    """What git prints, run without anyone's configuration."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "LC_ALL": "C",
    }
    done = subprocess.run(
        ["git", *arguments], cwd=cwd, input=stdin, env=environment, capture_output=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"git {arguments[0]}: {done.stderr.decode(errors='replace')}")
    return done.stdout.decode().strip()


class GitRepo:
    """A bare repository at ``path``; its branch ``main`` is HEAD.

    Commits are a second apart and by one author, so equal histories have equal hashes.
    """

    def __init__(self, path: Path, url: str = "") -> None:
        self.path = path
        self.url = url or path.as_uri()
        self._commits = 0
        path.mkdir(parents=True)
        git("init", "--quiet", "--bare", "--initial-branch=main", str(path))
        self._git("config", "http.receivepack", "true")
        self._git("config", "uploadpack.allowFilter", "true")
        self._git("config", "uploadpack.allowAnySHA1InWant", "true")

    def _git(self, *arguments: str, stdin: bytes = b"") -> str:
        return git("--git-dir", str(self.path), *arguments, stdin=stdin)

    def commit(
        self,
        files: Mapping[str, Content],
        message: str = "change",
        *,
        branch: str = "main",
        parent: str = "",
    ) -> str:
        """Commit changes of ``files`` (None deletes one) onto a branch; the new commit's SHA.

        Args:
            parent: the commit to build on instead of the branch's tip; the branch is then
                moved there by force, as after a rebase.
        """
        tip = parent or self.sha(branch)
        self._commits += 1
        head = [
            f"commit refs/heads/{branch}",
            f"committer {AUTHOR} {FIRST_SECOND + self._commits} +0000",
            f"data {len(message.encode())}",
            message,
        ]
        if tip:
            head.append(f"from {tip}")
        stream = "\n".join(head).encode() + b"\n"
        stream += b"".join(_change(path, content) for path, content in files.items())
        self._git("fast-import", "--quiet", "--force", stdin=stream)
        return self.sha(branch)

    def sha(self, revision: str = "main") -> str:
        """The commit that a branch, tag or HEAD is at; "" when there is none."""
        return self._git("for-each-ref", "--format=%(objectname)", f"refs/heads/{revision}") or (
            self._resolved(revision)
        )

    def _resolved(self, revision: str) -> str:
        try:
            return self._git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        except RuntimeError:
            return ""

    def tag(self, name: str, at: str = "main", *, annotated: bool = False) -> None:
        """Set or move a tag."""
        if not annotated:
            self._git("tag", "--force", name, at)
            return
        identity = ("-c", "user.name=Test", "-c", "user.email=test@example.test")
        self._git(*identity, "tag", "--force", "--annotate", "--message", name, name, at)

    def branch(self, name: str, at: str = "main") -> None:
        """Set or move a branch."""
        self._git("update-ref", f"refs/heads/{name}", self._resolved(at))

    def delete_branch(self, name: str) -> None:
        """Delete a branch."""
        self._git("update-ref", "-d", f"refs/heads/{name}")

    def delete_tag(self, name: str) -> None:
        """Delete a tag."""
        self._git("update-ref", "-d", f"refs/tags/{name}")

    def read(self, path: str, revision: str = "main") -> str:
        """A file's text at a revision."""
        return self._git("show", f"{revision}:{path}")


def _change(path: str, content: Content) -> bytes:
    quoted = '"' + path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    match content:
        case None:
            return f"D {quoted}\n".encode()
        case Submodule(sha):
            return f"M 160000 {sha} {quoted}\n".encode()
        case Symlink(target):
            mode, data = "120000", target.encode()
        case Executable(text):
            mode, data = "100755", text.encode()
        case str():
            mode, data = "100644", content.encode()
        case bytes():
            mode, data = "100644", content
    return f"M {mode} inline {quoted}\ndata {len(data)}\n".encode() + data + b"\n"
