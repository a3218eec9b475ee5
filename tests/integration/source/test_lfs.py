"""Large files, against a small server that speaks the batch protocol."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.errors import AddressForbidden, FleetError, SourceError
from fleet.model.repositories import RepositoryAuth, RepositoryOptions
from fleet.model.secret import Secret
from fleet.source import AddressRules, Limits, MirrorLimits, Mirrors
from fleet.source.lfs import Pointer, parse_pointer
from tests.integration.source.repos import Repo, remote_to
from tests.servers.git_http import GitHttpServer
from tests.servers.git_repo import GitRepo
from tests.servers.http import HttpServer, Request, Response

WITH = RepositoryOptions(enable_lfs=True)
AUTH = RepositoryAuth(username="ci", password=Secret("lfs-password"))
CONTENT = b"large\x00content" * 100
OID = hashlib.sha256(CONTENT).hexdigest()


def pointer(oid: str = OID, size: int = len(CONTENT)) -> str:
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n"


class LfsServer(GitHttpServer):
    """git and its large files under one address; ``store`` is where objects are had from."""

    def __init__(self, root: Path) -> None:
        self.store = ""
        self.headers: dict[str, str] = {}
        self.content = CONTENT
        super().__init__(root)
        self.store = self.url

    def answer(self, request: Request) -> Response:
        refused = super().answer(request) if "/info/lfs" not in request.path else None
        if request.path.startswith("/objects/"):
            return Response(200, self.content)
        if refused is not None:
            return refused
        objects: list[dict[str, Any]] = json.loads(request.body)["objects"]
        for wanted in objects:
            if wanted["oid"] == OID:
                download = {"href": f"{self.store}/objects/{OID}?sig=a%2Bb", "header": self.headers}
                wanted["actions"] = {"download": download}
            else:
                wanted["error"] = {"code": 404, "message": "gone"}
        return Response(200, json.dumps({"objects": objects}).encode())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LfsServer]:
    with LfsServer(tmp_path / "served") as server:
        yield server


@pytest.fixture
def shop(server: LfsServer) -> GitRepo:
    shop = server.repository()
    shop.commit({"model.bin": pointer(), "copy.bin": pointer(), "a.yaml": "a: 1\n"})
    return shop


async def test_off_means_pointers(shop: GitRepo, mirrors: Mirrors) -> None:
    tree = await mirrors.checkout(remote_to(shop.url), shop.sha())
    assert Path(tree.root, "model.bin").read_text() == pointer()


async def test_pointers_are_filled(shop: GitRepo, server: LfsServer, mirrors: Mirrors) -> None:
    remote = remote_to(shop.url, options=WITH, auth=AUTH)
    tree = await mirrors.checkout(remote, shop.sha())
    assert Path(tree.root, "model.bin").read_bytes() == CONTENT
    assert Path(tree.root, "copy.bin").read_bytes() == CONTENT
    assert Path(tree.root, "a.yaml").read_text() == "a: 1\n"
    batch, download = server.requests[-2:]
    assert batch.path == "/shop.git/info/lfs/objects/batch"
    assert batch.headers["authorization"].startswith("Basic ")
    assert download.query == "sig=a%2Bb"


async def test_a_store_elsewhere_must_be_allowed(
    shop: GitRepo, server: LfsServer, tmp_path: Path, rules: AddressRules
) -> None:
    remote = remote_to(shop.url, options=WITH, auth=AUTH)
    with HttpServer(lambda _: Response(200, CONTENT)) as store:
        server.store, server.headers = store.url, {"X-Token": "signed"}
        with pytest.raises(AddressForbidden):
            await Mirrors(tmp_path / "home", rules=rules).checkout(remote, shop.sha())
        assert store.requests == []
        listed = AddressRules(rules.allowed_networks, (), (store.url.removeprefix("http://"),))
        tree = await Mirrors(tmp_path / "home", rules=listed).checkout(remote, shop.sha())
        assert Path(tree.root, "model.bin").read_bytes() == CONTENT
        assert store.requests[0].headers["x-token"] == "signed"
        assert "authorization" not in store.requests[0].headers


async def test_another_object_than_the_pointer_says(
    shop: GitRepo, server: LfsServer, mirrors: Mirrors
) -> None:
    server.content = CONTENT[:-1] + b"X"
    with pytest.raises(SourceError, match="not the one of its pointer"):
        await mirrors.checkout(remote_to(shop.url, options=WITH), shop.sha())


async def test_an_object_that_is_gone(shop: GitRepo, mirrors: Mirrors) -> None:
    sha = shop.commit({"model.bin": pointer("0" * 64)})
    with pytest.raises(SourceError, match="no large file"):
        await mirrors.checkout(remote_to(shop.url, options=WITH), sha)


async def test_limits(shop: GitRepo, tmp_path: Path, rules: AddressRules) -> None:
    limits = MirrorLimits(tree=Limits(size_bytes=1500))
    mirrors = Mirrors(tmp_path / "home", rules=rules, limits=limits)
    with pytest.raises(SourceError, match="do not fit"):
        await mirrors.checkout(remote_to(shop.url, options=WITH), shop.sha())


async def test_a_server_without_large_files(tmp_path: Path, mirrors: Mirrors) -> None:
    with GitHttpServer(tmp_path / "plain") as server:
        shop = server.repository()
        sha = shop.commit({"model.bin": pointer()})
        with pytest.raises(FleetError):
            await mirrors.checkout(remote_to(shop.url, options=WITH), sha)


async def test_only_over_http(repo: Repo, mirrors: Mirrors) -> None:
    repo.write("model.bin", pointer())
    sha = repo.commit()
    with pytest.raises(SourceError, match="https only") as refused:
        await mirrors.checkout(remote_to(repo.url, options=WITH), sha)
    assert "--enable-lfs" in refused.value.hint


def test_pointers() -> None:
    assert parse_pointer(pointer().encode()) == Pointer(OID, len(CONTENT))
    for text in ("", "version x\n", pointer()[:-1], pointer().replace("sha256", "md5"), "a: 1\n"):
        assert parse_pointer(text.encode()) is None
