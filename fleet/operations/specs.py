"""Documents as they are stored, read into specs; each text once, as long as it is in use.

A pass and a poll read the same few thousand documents again and again, and all applications
of a project its one document. Specs are frozen, so those who ask for the same text share one.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson

from fleet.model.applications import ApplicationSpec
from fleet.model.parsing import parse_application, parse_project
from fleet.model.projects import ProjectSpec

#: A spec takes a few KiB.
APPLICATIONS, PROJECTS = 2048, 64


def application_spec(document: dict[str, Any]) -> ApplicationSpec:
    """The spec of a stored Application.

    Raises:
        SpecInvalid: an earlier version of Fleet accepted what this one does not.
    """
    return _application(orjson.dumps(document))


def project_spec(document: dict[str, Any]) -> ProjectSpec:
    """The spec of a stored AppProject; raises as ``application_spec``."""
    return _project(orjson.dumps(document))


@lru_cache(maxsize=APPLICATIONS)
def _application(text: bytes) -> ApplicationSpec:
    return parse_application(orjson.loads(text)).spec


@lru_cache(maxsize=PROJECTS)
def _project(text: bytes) -> ProjectSpec:
    return parse_project(orjson.loads(text), stored=True).spec
