"""Keys that sign commits and tags, by the programs' own formats."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Protocol

import pysequoia

from tests.servers.charts import Chart
from tests.servers.git_repo import Content, GitRepo, git


class Signer(Protocol):
    public: str
    id: str

    def sign(self, payload: bytes) -> bytes:
        """A detached signature, armoured."""


class GpgKey:
    """An OpenPGP key that was made for one test."""

    def __init__(self, owner: str = "Alice <alice@example.test>") -> None:
        self._key = pysequoia.Tsk.generate(owner)
        certificate = self._key.extract_certificate()
        self.public = str(certificate)
        self.fingerprint = certificate.fingerprint.upper()
        self.id = self.fingerprint[-16:]

    def sign(self, payload: bytes) -> bytes:
        made: bytes = pysequoia.sign(
            self._key.signer(), payload, mode=pysequoia.SignatureMode.DETACHED
        )
        return made

    def clearsign(self, text: bytes) -> bytes:
        """The text, signed in the clear."""
        made: bytes = pysequoia.sign(self._key.signer(), text, mode=pysequoia.SignatureMode.CLEAR)
        return made


class GnuPg:
    """A key of the program ``gpg``, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._home = folder / "gnupg"
        self._home.mkdir(mode=0o700)
        self.gpg("--passphrase", "", "--quick-gen-key", "Bob <bob@example.test>", "rsa2048", "sign")
        self.public = self.gpg("--armor", "--export").decode()
        listed = self.gpg("--with-colons", "--list-keys").decode()
        self.id = re.findall(r"^fpr:+([0-9A-F]+):", listed, re.MULTILINE)[0][-16:]

    def clearsign(self, text: bytes) -> bytes:
        return self.gpg("--digest-algo", "SHA512", "--clearsign", stdin=text)

    def gpg(self, *arguments: str, stdin: bytes = b"") -> bytes:
        command = ["gpg", "--homedir", str(self._home), "--batch", "--pinentry-mode", "loopback"]
        done = subprocess.run([*command, *arguments], input=stdin, capture_output=True, check=True)
        return done.stdout

    def close(self) -> None:
        """End the agent that gpg has started."""
        subprocess.run(["gpgconf", "--homedir", str(self._home), "--kill", "all"], check=True)


class ClearSigner(Protocol):
    def clearsign(self, text: bytes) -> bytes:
        """The text, signed in the clear."""


def provenance(chart: Chart, signer: ClearSigner) -> bytes:
    """What ``helm package --sign`` puts beside a chart."""
    metadata = "".join(f"{key}: {value}\n" for key, value in chart.metadata.items())
    sums = f"files:\n  {chart.name}-{chart.version}.tgz: sha256:{chart.digest}\n"
    return signer.clearsign(f"{metadata}\n...\n{sums}".encode())


class SshKey:
    """An SSH key in a folder, used through ssh-keygen as git uses it."""

    def __init__(self, folder: Path, kind: str = "ed25519") -> None:
        self._file = folder / f"key-{kind}"
        ssh_keygen("-q", "-t", kind, "-N", "", "-C", "ci@example.test", "-f", str(self._file))
        self.public = self._file.with_suffix(".pub").read_text()
        self.id = ssh_keygen("-l", "-f", f"{self._file}.pub").split()[1]

    def sign(self, payload: bytes, namespace: str = "git") -> bytes:
        arguments = ("-q", "-Y", "sign", "-n", namespace, "-f", str(self._file))
        return ssh_keygen(*arguments, stdin=payload).encode()


def ssh_keygen(*arguments: str, stdin: bytes = b"") -> str:
    done = subprocess.run(["ssh-keygen", *arguments], input=stdin, capture_output=True, check=True)
    return done.stdout.decode()


def commit(
    repo: GitRepo,
    files: dict[str, Content],
    signer: Signer | None,
    message: str = "change",
    branch: str = "main",
) -> str:
    """A commit on a branch; its SHA."""
    plain = repo.commit(files, message, branch=branch)
    return plain if signer is None else resign(repo, plain, signer, branch)


def resign(repo: GitRepo, sha: str, signer: Signer, branch: str = "main") -> str:
    """The same commit with a signature, in the place of the branch."""
    raw = _run(repo, "cat-file", "commit", sha)
    header, _, message = raw.partition(b"\n\n")
    signature = signer.sign(raw).strip().replace(b"\n", b"\n ")
    signed = header + b"\ngpgsig " + signature + b"\n\n" + message
    return store(repo, "commit", signed, f"refs/heads/{branch}")


def tag(repo: GitRepo, name: str, sha: str, signer: Signer | None) -> str:
    """An annotated tag; the SHA of its object."""
    made = (
        f"object {sha}\ntype commit\ntag {name}\ntagger T <t@example.test> 1750000000 +0000\n\nv\n"
    )
    raw = made.encode()
    signed = raw if signer is None else raw + signer.sign(raw)
    return store(repo, "tag", signed, f"refs/tags/{name}")


def store(repo: GitRepo, kind: str, raw: bytes, ref: str) -> str:
    """An object as it is, and a ref to it."""
    arguments = ("--git-dir", str(repo.path), "hash-object", "-t", kind, "-w", "--stdin")
    sha = git(*arguments, stdin=raw)
    git("--git-dir", str(repo.path), "update-ref", ref, sha)
    return sha


def _run(repo: GitRepo, *arguments: str) -> bytes:
    done = subprocess.run(
        ["git", "--git-dir", str(repo.path), *arguments], capture_output=True, check=True
    )
    return done.stdout
