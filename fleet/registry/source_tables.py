"""Tables of what administrators say about sources: what renders, verifies and decrypts them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from fleet.registry.columns import Base, empty_text, now, uuid_key


class Plugin(Base):
    """A config management plugin, by the name that sources give: ``<name>[-<version>]``."""

    __tablename__ = "plugins"

    name: Mapped[str] = mapped_column(primary_key=True)
    document: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = now()
    changed_at: Mapped[datetime] = now()


class SigningKey(Base):
    """A public key that people vouched for: signatures are verified with it."""

    __tablename__ = "signing_keys"

    id: Mapped[str] = mapped_column(primary_key=True)  # GPG: 16 hex digits; SSH and PEM: SHA256:…
    kind: Mapped[str]  # gpg | ssh | pem
    subtype: Mapped[str] = empty_text()
    fingerprint: Mapped[str] = empty_text()
    owner: Mapped[str] = empty_text()
    data: Mapped[str]
    created_at: Mapped[datetime] = now()


class DecryptionKey(Base):
    """A private key that opens encrypted files of repositories; without a project, those of
    all."""

    __tablename__ = "decryption_keys"
    __table_args__ = (
        UniqueConstraint("recipient", "project_id"),
        Index(
            "uq_decryption_keys_recipient",
            "recipient",
            unique=True,
            postgresql_where=text("project_id is null"),
        ),
    )

    id: Mapped[UUID] = uuid_key()
    recipient: Mapped[str]  # age1…, or a fingerprint of OpenPGP
    kind: Mapped[str]  # age | pgp
    project_id: Mapped[UUID | None] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    owner: Mapped[str] = empty_text()
    sealed: Mapped[str]
    created_at: Mapped[datetime] = now()
