"""A migrated database, opened as the application's role, and the keys that go with it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from fleet.registry.database import Database
from fleet.registry.keyring import KeyRing
from tests.servers.postgres import TestDatabase


@pytest.fixture
def ring() -> KeyRing:
    return KeyRing((("k1", b"1" * 32),))


@pytest.fixture
async def db(database: TestDatabase, ring: KeyRing) -> AsyncIterator[Database]:
    opened = Database(database.app_url, ring=ring, allow_unsafe=True)
    yield opened
    await opened.close()
