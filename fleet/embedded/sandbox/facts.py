"""Tables of facts about the built-in types, written as text: one line a model, more where needed.

The generated models of the ``kubernetes`` package know names, types and descriptions. The rest is
in ``mergefacts``, ``valuefacts`` and ``zerofacts``; integration tests compare all three with a
real API server.
"""

from __future__ import annotations


def by_model(table: str) -> dict[str, dict[str, str]]:
    """Read lines of ``Model field:detail field …``: model → field → detail, or "".

    A field that is named twice has both details, joined by ``|``.
    """
    read: dict[str, dict[str, str]] = {}
    for line in table.split("\n"):
        if not line:
            continue
        model, *fields = line.split()
        read.setdefault(model, {})
        for field in fields:
            name, _, detail = field.partition(":")
            before = read[model].get(name)
            read[model][name] = f"{before}|{detail}" if before else detail
    return read
