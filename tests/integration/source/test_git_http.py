"""git over http(s), against the real http-backend: credentials, TLS, redirects, faults."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fleet.errors import (
    AddressForbidden,
    FleetError,
    RevisionNotFound,
    SourceAuthFailed,
    SourceError,
    SourceUnreachable,
)
from fleet.model.repositories import RepositoryAuth, RepositoryOptions
from fleet.model.secret import Secret
from fleet.source import AddressRules, Mirrors
from tests.integration.source.repos import disk_use, message_of, remote_to
from tests.servers.git_http import GitHttpServer
from tests.servers.git_repo import GitRepo, git
from tests.servers.http import Fault, HttpServer, Request, Response
from tests.servers.tls import CertificateAuthority

PASSWORD = "correct-horse-battery"
AUTH = RepositoryAuth(username="ci", password=Secret(PASSWORD))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitHttpServer]:
    with GitHttpServer(tmp_path / "served") as server:
        yield server


@pytest.fixture
def shop(server: GitHttpServer) -> GitRepo:
    shop = server.repository()
    shop.commit({"web/a.yaml": "a: 1\n"}, "first")
    return shop


@pytest.fixture
def elsewhere() -> Iterator[HttpServer]:
    """Another host, which only listens."""
    with HttpServer(lambda request: Response(404)) as server:
        yield server


async def test_anonymous(shop: GitRepo, server: GitHttpServer, mirrors: Mirrors) -> None:
    remote = remote_to(shop.url)
    assert (await mirrors.ls_remote(remote)).head == shop.sha()
    assert server.counts() == {"advertise": 1, "ls-refs": 1}
    tree = await mirrors.checkout(remote, shop.sha())
    assert (Path(tree.root) / "web/a.yaml").read_text() == "a: 1\n"


async def test_basic_is_sent_at_once(
    shop: GitRepo, server: GitHttpServer, mirrors: Mirrors
) -> None:
    server.require_basic("ci", PASSWORD)
    remote = remote_to(shop.url, auth=AUTH)
    assert (await mirrors.ls_remote(remote)).head == shop.sha()
    await mirrors.fetch(remote, (shop.sha(),))
    assert server.counts()["advertise"] == 2  # no request was wasted on a refusal


async def test_bearer(shop: GitRepo, server: GitHttpServer, mirrors: Mirrors) -> None:
    server.require_bearer("token-123")
    remote = remote_to(shop.url, auth=RepositoryAuth(bearer_token=Secret("token-123")))
    assert (await mirrors.ls_remote(remote)).head == shop.sha()


@pytest.mark.parametrize(
    "auth", [RepositoryAuth(), replace(AUTH, password=Secret("wrong-password"))]
)
async def test_a_refused_credential_is_named(
    shop: GitRepo, server: GitHttpServer, mirrors: Mirrors, auth: RepositoryAuth
) -> None:
    server.require_basic("ci", PASSWORD)
    with pytest.raises(SourceAuthFailed) as refused:
        await mirrors.ls_remote(remote_to(shop.url, auth=auth))
    assert shop.url in refused.value.message
    assert "fleet repo get" in refused.value.hint
    assert "wrong-password" not in str(refused.value.as_dict())


async def test_no_secret_is_left_on_disk(
    shop: GitRepo, server: GitHttpServer, mirrors: Mirrors, tmp_path: Path
) -> None:
    server.require_basic("ci", PASSWORD)
    await mirrors.checkout(remote_to(shop.url, auth=AUTH), shop.sha())
    with pytest.raises(FleetError):
        await mirrors.fetch(remote_to(shop.url, auth=AUTH), ("e" * 40,))
    for file in (tmp_path / "home").rglob("*"):
        if file.is_file():
            assert PASSWORD.encode() not in file.read_bytes()
    assert list((tmp_path / "home" / "scratch").iterdir()) == []


async def test_no_secret_is_in_an_argument(
    shop: GitRepo, server: GitHttpServer, mirrors: Mirrors
) -> None:
    server.require_basic("ci", PASSWORD)
    remote = remote_to(shop.url, auth=AUTH)
    seen: list[bytes] = []
    original = server.answer

    def look(request: object) -> Response:
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    seen.append((folder / "cmdline").read_bytes())
                except OSError:
                    continue
        return original(request)  # type: ignore[arg-type]

    server.answer = look  # type: ignore[method-assign]
    await mirrors.ls_remote(remote)
    ours = [line for line in seen if shop.url.encode() in line]
    assert ours  # git was running, with its URL, while we looked
    assert not [line for line in seen if b"Authorization" in line or PASSWORD.encode() in line]


async def test_git_sees_nothing_of_our_environment(
    shop: GitRepo, mirrors: Mirrors, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    evil = tmp_path / "home-evil"
    evil.mkdir()
    (evil / ".gitconfig").write_text(f'[core]\n\tfsmonitor = "touch {marker}"\n[bad\n')
    monkeypatch.setenv("HOME", str(evil))
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_PROXY_COMMAND", f"touch {marker}")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'http.proxy'='http://127.0.0.1:9'")
    monkeypatch.setenv("GIT_TRACE", str(marker))
    await mirrors.checkout(remote_to(shop.url), shop.sha())
    assert not marker.exists()


async def test_a_missing_repository(server: GitHttpServer, mirrors: Mirrors, shop: GitRepo) -> None:
    with pytest.raises(SourceError, match="no such repository") as refused:
        await mirrors.ls_remote(remote_to(f"{server.url}/none.git"))
    assert type(refused.value) is SourceError


async def test_a_missing_commit(shop: GitRepo, mirrors: Mirrors) -> None:
    with pytest.raises(RevisionNotFound):
        await mirrors.fetch(remote_to(shop.url), ("e" * 40,))


async def test_a_commit_that_no_branch_has_any_more(shop: GitRepo, mirrors: Mirrors) -> None:
    first = shop.sha()
    old = shop.commit({"x": "1"}, "old")
    shop.commit({"x": "2"}, "new", parent=first)
    assert await message_of(mirrors, remote_to(shop.url), old) == "old"


class OldServer(GitHttpServer):
    """Speaks the first protocol only, and gives out nothing but what a ref points to."""

    def answer(self, request: Request) -> Response:
        headers = {k: v for k, v in request.headers.items() if k != "git-protocol"}
        return super().answer(replace(request, headers=headers))

    def repository(self, name: str = "shop") -> GitRepo:
        made = super().repository(name)
        git("--git-dir", str(made.path), "config", "uploadpack.allowAnySHA1InWant", "false")
        return made


async def test_a_server_that_gives_out_tips_only(
    tmp_path: Path, mirrors: Mirrors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet.source.clones.PACKS_BEFORE_REPACK", 1)
    with OldServer(tmp_path / "old") as server:
        shop = server.repository()
        remote = remote_to(shop.url)
        base = shop.commit({"a": "1"}, "base")
        old = shop.commit({"x": "1"}, "old")
        shop.commit({"x": "2"}, "old tip")
        assert await message_of(mirrors, remote, old) == "old"
        new = shop.commit({"y": "1"}, "new", parent=base)
        shop.commit({"y": "2"}, "new tip")
        assert await message_of(mirrors, remote, new) == "new"
        with pytest.raises(RevisionNotFound):
            await mirrors.fetch(remote, ("e" * 40,))
        server.fault = Fault.ERROR
        # What was wanted once stays, also when its branch was rewritten and packs were folded.
        assert await message_of(mirrors, remote, old) == "old"


async def test_a_redirect_is_not_followed_and_carries_nothing(
    shop: GitRepo, server: GitHttpServer, elsewhere: HttpServer, mirrors: Mirrors
) -> None:
    server.fault, server.redirect_to = Fault.REDIRECT, elsewhere.url
    with pytest.raises(AddressForbidden, match="redirects"):
        await mirrors.ls_remote(remote_to(shop.url, auth=AUTH))
    assert server.requests[0].headers["authorization"].startswith("Basic ")
    assert elsewhere.requests == []


@pytest.mark.parametrize("fault", [Fault.ERROR, Fault.BUSY, Fault.TRUNCATE])
async def test_a_server_in_trouble_is_transient(
    shop: GitRepo, server: GitHttpServer, mirrors: Mirrors, fault: Fault
) -> None:
    server.fault = fault
    with pytest.raises(SourceUnreachable) as failed:
        await mirrors.ls_remote(remote_to(shop.url))
    assert failed.value.transient


async def test_an_empty_repository_is_no_error(server: GitHttpServer, mirrors: Mirrors) -> None:
    refs = await mirrors.ls_remote(remote_to(server.repository("empty").url))
    assert refs.refs == {}


async def test_nothing_listens(mirrors: Mirrors, server: GitHttpServer, shop: GitRepo) -> None:
    server.close()
    with pytest.raises(SourceUnreachable):
        await mirrors.ls_remote(remote_to(shop.url))


@pytest.mark.parametrize("fault", [Fault.FORBIDDEN, Fault.PAGE])
async def test_a_portal_or_a_refusal_is_no_repository(
    shop: GitRepo, server: GitHttpServer, mirrors: Mirrors, fault: Fault
) -> None:
    server.fault = fault
    with pytest.raises(SourceError) as failed:
        await mirrors.ls_remote(remote_to(shop.url))
    assert not failed.value.transient


@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.DRIP, Fault.ENDLESS])
async def test_the_deadline_ends_everything_that_git_started(
    shop: GitRepo, server: GitHttpServer, tmp_path: Path, rules: AddressRules, fault: Fault
) -> None:
    mirrors = Mirrors(tmp_path / "home", rules=rules, deadline_seconds=0.7)
    server.fault = fault
    with pytest.raises(SourceError):
        await mirrors.ls_remote(remote_to(shop.url))
    server.fault = Fault.NONE
    assert _running(shop.url) == []


def _running(text: str) -> list[str]:
    """Command lines of processes, our own apart, that hold ``text``."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                line = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if text.encode() in line:
                found.append(line.decode(errors="replace"))
    return found


async def test_an_outage_keeps_what_was_fetched(
    shop: GitRepo, server: GitHttpServer, mirrors: Mirrors
) -> None:
    remote, sha = remote_to(shop.url), shop.sha()
    await mirrors.fetch(remote, (sha,))
    server.fault = Fault.ERROR
    assert Path((await mirrors.checkout(remote, sha)).root, "web/a.yaml").exists()
    assert await message_of(mirrors, remote, sha) == "first"


async def test_failing_for_long_takes_no_space(
    shop: GitRepo, server: GitHttpServer, mirrors: Mirrors, tmp_path: Path
) -> None:
    remote, sha = remote_to(shop.url), shop.sha()
    await mirrors.fetch(remote, (sha,))
    newer = shop.commit({"big": os.urandom(300_000)})
    original = server.answer

    def cut(request: object) -> Response:
        response = original(request)  # type: ignore[arg-type]
        if len(response.body) > 200_000:
            return replace(response, body=response.body[:200_000])
        return response

    server.answer = cut  # type: ignore[method-assign]
    used = []
    for _ in range(3):
        with pytest.raises(SourceError):
            await mirrors.fetch(remote, (newer,))
        used.append(disk_use(tmp_path / "home"))
    assert len(set(used)) == 1
    assert used[0] < 100_000
    server.answer = original  # type: ignore[method-assign]
    await mirrors.fetch(remote, (newer,))


async def test_a_private_authority(tmp_path: Path, mirrors: Mirrors) -> None:
    authority = CertificateAuthority("corp")
    pair = authority.issue("git", hosts=("127.0.0.1",))
    with GitHttpServer(tmp_path / "tls", tls=pair) as server:
        shop = server.repository()
        sha = shop.commit({"a": "1"})
        with pytest.raises(SourceAuthFailed) as refused:
            await mirrors.ls_remote(remote_to(shop.url))
        assert "fleet cert add-tls" in refused.value.hint
        wrong = CertificateAuthority("other").pem
        with pytest.raises(SourceAuthFailed):
            await mirrors.ls_remote(remote_to(shop.url, ca_pem=wrong))
        assert (await mirrors.ls_remote(remote_to(shop.url, ca_pem=authority.pem))).head == sha
        loud = RepositoryOptions(insecure=True)
        assert (await mirrors.ls_remote(remote_to(shop.url, options=loud))).head == sha


async def test_a_name_is_resolved_once_and_by_us(
    shop: GitRepo, server: GitHttpServer, mirrors: Mirrors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git connects to the address that was checked, for a name that it could not resolve."""
    import socket

    answers = [[(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))]]

    def answer(host: str, *_: object, **__: object) -> object:
        assert host == "git.rebinding.test"
        return answers[0]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    url = f"http://git.rebinding.test:{server.port}/shop.git"
    assert (await mirrors.ls_remote(remote_to(url))).head == shop.sha()
    assert server.requests[0].headers["host"] == f"git.rebinding.test:{server.port}"


async def test_loopback_is_refused_unless_allowed(shop: GitRepo, tmp_path: Path) -> None:
    mirrors = Mirrors(tmp_path / "home", rules=AddressRules())
    with pytest.raises(AddressForbidden, match="loopback"):
        await mirrors.ls_remote(remote_to(shop.url))


async def test_a_proxy_is_used_and_bypassed(
    shop: GitRepo, server: GitHttpServer, elsewhere: HttpServer, mirrors: Mirrors
) -> None:
    proxied = RepositoryOptions(proxy=elsewhere.url)
    with pytest.raises(SourceError):
        await mirrors.ls_remote(remote_to(shop.url, options=proxied))
    assert len(elsewhere.requests) == 1
    bypassed = RepositoryOptions(proxy=elsewhere.url, no_proxy="other,127.0.0.1")
    assert (await mirrors.ls_remote(remote_to(shop.url, options=bypassed))).head == shop.sha()
    assert len(elsewhere.requests) == 1


@pytest.mark.parametrize("port", ["9418", "443"])
async def test_other_schemes_never_reach_git(mirrors: Mirrors, port: str) -> None:
    for url in (f"git://127.0.0.1:{port}/x", "ext::sh -c id", "--upload-pack=x"):
        with pytest.raises(FleetError):
            await mirrors.ls_remote(remote_to(url))
