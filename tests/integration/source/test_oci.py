"""Charts from a real OCI registry, and from one that hands out tokens."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fleet.errors import (
    AddressForbidden,
    RevisionNotFound,
    SourceAuthFailed,
    SourceError,
    SourceUnreachable,
)
from fleet.model.repositories import Remote, RepositoryAuth, RepositoryOptions, RepositoryType
from fleet.model.secret import Secret
from fleet.source import AddressRules, Charts, TreeStore
from fleet.source.oci import CONTENT_LAYERS
from tests.conftest import require
from tests.integration.source.repos import remote_to
from tests.servers.charts import package
from tests.servers.http import HttpServer, Request, Response
from tests.servers.oci_registry import HELM_CHART, PASSWORD, PROGRAM, USERNAME, OciRegistry
from tests.servers.tls import CertificateAuthority

PLAIN = RepositoryOptions(enable_oci=True, oci_force_http=True)
AUTH = RepositoryAuth(username=USERNAME, password=Secret(PASSWORD))


def no_yaml(text: str) -> object:
    raise AssertionError("a registry has no index")


@pytest.fixture
def charts(tmp_path: Path, rules: AddressRules) -> Charts:
    return Charts(TreeStore(tmp_path / "trees"), rules=rules, parse_yaml=no_yaml)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    import shutil

    require(shutil.which(PROGRAM), f"no {PROGRAM}: install it")
    (tmp_path / "registry").mkdir()
    return tmp_path / "registry"


@pytest.fixture
def registry(folder: Path) -> Iterator[OciRegistry]:
    with OciRegistry(folder, auth=True) as registry:
        for version in ("1.0.0", "1.1.0+build.7", "2.0.0-rc1"):
            registry.push_chart("web", version)
        yield registry


def remote(registry: OciRegistry, auth: RepositoryAuth = AUTH, url: str = "") -> Remote:
    return remote_to(
        url or f"{registry.host}/charts", auth=auth, options=PLAIN, type=RepositoryType.HELM
    )


async def test_charts_by_version_and_digest(registry: OciRegistry, charts: Charts) -> None:
    digest = registry.push_chart("web", "3.0.0")
    for url in (f"{registry.host}/charts", f"oci://{registry.host}/charts"):
        there = remote(registry, url=url)
        assert await charts.resolve_chart(there, "web", "") == "3.0.0"
        assert await charts.resolve_chart(there, "web", "1.x") == "1.1.0+build.7"
        tree = await charts.fetch_chart(there, "web", "1.1.0+build.7")
        assert (Path(tree.root) / "chart/Chart.yaml").exists()
        assert (await charts.fetch_chart(there, "web", digest)).revision == digest
    whole = remote(registry, url=f"oci://{registry.host}/charts/web")
    assert await charts.resolve_chart(whole, "", "1.0.0") == "1.0.0"
    assert await charts.list_charts(there) == ()


@pytest.mark.parametrize("version", ["9.9.9", "sha256:" + "0" * 64, "../../x", "a b", "-x"])
async def test_a_missing_version(registry: OciRegistry, charts: Charts, version: str) -> None:
    with pytest.raises(RevisionNotFound):
        await charts.fetch_chart(remote(registry), "web", version)
    with pytest.raises(RevisionNotFound):
        await charts.resolve_chart(remote(registry), "none", "")


@pytest.mark.parametrize("auth", [RepositoryAuth(), replace(AUTH, password=Secret("wrong-one"))])
async def test_a_refused_credential(
    registry: OciRegistry, charts: Charts, auth: RepositoryAuth
) -> None:
    with pytest.raises(SourceAuthFailed) as refused:
        await charts.list_charts(remote(registry, auth))
    assert "wrong-one" not in str(refused.value.as_dict())


async def test_an_artifact_that_is_no_chart(registry: OciRegistry, charts: Charts) -> None:
    registry.push("charts/other", "1.0.0", {"application/x": b"data"})
    with pytest.raises(SourceError, match="no Helm chart"):
        await charts.fetch_chart(remote(registry), "other", "1.0.0")
    registry.push("charts/broken", "1.0.0", {HELM_CHART: b"not a gzip"})
    with pytest.raises(SourceError, match="no gzip"):
        await charts.fetch_chart(remote(registry), "broken", "1.0.0")


async def test_tls(folder: Path, charts: Charts) -> None:
    authority = CertificateAuthority("corp")
    pair = authority.issue("registry", hosts=("127.0.0.1",))
    with OciRegistry(folder, tls=pair, ca_pem=authority.pem) as registry:
        registry.push_chart("web", "1.0.0")
        there = remote_to(f"oci://{registry.host}/charts", ca_pem=authority.pem)
        assert await charts.resolve_chart(there, "web", "") == "1.0.0"
        with pytest.raises(SourceAuthFailed, match="certificate"):
            await charts.resolve_chart(replace(there, ca_pem=""), "web", "")


async def test_nothing_listens(registry: OciRegistry, charts: Charts) -> None:
    registry.close()
    with pytest.raises(SourceUnreachable):
        await charts.list_charts(remote(registry))


class TokenRegistry:
    """A registry as the public ones are: it asks for a token that another place hands out."""

    def __init__(self, realm: str = "") -> None:
        self.chart = package("web", "1.0.0")
        self.blob = self.chart.data
        self.server = HttpServer(self.answer)
        self.realm = realm or f"{self.server.url}/token"
        self.pages = {"": ["1.0.0"], "1.0.0": ["1.1.0"]}

    def answer(self, request: Request) -> Response:
        if request.path == "/token":
            return self.token(request)
        if request.headers.get("authorization") != "Bearer issued":
            challenge = f'Bearer realm="{self.realm}",service="reg",scope="repository:web:pull"'
            return Response(401, b"", {"WWW-Authenticate": challenge})
        if request.path.endswith("/tags/list"):
            last = "1.0.0" if "last=" in request.query else ""
            link = {} if last else {"Link": f'<{request.path}?last=1.0.0&n=1>; rel="next"'}
            return Response(200, json.dumps({"tags": self.pages[last]}).encode(), link)
        if "/manifests/" in request.path:
            digest = f"sha256:{hashlib.sha256(self.chart.data).hexdigest()}"
            layer = {"mediaType": HELM_CHART, "digest": digest, "size": len(self.chart.data)}
            return Response(200, json.dumps({"layers": [layer]}).encode())
        return Response(200, self.blob)

    @staticmethod
    def token(request: Request) -> Response:
        pair = base64.b64encode(b"ci:ci-password").decode()
        if (
            request.headers.get("authorization") != f"Basic {pair}"
            or "service=reg" not in request.query
        ):
            return Response(401)
        return Response(200, b'{"token": "issued"}')


@pytest.fixture
def tokens() -> Iterator[TokenRegistry]:
    registry = TokenRegistry()
    with registry.server:
        yield registry


def token_remote(tokens: TokenRegistry) -> Remote:
    return remote_to(tokens.server.url.replace("http://", "oci://"), auth=AUTH, options=PLAIN)


async def test_tokens_and_pages(tokens: TokenRegistry, charts: Charts) -> None:
    assert await charts.resolve_chart(token_remote(tokens), "web", "") == "1.1.0"
    tree = await charts.fetch_chart(token_remote(tokens), "web", "1.0.0")
    assert (Path(tree.root) / "chart/values.yaml").exists()
    # The password went to the token endpoint, and nowhere else.
    for request in tokens.server.requests:
        basic = request.headers.get("authorization", "").startswith("Basic")
        assert basic == (request.path == "/token")


async def test_a_registry_cannot_send_the_password_elsewhere(
    tmp_path: Path, rules: AddressRules
) -> None:
    with HttpServer(TokenRegistry.token) as issuer:
        registry = TokenRegistry(f"{issuer.url}/token")
        with registry.server:
            trees = TreeStore(tmp_path / "trees")
            charts = Charts(trees, rules=rules, parse_yaml=no_yaml)
            with pytest.raises(AddressForbidden) as refused:
                await charts.resolve_chart(token_remote(registry), "web", "")
            assert "allowed_content_hosts" in refused.value.hint
            assert issuer.requests == []
            listed = replace(rules, allowed_content_hosts=(issuer.url.removeprefix("http://"),))
            charts = Charts(trees, rules=listed, parse_yaml=no_yaml)
            assert await charts.resolve_chart(token_remote(registry), "web", "") == "1.1.0"


async def test_another_blob_than_its_digest(tokens: TokenRegistry, charts: Charts) -> None:
    tokens.blob = package("web", "6.6.6").data
    with pytest.raises(SourceError, match="digest"):
        await charts.fetch_chart(token_remote(tokens), "web", "1.0.0")


MANIFESTS = "application/vnd.oci.image.layer.v1.tar+gzip"


def layer(files: dict[str, str], mode: str = "w:gz") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as tar:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content.encode()))
    return packed.getvalue()


def artifact(registry: OciRegistry) -> Remote:
    return remote(registry, url=f"oci://{registry.host}/configs/shop")


async def test_an_artifact_is_followed_by_tag_range_and_digest(
    registry: OciRegistry, charts: Charts
) -> None:
    there, tags = artifact(registry), {}
    for tag in ("1.0.0", "1.4.0", "2.0.0", "latest"):
        files = {"web/cm.yaml": f"# {tag}", "./top.yaml": ""}
        tags[tag] = registry.push("configs/shop", tag, {MANIFESTS: layer(files)})
    for wanted, tag in (("1.x", "1.4.0"), ("2.0.0", "2.0.0"), ("", "latest"), ("latest", "latest")):
        assert await charts.resolve(there, "", wanted) == tags[tag]
    assert await charts.resolve(there, "", tags["1.0.0"]) == tags["1.0.0"]
    tree = await charts.fetch(there, "", tags["1.4.0"])
    assert (Path(tree.root) / "web/cm.yaml").read_text() == "# 1.4.0"
    assert tree.revision == tags["1.4.0"]
    moved = registry.push("configs/shop", "latest", {MANIFESTS: layer({"a": "new"})})
    assert await charts.resolve(there, "", "latest") == moved


@pytest.mark.parametrize("kind", CONTENT_LAYERS[:3])
async def test_a_layer_may_be_packed_or_not(
    registry: OciRegistry, charts: Charts, kind: str
) -> None:
    data = layer({"a.yaml": "x"}, "w:gz" if kind.endswith("gzip") else "w:")
    digest = registry.push("configs/shop", "v", {kind: data})
    tree = await charts.fetch(artifact(registry), "", digest)
    assert (Path(tree.root) / "a.yaml").read_text() == "x"


async def test_a_chart_as_an_artifact_has_its_files_at_the_root(
    registry: OciRegistry, charts: Charts
) -> None:
    whole = remote(registry, url=f"oci://{registry.host}/charts/web")
    digest = await charts.resolve(whole, "", "1.0.0")
    tree = await charts.fetch(whole, "", digest)
    assert (Path(tree.root) / "Chart.yaml").is_file()


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ({}, "this one has: none"),
        ({"text/plain": b"x"}, "this one has: text/plain"),
        ({MANIFESTS: b"1", CONTENT_LAYERS[0]: b"2"}, "has one layer"),
        ({MANIFESTS: b"no tar at all"}, "no tar archive"),
        ({MANIFESTS: layer({"../../etc/x": "x"})}, "a path that leaves"),
        ({MANIFESTS: layer({"/etc/x": "x"})}, "a path that leaves"),
    ],
)
async def test_what_is_no_artifact_of_manifests_is_refused(
    registry: OciRegistry, charts: Charts, layers: dict[str, bytes], message: str
) -> None:
    digest = registry.push("configs/shop", "bad", layers)
    with pytest.raises(SourceError, match=message):
        await charts.fetch(artifact(registry), "", digest)


async def test_a_tag_that_is_not_there(registry: OciRegistry, charts: Charts) -> None:
    with pytest.raises(RevisionNotFound):
        await charts.resolve(artifact(registry), "", "gone")
