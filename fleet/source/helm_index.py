"""A Helm repository's ``index.yaml`` as typed rows. Pure; the YAML parser is an argument."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleet.errors import RevisionNotFound, SourceError
from fleet.source import semver


@dataclass(frozen=True, slots=True)
class ChartEntry:
    """One version. ``url`` is as written, relative or absolute; ``digest`` is lower-case
    hexadecimal SHA-256, ``""`` when the index has none."""

    version: str
    url: str
    digest: str


@dataclass(frozen=True, slots=True)
class HelmIndex:
    """Chart name → version → entry."""

    charts: Mapping[str, Mapping[str, ChartEntry]]

    def entry(self, chart: str, version: str) -> ChartEntry:
        """The entry of exactly this version.

        Raises:
            RevisionNotFound: no such chart or version.
        """
        versions = self._versions(chart)
        if version not in versions:
            raise RevisionNotFound(f"chart {chart}: no version {version!r}")
        return versions[version]

    def resolve(self, chart: str, wanted: str) -> str:
        """The version that ``wanted`` (a version or a range, empty for the newest) means.

        Raises:
            RevisionNotFound: no such chart, or nothing in the range.
        """
        return resolve_version(chart, tuple(self._versions(chart)), wanted)

    def _versions(self, chart: str) -> Mapping[str, ChartEntry]:
        try:
            return self.charts[chart]
        except KeyError:
            raise RevisionNotFound(
                f"chart {chart}: not in the repository",
                hint="`helm search repo` lists what is; the name has no repository prefix.",
            ) from None


def resolve_version(chart: str, versions: tuple[str, ...], wanted: str) -> str:
    """As ``HelmIndex.resolve``, for versions from anywhere."""
    if wanted in versions:
        return wanted
    range_ = semver.parse_range(wanted)
    found = semver.newest(range_, versions) if range_ else None
    if found is None:
        raise RevisionNotFound(
            f"chart {chart}: no version matches {wanted or '*'!r}",
            hint="Pre-releases only match a range that names one, like '>=1.0.0-0'.",
        )
    return found


def read_index(document: Any) -> HelmIndex:
    """Rows that cannot be used (no version, no URL) are passed over, as Helm does.

    Raises:
        SourceError: not an index at all.
    """
    entries = document.get("entries") if isinstance(document, dict) else None
    if not isinstance(entries, dict):
        raise SourceError("index.yaml has no entries: not a Helm repository")
    charts: dict[str, dict[str, ChartEntry]] = {}
    for name, rows in entries.items():
        found = charts.setdefault(str(name), {})
        for row in rows if isinstance(rows, list) else []:
            entry = _entry(row)
            if entry:
                found.setdefault(entry.version, entry)
    return HelmIndex(charts)


def _entry(row: Any) -> ChartEntry | None:
    if not isinstance(row, dict):
        return None
    version, urls, digest = row.get("version"), row.get("urls"), row.get("digest")
    if not isinstance(version, str) or not isinstance(urls, list) or not urls:
        return None
    if not isinstance(urls[0], str):
        return None
    shown = digest.removeprefix("sha256:").lower() if isinstance(digest, str) else ""
    return ChartEntry(version, urls[0], shown)
