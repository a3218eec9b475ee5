"""Names and labels of clusters that nobody named: a fleet in three regions.

Every region has clusters of every environment, and so has any first few of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

REGIONS = ("eu", "us", "ap")
ENVIRONMENTS = ("dev", "staging", "prod")


def numbered(number: int) -> tuple[str, dict[str, str]]:
    """Name and labels of the cluster with this number, which starts at 1."""
    row, column = divmod(number - 1, len(REGIONS))
    region = REGIONS[column]
    env = ENVIRONMENTS[(row + column) % len(ENVIRONMENTS)]
    return f"{region}-{number}", {"region": region, "env": env}


def missing(
    wanted: int, known: Collection[str], labels: Mapping[str, str]
) -> Iterator[tuple[str, dict[str, str]]]:
    """The clusters to add so that there are ``wanted``, with ``labels`` on top of their own."""
    number, count = 0, len(known)
    while count < wanted:
        number += 1
        name, own = numbered(number)
        if name not in known:
            count += 1
            yield name, {**own, **labels}


def counted(count: int) -> str:
    """``1 cluster``, ``2 clusters``."""
    return f"{count} cluster{'' if count == 1 else 's'}"
