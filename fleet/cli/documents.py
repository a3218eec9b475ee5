"""Files of YAML documents on the command line: which they are, what is in them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from fleet.errors import Place, SpecInvalid, UsageError

SUFFIXES = (".yaml", ".yml", ".json")


def documents_of(names: Iterable[str], *, recursive: bool) -> list[dict[str, Any]]:
    """``{"document", "file", "line"}`` of each document in files, folders and ``-`` (stdin).

    Raises:
        UsageError: a file that cannot be read, or nothing to read.
        SpecInvalid: no YAML, or a document that is no object; names file and line.
    """
    found = [
        {"document": document, "file": name, "line": line}
        for name, content in _contents(names, recursive=recursive)
        for line, document in _parsed(content, name)
    ]
    if not found:
        raise UsageError("there are no documents in what was given")
    return found


def one_document(name: str) -> dict[str, Any]:
    """The one document of a file, or of ``-``."""
    found = documents_of([name], recursive=False)
    if len(found) > 1:
        raise UsageError(f"{name}: holds {len(found)} documents; use `fleet apply -f {name}`")
    document: dict[str, Any] = found[0]["document"]
    return document


def parsed_text(text: str, name: str) -> dict[str, Any]:
    """The one document of an edited text."""
    found = [document for _, document in _parsed(text.encode(), name)]
    if len(found) != 1:
        raise UsageError(f"{name}: one document is expected, there are {len(found)}")
    return found[0]


def _parsed(content: bytes, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    from fleet.render.yaml import documents_with_lines

    for line, document in documents_with_lines(content, name):
        if document is None:
            continue
        if not isinstance(document, dict):
            raise SpecInvalid("the document is not an object", place=Place(name, line))
        yield line, document


def _contents(names: Iterable[str], *, recursive: bool) -> Iterator[tuple[str, bytes]]:
    for name in names:
        if name == "-":
            yield "stdin", _limited(sys.stdin.buffer)
            continue
        path = Path(name).expanduser()
        for file in _files(path, recursive=recursive) if path.is_dir() else [path]:
            try:
                with file.open("rb") as stream:
                    yield str(file), _limited(stream)
            except OSError as error:
                raise UsageError(f"{file}: cannot be read: {error.strerror}") from None


def _files(folder: Path, *, recursive: bool) -> list[Path]:
    """In the order of their names, so that a run can be repeated."""
    inside = folder.rglob("*") if recursive else folder.iterdir()
    files = sorted(it for it in inside if it.suffix in SUFFIXES and it.is_file())
    if not files:
        below = "" if recursive else "; -R looks into its folders too"
        raise UsageError(f"{folder}: has no {', '.join(SUFFIXES)} files{below}")
    return files


def _limited(stream: Any) -> bytes:
    """At most a byte more than the loader accepts: it then refuses without the rest being read."""
    from fleet.render.yaml import MAX_BYTES

    content: bytes = stream.read(MAX_BYTES + 1)
    return content
