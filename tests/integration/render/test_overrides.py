"""Parameters that lie in the repository: what they change, and for whom."""

from __future__ import annotations

import pytest

from fleet.errors import RenderError, SpecInvalid
from fleet.model.applications import HelmParameter, HelmSource, KustomizeSource
from tests.integration.render.conftest import CONFIG_MAP, Kitchen, facts_of, names, request_for

CHART = {
    "app/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "app/values.yaml": "tag: one\nflavour: plain\n",
    "app/templates/cm.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n"
        "data: {tag: '{{ .Values.tag }}', flavour: '{{ .Values.flavour }}'}\n"
    ),
}
OVERLAY = {"app/kustomization.yaml": "resources: [cm.yaml]", "app/cm.yaml": CONFIG_MAP}
IMAGES = "helm:\n  parameters:\n  - {name: tag, value: two}\n"


async def test_an_image_updater_writes_parameters(kitchen: Kitchen) -> None:
    result = await kitchen.render({**CHART, "app/.argocd-source-shop.yaml": IMAGES})
    assert result.manifests[0]["data"] == {"tag": "two", "flavour": "plain"}
    assert "application" in facts_of(result)


async def test_maps_are_merged_lists_replaced_and_null_takes_away(kitchen: Kitchen) -> None:
    options = HelmSource(
        values_object={"flavour": "sweet", "tag": "three"},
        parameters=(HelmParameter("flavour", "sour"),),
        release_name="gone",
    )
    patch = IMAGES + "  releaseName: null\n  valuesObject: {flavour: salty}\n"
    result = await kitchen.render({**CHART, "app/.argocd-source.yaml": patch}, helm=options)
    assert result.manifests[0]["data"] == {"tag": "two", "flavour": "salty"}


async def test_the_applications_own_file_is_laid_over_the_one_for_all(kitchen: Kitchen) -> None:
    both = {
        ".argocd-source.yaml": "kustomize: {namePrefix: all-, nameSuffix: -x}",
        ".argocd-source-shop.yaml": "kustomize: {namePrefix: own-}",
        ".argocd-source-other.yaml": "kustomize: {namePrefix: foreign-}",
    }
    result = await kitchen.render(OVERLAY | {f"app/{name}": text for name, text in both.items()})
    assert names(result) == ["ConfigMap/own-plain-x"]
    assert result.tool == "Kustomize"


async def test_where_a_source_comes_from_is_not_in_its_hands(kitchen: Kitchen) -> None:
    patch = "repoURL: https://evil.example.com\npath: ../..\nchart: x\nkustomize: {namePrefix: a-}"
    result = await kitchen.render({**OVERLAY, "app/.argocd-source.yaml": patch})
    assert names(result) == ["ConfigMap/a-plain"]


async def test_applications_without_a_file_share_their_render(kitchen: Kitchen) -> None:
    tree = kitchen.write(OVERLAY)
    one, two = await kitchen.renderer.render_many(
        [request_for(tree, "app", application=name) for name in ("one", "two")]
    )
    assert one is two


async def test_the_file_of_one_is_not_for_the_others(kitchen: Kitchen) -> None:
    tree = kitchen.write({**OVERLAY, "app/.argocd-source-two.yaml": "kustomize: {namePrefix: b-}"})
    results = await kitchen.renderer.render_many(
        [request_for(tree, "app", application=name) for name in ("one", "two", "three")]
    )
    found = [names(result) for result in results if not isinstance(result, Exception)]
    assert found == [["ConfigMap/plain"], ["ConfigMap/b-plain"], ["ConfigMap/plain"]]


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ("- a\n", "no mapping"),
        ("helm: {parameters: 3}", "helm.parameters: must be a list"),
        ("helm: {releaseName: a}\ndirectory: {recurse: true}", "use one tool"),
        ("a: &a [*a]", "app/.argocd-source.yaml"),
        ("helm: {valueFiles: [../../etc/passwd]}", "leads out of the repository"),
        ("helm: {valueFiles: [/../../etc/passwd]}", "leads out of the repository"),
    ],
)
async def test_a_bad_file_is_named(kitchen: Kitchen, patch: str, message: str) -> None:
    with pytest.raises((SpecInvalid, RenderError), match=message) as caught:
        await kitchen.render({**CHART, "app/.argocd-source.yaml": patch})
    if isinstance(caught.value, SpecInvalid):
        assert ".argocd-source.yaml" in caught.value.message


async def test_a_file_that_leads_outside_is_not_read(kitchen: Kitchen) -> None:
    with pytest.raises(RenderError, match="leads out of the repository"):
        await kitchen.render({**OVERLAY, "app/.argocd-source.yaml": "-> /etc/passwd"})


async def test_an_unknown_field_is_said(kitchen: Kitchen) -> None:
    patch = "kustomize: {namePrefixx: a-, namePrefix: b-}"
    result = await kitchen.render(
        {**OVERLAY, "app/.argocd-source.yaml": patch}, kustomize=KustomizeSource(name_suffix="-s")
    )
    assert names(result) == ["ConfigMap/b-plain-s"]
    assert "app/.argocd-source.yaml: kustomize.namePrefixx: unknown field" in result.warnings[0]
