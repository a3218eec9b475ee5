"""What a caller may see. Every query takes one; it becomes its WHERE."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """Projects whose things may be seen; clusters and repositories follow their projects.

    ``projects`` None means everything; the empty set means nothing. There is no default:
    a caller that forgot to decide does not compile.
    """

    projects: frozenset[str] | None

    @property
    def sees_everything(self) -> bool:
        return self.projects is None


#: For the daemon's own work and for administrators. A request handler never uses it:
#: it asks ``policy.scope_of(subject)``.
EVERYTHING = Scope(projects=None)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: a named account, ``local:<os user>``, or Fleet itself (``fleet:<part>``)."""

    name: str
    source_ip: str = ""
    request_id: str = ""
    role: str = "readonly"

    @property
    def is_local(self) -> bool:
        """Whoever runs the program where there is nothing to sign in to: without an account."""
        return self.name.startswith("local:")


#: Fleet acting by itself: auto-sync, self-heal, polling.
FLEET = Actor(name="fleet:controller", role="admin")
