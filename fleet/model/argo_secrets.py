"""Reading Argo CD's Secrets: clusters, repositories, credential templates.

Source of the keys: ``features.md`` §3.4 and §3.5. ``data`` is base64, ``stringData`` is
plain and wins, as in Kubernetes. A message about a Secret never repeats a value of it.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import urlsplit

from fleet.errors import SpecInvalid
from fleet.model.documents import Metadata, open_document, read_metadata
from fleet.model.objects import Manifest
from fleet.model.reading import Fields, Origin, check_storable
from fleet.model.repositories import RepositoryAuth, RepositoryOptions, RepositoryType
from fleet.model.secret import Secret
from fleet.model.source_spec import has_password

SECRET_TYPE_LABEL = "argocd.argoproj.io/secret-type"  # noqa: S105  # a label's name

_MANAGED_BY = ("managed-by", "app.kubernetes.io/managed-by")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"", "0", "f", "F", "FALSE", "false", "False"})


@dataclass(frozen=True)
class ClusterSecret:
    """A registered cluster. ``config`` is the JSON text of Argo CD's ``ClusterConfig``,
    known to be an object; the cluster room turns it into a connection."""

    name: str
    server: str
    namespaces: tuple[str, ...]  # () means cluster-wide
    cluster_resources: bool
    project: str
    labels: dict[str, str]
    annotations: dict[str, str]
    config: Secret
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class RepositorySecret:
    """One repository with its credentials; ``name`` is "" unless the Secret gives one."""

    url: str
    type: RepositoryType
    name: str
    project: str
    auth: RepositoryAuth
    options: RepositoryOptions
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class RepoCredsSecret:
    """Credentials for every repository below ``url``."""

    url: str
    type: RepositoryType
    auth: RepositoryAuth
    options: RepositoryOptions
    warnings: tuple[str, ...] = ()


_Made = TypeVar("_Made", ClusterSecret, RepositorySecret, RepoCredsSecret)


def secret_type_of(doc: object) -> str:
    """The value of Argo CD's label; "" for anything that does not carry it."""
    metadata = doc.get("metadata") if isinstance(doc, Mapping) else None
    labels = metadata.get("labels") if isinstance(metadata, Mapping) else None
    found = labels.get(SECRET_TYPE_LABEL) if isinstance(labels, Mapping) else None
    return found if isinstance(found, str) else ""


class _Entries:
    """The Secret's decoded entries, read key by key; texts only."""

    def __init__(self, texts: dict[str, str], origin: Origin) -> None:
        self._texts = texts
        self._known: set[str] = set()
        self._origin = origin

    def invalid(self, key: str, message: str, *, hint: str = "") -> SpecInvalid:
        return self._origin.invalid(f"data.{key}", message, hint=hint)

    def text(self, *keys: str, required: bool = False) -> str:
        """The first of ``keys`` that is not empty: some exist in two spellings."""
        self._known.update(keys)
        found = next((self._texts[key] for key in keys if self._texts.get(key)), "")
        if required and not found:
            raise self.invalid(keys[0], "is required")
        return found

    def secret(self, *keys: str) -> Secret | None:
        found = self.text(*keys)
        return Secret(found) if found else None

    def flag(self, key: str) -> bool:
        """Source: Go ``strconv.ParseBool``, which Argo CD uses here."""
        found = self.text(key).strip()
        if found not in _TRUE | _FALSE:
            raise self.invalid(key, "must be true or false")
        return found in _TRUE

    def count(self, key: str) -> int:
        found = self.text(key).strip() or "0"
        if not (found.isascii() and found.isdigit() and len(found) < 10):
            raise self.invalid(key, "must be a whole number, 0 or more")
        return int(found)

    def finish(self) -> None:
        for key in sorted(set(self._texts) - self._known):
            self._origin.warn(f"data.{key}", "unknown key, not used")


def parse_cluster_secret(doc: Manifest, *, file: str = "", line: int = 0) -> ClusterSecret:
    """Raises:
    SpecInvalid: not a cluster Secret, or one that cannot be used; never repeats a value.
    """
    entries, metadata, origin = _open(doc, "cluster", file=file, line=line)
    server = entries.text("server", required=True).strip().rstrip("/")
    if not _is_https(server):
        raise entries.invalid("server", "is no URL of an API server", hint="https://host:port")
    config = entries.text("config") or "{}"
    _check_config(entries, config)
    entries.text("shard")  # no shards here
    listed = entries.text("namespaces").split(",")
    made = ClusterSecret(
        name=entries.text("name").strip() or server,
        server=server,
        namespaces=tuple(part.strip() for part in listed if part.strip()),
        cluster_resources=entries.flag("clusterResources"),
        project=entries.text("project").strip(),
        labels=_without(metadata.labels, SECRET_TYPE_LABEL, *_MANAGED_BY),
        annotations=_without(metadata.annotations, _LAST_APPLIED, *_MANAGED_BY),
        config=Secret(config),
    )
    entries.finish()
    return _with_warnings(made, origin)


def parse_repository_secret(doc: Manifest, *, file: str = "", line: int = 0) -> RepositorySecret:
    """Raises:
    SpecInvalid: not a repository Secret, or one that cannot be used.
    """
    entries, _, origin = _open(doc, "repository", file=file, line=line)
    made = RepositorySecret(
        url=_url(entries),
        type=_type(entries),
        name=entries.text("name").strip(),
        project=entries.text("project").strip(),
        auth=_auth(entries),
        options=_options(entries),
    )
    entries.text("webhookManifestCacheWarmDisabled")
    entries.finish()
    return _with_warnings(made, origin)


def parse_repo_creds_secret(doc: Manifest, *, file: str = "", line: int = 0) -> RepoCredsSecret:
    """Raises:
    SpecInvalid: not a credential template, or one that cannot be used.
    """
    entries, _, origin = _open(doc, "repo-creds", file=file, line=line)
    made = RepoCredsSecret(
        url=_url(entries), type=_type(entries), auth=_auth(entries), options=_options(entries)
    )
    entries.finish()
    return _with_warnings(made, origin)


def _open(doc: Manifest, wanted: str, *, file: str, line: int) -> tuple[_Entries, Metadata, Origin]:
    top, origin = open_document(doc, "v1", "Secret", file=file, line=line)
    metadata = read_metadata(top, "Secret")
    found = metadata.labels.get(SECRET_TYPE_LABEL, "")
    if found != wanted:
        raise origin.invalid(
            "metadata.labels",
            f"{SECRET_TYPE_LABEL} must be {wanted}, not {found or 'absent'}",
        )
    texts = _decoded(top) | dict(top.text_map("stringData"))
    top.ignore("type", "immutable", "status")
    top.finish()
    return _Entries(texts, origin), metadata, origin


def _decoded(top: Fields) -> dict[str, str]:
    texts = {}
    for key, value in top.text_map("data"):
        text = _base64_text(value)
        if text is None:
            raise top.invalid(f"data.{key}", "is not base64 of UTF-8 text")
        texts[key] = text
    return texts


def _base64_text(value: str) -> str | None:
    """None instead of an error: the exceptions of these decoders carry the secret."""
    compact = "".join(value.split())
    try:
        return base64.b64decode(compact, validate=True).decode()
    except (binascii.Error, ValueError):
        return None


def _check_config(entries: _Entries, text: str) -> None:
    config = _json_object(text)
    if config is None:
        raise entries.invalid("config", "is not a JSON object")
    tls = config.get("tlsClientConfig") or {}
    if not isinstance(tls, dict):
        raise entries.invalid("config", "tlsClientConfig is not a mapping")
    if tls.get("insecure") is True and tls.get("caData"):
        raise entries.invalid(
            "config", "tlsClientConfig gives insecure and caData; a cluster has one of the two"
        )


def _json_object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
        check_storable({"config": found}, Origin())
    except (ValueError, RecursionError, SpecInvalid):
        return None
    return found if isinstance(found, dict) else None


def _is_https(server: str) -> bool:
    try:
        parts = urlsplit(server)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in server
    except ValueError:
        return False


def _url(entries: _Entries) -> str:
    url = entries.text("url", required=True).strip()
    if not url or any(letter.isspace() for letter in url):
        raise entries.invalid("url", "is no URL of a repository")
    if has_password(url):
        raise entries.invalid(
            "url", "holds a password", hint="Put it into the keys username and password."
        )
    return url


def _type(entries: _Entries) -> RepositoryType:
    found = entries.text("type").strip() or RepositoryType.GIT
    if found not in set(RepositoryType):
        raise entries.invalid("type", "must be git, helm or oci")
    return RepositoryType(found)


def _auth(entries: _Entries) -> RepositoryAuth:
    """Azure's keys are spelled ``…Id`` in repositories and ``…ID`` in templates."""
    azure = "azureServicePrincipal"
    return RepositoryAuth(
        username=entries.text("username"),
        password=entries.secret("password"),
        bearer_token=entries.secret("bearerToken"),
        ssh_private_key=entries.secret("sshPrivateKey"),
        tls_client_cert_pem=entries.text("tlsClientCertData"),
        tls_client_key_pem=entries.secret("tlsClientCertKey"),
        github_app_id=entries.text("githubAppID"),
        github_app_installation_id=entries.text("githubAppInstallationID"),
        github_app_private_key=entries.secret("githubAppPrivateKey"),
        github_app_enterprise_base_url=entries.text("githubAppEnterpriseBaseUrl"),
        gcp_service_account_key=entries.secret("gcpServiceAccountKey"),
        use_azure_workload_identity=entries.flag("useAzureWorkloadIdentity"),
        azure_client_id=entries.text(f"{azure}ClientId", f"{azure}ClientID"),
        azure_tenant_id=entries.text(f"{azure}TenantId", f"{azure}TenantID"),
        azure_client_secret=entries.secret(f"{azure}ClientSecret"),
        azure_ad_endpoint=entries.text("azureActiveDirectoryEndpoint"),
    )


def _options(entries: _Entries) -> RepositoryOptions:
    skips_host_key = entries.flag("insecureIgnoreHostKey")
    return RepositoryOptions(
        insecure=entries.flag("insecure") or skips_host_key,
        enable_lfs=entries.flag("enableLfs"),
        enable_oci=entries.flag("enableOCI"),
        oci_force_http=entries.flag("insecureOCIForceHttp"),
        force_http_basic_auth=entries.flag("forceHttpBasicAuth"),
        proxy=entries.text("proxy"),
        no_proxy=entries.text("noProxy"),
        depth=entries.count("depth"),
    )


def _without(texts: Mapping[str, str], *keys: str) -> dict[str, str]:
    return {key: value for key, value in texts.items() if key not in keys}


def _with_warnings(made: _Made, origin: Origin) -> _Made:
    return replace(made, warnings=tuple(origin.warnings))
