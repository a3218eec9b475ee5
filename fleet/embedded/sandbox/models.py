"""The generated models of the ``kubernetes`` package, read as text.

Importing them would take seconds and hundreds of megabytes for a thousand classes. What is
needed of a model is in the lines of its fields, one line each.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_FIELD = re.compile(r"^    (\w+): (.+?)(?: = (.*))?$", re.MULTILINE)
_NAME = re.compile(r'\balias="([^"]+)"|serialization_alias="([^"]+)"')
_DESCRIPTION = re.compile(r'description=("(?:[^"\\]|\\.)*")')
_CLASS = re.compile(r'^class \w+\(BaseModel\):\n    """\n(.*?)\n\n    Attributes:', re.M | re.S)


@dataclass(frozen=True, slots=True)
class ModelField:
    """One field: its name in JSON, its annotation without ``Optional``, and the raw rest."""

    name: str
    annotation: str
    required: bool
    rest: str

    @property
    def description(self) -> str:
        """What the API documentation says, or ""."""
        found = _DESCRIPTION.search(self.rest)
        return str(ast.literal_eval(found.group(1))) if found else ""


def file_name(model: str) -> str:
    """The generator's file for a class: ``V1PodSpec`` → ``v1_pod_spec.py``."""
    words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", model)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", words).lower() + ".py"


@cache
def _folder() -> Path:
    spec = find_spec("kubernetes")
    assert spec
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "client" / "models"


def has_model(model: str) -> bool:
    """Is there such a class?"""
    return (_folder() / file_name(model)).is_file()


def _text(model: str) -> str:
    return (_folder() / file_name(model)).read_text(encoding="utf-8")


def read_fields(model: str) -> Iterator[ModelField]:
    """The fields of a model.

    Raises:
        FileNotFoundError: the package has no such model.
    """
    body = _text(model).partition("(BaseModel):")[2].partition("    openapi_types: ClassVar")[0]
    for attribute, annotation, rest in _FIELD.findall(body):
        options = rest.partition("description=")[0]
        names = _NAME.findall(options)
        optional = annotation.startswith("Optional[")
        yield ModelField(
            name=next((written for _, written in names if written), "")
            or next((alias for alias, _ in names if alias), attribute),
            annotation=annotation[len("Optional[") : -1] if optional else annotation,
            required=not (optional or options.startswith(("None", "Field(default="))),
            rest=rest,
        )


def describe(model: str) -> str:
    """What the API documentation says about a model as a whole."""
    found = _CLASS.search(_text(model))
    return found.group(1).strip() if found else ""
