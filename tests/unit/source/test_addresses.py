"""Which addresses may be reached; names are answered by the test."""

from __future__ import annotations

import socket
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from fleet.errors import AddressForbidden, SourceUnreachable
from fleet.source.addresses import AddressRules, check, unwrap

FORBIDDEN = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "0.1.2.3",
    "169.254.169.254",
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "::",
    "::1",
    "fe80::1",
    "ff02::1",
    "fd00:ec2::254",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "::7f00:1",
]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Host → addresses; a host that is not listed does not resolve."""
    table: dict[str, list[str]] = {}

    def answer(host: str, port: int, *_: object, **__: object) -> list[tuple[object, ...]]:
        found = table.get(host, [host] if host[0].isdigit() or ":" in host else [])
        if not found:
            raise socket.gaierror("no such host")
        return [(socket.AF_INET, 1, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return table


@pytest.mark.parametrize("address", FORBIDDEN)
async def test_this_machine_and_its_link_are_out_of_reach(
    names: dict[str, list[str]], address: str
) -> None:
    names["git.example"] = [address]
    with pytest.raises(AddressForbidden) as refused:
        await check(AddressRules(), "https://git.example/x", registered=True)
    assert "allowed_networks" in refused.value.hint


@pytest.mark.parametrize("address", FORBIDDEN)
async def test_unless_the_setting_says_so(names: dict[str, list[str]], address: str) -> None:
    names["git.example"] = [address]
    wrapped = ip_address(address)
    for allowed in {wrapped, unwrap(wrapped)}:
        rules = AddressRules(allowed_networks=(ip_network(str(allowed)),))
        assert await check(rules, "ssh://git@git.example/x", registered=True)


@pytest.mark.parametrize("address", ["10.1.2.3", "192.168.0.1", "172.16.0.9", "fd12::1", "8.8.8.8"])
async def test_private_ranges_are_where_git_servers_live(
    names: dict[str, list[str]], address: str
) -> None:
    names["git.example"] = [address]
    found = await check(AddressRules(), "https://git.example/x", registered=True)
    assert found == (address,)


async def test_every_answer_is_judged(names: dict[str, list[str]]) -> None:
    names["git.example"] = ["8.8.8.8", "127.0.0.1"]
    with pytest.raises(AddressForbidden):
        await check(AddressRules(), "https://git.example/x", registered=True)


async def test_content_reaches_only_listed_hosts(names: dict[str, list[str]]) -> None:
    names["git.corp"] = names["evil.example"] = names["a.cdn.example"] = ["8.8.8.8"]
    rules = AddressRules(allowed_content_hosts=("git.corp", "ci.corp:8443", "*.cdn.example"))
    assert await check(rules, "https://git.corp/x", registered=False)
    assert await check(rules, "https://a.cdn.example/x", registered=False)
    for url in ("https://evil.example/x", "https://git.corp:8443/x", "https://cdn.example/x"):
        with pytest.raises(AddressForbidden) as refused:
            await check(rules, url, registered=False)
        assert "allowed_content_hosts" in refused.value.hint
        assert "evil" not in refused.value.hint or "evil.example" in refused.value.hint


async def test_a_wildcard_reaches_only_public_addresses(names: dict[str, list[str]]) -> None:
    names["x.cdn.example"] = ["10.0.0.1"]
    rules = AddressRules(allowed_content_hosts=("*.cdn.example",))
    with pytest.raises(AddressForbidden, match="private"):
        await check(rules, "https://x.cdn.example/x", registered=False)


async def test_a_name_that_does_not_resolve(names: dict[str, list[str]]) -> None:
    with pytest.raises(SourceUnreachable, match="does not resolve"):
        await check(AddressRules(), "https://nowhere.example/x", registered=True)


async def test_files_stay_below_their_roots(tmp_path: Path) -> None:
    root = tmp_path / "git"
    (root / "repo").mkdir(parents=True)
    (tmp_path / "git-evil").mkdir()
    (root / "escape").symlink_to(tmp_path)
    rules = AddressRules(allowed_file_roots=(str(root),))
    assert await check(rules, f"file://{root}/repo", registered=True) == ()
    for outside in (tmp_path / "git-evil", root / "escape", Path("/etc"), tmp_path):
        with pytest.raises(AddressForbidden) as refused:
            await check(rules, f"file://{outside}", registered=True)
        assert "allowed_file_roots" in refused.value.hint
    with pytest.raises(AddressForbidden):
        await check(rules, f"file://{root}/repo", registered=False)
    with pytest.raises(AddressForbidden):
        await check(AddressRules(), f"file://{root}/repo", registered=True)
