"""git over ssh, against a real sshd: host keys and client keys."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.errors import SourceAuthFailed, SourceError, SourceUnreachable
from fleet.model.repositories import Remote, RepositoryAuth, RepositoryOptions
from fleet.model.secret import Secret
from fleet.source import AddressRules, Mirrors
from fleet.source.credentials import Credentials
from fleet.source.transport import opened
from tests.conftest import require
from tests.integration.source.repos import remote_to
from tests.servers.git_repo import GitRepo
from tests.servers.git_ssh import GitSshServer, new_key, sshd


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitSshServer]:
    require(sshd(), "no sshd: install openssh-server")
    folder = tmp_path / "sshd"
    folder.mkdir()
    with GitSshServer(folder) as server:
        yield server


@pytest.fixture
def shop(server: GitSshServer) -> GitRepo:
    shop = server.repository()
    shop.commit({"web/a.yaml": "a: 1\n"}, "first")
    return shop


def remote(server: GitSshServer, url: str, key: str = "", known_hosts: str | None = None) -> Remote:
    auth = RepositoryAuth(ssh_private_key=Secret(key or server.client_key.private))
    known = server.known_hosts if known_hosts is None else known_hosts
    return remote_to(url, auth=auth, known_hosts=known)


async def test_a_known_host_and_an_accepted_key(
    server: GitSshServer, shop: GitRepo, mirrors: Mirrors, tmp_path: Path
) -> None:
    there = remote(server, shop.url)
    assert (await mirrors.ls_remote(there)).head == shop.sha()
    tree = await mirrors.checkout(there, shop.sha())
    assert (Path(tree.root) / "web/a.yaml").exists()
    assert all(command.startswith("git-upload-pack '") for command in server.commands)
    assert list((tmp_path / "home" / "scratch").iterdir()) == []


async def test_the_key_may_come_with_other_line_ends(
    server: GitSshServer, shop: GitRepo, mirrors: Mirrors
) -> None:
    key = server.client_key.private.strip().replace("\n", "\r\n")
    assert (await mirrors.ls_remote(remote(server, shop.url, key))).head == shop.sha()


async def test_a_name_is_resolved_once_and_by_us(
    server: GitSshServer, shop: GitRepo, mirrors: Mirrors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ssh connects to the address that was checked, and knows the host by its name."""

    def answer(host: str, *_: object, **__: object) -> object:
        assert host == "git.rebinding.test"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    url = shop.url.replace("127.0.0.1", "git.rebinding.test")
    known = server.known_hosts.replace("127.0.0.1", "git.rebinding.test")
    assert (await mirrors.ls_remote(remote(server, url, known_hosts=known))).head == shop.sha()
    with pytest.raises(SourceAuthFailed, match="host key is not known"):
        await mirrors.ls_remote(remote(server, url))


@pytest.mark.parametrize("known_hosts", ["", "\n", "other.example ssh-ed25519 AAAA\n"])
async def test_an_unknown_host_is_never_trusted(
    server: GitSshServer, shop: GitRepo, mirrors: Mirrors, known_hosts: str
) -> None:
    with pytest.raises(SourceAuthFailed, match="host key is not known") as refused:
        await mirrors.ls_remote(remote(server, shop.url, known_hosts=known_hosts))
    assert "fleet cert add-ssh" in refused.value.hint
    assert server.commands == []


async def test_another_host_at_the_same_address(
    server: GitSshServer, shop: GitRepo, mirrors: Mirrors
) -> None:
    known = server.known_hosts
    server.change_host_keys()
    with pytest.raises(SourceAuthFailed, match="another SSH host key") as refused:
        await mirrors.ls_remote(remote(server, shop.url, known_hosts=known))
    assert "fleet cert rm" in refused.value.hint


async def test_a_key_of_somebody_else(
    server: GitSshServer, shop: GitRepo, mirrors: Mirrors
) -> None:
    with pytest.raises(SourceAuthFailed, match="refused the SSH key"):
        await mirrors.ls_remote(remote(server, shop.url, new_key().private))


async def test_no_key_at_all(server: GitSshServer, shop: GitRepo, mirrors: Mirrors) -> None:
    with pytest.raises(SourceAuthFailed, match="needs a private key"):
        await mirrors.ls_remote(remote_to(shop.url, known_hosts=server.known_hosts))


async def test_garbage_for_a_key(server: GitSshServer, shop: GitRepo, mirrors: Mirrors) -> None:
    with pytest.raises(SourceAuthFailed) as refused:
        await mirrors.ls_remote(remote(server, shop.url, "not a key"))
    assert "not a key" not in refused.value.message


async def test_a_missing_repository(server: GitSshServer, mirrors: Mirrors) -> None:
    with pytest.raises(SourceError, match="no such repository"):
        await mirrors.ls_remote(remote(server, f"{server.url}{server.root}/none.git"))


async def test_nothing_listens(server: GitSshServer, shop: GitRepo, mirrors: Mirrors) -> None:
    server.close()
    with pytest.raises(SourceUnreachable):
        await mirrors.ls_remote(remote(server, shop.url))


async def test_ssh_takes_no_proxy(server: GitSshServer, shop: GitRepo, mirrors: Mirrors) -> None:
    auth = RepositoryAuth(ssh_private_key=Secret(server.client_key.private))
    options = RepositoryOptions(proxy="socks5://$(touch x):1")
    with pytest.raises(SourceError, match="proxy"):
        await mirrors.ls_remote(remote_to(shop.url, auth=auth, options=options))


#: As `ssh -G` shows what is in force; what it leaves out is not set.
IN_FORCE = {
    "batchmode": "yes",
    "canonicalizehostname": "false",
    "clearallforwardings": "yes",
    "controlmaster": "false",
    "forwardagent": "no",
    "forwardx11": "no",
    "globalknownhostsfile": "/dev/null",
    "identitiesonly": "yes",
    "identityagent": "none",
    "localcommand": None,
    "permitlocalcommand": "no",
    "preferredauthentications": "publickey",
    "proxycommand": None,
    "proxyjump": None,
    "stricthostkeychecking": "true",
    "updatehostkeys": "false",
    "verifyhostkeydns": "false",
}


@pytest.mark.parametrize(("option", "value"), IN_FORCE.items())
async def test_neither_agent_nor_forwarding_nor_command_whatever_a_configuration_says(
    tmp_path: Path, rules: AddressRules, option: str, value: str | None
) -> None:
    """Read by ssh itself, with an agent in the environment and a user who wants all of it."""
    require(shutil.which("ssh"), "no ssh: install openssh-client")
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text(
        "Host *\n ForwardAgent yes\n ProxyCommand touch x\n PermitLocalCommand yes\n"
        " LocalCommand touch x\n StrictHostKeyChecking no\n"
    )
    auth = RepositoryAuth(ssh_private_key=Secret(new_key().private))
    there = remote_to("ssh://git@127.0.0.1/shop.git", auth=auth, known_hosts="127.0.0.1 ssh-rsa A")
    async with opened(there, rules, Credentials(rules), tmp_path) as transport:
        command = shlex.split(transport.environment["GIT_SSH_COMMAND"])
        done = subprocess.run(
            [*command, "-G", "127.0.0.1"],
            env={**os.environ, "HOME": str(tmp_path), "SSH_AUTH_SOCK": str(tmp_path / "agent")},
            capture_output=True,
            text=True,
            check=True,
        )
    lines = (line.partition(" ") for line in done.stdout.splitlines())
    assert {name: rest for name, _, rest in lines}.get(option) == value
