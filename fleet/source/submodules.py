"""Submodules: where ``.gitmodules`` says they are, and as whom we may go there.

Whoever commits writes ``.gitmodules``, so an address in it counts as named by content. Only
on the parent's own scheme, host and port is it as good as the parent's, and only there is
the parent's credential shown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from fleet.errors import SourceError
from fleet.model.repositories import Remote, RepositoryAuth
from fleet.source.clones import Clones
from fleet.source.listing import Entry, Limits, parse_listing
from fleet.source.process import Invocation
from fleet.source.urls import join_url, parse_url

MAX_SUBMODULES = 100


@dataclass(frozen=True, slots=True)
class Submodule:
    """``path`` is where it belongs in the tree, ``sha`` the commit that it is pinned to."""

    path: str
    sha: str
    remote: Remote


async def gitlinks(clones: Clones, remote: Remote, sha: str) -> tuple[Entry, ...]:
    """The entries of the commit that are submodules."""
    listing = Invocation(("ls-tree", "-r", "-l", "-z", "--full-tree", sha))
    outcome = await clones.read(remote, sha, listing)
    if outcome.code:
        raise SourceError(f"{remote.url}: {sha[:12]} cannot be read")
    return tuple(entry for entry in parse_listing(outcome.stdout, Limits()) if entry.is_submodule)


async def list_submodules(
    clones: Clones, remote: Remote, sha: str, entries: Iterable[Entry]
) -> tuple[Submodule, ...]:
    """The submodules among ``entries``, in their order.

    Raises:
        SourceError: one is not in ``.gitmodules``, or there are too many.
        SpecInvalid: its address is none.
    """
    links = [entry for entry in entries if entry.is_submodule]
    if not links:
        return ()
    if len(links) > MAX_SUBMODULES:
        raise SourceError(f"{remote.url}: more than {MAX_SUBMODULES} submodules")
    blob = Invocation(
        (
            "config",
            f"--blob={sha}:.gitmodules",
            "-z",
            "--get-regexp",
            r"^submodule\..*\.(path|url)$",
        )
    )
    urls = parse_gitmodules((await clones.read(remote, sha, blob)).stdout.decode(errors="replace"))
    missing = [link.path for link in links if link.path not in urls]
    if missing:
        raise SourceError(f"{missing[0]}: the submodule is not in .gitmodules")
    return tuple(
        Submodule(link.path, link.sha, remote_of(remote, urls[link.path])) for link in links
    )


def parse_gitmodules(output: str) -> dict[str, str]:
    """Path → URL, from ``git config -z --get-regexp``."""
    modules: dict[str, dict[str, str]] = {}
    for record in output.split("\0"):
        key, _, value = record.partition("\n")
        name, _, field = key.rpartition(".")
        if value:
            modules.setdefault(name, {})[field] = value
    return {
        module["path"]: module["url"]
        for module in modules.values()
        if "path" in module and "url" in module
    }


def remote_of(parent: Remote, url: str) -> Remote:
    """The Remote of a submodule of ``parent`` whose ``.gitmodules`` says ``url``."""
    relative = url.startswith(("./", "../"))
    target = parse_url(join_url(parent.url, url) if relative else url)
    own = target.origin == parse_url(parent.url).origin
    key = hashlib.sha256(f"{parent.cache_key}\0{target.canonical}".encode()).hexdigest()
    return replace(
        parent,
        url=str(target),
        cache_key=f"submodule-{key}",
        auth=parent.auth if own else RepositoryAuth(),
        ca_pem=parent.ca_pem if own else "",
        options=parent.options if own else replace(parent.options, insecure=False),
        registered=parent.registered and own,
    )
