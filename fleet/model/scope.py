"""What a caller may see. Every query takes one; it becomes its WHERE."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Seen:
    """Which objects of one kind may be seen: those that one part allows, and none of
    ``unlike`` names. An object's key is ``PROJECT/NAME`` where it is in a project, else its
    name. The regular expressions are ones that RE2 and PostgreSQL read alike.

    Attributes:
        projects: whatever is in these.
        shared: whatever is in none.
        like: what has a key in which one of these is found.
        within: nothing that is outside of this project; "" for no such bound.
    """

    everything: bool = False
    projects: frozenset[str] = frozenset()
    shared: bool = False
    like: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()
    within: str = ""

    @property
    def is_all(self) -> bool:
        return self.everything and not self.unlike and not self.within

    @property
    def is_nothing(self) -> bool:
        return not (self.everything or self.projects or self.shared or self.like)


ALL = Seen(everything=True)
NOTHING = Seen()

#: What may be in no project, and is then open to all projects.
_SHARED_KINDS = frozenset({"clusters", "repositories"})
_PROJECT_KINDS = _SHARED_KINDS | {"applications", "projects"}
#: Public keys of no project.
_OPEN_KINDS = frozenset({"certificates"})
#: ``Scope.seen`` of the applications that may be changed, and so moved to another project.
MOVABLE = "applications/update"


@dataclass(frozen=True, slots=True)
class Scope:
    """What may be seen, kind by kind.

    ``projects`` None means everything; else whatever is in these projects, and what they
    share: the empty set means nothing. There is no default: a caller that forgot to decide
    does not compile. ``by_kind``, if given, decides instead.
    """

    projects: frozenset[str] | None
    by_kind: Mapping[str, Seen] | None = field(default=None, hash=False)

    def seen(self, kind: str) -> Seen:
        """Of ``kind``, in the words of RBAC policies: ``applications``, ``clusters``, ...;
        or ``MOVABLE``."""
        if self.projects is None:
            return ALL
        if self.by_kind is not None:
            return self.by_kind.get(kind, NOTHING)
        if kind in _OPEN_KINDS:
            return ALL if self.projects else NOTHING
        if kind not in _PROJECT_KINDS and kind != MOVABLE:
            return NOTHING
        return Seen(projects=self.projects, shared=bool(self.projects) and kind in _SHARED_KINDS)


#: For the daemon's own work and for administrators. A request handler never uses it:
#: it asks ``policy.Rights``.
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
