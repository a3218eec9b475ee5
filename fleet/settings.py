"""Settings: defaults < ``config/fleet.yaml`` < ``FLEET_*`` variables < flags.

One frozen ``Settings`` is made at the edge and handed inward; nothing else reads the
environment. Every field has its unit in its name and its meaning beside it: the table in
``docs/settings.md`` is compared with this file by a test.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_type_hints

from platformdirs import user_data_dir

from fleet.errors import SettingsInvalid
from fleet.model.credential_plugins import WELL_KNOWN_EXEC
from fleet.model.secret import Secret


def _default_home() -> Path:
    return Path(user_data_dir("fleet"))


def _setting(default: Any, meaning: str) -> Any:
    if callable(default):
        return field(default_factory=default, metadata={"meaning": meaning})
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True)
class Settings:
    """Everything that can be set, with the default that holds when nobody did."""

    home: Path = _setting(
        _default_home, "Directory for the embedded database, mirrors, tools and the key file."
    )
    database_url: Secret | None = _setting(
        None, "PostgreSQL 14 or newer, `postgresql://user:password@host/db`; unset starts our own."
    )
    audit_reader_url: Secret | None = _setting(
        None, "URL that `fleet db url --read-only` prints when the database is not our own."
    )
    secret_key: Secret | None = _setting(
        None, "Key ring as `kid:base64,…`, newest first; unset keeps it in the key file."
    )
    secret_key_command: tuple[str, ...] = _setting(
        (), "Command that prints the key ring, for a KMS; wins over the key file."
    )
    host: str = _setting("127.0.0.1", "Address that the API listens on.")
    port: int = _setting(8080, "Port that the API listens on.")
    health_port: int = _setting(
        0, "Port of `fleet daemon` and `fleet worker` for health and metrics; 0 for none."
    )
    reconcile_interval_seconds: int = _setting(120, "How often a cluster is read as a whole.")
    reconcile_jitter_seconds: int = _setting(
        60, "At most this much, and no more than the interval, is added to each."
    )
    poll_interval_seconds: int = _setting(120, "How often a repository is asked for new commits.")
    poll_jitter_seconds: int = _setting(
        60, "At most this much, and no more than the interval, is added to each."
    )
    pass_budget_seconds: float = _setting(
        5.0, "A pass over a cluster ends after this much work and wakes itself again."
    )
    pass_batch: int = _setting(200, "Applications that a pass takes at a time.")
    worker_concurrency: int = _setting(128, "Jobs that one worker runs side by side.")
    worker_select: str = _setting(
        "", "Labels of the clusters that `fleet worker` serves; unset serves all but reserved ones."
    )
    worker_watch: bool = _setting(True, "Keep watches open, so that drift is seen at once.")
    allowed_networks: tuple[str, ...] = _setting(
        (), "Loopback and link-local networks that repositories may be in, e.g. `127.0.0.0/8`."
    )
    allowed_file_roots: tuple[str, ...] = _setting(
        (), "Directories below which `file://` repositories may be."
    )
    allowed_content_hosts: tuple[str, ...] = _setting(
        (), "Hosts that charts and kustomizations may fetch from beside registered ones."
    )
    allowed_exec_commands: tuple[str, ...] = _setting(
        WELL_KNOWN_EXEC, "Credential plugins that a cluster's credentials may run."
    )
    control_namespace: str = _setting(
        "argocd",
        "Applications that stand in this namespace may be in any project; in another, where"
        " `sourceNamespaces` says so.",
    )
    plugin_paths: tuple[str, ...] = _setting(
        (), "Folders that programs of config management plugins may come from; none by default."
    )
    sensitive_annotations: tuple[str, ...] = _setting(
        (), "Annotations whose values are never shown, on objects of every kind."
    )
    resource_settings: Mapping[str, Any] = _setting(
        dict, "What `argocd-cm` says under keys `resource.…`, word for word; JSON in a variable."
    )
    git_timeout_seconds: float = _setting(120.0, "Longest that one git command may take.")
    cluster_timeout_seconds: float = _setting(30.0, "Longest that one call to a cluster may take.")
    render_timeout_seconds: float = _setting(60.0, "Longest that one render may take.")
    render_concurrency: int = _setting(
        lambda: max(2, os.cpu_count() or 2), "Renders that run side by side."
    )
    render_memory_bytes: int = _setting(2 << 30, "Address space of one render.")
    sync_timeout_seconds: float = _setting(
        0.0, "A sync that takes longer ends as Failed; 0 lets it take its time."
    )
    cache_max_bytes: int = _setting(20 << 30, "Checked-out trees and charts kept on disk.")
    history_retention_months: int = _setting(
        0, "Drop history older than this; 0 keeps it for ever."
    )
    log_format: str = _setting("auto", "`text`, `json`, or `auto`: text on a terminal.")
    log_level: str = _setting("info", "`debug`, `info`, `warning` or `error`.")
    allow_unsafe_database: bool = _setting(
        False, "Accept a database that may forget what it acknowledged; for tests."
    )

    @property
    def key_file(self) -> Path:
        return self.home / "secret.key"


_TRUE, _FALSE = {"true", "1", "yes", "on"}, {"false", "0", "no", "off"}


def _hints() -> dict[str, str]:
    return {name: str(hint) for name, hint in get_type_hints(Settings).items()}


def _convert(name: str, hint: str, value: Any, origin: str) -> Any:
    """One value from YAML or text to the field's type; SettingsInvalid says what was expected."""
    try:
        return _CONVERTERS[hint](value)
    except (ValueError, TypeError) as exc:
        shown = "the value given" if "Secret" in hint else repr(value)
        raise SettingsInvalid(
            f"{origin}: {name}: {shown} is not {_EXPECTED[hint]}",
            hint="docs/settings.md lists every setting with its type and default.",
        ) from exc


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word not in _TRUE | _FALSE:
        raise ValueError(word)
    return word in _TRUE


def _integer(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError(value)
    return int(value)


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if not isinstance(value, (list, tuple)) or not all(isinstance(v, str) for v in value):
        raise TypeError(value)
    return tuple(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _secret(value: Any) -> Secret | None:
    if isinstance(value, Secret) or value is None:
        return value
    return Secret(_text(value)) if value else None


def _mapping(value: Any) -> Mapping[str, Any]:
    found = json.loads(value) if isinstance(value, str) else value
    if not isinstance(found, Mapping) or not all(isinstance(key, str) for key in found):
        raise TypeError(value)
    return MappingProxyType(dict(found))


_CONVERTERS: dict[str, Any] = {
    str(str): _text,
    str(int): _integer,
    str(float): float,
    str(bool): _boolean,
    str(Mapping[str, Any]): _mapping,
    str(Path): lambda value: Path(value).expanduser().absolute(),
    str(tuple[str, ...]): _texts,
    str(Secret | None): _secret,
}
_EXPECTED = {
    str(str): "text",
    str(int): "a whole number",
    str(float): "a number",
    str(bool): "true or false",
    str(Mapping[str, Any]): "a mapping (JSON in a variable)",
    str(Path): "a path",
    str(tuple[str, ...]): "a list of texts (comma-separated in a variable)",
    str(Secret | None): "text",
}
_CHOICES = {
    "log_format": ("auto", "text", "json"),
    "log_level": ("debug", "info", "warning", "error"),
}


def _check(values: Mapping[str, Any]) -> None:
    for name, allowed in _CHOICES.items():
        if values.get(name, allowed[0]) not in allowed:
            raise SettingsInvalid(f"{name}: {values[name]!r} is none of {', '.join(allowed)}")
    for folder in values.get("plugin_paths", ()):
        if not Path(folder).is_absolute():
            raise SettingsInvalid(f"plugin_paths: {folder} is no absolute path")
    for name, value in values.items():
        positive = name.endswith(("_seconds", "_bytes", "_batch", "_concurrency"))
        floor = 0 if "jitter" in name or name == "sync_timeout_seconds" else 1e-3
        if positive and value < floor:
            raise SettingsInvalid(f"{name}: {value} is too small")


def load_settings(
    *,
    file_values: Mapping[str, Any] | None = None,
    file_name: str = "",
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """Lay the four sources over each other.

    Args:
        file_values: the parsed settings file.
        file_name: its name, for messages.
        environ: the process environment; only ``FLEET_<SETTING>`` is read.
        flags: from the command line; None values count as not given.

    Raises:
        SettingsInvalid: an unknown key in the file (with the nearest known one), or a value
            of the wrong type, naming where it came from.
    """
    hints = _hints()
    chosen: dict[str, Any] = {}
    for key, value in (file_values or {}).items():
        if key not in hints:
            near = difflib.get_close_matches(str(key), hints, n=1)
            raise SettingsInvalid(
                f"{file_name}: {key}: no such setting",
                hint=f"Did you mean {near[0]}?" if near else "docs/settings.md lists them all.",
            )
        chosen[key] = _convert(key, hints[key], value, file_name)
    for name, hint in hints.items():
        variable = "FLEET_" + name.upper()
        if environ and variable in environ:
            chosen[name] = _convert(name, hint, environ[variable], variable)
    for name, value in (flags or {}).items():
        if value is not None:
            chosen[name] = _convert(name, hints[name], value, "--" + name.replace("_", "-"))
    _check(chosen)
    return Settings(**chosen)


def describe() -> tuple[tuple[str, str, str], ...]:
    """``(name, default, meaning)`` of every setting, in order; what docs/settings.md shows."""
    rows = []
    for setting in fields(Settings):
        default = setting.default
        if isinstance(default, tuple):
            text = ", ".join(default)
        else:
            # None and computed defaults have no text; their meaning says what they are
            text = str(default) if isinstance(default, (str, int, float)) else ""
        rows.append((setting.name, text, str(setting.metadata["meaning"])))
    return tuple(rows)
