"""What goes wrong at the command line: a clear error, the right exit code, nothing changed."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.fleet_process import Done, Machine, machine
from tests.cluster.kube import TestCluster
from tests.ports import free_port
from tests.servers.postgres import TestDatabase


@pytest.fixture(scope="module")
def running() -> Iterator[Machine]:
    with machine() as made, made.up():
        yield made


def failed(done: Done, code: int, *said: str) -> None:
    assert done.code == code, done
    assert "Traceback" not in done.err
    missing = [text for text in said if text not in done.err]
    assert missing == [], done


def test_empty_states_say_how_to_begin(running: Machine) -> None:
    for noun in ("app", "cluster", "repo", "repocreds", "cert"):
        done = running.ok(noun, "list")
        assert done.out == ""
        assert f"fleet {noun} " in done.err


def test_kubeconfigs_that_cannot_be_used(
    running: Machine, bare_clusters: list[TestCluster], tmp_path: Path
) -> None:
    config = str(bare_clusters[0].kubeconfig)
    add = ("cluster", "add", "nope", "-y", "--kubeconfig")
    failed(running.fleet(*add, config), 2, "no context 'nope'", bare_clusters[0].name)
    (tmp_path / "text").write_text("hello")
    failed(running.fleet(*add, str(tmp_path / "text")), 2, "not a kubeconfig")
    failed(running.fleet(*add, str(tmp_path / "gone")), 2, "cannot be read")
    assert running.ok("cluster", "list", "-o", "json").json() == []


def test_making_an_account_needs_a_yes(running: Machine, bare_clusters: list[TestCluster]) -> None:
    cluster = bare_clusters[0]
    asked = running.fleet(
        "cluster", "add", "eu-1", "--kubeconfig", str(cluster.kubeconfig), "--context", cluster.name
    )
    failed(asked, 2, "kube-system/fleet-manager", "-y")
    assert running.ok("cluster", "list", "-o", "json").json() == []


def test_a_cluster_that_does_not_answer(running: Machine) -> None:
    add = ("cluster", "add", "gone", "--token-stdin", "--server")
    failed(running.fleet(*add, "eu-1", stdin="token"), 2, "'eu-1' is not the address", "https://")
    nowhere = f"https://127.0.0.1:{free_port()}"
    done = running.fleet(
        "cluster", "add", "gone", "--server", nowhere, "--token-stdin",
        "--insecure-skip-tls-verify",
        stdin="token\n",
    )  # fmt: skip
    failed(done, 4, "WARNING", "NOT verified")


def test_a_wrong_ca_and_a_wrong_token(running: Machine, bare_clusters: list[TestCluster]) -> None:
    cluster = bare_clusters[0]
    add = ("cluster", "add", "eu-1", "--server", cluster.server, "--token-stdin")
    failed(running.fleet(*add, stdin=cluster.admin_token), 4)
    ca = running.home / "ca.pem"
    ca.write_text(cluster.ca_pem)
    failed(running.fleet(*add, "--ca", str(ca), stdin="wrong"), 3)
    assert running.ok("cluster", "list", "-o", "json").json() == []


def test_a_wrong_token_for_fleet_itself(running: Machine) -> None:
    done = running.fleet("app", "list", FLEET_AUTH_TOKEN="flt_wrong")
    failed(done, 3, "token", "fleet login")


def test_a_server_that_is_not_there(running: Machine) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    failed(running.fleet("app", "list", "--server", nowhere), 4, nowhere)
    as_json = running.fleet("app", "list", "-o", "json", FLEET_SERVER=nowhere)
    assert as_json.code == 4
    assert json.loads(as_json.err)["error"]["type"] == "ServerUnreachable"


def test_what_does_not_exist(running: Machine) -> None:
    for noun in ("app", "proj", "cluster", "plugin", "gpg"):
        failed(running.fleet(noun, "get", "nothing"), 3, "nothing", f"`fleet {noun} list`")
    failed(running.fleet("repo", "get", "https://no.example/x"), 3, "`fleet repo list`")
    failed(running.fleet("account", "list-tokens", "nobody"), 3, "`fleet account list`")
    failed(running.fleet("app", "wait", "nothing", "--timeout", "1"), 3)
    failed(running.fleet("app", "sync", "nothing"), 3)
    failed(running.fleet("proj", "remove-source", "default", "https://x"), 3)


def test_a_rule_about_an_action_that_does_not_exist(running: Machine) -> None:
    running.ok("proj", "create", "dancing")
    failed(running.fleet("proj", "role", "create", "dancing", "c i"), 2, "no valid role", "Letters")
    running.ok("proj", "role", "create", "dancing", "ci")
    add = ("proj", "role", "add-policy", "dancing", "ci", "--object", "*", "--action")
    failed(running.fleet(*add, "dance"), 2, "no action dance", "delete, get,", "wildcard")
    failed(running.fleet(*add, "synch"), 2, "did you mean sync?")
    held = running.ok("proj", "get", "dancing", "-o", "json").json()
    assert held["spec"]["roles"] == [{"name": "ci"}]
    for action in ("sync", "get*", "action/apps/Deployment/restart"):
        running.ok(*add, action)

    # what was written for something else is kept, and told of
    rule = "p, proj:dancing:ci, applications, dance, dancing/*, allow"
    held["spec"]["roles"] = [{"name": "ci", "policies": [rule]}]
    told = running.ok("apply", "-f", "-", stdin=json.dumps(held))
    assert "there is no action dance" in told.out + told.err
    assert running.ok("proj", "get", "dancing", "-o", "json").json()["spec"] == held["spec"]
    running.ok("proj", "role", "remove-policy", "dancing", "ci", "--object", "*", "-a", "dance")


def test_an_application_that_makes_no_sense(running: Machine) -> None:
    create = ("app", "create", "web", "--repo", "https://git.example/shop.git")
    failed(running.fleet(*create, "--dest-name", "a"), 2, "spec.source.path")
    failed(running.fleet(*create, "--path", "."), 2, "spec.destination")
    failed(running.fleet(*create, "--path", "../x", "--dest-name", "a"), 2, "spec.source.path")
    failed(running.fleet(*create, "--path", ".", "--dest-name", "nowhere"), 3, "nowhere")
    assert running.ok("app", "list", "-o", "json").json() == []


def test_documents_that_cannot_be_applied(running: Machine) -> None:
    failed(running.fleet("apply", "-f", "-", stdin="a: 1\n\tb: 2\n"), 2, "stdin:2")
    failed(running.fleet("apply", "-f", "-", stdin="kind: Mystery\napiVersion: v1\n"), 2, "Mystery")


def test_two_fleets_on_one_home(running: Machine) -> None:
    failed(running.fleet("up", FLEET_PORT=str(free_port())), 3, "runs here already")


def test_sql_only_reads(running: Machine) -> None:
    assert running.ok("db", "sql", "-c", "select 1 as one", "-o", "csv").out == "one\n1\n"
    assert "100%" in running.ok("db", "sql", "-c", "select '100%' as share").out
    failed(running.fleet("db", "sql", "-c", "create table t ()"), 2, "SQL:")
    failed(running.fleet("db", "sql", "-c", "selec 1"), 2, "syntax")
    failed(
        running.fleet("db", "sql", "-c", "select * from public.clusters"), 2, "permission denied"
    )


def test_a_database_of_ones_own_is_only_read(database: TestDatabase) -> None:
    own = {"DATABASE_URL": database.url, "ALLOW_UNSAFE_DATABASE": "true"}
    with machine(**own) as alone:
        failed(alone.fleet("db", "url", "--read-only"), 2, "FLEET_AUDIT_READER_URL")
        assert alone.ok("db", "url").out.strip() == database.url
        reader = alone.fleet("db", "url", "--read-only", FLEET_AUDIT_READER_URL=database.reader_url)
        assert reader.out.strip() == database.reader_url
        escape = "commit; create table escaped ()"
        failed(alone.fleet("db", "sql", "-c", escape), 2, "SQL:", "multiple")
        failed(alone.fleet("db", "sql", "-c", "create table escaped ()"), 2, "read-only")
        there = "select to_regclass('escaped') is null as safe"
        assert alone.ok("db", "sql", "-c", there, "-o", "csv").out == "safe\nTrue\n"

        done = alone.fleet("proj", "create", "mine", LOGNAME="somebody", USER="somebody")
        assert done.code == 0, done
        asked = "select distinct actor from audit.changes where object = 'mine'"
        actor = alone.ok("db", "sql", "-c", asked, "-o", "json").json()
        assert actor == [{"actor": f"local:{pwd.getpwuid(os.getuid()).pw_name}"}]


def test_only_its_owner_reads_the_administrators_token(running: Machine) -> None:
    assert (running.home / "admin.token").stat().st_mode & 0o777 == 0o600


def test_the_url_is_for_psql(running: Machine) -> None:
    reader = running.ok("db", "url", "--read-only").out.strip()
    assert reader.startswith("postgresql://fleet_audit_reader:")
    assert "up to date" in running.ok("db", "check").out
    assert "CREATE TABLE" in running.ok("db", "dump").out


def test_accounts_sign_in_and_out(running: Machine) -> None:
    server = f"http://127.0.0.1:{running.environment['FLEET_PORT']}"
    running.ok("account", "create", "ci", "--role", "readonly")
    token = running.ok("account", "create-token", "ci", "--expires-in", "1h").out.strip()
    signed = running.ok("login", server, "--name", "test", "--auth-token-stdin", stdin=token)
    assert "as ci (readonly)" in signed.out
    kept = running.home.parent / "config" / "fleet" / "contexts.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    try:
        failed(running.fleet("proj", "create", "mine"), 3, "readonly")
        assert token not in running.ok("context").out
        running.ok("logout")
        failed(running.fleet("app", "list"), 3, "no API token")
    finally:
        running.ok("context", "--delete", "test")
    running.ok("account", "revoke-token", "ci", "cli", "-y")
    failed(running.fleet("app", "list", FLEET_AUTH_TOKEN=token), 3, "revoked")


def test_projects_are_changed_entry_by_entry(running: Machine) -> None:
    running.ok("proj", "create", "shop", "--src", "https://git.example/*", "--dest", "eu-*,shop")
    for verb, entry in (
        ("add-source", "https://other.example/*"),
        ("add-destination", "us-*,shop"),
        ("deny-namespace-resource", "apps/DaemonSet"),
        ("allow-cluster-resource", "/Namespace"),
    ):
        assert running.ok("proj", verb, "shop", entry).out == "project/shop configured\n"
    running.ok("proj", "remove-source", "shop", "https://git.example/*")
    spec = running.ok("proj", "get", "shop", "-o", "json").json()["spec"]
    assert spec == {
        "sourceRepos": ["https://other.example/*"],
        "destinations": [
            {"name": "eu-*", "namespace": "shop"},
            {"name": "us-*", "namespace": "shop"},
        ],
        "namespaceResourceBlacklist": [{"group": "apps", "kind": "DaemonSet"}],
        "clusterResourceWhitelist": [{"group": "", "kind": "Namespace"}],
    }
    failed(running.fleet("proj", "delete", "shop"), 2, "-y")
    running.ok("proj", "delete", "shop", "-y")


def test_without_a_server_the_command_does_it_itself() -> None:
    with machine() as alone:
        made = alone.fleet("proj", "create", "shop", "--src", "*")
        assert (made.code, made.out) == (0, "project/shop created\n"), made
        changes = alone.ok("audit", "changes", "-o", "json").json()
        assert changes[0]["actor"].startswith("local:")
        assert "New key" in alone.ok("secret", "rotate-key").out
        rotated = alone.ok("audit", "changes", "--kind", "KeyRing").out
        assert "DECISION" in rotated
        assert "allowed" in rotated
        assert alone.ok("audit", "changes", "--decision", "denied", "-o", "name").out == ""
        assert "intact" in alone.ok("audit", "verify").out
        failed(alone.fleet("db", "url"), 4, "not running")
        failed(alone.fleet("worker"), 2, "FLEET_DATABASE_URL")


def test_a_lost_key_is_given_up_only_when_asked() -> None:
    with machine() as alone:
        alone.ok("proj", "create", "shop")
        (alone.home / "secret.key").unlink()
        failed(alone.fleet("proj", "list"), 3, "forget-lost-keys")
        failed(alone.fleet("secret", "forget-lost-keys"), 2, "-y")
        assert "1 cannot be opened" in alone.ok("secret", "forget-lost-keys", "-y").out
        assert "shop" in alone.ok("proj", "list").out
        assert "No key is missing" in alone.ok("secret", "forget-lost-keys", "-y").out
