"""Expressions and scripts that users write, evaluated where they can do no harm.

In: an expression and an object. Out: what it says of the object, or why it cannot be told.
Never here: an expression evaluated in this process (it cannot be interrupted, and reads the
environment), a child that outlives its parent, an answer without a bound on its size.
"""

from __future__ import annotations

from fleet.expressions.jq import Answer, Jq, JqPath, Question
from fleet.expressions.keeping import Limits
from fleet.expressions.scripts import Scripts, Told

__all__ = ["Answer", "Jq", "JqPath", "Limits", "Question", "Scripts", "Told"]
