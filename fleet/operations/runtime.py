"""What every operation works with: opened once a process, handed in, closed at the end."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from fleet.expressions import Jq, Scripts
from fleet.model.customizations import Customizations
from fleet.model.ids import ClusterId
from fleet.model.objects import Manifest, ObjectRef
from fleet.model.resource_settings import ResourceSettings
from fleet.model.selectors import Selector
from fleet.operations.connections import Connections
from fleet.operations.sharing import Asking, Shared
from fleet.registry.database import Database
from fleet.registry.sealing import KeyRing
from fleet.render.rendering import Renderer
from fleet.render.tools import Tools
from fleet.settings import Settings
from fleet.source import Bases, Charts, Mirrors

Key = TypeVar("Key")
Value = TypeVar("Value")

#: Objects whose last write by us is remembered; the oldest are forgotten first.
RECENT_WRITES = 50_000
#: Rendered sets kept parsed; the rest is read from PostgreSQL again.
RECENT_MANIFESTS = 512


def utc_now() -> datetime:
    """The wall clock, read here so that everything inward takes it as an argument."""
    return datetime.now(UTC)


class Recent(Generic[Key, Value]):
    """The newest entries of a mapping that would otherwise grow for ever."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: OrderedDict[Key, Value] = OrderedDict()

    def put(self, key: Key, value: Value) -> None:
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def get(self, key: Key) -> Value | None:
        found = self._entries.get(key)
        if found is not None:
            self._entries.move_to_end(key)
        return found


@dataclass(frozen=True)
class Runtime:
    """Connections, caches and settings of this process."""

    settings: Settings
    db: Database
    ring: KeyRing
    instance: UUID
    connections: Connections
    mirrors: Mirrors
    charts: Charts
    bases: Bases
    tools: Tools
    renderer: Renderer
    scripts: Scripts = field(default_factory=Scripts)
    #: by generation; one is in use, and another while it changes
    customizations: Recent[int, Customizations] = field(default_factory=lambda: Recent(2))
    jq: Jq = field(default_factory=Jq)
    #: what holds for objects of every application
    resources: ResourceSettings = ResourceSettings()
    #: what the setting alone says of that, where ``resources`` is what is in force
    configured: ResourceSettings | None = None
    #: … with what ``argocd-cm`` says above the setting, by its generation
    resources_in_force: Recent[int, ResourceSettings] = field(default_factory=lambda: Recent(2))
    now: Callable[[], datetime] = utc_now
    #: of the clusters that this process is a worker for; of all of them where it is empty
    selector: Selector = Selector()
    #: resourceVersion of our own last write, so that a watch does not take it for news
    writes: Recent[tuple[ClusterId, ObjectRef], str] = field(
        default_factory=lambda: Recent(RECENT_WRITES)
    )
    #: passes that begin, by cluster and epoch (``beginning``)
    beginnings: Asking[tuple[ClusterId, int], Any] = field(default_factory=Asking)
    #: plans of passes, and what came of them, on their way into the database
    plans: Shared = field(default_factory=Shared)
    records: Shared = field(default_factory=Shared)
    manifests: Recent[str, tuple[Manifest, ...]] = field(
        default_factory=lambda: Recent(RECENT_MANIFESTS)
    )
