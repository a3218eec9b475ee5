"""With what Fleet may push: Argo CD's write Secrets, kept sealed as people applied them.

Reading and writing are two rights. What a repository was registered with is never pushed
with, and where no write Secret fits nothing is pushed.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from fleet.errors import FleetError, Forbidden
from fleet.model.argo_secrets import (
    SECRET_TYPE_LABEL,
    RepoCredsSecret,
    RepositorySecret,
    parse_repo_creds_secret,
    parse_repository_secret,
    secret_type_of,
)
from fleet.model.objects import Manifest
from fleet.model.repositories import Remote
from fleet.operations.runtime import Runtime
from fleet.registry.credentials import prefix_holds
from fleet.registry.documents import secrets_of_type
from fleet.source import parse_url

#: Type of a write Secret → the type of which it has the keys.
WRITE_TYPES = {"repository-write": "repository", "repo-write-creds": "repo-creds"}


async def write_remote(runtime: Runtime, remote: Remote, project: str) -> Remote:
    """The repository as it may be pushed to for a project: by the Secret for its very URL, else
    by that with the longest URL above it.

    Raises:
        Forbidden: there is none.
        SpecInvalid: it is not what it has to be; no value is repeated.
    """
    async with runtime.db.reading() as tx:
        held = await secrets_of_type(tx, runtime.ring, SECRET_TYPE_LABEL, list(WRITE_TYPES))
    url = parse_url(remote.url).canonical
    best: tuple[tuple[bool, int], RepositorySecret | RepoCredsSecret] | None = None
    fault: FleetError | None = None
    for document in held:
        try:
            found = read_write_secret(document)
            fits = _fit(found, url, project)
        except FleetError as error:
            fault = error
            continue
        if fits is not None and (best is None or fits > best[0]):
            best = fits, found
    if best is None:
        raise fault or Forbidden(
            f"{remote.url}: nobody gave Fleet credentials to push there",
            hint="Apply a Secret with the label"
            f" {SECRET_TYPE_LABEL}=repository-write and that URL.",
        )
    found = best[1]
    name = f"{remote.cache_key}\0write\0{project}"
    return replace(
        remote,
        auth=found.auth,
        options=replace(found.options, enable_lfs=False, enable_submodules=False),
        cache_key=hashlib.sha256(name.encode()).hexdigest(),
        registered=True,
    )


def read_write_secret(document: Manifest) -> RepositorySecret | RepoCredsSecret:
    """What it says.

    Raises:
        SpecInvalid: it is not what it has to be; never repeats a value.
    """
    wanted = WRITE_TYPES[secret_type_of(document)]
    metadata = document["metadata"]
    labels = {**metadata["labels"], SECRET_TYPE_LABEL: wanted}
    document = {**document, "metadata": {**metadata, "labels": labels}}
    if wanted == "repository":
        return parse_repository_secret(document)
    return parse_repo_creds_secret(document)


def _fit(
    found: RepositorySecret | RepoCredsSecret, url: str, project: str
) -> tuple[bool, int] | None:
    """How near a Secret is to a canonical URL; None where it does not hold for it."""
    held = parse_url(found.url).canonical
    if isinstance(found, RepositorySecret):
        return (True, 0) if held == url and found.project in ("", project) else None
    return (False, len(held)) if prefix_holds(held, url) else None
