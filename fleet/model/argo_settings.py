"""Documents of an Argo CD export beside its applications, projects and credentials.

Its settings are ConfigMaps and Secrets with fixed names, key by key; ApplicationSets make
applications. Which of them something is done with is decided where they are applied
(``operations.importing``): here they are told from anybody's ConfigMaps and Secrets, and kept
word for word. Names: ``features.md`` §3.6 to §3.8.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

from fleet.errors import SpecInvalid
from fleet.model.argo_secrets import SECRET_TYPE_LABEL, secret_type_of
from fleet.model.documents import ARGO_API_VERSION, kept, open_document, read_metadata
from fleet.model.objects import Manifest, labels_of, ref_of

SETTINGS = "argocd-cm"
RBAC = "argocd-rbac-cm"
KNOWN_HOSTS = "argocd-ssh-known-hosts-cm"
TLS_CERTIFICATES = "argocd-tls-certs-cm"
GPG_KEYS = "argocd-gpg-keys-cm"

#: Objects of these names are Argo CD's, whatever their labels say.
_NAMES: Mapping[str, frozenset[str]] = {
    "ConfigMap": frozenset(
        {
            SETTINGS,
            RBAC,
            KNOWN_HOSTS,
            TLS_CERTIFICATES,
            GPG_KEYS,
            "argocd-cmd-params-cm",
            "argocd-notifications-cm",
            "argocd-image-updater-config",
        }
    ),
    "Secret": frozenset(
        {
            "argocd-secret",
            "argocd-notifications-secret",
            "argocd-initial-admin-secret",
            "argocd-server-tls",
            "argocd-repo-server-tls",
            "argocd-dex-server-tls",
        }
    ),
}
_PART_OF = "app.kubernetes.io/part-of"
#: Types of credentials that are kept: to push with, and what is not used yet.
_SECRET_TYPES = frozenset({"repository-write", "repo-write-creds", "scm-creds"})


@dataclass(frozen=True)
class ArgoSettings:
    """A ConfigMap, Secret or ApplicationSet of Argo CD.

    Attributes:
        entries: of a ConfigMap, its texts by key; what is in a Secret stays in it.
    """

    kind: str
    name: str
    document: Manifest
    entries: Mapping[str, str]
    warnings: tuple[str, ...] = ()


def is_settings(doc: Manifest) -> bool:
    """Whether a document is one of them."""
    ref = ref_of(doc)
    if (doc.get("apiVersion"), ref.kind) == (ARGO_API_VERSION, "ApplicationSet"):
        return True
    if doc.get("apiVersion") != "v1" or ref.kind not in _NAMES:
        return False
    is_theirs = labels_of(doc).get(_PART_OF) == "argocd" and not secret_type_of(doc)
    return (
        ref.name in _NAMES[ref.kind]
        or is_theirs
        or (ref.kind == "Secret" and labels_of(doc).get(SECRET_TYPE_LABEL) in _SECRET_TYPES)
    )


def parse_settings(doc: Manifest, *, file: str = "", line: int = 0) -> ArgoSettings:
    """Raises:
    SpecInvalid: a name or label that cannot be, or data that is no text.
    """
    api_version, kind = str(doc.get("apiVersion")), str(doc.get("kind"))
    top, origin = open_document(doc, api_version, kind, file=file, line=line)
    metadata = read_metadata(top, kind)
    entries: dict[str, str] = {}
    if kind == "ConfigMap":
        entries = dict(top.text_map("data"))
    elif kind == "Secret":
        for key, value in top.text_map("data"):
            _check_base64(key, value, origin.object)
    return ArgoSettings(kind, metadata.name, kept(doc), entries, tuple(origin.warnings))


def _check_base64(key: str, value: str, about: str) -> None:
    """Without the value, which may be a secret all the same."""
    try:
        base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        raise SpecInvalid(f"data.{key}: is not base64", object=about) from None
