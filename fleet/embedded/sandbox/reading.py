"""Get and list: whole objects, metadata alone, tables; pages, selectors and versions."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

from fleet.embedded.sandbox.cluster import Cluster
from fleet.embedded.sandbox.converting import is_converted, presented
from fleet.embedded.sandbox.forms import Form, form_of
from fleet.embedded.sandbox.kinds import Kind
from fleet.embedded.sandbox.requests import Answer, Request, Target
from fleet.embedded.sandbox.selectors import (
    FieldSelector,
    LabelSelector,
    parse_fields,
    parse_labels,
    selects,
)
from fleet.embedded.sandbox.statuses import (
    Cause,
    bad_request,
    forbidden_field,
    gone,
    invalid_options,
    not_acceptable,
    not_found,
    too_new,
    unsupported_value,
)
from fleet.embedded.sandbox.store import Entry, Expired
from fleet.embedded.sandbox.tables import table

_MATCHES = ("Exact", "NotOlderThan", "")
_LIST_GONE = "The resourceVersion for the provided list is too old."
_PAGE_GONE = (
    "The provided continue parameter is too old to display a consistent list result. You can "
    "start a new list without the continue parameter, or use the continue token in this response "
    "to retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list."
)
_INCONSISTENT = -1  # in a continue token: go on with what is there now

Item = tuple[str, Entry]


@dataclass(slots=True)
class Choice:
    """Which objects of a kind a list or a watch is about."""

    namespace: str
    labels: LabelSelector
    fields: FieldSelector

    @property
    def everything(self) -> bool:
        """Whether nothing but the namespace decides."""
        return not self.labels and not self.fields

    def takes(self, key: str, entry: Entry) -> bool:
        """Whether it is one of them."""
        if self.namespace and not key.startswith(f"{self.namespace}/"):
            return False
        if self.everything:
            return True
        metadata = entry.metadata()
        if not selects(self.labels, metadata.get("labels") or {}):
            return False
        if not self.fields:
            return True
        whole = not all(term.of_metadata for term in self.fields)
        obj = entry.object() if whole else {"metadata": metadata}
        return all(term.matches(obj) for term in self.fields)


def choice_of(request: Request, target: Target) -> Choice:
    """What the selectors of a request, or the name in a watch's path, choose.

    Raises:
        ApiError: a selector cannot be read.
    """
    fields = request.query.get("fieldSelector") or ""
    if target.name:
        fields = ",".join(filter(None, (fields, f"metadata.name={target.name}")))
    return Choice(
        target.namespace,
        parse_labels(request.query.get("labelSelector") or ""),
        parse_fields(target.kind, fields),
    )


def version_of(text: str, *, message: str = "invalid resource version: ") -> int:
    """A ``resourceVersion`` as a number.

    Raises:
        ApiError: it is none.
    """
    try:
        return int(text or "0")
    except ValueError:
        found = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}"'
        raise bad_request(f"{message}{found}: invalid syntax") from None


def get(cluster: Cluster, request: Request, target: Target) -> Answer:
    """One object."""
    version = version_of(request.query.get("resourceVersion") or "")
    if version > cluster.store.version:
        raise too_new(version, cluster.store.version)
    entry = cluster.store.entry(target.kind, target.namespace, target.name)
    if entry is None:
        raise not_found(target.kind, target.name)
    return shown(cluster, request, target.kind, entry)


def shown(
    cluster: Cluster,
    request: Request,
    kind: Kind,
    entry: Entry,
    *,
    code: int = 200,
    warnings: tuple[str, ...] = (),
) -> Answer:
    """One object in the form that the request asks for."""
    form = form_of(request.header(b"accept"))
    if form.shape == "partials":
        raise not_acceptable(
            "you requested PartialObjectMetadataList, but the requested object is not a list "
            f"({_go_type(kind)})"
        )
    entry = presented(kind, entry)
    if form.shape == "object":
        body = entry.json()
    elif form.shape == "partial":
        body = form.partial(entry.meta)
    else:
        body = table(
            kind,
            [entry],
            cluster.now(),
            form=form,
            include=request.query.get("includeObject") or "Metadata",
            metadata={"resourceVersion": str(entry.version)},
        )
    return Answer(form.encoded(body), code, form.content_type, warnings)


def _go_type(kind: Kind, ending: str = "") -> str:
    """How the real server's messages call it."""
    package = "unstructured" if kind.custom else kind.group.partition(".")[0] or "core"
    name = f"Unstructured{ending}" if kind.custom else f"{kind.kind}{ending}"
    return f"*{package}.{name}"


@dataclass(slots=True)
class Page:
    """What one list answers: the objects, at which version, and where it goes on."""

    items: Sequence[Item]
    version: int
    after: str = ""
    remaining: int | None = None

    def metadata(self) -> dict[str, object]:
        """The ``ListMeta``."""
        found: dict[str, object] = {"resourceVersion": str(self.version)}
        if self.after:
            found["continue"] = _token(self.version, self.after)
        if self.remaining:
            found["remainingItemCount"] = self.remaining
        return found


def list_(cluster: Cluster, request: Request, target: Target) -> Answer:
    """The objects of a kind, or a page of them."""
    kind = target.kind
    form = form_of(request.header(b"accept"))
    if form.shape == "partial":
        raise not_acceptable(
            "you requested PartialObjectMetadata, but the requested object is a list "
            f"({_go_type(kind, 'List')})"
        )
    page = page_of(cluster, request, kind, choice_of(request, target))
    body = _listed(cluster, request, kind, page, form)
    return Answer(form.encoded(body), content_type=form.content_type)


def _listed(cluster: Cluster, request: Request, kind: Kind, page: Page, form: Form) -> bytes:
    entries = [entry for _, entry in page.items]
    if is_converted(kind):
        entries = [presented(kind, entry) for entry in entries]
    metadata = page.metadata()
    if form.shape == "table":
        include = request.query.get("includeObject") or "Metadata"
        now = cluster.now()
        return table(kind, entries, now, form=form, include=include, metadata=metadata)
    if form.shape == "partials":
        words = ("PartialObjectMetadataList", f"meta.k8s.io/{form.version}")
        items: Iterable[bytes] = (form.partial(entry.meta) for entry in entries)
    elif kind.custom is not None:
        words = (kind.list_kind, kind.api_version)
        items = (entry.json() for entry in entries)
        metadata.setdefault("continue", "")
    else:  # the items of a list of a built-in kind do not say what they are
        words = (kind.list_kind, kind.api_version)
        items = (b'{"metadata":%b%b' % (entry.meta, entry.rest) for entry in entries)
    around = {"kind": words[0], "apiVersion": words[1], "metadata": metadata}
    return b'%b,"items":[%b]}' % (orjson.dumps(around)[:-1], b",".join(items))


def page_of(cluster: Cluster, request: Request, kind: Kind, choice: Choice) -> Page:
    """What a list with these parameters holds.

    Raises:
        ApiError: the parameters contradict each other, or a version is gone or yet to come.
    """
    _check_options(request)
    limit = request.number("limit")
    asked = request.query.get("resourceVersion") or ""
    after = request.query.get("continue") or ""
    store = cluster.store
    if after:
        if asked not in {"", "0"}:
            raise bad_request("specifying resource version is not allowed when using continue")
        version, start = _read_token(after)
        everything = _items_after(cluster, kind, choice, version, start)
        version = store.version if version == _INCONSISTENT else version
        return _cut(everything, version, choice, limit)
    version = version_of(asked)
    if version > store.version:
        raise too_new(version, store.version)
    if request.query.get("resourceVersionMatch") != "Exact":
        everything = store.entries(kind, choice.namespace)
        return _cut(everything, store.version, choice, 0 if asked == "0" else limit)
    try:
        found = sorted(store.snapshot(kind, version).items())
    except Expired:
        raise gone(_LIST_GONE) from None
    inside = f"{choice.namespace}/" if choice.namespace else ""
    everything = [item for item in found if item[0].startswith(inside)]
    return _cut(everything, version, choice, limit)


def _cut(everything: Sequence[Item], version: int, choice: Choice, limit: int) -> Page:
    """A page of what is chosen. With selectors nobody knows whether the rest holds any."""
    if choice.everything:
        if not limit or len(everything) <= limit:
            return Page(everything, version)
        return Page(everything[:limit], version, everything[limit - 1][0], len(everything) - limit)
    found: list[Item] = []
    for number, item in enumerate(everything):
        if choice.takes(*item):
            found.append(item)
        if limit and len(found) == limit:
            last = number == len(everything) - 1
            return Page(found, version, "" if last else item[0])
    return Page(found, version)


def _items_after(
    cluster: Cluster, kind: Kind, choice: Choice, version: int, start: str
) -> list[Item]:
    """The rest of a list that was begun at ``version``."""
    store = cluster.store
    if version == _INCONSISTENT:
        found = dict(store.entries(kind, choice.namespace))
    elif version > store.version:
        raise too_new(version, store.version)
    else:
        try:
            found = store.snapshot(kind, version)
        except Expired:
            raise gone(_PAGE_GONE, {"continue": _token(_INCONSISTENT, start)}) from None
    inside = f"{choice.namespace}/" if choice.namespace else ""
    keys = sorted(key for key in found if key > start and key.startswith(inside))
    return [(key, found[key]) for key in keys]


def _token(version: int, after: str) -> str:
    words = {"v": "meta.k8s.io/v1", "rv": version, "start": f"{after}\0"}
    return base64.urlsafe_b64encode(orjson.dumps(words)).rstrip(b"=").decode()


def _read_token(text: str) -> tuple[int, str]:
    raw = b""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        found = orjson.loads(raw)
        return int(found["rv"]), str(found["start"]).rstrip("\0")
    except orjson.JSONDecodeError:
        why = f"invalid character '{raw[:1].decode('latin-1')}' looking for beginning of value"
    except (binascii.Error, ValueError, KeyError, TypeError):
        why = "illegal base64 data at input byte 0"
    raise bad_request(f"invalid continue token: continue key is not valid: {why}")


def _check_options(request: Request) -> None:
    causes = list(_wrong_options(request))
    if causes:
        raise invalid_options("ListOptions", causes)


def _wrong_options(request: Request) -> Iterable[Cause]:
    match = request.query.get("resourceVersionMatch") or ""
    version = request.query.get("resourceVersion") or ""
    if match and not version:
        why = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        yield forbidden_field("resourceVersionMatch", why)
    if match and request.query.get("continue"):
        why = "resourceVersionMatch is forbidden when continue is provided"
        yield forbidden_field("resourceVersionMatch", why)
    if match not in _MATCHES:
        yield unsupported_value("resourceVersionMatch", match, _MATCHES)
    if match == "Exact" and version == "0":
        why = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        yield forbidden_field("resourceVersionMatch", why)
    if "sendInitialEvents" in request.query:
        yield forbidden_field("sendInitialEvents", "sendInitialEvents is forbidden for list")
