"""OCI registries, as far as charts and artifacts need them: the distribution API, read only.

A registry answers the first question with a challenge that names where tokens are given
out. That address comes from the registry, so on another host it counts as named by content:
it must be registered or allowed, and only then is it shown the credential.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson

from fleet.errors import RevisionNotFound, SourceAuthFailed, SourceError
from fleet.model.repositories import Remote
from fleet.model.secret import Secret
from fleet.source.cosign import SIGNATURE_ANNOTATION
from fleet.source.credentials import Access, basic
from fleet.source.http import HttpClient, Reply, Request, refuse_status
from fleet.source.urls import RepositoryUrl, parse_url

CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
PROVENANCE_LAYER = "application/vnd.cncf.helm.chart.provenance.v1.prov"
#: What a layer of manifests may be; of a chart, its own directory is the root.
CONTENT_LAYERS = (
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.cncf.flux.content.v1.tar+gzip",
    CHART_LAYER,
)
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
#: What registries answer that know nothing of referrers.
_NO_REFERRERS = frozenset({400, 404, 405})
_MANIFEST_BYTES = 1024 * 1024
_TAG_PAGES = 100
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PARAMETER = re.compile(r'([A-Za-z_]+)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Layer:
    """``digest`` is ``sha256:…`` of the archive, ``size`` its bytes. ``signature`` is what
    cosign notes on a layer that is a signed document."""

    digest: str
    size: int
    media_type: str = CHART_LAYER
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A manifest, by the digest that it was found to have."""

    digest: str
    layers: tuple[Layer, ...]

    def first(self, media_type: str) -> Layer | None:
        """The first layer of a kind."""
        return next((layer for layer in self.layers if layer.media_type == media_type), None)


class Registry:
    """One chart's repository in one registry, with one credential.

    Args:
        chart: put behind the path of ``remote.url``; empty when the URL names the chart.
        access: a basic credential is shown to the token endpoint, a bearer one to the
            registry itself.
    """

    def __init__(self, remote: Remote, chart: str, access: Access, client: HttpClient) -> None:
        target = parse_url(remote.url)
        scheme = "http" if remote.options.oci_force_http or target.scheme == "http" else "https"
        path = target.path.strip("/")
        self._name = "/".join(part for part in (path, chart.strip("/")) if part)
        port = target.port
        if scheme == "http" and port == 443:
            port = 80
        self._base = RepositoryUrl(scheme, "", target.host, port, "")
        self._registered = remote.registered
        self._access = access
        self._client = client
        preemptive = remote.options.force_http_basic_auth or not access.username
        self._authorization = access.authorization if preemptive else None

    async def ping(self) -> None:
        """Ask whether the registry speaks the API and takes the credential.

        Raises:
            SourceAuthFailed, SourceUnreachable, AddressForbidden, SourceError.
        """
        refuse_status(await self._get("/v2/"), self._base.netloc)

    async def versions(self) -> tuple[str, ...]:
        """All tags, with the ``+`` that tags cannot have put back."""
        found: list[str] = []
        path = f"/v2/{self._name}/tags/list?n=1000"
        for _ in range(_TAG_PAGES):
            reply = await self._get(path)
            self._refuse_missing(reply, "")
            tags = _object(reply, self.where).get("tags") or []
            found += [tag for tag in tags if isinstance(tag, str)]
            path = _next_page(reply.headers)
            if not path:
                break
        return tuple(tag.replace("_", "+") for tag in found)

    async def artifact(self, reference: str) -> Artifact:
        """What a tag names now, or a digest.

        Raises:
            RevisionNotFound: no such tag or digest.
            SourceError: the manifest is not what its digest says.
        """
        reply = await self._manifest(reference)
        return Artifact(_digest(reply.body), tuple(self._layers(reply)))

    def chart_layer(self, artifact: Artifact) -> Layer:
        """The archive of a chart. Raises SourceError where there is none."""
        layer = artifact.first(CHART_LAYER)
        if layer is None:
            raise SourceError(f"{self.where}@{artifact.digest}: no Helm chart in it")
        return layer

    def content_layer(self, artifact: Artifact) -> Layer:
        """The one layer of an artifact of manifests; the provenance of a chart is beside it.

        Raises:
            SourceError: it has several layers, or one of a kind that holds no files.
        """
        layers = [layer for layer in artifact.layers if layer.media_type != PROVENANCE_LAYER]
        if len(layers) != 1 or layers[0].media_type not in CONTENT_LAYERS:
            kinds = ", ".join(layer.media_type[:100] for layer in layers[:5]) or "none"
            raise SourceError(
                f"{self.where}@{artifact.digest}: an artifact of manifests has one layer of files,"
                f" this one has: {kinds}",
                hint=f"The layer has to be one of {', '.join(CONTENT_LAYERS)}.",
            )
        return layers[0]

    async def referrers(self, digest: str) -> tuple[tuple[str, str], ...]:
        """Digest and kind of what says that it is about ``digest`` (OCI 1.1); asked for at the
        tag that stands for it where the registry has no such list."""
        reply = await self._get(f"/v2/{self._name}/referrers/{digest}", {"Accept": _INDEX})
        if reply.status in _NO_REFERRERS:
            tag = digest.replace(":", "-")
            reply = await self._get(f"/v2/{self._name}/manifests/{tag}", {"Accept": _INDEX})
        if reply.status == 404:
            return ()
        refuse_status(reply, self.where)
        entries = _object(reply, self.where).get("manifests")
        return tuple(
            (entry["digest"], str(entry.get("artifactType")))
            for entry in (entries if isinstance(entries, list) else [])
            if isinstance(entry, dict) and _DIGEST.fullmatch(str(entry.get("digest")))
        )

    async def _manifest(self, version: str) -> Reply:
        reference = version.replace("+", "_")
        if not _TAG.fullmatch(reference) and not _DIGEST.fullmatch(reference):
            raise RevisionNotFound(f"{self.where}: {version[:80]!r} is no tag and no digest")
        path = f"/v2/{self._name}/manifests/{reference}"
        reply = await self._get(path, {"Accept": _MANIFEST}, _MANIFEST_BYTES)
        self._refuse_missing(reply, version)
        if _DIGEST.fullmatch(reference) and _digest(reply.body) != reference:
            raise SourceError(f"{self.where}: the manifest is not the one of its digest")
        return reply

    def _layers(self, reply: Reply) -> Iterator[Layer]:
        layers = _object(reply, self.where).get("layers")
        for layer in layers if isinstance(layers, list) else []:
            if isinstance(layer, dict):
                digest, size = layer.get("digest"), layer.get("size")
                if isinstance(digest, str) and _DIGEST.fullmatch(digest) and isinstance(size, int):
                    notes = layer.get("annotations")
                    signed = notes.get(SIGNATURE_ANNOTATION) if isinstance(notes, dict) else ""
                    yield Layer(digest, size, str(layer.get("mediaType")), str(signed or ""))

    async def download(self, layer: Layer, limit_bytes: int) -> bytes:
        """The archive, its digest checked."""
        if layer.size > limit_bytes:
            raise SourceError(f"{self.where}: the archive is larger than {limit_bytes} bytes")
        reply = await self._get(f"/v2/{self._name}/blobs/{layer.digest}", {}, limit_bytes)
        refuse_status(reply, self.where)
        if _digest(reply.body) != layer.digest:
            raise SourceError(f"{self.where}: the archive is not the one of its digest")
        return reply.body

    @property
    def where(self) -> str:
        """Host and name, for messages."""
        return f"{self._base.netloc}/{self._name}"

    async def _get(
        self,
        path: str,
        headers: Mapping[str, str] | None = None,
        limit_bytes: int = 4 * 1024 * 1024,
    ) -> Reply:
        reply = await self._send(path, headers or {}, limit_bytes)
        if reply.status == 401 and await self._answer(reply.headers.get("www-authenticate", "")):
            reply = await self._send(path, headers or {}, limit_bytes)
        return reply

    async def _send(self, path: str, headers: Mapping[str, str], limit_bytes: int) -> Reply:
        return await self._client.send(
            Request(
                f"{self._base}{path}",
                headers=headers,
                authorization=self._authorization,
                registered=self._registered,
                limit_bytes=limit_bytes,
            )
        )

    async def _answer(self, challenge: str) -> bool:
        """Meet the challenge; False when there is nothing to meet it with."""
        kind, _, rest = challenge.partition(" ")
        if kind.lower() == "basic" and self._access.username and self._access.password:
            tried = self._authorization
            self._authorization = basic(self._access.username, self._access.password).authorization
            return tried != self._authorization
        if kind.lower() == "bearer":
            self._authorization = await self._token(dict(_PARAMETER.findall(rest)))
            return True
        return False

    async def _token(self, parameters: Mapping[str, str]) -> Secret:
        realm = parse_url(parameters.get("realm", ""), link=True)
        if realm.scheme not in (self._base.scheme, "https"):
            raise SourceError(f"{self.where}: the token endpoint is not https")
        asked = {name: parameters[name] for name in ("service", "scope") if name in parameters}
        separator = "&" if realm.query else "?"
        basic_access = self._access.authorization if self._access.username else None
        reply = await self._client.send(
            Request(
                f"{realm}{separator}{urlencode(asked)}",
                authorization=basic_access,
                registered=self._registered and realm.origin == self._base.origin,
            )
        )
        refuse_status(reply, realm.netloc)
        answer = _object(reply, realm.netloc)
        token = answer.get("token") or answer.get("access_token")
        if not isinstance(token, str) or not token.isprintable():
            raise SourceAuthFailed(f"{realm.netloc}: the token endpoint sent no token")
        return Secret(f"Bearer {token}")

    def _refuse_missing(self, reply: Reply, version: str) -> None:
        if reply.status == 404:
            what = f"no version {version!r}" if version else "no such chart"
            raise RevisionNotFound(f"{self.where}: {what}")
        refuse_status(reply, self.where)


def _digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _object(reply: Reply, where: str) -> dict[str, Any]:
    try:
        answer = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        answer = None
    if not isinstance(answer, dict):
        raise SourceError(f"{where}: the registry did not answer with a JSON object")
    return answer


def _next_page(headers: Mapping[str, str]) -> str:
    """The path in a ``Link: </v2/…>; rel="next"`` header; other hosts are not followed."""
    match = re.match(r'<(?:https?://[^/>]+)?(/v2/[^>]+)>;\s*rel="?next"?', headers.get("link", ""))
    return match[1] if match else ""
