"""Repositories, and the credentials that open them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from fleet.model.clusters import ConnectionStatus
from fleet.model.ids import RepositoryId
from fleet.model.secret import Secret


class RepositoryType(StrEnum):
    GIT = "git"
    HELM = "helm"
    OCI = "oci"


@dataclass(frozen=True, slots=True)
class RepositoryAuth:
    """One set of credentials. All empty means anonymous. Fields as in Argo CD's
    repository Secrets (``features.md`` §3.4)."""

    username: str = ""
    password: Secret | None = None
    bearer_token: Secret | None = None
    ssh_private_key: Secret | None = None
    tls_client_cert_pem: str = ""
    tls_client_key_pem: Secret | None = None
    github_app_id: str = ""
    github_app_installation_id: str = ""
    github_app_private_key: Secret | None = None
    github_app_enterprise_base_url: str = ""
    gcp_service_account_key: Secret | None = None
    use_azure_workload_identity: bool = False
    azure_client_id: str = ""
    azure_tenant_id: str = ""
    azure_client_secret: Secret | None = None
    azure_ad_endpoint: str = ""

    def __bool__(self) -> bool:
        return self != RepositoryAuth()


@dataclass(frozen=True, slots=True)
class RepositoryOptions:
    """How a repository is reached, apart from who asks."""

    insecure: bool = False  # no TLS verification; shown loudly everywhere
    enable_lfs: bool = False
    enable_submodules: bool = False
    enable_oci: bool = False  # a Helm repository that is an OCI registry
    oci_force_http: bool = False
    force_http_basic_auth: bool = False
    proxy: str = ""
    no_proxy: str = ""
    depth: int = 0  # 0 means full history
    interval_seconds: int | None = None  # None means the setting


@dataclass(frozen=True, slots=True)
class Repository:
    """A registered repository, without its credentials."""

    id: RepositoryId
    url: str
    type: RepositoryType
    name: str
    project: str  # "" means any project may use it
    username: str
    auth: str  # anonymous | basic | bearer | ssh | tls | github-app | gcp | azure
    options: RepositoryOptions
    status: ConnectionStatus
    message: str
    observed_at: datetime | None  # last time the remote answered
    attempted_at: datetime | None
    failing_since: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class RepoCredential:
    """A template: credentials for every repository whose URL starts with ``url`` on a
    ``/`` boundary. The longest wins; a repository's own credentials beat it."""

    url: str
    type: RepositoryType
    username: str
    auth: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Remote:
    """All that the ``source`` room needs to reach one repository.

    ``cache_key`` names the local mirror: one per repository *and* credential identity, so
    that a credential without access never reads through another's cache.
    """

    url: str
    type: RepositoryType
    auth: RepositoryAuth
    options: RepositoryOptions
    cache_key: str
    ca_pem: str = ""  # extra CA bundle for the host, from ``cert add-tls``
    known_hosts: str = ""  # OpenSSH known_hosts lines, from ``cert add-ssh``
    registered: bool = True  # False: an application or content named it, no administrator
    allowed_hosts: tuple[str, ...] = ()  # that its content may name, beside the settings'
    public_hosts: tuple[str, ...] = ()  # the same, at public addresses only
    project: str = ""  # "" means any project may use it


@dataclass(frozen=True, slots=True)
class KnownCertificate:
    """A line of ``fleet cert list``. ``kind`` is ``ssh`` or ``https``."""

    host: str
    kind: str
    subtype: str  # ssh-ed25519, rsa, …
    fingerprint: str  # SHA256:… of the key, or of the certificate
    data: str
