"""Parts of a WHERE that the nouns share: what may be seen, what was asked for, what is next."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Numeric,
    Row,
    Select,
    Text,
    and_,
    any_,
    case,
    cast,
    false,
    func,
    not_,
    or_,
    true,
    tuple_,
)

from fleet.errors import NotFound, UsageError
from fleet.model.scope import Scope, Seen
from fleet.model.selectors import Operator, Requirement, Selector
from fleet.registry.database import Tx

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000

#: Names compared for "did you mean": those nearest in length, so that a fleet of ten
#: thousand does not make a typing error slow.
_MAX_CANDIDATES = 1000
_MAX_SUGGESTIONS = 3
_INTEGER_DIGITS = 10  # of an integer column, which holds a little more than two billion
_MAX_NAME_LENGTH = 300  # characters; comparing takes their square

T = TypeVar("T")

#: A row whose columns are read by name.
AnyRow: TypeAlias = "Row[*tuple[Any, ...]]"


def sees(
    seen: Seen, owner: ColumnElement[str] | None, *keys: ColumnElement[str]
) -> ColumnElement[bool]:
    """The row is of an object that may be seen; agrees with ``policy.is_seen``.

    Args:
        owner: the project that it is in, "" for none; None where its kind never is in any.
        keys: its keys, one for each name by which a rule may mean it (``key_of``).
    """
    if seen.is_all:
        return true()
    if seen.is_nothing or (seen.within and owner is None):
        return false()
    parts = [_is_any(seen, owner, keys)]
    if seen.unlike:
        parts += [not_(_finds(key, seen.unlike)) for key in keys]
    if seen.within and owner is not None:
        parts.append(owner == seen.within)
    return and_(*parts)


def _is_any(
    seen: Seen, owner: ColumnElement[str] | None, keys: Sequence[ColumnElement[str]]
) -> ColumnElement[bool]:
    if seen.everything:
        return true()
    inside = sorted(seen.projects | ({""} if seen.shared else frozenset()))
    found: list[ColumnElement[bool]] = []
    if owner is not None and inside:
        found.append(owner.in_(inside))
    if seen.like:
        found += [_finds(key, seen.like) for key in keys]
    return or_(false(), *found)


def _finds(key: ColumnElement[str], regexes: Sequence[str]) -> ColumnElement[bool]:
    return key.op("~", is_comparison=True)(any_(cast(list(regexes), ARRAY(Text))))


def key_of(project: ColumnElement[str], name: ColumnElement[str]) -> ColumnElement[str]:
    """``PROJECT/NAME``, or the name of what is in no project."""
    return case((project == "", name), else_=project.concat("/").concat(name))


def in_scope(
    scope: Scope, project: ColumnElement[str], application: ColumnElement[str]
) -> ColumnElement[bool]:
    """The row is an application's that may be seen."""
    return sees(scope.seen("applications"), project, key_of(project, application))


def project_in_scope(scope: Scope, name: ColumnElement[str]) -> ColumnElement[bool]:
    """The row is a project's that may be seen."""
    return sees(scope.seen("projects"), name, name)


def selects(selector: Selector, labels: ColumnElement[Any]) -> ColumnElement[bool]:
    """The selector as a predicate over a jsonb object; agrees with ``Selector.matches``."""
    return and_(true(), *(_requires(entry, labels) for entry in selector.requirements))


def _requires(requirement: Requirement, labels: ColumnElement[Any]) -> ColumnElement[bool]:
    value = labels.op("->>")(requirement.key)
    match requirement.operator:
        case Operator.IN:
            return value.in_(requirement.values)
        case Operator.NOT_IN:
            return or_(value.is_(None), value.not_in(requirement.values))
        case Operator.EXISTS:
            return value.is_not(None)
        case Operator.ABSENT:
            return value.is_(None)
        case Operator.GREATER | Operator.LESS:
            return _compares(requirement, value)


def _compares(requirement: Requirement, value: ColumnElement[str]) -> ColumnElement[bool]:
    """CASE, because PostgreSQL may otherwise cast before it looks whether it is a number."""
    number, wanted = cast(value, Numeric), int(requirement.values[0])
    holds = number > wanted if requirement.operator is Operator.GREATER else number < wanted
    return case((value.op("~")("^[+-]?[0-9]{1,19}$"), holds), else_=False)


def named_like(column: ColumnElement[str], part: str) -> ColumnElement[bool]:
    """``part`` occurs in the name, to the letter; "" matches everything."""
    return column.contains(part, autoescape=True) if part else true()


async def page_of(
    tx: Tx, query: Select[Any], limit: int, cursor_of: Callable[[AnyRow], str]
) -> tuple[Sequence[AnyRow], str]:
    """A page of rows, in the order of the query, and the cursor of the next ("" at the end).

    Args:
        limit: asked for; the page is held to ``MAX_LIMIT``.
        cursor_of: where a list continues that ends with this row.
    """
    size = max(1, min(limit, MAX_LIMIT))
    rows = (await tx.execute(query.limit(size + 1))).all()
    return rows[:size], cursor_of(rows[size - 1]) if len(rows) > size else ""


def time_cursor(at: datetime, id: UUID) -> str:
    """Where a list that goes by time, the newest first, continues."""
    return f"{at.isoformat()},{id}"


def before_cursor(
    at: ColumnElement[datetime], id: ColumnElement[UUID], cursor: str
) -> ColumnElement[bool]:
    """Rows that come after ``time_cursor`` in such a list.

    Raises:
        UsageError: it is no such cursor.
    """
    if not cursor:
        return true()
    when, _, which = cursor.partition(",")
    try:
        position = datetime.fromisoformat(when), UUID(which)
    except ValueError:
        raise UsageError("the cursor does not belong to this list") from None
    return tuple_(at, id) < tuple_(*position)


def number_cursor(cursor: str) -> int:
    """Where a list that goes by a number continues.

    Raises:
        UsageError: it is no number that a column could hold.
    """
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < _INTEGER_DIGITS):
        raise UsageError("the cursor does not belong to this list")
    return int(cursor)


def parts_cursor(*parts: str) -> str:
    """Where a list that goes by several texts continues."""
    return json.dumps(parts, ensure_ascii=False)


def after_parts(columns: Sequence[ColumnElement[str]], cursor: str) -> ColumnElement[bool]:
    """Rows that come after ``parts_cursor`` in such a list.

    Raises:
        UsageError: it is no such cursor.
    """
    if not cursor:
        return true()
    try:
        parts = json.loads(cursor)
    except ValueError:
        parts = None
    if not (
        isinstance(parts, list)
        and len(parts) == len(columns)
        and all(isinstance(part, str) for part in parts)
    ):
        raise UsageError("the cursor does not belong to this list")
    return tuple_(*columns) > tuple_(*parts)


async def missing(tx: Tx, kind: str, name: str, visible: Select[str]) -> NotFound:
    """The error for a name that leads nowhere, with the nearest that ``visible`` selects."""
    names = visible.selected_columns[0]
    nearest = visible.order_by(None).order_by(func.abs(func.length(names) - len(name)), names)
    found: Sequence[str] = (await tx.execute(nearest.limit(_MAX_CANDIDATES))).scalars().all()
    return NotFound(
        f"{kind} {name!r} does not exist", hint=_did_you_mean(name, found), object=f"{kind}/{name}"
    )


def _did_you_mean(name: str, candidates: Sequence[str]) -> str:
    if len(name) > _MAX_NAME_LENGTH:
        return ""
    near = difflib.get_close_matches(name, candidates, n=_MAX_SUGGESTIONS)
    if not near:
        return ""
    return f"Did you mean {', '.join(repr(entry) for entry in near)}?"
