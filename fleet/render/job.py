"""What one render works with inside the child, and what it hands back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fleet.model.objects import Manifest
from fleet.model.renders import RenderRequest
from fleet.model.secret import MASK
from fleet.render.boundary import TreeFiles
from fleet.render.variables import Variables

MAX_WARNINGS = 50
#: Shorter ones stand in any text, and removing them would tell them.
_SHORTEST_HIDDEN = 6
MAX_INPUT_BYTES = 10 << 20  # of all manifests of a directory together, as Argo CD's default


@dataclass(frozen=True, slots=True)
class Programs:
    """Paths of the programs as the child sees them; empty when one is missing.

    ``plugin_paths`` are the folders that plugins' programs may come from.
    """

    helm: str = ""
    kubectl: str = ""
    plugin_paths: tuple[str, ...] = ()


class NotAlone(Exception):
    """The render needs a child that serves nobody else, because others' commands run in it."""


@dataclass(slots=True)
class Job:
    """One render: the request, the trees it may read, and what was noticed on the way.

    Attributes:
        scratch: a directory of this job alone, writable, empty at the start.
        shown: path on this file system → what to call it in messages.
        alone: whether the child serves this job only.
        keys_used: ids of those that something was decrypted with.
        hidden: what was decrypted, value by value.
    """

    request: RenderRequest
    programs: Programs
    scratch: Path
    tree: TreeFiles
    refs: Mapping[str, TreeFiles]
    variables: Variables
    alone: bool = False
    shown: Mapping[str, str] = field(default_factory=dict)
    keys_used: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)
    facts: set[str] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)
    manifests: list[Manifest] = field(default_factory=list)

    def warn(self, message: str) -> None:
        if len(self.warnings) < MAX_WARNINGS:
            self.warnings.append(self.without_hidden(self.scrub(message)))

    def scrub(self, text: str) -> str:
        """``text`` without the paths of this machine."""
        for path, name in self.shown.items():
            text = text.replace(path + "/", name + "/" if name else "").replace(path, name or ".")
        return text

    def without_hidden(self, text: str) -> str:
        """``text`` without what was decrypted, line by line of it: tools quote lines."""
        parts = {line.strip() for value in self.hidden for line in (value, *value.splitlines())}
        for part in sorted(parts, key=len, reverse=True):
            if len(part) >= _SHORTEST_HIDDEN:
                text = text.replace(part, MASK)
        return text

    def in_app(self, relative: str) -> str:
        """``relative`` to the source's directory, as a path of the tree."""
        return f"{self.request.source.path}/{relative}"
