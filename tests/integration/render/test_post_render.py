"""Kustomize on what a chart prints."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.errors import RenderError
from fleet.model.applications import HelmSource, KustomizeReplica, KustomizeSource
from tests.integration.render.conftest import Kitchen, names

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "web:1"}]}
"""
HOOK = """
apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {helm.sh/hook: pre-install}}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: web, image: "web:1"}]}}}
"""
FILES = {
    "app/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "app/templates/web.yaml": DEPLOYMENT,
    "app/templates/job.yaml": HOOK,
    "app/patch.yaml": "- op: add\n  path: /spec/paused\n  value: true\n",
    "component/kustomization.yaml": (
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnameSuffix: -c\n"
    ),
}
WEB = {"kind": "Deployment"}


async def rendered(kitchen: Kitchen, **options: Any) -> dict[str, dict[str, Any]]:
    result = await kitchen.render(FILES, helm=HelmSource(), kustomize=KustomizeSource(**options))
    assert result.tool == "Helm"
    return dict(zip(names(result), result.manifests, strict=True))


async def test_everything_that_the_block_says_is_done(kitchen: Kitchen) -> None:
    found = await rendered(
        kitchen,
        name_prefix="own-",
        images=("web=registry.test/web:2",),
        replicas=(KustomizeReplica("shop", 3),),
        common_annotations=(("app", "$ARGOCD_APP_NAME"),),
        common_annotations_envsubst=True,
        components=("../component",),
        patches=(
            {"target": WEB, "patch": "- op: add\n  path: /spec/minReadySeconds\n  value: 5\n"},
            {"target": WEB, "path": "patch.yaml"},
        ),
    )
    assert set(found) == {"Deployment/own-shop-c", "Job/own-migrate-c"}
    spec = found["Deployment/own-shop-c"]["spec"]
    assert (spec["replicas"], spec["minReadySeconds"], spec["paused"]) == (3, 5, True)
    assert spec["template"]["spec"]["containers"][0]["image"] == "registry.test/web:2"
    job = found["Job/own-migrate-c"]["metadata"]["annotations"]
    assert job == {"helm.sh/hook": "pre-install", "app": "shop"}


async def test_what_it_reads_is_known(kitchen: Kitchen) -> None:
    options = KustomizeSource(components=("../component",))
    result = await kitchen.render(FILES, helm=HelmSource(), kustomize=options)
    assert {"app/", "component/kustomization.yaml"} <= set(result.reads.paths)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patches": ({"target": WEB, "path": "gone.yaml"},)}, "gone.yaml does not exist"),
        ({"patches": ({"target": WEB, "path": "../../x"},)}, "leads out of the repository"),
        ({"patches": ({"target": WEB, "patch": "{{"},)}, "kustomize"),
        ({"components": ("../gone",)}, "../gone does not exist"),
    ],
)
async def test_what_goes_wrong_is_told(
    kitchen: Kitchen, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(RenderError, match=message) as caught:
        await rendered(kitchen, **options)
    assert "/tmp" not in str(caught.value)
