"""How well is a live object, and an application made of them?

In: a whole object as the API server returned it; for an application, its resources with
their healths. Out: a ``Health``, or None where a kind has no notion of health. Never
here: I/O, a clock, an exception. A cluster may return anything, and everything gets a
verdict. The verdicts and messages of the kinds that Argo CD knows are Argo CD's.
"""

from __future__ import annotations

from fleet.health.aggregate import aggregate, counts_for_application
from fleet.health.assess import assess, is_going
from fleet.health.children import of_child
from fleet.health.scripted import from_expressions, from_script

__all__ = [
    "aggregate",
    "assess",
    "counts_for_application",
    "from_expressions",
    "from_script",
    "is_going",
    "of_child",
]
