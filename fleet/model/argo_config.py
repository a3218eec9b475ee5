"""``argocd-cm``: of its keys those that Fleet acts on are kept, as they are written."""

from __future__ import annotations

from dataclasses import dataclass

from fleet.model.customizations import is_customization
from fleet.model.documents import open_document, read_metadata
from fleet.model.objects import Manifest

CONFIG_NAME = "argocd-cm"


@dataclass(frozen=True)
class ArgoConfig:
    """``document`` holds name and data, and nothing else of the ConfigMap."""

    name: str
    data: dict[str, str]
    warnings: tuple[str, ...] = ()

    @property
    def document(self) -> Manifest:
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": self.name},
            "data": self.data,
        }


def config_name_of(doc: object) -> str:
    """The name of a document that may be anything; "" for one that has none."""
    metadata = doc.get("metadata") if isinstance(doc, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""


def parse_argocd_config(doc: Manifest, *, file: str = "", line: int = 0) -> ArgoConfig:
    """Raises:
    SpecInvalid: wrong in itself. What the values say is read by whoever acts on them.
    """
    top, origin = open_document(doc, "v1", "ConfigMap", file=file, line=line)
    metadata = read_metadata(top, "ConfigMap")
    data = dict(top.text_map("data"))
    kept = {key: text for key, text in data.items() if is_customization(key)}
    for key in sorted(data.keys() - kept.keys()):
        origin.warn(f"data.{key}", "is not read, and not kept")
    return ArgoConfig(metadata.name, kept, tuple(origin.warnings))
