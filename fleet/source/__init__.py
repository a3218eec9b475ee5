"""Repositories at a revision → checked-out trees.

In: a ``Remote`` (URL, credential, options) and what is wanted of it. Out: which commit or
chart version that is now, a read-only directory with its files, the git object ids of paths,
facts about a commit. Failures are SourceErrors that say what to do.

Never here: what the files mean, which application wants them, a database. Nothing connects
to an address that ``AddressRules`` did not allow, and no secret reaches an argument vector,
a URL, a repository's configuration or a message. Only this room runs git.
"""

from __future__ import annotations

from fleet.source.addresses import AddressRules, check
from fleet.source.bases import BaseReference, Bases, parse_base
from fleet.source.certificates import parse_certificates
from fleet.source.charts import Charts, is_oci
from fleet.source.committing import NewCommit, blob_id
from fleet.source.credentials import Credentials, TokenEndpoints
from fleet.source.integrity import integrity_fault
from fleet.source.known_hosts import parse_known_hosts
from fleet.source.listing import Limits
from fleet.source.mirrors import MirrorLimits, Mirrors
from fleet.source.proving import NOTHING_DEMANDED, Demands
from fleet.source.revisions import RemoteRefs, is_sha, is_short_sha, range_tag, resolve
from fleet.source.signatures import Signers, parse_signing_keys
from fleet.source.trees import TreeStore
from fleet.source.unpack import CHART_FOLDER, ArchiveLimits
from fleet.source.urls import (
    RepositoryUrl,
    join_url,
    parse_url,
)

__all__ = [
    "CHART_FOLDER",
    "NOTHING_DEMANDED",
    "AddressRules",
    "ArchiveLimits",
    "BaseReference",
    "Bases",
    "Charts",
    "Credentials",
    "Demands",
    "Limits",
    "MirrorLimits",
    "Mirrors",
    "NewCommit",
    "RemoteRefs",
    "RepositoryUrl",
    "Signers",
    "TokenEndpoints",
    "TreeStore",
    "blob_id",
    "check",
    "integrity_fault",
    "is_oci",
    "is_sha",
    "is_short_sha",
    "join_url",
    "parse_base",
    "parse_certificates",
    "parse_known_hosts",
    "parse_signing_keys",
    "parse_url",
    "range_tag",
    "resolve",
]
