"""Which signature policy is for what an application renders from.

A pattern that is no glob asks for signatures everywhere, and exempts nothing. Nor does another
spelling of what is asked for lead past a policy: where spellings differ, those that ask are read
broadly, those that exempt narrowly.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from fleet.model.integrity import Content, SignaturePolicy
from fleet.model.projects import ProjectSpec
from fleet.policy.projects import denies_source, permits_source
from fleet.policy.repository_urls import canonical_url

_REGISTRY_SCHEMES = ("oci", "http", "https")
#: What may stand around a host without naming another one.
_ACCESS = re.compile(r"^[^/@]*@|(?<=[^/]):(?:443|80)(?=/|$)")


def integrity_policy(project: ProjectSpec, repo_url: str) -> SignaturePolicy | None:
    """The first policy for a git repository; None where nothing has to be signed."""
    url = (canonical_url(repo_url),)
    policies = (policy for policy in project.integrity if policy.of == "git")
    return _first(policies, asked=url, spared=url, bare=False)


def content_policy(
    project: ProjectSpec, of: Content, repo_url: str, chart: str = ""
) -> SignaturePolicy | None:
    """The first policy for charts (``helm``) or for what a registry holds (``oci``).

    A registry is reached as ``oci://host/path``, ``host/path`` and ``https://host/path``, and
    a chart in it is a part of the path in one spelling and beside it in the other.
    """
    url = canonical_url(repo_url)
    whole = canonical_url(f"{url}/{chart}") if chart else url
    named = (whole, url) if whole.startswith(f"{url}/") else (whole,)
    policies = (policy for policy in project.integrity if policy.of == of)
    return _first(policies, asked=(whole, url), spared=named, bare=True)


def _first(
    policies: Iterable[SignaturePolicy],
    *,
    asked: tuple[str, ...],
    spared: tuple[str, ...],
    bare: bool,
) -> SignaturePolicy | None:
    """Args:
    asked: the spellings that a policy may demand signatures of.
    spared: those that it may exempt.
    bare: leave schemes away that stand for one registry.
    """

    def asks(pattern: str) -> bool:
        return any(
            denies_source(_bare(pattern, bare, broad=True), _bare(url, bare, broad=True))
            for url in asked
        )

    def spares(pattern: str) -> bool:
        return pattern == "*" or any(
            permits_source(_bare(pattern, bare), _bare(url, bare)) for url in spared
        )

    for policy in policies:
        exempts = policy.mode == "none"
        applies, excepts = (spares, asks) if exempts else (asks, spares)
        if any(pattern[:1] == "!" and excepts(pattern[1:]) for pattern in policy.repos):
            continue
        named = (pattern for pattern in policy.repos if pattern[:1] != "!")
        if any(pattern == "*" or applies(pattern) for pattern in named):
            return None if exempts else policy
    return None


def _bare(url: str, bare: bool, *, broad: bool = False) -> str:
    if not bare:
        return url
    scheme, cut, rest = url.partition("://")
    stands = _REGISTRY_SCHEMES if broad else ("oci",)
    rest = rest if cut and scheme.lower() in stands else url
    return _ACCESS.sub("", rest) if broad else rest
