"""Servers that the user signed in to, in a file of their own that nobody else can read."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from fleet.errors import NotFound, SettingsInvalid


@dataclass(frozen=True, slots=True)
class Context:
    """One server and how to talk to it. ``token`` is "" after ``fleet logout``."""

    server: str
    token: str = field(default="", repr=False)
    server_crt: str = ""
    plaintext: bool = False
    account: str = ""


@dataclass(frozen=True, slots=True)
class Contexts:
    """All contexts by name; ``current`` is "" or one of them."""

    current: str = ""
    named: Mapping[str, Context] = field(default_factory=dict)

    def get(self, name: str) -> Context:
        """Raises:
        NotFound: no such context; names those that are there.
        """
        if name not in self.named:
            there = ", ".join(self.named) or "none"
            raise NotFound(
                f"no context {name!r}; there are: {there}",
                hint="`fleet login URL` makes one.",
                object=f"Context/{name}",
            )
        return self.named[name]

    def with_context(self, name: str, context: Context) -> Contexts:
        """With ``context`` added or replaced, and made the current one."""
        return Contexts(name, {**self.named, name: context})

    def without_token(self, name: str) -> Contexts:
        changed = replace(self.get(name), token="", account="")
        return Contexts(self.current, {**self.named, name: changed})

    def without(self, name: str) -> Contexts:
        self.get(name)
        left = {key: value for key, value in self.named.items() if key != name}
        return Contexts("" if self.current == name else self.current, left)


def contexts_file() -> Path:
    from platformdirs import user_config_dir

    return Path(user_config_dir("fleet")) / "contexts.json"


def load_contexts(path: Path) -> Contexts:
    """What is in the file; nothing when there is none.

    Raises:
        SettingsInvalid: it holds something else, or others can read it.
    """
    try:
        with path.open(encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read()
    except FileNotFoundError:
        return Contexts()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"{path} cannot be read: {error}") from None
    if mode & 0o077:
        raise SettingsInvalid(
            f"{path} can be read by others (mode {mode:04o}), and it holds API tokens",
            hint=f"Run `chmod 600 {path}`; revoke the tokens if others had access.",
        )
    try:
        return _contexts_of(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError):
        raise SettingsInvalid(
            f"{path} is damaged", hint="Remove it and sign in again with `fleet login`."
        ) from None


def _contexts_of(stored: Any) -> Contexts:
    named = {str(name): Context(**values) for name, values in stored["contexts"].items()}
    current = str(stored.get("current", ""))
    return Contexts(current if current in named else "", named)


def save_contexts(path: Path, contexts: Contexts) -> None:
    """Replace the file whole or not at all; mode 0600 from its first byte on."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    stored = {
        "current": contexts.current,
        "contexts": {name: asdict(context) for name, context in contexts.named.items()},
    }
    handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=".contexts-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(stored, file, indent=2)
        file.write("\n")
    Path(unfinished).replace(path)
