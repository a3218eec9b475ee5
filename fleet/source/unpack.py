"""Chart archives, and layers of artifacts → directories, without trusting a byte of them.

The archive is inflated first, into a file of bounded size, because a tar reader believes the
lengths that headers claim. Modes, owners and times in the archive are ignored.
"""

from __future__ import annotations

import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fleet.errors import SourceError
from fleet.source.listing import judge_links

_CHUNK = 256 * 1024
_GZIP = 16 + zlib.MAX_WBITS
_GZIP_MAGIC = b"\x1f\x8b"


#: What an unpacked chart is called, whatever its name.
CHART_FOLDER = "chart"


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """``files`` counts directories and links too."""

    packed_bytes: int = 50 * 1024 * 1024
    unpacked_bytes: int = 200 * 1024 * 1024
    files: int = 10_000


def unpack_chart(archive: bytes, folder: Path, limits: ArchiveLimits) -> int:
    """Write the one top directory of a ``.tgz`` as ``folder/chart``; returns the bytes.

    Raises:
        SourceError: no such archive, beyond a limit, or a member that does not belong in a
            chart: a path or symlink that leaves it, a hard link, a device.
    """
    if len(archive) > limits.packed_bytes:
        raise SourceError(f"the chart archive is larger than {limits.packed_bytes} bytes")
    root = folder / CHART_FOLDER
    with tempfile.TemporaryFile() as inflated:
        _inflate(archive, inflated, limits)
        try:
            with tarfile.open(fileobj=inflated, mode="r:") as tar:
                size = _write(tar, root, limits)
        except (tarfile.TarError, ValueError, EOFError) as error:
            raise SourceError("the chart archive is damaged") from error
    if not (root / "Chart.yaml").is_file():
        raise SourceError("the archive has no Chart.yaml in its top directory: not a chart")
    return size


def unpack_artifact(archive: bytes, folder: Path, limits: ArchiveLimits) -> int:
    """Write what is in a layer, packed by gzip or not, into ``folder``; returns the bytes.

    Raises:
        SourceError: as for a chart.
    """
    if len(archive) > limits.packed_bytes:
        raise SourceError(f"the layer is larger than {limits.packed_bytes} bytes")
    with tempfile.TemporaryFile() as inflated:
        if archive.startswith(_GZIP_MAGIC):
            _inflate(archive, inflated, limits)
        else:
            inflated.write(archive)
            inflated.seek(0)
        try:
            with tarfile.open(fileobj=inflated, mode="r:") as tar:
                return _write(tar, folder, limits, below=0)
        except (tarfile.TarError, ValueError, EOFError) as error:
            raise SourceError("the layer is no tar archive, or a damaged one") from error


def _inflate(archive: bytes, into: IO[bytes], limits: ArchiveLimits) -> None:
    # Headers and padding come on top of what the files weigh.
    room = limits.unpacked_bytes + 2048 * limits.files
    data, total = archive, 0
    try:
        while data:
            stream = zlib.decompressobj(_GZIP)
            while not stream.eof:
                piece = stream.decompress(data, _CHUNK)
                data = stream.unconsumed_tail
                total += len(piece)
                if total > room:
                    raise SourceError(
                        f"the chart unpacks to more than {limits.unpacked_bytes} bytes"
                    )
                into.write(piece)
                if not piece and not data and not stream.eof:
                    raise SourceError("the chart archive is cut off")
            data = stream.unused_data.lstrip(b"\0")
    except zlib.error as error:
        raise SourceError("the chart archive is no gzip") from error
    into.seek(0)


def _too_large(limits: ArchiveLimits) -> SourceError:
    return SourceError(f"the chart unpacks to more than {limits.unpacked_bytes} bytes")


def _write(tar: tarfile.TarFile, root: Path, limits: ArchiveLimits, *, below: int = 1) -> int:
    """Args:
    below: how many top directories are left away: 1 for a chart, which has one.
    """
    links: dict[str, str] = {}
    top = ""
    size = 0
    for member, parts in _members(tar, limits):
        top = top or parts[0]
        if below and parts[0] != top:
            raise SourceError("the chart archive has more than one top directory")
        path = root.joinpath(*parts[below:])
        if member.isdir():
            path.mkdir(parents=True, exist_ok=True)
        elif len(parts) == below:
            raise SourceError(f"{parts[0][:200]!r}: a file beside the chart's directory")
        elif member.issym():
            links["/".join(parts[below:])] = member.linkname
        else:
            size += _copy(tar, member, path)
            if size > limits.unpacked_bytes:
                raise _too_large(limits)
    judge_links(links)
    for name, target in links.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists() or place.is_symlink():
            raise SourceError(f"{name}: twice in the chart archive")
        place.symlink_to(target)
    return size


def _members(
    tar: tarfile.TarFile, limits: ArchiveLimits
) -> Iterator[tuple[tarfile.TarInfo, list[str]]]:
    for number, member in enumerate(tar):
        if number >= limits.files:
            raise SourceError(f"the chart archive has more than {limits.files} entries")
        if not (member.isreg() or member.isdir() or member.issym()):
            raise SourceError(f"{member.name[:200]!r}: hard links and devices are refused")
        parts = [part for part in member.name.split("/") if part not in {"", "."}]
        if member.name.startswith("/") or ".." in parts or "\\" in member.name:
            raise SourceError(f"{member.name[:200]!r}: a path that leaves the chart")
        if not member.name.isprintable() or any(len(part.encode()) > 255 for part in parts):
            raise SourceError(f"{member.name[:200]!r}: a name that must not be written")
        if parts:
            yield member, parts


def _copy(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> int:
    source = tar.extractfile(member)
    if source is None:
        raise SourceError("the chart archive is damaged")
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    try:
        with path.open("xb") as file:
            while chunk := source.read(_CHUNK):
                written += file.write(chunk)
    except FileExistsError:
        raise SourceError(f"{member.name[:200]!r}: twice in the chart archive") from None
    return written
