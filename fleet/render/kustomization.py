"""A kustomization file as a value: what it refers to, and Argo CD's edits of it.

Pure: documents in, documents out. The edits have the effect of the ``kustomize edit``
commands that Argo CD runs (``kubectl kustomize`` has no ``edit``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fleet.errors import RenderError
from fleet.model.applications import KustomizeSource

Expand = Callable[[str], str]

#: Lists whose entries are a file or a directory with a kustomization of its own.
FILES_OR_FOLDERS = ("resources", "bases", "components", "generators", "transformers", "validators")
#: Fields whose configurations may name further files, in ways only kustomize knows.
PLUGINS = ("generators", "transformers", "validators")
#: Lists of files.
_FILES = ("crds", "configurations")
#: Lists of mappings that may name a file under ``path``.
_WITH_PATH = ("patches", "patchesJson6902", "replacements")
_TAGGED = re.compile(r"(.*):([a-zA-Z0-9._-]*|\*)")
_REMOTE = re.compile(
    r"^(?:[a-z0-9+.-]+::|[a-z][a-z0-9+.-]*://|git@|[\w.-]+@[\w.-]+:|gh:|(?:www\.)?github\.com[:/]"
    r"|gitlab\.com/|bitbucket\.org/)|\?(?:ref|version)=|//",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Reference:
    """Something that a kustomization reads.

    Attributes:
        field: where it is named, e.g. ``resources[2]``.
        must_exist: kustomize fails without it, and says so badly.
    """

    field: str
    entry: str
    may_be_folder: bool = False
    must_exist: bool = True

    @property
    def looks_remote(self) -> bool:
        return bool(_REMOTE.search(self.entry))


def references(document: Mapping[str, Any]) -> Iterator[Reference]:
    """Every file and directory that ``document`` names; inline content is left out."""
    for key in FILES_OR_FOLDERS:
        for number, entry in enumerate(_texts(document.get(key))):
            if "\n" not in entry:
                yield Reference(f"{key}[{number}]", entry, may_be_folder=True)
    for key in _FILES:
        for number, entry in enumerate(_texts(document.get(key))):
            yield Reference(f"{key}[{number}]", entry)
    for key in _WITH_PATH:
        for number, mapping in enumerate(_mappings(document.get(key))):
            if isinstance(mapping.get("path"), str) and mapping["path"]:
                yield Reference(f"{key}[{number}].path", mapping["path"])
    for number, entry in enumerate(_texts(document.get("patchesStrategicMerge"))):
        if "\n" not in entry and ": " not in entry:
            yield Reference(f"patchesStrategicMerge[{number}]", entry)
    openapi = document.get("openapi")
    if isinstance(openapi, dict) and isinstance(openapi.get("path"), str):
        yield Reference("openapi.path", openapi["path"])
    yield from _generated(document)


def _generated(document: Mapping[str, Any]) -> Iterator[Reference]:
    """The files of ConfigMap and Secret generators; ``key=path`` renames one."""
    for kind in ("configMapGenerator", "secretGenerator"):
        for number, generator in enumerate(_mappings(document.get(kind))):
            at = f"{kind}[{number}]"
            for entry in _texts(generator.get("files")):
                yield Reference(f"{at}.files", entry.partition("=")[2] or entry)
            envs = _texts(generator.get("envs"))
            for entry in [*envs, *_texts([generator.get("env")])]:
                yield Reference(f"{at}.envs", entry)


def _texts(value: Any) -> list[str]:
    return (
        [entry for entry in value if isinstance(entry, str) and entry]
        if isinstance(value, list)
        else []
    )


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def relocated(document: dict[str, Any], move: Callable[[str], str | None]) -> dict[str, Any]:
    """A copy whose directory entries are renamed by ``move`` (None: leave it)."""
    moved = dict(document)
    for key in FILES_OR_FOLDERS:
        entries = document.get(key)
        if isinstance(entries, list):
            moved[key] = [
                (move(entry) or entry) if isinstance(entry, str) else entry for entry in entries
            ]
    return moved


def edited(
    document: dict[str, Any],
    options: KustomizeSource,
    *,
    expand: Expand,
    component_exists: Callable[[str], bool],
) -> dict[str, Any]:
    """``document`` as Argo CD edits it for ``options``.

    Args:
        expand: replaces build environment variables.
        component_exists: whether a component's path leads to something.

    Raises:
        RenderError: an image or label that ``kustomize edit`` would refuse.
    """
    made = dict(document)
    names = {
        "namePrefix": options.name_prefix,
        "nameSuffix": options.name_suffix,
        "namespace": options.namespace,
    }
    made.update({key: value for key, value in names.items() if value})
    if options.images:
        made["images"] = _with_images(made.get("images"), [expand(i) for i in options.images])
    if options.replicas:
        made["replicas"] = _with_replicas(made.get("replicas"), options)
    if options.common_labels:
        _add_labels(made, {k: expand(v) for k, v in options.common_labels}, options)
    if options.common_annotations:
        replace = expand if options.common_annotations_envsubst else str
        wanted = {k: replace(v) for k, v in options.common_annotations}
        made["commonAnnotations"] = _added(
            made.get("commonAnnotations"),
            wanted,
            "annotation",
            force=options.force_common_annotations,
        )
    if options.patches:
        made["patches"] = [*(made.get("patches") or []), *options.patches]
    components = [
        entry
        for entry in options.components
        if not options.ignore_missing_components or component_exists(entry)
    ]
    if components:
        there = made.get("components") or []
        made["components"] = [*there, *(entry for entry in components if entry not in there)]
    return made


def parse_image(text: str) -> dict[str, str]:
    """``[old=]new[:tag][@digest]`` as kustomize's image entry.

    Raises:
        RenderError: neither a new name, nor a tag, nor a digest.
    """
    old, equals, new = text.partition("=")
    name, digest = (new if equals else old), ""
    name, at, digest = name.partition("@")
    tagged = _TAGGED.fullmatch(name)
    tag = ""
    if tagged and "/" not in tagged[2]:
        name, tag = tagged[1], tagged[2]
    if "=" in new or not name or not (equals or tag or at) or (equals and not old):
        raise RenderError(
            f"kustomize.images: {text!r} is no image",
            hint="Write name=new:tag, name=new@digest, name:tag or name@digest.",
        )
    image = {"name": old if equals else name, "newName": name if equals else ""}
    return {**{k: v for k, v in image.items() if v}, **_versions(tag, digest)}


def _versions(tag: str, digest: str) -> dict[str, str]:
    return {key: value for key, value in (("newTag", tag), ("digest", digest)) if value}


def _with_images(there: Any, wanted: list[str]) -> list[dict[str, Any]]:
    """The new entry replaces the one of the same name; ``*`` keeps what the old one says."""
    images = {image["name"]: image for image in map(parse_image, wanted)}
    kept = []
    for old in _mappings(there):
        new = images.get(str(old.get("name")))
        if new is None:
            kept.append(old)
            continue
        for key in ("newName", "newTag", "digest"):
            if new.get(key) == "*":
                new.pop(key)
                new.update({key: old[key]} if key in old else {})
    return sorted([*kept, *images.values()], key=lambda image: str(image.get("name")))


def _with_replicas(there: Any, options: KustomizeSource) -> list[dict[str, Any]]:
    wanted = {replica.name: replica.count for replica in options.replicas}
    kept = [entry for entry in _mappings(there) if entry.get("name") not in wanted]
    return [*kept, *({"name": name, "count": count} for name, count in wanted.items())]


def _add_labels(made: dict[str, Any], wanted: dict[str, str], options: KustomizeSource) -> None:
    force = options.force_common_labels
    if not options.label_without_selector:
        if options.label_include_templates:
            raise RenderError("kustomize.labelIncludeTemplates needs labelWithoutSelector")
        made["commonLabels"] = _added(made.get("commonLabels"), wanted, "label", force=force)
        return
    entries = [dict(entry) for entry in _mappings(made.get("labels"))]
    for entry in entries:
        templates = bool(entry.get("includeTemplates"))
        if not entry.get("includeSelectors") and templates == options.label_include_templates:
            entry["pairs"] = _added(entry.get("pairs"), wanted, "label", force=force)
            break
    else:
        entry = {"pairs": wanted, "includeSelectors": False}
        entries.append({**entry, "includeTemplates": options.label_include_templates})
    made["labels"] = entries


def _added(there: Any, wanted: dict[str, str], what: str, *, force: bool) -> dict[str, Any]:
    found = dict(there) if isinstance(there, dict) else {}
    for key in wanted:
        if key in found and not force:
            field = "forceCommonLabels" if what == "label" else "forceCommonAnnotations"
            raise RenderError(
                f"the {what} {key} is already in the kustomization file",
                hint=f"Set kustomize.{field} to overwrite it.",
            )
    return {**found, **wanted}
