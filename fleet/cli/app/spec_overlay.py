"""Flags of ``spec_flags`` laid over an Application: tables say which goes where."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from fleet.cli.app.spec_flags import AUTOMATED
from fleet.cli.reading import text_of
from fleet.errors import UsageError
from fleet.model.applications import RESOURCES_FINALIZER, SHADOW_ANNOTATION
from fleet.model.values_from import parse_reference, spelled

Document = dict[str, Any]

#: Flag → where it goes in the source, as it is.
_PLAIN = {
    "repo": ("repoURL",),
    "path": ("path",),
    "chart": ("chart",),
    "revision": ("targetRevision",),
    "ignore_missing_value_files": ("helm", "ignoreMissingValueFiles"),
    "release_name": ("helm", "releaseName"),
    "helm_skip_crds": ("helm", "skipCrds"),
    "helm_skip_tests": ("helm", "skipTests"),
    "helm_skip_schema_validation": ("helm", "skipSchemaValidation"),
    "helm_pass_credentials": ("helm", "passCredentials"),
    "helm_namespace": ("helm", "namespace"),
    "helm_kube_version": ("helm", "kubeVersion"),
    "nameprefix": ("kustomize", "namePrefix"),
    "namesuffix": ("kustomize", "nameSuffix"),
    "kustomize_namespace": ("kustomize", "namespace"),
    "kustomize_force_common_label": ("kustomize", "forceCommonLabels"),
    "kustomize_force_common_annotation": ("kustomize", "forceCommonAnnotations"),
    "kustomize_label_without_selector": ("kustomize", "labelWithoutSelector"),
    "kustomize_label_include_templates": ("kustomize", "labelIncludeTemplates"),
    "config_management_plugin": ("plugin", "name"),
    "directory_recurse": ("directory", "recurse"),
    "directory_include": ("directory", "include"),
    "directory_exclude": ("directory", "exclude"),
}
#: Flag → a list in the source that it replaces.
_LISTS = {
    "values": ("helm", "valueFiles"),
    "helm_api_versions": ("helm", "apiVersions"),
    "kustomize_components": ("kustomize", "components"),
    "jsonnet_libs": ("directory", "jsonnet", "libs"),
}
#: Flag → a mapping in the source that it adds to.
_MAPPINGS = {
    "kustomize_labels": ("kustomize", "commonLabels"),
    "kustomize_annotations": ("kustomize", "commonAnnotations"),
}
#: Flag → a list of entries with names, one of which it adds or replaces; and the entry.
_NAMED: dict[str, tuple[tuple[str, ...], Callable[[str, str], Document]]] = {
    "helm_set": (("helm", "parameters"), lambda n, v: {"name": n, "value": v}),
    "helm_set_string": (
        ("helm", "parameters"),
        lambda n, v: {"name": n, "value": v, "forceString": True},
    ),
    "helm_set_file": (("helm", "fileParameters"), lambda n, v: {"name": n, "path": v}),
    "kustomize_replicas": (("kustomize", "replicas"), lambda n, v: {"name": n, "count": _count(v)}),
    "plugin_env": (("plugin", "env"), lambda n, v: {"name": n, "value": v}),
    "plugin_param": (("plugin", "parameters"), lambda n, v: {"name": n, "string": v}),
    "jsonnet_ext_var_str": (
        ("directory", "jsonnet", "extVars"),
        lambda n, v: {"name": n, "value": v},
    ),
    "jsonnet_ext_var_code": (
        ("directory", "jsonnet", "extVars"),
        lambda n, v: {"name": n, "value": v, "code": True},
    ),
    "jsonnet_tla_str": (("directory", "jsonnet", "tlas"), lambda n, v: {"name": n, "value": v}),
    "jsonnet_tla_code": (
        ("directory", "jsonnet", "tlas"),
        lambda n, v: {"name": n, "value": v, "code": True},
    ),
}


def _count(text: str) -> int:
    if not text.isdigit():
        raise UsageError(f"--kustomize-replica: {text!r} is no number of replicas")
    return int(text)


def _values_from(text: str) -> Document:
    entry = parse_reference(text)
    if entry is None:
        raise UsageError(
            f"--helm-values-from: {text!r} is no KIND/NAME[:KEY][@PATH][?]",
            hint="For example ConfigMap/web, or Secret/db:password@db.password.",
        )
    return entry


#: Flag → a list in the source that it adds to; what an entry is called, of which there is one;
#: and the entry.
_ADDED: dict[str, tuple[tuple[str, ...], Callable[[Any], str], Callable[[str], Any]]] = {
    "kustomize_images": (("kustomize", "images"), lambda it: image_name(str(it)), str),
    "values_from": (("helm", "valuesFrom"), spelled, _values_from),
}


def with_flags(document: Document, flags: Mapping[str, Any], *, position: int = 0) -> Document:
    """A copy of ``document`` with what was given laid over it.

    Args:
        position: which of several sources the flags are about, counted from 1; 0 for the
            one of an application that has one.

    Raises:
        UsageError: flags that do not fit the document, or each other.
    """
    changed = copy.deepcopy(document)
    spec = changed.setdefault("spec", {})
    _source(_source_at(spec, position, flags), flags)
    _metadata(changed.setdefault("metadata", {}), flags)
    _destination(spec, flags)
    policy = spec.setdefault("syncPolicy", {})
    _automated(policy, flags)
    _sync_options(policy, flags["sync_options"])
    _retry(policy, flags)
    if not policy:
        del spec["syncPolicy"]
    for flag, key in (("project", "project"), ("revision_history_limit", "revisionHistoryLimit")):
        if flags[flag] is not None:
            spec[key] = flags[flag]
    return changed


def _source_at(spec: Document, position: int, flags: Mapping[str, Any]) -> Document:
    sources = spec.get("sources")
    if not sources:
        if position:
            raise UsageError("--source-position: the application has one source")
        found: Document = spec.setdefault("source", {})
        return found
    if not position:
        touched = [
            flag
            for flag in (*_PLAIN, *_LISTS, *_MAPPINGS, *_NAMED, *_ADDED)
            if flags[flag] not in (None, ())
        ]
        if touched or flags["values_literal_file"]:
            raise UsageError(
                f"the application has {len(sources)} sources",
                hint="Say which one with --source-position, counted from 1.",
            )
        return {}  # nothing will be laid over it
    if position > len(sources):
        raise UsageError(f"--source-position: the application has {len(sources)} sources")
    chosen: Document = sources[position - 1]
    return chosen


def _source(source: Document, flags: Mapping[str, Any]) -> None:
    for flag, path in _PLAIN.items():
        if flags[flag] is not None:
            put_at(source, path, flags[flag])
    for flag, path in _LISTS.items():
        if flags[flag]:
            put_at(source, path, list(flags[flag]))
    for flag, path in _MAPPINGS.items():
        if flags[flag]:
            put_at(source, path, {**(get_at(source, path) or {}), **dict(flags[flag])})
    for flag, (path, entry) in _NAMED.items():
        for name, value in flags[flag]:
            kept = [it for it in get_at(source, path) or [] if it.get("name") != name]
            put_at(source, path, [*kept, entry(name, value)])
    if flags["values_literal_file"]:
        put_at(source, ("helm", "values"), text_of(flags["values_literal_file"]))
    for flag, (path, called, made) in _ADDED.items():
        for one in map(made, flags[flag]):
            kept = [it for it in get_at(source, path) or [] if called(it) != called(one)]
            put_at(source, path, [*kept, one])


def image_name(image: str) -> str:
    """What an override is about: ``web`` of ``web=reg/web:2``, ``reg/web`` of ``reg/web:2``."""
    if "=" in image:
        return image.partition("=")[0]
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def _metadata(metadata: Document, flags: Mapping[str, Any]) -> None:
    for key in ("labels", "annotations"):
        if flags[key]:
            metadata[key] = {**(metadata.get(key) or {}), **dict(flags[key])}
    if flags["shadow"] is not None:
        marks = {**(metadata.get("annotations") or {}), SHADOW_ANNOTATION: "true"}
        if not flags["shadow"]:
            del marks[SHADOW_ANNOTATION]
        metadata["annotations"] = marks
    if flags["set_finalizer"] is not None:
        kept = [it for it in metadata.get("finalizers") or () if it != RESOURCES_FINALIZER]
        finalizers = [*kept, RESOURCES_FINALIZER] if flags["set_finalizer"] else kept
        metadata.pop("finalizers", None)
        if finalizers:
            metadata["finalizers"] = finalizers


def _destination(spec: Document, flags: Mapping[str, Any]) -> None:
    name, server = flags["dest_name"], flags["dest_server"]
    if name and server:
        raise UsageError("--dest-name and --dest-server exclude each other")
    destination = spec.setdefault("destination", {})
    if name or server:
        destination.pop("name", None)
        destination.pop("server", None)
        destination["name" if name else "server"] = name or server
    if flags["dest_namespace"] is not None:
        destination["namespace"] = flags["dest_namespace"]


def _automated(policy: Document, flags: Mapping[str, Any]) -> None:
    if flags["sync_policy"] in AUTOMATED:
        policy["automated"] = policy.get("automated") or {}
        policy["automated"].pop("enabled", None)
    elif flags["sync_policy"]:
        policy.pop("automated", None)
    for flag, key in (
        ("auto_prune", "prune"),
        ("self_heal", "selfHeal"),
        ("allow_empty", "allowEmpty"),
    ):
        if flags[flag] is None:
            continue
        if policy.get("automated") is None:
            raise UsageError(
                f"--{flag.replace('_', '-')} is about auto-sync, which is off",
                hint="Add --sync-policy automated.",
            )
        policy["automated"][key] = flags[flag]


def _sync_options(policy: Document, options: tuple[str, ...]) -> None:
    for option in options:
        name = option.lstrip("!").partition("=")[0]
        kept = [it for it in policy.get("syncOptions") or () if it.partition("=")[0] != name]
        wanted = kept if option.startswith("!") else [*kept, option]
        policy.pop("syncOptions", None)
        if wanted:
            policy["syncOptions"] = wanted


def _retry(policy: Document, flags: Mapping[str, Any]) -> None:
    for flag, path in (
        ("sync_retry_limit", ("retry", "limit")),
        ("sync_retry_backoff_duration", ("retry", "backoff", "duration")),
        ("sync_retry_backoff_max_duration", ("retry", "backoff", "maxDuration")),
        ("sync_retry_backoff_factor", ("retry", "backoff", "factor")),
        ("sync_retry_refresh", ("retry", "refresh")),
    ):
        if flags[flag] is not None:
            put_at(policy, path, flags[flag])


def put_at(document: Document, path: tuple[str, ...], value: Any) -> None:
    """Set a value at a path; an empty text or False takes what is there away."""
    for key in path[:-1]:
        if not isinstance(document.get(key), dict):
            document[key] = {}
        document = document[key]
    if value is False or value == "":  # 0 is a value
        document.pop(path[-1], None)
    else:
        document[path[-1]] = value


def get_at(document: Document, path: tuple[str, ...]) -> Any:
    found: Any = document
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found
