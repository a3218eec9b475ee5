"""Packaged Helm charts, made without helm."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field

CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  greeting: {{ .Values.greeting | quote }}
"""
SAMPLE: Mapping[str, str] = {
    "templates/configmap.yaml": CONFIG_MAP,
    "values.yaml": "greeting: hello\n",
}


@dataclass(frozen=True)
class Chart:
    """A packaged chart; equal content gives an equal digest."""

    name: str
    version: str
    data: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        """SHA-256 of the package, in hex."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def metadata(self) -> dict[str, str]:
        """The content of its Chart.yaml."""
        return {"apiVersion": "v2", "name": self.name, "version": self.version}


def package(name: str, version: str, files: Mapping[str, str] = SAMPLE) -> Chart:
    """Package a chart of ``files``; a Chart.yaml is added when there is none among them."""
    metadata = {"apiVersion": "v2", "name": name, "version": version}
    content = {"Chart.yaml": json.dumps(metadata), **files}
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path, text in sorted(content.items()):
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return Chart(name, version, gzip.compress(raw.getvalue(), mtime=0))
