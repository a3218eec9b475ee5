"""One theatre a test."""

from __future__ import annotations

import pytest

from tests.unit.embedded.sandbox.controllers.theatre import Theatre


@pytest.fixture
def theatre() -> Theatre:
    return Theatre()
