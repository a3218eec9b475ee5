"""What the log tells of a render process that ended by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleet.model.applications import Source
from fleet.model.decryption import DecryptionKey
from fleet.model.renders import GivenValues, RenderRequest, SourceTree
from fleet.model.secret import Secret
from fleet.render.batches import _told

KEY = DecryptionKey("age1x", "age", Secret("AGE-SECRET-KEY-1X"))
SAID = "password: swordfish"
URL = "https://git.example/shop.git"
PLAIN = RenderRequest(
    tree=SourceTree("/tree", "a" * 40, URL),
    source=Source(repo_url=URL, path="web"),
    application="web",
    namespace="web",
    project="shop",
    kube_version="1.37.1",
    api_versions=("v1",),
)


@pytest.mark.parametrize(
    ("keys", "is_told"),
    [((None,), True), ((None, None), True), ((None, (KEY,)), False), (((),), False)],
)
def test_what_may_quote_a_decrypted_file_is_not_logged(
    keys: tuple[tuple[DecryptionKey, ...] | None, ...], is_told: bool
) -> None:
    requests = [replace(PLAIN, keys=given) for given in keys]
    assert (SAID in _told(SAID, requests)) is is_told


def test_what_may_quote_a_secret_of_the_cluster_is_not_logged() -> None:
    given = GivenValues("digest", Secret(SAID))
    assert SAID not in _told(SAID, [PLAIN, replace(PLAIN, values=(given,))])
