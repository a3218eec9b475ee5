"""Repositories, credential templates and certificates over the API, against real servers."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from fleet.errors import SealBroken
from fleet.model.ids import RepositoryId
from fleet.model.repositories import Remote
from fleet.model.scope import EVERYTHING
from fleet.registry import remotes, repositories
from tests.integration.api.callers import ED25519, Api
from tests.servers.git_http import GitHttpServer
from tests.servers.git_repo import GitRepo
from tests.servers.helm_repo import HelmRepo
from tests.servers.tls import CertificateAuthority


@pytest.fixture
def guarded(git_http: GitHttpServer) -> GitRepo:
    """A git repository that asks for a user name and a password."""
    repo = git_http.repository("shop")
    repo.commit({"web/a.yaml": "a: 1\n"})
    git_http.require_basic("ci", "hunter2")
    return repo


async def test_a_repository_is_asked_and_shown_without_credentials(
    api: Api, guarded: GitRepo
) -> None:
    body = {"url": guarded.url, "username": "ci", "password": "hunter2", "name": "shop"}
    made = await api.post("repositories", body, code=201)
    assert (made["action"], made["tested"]) == ("created", True)
    assert any("http is not encrypted" in text for text in made["warnings"])
    repository = made["repository"]
    assert (repository["auth"], repository["username"]) == ("basic", "ci")
    assert repository["connectionState"]["status"] == "Successful"
    assert repository["lastSeenAt"] is not None
    assert "hunter2" not in str(made)
    assert await api.get("repository", url=guarded.url.removesuffix(".git")) == repository
    assert await api.get("repository", url=repository["id"]) == repository
    listed = await api.get("repositories", url="shop", type="git")
    assert listed["items"] == [repository]


@pytest.mark.parametrize(
    ("body", "code", "type", "said"),
    [
        ({"url": "https://169.254.169.254/x"}, 403, "AddressForbidden", "link-local"),
        ({"url": "file:///etc"}, 403, "AddressForbidden", "allowed"),
        ({"url": "ext::sh -c id"}, 422, "SpecInvalid", ""),
        ({"url": "https://u:pw@git.example/x"}, 422, "SpecInvalid", ""),
        ({"url": "oci://registry.example/x", "type": "git"}, 422, "SpecInvalid", "no git"),
        ({"url": "https://127.0.0.1:1/x.git"}, 502, "SourceUnreachable", ""),
        ({"url": "https://git.example.test/x.git", "project": "none"}, 404, "NotFound", "none"),
        ({"url": "https://git.example.test/x.git", "type": "svn"}, 422, "SpecInvalid", "type"),
    ],
)
async def test_a_repository_that_cannot_be_used_changes_nothing(
    api: Api, body: dict[str, Any], code: int, type: str, said: str
) -> None:
    error = await api.refused("POST", "repositories", body, code=code, type=type)
    assert said in error["message"]
    assert (await api.get("repositories"))["items"] == []


async def test_wrong_credentials_are_told_before_anything_is_stored(
    api: Api, guarded: GitRepo
) -> None:
    body = {"url": guarded.url, "username": "ci", "password": "hunter3"}
    error = await api.refused("POST", "repositories", body, code=502, type="SourceAuthFailed")
    assert "hunter3" not in str(error)
    assert (await api.get("repositories"))["items"] == []


async def test_a_test_may_be_left_out_but_not_the_address_rules(api: Api) -> None:
    body = {"url": "https://127.0.0.1:1/x.git", "skipTest": True}
    made = await api.post("repositories", body, code=201)
    assert (made["tested"], made["repository"]["connectionState"]["status"]) == (False, "Unknown")
    forbidden = {"url": "https://169.254.169.254/x.git", "skipTest": True}
    await api.refused("POST", "repositories", forbidden, code=403, type="AddressForbidden")


async def test_one_repository_is_registered_once(api: Api, guarded: GitRepo) -> None:
    body = {"url": guarded.url, "username": "ci", "password": "hunter2"}
    await api.post("repositories", body, code=201)
    again = {**body, "url": guarded.url.removesuffix(".git")}
    await api.refused("POST", "repositories", again, code=409, type="AlreadyExists")
    same = await api.post("repositories", {**body, "upsert": True})
    assert same["action"] == "unchanged"
    changed = await api.post("repositories", {**again, "upsert": True, "depth": 1})
    assert (changed["action"], changed["repository"]["options"]["depth"]) == ("configured", 1)


async def test_credentials_that_do_not_open_are_replaced_or_removed(
    api: Api, guarded: GitRepo
) -> None:
    body = {"url": guarded.url, "username": "ci", "password": "hunter2"}
    await api.post("repositories", body, code=201)
    before = await _remote(api)
    await _break_seals(api)
    with pytest.raises(SealBroken):
        await _remote(api)
    mended = await api.post("repositories", {**body, "upsert": True})
    assert mended["action"] == "configured"
    assert (await _remote(api)).auth == before.auth
    await _break_seals(api)
    await api.ask("DELETE", "repository", url=guarded.url)
    assert (await api.get("repositories"))["items"] == []


async def test_the_mirror_goes_with_the_repository_also_unopened(
    api: Api, guarded: GitRepo
) -> None:
    template = {"url": guarded.url.rpartition("/")[0], "username": "ci", "password": "hunter2"}
    by_template, own = {"url": guarded.url}, {"username": "ci", "password": "hunter2"}
    await api.post("repocreds", template, code=201)
    for body in (by_template, {**by_template, **own}):
        await api.post("repositories", body, code=201)
        async with api.runtime.db.reading() as tx:
            (known,), _ = await repositories.list_repositories(tx, EVERYTHING)
            opened = await repositories.remote_of(tx, api.runtime.ring, known.id)
            assert (await remotes.unopened_of(tx, known.id)).cache_key == opened.cache_key
        await api.ask("DELETE", "repository", url=guarded.url)


async def _remote(api: Api) -> Remote:
    async with api.runtime.db.reading() as tx:
        (known,), _ = await repositories.list_repositories(tx, EVERYTHING)
        return await repositories.remote_of(tx, api.runtime.ring, known.id)


async def _break_seals(api: Api) -> None:
    """As if the key that sealed them were lost."""
    async with api.runtime.db.transaction() as tx:
        await tx.execute(text("update repositories set sealed = 'v1:lost:AAAA:AAAA:AAAA'"))


async def test_another_url_voids_the_credentials(
    api: Api, guarded: GitRepo, git_http: GitHttpServer
) -> None:
    other = git_http.repository("other")
    body = {"url": guarded.url, "username": "ci", "password": "hunter2"}
    id = (await api.post("repositories", body, code=201))["repository"]["id"]
    moved = await api.ask("PATCH", "repository", {"url": other.url}, url=id)
    assert (moved["url"], moved["auth"], moved["username"]) == (other.url, "anonymous", "")
    async with api.runtime.db.reading() as tx:
        remote = await repositories.remote_of(tx, api.runtime.ring, RepositoryId(id))
    assert not remote.auth
    await api.refused(
        "PATCH", "repository", {"url": "file:///etc"}, code=403, type="AddressForbidden", url=id
    )


async def test_a_repository_is_changed_by_what_is_given(api: Api, git_repo: GitRepo) -> None:
    await api.post("repositories", {"url": git_repo.url, "intervalSeconds": 30}, code=201)
    changed = await api.ask("PATCH", "repository", {"name": "shop"}, url=git_repo.url)
    assert (changed["name"], changed["options"]["intervalSeconds"]) == ("shop", 30)
    changed = await api.ask("PATCH", "repository", {"intervalSeconds": None}, url=git_repo.url)
    assert changed["options"]["intervalSeconds"] is None
    await api.refused(
        "PATCH", "repository", {"project": "none"}, code=404, type="NotFound", url=git_repo.url
    )


async def test_a_test_asks_now_and_writes_down_what_came(
    api: Api, guarded: GitRepo, git_http: GitHttpServer
) -> None:
    body = {"url": guarded.url, "username": "ci", "password": "hunter2"}
    await api.post("repositories", body, code=201)
    tested = await api.post("repository/test", url=guarded.url)
    assert (tested["refs"], tested["charts"]) == (1, None)
    git_http._accepted.clear()  # the old password is accepted no longer
    git_http.require_basic("ci", "changed")
    await api.refused(
        "POST", "repository/test", {}, code=502, type="SourceAuthFailed", url=guarded.url
    )
    found = await api.get("repository", url=guarded.url)
    assert found["connectionState"]["status"] == "Failed"
    assert found["failingSince"] is not None


async def test_a_helm_repository_is_asked_for_its_index(api: Api, helm_repo: HelmRepo) -> None:
    made = await api.post("repositories", {"url": helm_repo.url, "type": "helm"}, code=201)
    assert made["tested"] is True
    tested = await api.post("repository/test", url=helm_repo.url)
    assert tested["refs"] is None


async def test_a_repository_is_forgotten_with_its_mirror(api: Api, git_repo: GitRepo) -> None:
    git_repo.commit({"a.yaml": "a: 1\n"})
    await api.post("repositories", {"url": git_repo.url}, code=201)
    assert await api.ask("DELETE", "repository", url=git_repo.url) == {"url": git_repo.url}
    await api.refused("GET", "repository", code=404, type="NotFound", url=git_repo.url)
    await api.refused("DELETE", "repository", code=404, type="NotFound", url=git_repo.url)


class TestTemplates:
    async def test_they_open_what_is_below_their_url(
        self, api: Api, guarded: GitRepo, git_http: GitHttpServer
    ) -> None:
        body = {"url": f"{git_http.url}/", "username": "ci", "password": "hunter2"}
        made = await api.post("repocreds", body, code=201)
        assert made["credential"]["auth"] == "basic"
        assert "hunter2" not in str(made)
        tested = await api.post("repositories", {"url": guarded.url}, code=201)
        assert (tested["tested"], tested["repository"]["auth"]) == (True, "anonymous")
        same = await api.post("repositories", {"url": guarded.url, "upsert": True})
        assert same["action"] == "unchanged"

    async def test_one_url_has_one(self, api: Api) -> None:
        body = {"url": "https://git.example.test/", "username": "ci", "password": "a"}
        await api.post("repocreds", body, code=201)
        await api.refused("POST", "repocreds", body, code=409, type="AlreadyExists")
        changed = await api.post("repocreds", {**body, "username": "cd", "upsert": True})
        assert (changed["action"], changed["credential"]["username"]) == ("configured", "cd")
        assert len((await api.get("repocreds"))["items"]) == 1

    async def test_addresses_are_judged(self, api: Api) -> None:
        body = {"url": "https://169.254.169.254/"}
        await api.refused("POST", "repocreds", body, code=403, type="AddressForbidden")

    async def test_they_are_forgotten(self, api: Api) -> None:
        await api.post("repocreds", {"url": "https://git.example.test/", "username": "a"}, code=201)
        await api.ask("DELETE", "repocreds", url="https://git.example.test")
        await api.refused(
            "DELETE", "repocreds", code=404, type="NotFound", url="https://git.example.test"
        )


class TestCertificates:
    async def test_host_keys_are_trusted_once(self, api: Api) -> None:
        line = f"git.example.test ssh-ed25519 {ED25519}\n"
        added = await api.post("certificates/ssh", {"knownHosts": line}, code=201)
        assert [entry["host"] for entry in added["added"]] == ["git.example.test"]
        again = await api.post("certificates/ssh", {"knownHosts": line}, code=201)
        assert (again["added"], again["known"]) == ([], 1)
        listed = await api.get("certificates", kind="ssh", data=True)
        assert ED25519 in listed["items"][0]["data"]

    async def test_authorities_are_trusted_for_a_host(
        self, api: Api, authority: CertificateAuthority
    ) -> None:
        body = {"host": "Git.Example.test", "pem": authority.pem}
        added = await api.post("certificates/tls", body, code=201)
        assert added["added"][0]["host"] == "git.example.test"
        assert added["added"][0]["fingerprint"].startswith("SHA256:")

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("certificates/ssh", {"knownHosts": "git.example.test ssh-ed25519"}),
            ("certificates/tls", {"host": "git.example.test", "pem": "nonsense"}),
            ("certificates/tls", {"host": "https://git.example.test/", "pem": ""}),
        ],
    )
    async def test_what_is_none_is_refused(self, api: Api, path: str, body: Any) -> None:
        await api.refused("POST", path, body, code=422, type="SpecInvalid")
        assert (await api.get("certificates"))["items"] == []

    async def test_they_are_forgotten(self, api: Api) -> None:
        line = f"git.example.test ssh-ed25519 {ED25519}\n"
        await api.post("certificates/ssh", {"knownHosts": line}, code=201)
        removed = await api.ask("DELETE", "certificates", host="git.example.test")
        assert len(removed["removed"]) == 1
        await api.refused(
            "DELETE", "certificates", code=404, type="NotFound", host="git.example.test"
        )
