"""Connections as somebody typed them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleet.cluster import checked_connection
from fleet.cluster.checking import LARGEST_CONNECTION
from fleet.errors import SpecInvalid
from fleet.model.clusters import Connection, ExecCredential
from fleet.model.secret import Secret

TYPED = Connection("https://a:6443", token=Secret("t"))
AWS = ("eks", "get-token", "--cluster-name")


def test_a_connection_is_small_whatever_file_it_came_from() -> None:
    large = "x" * LARGEST_CONNECTION
    pem = f"-----BEGIN CERTIFICATE-----{large}"
    for typed in (
        replace(TYPED, ca_pem=pem),
        replace(TYPED, token=Secret(large + "x")),
        replace(TYPED, token=None, exec=ExecCredential("aws", (*AWS, large))),
        replace(TYPED, token=None, exec=ExecCredential("aws", AWS, (("AWS_PROFILE", large),))),
    ):
        with pytest.raises(SpecInvalid, match="larger than 64 KiB"):
            checked_connection(typed, allowed_exec=frozenset({"aws"}))
    assert checked_connection(TYPED, allowed_exec=frozenset()) == TYPED


def test_what_may_hold_a_password_is_not_in_the_repr() -> None:
    secret = "hunter2"
    plugin = ExecCredential("aws", ("--password", secret), (("AWS_SECRET_ACCESS_KEY", secret),))
    connection = Connection("https://a", proxy_url=f"http://u:{secret}@proxy", exec=plugin)
    assert secret not in repr(connection)
    assert "aws" in repr(connection)
