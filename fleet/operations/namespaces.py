"""Whether the namespaces that applications want to be made are there already."""

from __future__ import annotations

from fleet.cluster import NAMESPACE, get_metadata
from fleet.errors import ObjectRejected
from fleet.model.clusters import Discovery
from fleet.model.operations import SyncOptions
from fleet.operations.connections import Link
from fleet.operations.views import View
from fleet.plan import read_application_options


async def has_namespace(link: Link, discovery: Discovery, view: View, options: SyncOptions) -> bool:
    """Whether the destination namespace is there; only asked when it may be created.

    Raises:
        ClusterError: it could not be asked.
    """
    policy, name = view.spec.sync_policy, view.app.namespace
    wanted = read_application_options((*policy.options, *options.sync_options))
    if not wanted.create_namespace or not name:
        return True
    if policy.namespace_labels or policy.namespace_annotations:
        return False  # its metadata is checked, and written where it differs
    known = link.namespaces.known(name)
    if known is not None:
        return known
    kind = discovery.find(NAMESPACE.group_kind)
    try:
        meta = await get_metadata(link.client, kind, "", name) if kind else None
    except ObjectRejected:
        return False  # we may not look: the task that makes it tells that, as its outcome
    is_there = meta is not None and not meta.deletion_timestamp
    link.namespaces.note(name, is_there=is_there)
    return is_there
