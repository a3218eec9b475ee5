"""Credentials of repositories, own ones and templates: columns, envelopes, and which apply.

A template holds for every repository below its URL, on a ``/`` boundary; the longest wins,
and credentials of the repository's own beat them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from sqlalchemy import ColumnElement, Row, select
from sqlalchemy.exc import IntegrityError

from fleet.errors import AlreadyExists, SealBroken
from fleet.model.repositories import (
    RepoCredential,
    RepositoryAuth,
    RepositoryOptions,
    RepositoryType,
)
from fleet.model.scope import Actor, Scope
from fleet.model.secret import Secret
from fleet.registry.audit import record_change
from fleet.registry.database import Tx
from fleet.registry.envelopes import opened, sealed
from fleet.registry.keyring import KeyRing
from fleet.registry.sealing import Place
from fleet.registry.selection import DEFAULT_LIMIT, missing, page_of, sees
from fleet.registry.tables import TABLES

CREDENTIALS = TABLES["repo_credentials"]

_SECRET_FIELDS = {
    "password": "password",
    "bearer_token": "bearerToken",
    "ssh_private_key": "sshPrivateKey",
    "tls_client_key_pem": "tlsClientKeyPem",
    "github_app_private_key": "githubAppPrivateKey",
    "gcp_service_account_key": "gcpServiceAccountKey",
    "azure_client_secret": "azureClientSecret",
}
_PLAIN_FIELDS = {
    "username": "username",
    "tls_client_cert_pem": "tlsClientCertPem",
    "github_app_id": "githubAppId",
    "github_app_installation_id": "githubAppInstallationId",
    "github_app_enterprise_base_url": "githubAppEnterpriseBaseUrl",
    "use_azure_workload_identity": "useAzureWorkloadIdentity",
    "azure_client_id": "azureClientId",
    "azure_tenant_id": "azureTenantId",
    "azure_ad_endpoint": "azureAdEndpoint",
}
_OPTION_FIELDS = {
    "insecure": "insecure",
    "enable_lfs": "enableLfs",
    "enable_submodules": "enableSubmodules",
    "enable_oci": "enableOci",
    "oci_force_http": "ociForceHttp",
    "force_http_basic_auth": "forceHttpBasicAuth",
    "proxy": "proxy",
    "no_proxy": "noProxy",
    "depth": "depth",
    "interval_seconds": "intervalSeconds",
}
#: Options that a template hands on: how its host is reached, never what is fetched.
_INHERITED = ("enable_oci", "oci_force_http", "force_http_basic_auth", "proxy", "no_proxy")


def auth_word(auth: RepositoryAuth) -> str:
    """The word shown to people for a way to sign in."""
    found = (
        ("ssh", auth.ssh_private_key),
        ("github-app", auth.github_app_private_key),
        ("gcp", auth.gcp_service_account_key),
        ("azure", auth.use_azure_workload_identity or auth.azure_client_secret),
        ("bearer", auth.bearer_token),
        ("basic", auth.username or auth.password),
        ("tls", auth.tls_client_key_pem),
    )
    return next((word for word, given in found if given), "anonymous")


def credential_columns(
    ring: KeyRing, place: Place, auth: RepositoryAuth, options: RepositoryOptions
) -> dict[str, Any]:
    """Everything that says who asks and how; nothing of older credentials survives.

    A proxy URL with a password in it is sealed; its column shows it without.
    """
    hidden = {
        name: value.reveal()
        for field, name in _SECRET_FIELDS.items()
        if (value := getattr(auth, field)) is not None
    }
    shown = _without_password(options.proxy)
    if shown != options.proxy:
        hidden["proxy"] = options.proxy
    return {
        "username": auth.username,
        "auth": auth_word(auth),
        "credentials": _to_json(auth, _PLAIN_FIELDS),
        "sealed": sealed(ring, place, hidden),
        "options": _to_json(options, _OPTION_FIELDS) | ({"proxy": shown} if shown else {}),
    }


def options_of(stored: dict[str, Any]) -> RepositoryOptions:
    """The options as they are shown: a proxy without its password."""
    return RepositoryOptions(**_from_json(stored, _OPTION_FIELDS))


@dataclass(frozen=True, slots=True)
class Opened:
    auth: RepositoryAuth
    options: RepositoryOptions


def open_credentials(ring: KeyRing, place: Place, row: Row[Any]) -> Opened:
    """The columns of ``credential_columns`` as values again, secrets and all."""
    hidden = opened(ring, place, row.sealed)
    options = dict(row.options)
    if "proxy" in hidden:
        options["proxy"] = hidden["proxy"]
    secrets: dict[str, Any] = {
        field: Secret(hidden[name]) for field, name in _SECRET_FIELDS.items() if name in hidden
    }
    auth = RepositoryAuth(**_from_json(row.credentials, _PLAIN_FIELDS), **secrets)
    return Opened(auth, options_of(options))


def inherited(own: RepositoryOptions, template: RepositoryOptions) -> RepositoryOptions:
    """A repository's options, with those of its template where it has none."""
    values = {field: getattr(own, field) for field in _OPTION_FIELDS}
    values |= {field: getattr(own, field) or getattr(template, field) for field in _INHERITED}
    return RepositoryOptions(**values)


def _to_json(value: object, fields: dict[str, str]) -> dict[str, Any]:
    found = {name: getattr(value, field) for field, name in fields.items()}
    return {name: entry for name, entry in found.items() if entry not in ("", False, None, 0)}


def _from_json(stored: dict[str, Any], fields: dict[str, str]) -> dict[str, Any]:
    return {field: stored[name] for field, name in fields.items() if name in stored}


def _without_password(proxy: str) -> str:
    parts = urlsplit(proxy)
    if "@" not in parts.netloc:
        return proxy
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def prefix_holds(prefix: str, url: str) -> bool:
    """A template for ``prefix`` may be used for ``url``; both are canonical URLs.

    Scheme, host and port are the same and the path continues at a ``/``; a user in an ssh
    prefix has to be the URL's, a prefix without one holds for any.
    """
    scheme, head = _split(prefix)
    other, target = _split(url)
    if "@" not in head.partition("/")[0]:
        login, at, rest = target.partition("@")
        target = rest if at and "/" not in login else target
    return scheme == other and (target == head or target.startswith(head + "/"))


def _split(canonical: str) -> tuple[str, str]:
    scheme, _, rest = canonical.partition("://")
    return scheme, rest.rstrip("/")


def longest_prefix(prefixes: Sequence[str], url: str) -> str | None:
    """The template that wins for ``url``: the longest path, then the one that names a user."""
    holding = [prefix for prefix in prefixes if prefix_holds(prefix, url)]
    return max(holding, key=lambda prefix: (_path_length(prefix), len(prefix)), default=None)


def _path_length(canonical: str) -> int:
    return len(_split(canonical)[1].partition("/")[2])


async def add_credential(
    tx: Tx,
    actor: Actor,
    ring: KeyRing,
    *,
    url: str,
    canonical_url: str,
    type: RepositoryType,
    auth: RepositoryAuth,
    options: RepositoryOptions | None = None,
) -> RepoCredential:
    """Keep credentials for every repository below ``url``.

    Raises:
        AlreadyExists: there is a template for this URL, however it is spelled.
    """
    id = uuid4()
    values = {
        "id": id,
        "url": url,
        "canonical_url": canonical_url,
        "type": str(type),
        **credential_columns(
            ring, template_place(id, canonical_url), auth, options or RepositoryOptions()
        ),
    }
    try:
        async with tx.begin_nested():
            await tx.execute(CREDENTIALS.insert().values(values))
    except IntegrityError as error:
        raise AlreadyExists(
            f"credentials for {url} exist already",
            hint="Remove them first with `fleet repocreds rm`.",
            object=f"RepoCredential/{url}",
        ) from error
    row = (await tx.execute(select(CREDENTIALS).where(CREDENTIALS.c.id == id))).one()
    await record_change(tx, actor, "create", "RepoCredential", url, after=_shown(row))
    return _credential_of(row)


def template_place(id: object, canonical_url: str) -> Place:
    return Place("repo_credentials", str(id), "sealed", canonical_url)


async def same_credential(
    tx: Tx,
    ring: KeyRing,
    *,
    url: str,
    canonical_url: str,
    type: RepositoryType,
    auth: RepositoryAuth,
    options: RepositoryOptions,
) -> RepoCredential | None:
    """The template for a URL, if it is exactly this one."""
    query = select(CREDENTIALS).where(CREDENTIALS.c.canonical_url == canonical_url)
    row = (await tx.execute(query)).one_or_none()
    if row is None or (row.url, row.type) != (url, str(type)):
        return None
    try:
        found = open_credentials(ring, template_place(row.id, canonical_url), row)
    except SealBroken:
        return None  # what cannot be opened is what has to be replaced
    return _credential_of(row) if (found.auth, found.options) == (auth, options) else None


def _seen(scope: Scope) -> ColumnElement[bool]:
    return sees(scope.seen("repocreds"), None, CREDENTIALS.c.url)


async def list_credentials(tx: Tx, scope: Scope) -> tuple[RepoCredential, ...]:
    """All templates, by URL. They belong to no project: whoever sees nothing but some
    projects sees none."""
    query = select(CREDENTIALS).where(_seen(scope)).order_by(CREDENTIALS.c.url)
    rows = await tx.execute(query)
    return tuple(_credential_of(row) for row in rows)


async def credentials_page(
    tx: Tx, scope: Scope, *, limit: int = DEFAULT_LIMIT, after: str = ""
) -> tuple[tuple[RepoCredential, ...], str]:
    """A page by URL, and the cursor for the next; seen by whom ``list_credentials`` says."""
    query = select(CREDENTIALS).where(CREDENTIALS.c.url > after, _seen(scope))
    query = query.order_by(CREDENTIALS.c.url)
    page, cursor = await page_of(tx, query, limit, lambda row: row.url)
    return tuple(_credential_of(row) for row in page), cursor


async def remove_credential(tx: Tx, actor: Actor, canonical_url: str) -> None:
    """Raises NotFound with the nearest URLs."""
    query = CREDENTIALS.delete().where(CREDENTIALS.c.canonical_url == canonical_url)
    row = (await tx.execute(query.returning(*CREDENTIALS.c))).one_or_none()
    if row is None:
        raise await missing(tx, "RepoCredential", canonical_url, select(CREDENTIALS.c.url))
    await record_change(tx, actor, "delete", "RepoCredential", row.url, before=_shown(row))


def _credential_of(row: Row[Any]) -> RepoCredential:
    created: datetime = row.created_at
    return RepoCredential(row.url, RepositoryType(row.type), row.username, row.auth, created)


def _shown(row: Row[Any]) -> dict[str, Any]:
    return {
        "url": row.url,
        "type": row.type,
        "username": row.username,
        "auth": row.auth,
        "options": row.options,
    }
