"""Encrypted files of one render: opened with the keys that were handed in, in memory or in the
directory of the job alone.

No key is handed to a render before it has met such a file: it says so, and is made again.
"""

from __future__ import annotations

import hashlib
import posixpath
from pathlib import Path

from fleet.errors import InputsMissing, RenderError
from fleet.render.job import Job
from fleet.render.sops import Opening, data_key, may_be_encrypted
from fleet.render.sops_files import taken_apart

_MAX_BYTES = 10 << 20
_FOLDER = "decrypted"


def decrypted(job: Job, file: str, content: bytes) -> bytes:
    """``content`` in the clear; as it is, if it is not encrypted.

    Args:
        file: its path, for messages; how it ends says which format it has.

    Raises:
        InputsMissing: it is encrypted, and nobody handed in keys yet.
        RenderError: none of the keys opens it, or it was changed.
        SpecInvalid: it is no YAML.
    """
    if not may_be_encrypted(content):
        return content
    parts = taken_apart(file, content)
    if parts is None:
        return content
    envelope, open_all = parts
    if job.request.keys is None:
        raise InputsMissing(f"{file}: is encrypted with SOPS", keys=True, object=file)
    key = data_key(envelope, job.request.keys)
    opening = Opening(envelope, key)
    try:
        return open_all(opening).encode()
    finally:
        job.keys_used.add(key.opened_by)
        job.hidden |= opening.texts


def decrypted_copy(job: Job, file: str, path: str) -> str:
    """The path of a file that is to be read by a program: ``path``, or that of a copy in the
    clear; raises as ``decrypted``."""
    content = _content(file, Path(path))
    clear = decrypted(job, file, content)
    if clear is content:
        return path
    folder = job.scratch / _FOLDER / hashlib.sha256(path.encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / posixpath.basename(path)
    copy.write_bytes(clear)
    return str(copy)


def is_encrypted(file: str, path: Path) -> bool:
    """Raises as ``decrypted``, but for keys."""
    content = _content(file, path)
    return may_be_encrypted(content) and taken_apart(file, content) is not None


def decrypt_in_place(job: Job, file: str, path: Path) -> None:
    """Have a copied file in the clear; raises as ``decrypted``."""
    content = _content(file, path)
    clear = decrypted(job, file, content)
    if clear is not content:
        path.write_bytes(clear)


def _content(file: str, path: Path) -> bytes:
    with path.open("rb") as opened:
        content = opened.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES and may_be_encrypted(content):
        raise RenderError(f"{file}: more than {_MAX_BYTES >> 20} MiB, and encrypted", object=file)
    return content
