"""Repositories and credential templates. A repository is named by its URL, in the query
because of its slashes; its id serves too."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import Field, SecretStr

from fleet.api.answers import created
from fleet.api.caller import Caller, Calling
from fleet.api.guarded import guarded_router
from fleet.api.requests import PAGE, After, Body, Limit, secret
from fleet.api.shapes import page, time_text
from fleet.model.clusters import ConnectionStatus
from fleet.model.repositories import (
    RepoCredential,
    Repository,
    RepositoryAuth,
    RepositoryOptions,
    RepositoryType,
)
from fleet.operations import sources
from fleet.registry import credentials, repositories
from fleet.registry.repositories import NewRepository, RepositoryChanges, RepositoryFilter

router = guarded_router("repositories")

LONGEST_INTERVAL = 86_400
Interval = Annotated[int, Field(ge=10, le=LONGEST_INTERVAL)]
Url = Annotated[str, Query(description="The repository's URL in any spelling, or its id.")]


class RemoteBody(Body):
    """A URL, and how to reach what is there. All empty means anonymous."""

    url: str
    type: RepositoryType = RepositoryType.GIT
    username: str = ""
    password: SecretStr | None = None
    bearer_token: SecretStr | None = None
    ssh_private_key: SecretStr | None = None
    tls_client_cert: str = ""
    tls_client_key: SecretStr | None = None
    github_app_id: str = ""
    github_app_installation_id: str = ""
    github_app_private_key: SecretStr | None = None
    github_app_enterprise_base_url: str = ""
    gcp_service_account_key: SecretStr | None = None
    use_azure_workload_identity: bool = False
    azure_client_id: str = ""
    azure_tenant_id: str = ""
    azure_client_secret: SecretStr | None = None
    azure_ad_endpoint: str = ""
    insecure: bool = False
    enable_lfs: bool = False
    enable_submodules: bool = False
    enable_oci: bool = False
    oci_force_http: bool = False
    force_http_basic_auth: bool = False
    proxy: str = ""
    no_proxy: str = ""
    depth: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    interval_seconds: Interval | None = None
    upsert: bool = False

    def auth(self) -> RepositoryAuth:
        return RepositoryAuth(
            username=self.username,
            password=secret(self.password),
            bearer_token=secret(self.bearer_token),
            ssh_private_key=secret(self.ssh_private_key),
            tls_client_cert_pem=self.tls_client_cert,
            tls_client_key_pem=secret(self.tls_client_key),
            github_app_id=self.github_app_id,
            github_app_installation_id=self.github_app_installation_id,
            github_app_private_key=secret(self.github_app_private_key),
            github_app_enterprise_base_url=self.github_app_enterprise_base_url,
            gcp_service_account_key=secret(self.gcp_service_account_key),
            use_azure_workload_identity=self.use_azure_workload_identity,
            azure_client_id=self.azure_client_id,
            azure_tenant_id=self.azure_tenant_id,
            azure_client_secret=secret(self.azure_client_secret),
            azure_ad_endpoint=self.azure_ad_endpoint,
        )

    def options(self) -> RepositoryOptions:
        return RepositoryOptions(
            insecure=self.insecure,
            enable_lfs=self.enable_lfs,
            enable_submodules=self.enable_submodules,
            enable_oci=self.enable_oci,
            oci_force_http=self.oci_force_http,
            force_http_basic_auth=self.force_http_basic_auth,
            proxy=self.proxy,
            no_proxy=self.no_proxy,
            depth=self.depth,
            interval_seconds=self.interval_seconds,
        )

    def remote(self, name: str = "", project: str = "") -> NewRepository:
        return NewRepository(self.url, "", self.type, name, project, self.auth(), self.options())


class RepositoryBody(RemoteBody):
    name: str = ""
    project: str = ""
    skip_test: bool = False


class ChangeBody(Body):
    """What is left out stays. Another URL voids the credentials."""

    url: str | None = None
    name: str | None = None
    project: str | None = None
    interval_seconds: Interval | None = None

    def changes(self) -> RepositoryChanges:
        wanted: RepositoryChanges = {}
        if self.name is not None:
            wanted["name"] = self.name
        if self.project is not None:
            wanted["project"] = self.project
        if "interval_seconds" in self.model_fields_set:
            wanted["interval_seconds"] = self.interval_seconds
        return wanted


def repository_shape(repository: Repository) -> dict[str, Any]:
    """A repository as people see it, without its credentials."""
    options = repository.options
    return {
        "id": str(repository.id),
        "url": repository.url,
        "type": str(repository.type),
        "name": repository.name,
        "project": repository.project,
        "username": repository.username,
        "auth": repository.auth,
        "options": {
            "insecure": options.insecure,
            "enableLfs": options.enable_lfs,
            "enableSubmodules": options.enable_submodules,
            "enableOci": options.enable_oci,
            "ociForceHttp": options.oci_force_http,
            "forceHttpBasicAuth": options.force_http_basic_auth,
            "proxy": options.proxy,
            "noProxy": options.no_proxy,
            "depth": options.depth,
            "intervalSeconds": options.interval_seconds,
        },
        "connectionState": {
            "status": str(repository.status),
            "message": repository.message,
            "attemptedAt": time_text(repository.attempted_at),
        },
        "lastSeenAt": time_text(repository.observed_at),
        "failingSince": time_text(repository.failing_since),
        "createdAt": time_text(repository.created_at),
    }


def credential_shape(template: RepoCredential) -> dict[str, Any]:
    """A credential template as people see it."""
    return {
        "url": template.url,
        "type": str(template.type),
        "username": template.username,
        "auth": template.auth,
        "createdAt": time_text(template.created_at),
    }


@router.get("/repositories", summary="Repositories, by URL")
async def list_repositories(
    caller: Calling,
    url: str = "",
    project: str | None = None,
    type: RepositoryType | None = None,
    status: ConnectionStatus | None = None,
    limit: Limit = PAGE,
    after: After = "",
) -> dict[str, Any]:
    await caller.require_some("repositories")
    wanted = RepositoryFilter(url, project, type, status)
    async with caller.runtime.db.reading() as tx:
        found, cursor = await repositories.list_repositories(
            tx, caller.scope, wanted, limit=limit, after=after
        )
    return page(map(repository_shape, found), cursor)


@router.post("/repositories", summary="Register a repository, after asking it what it has")
async def post_repository(caller: Calling, body: RepositoryBody) -> Response:
    await caller.require("create", "repositories", body.url, body.project)
    made = await sources.add_repository(
        caller.runtime,
        caller.actor,
        caller.scope,
        body.remote(body.name, body.project),
        upsert=body.upsert,
        skip_test=body.skip_test,
    )
    return created(
        {
            "action": made.action,
            "repository": repository_shape(made.repository),
            "tested": made.tested,
            "warnings": list(made.warnings),
        },
        made.action,
    )


async def _found(caller: Caller, action: str, url: str) -> Repository:
    """The repository, if the caller may see it and do that to it."""
    async with caller.runtime.db.reading() as tx:
        repository = await sources.find_repository(tx, caller.scope, url)
    await caller.require(action, "repositories", repository.url, repository.project)
    return repository


@router.get("/repository", summary="One repository")
async def get_repository(caller: Calling, url: Url) -> dict[str, Any]:
    return repository_shape(await _found(caller, "get", url))


@router.patch("/repository", summary="Change what people decide about a repository")
async def patch_repository(caller: Calling, url: Url, body: ChangeBody) -> dict[str, Any]:
    await _found(caller, "update", url)
    changed = await sources.change_repository(
        caller.runtime, caller.actor, caller.scope, url, body.changes(), url=body.url
    )
    return repository_shape(changed)


@router.delete("/repository", summary="Forget a repository that no application reads")
async def delete_repository(caller: Calling, url: Url) -> dict[str, Any]:
    await _found(caller, "delete", url)
    gone = await sources.remove_repository(caller.runtime, caller.actor, caller.scope, url)
    return {"url": gone}


@router.post("/repository/test", summary="Ask a repository what it has, now")
async def post_test(caller: Calling, url: Url) -> dict[str, Any]:
    await _found(caller, "update", url)
    contact = await sources.test_repository(caller.runtime, caller.scope, url)
    git = contact.type is RepositoryType.GIT
    return {
        "ok": True,
        "url": contact.url,
        "seconds": round(contact.seconds, 3),
        "refs": contact.found if git else None,
        "charts": None if git else contact.found,
    }


@router.get("/repocreds", summary="Credential templates, by URL")
async def list_repocreds(caller: Calling, limit: Limit = PAGE, after: After = "") -> dict[str, Any]:
    await caller.require_some("repocreds")
    async with caller.runtime.db.reading() as tx:
        found, cursor = await credentials.credentials_page(
            tx, caller.scope, limit=limit, after=after
        )
    return page(map(credential_shape, found), cursor)


@router.post("/repocreds", summary="Keep credentials for every repository below a URL")
async def post_repocreds(caller: Calling, body: RemoteBody) -> Response:
    await caller.require("create", "repocreds", body.url)
    template, action = await sources.add_template(
        caller.runtime, caller.actor, body.remote(), upsert=body.upsert
    )
    return created({"action": action, "credential": credential_shape(template)}, action)


@router.delete("/repocreds", summary="Forget a credential template")
async def delete_repocreds(caller: Calling, url: Url) -> dict[str, Any]:
    await caller.require("delete", "repocreds", url)
    await sources.remove_template(caller.runtime, caller.actor, url)
    return {"url": url}
