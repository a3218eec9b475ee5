"""Mirrors over file://: what is offered, fetched, hashed, read and checked out."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.errors import AddressForbidden, RevisionNotFound, SourceError, SourceUnreachable
from fleet.source import AddressRules, Limits, MirrorLimits, Mirrors, NewCommit, resolve, upkeep
from fleet.source import process as git_process
from tests.integration.source.repos import Repo, disk_use, message_of, remote_to


class Runs:
    """Counts the git commands that really ran."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.subcommands: list[str] = []
        original = git_process._Child._start

        def start(child: git_process._Child) -> object:
            self.subcommands.append(child._invocation.arguments[0])
            return original(child)

        monkeypatch.setattr(git_process._Child, "_start", start)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    return Runs(monkeypatch)


def names_in(folder: str) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def mirror_folder(home: Path) -> Path:
    (folder,) = [path for path in (home / "mirrors").iterdir() if path.is_dir()]
    return folder


async def test_ls_remote_is_one_command(repo: Repo, mirrors: Mirrors, runs: Runs) -> None:
    repo.git("tag", "--annotate", "v1.2.0", "--message", "release")
    repo.git("branch", "feature/x")
    refs = await mirrors.ls_remote(remote_to(repo.url))
    head = repo.git("rev-parse", "HEAD")
    assert refs.head == refs.refs["refs/heads/feature/x"] == refs.refs["refs/tags/v1.2.0"] == head
    assert refs.head_ref == "refs/heads/main"
    assert runs.subcommands == ["ls-remote"]


async def test_an_empty_repository_is_no_error(
    make_repo: Callable[[str], Repo], mirrors: Mirrors
) -> None:
    refs = await mirrors.ls_remote(remote_to(make_repo("empty").url))
    assert resolve(refs, "HEAD") is None
    assert refs.branches == ()


async def test_a_commit_becomes_a_plain_read_only_directory(repo: Repo, mirrors: Mirrors) -> None:
    repo.write("run.sh", "#!/bin/sh\n")
    (repo.path / "run.sh").chmod(0o755)
    (repo.path / "link").symlink_to("web/values.yaml")
    repo.write("empty", "")
    sha = repo.commit()
    tree = await mirrors.checkout(remote_to(repo.url), sha)
    root = Path(tree.root)
    assert tree.revision == sha
    assert (root / "web/values.yaml").read_text() == "replicas: 1\n"
    assert (root / "link").readlink() == Path("web/values.yaml")
    assert (root / "empty").read_bytes() == b""
    assert (root / "run.sh").stat().st_mode & 0o777 == 0o555
    assert (root / "README.md").stat().st_mode & 0o777 == 0o444
    assert root.stat().st_mode & 0o777 == 0o555
    assert not (root / ".git").exists()


async def test_what_the_repository_says_about_itself_changes_no_byte(
    repo: Repo, mirrors: Mirrors
) -> None:
    repo.write(".gitattributes", "* text eol=crlf ident export-subst\nweb/ export-ignore\n")
    repo.write("id.txt", "$Id$ $Format:%H$\n")
    sha = repo.commit()
    root = Path((await mirrors.checkout(remote_to(repo.url), sha)).root)
    assert (root / "id.txt").read_bytes() == b"$Id$ $Format:%H$\n"
    assert (root / "web/deploy.yaml").exists()


async def test_only_the_paths_asked_for(repo: Repo, mirrors: Mirrors) -> None:
    sha = repo.commit()
    tree = await mirrors.checkout(remote_to(repo.url), sha, paths=("./web/", "missing"))
    assert names_in(tree.root) == ["web"]
    everything = await mirrors.checkout(remote_to(repo.url), sha, paths=("",))
    assert names_in(everything.root) == ["README.md", "web"]


async def test_a_name_that_looks_like_a_pattern_is_a_name(repo: Repo, mirrors: Mirrors) -> None:
    repo.write("*/x", "star")
    repo.write(":(top)/x", "magic")
    sha = repo.commit()
    tree = await mirrors.checkout(remote_to(repo.url), sha, paths=("*", ":(top)"))
    assert names_in(tree.root) == ["*", ":(top)"]


async def test_callers_of_one_tree_share_the_work(repo: Repo, mirrors: Mirrors, runs: Runs) -> None:
    remote, sha = remote_to(repo.url), repo.commit()
    trees = await asyncio.gather(*(mirrors.checkout(remote, sha) for _ in range(20)))
    assert len({tree.root for tree in trees}) == 1
    assert runs.subcommands.count("fetch") == 1
    assert runs.subcommands.count("ls-tree") == 1
    runs.subcommands.clear()
    await mirrors.checkout(remote, sha)
    assert runs.subcommands == []


async def test_one_caller_giving_up_leaves_the_tree_to_the_others(
    repo: Repo, mirrors: Mirrors
) -> None:
    remote, sha = remote_to(repo.url), repo.commit()
    first = asyncio.create_task(mirrors.checkout(remote, sha))
    second = asyncio.create_task(mirrors.checkout(remote, sha))
    async with asyncio.timeout(20):
        while not mirrors.trees._making:
            await asyncio.sleep(0.001)
    first.cancel()
    tree = await second
    assert (Path(tree.root) / "README.md").exists()
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_two_processes_on_one_home_make_one_tree(
    repo: Repo, tmp_path: Path, rules: AddressRules
) -> None:
    remote, sha = remote_to(repo.url), repo.commit()
    several = [Mirrors(tmp_path / "home", rules=rules) for _ in range(3)]
    trees = await asyncio.gather(*(mirrors.checkout(remote, sha) for mirrors in several))
    assert len({tree.root for tree in trees}) == 1
    assert len(list((tmp_path / "home" / "trees").iterdir())) == 1


async def test_credentials_do_not_share_a_mirror(repo: Repo, mirrors: Mirrors) -> None:
    sha = repo.commit()
    one = await mirrors.checkout(remote_to(repo.url, cache_key="team-a"), sha)
    other = await mirrors.checkout(remote_to(repo.url, cache_key="team-b"), sha)
    assert one.root != other.root


async def test_commits_are_fetched_once_and_stay(repo: Repo, mirrors: Mirrors, runs: Runs) -> None:
    remote, first = remote_to(repo.url), repo.commit()
    await mirrors.fetch(remote, (first,))
    await mirrors.fetch(remote, (first,))
    assert runs.subcommands.count("fetch") == 1
    repo.git("commit", "--quiet", "--allow-empty", "--amend", "--message", "new")
    repo.git("reflog", "expire", "--expire=now", "--all")
    repo.git("gc", "--quiet", "--prune=now")
    assert await message_of(mirrors, remote, first) == "change"


async def test_a_full_ref_can_be_fetched(repo: Repo, mirrors: Mirrors) -> None:
    remote, sha = remote_to(repo.url), repo.commit()
    await mirrors.fetch(remote, ("refs/heads/main",))
    assert await mirrors.find_commit(remote, sha[:10]) == sha


async def test_depth_leaves_history_behind(repo: Repo, mirrors: Mirrors) -> None:
    first, last = repo.commit("one"), repo.commit("two")
    remote = remote_to(repo.url)
    await mirrors.fetch(remote, (last,), depth=1)
    assert await mirrors.find_commit(remote, last[:10]) == last
    assert await mirrors.find_commit(remote, first[:10]) is None
    assert await message_of(mirrors, remote, first) == "one"


async def test_hashes_of_many_paths_are_one_command(
    repo: Repo, mirrors: Mirrors, runs: Runs
) -> None:
    (repo.path / "link").symlink_to("web/values.yaml")
    (repo.path / "dangling").symlink_to("web/nothing\nat all")
    sha = repo.commit()
    remote = remote_to(repo.url)
    await mirrors.fetch(remote, (sha,))
    runs.subcommands.clear()
    paths = ["", "web", "web/values.yaml", "link", "dangling", "missing", "web/values.yaml/x"]
    many = [f"missing/{number}" for number in range(1000)]
    hashes = await mirrors.tree_hashes(remote, sha, [*paths, *many])
    # Is the commit here, the listing, the same for what only symlinks can tell.
    assert runs.subcommands == ["cat-file", "ls-tree", "cat-file", "cat-file"]
    assert hashes[""] == repo.git("rev-parse", f"{sha}^{{tree}}")
    assert hashes["web"] == repo.git("rev-parse", f"{sha}:web")
    assert hashes["link"] == hashes["web/values.yaml"]
    assert [path for path, id_ in hashes.items() if id_ is None] == [
        "dangling",
        "missing",
        "web/values.yaml/x",
        *many,
    ]


@pytest.mark.parametrize("with_links", [False, True])
async def test_asking_and_listing_agree(
    repo: Repo, mirrors: Mirrors, monkeypatch: pytest.MonkeyPatch, with_links: bool
) -> None:
    if with_links:
        (repo.path / "link").symlink_to("web")
    sha, remote = repo.commit(), remote_to(repo.url)
    paths = ["", ".", "web", "web/", "./web/values.yaml", "link", "link/values.yaml", "none", "we"]
    asked = await mirrors.tree_hashes(remote, sha, paths)
    monkeypatch.setattr("fleet.source.mirrors.PATHS_FOR_LISTING", 1)
    assert await mirrors.tree_hashes(remote, sha, paths) == asked
    assert (asked["link/values.yaml"] is not None) == with_links
    assert asked["web"] == asked["web/"] == repo.git("rev-parse", f"{sha}:web")


async def test_a_hash_changes_with_what_it_covers_only(repo: Repo, mirrors: Mirrors) -> None:
    remote, before = remote_to(repo.url), repo.commit()
    repo.write("README.md", "changed\n")
    after = repo.commit()
    old = await mirrors.tree_hashes(remote, before, ["web", "README.md"])
    new = await mirrors.tree_hashes(remote, after, ["web", "README.md"])
    assert old["web"] == new["web"]
    assert old["README.md"] != new["README.md"]


async def test_refs_that_are_no_branch_and_no_tag(repo: Repo, mirrors: Mirrors) -> None:
    sha = repo.commit()
    repo.git("update-ref", "refs/pull/1/head", sha)
    remote = remote_to(repo.url)
    assert "refs/pull/1/head" not in (await mirrors.ls_remote(remote)).refs
    refs = await mirrors.ls_remote(remote, ("refs/pull/1/head", "--upload-pack=x", "refs/a:b"))
    assert resolve(refs, "refs/pull/1/head") == sha


async def test_a_branch_may_become_a_directory(repo: Repo, mirrors: Mirrors) -> None:
    remote = remote_to(repo.url)
    repo.git("branch", "release")
    await mirrors.fetch(remote, ("refs/heads/release",))
    repo.git("branch", "--delete", "--force", "release")
    repo.git("branch", "release/1")
    await mirrors.fetch(remote, ("refs/heads/release/1",))


async def test_a_mirror_is_worked_on_by_one_at_a_time(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    async with upkeep.locked(lock, 5):
        with pytest.raises(SourceUnreachable, match="another process"):
            async with upkeep.locked(lock, 0.1):
                pass
    async with upkeep.locked(lock, 5):
        pass


async def test_a_commit_that_nobody_has(repo: Repo, mirrors: Mirrors) -> None:
    with pytest.raises(RevisionNotFound):
        await mirrors.checkout(remote_to(repo.url), "e" * 40)


@pytest.mark.parametrize(
    "wanted", ["main", "--upload-pack=x", "HEAD", "refs/heads/../x", "+a:b", "refs/heads/a:b", ""]
)
async def test_only_exact_names_are_fetched(repo: Repo, mirrors: Mirrors, wanted: str) -> None:
    with pytest.raises(RevisionNotFound):
        await mirrors.fetch(remote_to(repo.url), (wanted,))


@pytest.mark.parametrize("path", ["../shop", "/etc/passwd", "web/../../x", "a\nb"])
async def test_paths_outside_the_repository(repo: Repo, mirrors: Mirrors, path: str) -> None:
    remote, sha = remote_to(repo.url), repo.commit()
    with pytest.raises(SourceError):
        await mirrors.checkout(remote, sha, paths=(path,))
    with pytest.raises(SourceError):
        await mirrors.tree_hashes(remote, sha, [path])


@pytest.mark.parametrize(
    ("links", "named"),
    [
        ({"evil": "/etc/passwd"}, "evil"),
        ({"web/evil": "../../../../etc/passwd"}, "web/evil"),
        ({"evil": ".."}, "evil"),
        ({"a": "b", "b": "c", "c": "../../x"}, "a"),
        ({"loop": "loop"}, "loop"),
        ({"a": "b", "b": "a"}, "a"),
        ({"web/up": "..", "x": "web/up/../y"}, "x"),
    ],
)
async def test_a_symlink_out_of_the_tree_refuses_the_tree(
    repo: Repo, mirrors: Mirrors, tmp_path: Path, links: dict[str, str], named: str
) -> None:
    for path, target in links.items():
        (repo.path / path).symlink_to(target)
    sha = repo.commit()
    with pytest.raises(SourceError, match=rf"^{named}: the symlink"):
        await mirrors.checkout(remote_to(repo.url), sha)
    assert list((tmp_path / "home" / "trees").iterdir()) == []


async def test_limits_of_a_tree(repo: Repo, tmp_path: Path, rules: AddressRules) -> None:
    remote, sha = remote_to(repo.url), repo.commit()
    for limits in (Limits(files=2), Limits(size_bytes=20)):
        mirrors = Mirrors(tmp_path / "home", rules=rules, limits=MirrorLimits(tree=limits))
        with pytest.raises(SourceError, match="the tree"):
            await mirrors.checkout(remote, sha)
    assert list((tmp_path / "home" / "trees").iterdir()) == []


async def test_a_hostile_tree_is_not_even_fetched(repo: Repo, mirrors: Mirrors) -> None:
    blob = repo.git("hash-object", "-w", "--stdin", stdin=b"[core]\n fsmonitor = touch /tmp/x\n")
    inner = repo.git("mktree", stdin=f"100644 blob {blob}\tconfig\n".encode())
    tree = repo.git("mktree", stdin=f"040000 tree {inner}\t.git\n".encode())
    sha = repo.git("commit-tree", tree, "-m", "hostile")
    repo.git("update-ref", "refs/heads/hostile", sha)
    with pytest.raises(SourceError):
        await mirrors.checkout(remote_to(repo.url), sha)


async def test_a_damaged_mirror_is_cloned_again(
    repo: Repo, mirrors: Mirrors, tmp_path: Path
) -> None:
    remote, sha = remote_to(repo.url), repo.commit()
    await mirrors.fetch(remote, (sha,))
    for pack in mirror_folder(tmp_path / "home").glob("objects/pack/*.pack"):
        pack.chmod(0o644)
        pack.write_bytes(pack.read_bytes()[:40])
    newer = repo.commit("newer")
    assert await message_of(mirrors, remote, newer) == "newer"
    assert Path((await mirrors.checkout(remote, sha)).root, "README.md").exists()


async def test_a_damaged_mirror_is_kept_while_the_remote_is_away(
    repo: Repo, mirrors: Mirrors, tmp_path: Path
) -> None:
    remote, sha = remote_to(repo.url), repo.commit()
    await mirrors.fetch(remote, (sha,))
    mirror = mirror_folder(tmp_path / "home")
    for pack in mirror.glob("objects/pack/*.pack"):
        pack.chmod(0o644)
        pack.write_bytes(pack.read_bytes()[:40])
    away = tmp_path / "away"
    repo.path.rename(away)
    with pytest.raises(SourceError):
        await mirrors.checkout(remote, sha)
    assert mirror_folder(tmp_path / "home") == mirror
    away.rename(repo.path)
    assert Path((await mirrors.checkout(remote, sha)).root, "README.md").exists()


@pytest.mark.parametrize("missing", ["HEAD", "objects", "refs"])
async def test_half_a_mirror_is_made_again(
    repo: Repo, mirrors: Mirrors, tmp_path: Path, missing: str
) -> None:
    remote, sha = remote_to(repo.url), repo.commit()
    await mirrors.fetch(remote, (sha,))
    path = mirror_folder(tmp_path / "home") / missing
    path.rename(tmp_path / "taken")
    assert Path((await mirrors.checkout(remote, sha)).root, "README.md").exists()


async def test_what_a_killed_fetch_left_is_removed(
    repo: Repo, mirrors: Mirrors, tmp_path: Path
) -> None:
    remote, sha = remote_to(repo.url), repo.commit()
    await mirrors.fetch(remote, (sha,))
    mirror = mirror_folder(tmp_path / "home")
    left = ("shallow.lock", "HEAD.lock", "objects/pack/tmp_pack_x", "packed-refs.lock")
    for name in left:
        (mirror / name).write_bytes(b"x")
    (mirror / "refs/fleet/x.lock").write_bytes(b"")
    newer = repo.commit("newer")
    assert await message_of(mirrors, remote, newer) == "newer"
    assert not [name for name in left if (mirror / name).exists()]


async def test_what_was_committed_stays_and_is_made_once(
    repo: Repo, mirrors: Mirrors, tmp_path: Path
) -> None:
    remote, parent = remote_to(repo.url), repo.commit()

    async def made(content: bytes) -> str:
        new = NewCommit(parent, {"out/a": content}, "made", "Fleet <fleet@localhost>", 1)
        return await mirrors.commit(remote, new)

    one, other = await made(b"1"), await made(b"2")
    assert await made(b"1") == one != other
    repo.path.rename(tmp_path / "away")  # neither can be fetched
    for sha in (one, other):
        assert await message_of(mirrors, remote, sha) == "made"
    refs = list((mirror_folder(tmp_path / "home") / "refs/fleet").rglob("*"))
    assert len(refs) == 4  # the parent's, theirs, and that of the last


async def test_failing_again_and_again_takes_no_space(
    repo: Repo, mirrors: Mirrors, tmp_path: Path
) -> None:
    remote, sha = remote_to(repo.url), repo.commit()
    await mirrors.fetch(remote, (sha,))
    repo.path.joinpath("big").write_bytes(os.urandom(400_000))
    broken = repo.commit("big")
    blob = repo.git("rev-parse", f"{broken}:README.md")
    (repo.path / ".git/objects" / blob[:2] / blob[2:]).unlink()
    home = tmp_path / "home"
    repo.write("README.md", "other")
    used = []
    for _ in range(4):
        with pytest.raises((SourceError, RevisionNotFound)):
            await mirrors.fetch(remote, (broken, "e" * 40))
        used.append(disk_use(home))
    assert len(set(used)) == 1
    assert used[0] < 200_000


async def test_many_packs_are_folded_into_one(
    repo: Repo, mirrors: Mirrors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet.source.clones.PACKS_BEFORE_REPACK", 3)
    remote = remote_to(repo.url)
    commits = []
    for number in range(4):
        repo.write("n", str(number))
        commits.append(repo.commit(f"change {number}"))
        await mirrors.fetch(remote, (commits[-1],))
    assert len(list(mirror_folder(tmp_path / "home").glob("objects/pack/*.pack"))) == 1
    for sha in commits:
        assert (await message_of(mirrors, remote, sha)).startswith("change")


async def test_a_pack_that_never_ends_is_stopped(
    repo: Repo, tmp_path: Path, rules: AddressRules
) -> None:
    (repo.path / "big").write_bytes(os.urandom(2_000_000))
    sha = repo.commit()
    mirrors = Mirrors(tmp_path / "home", rules=rules, limits=MirrorLimits(fetch_bytes=1_000_000))
    with pytest.raises(SourceError):
        await mirrors.fetch(remote_to(repo.url), (sha,))
    assert disk_use(tmp_path / "home") < 100_000


async def test_the_least_recently_used_trees_go_first(
    repo: Repo, mirrors: Mirrors, tmp_path: Path
) -> None:
    remote = remote_to(repo.url)
    trees = []
    for number in range(3):
        repo.write("data", str(number) * 1000)
        trees.append(await mirrors.checkout(remote, repo.commit()))
    for age, tree in zip((300, 200, 100), trees, strict=True):
        os.utime(Path(tree.root).parent, (1_000_000 - age, 1_000_000 - age))
    await mirrors.checkout(remote, trees[0].revision)  # used just now
    removed = await mirrors.sweep(2500)
    assert removed > 1000
    assert [Path(tree.root).exists() for tree in trees] == [True, False, True]
    assert await mirrors.sweep(0) > 0
    assert Path(trees[0].root).exists()  # handed out a moment ago: somebody may be reading


async def test_mirrors_that_nobody_uses_go(
    repo: Repo, mirrors: Mirrors, tmp_path: Path, make_repo: Callable[[str], Repo]
) -> None:
    other = make_repo("used")
    other.write("file", "text")
    old, used = remote_to(repo.url), remote_to(other.url)
    for remote, sha in ((old, repo.commit()), (used, other.commit())):
        await mirrors.fetch(remote, (sha,))
    folder = tmp_path / "home" / "mirrors"
    assert (tmp_path / "home").stat().st_mode & 0o077 == 0
    for path in folder.iterdir():
        os.utime(path, (1_000_000, 1_000_000))
    await mirrors.ls_remote(used)
    await mirrors.sweep(10**9)
    assert len([path for path in folder.iterdir() if path.is_dir()]) == 1


async def test_forgetting_a_repository(repo: Repo, mirrors: Mirrors, tmp_path: Path) -> None:
    remote, sha = remote_to(repo.url), repo.commit()
    await mirrors.fetch(remote, (sha,))
    await mirrors.forget(remote)
    assert [p for p in (tmp_path / "home" / "mirrors").iterdir() if p.is_dir()] == []


async def test_errors_say_what_to_do(
    repo: Repo, mirrors: Mirrors, tmp_path: Path, make_repo: Callable[[str], Repo]
) -> None:
    with pytest.raises(SourceError, match="no such repository"):
        await mirrors.ls_remote(remote_to(f"file://{tmp_path}/git/none"))
    with pytest.raises(AddressForbidden) as refused:
        await mirrors.ls_remote(remote_to(f"file://{tmp_path}"))
    assert "allowed_file_roots" in refused.value.hint
    with pytest.raises(AddressForbidden):
        await mirrors.ls_remote(remote_to(repo.url, registered=False))
