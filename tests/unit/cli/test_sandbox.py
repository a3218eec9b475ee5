"""`fleet sandbox`: names, labels, the sample project, kubeconfigs, and what a disk says."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from base64 import b64decode
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from fleet.cli.progress import Bar
from fleet.cli.sandbox import sample
from fleet.cli.sandbox.breaking import WAYS
from fleet.cli.sandbox.detached import PIPE, start, telling
from fleet.cli.sandbox.endpoint import Endpoint, read_endpoint
from fleet.cli.sandbox.names import counted, missing, numbered
from fleet.cli.sandbox.place import Place, explained
from fleet.cli.sandbox.seeding import is_moving
from fleet.cli.sandbox.viewing import choose, document_of
from fleet.embedded.sandbox.cluster import BREAKS
from fleet.errors import FleetError, NotFound, Refused
from fleet.render.yaml import load_all, load_one


@pytest.mark.parametrize(
    ("number", "name", "env"),
    [
        (1, "eu-1", "dev"),
        (2, "us-2", "staging"),
        (3, "ap-3", "prod"),
        (4, "eu-4", "staging"),
        (5, "us-5", "prod"),
        (9, "ap-9", "staging"),
        (10, "eu-10", "dev"),
        (1000, "eu-1000", "dev"),
    ],
)
def test_names_and_labels_follow_from_the_number(number: int, name: str, env: str) -> None:
    found, labels = numbered(number)
    assert (found, labels) == (name, {"region": name[:2], "env": env})


def test_every_region_has_every_environment() -> None:
    pairs = Counter(tuple(numbered(it)[1].values()) for it in range(1, 10))
    assert len(pairs) == 9


@pytest.mark.parametrize(
    ("wanted", "known", "added"),
    [
        (2, [], ["eu-1", "us-2"]),
        (3, ["eu-1", "us-2"], ["ap-3"]),
        (2, ["us-2"], ["eu-1"]),
        (2, ["mine"], ["eu-1"]),
        (1, ["eu-1", "us-2"], []),
        (0, [], []),
    ],
)
def test_what_is_missing_is_added(wanted: int, known: list[str], added: list[str]) -> None:
    assert [name for name, _ in missing(wanted, known, {})] == added


def test_labels_that_were_given_win() -> None:
    ((_, labels),) = missing(1, [], {"env": "lab", "team": "shop"})
    assert labels == {"region": "eu", "env": "lab", "team": "shop"}


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 clusters"), (1, "1 cluster"), (2, "2 clusters")]
)
def test_counts(count: int, text: str) -> None:
    assert counted(count) == text


MEMBERS = [
    sample.member("eu-1", {"region": "eu", "env": "dev"}),
    sample.member("us-2", {"region": "us", "env": "staging"}),
    sample.member("ap-3", {"region": "ap", "env": "prod"}),
    sample.member("mine", {}),
]


def test_applications_run_where_they_belong() -> None:
    text = sample.applications(MEMBERS, "file:///shop.git", ())
    found = load_all(text.encode(), file="applications")
    names = [it["metadata"]["name"] for it in found]
    assert names == sample.application_names(MEMBERS)
    assert {it for it in names if it.startswith("catalog")} == {"catalog-ap-3"}
    assert {it for it in names if it.startswith("cart")} == {"cart-us-2", "cart-ap-3"}
    for each in found:
        spec = each["spec"]
        assert spec["source"]["repoURL"] == "file:///shop.git"
        assert each["metadata"]["name"].endswith(spec["destination"]["name"])
        assert spec["destination"]["namespace"] in sample.NAMESPACES
        folder = sample.shop() / spec["source"]["path"]
        assert folder.is_dir(), folder


def test_applications_that_are_known_are_left_alone() -> None:
    known = sample.application_names(MEMBERS)
    assert sample.applications(MEMBERS, "file:///shop.git", known) == ""


@pytest.mark.parametrize(
    ("sync", "health", "policy", "moving"),
    [
        ("Synced", "Healthy", "Auto-Prune", False),
        ("Synced", "Progressing", "Auto-Prune", True),
        ("OutOfSync", "Missing", "Auto-Prune", True),
        ("OutOfSync", "Healthy", "Auto", True),
        ("OutOfSync", "Healthy", "Manual", False),
        ("Synced", "Degraded", "Auto-Prune", False),
        ("Unknown", "Healthy", "Manual", True),
    ],
)
def test_what_is_waited_for(sync: str, health: str, policy: str, moving: bool) -> None:
    application = {"sync": sync, "health": {"status": health}, "syncPolicy": policy}
    assert is_moving(application) is moving


def cluster(name: str) -> dict[str, Any]:
    server = f"https://127.0.0.1:16443/clusters/{name}"
    return {"name": name, "server": server, "ca": "PEM", "token": f"token-of-{name}"}


def test_a_kubeconfig_has_a_context_a_cluster() -> None:
    found = load_one(document_of([cluster("eu-1"), cluster("us-2")]).encode(), file="kubeconfig")
    assert found["current-context"] == "eu-1"
    assert [it["context"] for it in found["contexts"]] == [
        {"cluster": "eu-1", "user": "eu-1"},
        {"cluster": "us-2", "user": "us-2"},
    ]
    assert found["users"][1]["user"] == {"token": "token-of-us-2"}
    data = found["clusters"][0]["cluster"]["certificate-authority-data"]
    assert b64decode(data) == b"PEM"


def test_a_cluster_can_be_broken_as_it_is_offered() -> None:
    assert list(WAYS) == list(BREAKS)


def test_clusters_are_chosen_by_name() -> None:
    known = [cluster("eu-1"), cluster("us-2")]
    assert choose(known, ()) == known
    assert choose(known, ("us-2",)) == known[1:]
    with pytest.raises(NotFound, match="no cluster 'x' in the sandbox; there are: eu-1, us-2"):
        choose(known, ("x",))


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "is full"),
        (errno.EDQUOT, "is full"),
        (errno.EACCES, "cannot be written: Permission denied"),
        (errno.EROFS, "cannot be written: Read-only file system"),
    ],
)
def test_what_a_disk_refuses_is_told(number: int, says: str) -> None:
    found = explained(OSError(number, os.strerror(number)), Path("/home/x"))
    assert found is not None
    assert says in found.message
    assert found.hint


def test_other_failures_are_no_refusals() -> None:
    assert explained(OSError(errno.EIO, "I/O error"), Path("/home/x")) is None


def test_the_endpoint_is_read_by_its_owner_alone(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert read_endpoint(place) is None
    place.make()
    written = Endpoint("https://127.0.0.1:16443", "PEM", "secret")
    written.write(place)
    assert read_endpoint(place) == written
    assert written.port == 16443
    assert "secret" not in repr(written)
    assert place.endpoint.stat().st_mode & 0o777 == 0o600
    place.endpoint.write_text("{")
    assert read_endpoint(place) is None


TELLER = """\
import sys
sys.argv = ["fleet"]
from fleet.cli.sandbox.detached import telling
from fleet.errors import NotFound
with telling() as teller:
    teller.progress(1, 2)
    {}
"""


def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str) -> str:
    """What ``start`` gives for a program that goes on with ``ending`` after its first word."""
    program = tmp_path / "program.py"
    program.write_text(TELLER.format(ending))
    real = subprocess.Popen

    def instead(argv: list[str], **rest: Any) -> subprocess.Popen[bytes]:
        assert argv[:3] == [sys.executable, "-m", "fleet"]
        return real([sys.executable, str(program)], **rest)

    monkeypatch.setattr("fleet.cli.sandbox.detached.subprocess.Popen", instead)
    return start(["sandbox"], tmp_path / "log", Bar(), "Starting")


def test_a_program_in_the_background_says_when_it_is_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert started(tmp_path, monkeypatch, "teller.ready('https://here')") == "https://here"


@pytest.mark.parametrize(
    ("ending", "error", "says"),
    [
        ("raise NotFound('no such thing', hint='look elsewhere')", NotFound, "no such thing"),
        ("raise ValueError('odd')", FleetError, "ValueError: odd"),
        ("sys.exit(0)", FleetError, "it ended before it was ready"),
    ],
)
def test_a_program_in_the_background_says_what_is_wrong(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ending: str,
    error: type[FleetError],
    says: str,
) -> None:
    with pytest.raises(error, match=says):
        started(tmp_path, monkeypatch, ending)


def test_a_start_that_nobody_waits_for_any_more_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    monkeypatch.setenv(PIPE, str(writing))
    os.close(reading)
    with pytest.raises(Refused, match="is gone"), telling() as teller:
        teller.progress(1, 2)


def test_without_a_pipe_nothing_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with telling() as teller:
        teller.progress(1, 2)
        teller.ready("https://here")
        assert not teller.heard
    assert json.dumps(capsys.readouterr()) == '["", ""]'
