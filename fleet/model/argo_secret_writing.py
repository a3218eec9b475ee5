"""Writing Argo CD's Secrets: the inverse of ``argo_secrets``, key by key."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence

from fleet.model.argo_secrets import SECRET_TYPE_LABEL
from fleet.model.objects import Manifest
from fleet.model.repositories import RepositoryAuth, RepositoryOptions, RepositoryType
from fleet.model.secret import Secret

#: What a Secret holds, as its label says.
REPOSITORY, TEMPLATE = "repository", "repo-creds"


def cluster_secret(
    name: str,
    server: str,
    config: Secret,
    *,
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    namespaces: Sequence[str],
    cluster_resources: bool,
    project: str,
) -> Manifest:
    """The inverse of ``parse_cluster_secret``."""
    entries = {
        "name": name,
        "server": server,
        "config": config.reveal(),
        "namespaces": ",".join(namespaces),
        "clusterResources": "true" if cluster_resources else "",
        "project": project,
    }
    marks = {**labels, SECRET_TYPE_LABEL: "cluster"}
    return _secret_document(f"cluster-{_digest(server)}", entries, marks, annotations)


def credential_secret(
    kind: str,
    url: str,
    type: RepositoryType,
    auth: RepositoryAuth,
    options: RepositoryOptions,
    *,
    name: str = "",
    project: str = "",
) -> Manifest:
    """The inverse of ``parse_repository_secret`` and ``parse_repo_creds_secret``."""
    azure = "azureServicePrincipal"
    suffix = "Id" if kind == REPOSITORY else "ID"
    entries = {
        "url": url,
        "type": str(type),
        "name": name,
        "project": project,
        "username": auth.username,
        "password": _revealed(auth.password),
        "bearerToken": _revealed(auth.bearer_token),
        "sshPrivateKey": _revealed(auth.ssh_private_key),
        "tlsClientCertData": auth.tls_client_cert_pem,
        "tlsClientCertKey": _revealed(auth.tls_client_key_pem),
        "githubAppID": auth.github_app_id,
        "githubAppInstallationID": auth.github_app_installation_id,
        "githubAppPrivateKey": _revealed(auth.github_app_private_key),
        "githubAppEnterpriseBaseUrl": auth.github_app_enterprise_base_url,
        "gcpServiceAccountKey": _revealed(auth.gcp_service_account_key),
        "useAzureWorkloadIdentity": _flag(auth.use_azure_workload_identity),
        f"{azure}Client{suffix}": auth.azure_client_id,
        f"{azure}Tenant{suffix}": auth.azure_tenant_id,
        f"{azure}ClientSecret": _revealed(auth.azure_client_secret),
        "azureActiveDirectoryEndpoint": auth.azure_ad_endpoint,
        "insecure": _flag(options.insecure),
        "enableLfs": _flag(options.enable_lfs),
        "enableOCI": _flag(options.enable_oci),
        "insecureOCIForceHttp": _flag(options.oci_force_http),
        "forceHttpBasicAuth": _flag(options.force_http_basic_auth),
        "proxy": options.proxy,
        "noProxy": options.no_proxy,
        "depth": str(options.depth or ""),
    }
    prefix = "repo" if kind == REPOSITORY else "creds"
    marks = {SECRET_TYPE_LABEL: kind}
    return _secret_document(f"{prefix}-{_digest(url)}", entries, marks, {})


def _secret_document(
    name: str,
    entries: Mapping[str, str],
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
) -> Manifest:
    """What is empty is left out: that is what it means."""
    data = {
        key: base64.b64encode(value.encode()).decode() for key, value in entries.items() if value
    }
    metadata: Manifest = {
        "name": name,
        "labels": dict(labels),
        "annotations": {"managed-by": "argocd.argoproj.io", **annotations},
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": metadata,
        "data": data,
    }


def _digest(text: str) -> str:
    """A part of a name: the same for the same URL, and of letters that a name may have."""
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _revealed(secret: Secret | None) -> str:
    return "" if secret is None else secret.reveal()


def _flag(value: bool) -> str:
    return "true" if value else ""
