"""Everything that leaves in an export, whole: for administrators, who see everything."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import literal, select

from fleet.model.clusters import Cluster, Connection
from fleet.model.ids import ClusterId
from fleet.model.objects import Manifest
from fleet.model.repositories import (
    KnownCertificate,
    RepositoryAuth,
    RepositoryOptions,
    RepositoryType,
)
from fleet.model.scope import Scope
from fleet.registry.certificates import list_certificates
from fleet.registry.cluster_rows import CLUSTERS, cluster_of
from fleet.registry.clusters import connection_of
from fleet.registry.credentials import CREDENTIALS, open_credentials, template_place
from fleet.registry.database import Tx
from fleet.registry.keyring import KeyRing
from fleet.registry.remotes import repository_place
from fleet.registry.repositories import REPOSITORIES
from fleet.registry.tables import TABLES

APPLICATIONS = TABLES["applications"]
PLUGINS = TABLES["plugins"]
PROJECTS = TABLES["projects"]
_PAGE = 500


@dataclass(frozen=True)
class Credentials:
    """A registered repository, or a template, opened."""

    url: str
    kind: RepositoryType
    auth: RepositoryAuth
    options: RepositoryOptions
    name: str = ""
    project: str = ""


async def plugins(tx: Tx) -> list[Manifest]:
    """Documents of config management plugins, by name."""
    c = PLUGINS.c
    return list((await tx.execute(select(c.document).order_by(c.name))).scalars())


async def applications(tx: Tx) -> list[Manifest]:
    """Documents of applications that are not being deleted, by name."""
    c = APPLICATIONS.c
    query = select(c.document).where(c.deleting.is_(None)).order_by(c.name)
    return list((await tx.execute(query)).scalars())


async def projects(tx: Tx) -> list[Manifest]:
    query = select(PROJECTS.c.document).order_by(PROJECTS.c.name)
    return list((await tx.execute(query)).scalars())


async def certificates(tx: Tx, scope: Scope) -> list[KnownCertificate]:
    found: list[KnownCertificate] = []
    after = ""
    while True:
        page, after = await list_certificates(tx, scope, limit=_PAGE, after=after)
        found += page
        if not after:
            return found


async def clusters(tx: Tx, ring: KeyRing) -> list[tuple[Cluster, Connection]]:
    """Registered clusters; that which stands for Fleet itself is none."""
    query = select(CLUSTERS, literal(0).label("application_count")).where(CLUSTERS.c.auth != "")
    rows = (await tx.execute(query.order_by(CLUSTERS.c.name))).all()
    return [(cluster_of(row), await connection_of(tx, ring, ClusterId(row.id))) for row in rows]


async def repositories(tx: Tx, ring: KeyRing, *, templates: bool) -> list[Credentials]:
    """What people registered, by URL: repositories, or credential templates."""
    table = CREDENTIALS if templates else REPOSITORIES
    query = select(table).order_by(table.c.url)
    if not templates:
        query = query.where(~table.c.implicit)
    found = []
    for row in await tx.execute(query):
        place = (template_place if templates else repository_place)(row.id, row.canonical_url)
        opened = open_credentials(ring, place, row)
        named = {} if templates else {"name": row.name, "project": row.project}
        found.append(
            Credentials(row.url, RepositoryType(row.type), opened.auth, opened.options, **named)
        )
    return found
