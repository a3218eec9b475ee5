"""Identities, one type each, so that one cannot be passed for another.

All are UUIDs made by PostgreSQL or by the caller of a pure function; a rename never
changes them.
"""

from __future__ import annotations

from typing import NewType
from uuid import UUID

ClusterId = NewType("ClusterId", UUID)
RepositoryId = NewType("RepositoryId", UUID)
ProjectId = NewType("ProjectId", UUID)
ApplicationId = NewType("ApplicationId", UUID)
OperationId = NewType("OperationId", UUID)
AccountId = NewType("AccountId", UUID)
TokenId = NewType("TokenId", UUID)
PlannedSyncId = NewType("PlannedSyncId", UUID)
