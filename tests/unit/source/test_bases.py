"""What kustomizations name, in every spelling that kustomize understands."""

from __future__ import annotations

import pytest

from fleet.errors import SpecInvalid
from fleet.source import BaseReference, parse_base

HUB = "https://github.com/org/repo"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (f"{HUB}//deploy/base?ref=v1.2.3", BaseReference(HUB, "deploy/base", "v1.2.3")),
        (f"{HUB}/deploy/base?ref=v1", BaseReference(HUB, "deploy/base", "v1")),
        (f"{HUB}.git/deploy?ref=main", BaseReference(f"{HUB}.git", "deploy", "main")),
        (f"git::{HUB}.git//deploy", BaseReference(f"{HUB}.git", "deploy")),
        (HUB, BaseReference(HUB)),
        (f"{HUB}?version=v2&timeout=90s&submodules=0", BaseReference(HUB, "", "v2")),
        ("github.com/org/repo/x/y?ref=v1", BaseReference(HUB, "x/y", "v1")),
        ("gh:org/repo", BaseReference(HUB)),
        (
            "git@github.com:org/repo.git//x?ref=v1",
            BaseReference("git@github.com:org/repo.git", "x", "v1"),
        ),
        ("git@github.com:org/repo/x", BaseReference("git@github.com:org/repo", "x")),
        (
            "ssh://git@host.test:2222/org/repo.git/x",
            BaseReference("ssh://git@host.test:2222/org/repo.git", "x"),
        ),
        (
            "https://dev.azure.test/org/project/_git/repo/x?ref=v1",
            BaseReference("https://dev.azure.test/org/project/_git/repo", "x", "v1"),
        ),
        (
            "https://host.test/deep/group/repo.git//x",
            BaseReference("https://host.test/deep/group/repo.git", "x"),
        ),
        (
            "https://raw.host.test/org/repo/v1/install.yaml",
            BaseReference("https://raw.host.test/org/repo/v1/install.yaml", is_file=True),
        ),
        (f"{HUB}//x/y.yaml?ref=v1", BaseReference(HUB, "x/y.yaml", "v1")),
        ("file:///srv/repo.git//x", BaseReference("file:///srv/repo.git", "x")),
    ],
)
def test_spellings(entry: str, expected: BaseReference) -> None:
    assert parse_base(entry) == expected


@pytest.mark.parametrize(
    "entry",
    [
        "https://",
        "ext::sh -c touch% /tmp/x",
        "https://host.test",
        "git::--upload-pack=x",
        "a b://c",
    ],
)
def test_what_names_nothing(entry: str) -> None:
    with pytest.raises(SpecInvalid):
        parse_base(entry)
