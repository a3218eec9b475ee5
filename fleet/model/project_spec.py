"""Reading an AppProject. Fields and rules: ``features.md`` §3.2.

The lines of roles are checked for their shape here, and read by ``policy``.
"""

from __future__ import annotations

import re

from fleet.errors import SpecInvalid
from fleet.model.access import ProjectRole
from fleet.model.documents import ARGO_API_VERSION, kept, open_document, read_metadata
from fleet.model.integrity import NOTHING_PASSES, SignaturePolicy, read_policies
from fleet.model.names import is_dns_subdomain
from fleet.model.objects import Manifest
from fleet.model.orphans import read_orphan_rules
from fleet.model.projects import (
    KindRule,
    Project,
    ProjectDestination,
    ProjectSpec,
    ServiceAccountRule,
)
from fleet.model.reading import Fields
from fleet.model.window_spec import read_windows
from fleet.model.windows import SyncWindow

_DESCRIPTION_LENGTH = 255  # characters, as in Argo CD's CRD
_ROLE_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_]*[A-Za-z0-9])?")


def parse_project(doc: Manifest, *, file: str = "", line: int = 0, stored: bool = False) -> Project:
    """The typed AppProject, with the document kept word for word beside it.

    Args:
        stored: it was accepted before. Windows that cannot be read any more, as another
            machine knows other time zones, then become ``ProjectSpec.windows_fault``.

    Raises:
        SpecInvalid: names file, line and field path of the first thing that is wrong.
    """
    top, origin = open_document(doc, ARGO_API_VERSION, "AppProject", file=file, line=line)
    metadata = read_metadata(top, "AppProject")
    fields = top.child("spec")
    spec = ProjectSpec() if fields is None else _spec(fields, metadata.name, stored=stored)
    top.ignore("status")
    top.finish()
    return Project(metadata.name, spec, kept(doc), tuple(origin.warnings))


def _spec(fields: Fields, name: str, *, stored: bool) -> ProjectSpec:
    description = fields.text("description")
    if len(description) > _DESCRIPTION_LENGTH:
        raise fields.invalid("description", f"is longer than {_DESCRIPTION_LENGTH} characters")
    windows, fault = _windows(fields, stored=stored)
    spec = ProjectSpec(
        description=description,
        source_repos=_patterns(fields, "sourceRepos"),
        destinations=tuple(_destination(item) for item in fields.children("destinations")),
        cluster_allow=_kind_rules(fields, "clusterResourceWhitelist", named=True),
        cluster_deny=_kind_rules(fields, "clusterResourceBlacklist", named=True),
        namespace_allow=_kind_rules(fields, "namespaceResourceWhitelist", named=False),
        namespace_deny=_kind_rules(fields, "namespaceResourceBlacklist", named=False),
        windows=windows,
        windows_fault=fault,
        roles=_roles(fields, name),
        service_accounts=tuple(
            _service_account(item) for item in fields.children("destinationServiceAccounts")
        ),
        source_namespaces=fields.texts("sourceNamespaces"),
        only_own_clusters=fields.flag("permitOnlyProjectScopedClusters"),
        integrity=_integrity(fields, stored=stored),
        orphans=read_orphan_rules(fields.child("orphanedResources")),
    )
    if fields.has("namespaceResourceWhitelist") and not spec.namespace_allow:
        raise fields.invalid(
            "namespaceResourceWhitelist",
            "is empty, which could mean everything or nothing",
            hint="Leave it out to allow every namespaced kind; "
            "put group '*', kind '*' on namespaceResourceBlacklist to allow none.",
        )
    fields.finish()
    return spec


def _windows(fields: Fields, *, stored: bool) -> tuple[tuple[SyncWindow, ...], str]:
    try:
        return read_windows(fields), ""
    except SpecInvalid as error:
        if not stored:
            raise
        return (), error.message


def _integrity(fields: Fields, *, stored: bool) -> tuple[SignaturePolicy, ...]:
    """What cannot be read of a stored document, an earlier version kept unread: nothing is
    signed well enough for that."""
    try:
        return read_policies(fields)
    except SpecInvalid:
        if not stored:
            raise
        return NOTHING_PASSES


def _patterns(fields: Fields, key: str) -> tuple[str, ...]:
    patterns = fields.texts(key)
    for index, pattern in enumerate(patterns):
        if pattern in {"", "!", "!*"}:
            raise fields.invalid(f"{key}[{index}]", f"{pattern!r} is no pattern")
    return patterns


def _destination(fields: Fields) -> ProjectDestination:
    made = ProjectDestination(
        server=fields.text("server"), name=fields.text("name"), namespace=fields.text("namespace")
    )
    for key in ("server", "name", "namespace"):
        if fields.text(key) in {"!", "!*"}:
            raise fields.invalid(key, "denies everything; leave the destination out instead")
    if not (made.server or made.name):
        raise fields.invalid("server", "is required, unless name is given")
    fields.finish()
    return made


def _kind_rules(fields: Fields, key: str, *, named: bool) -> tuple[KindRule, ...]:
    """``group`` may be "" (the core group) but must be written, as Argo CD's CRD demands."""
    rules = []
    for item in fields.children(key):
        if not item.has("group"):
            raise item.invalid("group", "is required", hint="The core group is ''.")
        name = item.text("name") if named else ""
        rules.append(KindRule(item.text("group"), item.text("kind", required=True), name))
        item.finish()
    return tuple(rules)


def _roles(fields: Fields, project: str) -> tuple[ProjectRole, ...]:
    roles = [_role(item, project) for item in fields.children("roles")]
    names = [role.name for role in roles]
    for name in names:
        if names.count(name) > 1:
            raise fields.invalid("roles", f"has two roles called {name!r}")
    return tuple(roles)


def _role(fields: Fields, project: str) -> ProjectRole:
    """Its tokens elsewhere cannot be taken over: the key that signs them is not exported."""
    name = fields.text("name", required=True)
    if _ROLE_NAME.fullmatch(name) is None:
        raise fields.invalid(
            "name",
            f"{name!r} is no valid role name",
            hint="Letters, digits, '-' and '_', a letter or digit first and last.",
        )
    if fields.children("jwtTokens"):
        fields.warn("jwtTokens", "kept, but no token of Fleet: make new ones")
    role = ProjectRole(
        project, name, fields.texts("policies"), fields.texts("groups"), fields.text("description")
    )
    fields.finish()
    return role


def _service_account(fields: Fields) -> ServiceAccountRule:
    rule = ServiceAccountRule(
        fields.text("server"),
        fields.text("namespace"),
        fields.text("defaultServiceAccount", required=True),
    )
    parts = rule.account.split(":")
    if len(parts) > 2 or not all(is_dns_subdomain(part) for part in parts):
        raise fields.invalid(
            "defaultServiceAccount",
            f"{rule.account!r} is no name of a ServiceAccount",
            hint="Write NAME, or NAMESPACE:NAME.",
        )
    for key in ("server", "namespace"):
        if fields.text(key).startswith("!"):
            raise fields.invalid(key, "cannot be negated: the first entry that matches counts")
    fields.finish()
    return rule
