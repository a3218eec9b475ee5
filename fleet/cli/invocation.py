"""One run of the program: the options that hold everywhere, and what is opened for it."""

from __future__ import annotations

import os
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleet.errors import SettingsInvalid

if TYPE_CHECKING:
    from fleet.cli.client import Api
    from fleet.settings import Settings


class Invocation:
    """Made once a run and handed to every command; opened things are closed by ``close``."""

    def __init__(self) -> None:
        self.server = ""
        self.auth_token = ""
        self.context = ""
        self.server_crt = ""
        self.plaintext = False
        self.config = ""
        self.output = "table"
        self.stack = ExitStack()

    @cached_property
    def settings(self) -> Settings:
        """The settings of this machine: variables over the settings file.

        Raises:
            SettingsInvalid: names file or variable, key, and what was expected.
        """
        return self.settings_with({})

    def settings_with(self, flags: dict[str, Any]) -> Settings:
        """The settings with a command's own flags laid over them; None is not given."""
        from fleet.settings import load_settings

        return load_settings(
            file_values=read_settings_file(Path(self.config)) if self.config else {},
            file_name=self.config,
            environ=os.environ,
            flags=flags,
        )

    @cached_property
    def api(self) -> Api:
        """The API that this run talks to, opened at first use.

        Raises:
            ServerUnreachable: a server is configured and does not answer.
        """
        from fleet.cli.target import open_api

        return self.stack.enter_context(open_api(self))

    def close(self) -> None:
        self.stack.close()


def read_settings_file(path: Path) -> dict[str, Any]:
    """The mapping in a settings file; an empty file is an empty mapping.

    Raises:
        SettingsInvalid: there is no such file, or it holds something else.
        SpecInvalid: it is no YAML.
    """
    from fleet.render.yaml import load_one

    try:
        text = path.read_bytes()
    except OSError as error:
        raise SettingsInvalid(
            f"{path}: cannot be read: {error.strerror}",
            hint="--config and FLEET_CONFIG name a YAML file; docs/settings.md says what is in it.",
        ) from None
    found = load_one(text, file=str(path))
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise SettingsInvalid(f"{path}: is no mapping of settings")
    return found
