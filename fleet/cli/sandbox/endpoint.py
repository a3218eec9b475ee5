"""Where the control endpoint of a sandbox is, in a file that only its owner reads."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit

from fleet.cli.sandbox.place import Place, write_private


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address, the authority that vouches for it, and the token that it wants."""

    url: str
    ca: str
    token: str = field(repr=False)

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    def write(self, place: Place) -> None:
        """Keep it for the commands that follow, and its port for the next start."""
        write_private(place.endpoint, json.dumps(asdict(self)) + "\n")


def read_endpoint(place: Place) -> Endpoint | None:
    """What was written last; None when there is nothing, or nothing whole."""
    try:
        return Endpoint(**json.loads(place.endpoint.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
