"""The sample project: a repository with four applications, and where each of them runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

from fleet.cli.sandbox.names import ENVIRONMENTS, REGIONS
from fleet.errors import Refused

#: Below ``config/`` of a checkout, or packed into the wheel.
_PACKAGE = Path(__file__).parents[2]
_PLACES = (_PACKAGE / "_data" / "config" / "demo", _PACKAGE.parent / "config" / "demo")
#: Application → the environments that it runs in.
PLACED: Mapping[str, Collection[str]] = {
    "web": ENVIRONMENTS,
    "notices": ENVIRONMENTS,
    "cart": ("staging", "prod"),
    "catalog": ("prod",),
}
#: Namespaces that the project may use: of the applications, and one to try things in.
NAMESPACES = (*PLACED, "playground")
CLUSTER_RESOURCE = "apiextensions.k8s.io/CustomResourceDefinition"


@dataclass(frozen=True, slots=True)
class Member:
    """A cluster of the sandbox, as far as the sample project wants to know it."""

    name: str
    region: str
    env: str


def member(name: str, labels: Mapping[str, str]) -> Member:
    """Labels that the project does not know count as its first ones."""
    region, env = labels.get("region", ""), labels.get("env", "")
    return Member(
        name,
        region if region in REGIONS else REGIONS[0],
        env if env in ENVIRONMENTS else ENVIRONMENTS[0],
    )


def shop() -> Path:
    """The folder that becomes the repository."""
    return _place() / "shop"


def applications(members: Collection[Member], repository: str, known: Collection[str]) -> str:
    """The documents of the applications that belong on these clusters, but for those known."""
    return "---\n".join(_documents(members, repository, known))


def application_names(members: Collection[Member]) -> list[str]:
    """What ``applications`` calls them."""
    return [
        f"{name}-{it.name}"
        for name, environments in PLACED.items()
        for it in members
        if it.env in environments
    ]


def _documents(
    members: Collection[Member], repository: str, known: Collection[str]
) -> Iterator[str]:
    for name, environments in PLACED.items():
        template = Template((_place() / "applications" / f"{name}.yaml").read_text())
        for it in members:
            if it.env in environments and f"{name}-{it.name}" not in known:
                yield template.substitute(
                    cluster=it.name, region=it.region, env=it.env, repository=repository
                )


def _place() -> Path:
    for place in _PLACES:
        if place.is_dir():
            return place
    raise Refused(
        "the sample project is missing from this installation", hint="Install Fleet's own wheel."
    )
