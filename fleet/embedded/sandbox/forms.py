"""The form an answer is asked for in: the object, its metadata alone, or a table; JSON or YAML."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import orjson
import yaml

from fleet.embedded.sandbox.statuses import not_acceptable

_NONE_FITS = (
    "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, "
    "application/vnd.kubernetes.protobuf, application/json;stream=watch, "
    "application/vnd.kubernetes.protobuf;stream=watch"
)
_NO_SUCH_FORM = (
    "only the following media types are accepted: application/json, application/yaml, "
    "application/vnd.kubernetes.protobuf"
)
_KINDS = {
    "Table": "table",
    "PartialObjectMetadata": "partial",
    "PartialObjectMetadataList": "partials",
}


class Form(NamedTuple):
    """``shape`` is ``object``, ``partial``, ``partials`` or ``table``."""

    shape: str = "object"
    version: str = "v1"
    yaml: bool = False

    @property
    def content_type(self) -> bytes:
        """The media type of an answer in this form."""
        return b"application/yaml" if self.yaml else b"application/json"

    def partial(self, metadata: bytes) -> bytes:
        """The encoded metadata of an object, as ``PartialObjectMetadata``."""
        return b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/%b","metadata":%b}' % (
            self.version.encode(),
            metadata,
        )

    def encoded(self, body: bytes) -> bytes:
        """JSON, in this form."""
        if not self.yaml:
            return body
        text: str = yaml.dump(orjson.loads(body), Dumper=yaml.CSafeDumper, sort_keys=True)
        return text.encode()


PLAIN = Form()


@lru_cache(maxsize=256)
def form_of(accept: str) -> Form:
    """The first form of an ``Accept`` header that can be given.

    Raises:
        ApiError: there is none.
    """
    unknown = False
    for part in accept.split(",") if accept else ():
        media, *parameters = (word.strip() for word in part.split(";"))
        words = dict(word.partition("=")[::2] for word in parameters)
        if media not in {"application/json", "application/yaml", "*/*", "application/*"}:
            continue
        form = Form(_KINDS.get(words.get("as", ""), "object"), words.get("v", "v1"))
        if "as" in words and (form.shape == "object" or form.version not in {"v1", "v1beta1"}):
            unknown = True
            continue
        return form._replace(yaml=media == "application/yaml")
    if not accept:
        return PLAIN
    if unknown:
        raise not_acceptable(_NO_SUCH_FORM)
    raise not_acceptable(_NONE_FITS, {})
