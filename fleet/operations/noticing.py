"""Which events of a watch are news, where the settings say ``ignoreResourceUpdates``.

Watches carry metadata alone, except of kinds that such a rule is about: what changed in an
object shows in its body only. Of the body a hash is kept, without what the rules ignore. An
event that leaves it and the health as they were wakes no pass; the next reading of the whole
cluster looks at the object all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from fleet.diff import remove_ignored, sha256_of
from fleet.errors import ExpressionFailed
from fleet.health import assess
from fleet.model.live import WatchEvent
from fleet.model.objects import GroupKind, Manifest, ObjectRef, metadata_of
from fleet.operations.ignoring import Rules, rules_about
from fleet.operations.runtime import Recent, Runtime

#: Objects of one cluster that are remembered; of those beyond, each event is news.
REMEMBERED = 50_000
#: What changes with any other change, and says nothing by itself.
_VERSIONS = frozenset({"generation", "managedFields", "resourceVersion"})


def update_rules(runtime: Runtime, kind: GroupKind) -> Rules:
    """The rules about changes of objects of the kind; none where they are switched off."""
    found = runtime.resources
    return tuple(
        rule
        for rule in (found.update_rules if found.ignores_updates else ())
        if fnmatchcase(kind.group, rule.group) and fnmatchcase(kind.kind, rule.kind)
    )


class Notice:
    """What was seen last of the objects of one cluster."""

    def __init__(self, runtime: Runtime) -> None:
        self._jq = runtime.jq
        self._seen: Recent[ObjectRef, str] = Recent(REMEMBERED)

    async def is_news(self, event: WatchEvent, rules: Rules) -> bool:
        """Whether the event tells more than the last of the object did."""
        meta, body = event.meta, event.body
        if event.type == "DELETED" or meta is None or body is None or meta.deletion_timestamp:
            return True
        try:
            about = await rules_about(self._jq, rules, body)
        except ExpressionFailed:
            return True  # what may be passed over cannot be told
        counted = remove_ignored(body, about, managed_fields=meta.managed_fields)
        health = assess(body)
        digest = sha256_of([_without_versions(counted), str(health.status) if health else ""])
        is_same = self._seen.get(meta.ref) == digest
        self._seen.put(meta.ref, digest)
        return not is_same


def _without_versions(obj: Manifest) -> Mapping[str, object]:
    kept = {key: value for key, value in metadata_of(obj).items() if key not in _VERSIONS}
    return {**obj, "metadata": kept}
