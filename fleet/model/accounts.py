"""Accounts, and the tokens by which they call."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fleet.model.access import Subject
from fleet.model.ids import AccountId, TokenId
from fleet.model.scope import Actor


@dataclass(frozen=True, slots=True)
class Account:
    id: AccountId
    name: str
    role: str  # admin | readonly | project:<name> | none (policy.is_role)
    enabled: bool
    created_at: datetime
    groups: tuple[str, ...] = ()

    @property
    def subject(self) -> Subject:
        return Subject(self.name, self.role, self.groups)


@dataclass(frozen=True, slots=True)
class ApiToken:
    """What may be shown of a token after it was made; ``account`` is ``proj:<project>:<role>``
    for one of a role of a project."""

    id: TokenId
    account: str
    name: str
    created_at: datetime
    expires_at: datetime
    used_on: datetime | None  # to the hour
    revoked_at: datetime | None

    def is_valid(self, now: datetime) -> bool:
        return self.revoked_at is None and now < self.expires_at


@dataclass(frozen=True, slots=True)
class TokenProof:
    """What a well-formed token text proves, or a new token leaves behind: which row, and
    the SHA-256 of its secret part."""

    id: TokenId
    secret_sha256: bytes


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The subject behind a valid token."""

    subject: Subject
    token_id: TokenId

    def actor(self, *, source_ip: str = "", request_id: str = "") -> Actor:
        """The caller, as operations and the audit log know it."""
        return Actor(self.subject.name, source_ip, request_id, self.subject.role)
