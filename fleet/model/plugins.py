"""Config management plugins: what an administrator lets render sources (Argo CD's
``ConfigManagementPlugin``). Fields and rules: ``features.md`` §1.1.

The commands come from here alone; a repository only says which plugin it wants.
"""

from __future__ import annotations

from dataclasses import dataclass

from fleet.model.documents import ARGO_API_VERSION, kept, open_document, read_metadata
from fleet.model.objects import Manifest
from fleet.model.reading import Fields

KIND = "ConfigManagementPlugin"
_COLLECTIONS = ("", "string", "array", "map")


@dataclass(frozen=True, slots=True)
class Discovery:
    """How to tell that a plugin is for a directory: at most one of the three is set."""

    file_name: str = ""  # a glob of one file, relative to the directory
    glob: str = ""  # the same, with ``**`` for any depth
    command: tuple[str, ...] = ()  # prints something when it is


@dataclass(frozen=True, slots=True)
class AnnouncedParameter:
    """A parameter that the plugin knows: for people and forms, nothing is filled in from it."""

    name: str
    title: str = ""
    tooltip: str = ""
    required: bool = False
    item_type: str = ""
    collection_type: str = ""
    string: str | None = None
    array: tuple[str, ...] | None = None
    map: tuple[tuple[str, str], ...] | None = None


@dataclass(frozen=True, slots=True)
class PluginSpec:
    """``name`` is what sources say: the document's, with ``-`` and its version if it has one.
    Commands are whole, arguments included."""

    name: str
    generate: tuple[str, ...]
    init: tuple[str, ...] = ()
    discovery: Discovery | None = None
    announced: tuple[AnnouncedParameter, ...] = ()
    announce: tuple[str, ...] = ()
    keeps_file_modes: bool = False


@dataclass(frozen=True)
class Plugin:
    """A parsed ConfigManagementPlugin and the document it came from."""

    spec: PluginSpec
    document: Manifest
    warnings: tuple[str, ...] = ()


def parse_plugin(doc: Manifest, *, file: str = "", line: int = 0) -> Plugin:
    """Raises:
    SpecInvalid: names file, line and field path of the first thing that is wrong.
    """
    top, origin = open_document(doc, ARGO_API_VERSION, KIND, file=file, line=line)
    metadata = read_metadata(top, KIND)
    fields = top.child("spec", required=True)
    assert fields is not None
    version = fields.text("version")
    parameters = fields.child("parameters")
    spec = PluginSpec(
        name=f"{metadata.name}-{version}" if version else metadata.name,
        generate=_command(fields, "generate", required=True),
        init=_command(fields, "init"),
        discovery=_discovery(fields.child("discover")),
        announced=_announced(parameters),
        announce=_command(parameters, "dynamic") if parameters else (),
        keeps_file_modes=fields.flag("preserveFileMode"),
    )
    if fields.flag("provideGitCreds"):
        fields.warn("provideGitCreds", "not used: a render has no network and no credentials")
    if parameters:
        parameters.finish()
    fields.finish()
    top.ignore("status")
    top.finish()
    return Plugin(spec, kept(doc), tuple(origin.warnings))


def _command(fields: Fields, key: str, *, required: bool = False) -> tuple[str, ...]:
    child = fields.child(key, required=required)
    if child is None:
        return ()
    words = child.texts("command") + child.texts("args")
    child.finish()
    return _checked_command(fields, key, words)


def _checked_command(fields: Fields, key: str, words: tuple[str, ...]) -> tuple[str, ...]:
    if not words or not words[0]:
        raise fields.invalid(f"{key}.command", "is required")
    if any("\0" in word for word in words):
        raise fields.invalid(f"{key}.command", "holds a zero byte")
    program = words[0]
    if "/" in program and not program.startswith("/"):
        raise fields.invalid(
            f"{key}.command",
            f"{program} is a relative path, which would be one of the repository",
            hint="Name a program of the setting plugin_paths, or its absolute path.",
        )
    return words


def _discovery(fields: Fields | None) -> Discovery | None:
    if fields is None:
        return None
    find = fields.child("find")
    glob = ""
    words: tuple[str, ...] = ()
    if find is not None:
        glob = find.text("glob")
        if find.has("command"):
            words = _checked_command(find, "", find.texts("command") + find.texts("args"))
        find.finish()
    made = Discovery(fields.text("fileName"), glob, words)
    given = [part for part in (made.file_name, made.glob, made.command) if part]
    if len(given) > 1:
        raise fields.invalid("find", "is given together with another rule; use one")
    fields.finish()
    return made if given else None


def _announced(fields: Fields | None) -> tuple[AnnouncedParameter, ...]:
    if fields is None:
        return ()
    return tuple(read_announced(item) for item in fields.children("static"))


def read_announced(fields: Fields) -> AnnouncedParameter:
    """One entry of ``parameters.static``, or of what the dynamic command prints.

    Raises:
        SpecInvalid: no name, or a field that is not what it has to be.
    """
    collection = fields.text("collectionType")
    if collection not in _COLLECTIONS:
        raise fields.invalid("collectionType", f"{collection!r} is none of string, array and map")
    made = AnnouncedParameter(
        name=fields.text("name", required=True),
        title=fields.text("title"),
        tooltip=fields.text("tooltip"),
        required=fields.flag("required"),
        item_type=fields.text("itemType"),
        collection_type=collection,
        string=fields.text("string") if fields.has("string") else None,
        array=fields.texts("array") if fields.has("array") else None,
        map=fields.text_map("map") if fields.has("map") else None,
    )
    fields.finish()
    return made
