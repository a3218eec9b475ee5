"""What a signature of cosign is about, whatever is found in its place."""

from __future__ import annotations

import base64
import json

from hypothesis import given
from hypothesis import strategies as st

from fleet.source.cosign import bundle_claims, claims_fault, pem_keys, simple_claim
from tests.servers import cosign
from tests.servers.cosign import CosignKey

KEY = CosignKey("ed25519")
KEYS = pem_keys(KEY.public)
DIGEST, OTHER = (f"sha256:{digit * 64}" for digit in "ab")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["critical", "image", "dsseEnvelope", "payload", "signatures", "type"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


def signed(document: bytes) -> str:
    return base64.b64encode(KEY.sign(document)).decode()


@given(st.binary(max_size=200) | JSON.map(lambda it: repr(it).replace("'", '"').encode()))
def test_what_is_no_signature_claims_nothing(junk: bytes) -> None:
    assert simple_claim(junk, signed(junk)) is None
    assert bundle_claims(junk) == ()


@given(st.integers(0, 400), st.integers(1, 255))
def test_no_document_with_another_byte_is_signed(at: int, flip: int) -> None:
    document = bytearray(cosign.payload(DIGEST))
    signature = signed(bytes(document))
    document[at % len(document)] ^= flip
    claim = simple_claim(bytes(document), signature)
    assert claims_fault([claim] if claim else [], DIGEST, KEYS, [KEY.id]) != ""


@given(st.lists(st.sampled_from([DIGEST, OTHER]), max_size=4))
def test_one_good_signature_is_enough_and_none_other_is(about: list[str]) -> None:
    claims = [claim for digest in about for claim in bundle_claims(cosign.bundle(KEY, digest))]
    assert len(claims) == len(about)
    assert (claims_fault(claims, DIGEST, KEYS, [KEY.id]) == "") == (DIGEST in about)
    assert claims_fault(claims, DIGEST, KEYS, []) != ""
    assert claims_fault(claims, DIGEST, [], [KEY.id]) != ""


def test_a_bundle_with_a_thousand_signatures_costs_no_thousand_tries() -> None:
    body = json.loads(cosign.bundle(KEY, DIGEST))
    body["dsseEnvelope"]["signatures"] *= 1000
    assert 1 <= len(bundle_claims(json.dumps(body).encode())) < 100
