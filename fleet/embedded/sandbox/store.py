"""One cluster's objects, their versions, and what happened to them lately.

No I/O and no threads. Objects are kept as JSON, split into metadata and the rest: that is a
fifth of the memory of dictionaries, answers copy bytes, and what is read is the reader's own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, cast

import orjson

from fleet.embedded.sandbox.kinds import Kind, Kinds
from fleet.embedded.sandbox.objects import Object, meta_of, name_of, namespace_of

HISTORY_EVENTS = 1000
HISTORY_BYTES = 256 << 10

Storage = tuple[str, str]


class Expired(Exception):
    """The history does not reach back to that version; it was compacted since."""

    def __init__(self, version: int, oldest: int) -> None:
        super().__init__(f"too old resource version: {version} ({oldest})")
        self.version = version
        self.oldest = oldest


class Entry:
    """An object as it is kept: ``head`` + ``meta`` + ``rest`` is its JSON."""

    __slots__ = ("head", "meta", "rest", "version")

    def __init__(self, version: int, head: bytes, meta: bytes, rest: bytes) -> None:
        self.version = version
        self.head = head
        self.meta = meta
        self.rest = rest

    @property
    def size(self) -> int:
        """Bytes that this entry alone accounts for."""
        return len(self.meta) + len(self.rest)

    def json(self) -> bytes:
        """The whole object."""
        return b"%b%b%b" % (self.head, self.meta, self.rest)

    def object(self) -> Object:
        """The whole object, decoded anew: the caller's own."""
        return cast("Object", orjson.loads(self.json()))

    def metadata(self) -> Object:
        """The metadata alone, decoded anew."""
        return cast("Object", orjson.loads(self.meta))


# The names of lists, as ``Store.list`` hides the word inside that class.
Keyed = list[tuple[str, Entry]]
Objects = list[Object]
Owned = list[tuple[Kind, Object]]


class Event:
    """One write. ``entry`` is what was written, or what was deleted, in the new version."""

    __slots__ = ("before", "deleted", "entry", "key", "kind")

    def __init__(
        self, kind: Kind, key: str, entry: Entry, before: Entry | None, *, deleted: bool
    ) -> None:
        self.kind = kind
        self.key = key
        self.entry = entry
        self.before = before
        self.deleted = deleted

    @property
    def type(self) -> str:
        """ADDED, MODIFIED or DELETED."""
        if self.deleted:
            return "DELETED"
        return "MODIFIED" if self.before else "ADDED"

    @property
    def version(self) -> int:
        """The version that this write made."""
        return self.entry.version

    @property
    def object(self) -> Object:
        """What was written or deleted."""
        return self.entry.object()

    @property
    def old(self) -> Object | None:
        """What was there before."""
        return self.before.object() if self.before else None


Events = list[Event]


class Shelf:
    """The objects of one kind by ``namespace/name``, in the order of these keys."""

    __slots__ = ("_order", "entries")

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self._order: list[str] | None = None

    def set(self, key: str, entry: Entry) -> None:
        """Keep ``entry``."""
        if key not in self.entries:
            self._order = None
        self.entries[key] = entry

    def pop(self, key: str) -> None:
        """Keep it no longer."""
        del self.entries[key]
        self._order = None

    def keys(self, namespace: str = "") -> list[str]:
        """The keys in order, of one namespace or of all."""
        if self._order is None:
            self._order = sorted(self.entries)
        if not namespace:
            return self._order
        first = bisect_left(self._order, f"{namespace}/")
        return self._order[first : bisect_left(self._order, f"{namespace}0")]  # "0" is "/" + 1


_HEADS: dict[Kind, bytes] = {}


def head_of(kind: Kind) -> bytes:
    """The JSON of an object of this kind up to its metadata."""
    head = _HEADS.get(kind)
    if head is None:
        words = orjson.dumps({"kind": kind.kind, "apiVersion": kind.api_version})
        head = words[:-1] + b',"metadata":'
        if kind.custom is None:
            _HEADS[kind] = head
    return head


def key_of(namespace: str, name: str) -> str:
    """Where an object is kept among those of its kind."""
    return f"{namespace}/{name}"


def packed(kind: Kind, obj: Object, version: int) -> Entry:
    """``obj`` as it is kept in this version."""
    meta = orjson.dumps({**meta_of(obj), "resourceVersion": str(version)})
    rest = {k: it for k, it in obj.items() if k not in {"apiVersion", "kind", "metadata"}}
    tail = b"," + orjson.dumps(rest)[1:] if rest else b"}"
    return Entry(version, head_of(kind), meta, tail)


class Store:
    """One cluster's objects.

    Kinds that are versions of one another share a place (``Kind.storage``); what is put and
    what is read is of the stored version, whichever kind names the place.
    """

    __slots__ = (
        "_dependents",
        "_history",
        "_history_bytes",
        "_shelves",
        "_watchers",
        "compacted",
        "kinds",
        "listeners",
        "version",
    )

    def __init__(self, kinds: Kinds | None = None) -> None:
        self.kinds = kinds or Kinds()
        #: The version of the newest write.
        self.version = 1
        #: Writes up to this version are no longer in the history.
        self.compacted = 1
        #: Called after each write, in order; they may write themselves.
        self.listeners: list[Callable[[Store, Event], None]] = []
        self._shelves: dict[Storage, Shelf] = {}
        self._history: deque[Event] = deque()
        self._history_bytes = 0
        self._watchers: dict[Storage, list[Callable[[Event], None]]] = {}
        self._dependents: dict[str, set[tuple[Storage, str]]] = {}

    # ---- reading

    def entry(self, kind: Kind, namespace: str, name: str) -> Entry | None:
        """The object as it is kept."""
        shelf = self._shelves.get(kind.storage)
        return shelf.entries.get(key_of(namespace, name)) if shelf else None

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """The object, decoded anew, or None."""
        entry = self.entry(kind, namespace, name)
        return entry.object() if entry else None

    def entries(self, kind: Kind, namespace: str = "") -> Keyed:
        """Key and entry of every object, in the order of their keys."""
        shelf = self._shelves.get(kind.storage)
        if shelf is None:
            return []
        return [(key, shelf.entries[key]) for key in shelf.keys(namespace)]

    def list(self, kind: Kind, namespace: str = "") -> Objects:
        """Every object of the kind, or of the kind in one namespace, in order of their keys."""
        return [entry.object() for _, entry in self.entries(kind, namespace)]

    def count(self, kind: Kind, namespace: str = "") -> int:
        """How many ``list`` would give."""
        shelf = self._shelves.get(kind.storage)
        return len(shelf.keys(namespace)) if shelf else 0

    def dependents(self, uid: str) -> Owned:
        """The objects that name this UID as an owner."""
        found = []
        for storage, key in sorted(self._dependents.get(uid, ())):
            kind = self.kinds.stored(storage)
            if kind is not None:
                found.append((kind, self._shelves[storage].entries[key].object()))
        return found

    def has_dependents(self, uid: str) -> bool:
        """Whether some object names this UID as an owner."""
        return uid in self._dependents

    def snapshot(self, kind: Kind, version: int) -> dict[str, Entry]:
        """The objects of the kind as they were at ``version``, by key.

        Raises:
            Expired: the history does not reach back that far.
        """
        shelf = self._shelves.get(kind.storage)
        found = dict(shelf.entries) if shelf else {}
        for event in reversed(self.events(kind, version)):
            if event.before is None:
                found.pop(event.key, None)
            else:
                found[event.key] = event.before
        return found

    # ---- writing

    def put(self, kind: Kind, obj: Object) -> Object:
        """Write ``obj`` with a new version; when nothing but the version differs, nothing is
        written. Returns what is stored."""
        stored = self.kinds.kept_as(kind)
        shelf = self._shelves.get(stored.storage)
        if shelf is None:
            shelf = self._shelves[stored.storage] = Shelf()
        key = key_of(namespace_of(obj), name_of(obj))
        before = shelf.entries.get(key)
        if before is not None and _same(before, packed(stored, obj, before.version)):
            return before.object()
        self.version += 1
        entry = packed(stored, obj, self.version)
        shelf.set(key, entry)
        self._index(stored.storage, key, before, entry)
        self._tell(Event(stored, key, entry, before, deleted=False))
        return with_version(obj, stored, entry.version)

    def remove(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """Delete it for good, whatever its finalizers. Returns it in its last version."""
        shelf = self._shelves.get(kind.storage)
        key = key_of(namespace, name)
        before = shelf.entries.get(key) if shelf else None
        if shelf is None or before is None:
            return None
        stored = self.kinds.kept_as(kind)
        self.version += 1
        obj = before.object()
        entry = packed(stored, obj, self.version)
        entry.rest = before.rest
        shelf.pop(key)
        self._index(stored.storage, key, before, None)
        self._tell(Event(stored, key, entry, before, deleted=True))
        return with_version(obj, stored, entry.version)

    def load(self, kind: Kind, key: str, entry: Entry) -> None:
        """Take over an entry that was kept elsewhere; nobody is told."""
        shelf = self._shelves.setdefault(kind.storage, Shelf())
        self._index(kind.storage, key, shelf.entries.get(key), entry)
        shelf.set(key, entry)
        self.version = max(self.version, entry.version)

    # ---- what happened

    def events(self, kind: Kind, since: int) -> Events:
        """The writes to this kind after version ``since``, oldest first.

        Raises:
            Expired: some of them are no longer known.
        """
        if since < self.compacted:
            raise Expired(since, self.compacted)
        found = []
        for event in reversed(self._history):
            if event.version <= since:
                break
            if event.kind.storage == kind.storage:
                found.append(event)
        found.reverse()
        return found

    def compact(self) -> None:
        """Forget the history up to now."""
        self._history.clear()
        self._history_bytes = 0
        self.compacted = self.version

    def subscribe(self, kind: Kind, tell: Callable[[Event], None]) -> Callable[[], None]:
        """Call ``tell`` for each later write to this kind, until the result is called."""
        watchers = self._watchers.setdefault(kind.storage, [])
        watchers.append(tell)

        def stop() -> None:
            watchers.remove(tell)
            if not watchers and self._watchers.get(kind.storage) is watchers:
                del self._watchers[kind.storage]

        return stop

    def all_entries(self) -> Iterator[tuple[Storage, str, Entry]]:
        """Everything there is."""
        for storage, shelf in self._shelves.items():
            for key, entry in shelf.entries.items():
                yield storage, key, entry

    def _tell(self, event: Event) -> None:
        self._history.append(event)
        self._history_bytes += event.entry.size
        while len(self._history) > HISTORY_EVENTS or self._history_bytes > HISTORY_BYTES:
            oldest = self._history.popleft()
            self._history_bytes -= oldest.entry.size
            self.compacted = oldest.version
        for tell in tuple(self._watchers.get(event.kind.storage, ())):
            tell(event)
        for listener in tuple(self.listeners):
            listener(self, event)

    def _index(self, storage: Storage, key: str, before: Entry | None, after: Entry | None) -> None:
        """Keep the index of owners; entries without the word cost a search in their bytes."""
        for entry in (before, after):
            if entry is None or b'"ownerReferences"' not in entry.meta:
                continue
            for owner in entry.metadata().get("ownerReferences") or ():
                known = self._dependents.setdefault(owner.get("uid", ""), set())
                if entry is after:
                    known.add((storage, key))
                else:
                    known.discard((storage, key))
                if not known:
                    del self._dependents[owner.get("uid", "")]


def with_version(obj: Object, kind: Kind, version: int) -> Object:
    """``obj`` as the store would give it back."""
    metadata: dict[str, Any] = {**meta_of(obj), "resourceVersion": str(version)}
    return {**obj, "kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}


def _same(one: Entry, other: Entry) -> bool:
    """Whether both are the same object. Equal JSON of another key order has the same length."""
    if one.meta == other.meta and one.rest == other.rest:
        return True
    if len(one.meta) != len(other.meta) or len(one.rest) != len(other.rest):
        return False
    return one.object() == other.object()
