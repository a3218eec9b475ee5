"""Repository URLs: spellings, sameness, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.errors import SpecInvalid
from fleet.source.urls import (
    join_url,
    parse_url,
)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("https://Git.Example/Shop.git", "https://git.example/Shop"),
        ("https://git.example:443/shop/", "https://git.example/shop"),
        ("https://me@dev.azure.com/org/_git/repo", "https://dev.azure.com/org/_git/repo"),
        ("http://git.example:8080/a//b", "http://git.example:8080/a/b"),
        ("git@github.com:org/repo.git", "ssh://git@github.com/org/repo"),
        ("github.com:org/repo", "ssh://github.com/org/repo"),
        ("ssh://git@github.com:22/org/repo", "ssh://git@github.com/org/repo"),
        ("ssh://git@[2001:DB8::1]:2222/x", "ssh://git@[2001:db8::1]:2222/x"),
        ("file:///srv/git/shop.git", "file:///srv/git/shop"),
        ("oci://ghcr.io/org/charts", "oci://ghcr.io/org/charts"),
        ("ghcr.io/org/charts", "oci://ghcr.io/org/charts"),
        ("localhost:5000/charts", "oci://localhost:5000/charts"),
        ("registry.example", "oci://registry.example"),
        ("https://git.example./x", "https://git.example/x"),
    ],
)
def test_every_spelling_has_one_canonical_form(text: str, canonical: str) -> None:
    assert parse_url(text).canonical == canonical


@pytest.mark.parametrize(
    "text",
    [
        "https://git.example/shop.git",
        "git@github.com:org/repo.git",
        "git@[::1]:org/repo",
        "ssh://git@host:2222/~/repo",
        "file:///srv/x",
        "localhost:5000/charts",
        "oci://ghcr.io/org",
    ],
)
def test_the_spelling_survives(text: str) -> None:
    assert str(parse_url(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "--upload-pack=touch /tmp/x",
        "--upload-pack=x",
        "-u./payload",
        "ext::sh -c id",
        "ext::sh",
        "fd::17",
        "ext://sh",
        "::foo",
        "git://git.example/x",
        "ftp://git.example/x",
        "javascript://x/%0aalert",
        "https://user:secret@git.example/x",
        "https://:secret@git.example/x",
        "https://git.example/x\nhost=evil",
        "https://git.example/x\r",
        "https://git.example/\x00",
        "https://git.example/%00",
        "https://git.example/%0a",
        "https://git.example/a%2f..%2fb",
        "https://git.example/a%5cb",
        "https://git.example\\@evil/x",
        "https://git.example/x#frag",
        "https://git.example/x?y=1",
        "https://git.example/../etc",
        "https://git.example/a/%2e%2e/b",
        "https://git.example:0/x",
        "https://git.example:65536/x",
        "https://git.example:80:90/x",
        "https:///x",
        "https://-oProxyCommand=x/y",
        "ssh://-oProxyCommand=touch/x",
        "ssh://-oProxyCommand=x@host/x",
        "-oProxyCommand=x:y",
        "git@-oProxyCommand=x:y",
        "git@host:-upload",
        "git@host:",
        "$(id)@host:x",
        "https://exa mple/x",
        "https://exämple/x",
        "https://[::1/x",
        "https://[zz]/x",
        "https://git..example/x",
        "file://host/x",
        "file:///a/../b",
        "file://",
        "/srv/git",
        "./repo",
        "../repo",
        "~/repo",
        "host;id:x",
        "oci://user@host/x",
        "https://h/" + "a" * 3000,
        "https://h/%zz",
    ],
)
def test_what_could_be_more_than_an_address_is_refused(text: str) -> None:
    with pytest.raises(SpecInvalid) as refused:
        parse_url(text)
    assert "secret" not in refused.value.message
    assert refused.value.message.isprintable()


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        url = parse_url(text)
    except SpecInvalid:
        return
    assert not str(url).startswith("-")
    assert str(url).isprintable()
    assert parse_url(str(url)).canonical == url.canonical


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("https://git.example/shop", "https://GIT.example:443/shop.git/", True),
        ("git@github.com:org/repo", "ssh://git@github.com/org/repo.git", True),
        ("https://git.example/shop", "https://git.example/Shop", False),
        ("https://git.example/shop", "http://git.example/shop", False),
        ("https://git.example/shop", "https://git.example:8443/shop", False),
        ("https://a@git.example/shop", "https://b@git.example/shop", True),
        ("ssh://a@git.example/shop", "ssh://b@git.example/shop", False),
        ("ghcr.io/org", "oci://ghcr.io/org", True),
    ],
)
def test_what_names_the_same_repository(a: str, b: str, same: bool) -> None:
    assert (parse_url(a).canonical == parse_url(b).canonical) is same


@pytest.mark.parametrize(
    ("base", "reference", "joined"),
    [
        ("https://h/charts", "web-1.0.tgz", "https://h/charts/web-1.0.tgz"),
        ("https://h:8443/charts/", "a/web.tgz", "https://h:8443/charts/a/web.tgz"),
        ("https://h/charts", "/top.tgz", "https://h/top.tgz"),
        ("https://h/charts", "https://cdn/x.tgz?sig=a%2Bb", "https://cdn/x.tgz?sig=a%2Bb"),
        ("https://h/org/repo.git", "../other.git", "https://h/org/other.git"),
        ("ssh://git@h/org/repo", "../other", "ssh://git@h/org/other"),
    ],
)
def test_references_are_joined_like_a_browser_does(base: str, reference: str, joined: str) -> None:
    assert join_url(base, reference) == joined


@pytest.mark.parametrize("reference", ["//evil/x", "a\nb", "ext::x", "file://host/x", "%00"])
def test_a_reference_cannot_smuggle(reference: str) -> None:
    with pytest.raises(SpecInvalid):
        join_url("https://h/charts", reference)
