"""Rendering: what is asked for, what came out, what was read on the way."""

from __future__ import annotations

from dataclasses import dataclass

from fleet.model.applications import Source
from fleet.model.decryption import DecryptionKey
from fleet.model.objects import Manifest
from fleet.model.plugins import PluginSpec
from fleet.model.secret import Secret

#: Names a file that may be there for one application alone, among the paths that a render read:
#: its name stands in for the application's, so that applications which lack it have one key.
APPLICATION_OVERRIDES = ".argocd-source-$ARGOCD_APP_NAME.yaml"


@dataclass(frozen=True, slots=True)
class SourceTree:
    """One source checked out at a revision, read-only.

    ``root`` is an absolute directory without ``.git``. ``revision`` is the full commit SHA,
    chart version or digest. For a chart, ``root`` is the unpacked chart's parent directory
    and ``path`` of the source the chart's folder in it. ``verified`` is the digest that was
    found signed as a project demands, empty where none does: a render of it is none of what
    a tag of the same name held before.
    """

    root: str
    revision: str
    url: str
    verified: str = ""


@dataclass(frozen=True, slots=True)
class FetchedBase:
    """What an entry of a kustomization that is no local path, or a URL of a file, stands for.

    ``root`` is the absolute directory of a tree, ``path`` a directory or a file in it.
    """

    entry: str
    root: str
    path: str


@dataclass(frozen=True, slots=True)
class GivenValues:
    """What an entry of ``helm.valuesFrom`` was when the cluster was asked.

    ``digest`` stands for the text, keyed, so that nobody guesses a short one by it; "" when
    there is none, which the entry allows. ``text`` is None then, and where it is not handed on.
    """

    digest: str = ""
    text: Secret | None = None


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """Render one source.

    ``refs`` maps ``$name`` of other sources of the application to their trees.
    ``kube_version`` and ``api_versions`` are the target cluster's facts. ``dependencies``
    are charts fetched beforehand, which the chart names and does not carry under ``charts/``;
    ``bases`` likewise what its kustomizations, or its value files, name and is not in the tree.
    ``plugins`` are all that are registered; ``only_paths`` of the tree are what a plugin is
    given, where the application says what it reads (else all of it). ``announces`` asks for the
    parameters that the plugin of the source knows, in place of manifests. ``key_ids`` names the
    keys that the project may decrypt with, and ``keys`` are these, once a render asked for them.
    ``values`` has one entry for each of the source's ``helm.valuesFrom``.
    """

    tree: SourceTree
    source: Source
    application: str
    namespace: str
    project: str
    kube_version: str
    api_versions: tuple[str, ...]
    refs: tuple[tuple[str, SourceTree], ...] = ()
    dependencies: tuple[tuple[str, str], ...] = ()  # (chart name, its unpacked directory)
    bases: tuple[FetchedBase, ...] = ()
    plugins: tuple[PluginSpec, ...] = ()
    only_paths: tuple[str, ...] = ()
    announces: bool = False
    key_ids: tuple[str, ...] = ()
    keys: tuple[DecryptionKey, ...] | None = None
    values: tuple[GivenValues, ...] = ()


@dataclass(frozen=True, slots=True)
class Reads:
    """What a render depended on; an unchanged answer to all of it means equal output.

    ``paths`` are files and directories relative to the tree's root ("" is the root), in
    any order, unique, with a trailing ``/`` on directories read as a whole. A path that was
    looked for and absent is listed too. The flags say which facts entered the output.
    """

    paths: tuple[str, ...]
    ref_paths: tuple[tuple[str, str], ...] = ()  # (ref name, path)
    application: bool = False
    namespace: bool = False
    project: bool = False
    revision: bool = False
    cluster: bool = False
    plugins: bool = False  # which are registered
    keys: tuple[str, ...] = ()  # ids of those that something was decrypted with


@dataclass(frozen=True, slots=True)
class RenderResult:
    """``manifests`` in the order the tool wrote them, Lists flattened, as plain JSON."""

    manifests: tuple[Manifest, ...]
    tool: str  # Directory | Kustomize | Helm | Plugin
    reads: Reads
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolVersion:
    name: str
    version: str
    path: str
    origin: str  # "PATH" | "installed" | "missing"
