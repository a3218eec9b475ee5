from __future__ import annotations

import pytest

from fleet.model.applications import Source
from fleet.model.renders import RenderRequest, SourceTree
from fleet.render.variables import Variables

SHA = "0123456789abcdef0123456789abcdef01234567"


def request() -> RenderRequest:
    tree = SourceTree("/x", SHA, "https://git.example.com/a.git")
    source = Source("https://git.example.com/a.git", path="apps/a", target_revision="main")
    return RenderRequest(tree, source, "shop", "ns", "team", "1.31.2", ("v1", "apps/v1"))


TABLE = [
    ("plain", "plain", set()),
    ("$ARGOCD_APP_NAME-x", "shop-x", {"application"}),
    ("${ARGOCD_APP_NAME}x", "shopx", {"application"}),
    ("$ARGOCD_APP_NAMESPACE", "ns", {"namespace"}),
    ("$ARGOCD_APP_PROJECT_NAME", "team", {"project"}),
    ("$ARGOCD_APP_REVISION", SHA, {"revision"}),
    ("$ARGOCD_APP_REVISION_SHORT", SHA[:7], {"revision"}),
    ("$ARGOCD_APP_REVISION_SHORT_8", SHA[:8], {"revision"}),
    ("$ARGOCD_APP_SOURCE_PATH", "apps/a", set()),
    ("$ARGOCD_APP_SOURCE_REPO_URL", "https://git.example.com/a.git", {"revision"}),
    ("$ARGOCD_APP_SOURCE_TARGET_REVISION", "main", {"revision"}),
    ("$KUBE_VERSION", "1.31.2", {"cluster"}),
    ("$KUBE_API_VERSIONS", "v1,apps/v1", {"cluster"}),
    ("a$UNKNOWN.b${HOME}c", "a.bc", set()),
    ("$$ARGOCD_APP_NAME", "$ARGOCD_APP_NAME", set()),
    ("5$ and $.", "5$ and $.", set()),
    ("$1 $# ${}", "  ", set()),
]


@pytest.mark.parametrize(("text", "expected", "facts"), TABLE)
def test_expansion(text: str, expected: str, facts: set[str]) -> None:
    variables = Variables(request())
    assert variables.expand(text) == expected
    assert variables.used - {""} == facts
