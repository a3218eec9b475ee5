"""Which commit a target revision means."""

from __future__ import annotations

import pytest

from fleet.source.revisions import RemoteRefs, is_ref, is_sha, parse_ls_remote, resolve

A, B, C, D = ("a" * 40, "b" * 40, "c" * 40, "d" * 40)
REFS = RemoteRefs(
    {
        "refs/heads/main": A,
        "refs/heads/1.x": B,
        "refs/heads/same": B,
        "refs/tags/same": C,
        "refs/tags/v1.0.0": B,
        "refs/tags/v1.2.0": C,
        "refs/tags/v2.0.0-rc1": D,
        "refs/tags/app-3.0.0": D,
        "refs/tags/latest": D,
        "refs/heads/refs/heads/odd": D,
    },
    head=A,
    head_ref="refs/heads/main",
)


@pytest.mark.parametrize(
    ("target", "sha"),
    [
        ("", A),
        ("HEAD", A),
        ("main", A),
        ("refs/heads/main", A),
        ("v1.0.0", B),
        ("refs/tags/v1.0.0", B),
        ("latest", D),
        ("same", B),
        ("refs/tags/same", C),
        ("1.x", C),
        ("refs/heads/1.x", B),
        ("^1.0", C),
        (">=1.0 <1.2", B),
        ("*", C),
        (">=2.0.0-0", D),
        ("3.x", None),
        ("f" * 40, "f" * 40),
        ("f" * 64, "f" * 64),
        ("abcdef1", None),
        ("missing", None),
        ("refs/heads/missing", None),
        ("--upload-pack=x", None),
        ("main\n", None),
        ("a..b", None),
    ],
)
def test_resolve(target: str, sha: str | None) -> None:
    assert resolve(REFS, target) == sha


def test_a_tag_prefix_selects_and_is_cut_off() -> None:
    assert resolve(REFS, "3.x", "app-") == D
    assert resolve(REFS, "1.x", "app-") == B  # no such tag: the branch of that name


def test_a_range_falls_back_to_a_branch_of_that_name() -> None:
    assert resolve(RemoteRefs({"refs/heads/1.x": B}), "1.x") == B


def test_an_empty_repository_has_no_head() -> None:
    assert resolve(RemoteRefs(), "HEAD") is None


def test_ls_remote_is_read_with_peeled_tags() -> None:
    output = (
        f"ref: refs/heads/main\tHEAD\n{A}\tHEAD\n{A}\trefs/heads/main\n"
        f"{B}\trefs/tags/v1\n{C}\trefs/tags/v1^{{}}\n{D}\trefs/tags/light\nnoise\n"
    )
    refs = parse_ls_remote(output)
    assert refs.head == A
    assert refs.head_ref == "refs/heads/main"
    assert refs.refs["refs/tags/v1"] == C
    assert refs.tags == ("light", "v1")
    assert refs.branches == ("main",)


def test_a_dangling_head_has_no_commit() -> None:
    assert parse_ls_remote("ref: refs/heads/gone\tHEAD\n").head == ""


@pytest.mark.parametrize("ref", ["main", "feature/x", "refs/heads/a-b", "v1.0+b", "ünïcode"])
def test_good_refs(ref: str) -> None:
    assert is_ref(ref)


@pytest.mark.parametrize(
    "ref",
    [
        *("-x", "a b", "a..b", "a~1", "a^", "a:b", "a?", "a*", "a[", "a\\b", "a@{1}", "/a", "a/"),
        *("", "@", "a//b", "a.lock", "a.lock/b", ".a", "a/.b", "a.", "a\x7f", "a\n", "a\0b"),
    ],
)
def test_bad_refs(ref: str) -> None:
    assert not is_ref(ref)


@pytest.mark.parametrize("text", ["a" * 39, "A" * 40, "g" * 40, "a" * 41, "a" * 40 + "\n", "HEAD"])
def test_only_full_lower_case_shas(text: str) -> None:
    assert not is_sha(text)
