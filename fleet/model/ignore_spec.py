"""Reading a rule of ``ignoreDifferences``, of an application or of the system's settings."""

from __future__ import annotations

from fleet.model.applications import IgnoreDifference
from fleet.model.reading import Fields


def read_ignore(fields: Fields, about: tuple[str, str] | None = None) -> IgnoreDifference:
    """The rule in a mapping.

    Args:
        about: group and kind, where the mapping does not say itself what it is about.

    Raises:
        SpecInvalid: a field of another type, no kind, or a pointer that is none.
    """
    group, kind = about or (fields.text("group"), fields.text("kind", required=True))
    rule = IgnoreDifference(
        group=group,
        kind=kind,
        name="" if about else fields.text("name"),
        namespace="" if about else fields.text("namespace"),
        json_pointers=fields.texts("jsonPointers"),
        jq_path_expressions=fields.texts("jqPathExpressions"),
        managed_fields_managers=fields.texts("managedFieldsManagers"),
    )
    for index, pointer in enumerate(rule.json_pointers):
        if pointer and not pointer.startswith("/"):
            raise fields.invalid(f"jsonPointers[{index}]", "must begin with '/' (RFC 6901)")
    fields.finish()
    return rule
