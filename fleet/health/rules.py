"""How the status of an operator's kind is read: a rule as data, and the one reader of it.

A rule names what its operator documents: words of a phase, conditions that have to be true,
conditions that must not be. What it does not name decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from fleet.health.reading import Condition, at, condition_of, mappings, maybe_integer, text
from fleet.health.verdicts import degraded, healthy, progressing, suspended
from fleet.model.health import Health, HealthStatus, worst
from fleet.model.objects import Manifest

#: From a live object to its health; None where it has none. Total, and the same every time.
Judge: TypeAlias = Callable[[Manifest], Health | None]

_NOTHING: frozenset[str] = frozenset()
#: An observed generation that is written as text has no more digits than this.
_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Words:
    """A word of the status, and what each of its values means. Paths are dotted."""

    path: str
    means: Mapping[str, HealthStatus]
    message: str = "status.message"


def words(
    *,
    healthy: Sequence[str] = (),
    progressing: Sequence[str] = (),
    degraded: Sequence[str] = (),
    suspended: Sequence[str] = (),
    path: str = "status.phase",
    message: str = "status.message",
) -> Words:
    means = (
        (healthy, HealthStatus.HEALTHY),
        (progressing, HealthStatus.PROGRESSING),
        (degraded, HealthStatus.DEGRADED),
        (suspended, HealthStatus.SUSPENDED),
    )
    return Words(path, {word: status for group, status in means for word in group}, message)


@dataclass(frozen=True, slots=True)
class Rule:
    """What a kind says of itself. The first attribute that has an answer gives the verdict.

    Attributes:
        suspended: paths that hold true (or "true") while a person has stopped it.
        observed: whether an older ``status.observedGeneration`` means that it is under way.
        held, failing, doing: types of conditions that, when true, mean Suspended (it waits
            for a person), Degraded and Progressing.
        passing: reasons with which a failing condition is only Progressing.
        complaint: path of a text that is only there when something is wrong.
        said: words of the status; a value that the first does not know is left to the next.
        otherwise: what a word means that none of them knows; None: nothing.
        wanted: types of conditions that all have to be true; one that is not there yet is
            Progressing, and so is Unknown.
        pending: reasons with which a wanted condition that is false is only Progressing; "*"
            stands for any. With others it is Degraded.
        within: a list whose entries carry conditions of their own, each judged alike.
        absent: when nothing of the above is there yet; None: it has no health.
    """

    suspended: tuple[str, ...] = ()
    observed: bool = True
    held: tuple[str, ...] = ()
    failing: tuple[str, ...] = ()
    passing: frozenset[str] = field(default=_NOTHING)
    doing: tuple[str, ...] = ()
    complaint: str = ""
    said: tuple[Words, ...] = ()
    otherwise: HealthStatus | None = HealthStatus.PROGRESSING
    wanted: tuple[str, ...] = ()
    pending: frozenset[str] = field(default=_NOTHING)
    within: str = ""
    absent: HealthStatus | None = HealthStatus.PROGRESSING

    def __call__(self, obj: Manifest) -> Health | None:
        if any(_at(obj, path) in (True, "true") for path in self.suspended):
            return suspended(f"{text(obj, 'kind')} is suspended")
        if self.observed and (waiting := unobserved(obj)):
            return waiting
        return self._conditions(obj) or self._absent(obj)

    def _conditions(self, obj: Manifest) -> Health | None:
        generation = maybe_integer(obj, "metadata", "generation")
        if not self.within:
            found = mappings(obj, "status", "conditions")
            return self._judged(obj, _by_type(found, generation))
        verdicts = [
            self._judged(entry, _by_type(mappings(entry, "conditions"), generation))
            for entry in mappings(obj, *self.within.split("."))
        ]
        counted = [verdict for verdict in verdicts if verdict is not None]
        return worst(counted) if counted else None

    def _judged(self, obj: Mapping[str, Any], found: Mapping[str, Condition]) -> Health | None:
        return (
            self._flagged(found) or self._complaint(obj) or self._said(obj) or self._wanted(found)
        )

    def _flagged(self, found: Mapping[str, Condition]) -> Health | None:
        for types, verdict in (
            (self.held, suspended),
            (self.failing, degraded),
            (self.doing, progressing),
        ):
            for type in types:
                if type in found and found[type].is_true:
                    passes = types is self.failing and found[type].reason in self.passing
                    return (progressing if passes else verdict)(_message(found[type]))
        return None

    def _complaint(self, obj: Mapping[str, Any]) -> Health | None:
        found = _at(obj, self.complaint)
        return degraded(found) if isinstance(found, str) and found else None

    def _said(self, obj: Mapping[str, Any]) -> Health | None:
        unknown = ""
        for part in self.said:
            word = _at(obj, part.path)
            word = str(word).lower() if isinstance(word, bool) else word
            if not isinstance(word, str) or not word:
                continue
            message = _at(obj, part.message)
            message = message if isinstance(message, str) and message else word
            if word in part.means:
                return Health(part.means[word], message)
            unknown = unknown or message
        return Health(self.otherwise, unknown) if unknown and self.otherwise else None

    def _wanted(self, found: Mapping[str, Condition]) -> Health | None:
        entries = [found[type] for type in self.wanted if type in found]
        if not entries:
            return None
        for entry in entries:
            if entry.is_false and not self.pending & {"*", entry.reason}:
                return degraded(_message(entry))
        for entry in entries:
            if not entry.is_true:
                return progressing(_message(entry))
        missing = [type for type in self.wanted if type not in found]
        if missing:
            return progressing(f"Waiting for condition {missing[0]}")
        return healthy(entries[0].message)

    def _absent(self, obj: Manifest) -> Health | None:
        if self.absent is None:
            return None
        if self.absent is HealthStatus.PROGRESSING:
            return progressing(f"Waiting for {text(obj, 'kind')} to be reconciled")
        return Health(self.absent)


def first_of(*judges: Judge) -> Judge:
    """The first of them that has an answer."""

    def judge(obj: Manifest) -> Health | None:
        answers = (one(obj) for one in judges)
        return next((answer for answer in answers if answer is not None), None)

    return judge


def unobserved(obj: Manifest) -> Health | None:
    """Progressing while its controller has not seen the newest version of the object."""
    generation = maybe_integer(obj, "metadata", "generation")
    observed = maybe_integer(obj, "status", "observedGeneration")
    if observed is None:
        # Argo Rollouts writes it as text
        written = text(obj, "status", "observedGeneration")
        is_number = written.isascii() and written.isdigit() and len(written) <= _DIGITS
        observed = int(written) if is_number else None
    if generation is None or observed is None or observed >= generation:
        return None
    return progressing(
        f"{text(obj, 'kind')} generation is {generation},"
        f" but latest observed generation is {observed}"
    )


def _at(value: object, path: str) -> Any:
    return at(value, *path.split("."))


def _by_type(entries: Iterable[Mapping[str, Any]], generation: int | None) -> dict[str, Condition]:
    """The first condition of each type; those about an earlier version of the object say
    nothing, so they count as Unknown."""
    found: dict[str, Condition] = {}
    for entry in map(condition_of, entries):
        observed = entry.observed_generation
        is_stale = generation is not None and observed is not None and observed < generation
        stale = Condition(entry.type, "Unknown", "", "Waiting for the condition to be updated")
        found.setdefault(entry.type, stale if is_stale else entry)
    return found


def _message(entry: Condition) -> str:
    return entry.message or entry.reason
