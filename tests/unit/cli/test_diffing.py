"""What `fleet app diff` says of objects that could not be compared."""

from __future__ import annotations

import pytest

from fleet.cli.app.diffing import tell_failures


@pytest.mark.parametrize("message", ["Deployment/shop/web: is wrong", "is wrong"])
@pytest.mark.parametrize("output", ["unified", "json"])
def test_an_object_is_named_once(
    message: str, output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tell_failures([{"object": "Deployment/shop/web", "message": message}], output)
    said = capsys.readouterr()
    assert (said.out + said.err).count("Deployment/shop/web: is wrong") == 1
    assert "web: Deployment" not in said.out + said.err
