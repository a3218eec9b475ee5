"""The code over a file's values, for plain ones, and what is refused before a key is asked for."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.errors import RenderError, SpecInvalid
from fleet.render.sops import may_be_encrypted
from fleet.render.sops_files import _INT, _as_go_reads, _number, taken_apart

MAC = "ENC[AES256_GCM,data:eA==,iv:eA==,tag:eA==,type:str]"


@pytest.mark.parametrize(
    ("written", "counted"),
    [
        ("text", "text"),
        ("yes", "yes"),
        ("TRUE", "True"),
        ("false", "False"),
        ("~", None),
        ("null", None),
        ("", None),
        ("12", "12"),
        ("-7", "-7"),
        ("+7", "7"),
        ("1_000", "1000"),
        ("010", "8"),
        ("0o10", "8"),
        ("0x1F", "31"),
        ("0b11", "3"),
        ("09", "9"),
        ("0x_", "0x_"),
        ("0o_", "0o_"),
        ("18446744073709551615", "18446744073709551615"),
        ("18446744073709551617", "18446744073709552000"),
        ("0xfffffffffffffffff", "0xfffffffffffffffff"),
        ("1" * 5000, "Infinity"),
        ("1.50", "1.5"),
        ("1e3", "1000"),
        ("1e-7", "0.0000001"),
        ("2024-1-31", "2024-01-31T00:00:00Z"),
        ("1.2.3", "1.2.3"),
        ("5432/tcp", "5432/tcp"),
    ],
)
def test_a_plain_scalar_counts_as_what_it_means(written: str, counted: str | None) -> None:
    assert _as_go_reads(written) == counted


@given(st.text(max_size=20) | st.from_regex(_INT, fullmatch=True))
def test_any_scalar_counts_as_something(text: str) -> None:
    assert isinstance(_as_go_reads(text), str | None)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_written_without_an_exponent_and_means_the_same(value: float) -> None:
    text = _number(value)
    assert "e" not in text
    assert float(text) == value


@given(st.binary(max_size=60))
def test_any_bytes_are_taken_apart_or_refused(junk: bytes) -> None:
    for name in ("a.yaml", "a.json", "a.env"):
        for content in (junk, b"sops_mac=" + junk, b'{"sops": {"mac": ' + junk, b"sops:\n" + junk):
            with contextlib.suppress(RenderError, SpecInvalid):
                taken_apart(name, content)


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ({"shamir_threshold": 2}, "groups of keys"),
        ({"key_groups": [{"age": []}]}, "groups of keys"),
        ({"age": [{"recipient": "age1x", "enc": "x"}] * 101}, "more than 100 recipients"),
    ],
)
def test_what_is_not_read_is_said(stated: dict[str, object], said: str) -> None:
    file = json.dumps({"a": MAC, "sops": {"mac": MAC, **stated}})
    with pytest.raises(RenderError, match=said) as caught:
        taken_apart("a.json", file.encode())
    assert "a.json" in caught.value.message


def test_a_list_of_a_dotenv_file_has_places_that_are_numbers() -> None:
    text = f"a={MAC}\nsops_mac={MAC}\nsops_age__list_{'9' * 5000}__map_enc=x\n"
    parts = taken_apart("a.env", text.encode())
    assert parts is not None
    assert parts[0].recipients == ()


def test_ini_files_are_told_apart() -> None:
    content = f"[a]\nb = {MAC}\n[sops]\nmac = {MAC}\n".encode()
    assert may_be_encrypted(content)
    with pytest.raises(RenderError, match="INI"):
        taken_apart("a.ini", content)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"sops: {}",
        b"a: ENC[AES256_GCM,data:x]",
        b"note: about sops\nb: ENC[AES256_GCM,",
        # a search that goes back and forth would not come to an end
        b"ENC[AES256_GCM," + b"\n" * 1_000_000,
        b"ENC[AES256_GCM," + b"{ , " * 1_000_000,
    ],
    ids=["empty", "block", "value", "word", "lines", "braces"],
)
def test_most_files_cost_a_search(content: bytes) -> None:
    assert not may_be_encrypted(content)
