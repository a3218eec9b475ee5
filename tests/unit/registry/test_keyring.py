"""Where keys come from, and what is refused."""

from __future__ import annotations

import base64
import sys
import threading
from pathlib import Path

import pytest

from fleet.errors import SealBroken, SettingsInvalid
from fleet.model.secret import Secret
from fleet.registry.keyring import KeyRing, add_key, load_ring, parse_keys

ONE = base64.b64encode(b"1" * 32).decode()
TWO = base64.b64encode(b"2" * 32).decode()


def _from_file(path: Path) -> KeyRing:
    return load_ring(key_file=path, text=None, command=())


def test_first_start_makes_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "home" / "secret.key"
    ring = _from_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert _from_file(path).derive(ring.current, "x") == ring.derive(ring.current, "x")
    assert [entry.name for entry in path.parent.iterdir()] == ["secret.key"]


def test_keys_added_at_once_are_all_kept(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    first = _from_file(path).current
    go = threading.Barrier(4)
    made = [first]

    def add() -> None:
        go.wait()
        for _ in range(5):
            made.append(add_key(path))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(_from_file(path).kids) == sorted(made)
    assert {entry.stat().st_mode & 0o077 for entry in tmp_path.iterdir()} == {0}


def test_starters_at_once_get_the_same_key(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    go = threading.Barrier(4)
    kids: list[str] = []

    def start() -> None:
        go.wait()
        kids.append(_from_file(path).current)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kids) == 4
    assert len(set(kids)) == 1


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.write_text(f"k1:{ONE}\n")
    path.chmod(0o640)
    with pytest.raises(SettingsInvalid, match="0640") as raised:
        _from_file(path)
    assert "chmod 600" in raised.value.hint


def test_a_new_key_goes_first_and_is_found_without_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    running = _from_file(path)
    first = running.current
    second = add_key(path)
    assert _from_file(path).kids == (second, first)
    assert running.kids == (first,)
    assert running.derive(second, "x") == _from_file(path).derive(second, "x")
    assert running.current == second


def test_the_variable_wins_over_the_file(tmp_path: Path) -> None:
    ring = load_ring(
        key_file=tmp_path / "secret.key", text=Secret(f"k2:{TWO},k1:{ONE}"), command=("false",)
    )
    assert ring.kids == ("k2", "k1")
    assert not (tmp_path / "secret.key").exists()


def test_a_command_prints_the_ring(tmp_path: Path) -> None:
    command = (sys.executable, "-c", f"print('k1:{ONE}')")
    assert load_ring(key_file=tmp_path / "no", text=None, command=command).kids == ("k1",)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("/nonexistent/kms",), "No such file"),
        ((sys.executable, "-c", f"import sys; print('{ONE}'); sys.exit(3)"), "ended with 3"),
        ((sys.executable, "-c", f"print('{ONE}')"), "entry 1 is not a key"),
    ],
)
def test_a_command_that_fails(tmp_path: Path, command: tuple[str, ...], message: str) -> None:
    with pytest.raises(SettingsInvalid, match=message) as raised:
        load_ring(key_file=tmp_path / "no", text=None, command=command)
    assert ONE not in raised.value.message + raised.value.hint


@pytest.mark.parametrize(
    "text",
    ["", ONE, f"k1 {ONE}", f"k1:{ONE[:-4]}", "k1:!!!", f"k:1:{ONE}", f"k1:{ONE},k1:{TWO}"],
)
def test_not_a_ring(text: str) -> None:
    with pytest.raises(SettingsInvalid) as raised:
        parse_keys(text, "FLEET_SECRET_KEY")
    assert "FLEET_SECRET_KEY" in raised.value.message
    assert ONE not in raised.value.message + raised.value.hint


def test_comments_and_order() -> None:
    keys = parse_keys(f"# newest\nk2:{TWO}\n\nk1:{ONE}\n", "file")
    assert [kid for kid, _ in keys] == ["k2", "k1"]


def test_each_purpose_has_a_key_of_its_own() -> None:
    ring = KeyRing((("k1", b"1" * 32), ("k2", b"2" * 32)))
    keys = {ring.derive(kid, purpose) for kid in ring.kids for purpose in ("seal", "audit")}
    assert len(keys) == 4
    assert all(len(key) == 32 for key in keys)


def test_keys_are_not_shown() -> None:
    ring = KeyRing((("k1", b"1" * 32),))
    assert repr(ring) == "KeyRing(k1)"
    with pytest.raises(SealBroken, match="k9"):
        ring.derive("k9", "seal")
