"""Token text: minted, parsed, and told from what only looks like one."""

from __future__ import annotations

import hashlib
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.identity import mint, parse
from fleet.model.ids import TokenId

ID = TokenId(UUID("12345678-1234-5678-1234-567812345678"))
TEXT = mint(ID, bytes(range(32))).text.reveal()


@given(st.uuids(), st.binary(min_size=32, max_size=32))
def test_what_was_minted_parses_to_its_proof(id: UUID, entropy: bytes) -> None:
    minted = mint(TokenId(id), entropy)
    assert parse(minted.text.reveal()) == minted.proof
    assert minted.proof.id == id


def test_form() -> None:
    prefix, id_digits, secret, checksum = TEXT.split("_")
    assert (prefix, len(id_digits), len(secret), len(checksum)) == ("flt", 22, 43, 6)
    assert (
        mint(ID, bytes(range(32))).proof.secret_sha256 == hashlib.sha256(secret.encode()).digest()
    )


@given(st.integers(0, len(TEXT) - 1), st.characters(codec="ascii"))
def test_one_wrong_character_is_noticed(at: int, character: str) -> None:
    wrong = TEXT[:at] + character + TEXT[at + 1 :]
    assert wrong == TEXT or parse(wrong) is None


@pytest.mark.parametrize(
    "text",
    ["", "flt", "flt___", TEXT[:-1], TEXT + "0", " " + TEXT, TEXT + "\n", TEXT.upper(), "é" * 77],
)
def test_not_a_token(text: str) -> None:
    assert parse(text) is None


def test_an_id_beyond_128_bits_is_no_token() -> None:
    # 22 base62 digits hold more than a UUID; with a right checksum it must still be refused
    import zlib

    from fleet.identity.tokens import CHECKSUM_DIGITS, _base62

    body = "flt_" + "z" * 22 + "_" + "0" * 43
    assert parse(f"{body}_{_base62(zlib.crc32(body.encode()), CHECKSUM_DIGITS)}") is None


def test_the_secret_is_not_shown() -> None:
    minted = mint(ID, bytes(range(32)))
    assert TEXT not in repr(minted)
    assert TEXT not in str(minted)


def test_too_little_entropy_is_refused() -> None:
    with pytest.raises(ValueError, match="32 random bytes"):
        mint(ID, b"short")
