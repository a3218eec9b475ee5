"""Everything that is said to Kubernetes API servers.

In: a ``Connection`` and what to read or write. Out: frozen values of ``fleet.model`` and
plain JSON objects. Errors come as ``fleet.errors.ClusterError``, whatever went wrong below.

Never here: deciding what to write (a ``gate`` given by the caller has the last word on each
write), caches of objects, retries of writes, a user's kubeconfig in a library's hands, a
secret in a message.
"""

from __future__ import annotations

from fleet.cluster.acting import acting_as
from fleet.cluster.action_writes import make_new, merge
from fleet.cluster.argocd import aws_token_arguments, connection_from_argocd
from fleet.cluster.argocd_config import argocd_config
from fleet.cluster.calls import Answer, Call, Limits
from fleet.cluster.checking import checked_connection
from fleet.cluster.discovery import cluster_uid, discover, facts, probe
from fleet.cluster.exec_plugin import WELL_KNOWN_EXEC
from fleet.cluster.kubeconfig import connection_of, contexts_of
from fleet.cluster.metadata import meta_of
from fleet.cluster.migrating import (
    APPLIERS,
    by_hand,
    foreign_entries,
    migrated,
    without_kept,
)
from fleet.cluster.onboarding import (
    create_service_account,
    remove_service_account,
    request_token,
    rotate,
)
from fleet.cluster.overlay import OverlaidClient, OwnKinds
from fleet.cluster.ownership import (
    field_paths,
    fields_hash,
    lost_fields,
    owned_fields,
    ownership,
    paths_owned,
    readable_path,
    writers,
)
from fleet.cluster.patching import patch_object
from fleet.cluster.reading import (
    get_metadata,
    get_object,
    list_metadata,
    list_objects,
    pod_logs,
)
from fleet.cluster.replacing import create, put_managed_fields, replace
from fleet.cluster.transport import ClusterClient, open_client
from fleet.cluster.watching import watch
from fleet.cluster.writing import (
    NAMESPACE,
    Gate,
    apply,
    delete,
    drop_finalizer,
    ensure_namespace,
)

__all__ = [
    "APPLIERS",
    "NAMESPACE",
    "WELL_KNOWN_EXEC",
    "Answer",
    "Call",
    "ClusterClient",
    "Gate",
    "Limits",
    "OverlaidClient",
    "OwnKinds",
    "acting_as",
    "apply",
    "argocd_config",
    "aws_token_arguments",
    "by_hand",
    "checked_connection",
    "cluster_uid",
    "connection_from_argocd",
    "connection_of",
    "contexts_of",
    "create",
    "create_service_account",
    "delete",
    "discover",
    "drop_finalizer",
    "ensure_namespace",
    "facts",
    "field_paths",
    "fields_hash",
    "foreign_entries",
    "get_metadata",
    "get_object",
    "list_metadata",
    "list_objects",
    "lost_fields",
    "make_new",
    "merge",
    "meta_of",
    "migrated",
    "open_client",
    "owned_fields",
    "ownership",
    "patch_object",
    "paths_owned",
    "pod_logs",
    "probe",
    "put_managed_fields",
    "readable_path",
    "remove_service_account",
    "replace",
    "request_token",
    "rotate",
    "watch",
    "without_kept",
    "writers",
]
