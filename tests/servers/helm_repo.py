"""A Helm repository over http(s) on loopback: index.yaml and packaged charts."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tests.servers.charts import SAMPLE, Chart, package
from tests.servers.http import HttpServer, Request, Response
from tests.servers.tls import Pair


class HelmRepo(HttpServer):
    """Serves what was added; everything of ``HttpServer`` applies."""

    def __init__(self, *, tls: Pair | None = None) -> None:
        self.charts: list[Chart] = []
        self.provenance: dict[str, bytes] = {}  # by the file name of the chart
        self._listed_urls: dict[str, str] = {}
        super().__init__(self._serve, tls=tls)

    def add(
        self, name: str, version: str, files: Mapping[str, str] = SAMPLE, *, listed_url: str = ""
    ) -> Chart:
        """Publish a chart; ``listed_url`` is what the index says instead of its file name."""
        chart = package(name, version, files)
        self.charts.append(chart)
        self._listed_urls[_file(chart)] = listed_url or _file(chart)
        return chart

    def remove(self, name: str, version: str) -> None:
        """Take a chart away, as a repository that cleans up does."""
        self.charts = [it for it in self.charts if (it.name, it.version) != (name, version)]

    def _serve(self, request: Request) -> Response:
        if request.path == "/index.yaml":
            return Response(200, self._index(), {"Content-Type": "application/x-yaml"})
        vouching = self.provenance.get(request.path.removeprefix("/").removesuffix(".prov"))
        if request.path.endswith(".prov") and vouching is not None:
            return Response(200, vouching, {"Content-Type": "text/plain"})
        for chart in self.charts:
            if request.path == f"/{_file(chart)}":
                return Response(200, chart.data, {"Content-Type": "application/gzip"})
        return Response(404, b"no such chart")

    def _index(self) -> bytes:
        """JSON is YAML."""
        entries: dict[str, list[dict[str, object]]] = {}
        for chart in reversed(self.charts):
            listed = {
                **chart.metadata,
                "digest": chart.digest,
                "urls": [self._listed_urls[_file(chart)]],
                "created": "2026-01-01T00:00:00Z",
            }
            entries.setdefault(chart.name, []).append(listed)
        index = {"apiVersion": "v1", "entries": entries, "generated": "2026-01-01T00:00:00Z"}
        return json.dumps(index).encode()


def _file(chart: Chart) -> str:
    return f"{chart.name}-{chart.version}.tgz"
