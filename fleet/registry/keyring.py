"""The ring of keys kept outside PostgreSQL: one ``kid:base64`` a line, newest first.

It comes from a file (made at the first start, mode 0600), from ``FLEET_SECRET_KEY`` (the
same entries, commas instead of line ends), or from a command that prints it (a KMS). What
seals, what chains the audit log and what signs its head are derived from the ring's keys
by HKDF, each with a purpose of its own. An old key may leave the ring when neither an
envelope nor a row of the audit log carries its id.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import os
import re
import secrets
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fleet.errors import SealBroken, SettingsInvalid
from fleet.model.secret import Secret

KEY_BYTES = 32
COMMAND_TIMEOUT_SECONDS = 30
_KID = re.compile(r"[A-Za-z0-9_.-]{1,40}")

Keys = tuple[tuple[str, bytes], ...]


class KeyRing:
    """Keys by id. Looks at its source again when it meets an id that it does not know, so
    that a rotation needs no restart.

    Args:
        keys: (key id, 32 bytes), newest first, at least one.
        source: reads them again; None when they cannot change.
    """

    def __init__(self, keys: Keys, source: Callable[[], Keys] | None = None) -> None:
        if not keys:
            raise SettingsInvalid("the key ring is empty", hint=_FORM)
        self._keys = dict(keys)
        self._source = source
        self.current = keys[0][0]

    @property
    def kids(self) -> tuple[str, ...]:
        """All key ids, newest first."""
        return tuple(self._keys)

    def derive(self, kid: str, purpose: str) -> bytes:
        """32 bytes for one purpose from the key ``kid``.

        Raises:
            SealBroken: the ring has no such key.
        """
        if kid not in self._keys:
            self._look_again()
        key = self._keys.get(kid)
        if key is None:
            raise SealBroken(
                f"key {kid} is not in the key ring",
                hint="Give Fleet the key file (or FLEET_SECRET_KEY) that belongs to this "
                "database. If it is lost for good, `fleet secret forget-lost-keys` gives up what "
                "it sealed.",
            )
        info = f"fleet {purpose} v1".encode()
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(key)

    def _look_again(self) -> None:
        if self._source is None:
            return
        keys = self._source()
        self._keys = dict(keys)
        self.current = keys[0][0]

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self.kids)})"


def load_ring(*, key_file: Path, text: Secret | None, command: tuple[str, ...]) -> KeyRing:
    """The ring from ``text`` if given, else from ``command``, else from ``key_file``.

    Raises:
        SettingsInvalid: malformed, unreadable, or a file that others can read.
    """
    if text is not None:
        return KeyRing(parse_keys(text.reveal(), "FLEET_SECRET_KEY"))
    if command:
        return KeyRing(_from_command(command), lambda: _from_command(command))
    if not key_file.exists():
        _create(key_file)
    return KeyRing(_from_file(key_file), lambda: _from_file(key_file))


def add_key(key_file: Path) -> str:
    """Put a new key in front of those in the file; returns its id.

    Two that do so at once wait for each other: a key that either of them made is kept.

    Raises:
        SettingsInvalid: the file is malformed or cannot be replaced.
    """
    new = _new_key()
    with _alone(key_file):
        _replace(key_file, (new, *_from_file(key_file)))
    return new[0]


def parse_keys(text: str, origin: str) -> Keys:
    """Entries ``kid:base64`` separated by line ends or commas; ``#`` begins a comment line."""
    keys: list[tuple[str, bytes]] = []
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for entry in re.split(r"[,\s]+", "\n".join(lines).strip()):
        kid, _, encoded = entry.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not _KID.fullmatch(kid) or len(key) != KEY_BYTES:
            raise SettingsInvalid(f"{origin}: entry {len(keys) + 1} is not a key", hint=_FORM)
        keys.append((kid, key))
    if len({kid for kid, _ in keys}) != len(keys):
        raise SettingsInvalid(f"{origin}: a key id is there twice", hint=_FORM)
    return tuple(keys)


_FORM = (
    "Each entry is kid:base64 with 32 bytes, newest first; "
    "make one with: printf 'k1:%s\\n' \"$(head -c 32 /dev/urandom | base64)\"."
)


def _new_key() -> tuple[str, bytes]:
    return f"k{secrets.token_hex(4)}", secrets.token_bytes(KEY_BYTES)


def _from_file(path: Path) -> Keys:
    try:
        with path.open(encoding="ascii") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"{path} cannot be read: {_reason(error)}") from None
    if mode & 0o077:
        raise SettingsInvalid(
            f"{path} can be read by others (mode {mode:04o})", hint=f"Run `chmod 600 {path}`."
        )
    return parse_keys(text, str(path))


def _create(path: Path) -> None:
    """Make the file with one new key, unless another process was faster."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    written = _written_beside(path, (_new_key(),))
    try:
        os.link(written, path)  # unlike a rename, it never replaces the other's key
    except FileExistsError:
        return
    except OSError as error:
        raise SettingsInvalid(f"{path} cannot be made: {_reason(error)}") from None
    finally:
        written.unlink()
    _sync_folder(path.parent)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Nobody else is in here for the same file. The lock is on a file beside it: the file
    itself is replaced, and whoever waited for it would hold a lock on the old one."""
    lock = path.with_name(f".{path.name}.lock")
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SettingsInvalid(f"{lock} cannot be made: {_reason(error)}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _replace(path: Path, keys: Keys) -> None:
    _written_beside(path, keys).replace(path)
    _sync_folder(path.parent)


def _written_beside(path: Path, keys: Keys) -> Path:
    lines = [
        "# Keys of Fleet: without them its sealed credentials cannot be opened and its audit",
        "# log cannot be verified. Keep a copy apart from the database. Newest first.",
        *(f"{kid}:{base64.b64encode(key).decode()}" for kid, key in keys),
    ]
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise SettingsInvalid(f"{path} cannot be made: {_reason(error)}") from None
    return Path(name)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _from_command(command: tuple[str, ...]) -> Keys:
    name = command[0]
    try:
        done = subprocess.run(
            command, capture_output=True, check=False, timeout=COMMAND_TIMEOUT_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SettingsInvalid(f"secret_key_command: {name}: {_reason(error)}") from None
    if done.returncode != 0:
        # neither stream is shown: a command that fails half-way may have printed keys
        raise SettingsInvalid(
            f"secret_key_command: {name} ended with {done.returncode}",
            hint="Run it by hand as the user that runs Fleet.",
        )
    return parse_keys(done.stdout.decode("ascii", "replace"), "secret_key_command")


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return type(error).__name__
