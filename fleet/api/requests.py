"""What requests have in common: bodies that know their fields, pages, secrets."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr
from pydantic.alias_generators import to_camel

from fleet.model.secret import Secret
from fleet.registry.selection import DEFAULT_LIMIT, MAX_LIMIT

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Items of one page.")]
After = Annotated[str, Query(max_length=2048, description="`next` of the page before.")]
PAGE = DEFAULT_LIMIT


class Body(BaseModel):
    """A JSON body: keys in camelCase, and none that is not known."""

    model_config = ConfigDict(
        extra="forbid", alias_generator=to_camel, populate_by_name=False, frozen=True
    )


class Nothing(Body):
    """A body with nothing in it: ``{}``."""


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("needs a time zone, e.g. 2026-05-04T12:00:00Z")
    return moment.astimezone(UTC)


#: RFC 3339 with a time zone.
Moment = Annotated[datetime, AfterValidator(_in_utc)]

#: A JSON object that another room reads.
Document = dict[str, Any]


def secret(given: SecretStr | None) -> Secret | None:
    """A credential from a body; "" counts as not given."""
    text = given.get_secret_value() if given is not None else ""
    return Secret(text) if text else None
