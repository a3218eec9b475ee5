"""The query parameters of writes, and ``DeleteOptions``."""

from __future__ import annotations

from collections.abc import Iterator

from fleet.embedded.sandbox.requests import Request
from fleet.embedded.sandbox.statuses import (
    Cause,
    forbidden_field,
    invalid_options,
    required_field,
    too_long,
    unsupported_value,
)

_VALIDATIONS = ("", "Ignore", "Strict", "Warn")
_LONGEST_MANAGER = 128


def check_options(request: Request, kind: str, *, applying: bool = False) -> None:
    """Refuse parameters that make no sense.

    Raises:
        ApiError: some do not.
    """
    if not request.query and not applying:
        return
    causes = list(_wrong(request, applying=applying, patching=kind == "PatchOptions"))
    if causes:
        raise invalid_options(kind, causes)


def _wrong(request: Request, *, applying: bool, patching: bool) -> Iterator[Cause]:
    query = request.query
    manager = query.get("fieldManager") or ""
    if applying and not manager:
        yield required_field("fieldManager", "is required for apply patch")
    if patching and not applying and "force" in query:
        yield forbidden_field("force", "may not be specified for non-apply patch")
    if len(manager) > _LONGEST_MANAGER:
        yield too_long("fieldManager", _LONGEST_MANAGER)
    dry = query.get("dryRun")
    if dry not in {None, "", "All"}:
        yield unsupported_value("dryRun", [dry], ["All"])
    validation = query.get("fieldValidation") or ""
    if validation not in _VALIDATIONS:
        yield unsupported_value("fieldValidation", validation, _VALIDATIONS)
