"""Submodules over http: where they may be, and with whose credential."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fleet.errors import AddressForbidden, FleetError, SourceAuthFailed, SourceError
from fleet.model.repositories import RepositoryAuth, RepositoryOptions
from fleet.model.secret import Secret
from fleet.source import AddressRules, Limits, MirrorLimits, Mirrors
from fleet.source.submodules import parse_gitmodules, remote_of
from tests.integration.source.repos import remote_to
from tests.servers.git_http import GitHttpServer
from tests.servers.git_repo import Content, GitRepo, Submodule, Symlink

WITH = RepositoryOptions(enable_submodules=True)
AUTH = RepositoryAuth(username="ci", password=Secret("submodule-password"))


def gitmodules(**urls: str) -> str:
    return "".join(
        f'[submodule "{name}"]\n\tpath = {name}\n\turl = {url}\n' for name, url in urls.items()
    )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitHttpServer]:
    with GitHttpServer(tmp_path / "served") as server:
        yield server


@pytest.fixture
def base(server: GitHttpServer) -> GitRepo:
    base = server.repository("base")
    base.commit({"deploy.yaml": "kind: Deployment\n"})
    return base


def shop_with(server: GitHttpServer, base: GitRepo, url: str, **more: Content) -> GitRepo:
    shop = server.repository("shop")
    files: dict[str, Content] = {
        ".gitmodules": gitmodules(lib=url),
        "lib": Submodule(base.sha()),
        "own.yaml": "a: 1\n",
        **more,
    }
    shop.commit(files)
    return shop


async def test_off_means_an_empty_directory(
    server: GitHttpServer, base: GitRepo, mirrors: Mirrors
) -> None:
    shop = shop_with(server, base, "../base.git")
    tree = await mirrors.checkout(remote_to(shop.url), shop.sha())
    assert list(Path(tree.root, "lib").iterdir()) == []


async def test_a_relative_one_shares_host_and_credential(
    server: GitHttpServer, base: GitRepo, mirrors: Mirrors
) -> None:
    server.require_basic("ci", "submodule-password")
    shop = shop_with(server, base, "../base.git")
    remote = remote_to(shop.url, auth=AUTH, options=WITH)
    tree = await mirrors.checkout(remote, shop.sha(), paths=("lib",))
    assert Path(tree.root, "lib/deploy.yaml").read_text() == "kind: Deployment\n"
    assert Path(tree.root, "own.yaml").exists()


async def test_an_absolute_one_elsewhere_must_be_allowed_and_gets_no_credential(
    server: GitHttpServer, tmp_path: Path, rules: AddressRules
) -> None:
    with GitHttpServer(tmp_path / "elsewhere") as elsewhere:
        base = elsewhere.repository("base")
        base.commit({"deploy.yaml": "x"})
        shop = shop_with(server, base, base.url)
        remote = remote_to(shop.url, auth=AUTH, options=WITH)
        with pytest.raises(AddressForbidden) as refused:
            await Mirrors(tmp_path / "home", rules=rules).checkout(remote, shop.sha())
        assert "allowed_content_hosts" in refused.value.hint
        assert elsewhere.requests == []
        host = elsewhere.url.removeprefix("http://")
        allowing = Mirrors(tmp_path / "home", rules=replace(rules, allowed_content_hosts=(host,)))
        tree = await allowing.checkout(remote, shop.sha())
        assert Path(tree.root, "lib/deploy.yaml").exists()
        assert not [r for r in elsewhere.requests if "authorization" in r.headers]
        elsewhere.require_basic("ci", "submodule-password")
        with pytest.raises(SourceAuthFailed):
            await allowing.checkout(replace(remote, cache_key="other"), shop.sha())


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc",
        "/etc",
        "ext::sh -c id",
        "--upload-pack=touch x",
        "git://127.0.0.1/x",
        "ssh://-oProxyCommand=x/y",
        "http://169.254.169.254/x",
        "http://user:pw@127.0.0.1/x",
    ],
)
async def test_hostile_addresses(
    server: GitHttpServer, base: GitRepo, mirrors: Mirrors, url: str
) -> None:
    shop = shop_with(server, base, url)
    with pytest.raises(FleetError):
        await mirrors.checkout(remote_to(shop.url, options=WITH), shop.sha())


async def test_one_that_is_not_listed(
    server: GitHttpServer, base: GitRepo, mirrors: Mirrors
) -> None:
    shop = server.repository("shop")
    sha = shop.commit({"lib": Submodule(base.sha())})
    with pytest.raises(SourceError, match=r"^lib: the submodule is not in \.gitmodules"):
        await mirrors.checkout(remote_to(shop.url, options=WITH), sha)


async def test_one_that_contains_itself_ends(
    server: GitHttpServer, base: GitRepo, mirrors: Mirrors
) -> None:
    repos = [server.repository(f"level{number}") for number in range(7)]
    repos[6].commit({"leaf": "x"})
    for number in range(5, -1, -1):
        repos[number].commit(
            {
                ".gitmodules": gitmodules(lib=f"../level{number + 1}.git"),
                "lib": Submodule(repos[number + 1].sha()),
            }
        )
    with pytest.raises(SourceError, match="nest deeper"):
        await mirrors.checkout(remote_to(repos[0].url, options=WITH), repos[0].sha())
    tree = await mirrors.checkout(remote_to(repos[1].url, options=WITH), repos[1].sha())
    assert Path(tree.root, "lib/lib/lib/lib/lib/leaf").exists()


async def test_limits_cover_all_of_them(
    server: GitHttpServer, base: GitRepo, tmp_path: Path, rules: AddressRules
) -> None:
    base.commit({"big": "x" * 5000})
    shop = shop_with(server, base, "../base.git")
    limits = MirrorLimits(tree=Limits(size_bytes=4000))
    mirrors = Mirrors(tmp_path / "home", rules=rules, limits=limits)
    with pytest.raises(SourceError, match="larger than"):
        await mirrors.checkout(remote_to(shop.url, options=WITH), shop.sha())


async def test_a_symlink_out_of_a_submodule(
    server: GitHttpServer, base: GitRepo, mirrors: Mirrors
) -> None:
    base.commit({"evil": Symlink("../own.yaml")})
    shop = shop_with(server, base, "../base.git")
    with pytest.raises(SourceError, match="leaves the tree"):
        await mirrors.checkout(remote_to(shop.url, options=WITH), shop.sha())


async def test_hashes_follow_the_pin(
    server: GitHttpServer, base: GitRepo, mirrors: Mirrors
) -> None:
    shop = shop_with(server, base, "../base.git")
    remote = remote_to(shop.url, options=WITH)
    paths = ["lib", "lib/deploy.yaml", "library", "own.yaml"]
    before = await mirrors.tree_hashes(remote, shop.sha(), paths)
    assert before["lib"] == before["lib/deploy.yaml"] == base.sha()
    assert before["library"] is None
    newer = base.commit({"deploy.yaml": "changed"})
    shop.commit({"lib": Submodule(newer)})
    after = await mirrors.tree_hashes(remote, shop.sha(), paths)
    assert after["lib/deploy.yaml"] == newer
    assert after["own.yaml"] == before["own.yaml"]


def test_gitmodules_is_read_by_path() -> None:
    output = "submodule.a.b.path\nlib/x\0submodule.a.b.url\n../x.git\0submodule.c.path\ny\0"
    assert parse_gitmodules(output) == {"lib/x": "../x.git"}


def test_what_a_submodule_inherits() -> None:
    parent = remote_to(
        "git@git.example:org/shop.git", auth=AUTH, known_hosts="k", cache_key="parent"
    )
    own = remote_of(parent, "../lib.git")
    assert own.url == "git@git.example:org/lib.git"
    assert (own.auth, own.registered, own.cache_key == "parent") == (AUTH, True, False)
    other = remote_of(parent, "https://git.example/org/lib.git")
    assert (other.auth, other.registered) == (RepositoryAuth(), False)
