"""Build environment variables (``$ARGOCD_APP_NAME`` and the like) in parameters and paths.

Expansion follows Go's ``os.Expand`` as Argo CD uses it: ``$NAME`` and ``${NAME}``, ``$$`` for a
dollar, nothing for an unknown name. Which facts were used is remembered, because they then
belong to the identity of the render.
"""

from __future__ import annotations

import re

from fleet.model.renders import RenderRequest

_REFERENCE = re.compile(r"\$(?:\{([^}]*)\}|([A-Za-z_][A-Za-z0-9_]*)|([*#$@!?0-9-])|(\{))")

#: Which fact of the request each variable tells.
FACTS = {
    "ARGOCD_APP_NAME": "application",
    "ARGOCD_APP_NAMESPACE": "namespace",
    "ARGOCD_APP_PROJECT_NAME": "project",
    "ARGOCD_APP_REVISION": "revision",
    "ARGOCD_APP_REVISION_SHORT": "revision",
    "ARGOCD_APP_REVISION_SHORT_8": "revision",
    "ARGOCD_APP_SOURCE_PATH": "",  # the path is part of the source
    "ARGOCD_APP_SOURCE_REPO_URL": "revision",
    "ARGOCD_APP_SOURCE_TARGET_REVISION": "revision",
    "KUBE_VERSION": "cluster",
    "KUBE_API_VERSIONS": "cluster",
}


class Variables:
    """The variables of one render; ``used`` names the facts that entered a text."""

    def __init__(self, request: RenderRequest) -> None:
        revision = request.tree.revision
        self.used: set[str] = set()
        self._values = {
            "ARGOCD_APP_NAME": request.application,
            "ARGOCD_APP_NAMESPACE": request.namespace,
            "ARGOCD_APP_PROJECT_NAME": request.project,
            "ARGOCD_APP_REVISION": revision,
            "ARGOCD_APP_REVISION_SHORT": revision[:7],
            "ARGOCD_APP_REVISION_SHORT_8": revision[:8],
            "ARGOCD_APP_SOURCE_PATH": request.source.path,
            "ARGOCD_APP_SOURCE_REPO_URL": request.source.repo_url,
            "ARGOCD_APP_SOURCE_TARGET_REVISION": request.source.target_revision,
            "KUBE_VERSION": request.kube_version,
            "KUBE_API_VERSIONS": ",".join(request.api_versions),
        }

    def environment(self) -> dict[str, str]:
        """All of them, for a program; which of them it uses is not known."""
        return dict(self._values)

    def expand(self, text: str) -> str:
        return _REFERENCE.sub(self._replace, text) if "$" in text else text

    def _replace(self, match: re.Match[str]) -> str:
        name = match[1] or match[2] or ""
        if match[3] == "$":
            return "$"
        if name in self._values:
            self.used.add(FACTS[name])
        return self._values.get(name, "")
