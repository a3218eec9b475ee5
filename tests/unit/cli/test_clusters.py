"""What people are told before a cluster is added, and what they agree to."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.cli.cluster.adding import question
from fleet.cli.cluster.connections import taken_over


@pytest.mark.parametrize(
    ("namespaces", "cluster_resources", "rights"),
    [
        ((), False, "with all rights in the cluster on"),
        ((), True, "with all rights in the cluster on"),
        (("shop", "web"), False, "with all rights in shop, web on"),
        (("shop",), True, "with all rights in shop and to change cluster-scoped objects on"),
    ],
)
def test_the_question_names_the_rights_that_are_given(
    namespaces: tuple[str, ...], cluster_resources: bool, rights: str
) -> None:
    asked = question({"server": "https://a"}, "kube-system/fleet", namespaces, cluster_resources)
    assert asked == f"Make ServiceAccount kube-system/fleet {rights} https://a?"


@pytest.mark.parametrize(
    ("connection", "notes"),
    [
        ({"server": "https://a", "token": "t"}, ()),
        ({"proxyUrl": "http://p:3128"}, ("everything goes through the proxy http://p:3128",)),
        ({"tlsServerName": "api"}, ("the certificate has to be for api",)),
        ({"exec": {"command": "aws"}}, ("credentials come from the program aws",)),
    ],
)
def test_what_nobody_typed_is_told(connection: dict[str, Any], notes: tuple[str, ...]) -> None:
    assert taken_over(connection) == notes
