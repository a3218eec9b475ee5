"""``fleet export``: everything as Argo CD's own documents, so that nobody is locked in.

What comes out is what went in, word for word, without the marks by which Fleet knows what it
applied. Credentials leave only when they are asked for, and that is written down.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from fleet.cluster import argocd_config
from fleet.model.argo_secret_writing import (
    REPOSITORY,
    TEMPLATE,
    cluster_secret,
    credential_secret,
)
from fleet.model.argo_settings import GPG_KEYS, KNOWN_HOSTS, TLS_CERTIFICATES
from fleet.model.integrity import SigningKey
from fleet.model.objects import (
    INSTANCE_LABEL,
    SERVER_METADATA,
    TRACKING_ANNOTATION,
    Manifest,
    metadata_of,
)
from fleet.model.projects import is_awaited
from fleet.model.repositories import KnownCertificate
from fleet.model.scope import EVERYTHING, Actor
from fleet.operations.runtime import Runtime
from fleet.registry import documents, exports
from fleet.registry.audit import record_change
from fleet.registry.config_maps import list_config_maps
from fleet.registry.database import Tx
from fleet.registry.signing_keys import signing_keys

#: Where Argo CD keeps its objects; for those that were written without a namespace.
NAMESPACE = "argocd"
_OWN = frozenset({INSTANCE_LABEL, TRACKING_ANNOTATION})


async def export_documents(runtime: Runtime, actor: Actor, *, secrets: bool) -> list[Manifest]:
    """Settings, plugins, projects, ApplicationSets and applications, in the order in which they
    can be applied; with ``secrets`` also clusters, repositories and whatever Secret was kept."""
    found: list[Manifest] = []
    async with runtime.db.transaction() as tx:
        kept = await documents.list_kept(tx, runtime.ring, secrets=secrets)
        trusted = await exports.certificates(tx, EVERYTHING)
        signers = await signing_keys(tx)
        held = [*await list_config_maps(tx), *(one.whole for one in kept)]
        found += _settings(held, trusted, signers)
        if secrets:
            found += await _credentials(runtime, tx)
            after = {"documents": sum(doc["kind"] == "Secret" for doc in found)}
            await record_change(tx, actor, "export", "Secret", "*", after=after)
        # files of a sidecar at Argo CD's, and no objects of a cluster: they get no namespace
        found += await exports.plugins(tx)
        projects = [doc for doc in await exports.projects(tx) if not is_awaited(doc)]
        found += [exported(document) for document in projects]
        found += [exported(one.whole) for one in kept if one.kind == "ApplicationSet"]
        found += [exported(document) for document in await exports.applications(tx)]
    return found


def exported(document: Manifest) -> Manifest:
    """A document without our marks, as a cluster takes it."""
    metadata = {
        key: value for key, value in metadata_of(document).items() if key not in SERVER_METADATA
    }
    for key in ("labels", "annotations"):
        texts = metadata.get(key)
        if isinstance(texts, Mapping):
            rest = {name: value for name, value in texts.items() if name not in _OWN}
            metadata = {**metadata, key: rest}
            if not rest and texts:
                del metadata[key]
    made = {**document, "metadata": {"namespace": NAMESPACE, **metadata}}
    if document.get("kind") == "Application":
        # both are required there, and are so by default
        spec = made.get("spec") or {}
        made["spec"] = {"project": "default", "destination": {}, **spec}
    return made


def _settings(
    kept: Iterable[Manifest], trusted: Iterable[KnownCertificate], signers: Iterable[SigningKey]
) -> Iterator[Manifest]:
    """ConfigMaps and Secrets as they were kept; of hosts, authorities and signing keys those
    that are trusted now."""
    hosts: list[str] = []
    authorities: dict[str, str] = {}
    for entry in trusted:
        if entry.kind == "ssh":
            hosts.append(entry.data.rstrip("\n"))
        else:
            authorities[entry.host] = authorities.get(entry.host, "") + entry.data
    now = {
        KNOWN_HOSTS: {"ssh_known_hosts": "".join(f"{line}\n" for line in hosts)} if hosts else {},
        TLS_CERTIFICATES: authorities,
        GPG_KEYS: {key.id: key.data for key in signers if key.kind == "gpg"},
    }
    for document in kept:
        if document["kind"] == "ApplicationSet":
            continue
        name = str(metadata_of(document).get("name"))
        is_trust = document["kind"] == "ConfigMap" and name in now
        data = {**(document.get("data") or {}), **now.pop(name)} if is_trust else None
        yield exported(document if data is None else {**document, "data": data})
    for name, data in now.items():
        if data:
            yield exported(_config_map(name, data))


def _config_map(name: str, data: Mapping[str, str]) -> Manifest:
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "argocd"}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": labels},
        "data": dict(data),
    }


async def _credentials(runtime: Runtime, tx: Tx) -> list[Manifest]:
    found = [
        cluster_secret(
            cluster.name,
            connection.server,
            argocd_config(connection),
            labels=cluster.labels,
            annotations=cluster.annotations,
            namespaces=cluster.namespaces,
            cluster_resources=cluster.cluster_resources,
            project=cluster.project,
        )
        for cluster, connection in await exports.clusters(tx, runtime.ring)
    ]
    for kind in (REPOSITORY, TEMPLATE):
        found += [
            credential_secret(
                kind, one.url, one.kind, one.auth, one.options, name=one.name, project=one.project
            )
            for one in await exports.repositories(tx, runtime.ring, templates=kind == TEMPLATE)
        ]
    return [exported(document) for document in found]
