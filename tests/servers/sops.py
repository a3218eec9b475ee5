"""Files that are really encrypted: by the program sops, for keys that were made for one test."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pyrage
import pysequoia

from fleet.model.decryption import DecryptionKey
from fleet.model.secret import Secret
from tests.conftest import require


class AgeKey:
    def __init__(self) -> None:
        identity = pyrage.x25519.Identity.generate()
        self.private = str(identity)
        self.id = str(identity.to_public())
        self.options = ("--age", self.id)

    @property
    def kept(self) -> DecryptionKey:
        return DecryptionKey(self.id, "age", Secret(self.private))


class PgpKey:
    """sops has gpg encrypt for it, in a keyring of its own."""

    def __init__(self, home: Path) -> None:
        home.mkdir(mode=0o700)
        self.home = home
        key = pysequoia.Tsk.generate("Alice <alice@example.test>")
        self.private = str(key)
        self.id = key.extract_certificate().fingerprint.upper()
        self.options = ("--pgp", self.id)
        public = str(key.extract_certificate()).encode()
        gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--no-autostart", "--import"]
        subprocess.run(gpg, input=public, capture_output=True, check=True)

    @property
    def kept(self) -> DecryptionKey:
        return DecryptionKey(self.id, "pgp", Secret(self.private))


def program() -> str:
    """The program, as the development requirements install it, or of PATH."""
    beside = Path(sys.executable).with_name("sops")
    found = str(beside) if beside.exists() else shutil.which("sops")
    require(found is not None, "sops is not installed: make setup")
    assert found is not None
    return found


def encrypt(
    folder: Path, name: str, text: str | bytes, *keys: AgeKey | PgpKey, flags: tuple[str, ...] = ()
) -> str:
    """The text of a file of that name, encrypted for ``keys``."""
    source = folder / Path(name).name
    source.write_bytes(text.encode() if isinstance(text, str) else text)
    options = [option for key in keys for option in key.options]
    environment = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}
    for key in keys:
        environment |= {"GNUPGHOME": str(key.home)} if isinstance(key, PgpKey) else {}
    done = subprocess.run(
        [program(), "--encrypt", *options, *flags, str(source)],
        capture_output=True,
        check=False,
        env=environment,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr.decode()
    source.unlink()
    return done.stdout.decode()
