"""What names, labels and annotations may look like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from fleet.embedded.sandbox.kinds import Kind
from fleet.embedded.sandbox.objects import Object, meta_of
from fleet.embedded.sandbox.statuses import Cause, invalid_value, required_field, too_long
from fleet.model.names import (
    DNS_LABEL_LENGTH,
    DNS_SUBDOMAIN_LENGTH,
    is_dns_label,
    is_dns_subdomain,
    is_label_value,
)

_ANNOTATIONS_SIZE: Final = 256 * 1024

IS_NO_LABEL: Final = (
    "a lowercase RFC 1123 label must consist of lower case letters, digits and '-', and must start"
    " and end with a letter or digit"
)
IS_NO_SUBDOMAIN: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case letters, digits, '-' and '.', and"
    " must start and end with a letter or digit"
)
_IS_NO_WORD: Final = (
    "name part must consist of letters, digits, '-', '_' and '.', and must start and end with a"
    " letter or digit"
)
_IS_NO_VALUE: Final = (
    "a valid label must be an empty string or consist of letters, digits, '-', '_' and '.', and"
    " must start and end with a letter or digit"
)

#: Kinds whose names are one label; all others but _PATH_NAMES have subdomains.
_LABEL_NAMES: Final = frozenset({"namespaces", "services"})
#: Kinds whose names may be anything that fits into a URL.
_PATH_NAMES: Final = frozenset(
    {"roles", "rolebindings", "clusterroles", "clusterrolebindings", "leases", "podtemplates"}
)


def label_problem(name: str) -> str:
    """Why a name is no RFC 1123 label; "" when it is one."""
    if len(name) > DNS_LABEL_LENGTH:
        return f"must be no more than {DNS_LABEL_LENGTH} characters"
    return "" if is_dns_label(name) else IS_NO_LABEL


def subdomain_problem(name: str) -> str:
    """Why a name is no RFC 1123 subdomain; "" when it is one."""
    if len(name) > DNS_SUBDOMAIN_LENGTH:
        return f"must be no more than {DNS_SUBDOMAIN_LENGTH} characters"
    return "" if is_dns_subdomain(name) else IS_NO_SUBDOMAIN


def _path_problem(name: str) -> str:
    if name in {".", ".."}:
        return f"may not be '{name}'"
    return next((f"may not contain '{sign}'" for sign in "/%" if sign in name), "")


def _name_problem(name: str, plural: str) -> str:
    if plural in _PATH_NAMES:
        return _path_problem(name)
    if plural in _LABEL_NAMES:
        dotted = "." in name and is_dns_subdomain(name)
        return "must not contain dots" if dotted else label_problem(name)
    return subdomain_problem(name)


def _key_problem(key: str) -> str:
    """Why this is no key of a label or an annotation; "" when it is one."""
    prefix, slash, name = key.rpartition("/")
    if slash and not prefix:
        return "prefix part must be a DNS subdomain"
    if "/" in prefix:
        return "a valid label key has at most one '/'"
    if slash and (problem := subdomain_problem(prefix.lower())):
        return f"prefix part {problem}"
    if not name:
        return "name part must be non-empty"
    if len(name) > DNS_LABEL_LENGTH:
        return f"name part must be no more than {DNS_LABEL_LENGTH} characters"
    return "" if is_label_value(name) else _IS_NO_WORD


def label_causes(labels: Mapping[str, str], path: str) -> Iterator[Cause]:
    """What is wrong with labels, keys and values."""
    for key, value in labels.items():
        if problem := _key_problem(key):
            yield invalid_value(path, key, problem)
        if len(value) > DNS_LABEL_LENGTH:
            why = f"must be no more than {DNS_LABEL_LENGTH} characters"
            yield invalid_value(path, value, why)
        elif not is_label_value(value):
            yield invalid_value(path, value, _IS_NO_VALUE)


def metadata_causes(obj: Object, kind: Kind) -> Iterator[Cause]:
    """What is wrong with the metadata of an object."""
    meta = meta_of(obj)
    name = str(meta.get("name") or "")
    if not name:
        if not meta.get("generateName"):
            why = "name or generateName is required"
            yield required_field("metadata.name", why)
    elif problem := _name_problem(name, kind.plural):
        yield invalid_value("metadata.name", name, problem)
    yield from label_causes(meta.get("labels") or {}, "metadata.labels")
    annotations = meta.get("annotations") or {}
    for key in annotations:
        if problem := _key_problem(key.lower()):
            yield invalid_value("metadata.annotations", key, problem)
    if sum(len(key) + len(value) for key, value in annotations.items()) > _ANNOTATIONS_SIZE:
        yield too_long("metadata.annotations", _ANNOTATIONS_SIZE)
    yield from _owner_causes(meta.get("ownerReferences") or ())
    standard = kind.custom is None and kind.group != "apiextensions.k8s.io"
    for index, finalizer in enumerate(meta.get("finalizers") or ()):
        if problem := _key_problem(finalizer):
            yield invalid_value("metadata.finalizers", finalizer, problem)
        if standard and "/" not in finalizer and finalizer not in _FINALIZERS:
            why = "name is neither a standard finalizer name nor is it fully qualified"
            yield invalid_value(f"metadata.finalizers[{index}]", finalizer, why)


_FINALIZERS: Final = frozenset({"kubernetes", "orphan", "foregroundDeletion"})


def _owner_causes(owners: Any) -> Iterator[Cause]:
    controllers = [owner for owner in owners if owner.get("controller")]
    if len(controllers) > 1:
        why = "Only one reference can have Controller set to true"
        yield invalid_value("metadata.ownerReferences", list(owners), why)
    for index, owner in enumerate(owners):
        for name in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(name):
                path = f"metadata.ownerReferences[{index}].{name}"
                yield required_field(path, "must not be empty")
