"""The servers of the tests, as the real clients see them."""

from __future__ import annotations

import os
import shlex
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.servers.git_http import GitHttpServer
from tests.servers.git_repo import Executable, GitRepo, Symlink
from tests.servers.git_ssh import GitSshServer
from tests.servers.helm_repo import HelmRepo
from tests.servers.http import Fault
from tests.servers.oci_registry import OciRegistry
from tests.servers.tls import CertificateAuthority


def clone(url: str, into: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(into.parent)}
    return subprocess.run(
        ["git", "clone", "--quiet", url, str(into)],
        env={**os.environ, **quiet, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_commits_change_and_delete_files(git_repo: GitRepo, tmp_path: Path) -> None:
    first = git_repo.commit({"web/cm.yaml": "a: 1\n", "run": Executable("#!"), "gone": b"x"})
    second = git_repo.commit({"gone": None, "link": Symlink("run"), 'odd "name"': "y"})
    assert first != second
    assert git_repo.sha("main") == git_repo.sha("HEAD") == second
    assert clone(git_repo.url, tmp_path / "out").returncode == 0
    out = tmp_path / "out"
    names = sorted(str(p.relative_to(out)) for p in out.rglob("*") if ".git" not in p.parts)
    assert names == ["link", 'odd "name"', "run", "web", "web/cm.yaml"]
    assert (out / "link").is_symlink()
    assert os.access(out / "run", os.X_OK)


def test_branches_and_tags_move(git_repo: GitRepo) -> None:
    first = git_repo.commit({"a": "1"})
    git_repo.tag("v1", annotated=True)
    git_repo.branch("release")
    second = git_repo.commit({"a": "2"})
    rewritten = git_repo.commit({"a": "3"}, parent=first)
    assert git_repo.sha("v1") == git_repo.sha("release") == first
    assert len({first, second, rewritten}) == 3
    assert git_repo.sha() == rewritten
    git_repo.delete_branch("release")
    git_repo.delete_tag("v1")
    assert git_repo.sha("release") == git_repo.sha("v1") == ""


def test_git_over_http_asks_for_credentials_and_counts(
    git_http: GitHttpServer, tmp_path: Path
) -> None:
    repo = git_http.repository()
    repo.commit({"a": "1"})
    git_http.require_basic("ci", "secret")
    assert "could not read Username" in clone(repo.url, tmp_path / "refused").stderr
    url = repo.url.replace("://", "://ci:secret@")
    assert clone(url, tmp_path / "out").returncode == 0
    counts = git_http.counts()
    assert counts["ls-refs"] == 1
    assert counts["fetch"] == 1
    Path(tmp_path / "out" / "a").write_text("2")
    push = ["git", "-C", str(tmp_path / "out"), "-c", "user.name=T", "-c", "user.email=t@t.test"]
    subprocess.run([*push, "commit", "--quiet", "-am", "by hand"], check=True)
    subprocess.run([*push, "push", "--quiet"], check=True)
    assert repo.read("a") == "2"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault.FORBIDDEN, "error: 403"),
        (Fault.ERROR, "error: 500"),
        (Fault.BUSY, "error: 429"),
        (Fault.PAGE, "cloned an empty repository"),  # git takes any 200 for a plain web server
        (Fault.TRUNCATE, "remaining"),
        (Fault.DRIP, "Operation too slow"),
    ],
)
def test_git_over_http_misbehaves(
    git_http: GitHttpServer, tmp_path: Path, fault: Fault, said: str
) -> None:
    repo = git_http.repository()
    repo.commit({"a": "1"})
    git_http.fault = fault
    limits = {"GIT_HTTP_LOW_SPEED_LIMIT": "1000", "GIT_HTTP_LOW_SPEED_TIME": "1"}
    assert said in clone(repo.url, tmp_path / "out", **limits).stderr


def test_redirect_leads_to_the_other_host(git_http: GitHttpServer, tmp_path: Path) -> None:
    repo = git_http.repository()
    repo.commit({"a": "1"})
    with GitHttpServer(tmp_path / "none") as front:
        front.fault = Fault.REDIRECT
        front.redirect_to = git_http.url
        assert clone(f"{front.url}/shop.git", tmp_path / "out").returncode == 0


def test_git_over_https_with_our_authority(authority: CertificateAuthority, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(authority.pem)
    pair = authority.issue("git", hosts=("127.0.0.1",))
    with GitHttpServer(tmp_path / "git", tls=pair) as server:
        repo = server.repository()
        repo.commit({"a": "1"})
        assert "certificate" in clone(repo.url, tmp_path / "untrusted").stderr
        trusting = {"GIT_SSL_CAINFO": str(tmp_path / "ca.pem")}
        assert clone(repo.url, tmp_path / "out", **trusting).returncode == 0


def test_git_over_ssh_checks_both_sides(git_ssh: GitSshServer, tmp_path: Path) -> None:
    repo = git_ssh.repository()
    repo.commit({"a": "1"})
    key, known = tmp_path / "key", tmp_path / "known"
    key.touch(mode=0o600)
    key.write_text(git_ssh.client_key.private)
    known.write_text(git_ssh.known_hosts)
    options = f"-F none -o UserKnownHostsFile={shlex.quote(str(known))} -o IdentitiesOnly=yes"
    ssh = f"ssh {options} -o StrictHostKeyChecking=yes -i {shlex.quote(str(key))}"
    assert clone(repo.url, tmp_path / "out", GIT_SSH_COMMAND=ssh).stderr == ""
    assert git_ssh.commands == [f"git-upload-pack '{repo.path}'"]
    git_ssh.change_host_keys()
    changed = clone(repo.url, tmp_path / "refused", GIT_SSH_COMMAND=ssh)
    assert "Host key verification failed" in changed.stderr


def test_helm_repository_lists_and_serves(helm_repo: HelmRepo) -> None:
    chart = helm_repo.add("web", "1.2.3")
    with urllib.request.urlopen(f"{helm_repo.url}/index.yaml") as answer:
        assert chart.digest in answer.read().decode()
    with urllib.request.urlopen(f"{helm_repo.url}/web-1.2.3.tgz") as answer:
        assert answer.read() == chart.data
    helm_repo.remove("web", "1.2.3")
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        urllib.request.urlopen(f"{helm_repo.url}/web-1.2.3.tgz")
    caught.value.close()


def test_oci_registry_keeps_charts(oci_registry: OciRegistry) -> None:
    digest = oci_registry.push_chart("web", "1.2.3")
    request = urllib.request.Request(f"{oci_registry.url}/v2/charts/web/manifests/1.2.3")
    request.add_header("Accept", "application/vnd.oci.image.manifest.v1+json")
    with urllib.request.urlopen(request) as answer:
        assert answer.headers["Docker-Content-Digest"] == digest


def test_oci_registry_asks_for_credentials(
    tmp_path: Path, oci_registry: OciRegistry, authority: CertificateAuthority
) -> None:
    pair = authority.issue("registry", hosts=("127.0.0.1",))
    with OciRegistry(tmp_path, auth=True, tls=pair, ca_pem=authority.pem) as registry:
        registry.push_chart("web", "1.2.3")
        registry.auth = False
        with pytest.raises(urllib.error.HTTPError, match="401") as caught:
            registry.push_chart("web", "1.2.4")
        caught.value.close()
