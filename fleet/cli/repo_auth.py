"""Credentials and options of repositories as flags: what ``repo`` and ``repocreds`` share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from fleet.cli.asking import secret_from_stdin
from fleet.cli.failures import tell_warnings
from fleet.cli.options import Function
from fleet.cli.reading import text_of
from fleet.errors import UsageError

TYPES = click.Choice(["git", "helm", "oci"])

_OPTIONS = (
    click.option("--username", metavar="NAME", help="User name for https or a registry."),
    click.option("--password", metavar="TEXT", help="Its password; visible in the process list."),
    click.option("--password-stdin", is_flag=True, help="Read the password from standard input."),
    click.option(
        "--bearer-token-stdin", is_flag=True, help="Read a bearer token from standard input."
    ),
    click.option("--ssh-private-key-path", metavar="FILE", help="Private key for ssh."),
    click.option("--tls-client-cert-path", metavar="FILE", help="Client certificate (PEM)."),
    click.option(
        "--tls-client-cert-key-path",
        "--tls-client-key-path",
        "tls_client_key_path",
        metavar="FILE",
        help="Its key (PEM).",
    ),
    click.option("--github-app-id", metavar="ID", help="GitHub App."),
    click.option("--github-app-installation-id", metavar="ID", help="Its installation."),
    click.option("--github-app-private-key-path", metavar="FILE", help="Its private key."),
    click.option(
        "--github-app-enterprise-base-url", metavar="URL", help="API of GitHub Enterprise."
    ),
    click.option(
        "--gcp-service-account-key-path", metavar="FILE", help="Google Cloud service account."
    ),
    click.option("--use-azure-workload-identity", is_flag=True, help="Azure workload identity."),
    click.option("--azure-client-id", metavar="ID", help="Azure service principal."),
    click.option("--azure-tenant-id", metavar="ID", help="Its tenant."),
    click.option(
        "--azure-client-secret-stdin", is_flag=True, help="Read its secret from standard input."
    ),
    click.option("--azure-ad-endpoint", metavar="URL", help="Another Azure cloud's login."),
    click.option(
        "--insecure-skip-server-verification",
        "--insecure",
        "insecure",
        is_flag=True,
        help="Believe any certificate. Unsafe.",
    ),
    click.option("--enable-lfs", is_flag=True, help="Fetch large files (git LFS)."),
    click.option("--enable-submodules", is_flag=True, help="Fetch submodules."),
    click.option("--enable-oci", is_flag=True, help="The Helm repository is an OCI registry."),
    click.option(
        "--insecure-oci-force-http",
        "--oci-force-http",
        "oci_force_http",
        is_flag=True,
        help="Talk http to the registry. Unsafe.",
    ),
    click.option(
        "--force-http-basic-auth", is_flag=True, help="Send the password without being asked."
    ),
    click.option("--proxy", metavar="URL", help="Proxy towards the repository."),
    click.option("--no-proxy", metavar="HOSTS", help="Hosts that the proxy is not for."),
    click.option("--depth", type=click.IntRange(0), help="Fetch only this many commits; 0 is all."),
)

_TEXTS = (
    "username",
    "password",
    "github_app_id",
    "github_app_installation_id",
    "github_app_enterprise_base_url",
    "azure_client_id",
    "azure_tenant_id",
    "azure_ad_endpoint",
    "proxy",
    "no_proxy",
)
_FLAGS = (
    "use_azure_workload_identity",
    "insecure",
    "enable_lfs",
    "enable_submodules",
    "enable_oci",
    "oci_force_http",
    "force_http_basic_auth",
)
_FILES = {
    "ssh_private_key_path": "sshPrivateKey",
    "tls_client_cert_path": "tlsClientCert",
    "tls_client_key_path": "tlsClientKey",
    "github_app_private_key_path": "githubAppPrivateKey",
    "gcp_service_account_key_path": "gcpServiceAccountKey",
}
_FROM_STDIN = {
    "password_stdin": ("password", "Password"),
    "bearer_token_stdin": ("bearerToken", "Bearer token"),
    "azure_client_secret_stdin": ("azureClientSecret", "Azure client secret"),
}


def auth_options(function: Function) -> Function:
    """The flags for credentials and transport; they arrive as keyword arguments."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def auth_body(flags: Mapping[str, Any]) -> dict[str, Any]:
    """The flags as the API's flat fields; files and standard input are read here.

    Raises:
        UsageError: a file that cannot be read, or flags that exclude each other.
    """
    if flags["password"] and flags["password_stdin"]:
        raise UsageError("--password and --password-stdin exclude each other")
    if sum(bool(flags[name]) for name in _FROM_STDIN) > 1:
        raise UsageError("only one thing can be read from standard input")
    if flags["password"]:
        tell_warnings(["--password is visible to everyone on this machine; use --password-stdin"])
    body = {_camel(name): flags[name] for name in _TEXTS if flags[name]}
    body |= {_camel(name): True for name in _FLAGS if flags[name]}
    body |= {key: text_of(flags[name]) for name, key in _FILES.items() if flags[name]}
    for name, (key, what) in _FROM_STDIN.items():
        if flags[name]:
            body[key] = secret_from_stdin(what)
    if flags["depth"] is not None:
        body["depth"] = flags["depth"]
    if body.get("insecure"):
        tell_warnings(
            ["the server's certificate is NOT verified: others could decide what is deployed"]
        )
    return body


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
