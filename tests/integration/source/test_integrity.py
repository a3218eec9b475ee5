"""Who signed what: commits, tags and histories in a real repository, keys of both kinds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fleet.errors import SourceError, SpecInvalid
from fleet.model.repositories import Remote
from fleet.source import Mirrors, Signers, integrity_fault, parse_signing_keys
from tests.integration.source.repos import remote_to
from tests.servers import signing
from tests.servers.git_repo import GitRepo
from tests.servers.signing import GpgKey, Signer, SshKey

SEAL = "reviewed\n\nArgocd-gpg-seal: everything before was reviewed"


def signers(*keys: Signer, allowed: tuple[str, ...] | None = None) -> Signers:
    known = tuple(key for one in keys for key in parse_signing_keys(one.public))
    return Signers(known, allowed if allowed is not None else tuple(key.id for key in known))


class Judge:
    def __init__(self, mirrors: Mirrors, repo: GitRepo) -> None:
        self.mirrors, self.repo = mirrors, repo
        self.remote: Remote = remote_to(repo.url)

    async def __call__(
        self, sha: str, who: Signers, *, target: str = "main", strict: bool = False
    ) -> str:
        await self.mirrors.fetch(self.remote, [sha])
        return await integrity_fault(
            self.mirrors, self.remote, sha, target=target, prefix="", strict=strict, signers=who
        )


@pytest.fixture
def judge(mirrors: Mirrors, tmp_path: Path) -> Judge:
    return Judge(mirrors, GitRepo(tmp_path / "git" / "signed.git"))


def kinds(tmp_path: Path) -> list[Signer]:
    return [GpgKey(), *(SshKey(tmp_path, kind) for kind in ("ed25519", "rsa", "ecdsa"))]


async def test_a_commit_is_signed_by_whoever_may(judge: Judge, tmp_path: Path) -> None:
    for key in kinds(tmp_path):
        sha = signing.commit(judge.repo, {"a": type(key).__name__ + key.public}, key)
        assert await judge(sha, signers(key)) == ""
        assert "which may not" in await judge(sha, signers(key, allowed=("0" * 16,)))
        assert "does not know" in await judge(sha, signers(allowed=(key.id,)))


async def test_a_gpg_key_may_be_named_by_its_fingerprint(judge: Judge) -> None:
    key = GpgKey()
    sha = signing.commit(judge.repo, {"a": "1"}, key)
    assert await judge(sha, signers(key, allowed=(key.fingerprint,))) == ""


async def test_what_is_not_signed_or_was_changed_is_refused(judge: Judge, tmp_path: Path) -> None:
    plain = signing.commit(judge.repo, {"a": "1"}, None)
    assert await judge(plain, signers(GpgKey())) == f"commit {plain[:12]} is not signed"
    for key in kinds(tmp_path):
        sha = signing.commit(judge.repo, {"a": key.public}, key, "harmless")
        raw = signing._run(judge.repo, "cat-file", "commit", sha)
        forged = signing.store(
            judge.repo, "commit", raw.replace(b"harmless", b"harmful!"), "refs/heads/main"
        )
        assert "not valid" in await judge(forged, signers(key))


async def test_a_signature_for_something_else_than_git_is_refused(
    judge: Judge, tmp_path: Path
) -> None:
    key = SshKey(tmp_path)

    class Elsewhere:
        public = key.public
        id = key.id

        def sign(self, payload: bytes) -> bytes:
            return key.sign(payload, namespace="file")

    sha = signing.commit(judge.repo, {"a": "1"}, Elsewhere())
    assert "not one of git" in await judge(sha, signers(key))


async def test_of_an_annotated_tag_the_tag_counts(judge: Judge, tmp_path: Path) -> None:
    for key in kinds(tmp_path):
        plain = signing.commit(judge.repo, {"a": key.public}, None)
        signing.tag(judge.repo, "v1", plain, key)
        assert await judge(plain, signers(key), target="v1") == ""
        assert "is not signed" in await judge(plain, signers(key), target="main")
        assert "is not signed" in await judge(plain, signers(key), target="v1", strict=True)
    signed = signing.commit(judge.repo, {"a": "2"}, key)
    signing.tag(judge.repo, "v2", signed, None)
    assert await judge(signed, signers(key), target="v2") == "tag v2 is not signed"


async def test_a_tag_that_is_only_a_name_is_its_commit(judge: Judge) -> None:
    key = GpgKey()
    sha = signing.commit(judge.repo, {"a": "1"}, key)
    signing.git("--git-dir", str(judge.repo.path), "update-ref", "refs/tags/light", sha)
    assert await judge(sha, signers(key), target="light") == ""


async def test_a_tag_that_moved_is_not_taken_for_what_it_was(judge: Judge) -> None:
    key = GpgKey()
    first = signing.commit(judge.repo, {"a": "1"}, None)
    second = signing.commit(judge.repo, {"a": "2"}, key)
    signing.tag(judge.repo, "v1", second, key)
    with pytest.raises(SourceError, match="moved"):
        await judge(first, signers(key), target="v1")


async def test_strict_looks_at_all_that_came_before(judge: Judge) -> None:
    key, other = GpgKey(), GpgKey("Mallory <m@example.test>")
    signing.commit(judge.repo, {"a": "1"}, key)
    good = signing.commit(judge.repo, {"a": "2"}, key)
    assert await judge(good, signers(key), strict=True) == ""
    # an unsigned and a foreign commit, each below a good one
    for number, stranger in enumerate((None, other)):
        bad = signing.commit(judge.repo, {"a": f"x{number}"}, stranger)
        top = signing.commit(judge.repo, {"a": f"y{number}"}, key)
        assert await judge(top, signers(key)) == ""
        assert f"commit {bad[:12]}" in await judge(top, signers(key), strict=True)
        both = signers(key, other, allowed=(key.id,))
        assert f"commit {bad[:12]}" in await judge(top, both, strict=True)
        sealed = signing.commit(judge.repo, {"a": f"z{number}"}, key, SEAL)
        assert await judge(sealed, signers(key), strict=True) == ""


@pytest.mark.parametrize("sealer", ["nobody", "stranger"])
async def test_a_seal_counts_only_from_those_who_may(judge: Judge, sealer: str) -> None:
    key, other = GpgKey(), GpgKey("Mallory <m@example.test>")
    signing.commit(judge.repo, {"a": "1"}, None)
    signing.commit(judge.repo, {"a": "2"}, other if sealer == "stranger" else None, SEAL)
    top = signing.commit(judge.repo, {"a": "3"}, key)
    assert await judge(top, signers(key, other, allowed=(key.id,)), strict=True) != ""


async def test_an_unsigned_commit_that_claims_a_key_is_seen_below_a_good_one(
    judge: Judge,
) -> None:
    """It carries a real signature by the trusted key, of another commit."""
    key = GpgKey()
    sha = signing.commit(judge.repo, {"a": "1"}, key)
    raw = signing._run(judge.repo, "cat-file", "commit", sha)
    signature = raw[raw.index(b"gpgsig ") : raw.index(b"\n\n")]
    plain = signing.commit(judge.repo, {"a": "evil"}, None)
    body = signing._run(judge.repo, "cat-file", "commit", plain)
    header, _, message = body.partition(b"\n\n")
    claimed = header + b"\n" + signature + b"\n\n" + message
    signing.store(judge.repo, "commit", claimed, "refs/heads/main")
    top = signing.commit(judge.repo, {"a": "2"}, key)
    assert "not valid" in await judge(top, signers(key), strict=True)


async def test_a_part_of_a_history_is_not_enough_for_strict(judge: Judge) -> None:
    key = GpgKey()
    signing.commit(judge.repo, {"a": "1"}, None)
    top = signing.commit(judge.repo, {"a": "2"}, key)
    options = replace(judge.remote.options, depth=1)
    judge.remote = replace(judge.remote, options=options)
    assert await judge(top, signers(key)) == ""
    assert "only a part of the history" in await judge(top, signers(key), strict=True)


@pytest.mark.parametrize("text", ["", "words", "ssh-ed25519 AAAA x", "-----BEGIN PGP junk"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(SpecInvalid, match="no public key"):
        parse_signing_keys(text)


def test_a_private_key_is_refused() -> None:
    with pytest.raises(SpecInvalid, match="private key"):
        parse_signing_keys("-----BEGIN PGP PRIVATE KEY BLOCK-----\n")
