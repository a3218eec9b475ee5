"""Selectors by label and by field."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.embedded.sandbox.kinds import builtin_kind
from fleet.embedded.sandbox.selectors import (
    matches,
    parse_fields,
    parse_labels,
    selects,
)
from fleet.embedded.sandbox.statuses import ApiError

PODS = builtin_kind("v1", "Pod")
MAPS = builtin_kind("v1", "ConfigMap")
LABELS = {"app": "web", "tier": "front", "size": "5"}


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("", True),
        ("app=web", True),
        ("app==web", True),
        ("app = web , tier = front", True),
        ("app=other", False),
        ("app!=other", True),
        ("app!=web", False),
        ("absent!=x", True),
        ("app", True),
        ("absent", False),
        ("!absent", True),
        ("!app", False),
        ("app in (web, api)", True),
        ("app in (api)", False),
        ("app notin (api)", True),
        ("absent notin (api)", True),
        ("size>4", True),
        ("size>5", False),
        ("size<6", True),
        ("app>4", False),
        ("app=", False),
        ("example.com/x!=y,app=web", True),
    ],
)
def test_labels(text: str, selected: bool) -> None:
    assert selects(parse_labels(text), LABELS) is selected


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("a in ", "found '' expected: '('"),
        ("a in (b", "expected: ',', or ')'"),
        (",,,", "found ',', expected: !, identifier"),
        ("a=b=c", "found '=', expected: ',' or 'end of string'"),
        ("a===b", "found '=', expected: identifier"),
        ("-a=b", "name part must consist of"),
        ("a>x", "the value must be an integer"),
        ("a foo b", "found 'foo', expected: in, notin"),
    ],
)
def test_labels_that_cannot_be_read(text: str, part: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse_labels(text)
    assert (refused.value.code, part in refused.value.message) == (400, True)


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "web", "tier": "back"}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False),
    ],
)
def test_selector_objects(selector: Any, selected: bool) -> None:
    assert matches(selector, LABELS) is selected


POD = {
    "metadata": {"name": "one", "namespace": "shop"},
    "spec": {"nodeName": "node-1", "hostNetwork": True},
    "status": {"phase": "Running"},
}


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("metadata.name=one", True),
        ("metadata.name==two", False),
        ("metadata.namespace!=shop", False),
        ("spec.nodeName=node-1,status.phase=Running", True),
        ("status.podIP=", True),
        ("spec.hostNetwork=true", True),
    ],
)
def test_fields(text: str, selected: bool) -> None:
    assert all(term.matches(POD) for term in parse_fields(PODS, text)) is selected


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (PODS, "spec.x=1", "field label not supported: spec.x"),
        (MAPS, "data.a=1", '"data.a" is not a known field selector: only "metadata.name"'),
        (MAPS, "metadata.name", "invalid selector: 'metadata.name'"),
    ],
)
def test_fields_that_cannot_be_selected_by(kind: Any, text: str, message: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse_fields(kind, text)
    assert refused.value.message.startswith(message)
