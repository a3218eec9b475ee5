"""How requests prove who we are: one class a way, all giving an ``Identity`` when asked."""

from __future__ import annotations

import asyncio
import base64
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from fleet.cluster.exec_plugin import ExecAnswer, check_exec, run_exec
from fleet.errors import ClusterAuthFailed, SpecInvalid
from fleet.model.clusters import Connection
from fleet.model.secret import Secret

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
REREAD = timedelta(minutes=1)  # the kubelet renews a token long before it expires
RENEW_BEFORE = timedelta(minutes=1)  # so that no request carries one that ends on its way


@dataclass(frozen=True, slots=True)
class Identity:
    """What a request carries. ``authorization`` is the whole header."""

    authorization: Secret | None = None
    client_cert_pem: str = ""
    client_key_pem: Secret | None = None


class Credentials(Protocol):
    """``renewable`` says whether asking again can give something else."""

    renewable: bool

    async def identity(self, *, refused: Identity | None = None) -> Identity:
        """What to carry now; not what the server ``refused``, if there is anything else."""


class Fixed:
    """A token, a client certificate, or a password: the same until someone changes it."""

    renewable = False

    def __init__(self, connection: Connection) -> None:
        header = None
        if connection.token:
            header = Secret(f"Bearer {connection.token.reveal().strip()}")
        elif connection.username and connection.password is not None:
            pair = f"{connection.username}:{connection.password.reveal()}"
            header = Secret("Basic " + base64.b64encode(pair.encode()).decode())
        self._identity = Identity(header, connection.client_cert_pem, connection.client_key_pem)

    async def identity(self, *, refused: Identity | None = None) -> Identity:
        del refused
        return self._identity


class InCluster:
    """The ServiceAccount of the Pod that we run in; its token file is renewed in place."""

    renewable = True

    def __init__(self, token_file: Path, cluster: str) -> None:
        self._file = token_file
        self._cluster = cluster
        self._identity: Identity | None = None
        self._read_at = datetime.min.replace(tzinfo=UTC)

    async def identity(self, *, refused: Identity | None = None) -> Identity:
        now = datetime.now(UTC)
        if self._identity is None or self._identity is refused or now - self._read_at > REREAD:
            try:
                token = await asyncio.to_thread(self._file.read_text)
            except OSError as exc:
                raise ClusterAuthFailed(
                    f"Cluster/{self._cluster}: the Pod's ServiceAccount token cannot be read",
                    hint="Is automountServiceAccountToken switched off?",
                ) from exc
            self._identity = Identity(Secret(f"Bearer {token.strip()}"))
            self._read_at = now
        return self._identity


class Plugin:
    """A credential plugin, asked again shortly before what it gave expires."""

    renewable = True

    def __init__(self, connection: Connection, allowed: frozenset[str], cluster: str) -> None:
        assert connection.exec is not None
        check_exec(connection.exec, allowed)
        self._plugin = connection.exec
        self._connection = connection
        self._allowed = allowed
        self._cluster = cluster
        self._identity: Identity | None = None
        self._expires_at: datetime | None = None
        self._lock = asyncio.Lock()

    async def identity(self, *, refused: Identity | None = None) -> Identity:
        # Callers who come while the plugin runs wait, and then share what it gave.
        async with self._lock:
            if self._identity is None or self._identity is refused or self._ends_soon():
                answer = await run_exec(
                    self._plugin, self._connection, allowed=self._allowed, cluster=self._cluster
                )
                self._identity, self._expires_at = _identity_of(answer), answer.expires_at
            return self._identity

    def _ends_soon(self) -> bool:
        ends = self._expires_at
        return ends is not None and datetime.now(UTC) >= ends - RENEW_BEFORE


def _identity_of(answer: ExecAnswer) -> Identity:
    header = Secret(f"Bearer {answer.token.reveal()}") if answer.token else None
    return Identity(header, answer.client_cert_pem, answer.client_key_pem)


def credentials_for(
    connection: Connection,
    *,
    allowed_exec: frozenset[str],
    service_account: Path,
    cluster: str,
) -> Credentials:
    """The credentials that ``connection`` describes.

    Raises:
        Forbidden: its plugin may not run here.
    """
    if connection.in_cluster:
        return InCluster(service_account / "token", cluster)
    if connection.exec is not None:
        return Plugin(connection, allowed_exec, cluster)
    return Fixed(connection)


def in_cluster_address(service_account: Path) -> tuple[str, str]:
    """Server and CA (PEM) of the cluster whose Pod we run in.

    Raises:
        SpecInvalid: we do not run in a Pod, or without a ServiceAccount.
    """
    # The official client's own discovery of its surroundings; the import is heavy and
    # needed nowhere else.
    from kubernetes.aio.client import Configuration
    from kubernetes.aio.config.config_exception import ConfigException
    from kubernetes.aio.config.incluster_config import InClusterConfigLoader

    found = Configuration()
    try:
        loader = InClusterConfigLoader(  # type: ignore[no-untyped-call]
            token_filename=str(service_account / "token"),
            cert_filename=str(service_account / "ca.crt"),
            try_refresh_token=False,
            environ=os.environ,
        )
        loader.load_and_set(found)  # type: ignore[no-untyped-call]
    except ConfigException as exc:
        raise SpecInvalid(
            f"in-cluster: Fleet does not run in a Pod with a ServiceAccount ({exc})"
        ) from exc
    return str(found.host), Path(str(found.ssl_ca_cert)).read_text()
