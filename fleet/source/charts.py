"""Charts from Helm repositories and OCI registries → unpacked trees.

A chart is identified by the digest of its archive and unpacked once. The index of a Helm
repository is asked for with the validators of the last answer, and kept in memory as rows.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fleet.errors import FleetError, SourceError
from fleet.model.renders import SourceTree
from fleet.model.repositories import Remote, RepositoryAuth, RepositoryType
from fleet.source import semver
from fleet.source.addresses import AddressRules
from fleet.source.credentials import Credentials
from fleet.source.helm_index import ChartEntry, HelmIndex, read_index, resolve_version
from fleet.source.http import HttpClient, Reply, Request, refuse_status
from fleet.source.oci import CHART_LAYER, Registry
from fleet.source.provenance import Archive
from fleet.source.proving import (
    NOTHING_DEMANDED,
    PROVENANCE_BYTES,
    Demands,
    prove_archive,
    prove_artifact,
    prove_layer,
)
from fleet.source.transport import route_of
from fleet.source.trees import TreeStore
from fleet.source.unpack import CHART_FOLDER, ArchiveLimits, unpack_artifact, unpack_chart
from fleet.source.urls import RepositoryUrl, join_url, parse_url

INDEX_BYTES = 100 * 1024 * 1024
_INDEXES_KEPT = 32


@dataclass(frozen=True, slots=True)
class _Known:
    index: HelmIndex
    validators: dict[str, str]


class Charts:
    """All charts of one home.

    Args:
        trees: where unpacked charts go; usually ``Mirrors.trees``.
        parse_yaml: the guarded YAML parser; its FleetErrors become SourceErrors here.
        deadline_seconds: for one exchange, redirects included.
    """

    def __init__(
        self,
        trees: TreeStore,
        *,
        rules: AddressRules,
        parse_yaml: Callable[[str], Any],
        credentials: Credentials | None = None,
        deadline_seconds: float = 120.0,
        limits: ArchiveLimits | None = None,
    ) -> None:
        self._trees = trees
        self._rules = rules
        self._parse_yaml = parse_yaml
        self._credentials = credentials or Credentials(rules)
        self._deadline = deadline_seconds
        self._limits = limits or ArchiveLimits()
        self._known: OrderedDict[tuple[str, str], _Known] = OrderedDict()
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}

    async def resolve_chart(self, remote: Remote, chart: str, wanted: str) -> str:
        """The version that ``wanted`` means now: a version, a range, or ``""`` for the newest
        release. Asks the repository.

        Raises:
            RevisionNotFound: no such chart, or nothing in the range.
            SourceUnreachable, SourceAuthFailed, AddressForbidden, SourceError.
        """
        if is_oci(remote):
            registry = await self._registry(remote, chart)
            return resolve_version(chart, await registry.versions(), wanted)
        return (await self._index(remote)).resolve(chart, wanted)

    async def list_charts(self, remote: Remote) -> tuple[str, ...]:
        """The chart names of a Helm repository, sorted; shows that it can be read.

        For an OCI registry, which has no such list, the tuple is empty and only the
        credential is tried.
        """
        if is_oci(remote):
            await (await self._registry(remote, "")).ping()
            return ()
        return tuple(sorted((await self._index(remote)).charts))

    async def fetch_chart(
        self,
        remote: Remote,
        chart: str,
        version: str,
        *,
        pass_credentials: bool = False,
        demands: Demands = NOTHING_DEMANDED,
    ) -> SourceTree:
        """The chart, unpacked, as the folder ``chart`` of the tree.

        Args:
            version: exact, as ``resolve_chart`` gave it, or an OCI digest.
            pass_credentials: send the repository's credential to the host of the chart's URL
                even when it is another one. That host must still be allowed.
            demands: verified before anything is unpacked, for the very digest that then is.

        Raises:
            Forbidden: it is not signed as demanded.
            SourceError: the archive is not what the index or registry promised, or not a
                proper chart. The others as resolve_chart.
        """
        if is_oci(remote):
            return await self._from_registry(remote, chart, version, demands)
        return await self._from_index(remote, chart, version, pass_credentials, demands)

    async def _from_registry(
        self, remote: Remote, chart: str, version: str, demands: Demands
    ) -> SourceTree:
        registry = await self._registry(remote, chart)
        artifact = await registry.artifact(version)
        layer = registry.chart_layer(artifact)
        await prove_artifact(registry, artifact, demands)
        await prove_layer(registry, artifact, version, demands, self._parse_yaml)

        async def pull() -> bytes:
            return await registry.download(layer, self._limits.packed_bytes)

        tree = await self._unpacked(remote, version, layer.digest, pull)
        return replace(tree, verified=artifact.digest) if demands else tree

    async def _from_index(
        self,
        remote: Remote,
        chart: str,
        version: str,
        pass_credentials: bool,
        demands: Demands,
    ) -> SourceTree:
        entry = await self._entry(remote, chart, version)
        body = b""
        if not entry.digest:
            # Without a digest in the index only the bytes say whether it is the chart we have.
            body = await self._download(remote, entry, pass_credentials)
            entry = replace(entry, digest=hashlib.sha256(body).hexdigest())
        if demands.provenance is not None:
            await prove_archive(
                f"{remote.url}: {chart} {version}",
                await self._provenance(remote, entry, pass_credentials),
                Archive(chart, version, entry.digest),
                demands.provenance,
                self._parse_yaml,
            )

        async def archive() -> bytes:
            return body or await self._download(remote, entry, pass_credentials)

        tree = await self._unpacked(remote, version, entry.digest, archive)
        return replace(tree, verified=f"sha256:{entry.digest}") if demands else tree

    async def resolve(self, remote: Remote, chart: str, wanted: str) -> str:
        """What a source of this repository follows is now: a chart's version, or the digest of
        an artifact, which has no chart and whose ``wanted`` may be any tag (``""``: latest).

        Raises:
            RevisionNotFound: no such chart or tag, or nothing in the range.
            SourceUnreachable, SourceAuthFailed, AddressForbidden, SourceError.
        """
        if chart or not is_oci(remote):
            return await self.resolve_chart(remote, chart, wanted)
        registry = await self._registry(remote, "")
        if wanted and semver.parse_range(wanted) is not None:
            wanted = resolve_version("", await registry.versions(), wanted)
        return (await registry.artifact(wanted or "latest")).digest

    async def fetch(
        self,
        remote: Remote,
        chart: str,
        revision: str,
        *,
        pass_credentials: bool = False,
        demands: Demands = NOTHING_DEMANDED,
    ) -> SourceTree:
        """What ``resolve`` named: a chart as ``fetch_chart`` gives it, or the files of an
        artifact. Raises as ``fetch_chart``."""
        if chart or not is_oci(remote):
            return await self.fetch_chart(
                remote, chart, revision, pass_credentials=pass_credentials, demands=demands
            )
        registry = await self._registry(remote, "")
        artifact = await registry.artifact(revision)
        layer = registry.content_layer(artifact)
        is_chart = layer.media_type == CHART_LAYER
        await prove_artifact(registry, artifact, demands)
        await prove_layer(registry, artifact, "", demands, self._parse_yaml)

        async def build(folder: Path) -> int:
            archive = await registry.download(layer, self._limits.packed_bytes)
            if not is_chart:
                return await asyncio.to_thread(unpack_artifact, archive, folder, self._limits)
            return await asyncio.to_thread(unpack_chart, archive, folder, self._limits)

        kind = "chart" if is_chart else "artifact"
        root = await self._trees.obtain(f"{kind}\0{remote.cache_key}\0{layer.digest}", build)
        # a chart's own directory is the root, as in Argo CD
        top = root / CHART_FOLDER if is_chart else root
        verified = artifact.digest if demands else ""
        return SourceTree(str(top), revision, remote.url, verified)

    async def _unpacked(
        self, remote: Remote, version: str, digest: str, archive: Callable[[], Awaitable[bytes]]
    ) -> SourceTree:
        async def build(folder: Path) -> int:
            return await asyncio.to_thread(unpack_chart, await archive(), folder, self._limits)

        identity = f"chart\0{remote.cache_key}\0{digest}"
        root = await self._trees.obtain(identity, build)
        return SourceTree(str(root), version, remote.url)

    async def _entry(self, remote: Remote, chart: str, version: str) -> ChartEntry:
        known = self._known.get(_key(remote))
        if known and version in known.index.charts.get(chart, {}):
            return known.index.entry(chart, version)
        return (await self._index(remote)).entry(chart, version)

    async def _index(self, remote: Remote) -> HelmIndex:
        key = _key(remote)
        async with self._locks.setdefault(key, asyncio.Lock()):
            known = self._known.get(key)
            reply = await self._ask_index(remote, known.validators if known else {})
            if known and reply.status == 304:
                self._known.move_to_end(key)
                return known.index
            index = await asyncio.to_thread(self._parse, remote.url, reply.body)
            self._known[key] = _Known(index, _validators(reply))
            while len(self._known) > _INDEXES_KEPT:
                self._known.popitem(last=False)
            return index

    async def _ask_index(self, remote: Remote, validators: dict[str, str]) -> Reply:
        access = await self._credentials.access(remote.auth, remote.url, route_of(remote))
        request = Request(
            f"{str(_http_base(remote)).rstrip('/')}/index.yaml",
            headers=validators,
            authorization=access.authorization,
            registered=remote.registered,
            limit_bytes=INDEX_BYTES,
        )
        reply = await HttpClient(self._rules.of(remote), route_of(remote, self._deadline)).send(
            request
        )
        if reply.status == 404:
            raise SourceError(
                f"{remote.url}: no index.yaml there",
                hint="Is it a Helm repository? An OCI registry is registered with --enable-oci.",
            )
        if reply.status != 304:
            refuse_status(reply, remote.url)
        return reply

    def _parse(self, url: str, body: bytes) -> HelmIndex:
        try:
            return read_index(self._parse_yaml(body.decode()))
        except UnicodeDecodeError as error:
            raise SourceError(f"{url}: index.yaml is not UTF-8") from error
        except FleetError as error:
            raise SourceError(f"{url}: index.yaml: {error.message}", hint=error.hint) from error

    async def _download(self, remote: Remote, entry: ChartEntry, pass_credentials: bool) -> bytes:
        limit = self._limits.packed_bytes
        target, reply = await self._ask(remote, entry.url, pass_credentials, limit)
        refuse_status(reply, str(target).partition("?")[0])
        digest = hashlib.sha256(reply.body).hexdigest()
        if entry.digest and digest != entry.digest:
            raise SourceError(
                f"{target.netloc}: the chart archive is not the one that the index lists",
                hint=f"The index says sha256:{entry.digest[:12]}…, it is sha256:{digest[:12]}….",
            )
        return reply.body

    async def _provenance(
        self, remote: Remote, entry: ChartEntry, pass_credentials: bool
    ) -> bytes | None:
        """The file beside the archive; None where there is none."""
        path, mark, query = entry.url.partition("?")
        url = f"{path}.prov{mark}{query}"
        target, reply = await self._ask(remote, url, pass_credentials, PROVENANCE_BYTES)
        if reply.status in (404, 410):
            return None
        refuse_status(reply, str(target).partition("?")[0])
        return reply.body

    async def _ask(
        self, remote: Remote, url: str, pass_credentials: bool, limit_bytes: int
    ) -> tuple[RepositoryUrl, Reply]:
        """What a repository's index names, asked for."""
        base = _http_base(remote)
        target = parse_url(join_url(str(base), url), link=True)
        own = target.origin == base.origin
        access = await self._credentials.access(remote.auth, remote.url, route_of(remote))
        # The repository's CA and client certificate are for its own host, like its password.
        route = route_of(remote if own or pass_credentials else _anonymous(remote), self._deadline)
        request = Request(
            str(target),
            authorization=access.authorization if own or pass_credentials else None,
            registered=remote.registered and own,
            limit_bytes=limit_bytes,
        )
        return target, await HttpClient(self._rules.of(remote), route).send(request)

    async def _registry(self, remote: Remote, chart: str) -> Registry:
        access = await self._credentials.access(remote.auth, remote.url, route_of(remote))
        client = HttpClient(self._rules.of(remote), route_of(remote, self._deadline))
        return Registry(remote, chart, access, client)


def is_oci(remote: Remote) -> bool:
    """True when charts of ``remote`` come from an OCI registry."""
    target = parse_url(remote.url)
    return target.scheme == "oci" or remote.type is RepositoryType.OCI or remote.options.enable_oci


def _http_base(remote: Remote) -> RepositoryUrl:
    target = parse_url(remote.url)
    if target.scheme not in {"http", "https"}:
        raise SourceError(f"{remote.url}: a Helm repository is reached over http or https")
    return target


def _key(remote: Remote) -> tuple[str, str]:
    return (remote.cache_key, parse_url(remote.url).canonical)


def _validators(reply: Reply) -> dict[str, str]:
    pairs = (("etag", "If-None-Match"), ("last-modified", "If-Modified-Since"))
    return {name: reply.headers[header] for header, name in pairs if header in reply.headers}


def _anonymous(remote: Remote) -> Remote:
    options = replace(remote.options, insecure=False)
    return replace(remote, auth=RepositoryAuth(), ca_pem="", options=options)
