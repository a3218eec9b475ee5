"""Charts from Helm repositories over http(s)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fleet.errors import (
    AddressForbidden,
    FleetError,
    RevisionNotFound,
    SourceAuthFailed,
    SourceError,
    SourceUnreachable,
    SpecInvalid,
)
from fleet.model.repositories import Remote, RepositoryAuth, RepositoryType
from fleet.model.secret import Secret
from fleet.source import AddressRules, Charts, TreeStore
from tests.integration.source.repos import remote_to
from tests.servers.helm_repo import HelmRepo
from tests.servers.http import Fault, HttpServer, Request, Response

AUTH = RepositoryAuth(username="ci", password=Secret("chart-password"))


def parse_yaml(text: str) -> Any:
    """JSON is YAML, and all that the test repository writes."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise SpecInvalid("not YAML") from error


@pytest.fixture
def helm() -> Iterator[HelmRepo]:
    with HelmRepo() as helm:
        for version in ("1.0.0", "1.1.0", "1.2.0-rc1", "2.0.0"):
            helm.add("web", version)
        yield helm


@pytest.fixture
def charts(tmp_path: Path, rules: AddressRules) -> Charts:
    (tmp_path / "trees").mkdir()
    return Charts(TreeStore(tmp_path / "trees"), rules=rules, parse_yaml=parse_yaml)


def remote(helm: HelmRepo, auth: RepositoryAuth | None = None) -> Remote:
    return remote_to(helm.url, auth=auth, type=RepositoryType.HELM)


@pytest.mark.parametrize(
    ("wanted", "version"),
    [
        ("", "2.0.0"),
        ("*", "2.0.0"),
        ("1.x", "1.1.0"),
        ("1.0.0", "1.0.0"),
        (">=1.2.0-0 <2", "1.2.0-rc1"),
    ],
)
async def test_versions(helm: HelmRepo, charts: Charts, wanted: str, version: str) -> None:
    assert await charts.resolve_chart(remote(helm), "web", wanted) == version


@pytest.mark.parametrize(("chart", "wanted"), [("none", ""), ("web", "3.x"), ("web", "latest")])
async def test_what_is_not_there(helm: HelmRepo, charts: Charts, chart: str, wanted: str) -> None:
    with pytest.raises(RevisionNotFound):
        await charts.resolve_chart(remote(helm), chart, wanted)


async def test_a_chart_is_unpacked_as_chart(helm: HelmRepo, charts: Charts) -> None:
    tree = await charts.fetch_chart(remote(helm), "web", "1.1.0")
    root = Path(tree.root)
    assert [path.name for path in root.iterdir()] == ["chart"]
    assert json.loads((root / "chart/Chart.yaml").read_text())["version"] == "1.1.0"
    assert (root / "chart/templates/configmap.yaml").exists()
    assert tree.revision == "1.1.0"


async def test_a_chart_is_downloaded_once(helm: HelmRepo, charts: Charts) -> None:
    there = remote(helm)
    await asyncio.gather(*(charts.fetch_chart(there, "web", "1.1.0") for _ in range(10)))
    await charts.fetch_chart(there, "web", "1.1.0")
    paths = [request.path for request in helm.requests]
    assert paths.count("/web-1.1.0.tgz") == 1


async def test_an_unchanged_index_is_not_sent_again(charts: Charts) -> None:
    index = json.dumps({"entries": {"web": [{"version": "1.0.0", "urls": ["x.tgz"]}]}}).encode()

    def answer(request: Request) -> Response:
        if request.headers.get("if-none-match") == '"v1"':
            return Response(304)
        return Response(200, index, {"ETag": '"v1"'})

    with HttpServer(answer) as server:
        there = remote_to(server.url, type=RepositoryType.HELM)
        for _ in range(3):
            assert await charts.resolve_chart(there, "web", "") == "1.0.0"
        assert [bool(r.headers.get("if-none-match")) for r in server.requests] == [
            False,
            True,
            True,
        ]


async def test_basic(helm: HelmRepo, charts: Charts) -> None:
    helm.require_basic("ci", "chart-password")
    assert await charts.list_charts(remote(helm, AUTH)) == ("web",)
    assert (await charts.fetch_chart(remote(helm, AUTH), "web", "1.0.0")).revision == "1.0.0"
    wrong = replace(AUTH, password=Secret("wrong-password"))
    with pytest.raises(SourceAuthFailed) as refused:
        await charts.list_charts(replace(remote(helm, wrong), cache_key="other"))
    assert "wrong-password" not in str(refused.value.as_dict())


async def test_a_credential_stays_with_its_host(
    helm: HelmRepo, tmp_path: Path, rules: AddressRules
) -> None:
    with HelmRepo() as cdn:
        chart = cdn.add("api", "1.0.0")
        helm.add("api", "1.0.0", listed_url=f"{cdn.url}/api-1.0.0.tgz")
        trees = TreeStore(tmp_path / "trees")
        charts = Charts(trees, rules=rules, parse_yaml=parse_yaml)
        with pytest.raises(AddressForbidden) as refused:
            await charts.fetch_chart(remote(helm, AUTH), "api", "1.0.0")
        assert "allowed_content_hosts" in refused.value.hint
        assert cdn.requests == []
        allowing = replace(rules, allowed_content_hosts=(cdn.url.removeprefix("http://"),))
        charts = Charts(trees, rules=allowing, parse_yaml=parse_yaml)
        await charts.fetch_chart(remote(helm, AUTH), "api", "1.0.0")
        assert "authorization" not in cdn.requests[-1].headers
        await trees.sweep(0, 0)
        await charts.fetch_chart(remote(helm, AUTH), "api", "1.0.0", pass_credentials=True)
        assert "authorization" in cdn.requests[-1].headers
        assert chart.name == "api"


async def test_another_archive_than_the_index_lists(helm: HelmRepo, charts: Charts) -> None:
    there = remote(helm)
    await charts.list_charts(there)
    helm.remove("web", "1.0.0")
    helm.add("web", "1.0.0", {"values.yaml": "tampered: true\n"})
    with pytest.raises(SourceError, match="not the one that the index lists"):
        await charts.fetch_chart(there, "web", "1.0.0")


async def test_credentials_do_not_share_charts(helm: HelmRepo, charts: Charts) -> None:
    one = await charts.fetch_chart(remote(helm), "web", "1.0.0")
    other = await charts.fetch_chart(replace(remote(helm), cache_key="b"), "web", "1.0.0")
    assert one.root != other.root


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.ERROR, SourceUnreachable),
        (Fault.BUSY, SourceUnreachable),
        (Fault.FORBIDDEN, SourceAuthFailed),
        (Fault.PAGE, SourceError),
        (Fault.TRUNCATE, SourceUnreachable),
        (Fault.ENDLESS, SourceError),
    ],
)
async def test_a_repository_in_trouble(
    helm: HelmRepo,
    charts: Charts,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
    error: type[FleetError],
) -> None:
    monkeypatch.setattr("fleet.source.charts.INDEX_BYTES", 1_000_000)
    helm.fault = fault
    with pytest.raises(error):
        await charts.resolve_chart(remote(helm), "web", "")


@pytest.mark.parametrize("index", [b"[]", b"{}", b'{"entries": 1}', b"\xff\xfe", b"{"])
async def test_an_index_that_is_none(charts: Charts, index: bytes) -> None:
    server = HttpServer(lambda _: Response(200, index))
    with server, pytest.raises(SourceError, match="index"):
        await charts.list_charts(remote_to(server.url, type=RepositoryType.HELM))


async def test_rows_that_cannot_be_used_are_passed_over(charts: Charts) -> None:
    rows = [1, {}, {"version": 1, "urls": ["x"]}, {"version": "1.0.0", "urls": []}]
    rows += [{"version": "1.0.0", "urls": ["x"]}]
    index = json.dumps({"entries": {"web": rows, "none": None}}).encode()
    with HttpServer(lambda _: Response(200, index)) as server:
        there = remote_to(server.url, type=RepositoryType.HELM)
        assert await charts.resolve_chart(there, "web", "") == "1.0.0"
        with pytest.raises(RevisionNotFound):
            await charts.resolve_chart(there, "none", "")


async def test_a_git_address_is_no_helm_repository(charts: Charts) -> None:
    with pytest.raises(SourceError, match="over http"):
        await charts.list_charts(remote_to("git@host:x", type=RepositoryType.HELM))
