"""Reading an Application. Every field and default: ``features.md`` §3.1.

The first thing that is wrong stops the reading with file, line and field path; what is
merely unknown is kept and warned about.
"""

from __future__ import annotations

import re

from fleet.model.applications import (
    ApplicationDocument,
    ApplicationSpec,
    Automated,
    Destination,
    SyncPolicy,
)
from fleet.model.documents import ARGO_API_VERSION, kept, open_document, read_metadata
from fleet.model.ignore_spec import read_ignore
from fleet.model.names import (
    DNS_LABEL_RULE,
    DNS_SUBDOMAIN_RULE,
    is_dns_label,
    is_dns_subdomain,
)
from fleet.model.objects import Manifest
from fleet.model.projects import DEFAULT_PROJECT
from fleet.model.reading import Fields, did_you_mean
from fleet.model.retries import Retry
from fleet.model.source_spec import read_sources
from fleet.model.sync_options import SYNC_OPTION_VALUES

_SERVER = re.compile(r"https?://[^\s/?#]+(/[^\s?#]*)?")


def parse_application(doc: Manifest, *, file: str = "", line: int = 0) -> ApplicationDocument:
    """The typed Application, with the document kept word for word beside it.

    Args:
        file: where the document was read from, for messages; "" when from nowhere.
        line: where it begins in there, counted from 1; 0 when unknown.

    Raises:
        SpecInvalid: names file, line and field path of the first thing that is wrong.
    """
    top, origin = open_document(doc, ARGO_API_VERSION, "Application", file=file, line=line)
    metadata = read_metadata(top, "Application")
    spec_fields = top.child("spec", required=True)
    assert spec_fields is not None
    spec = _spec(spec_fields)
    top.ignore("status", "operation")
    top.finish()
    return ApplicationDocument(
        name=metadata.name,
        labels=metadata.labels,
        annotations=metadata.annotations,
        finalizers=metadata.finalizers,
        spec=spec,
        document=kept(doc),
        warnings=tuple(origin.warnings),
    )


def _spec(fields: Fields) -> ApplicationSpec:
    project = fields.text("project") or DEFAULT_PROJECT
    if not is_dns_subdomain(project):
        raise fields.invalid("project", f"{project!r} is no valid name", hint=DNS_SUBDOMAIN_RULE)
    sources, multi_source, hydrator = read_sources(fields)
    limit = fields.maybe_integer("revisionHistoryLimit", least=0)
    destination = fields.child("destination", required=True)
    assert destination is not None
    spec = ApplicationSpec(
        project=project,
        sources=sources,
        destination=_destination(destination),
        sync_policy=_sync_policy(fields.child("syncPolicy")),
        ignore_differences=tuple(
            read_ignore(item) for item in fields.children("ignoreDifferences")
        ),
        revision_history_limit=10 if limit is None else limit,
        info=tuple(_info(item) for item in fields.children("info")),
        multi_source=multi_source,
        hydrator=hydrator,
    )
    fields.finish()
    return spec


def _destination(fields: Fields) -> Destination:
    server, name = fields.text("server"), fields.text("name")
    namespace = fields.text("namespace")
    if server and name:
        raise fields.invalid(
            "server", "is given together with name; a destination has one of the two"
        )
    if not (server or name):
        raise fields.invalid("name", "is required, unless server is given")
    if server and _SERVER.fullmatch(server) is None:
        raise fields.invalid("server", "is no URL of an API server", hint="https://host:port")
    if namespace and not is_dns_label(namespace):
        raise fields.invalid(
            "namespace", f"{namespace!r} is no valid namespace", hint=DNS_LABEL_RULE
        )
    fields.finish()
    return Destination(server.rstrip("/"), name, namespace)


def _sync_policy(fields: Fields | None) -> SyncPolicy:
    if fields is None:
        return SyncPolicy()
    options = fields.texts("syncOptions")
    for index, option in enumerate(options):
        if problem := _option_problem(option):
            fields.warn(f"syncOptions[{index}]", problem)
    namespace = fields.child("managedNamespaceMetadata")
    policy = SyncPolicy(
        automated=_automated(fields.child("automated")),
        options=options,
        retry=_retry(fields.child("retry")),
        namespace_labels=() if namespace is None else namespace.text_map("labels"),
        namespace_annotations=() if namespace is None else namespace.text_map("annotations"),
    )
    if namespace is not None:
        namespace.finish()
    fields.finish()
    return policy


def _option_problem(option: str) -> str:
    """Options are kept whatever they say: a vendor's are none of our business."""
    name, equals, value = (part.strip() for part in option.partition("="))
    allowed = SYNC_OPTION_VALUES.get(name)
    if allowed is None:
        return f"unknown sync option {name!r}{did_you_mean(name, SYNC_OPTION_VALUES)}"
    if not equals or value not in allowed:
        return f"{name} is written {name}={'|'.join(sorted(allowed))}"
    return ""


def _automated(fields: Fields | None) -> Automated | None:
    if fields is None:
        return None
    automated = Automated(
        enabled=fields.maybe_flag("enabled"),
        prune=fields.flag("prune"),
        self_heal=fields.flag("selfHeal"),
        allow_empty=fields.flag("allowEmpty"),
    )
    fields.finish()
    return automated


def _retry(fields: Fields | None) -> Retry:
    if fields is None:
        return Retry()
    usual = Retry()
    limit = fields.maybe_integer("limit")
    refresh = fields.flag("refresh")
    backoff = fields.child("backoff")
    fields.finish()
    if backoff is None:
        return Retry(limit=limit, refresh=refresh)
    factor = backoff.maybe_integer("factor", least=1)
    retry = Retry(
        limit=limit,
        duration=backoff.duration("duration", usual.duration),
        factor=usual.factor if factor is None else factor,
        max_duration=backoff.duration("maxDuration", usual.max_duration),
        refresh=refresh,
    )
    backoff.finish()
    return retry


def _info(fields: Fields) -> tuple[str, str]:
    pair = fields.text("name"), fields.text("value")
    fields.finish()
    return pair
