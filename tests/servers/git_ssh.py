"""A real sshd on loopback that runs git and nothing else."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.keeper import start_child
from tests.ports import free_port
from tests.servers.git_repo import GitRepo

READY_SECONDS = 20
PRIVILEGE_SEPARATION = Path("/run/sshd")


def sshd() -> str:
    """The program, which is in no ordinary user's PATH; "" when it is missing."""
    return shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or ""


@dataclass(frozen=True)
class KeyPair:
    """An OpenSSH key pair; ``public`` is ``<type> <base64>``."""

    private: str
    public: str


def new_key(*, ecdsa: bool = False) -> KeyPair:
    """An Ed25519 key, or a P-256 one."""
    key = ec.generate_private_key(ec.SECP256R1()) if ecdsa else ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return KeyPair(private.decode(), public.decode())


class GitSshServer:
    """Serves the repositories below ``root`` to whoever holds ``client_key``.

    The host has two keys, as real ones have. Every command that came in is in ``commands``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "repositories"
        self.root.mkdir()
        self.port = free_port()
        self.user = getpass.getuser()
        self.client_key = new_key()
        self.host_keys = (new_key(), new_key(ecdsa=True))
        (folder / "authorized_keys").write_text(f"{self.client_key.public} client\n")
        (folder / "commands").touch()
        self._start()

    @property
    def url(self) -> str:
        """Of the server; a repository's URL is below it."""
        return f"ssh://{self.user}@127.0.0.1:{self.port}"

    @property
    def known_hosts(self) -> str:
        """The lines by which a client knows this host."""
        return "".join(f"[127.0.0.1]:{self.port} {key.public}\n" for key in self.host_keys)

    @property
    def commands(self) -> list[str]:
        """What clients asked to run, in order."""
        return (self.folder / "commands").read_text().splitlines()

    def repository(self, name: str = "shop") -> GitRepo:
        """A new repository, whose URL is served here."""
        path = self.root / f"{name}.git"
        return GitRepo(path, f"{self.url}{path}")

    def change_host_keys(self) -> None:
        """Become another host at the same address, as an attacker or a reinstalled server is."""
        self.close()
        self.host_keys = (new_key(), new_key(ecdsa=True))
        self._start()

    def _start(self) -> None:
        if os.geteuid() == 0:
            PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
        config = self.folder / "sshd_config"
        config.write_text(self._config())
        log = self.folder / "sshd.log"
        self._process = start_child([sshd(), "-D", "-e", "-f", config], log)
        deadline = time.monotonic() + READY_SECONDS
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"sshd did not start:\n{log.read_text()}")
            time.sleep(0.01)

    def _config(self) -> str:
        lines = []
        for number, key in enumerate(self.host_keys):
            file = self.folder / f"host_key_{number}"
            file.unlink(missing_ok=True)
            file.touch(mode=0o600)
            file.write_text(key.private)
            lines.append(f"HostKey {file}")
        script = self.folder / "only-git"
        commands = shlex.quote(str(self.folder / "commands"))
        script.write_text(
            "#!/bin/sh\n"
            f"printf '%s\\n' \"$SSH_ORIGINAL_COMMAND\" >> {commands}\n"
            'exec git shell -c "$SSH_ORIGINAL_COMMAND"\n'
        )
        script.chmod(0o755)
        lines += [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"AuthorizedKeysFile {self.folder}/authorized_keys",
            f"ForceCommand {script}",
            "PermitRootLogin prohibit-password",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "UsePAM no",
            "StrictModes no",
            "AllowTcpForwarding no",
            "AcceptEnv GIT_PROTOCOL",
            "PidFile none",
        ]
        return "\n".join(lines) + "\n"

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def close(self) -> None:
        """Stop listening."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
