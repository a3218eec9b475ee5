"""What is read each second: little, unless something changed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from fleet.registry import clusters, timetable
from fleet.registry.database import Database
from fleet.registry.keyring import KeyRing
from tests.integration.registry import seeds
from tests.integration.registry.seeds import ANNA, NOW

LATER = NOW + timedelta(hours=1)
#: Each with whether a timetable, or a watch, may have to be another one for it.
CHANGES = {
    "update clusters set name = 'other'": True,
    "update clusters set interval_seconds = 7": True,
    "update clusters set paused_by = 'anna'": True,
    "update clusters set paused_by = 'anna', paused_until = '2000-01-01'": False,
    "update clusters set queue = 'select-1'": True,
    "update clusters set managed_kinds = '{apps/Deployment/v1}'": True,
    "update clusters set changed_at = changed_at + interval '1 second'": True,
    "insert into config_maps (name, document, generation) values ('argocd-cm', '{}', 3)": True,
    "delete from clusters": True,
    "update clusters set attempted_at = now(), observed_at = now(), pass_epoch = 9": False,
}


@pytest.mark.parametrize("change", CHANGES)
async def test_the_state_of_clusters_is_another_when_one_changed(
    db: Database, ring: KeyRing, change: str
) -> None:
    async with db.transaction() as tx:
        await seeds.cluster(tx, ring)
        before = await timetable.clusters_state(tx, NOW)
        await tx.execute(text(change))
        after = await timetable.clusters_state(tx, NOW)
    assert (after != before) is CHANGES[change]


async def test_the_state_of_clusters_is_another_when_a_pause_is_over(
    db: Database, ring: KeyRing
) -> None:
    async with db.transaction() as tx:
        made = await seeds.cluster(tx, ring)
        await clusters.pause(tx, ANNA, made.id, reason="move", until=LATER)
        paused, still, over = [
            await timetable.clusters_state(tx, at)
            for at in (NOW, NOW + timedelta(minutes=1), LATER + timedelta(seconds=1))
        ]
    assert paused == still != over
