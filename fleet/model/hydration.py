"""What a hydrator writes to a branch, as Argo CD lays it out. Pure.

``manifest.yaml`` is what is applied. ``hydrator.metadata`` and ``README.md`` say where it came
from; they are written when a manifest changes, and never decide whether one did.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from fleet.errors import Place, SpecInvalid
from fleet.model.argo_settings import SETTINGS

MANIFEST = "manifest.yaml"
METADATA = "hydrator.metadata"
README = "README.md"
SUBJECT_LENGTH = 200
#: Keys of ``argocd-cm``, and who commits where they say nothing.
AUTHOR_KEYS = {"commit.author.name": "Fleet", "commit.author.email": "fleet@localhost"}
#: What no line of a commit may hold, and more than anybody is called.
_NOT_IN_AUTHOR = re.compile(r"[<>\x00-\x1f\x7f]|.{201}|^\s*$")


class HydrationPhase(StrEnum):
    """Argo CD's words for where a hydration stands."""

    HYDRATING = "Hydrating"
    HYDRATED = "Hydrated"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class DryCommit:
    """The commit that was rendered. Its author wrote ``author`` and ``subject``: they are
    shown, and nothing follows from them.

    Attributes:
        seconds: when it was committed, since 1970, UTC.
        date: the same, as people read it.
    """

    repo_url: str
    sha: str
    author: str
    subject: str
    seconds: int
    date: str


@dataclass(frozen=True, slots=True)
class Folder:
    """One application's folder on the branch."""

    path: str
    application: str
    dry_path: str
    manifests: bytes


def author_of(settings: Mapping[str, str]) -> str:
    """Who commits, as git writes it.

    Args:
        settings: the data of ``argocd-cm``.

    Raises:
        SpecInvalid: a name or an address that git would not take.
    """
    found = {key: settings.get(key, default) for key, default in AUTHOR_KEYS.items()}
    for key, value in found.items():
        if _NOT_IN_AUTHOR.search(value):
            raise SpecInvalid(
                "is empty, too long, or holds what no author of a commit has",
                place=Place(field=f"data.{key}"),
                object=f"ConfigMap/{SETTINGS}",
            )
    name, address = found.values()
    return f"{name} <{address}>"


def message_of(commit: DryCommit) -> str:
    """Of the commit that is made of a dry one. The trailer names that one in full."""
    title = f"{commit.sha[:7]}: {commit.subject}" if commit.subject else commit.sha[:7]
    return f"{title}\n\nFleet-Dry-Repository: {commit.repo_url}\nFleet-Dry-Sha: {commit.sha}\n"


def files_of(commit: DryCommit, folders: Sequence[Folder]) -> Mapping[str, bytes]:
    """Path → content: of every folder, and what the root says of the whole branch."""
    metadata = _metadata(commit)
    files = {METADATA: metadata, README: _text(_ROOT.format(**_names(commit)))}
    for folder in folders:
        about = _FOLDER.format(app=folder.application, path=folder.dry_path, **_names(commit))
        files[f"{folder.path}/{MANIFEST}"] = folder.manifests
        files[f"{folder.path}/{METADATA}"] = metadata
        files[f"{folder.path}/{README}"] = _text(about)
    return files


def _metadata(commit: DryCommit) -> bytes:
    found = {
        "repoURL": commit.repo_url,
        "drySha": commit.sha,
        "author": commit.author,
        "date": commit.date,
        "subject": commit.subject,
    }
    return _text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")


def _names(commit: DryCommit) -> dict[str, str]:
    return {"url": commit.repo_url, "sha": commit.sha}


def _text(text: str) -> bytes:
    return text.encode(errors="replace")


_ROOT = """# Rendered manifests

This branch is written by Fleet. What is changed here by hand is overwritten when its source
changes: change the source.

- repository: `{url}`
- commit: `{sha}`
"""
_FOLDER = """# {app}

`manifest.yaml` was rendered by Fleet. To change it, change its source:

- repository: `{url}`
- commit: `{sha}`
- path: `{path}`
"""
