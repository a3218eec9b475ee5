"""What a request carries: decoded, of the right kind; what is wrong with it is told as Go does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import orjson
import yaml

from fleet.embedded.sandbox import protobuf
from fleet.embedded.sandbox.kinds import Kind, find_builtin
from fleet.embedded.sandbox.objects import Object, go_word, name_of
from fleet.embedded.sandbox.requests import Request
from fleet.embedded.sandbox.shapes import ANY, builtin
from fleet.embedded.sandbox.statuses import bad_request, invalid, invalid_value, unsupported_media

_ACCEPTED = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
_GO_HEAD = (
    'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; '
    'Kind string "json:\\"kind,omitempty\\"" }'
)
_SHOWN_BYTES = 30


class _Loader(yaml.CSafeLoader):
    """YAML as Kubernetes reads it: timestamps stay text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if tag != "tag:yaml.org,2002:timestamp"]
    for first, rules in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def media_type(request: Request) -> str:
    """The media type of the body, without parameters."""
    return request.header(b"content-type").partition(";")[0].strip()


def decoded(request: Request, kind: Kind) -> Object:
    """The object in the body of a create or an update, with its kind filled in.

    Raises:
        ApiError: the body cannot be read, or holds another kind.
    """
    media = media_type(request)
    if media == protobuf.MEDIA_TYPE:
        return with_kind(_from_protobuf(request.body, kind.model), kind)
    if media not in {"", "application/json", "application/yaml"}:
        raise unsupported_media(
            "the body of the request was in an unknown format - accepted media types include: "
            f"{_ACCEPTED}"
        )
    if media == "application/yaml":
        found: Any = from_yaml(request.body)
    else:
        try:
            found = orjson.loads(request.body)
        except orjson.JSONDecodeError as error:
            why = f"couldn't get version/kind; json parse error: {go_error(error)}"
            raise _unrecognized(kind, request.body, why) from None
    if not isinstance(found, dict):
        why = f"json: cannot unmarshal {go_word(found)} into Go value of type {_GO_HEAD}"
        why = f"couldn't get version/kind; json parse error: {why}"
        raise _unrecognized(kind, request.body, why)
    if kind.custom is not None:
        _check_words(found, kind, request.body)
    obj = with_kind(found, kind, request.body)
    if not isinstance(obj.get("metadata") or {}, dict):
        raise bad_request(
            f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: json: '
            f"cannot unmarshal {go_word(obj['metadata'])} into Go struct field "
            f"{kind.kind}.metadata of type v1.ObjectMeta"
        )
    return obj


def _from_protobuf(body: bytes, model: str) -> Object:
    try:
        version, kind, raw = protobuf.envelope(body)
        found = protobuf.decode(raw, builtin(model) if model else ANY)
    except protobuf.Unreadable as error:
        raise bad_request(f"the object provided is unrecognized: {error}") from None
    return {**found, "apiVersion": version, "kind": kind}


def delete_options(request: Request) -> Object:
    """``DeleteOptions``, in whatever form they are sent; {} where there are none.

    Raises:
        ApiError: they cannot be read.
    """
    if not request.body:
        return {}
    if media_type(request) == protobuf.MEDIA_TYPE:
        return _from_protobuf(request.body, "V1DeleteOptions")
    try:
        found = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        told = f"couldn't get version/kind; json parse error: {go_error(error)}"
        raise bad_request(told) from None
    if not isinstance(found, dict):
        raise bad_request("the delete options are no object")
    return found


def _unrecognized(kind: Kind, body: bytes, why: str) -> Exception:
    start = body[:_SHOWN_BYTES]
    shown = start.decode(errors="replace") if body[:1] == b"{" else start.hex()
    if len(body) > _SHOWN_BYTES:
        shown += " ..."
    told = f"the object provided is unrecognized (must be of type {kind.kind}): {why}"
    return bad_request(f"{told} ({shown or '<empty>'})")


def go_error(error: orjson.JSONDecodeError) -> str:
    """What Go says about JSON that cannot be read."""
    if error.pos >= len(error.doc.rstrip()):
        return "unexpected end of JSON input"
    before = error.doc[: error.pos].rstrip()
    place = "looking for beginning of value"
    if before.endswith(("{", ",")) and before.count("{") > before.count("}"):
        place = "looking for beginning of object key string"
    elif before.endswith('"'):
        place = "after object key"
    return f"invalid character '{error.doc[error.pos]}' {place}"


def with_kind(obj: Object, kind: Kind, body: bytes = b"") -> Object:
    """The object saying what it is; one that says something else is refused.

    Raises:
        ApiError: it is of another kind or version.
    """
    version, name = obj.get("apiVersion") or kind.api_version, obj.get("kind") or kind.kind
    if (version, name) == (kind.api_version, kind.kind):
        return {**obj, "apiVersion": version, "kind": name}
    if kind.custom is not None:
        raise _other_kind(kind, version, name, obj)
    if version.count("/") > 1:
        raise _unrecognized(kind, body, f"unexpected GroupVersion string: {version}")
    words = f'{name} in version "{version.rpartition("/")[2]}" cannot be handled as a {kind.kind}'
    if find_builtin(version, name) is None and (version, name) != ("v1", "List"):
        raise bad_request(
            f'{words}: no kind "{name}" is registered for version "{version}" in scheme '
            '"pkg/runtime/scheme.go:111"'
        )
    package = version.rpartition("/")[2]
    raise bad_request(
        f"{words}: converting ({package}.{name}) to "
        f"({kind.group.partition('.')[0] or 'core'}.{kind.kind}): unknown conversion"
    )


def _check_words(obj: Object, kind: Kind, body: bytes) -> None:
    """A custom object must say what it is."""
    for key, word in (("kind", "Kind"), ("apiVersion", "apiVersion")):
        if not obj.get(key):
            why = f"Object '{word}' is missing in '{body.decode(errors='replace')}'"
            raise _unrecognized(kind, body, why)


def _other_kind(kind: Kind, version: str, name: str, obj: Object) -> Exception:
    """An object of another kind or version, told as it is for custom kinds."""
    if version != kind.api_version:
        return bad_request(
            f"the API version in the data ({version}) does not match the expected API version "
            f"({kind.api_version})"
        )
    why = f"must be {kind.kind}"
    return invalid(kind.group, name, name_of(obj), [invalid_value("kind", name, why)])


def from_yaml(body: bytes) -> Any:
    """YAML or JSON.

    Raises:
        ApiError: it is neither.
    """
    try:
        return orjson.loads(body)  # what most clients send as YAML is JSON
    except orjson.JSONDecodeError:
        pass
    try:
        return _Loader(body).get_single_data()
    except yaml.YAMLError as error:
        told = f"error decoding patch: error converting YAML to JSON: yaml: {error}"
        raise bad_request(told) from None


def duplicates(body: bytes) -> list[str]:
    """The fields that a body names twice, as ``duplicate field "data.a"``."""
    try:
        marked = json.loads(body, object_pairs_hook=_Pairs)
    except ValueError:
        return []
    return [f'duplicate field "{path}"' for path in _repeated(marked, "")]


class _Pairs(list[tuple[str, Any]]):
    """An object whose keys may repeat."""


def _repeated(value: Any, where: str) -> Iterator[str]:
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for key, item in value:
            path = f"{where}.{key}" if where else key
            if key in seen:
                yield path
            seen.add(key)
            yield from _repeated(item, path)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _repeated(item, f"{where}[{number}]")
