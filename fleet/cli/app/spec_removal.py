"""What ``fleet app unset`` takes out of a source: a table says which flag takes what."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import click

from fleet.cli.app.spec_overlay import get_at, image_name, put_at
from fleet.cli.options import Function
from fleet.errors import UsageError
from fleet.model.values_from import spelled

Document = dict[str, Any]
_Path = tuple[str, ...]

#: Flag → what it takes away as a whole, and how it is explained.
_WHOLE: dict[str, tuple[_Path, str]] = {
    "values-literal": (("helm", "values"), "Helm: the values given literally."),
    "ignore-missing-value-files": (
        ("helm", "ignoreMissingValueFiles"),
        "Helm: that a values file may be missing.",
    ),
    "pass-credentials": (("helm", "passCredentials"), "Helm: that others get credentials."),
    "nameprefix": (("kustomize", "namePrefix"), "Kustomize: the prefix of names."),
    "namesuffix": (("kustomize", "nameSuffix"), "Kustomize: the suffix of names."),
    "kustomize-namespace": (("kustomize", "namespace"), "Kustomize: the namespace."),
    "kustomize-version": (("kustomize", "version"), "Kustomize: the version."),
    "ignore-missing-components": (
        ("kustomize", "ignoreMissingComponents"),
        "Kustomize: that a component may be missing.",
    ),
    "ref": (("ref",), "That other sources may use its files."),
}


def _text(entry: Any) -> str:
    return str(entry)


def _name(entry: Any) -> str:
    return str(entry.get("name", "")) if isinstance(entry, dict) else ""


def _image(entry: Any) -> str:
    return image_name(str(entry))


#: Flag → a list, by what its entries are called, what one is, and how the flag is explained.
_ENTRIES: dict[str, tuple[_Path, Callable[[Any], str], str, str]] = {
    "values": (("helm", "valueFiles"), _text, "FILE", "Helm: this values file"),
    "parameter": (("helm", "parameters"), _name, "NAME", "Helm: this parameter"),
    "helm-values-from": (
        ("helm", "valuesFrom"),
        spelled,
        "KIND/NAME[:KEY][@PATH]",
        "Helm: these values of the cluster",
    ),
    "kustomize-image": (("kustomize", "images"), _image, "NAME", "Kustomize: this image"),
    "kustomize-replica": (("kustomize", "replicas"), _name, "NAME", "Kustomize: these replicas"),
    "plugin-env": (("plugin", "env"), _name, "NAME", "Plugin: this variable"),
    "plugin-param": (("plugin", "parameters"), _name, "NAME", "Plugin: this parameter"),
}


def removal_options(function: Function) -> Function:
    """Every flag of ``fleet app unset``; they arrive as keyword arguments."""
    for flag, (_, help) in reversed(_WHOLE.items()):
        function = click.option(f"--{flag}", is_flag=True, help=help)(function)
    for flag, (_, _, metavar, help) in reversed(_ENTRIES.items()):
        names = ("-p", f"--{flag}") if flag == "parameter" else (f"--{flag}",)
        function = click.option(
            *names, multiple=True, metavar=metavar, help=f"{help}; repeatable."
        )(function)
    return function


def without(source: Document, flags: Mapping[str, Any]) -> Document:
    """A copy of the source without what the flags name.

    Raises:
        UsageError: no flag was given, or one of an entry that is not there.
    """
    changed = copy.deepcopy(source)
    given = {key for key, value in flags.items() if value}
    for flag, (path, _) in _WHOLE.items():
        if _key(flag) in given:
            put_at(changed, path, "")
    for flag, (path, called, _, _) in _ENTRIES.items():
        for name in flags[_key(flag)]:
            _take(changed, path, called, flag, name)
    if not given:
        raise UsageError("nothing to take out", hint="`fleet app unset --help` lists what can be.")
    for tool in ("helm", "kustomize", "plugin"):
        # that there is a plugin at all says how the source is rendered
        if changed.get(tool) == {} and tool != "plugin":
            del changed[tool]
    return changed


def _take(
    source: Document, path: _Path, called: Callable[[Any], str], flag: str, name: str
) -> None:
    entries = get_at(source, path) or []
    kept = [entry for entry in entries if called(entry) != name]
    if len(kept) == len(entries):
        known = ", ".join(map(called, entries)) or "none"
        raise UsageError(f"--{flag}: there is no {name!r}", hint=f"There are: {known}.")
    put_at(source, path, kept or "")


def _key(flag: str) -> str:
    return flag.replace("-", "_")
