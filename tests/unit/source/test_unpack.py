"""Chart archives, honest and hostile."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from fleet.errors import SourceError
from fleet.source.unpack import ArchiveLimits, unpack_chart

SMALL = ArchiveLimits(packed_bytes=100_000, unpacked_bytes=10_000, files=20)


def member(name: str, data: bytes = b"x", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(info, field, value)
    info.size = len(data) if info.isreg() else 0
    return info, data


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, b"", type=kind, linkname=target)


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for info, data in (member("web/Chart.yaml", b"name: web\n"), *members):
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(raw.getvalue(), mtime=0)


def test_the_top_directory_becomes_chart(tmp_path: Path) -> None:
    data = archive(
        member("web", b"", type=tarfile.DIRTYPE),
        member("web/templates/a.yaml", b"a: 1\n", mode=0o000),
        member("./web/charts/sub/Chart.yaml", b"name: sub\n", uid=12345),
        link("web/values.yaml", "templates/a.yaml"),
    )
    size = unpack_chart(data, tmp_path, SMALL)
    assert size == len("name: web\n" + "a: 1\n" + "name: sub\n")
    assert (tmp_path / "chart/values.yaml").read_text() == "a: 1\n"
    assert [path.name for path in tmp_path.iterdir()] == ["chart"]


@pytest.mark.parametrize(
    "hostile",
    [
        member("../evil"),
        member("web/../../evil"),
        member("/etc/evil"),
        member("web\\..\\evil"),
        member("web/a\nb"),
        member("web/" + "n" * 300),
        member("other/file"),
        member("toplevel"),
        member("web/Chart.yaml"),
        link("web/x", "/etc/passwd"),
        link("web/x", "../../etc/passwd"),
        link("web/x", "x"),
        link("web/Chart.yaml", "values.yaml"),
        link("web/x", "/etc/passwd", tarfile.LNKTYPE),
        link("web/x", "web/Chart.yaml", tarfile.LNKTYPE),
        member("web/x", b"", type=tarfile.CHRTYPE),
        member("web/x", b"", type=tarfile.FIFOTYPE),
    ],
)
def test_what_does_not_belong_in_a_chart(
    tmp_path: Path, hostile: tuple[tarfile.TarInfo, bytes]
) -> None:
    target = tmp_path / "into"
    target.mkdir()
    with pytest.raises(SourceError):
        unpack_chart(archive(hostile), target, SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["into"]
    assert not [path for path in tmp_path.rglob("*") if path.is_symlink()]


def test_no_write_passes_through_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    into = tmp_path / "a" / "b"
    into.mkdir(parents=True)
    data = archive(link("web/d", "../../../outside"), member("web/d/evil"))
    with pytest.raises(SourceError):
        unpack_chart(data, into, SMALL)
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a gzip",
        gzip.compress(b"", mtime=0),
        gzip.compress(b"not a tar" * 100, mtime=0),
        archive()[:-20],
        archive()[: len(archive()) // 2],
        gzip.compress(b"\0" * 1024, mtime=0),
    ],
)
def test_what_is_no_archive(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(SourceError):
        unpack_chart(data, tmp_path, SMALL)


@pytest.mark.parametrize(
    "data",
    [
        archive(member("web/big", b"\0" * 20_000)),
        archive(*(member(f"web/{number}", b"") for number in range(30))),
        gzip.compress(b"\0" * 10_000_000, mtime=0),
        b"x" * 100_001,
    ],
)
def test_bombs(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(SourceError, match=r"more than|larger than"):
        unpack_chart(data, tmp_path, SMALL)


def test_a_header_that_claims_more_than_there_is(tmp_path: Path) -> None:
    info, data = member("web/x", b"short")
    info.size = 2**40
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        chart, text = member("web/Chart.yaml", b"name: web\n")
        tar.addfile(chart, io.BytesIO(text))
    body = raw.getvalue()[:1024] + info.tobuf() + data
    with pytest.raises(SourceError):
        unpack_chart(gzip.compress(body), tmp_path, SMALL)
