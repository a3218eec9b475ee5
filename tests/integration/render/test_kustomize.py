"""Kustomize: every field of the source, and what a build is recorded to read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fleet.errors import InputsMissing, RenderError, SpecInvalid
from fleet.model.applications import KustomizeReplica, KustomizeSource
from fleet.model.renders import FetchedBase
from fleet.render.detection import KUSTOMIZATION_FILES
from tests.integration.render.conftest import CONFIG_MAP, Kitchen, facts_of, names, request_for

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: "nginx:1.0"}]
"""
FILES = {
    "app/kustomization.yaml": "resources: [../base, cm.yaml]\nnamePrefix: own-\n",
    "app/cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\n",
    "app/README.md": "not read",
    "base/kustomization.yml": "resources: [web.yaml]\n",
    "base/web.yaml": DEPLOYMENT,
    "comp/kustomization.yaml": (
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
        "patches:\n- target: {kind: Deployment}\n  patch: |-\n"
        "    - {op: add, path: /spec/paused, value: true}\n"
    ),
}


async def build(kitchen: Kitchen, **options: Any) -> dict[str, Any]:
    """The Deployment and the ConfigMap, rendered with ``options``."""
    result = await kitchen.render(FILES, kustomize=KustomizeSource(**options))
    return {manifest["kind"]: manifest for manifest in result.manifests}


async def test_as_it_is(kitchen: Kitchen) -> None:
    result = await kitchen.render(FILES)
    assert names(result) == ["ConfigMap/own-plain", "Deployment/own-web"]
    assert result.tool == "Kustomize"
    assert set(result.reads.paths) == {
        *(f"{folder}/{name}" for folder in ("app", "base") for name in KUSTOMIZATION_FILES),
        *("app/Chart.yaml", "app/cm.yaml", "base/web.yaml"),
        *("app/.argocd-source.yaml", "app/.argocd-source-$ARGOCD_APP_NAME.yaml"),
    }
    assert facts_of(result) == set()


async def test_name_prefix_replaces_the_one_in_the_file(kitchen: Kitchen) -> None:
    made = await build(kitchen, name_prefix="x-", name_suffix="-y")
    assert made["Deployment"]["metadata"]["name"] == "x-web-y"


async def test_another_version_of_kustomize_is_not_used_and_that_is_told(
    kitchen: Kitchen,
) -> None:
    result = await kitchen.render(FILES, kustomize=KustomizeSource(version="v4.5.7"))
    assert result.warnings == ("kustomize.version has no effect: the kustomize of kubectl renders",)


async def test_namespace(kitchen: Kitchen) -> None:
    made = await build(kitchen, namespace="blue")
    assert {m["metadata"]["namespace"] for m in made.values()} == {"blue"}


async def test_images_and_replicas(kitchen: Kitchen) -> None:
    made = await build(
        kitchen,
        images=("nginx=reg.example.com:5000/web:2.0",),
        replicas=(KustomizeReplica("web", 5),),
    )
    spec = made["Deployment"]["spec"]
    assert spec["replicas"] == 5
    assert spec["template"]["spec"]["containers"][0]["image"] == "reg.example.com:5000/web:2.0"


async def test_common_labels_enter_selectors(kitchen: Kitchen) -> None:
    made = await build(kitchen, common_labels=(("team", "$ARGOCD_APP_PROJECT_NAME"),))
    spec = made["Deployment"]["spec"]
    assert spec["selector"]["matchLabels"] == {"app": "web", "team": "team-a"}
    assert spec["template"]["metadata"]["labels"]["team"] == "team-a"


async def test_labels_without_selectors(kitchen: Kitchen) -> None:
    made = await build(kitchen, common_labels=(("a", "b"),), label_without_selector=True)
    spec = made["Deployment"]["spec"]
    assert made["Deployment"]["metadata"]["labels"] == {"a": "b"}
    assert spec["selector"]["matchLabels"] == {"app": "web"}
    assert "a" not in spec["template"]["metadata"]["labels"]


async def test_labels_in_templates(kitchen: Kitchen) -> None:
    made = await build(
        kitchen,
        common_labels=(("a", "b"),),
        label_without_selector=True,
        label_include_templates=True,
    )
    spec = made["Deployment"]["spec"]
    assert spec["selector"]["matchLabels"] == {"app": "web"}
    assert spec["template"]["metadata"]["labels"]["a"] == "b"


async def test_annotations(kitchen: Kitchen) -> None:
    made = await build(
        kitchen, common_annotations=(("a", "${ARGOCD_APP_NAME}"),), common_annotations_envsubst=True
    )
    assert made["ConfigMap"]["metadata"]["annotations"] == {"a": "shop"}


async def test_patches(kitchen: Kitchen) -> None:
    patch = "- {op: replace, path: /spec/replicas, value: 7}"
    made = await build(kitchen, patches=({"target": {"kind": "Deployment"}, "patch": patch},))
    assert made["Deployment"]["spec"]["replicas"] == 7


async def test_components(kitchen: Kitchen) -> None:
    made = await build(kitchen, components=("../comp", "../gone"), ignore_missing_components=True)
    assert made["Deployment"]["spec"]["paused"] is True


async def test_edits_record_the_same_reads(kitchen: Kitchen) -> None:
    plain = await kitchen.render(FILES, kustomize=KustomizeSource())
    tree = kitchen.write({})
    options = KustomizeSource(
        name_prefix="x-", common_labels=(("a", "$ARGOCD_APP_NAME"),), components=("../comp",)
    )
    changed = await kitchen.renderer.render(request_for(tree, "app", kustomize=options))
    added = set(changed.reads.paths) - set(plain.reads.paths)
    assert added == {
        f"comp/{n}" for n in ("kustomization.yaml", "kustomization.yml", "Kustomization")
    }
    assert changed.reads.application


async def test_generators_in_an_edited_copy(kitchen: Kitchen) -> None:
    """Files below the directory are still there for an edited kustomization."""
    files = {
        "app/kustomization.yaml": (
            "resources: [sub]\nconfigMapGenerator: [{name: x, files: [in/f.txt], envs: [e.env]}]\n"
            "generatorOptions: {disableNameSuffixHash: true}\n"
        ),
        "app/in/f.txt": "text",
        "app/e.env": "A=1\n",
        "app/sub/kustomization.yaml": "resources: [../../base]\n",
        "base/kustomization.yaml": "resources: [web.yaml]\n",
        "base/web.yaml": DEPLOYMENT,
    }
    result = await kitchen.render(files, kustomize=KustomizeSource(name_prefix="p-"))
    assert names(result) == ["ConfigMap/p-x", "Deployment/p-web"]
    assert result.manifests[0]["data"] == {"A": "1", "f.txt": "text"}
    assert {"app/in/f.txt", "app/e.env", "base/web.yaml"} <= set(result.reads.paths)


async def test_transformers_read_their_directory(kitchen: Kitchen) -> None:
    files = {
        "app/kustomization.yaml": "resources: [cm.yaml]\ntransformers: [t.yaml]\n",
        "app/cm.yaml": FILES["app/cm.yaml"],
        "app/t.yaml": (
            "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: x}\n"
            "path: p.yaml\ntarget: {kind: ConfigMap}\n"
        ),
        "app/p.yaml": "- {op: add, path: /data, value: {a: b}}\n",
    }
    for options in (KustomizeSource(), KustomizeSource(name_prefix="p-")):
        result = await kitchen.render(files, kustomize=options)
        files = {}
        assert result.manifests[0]["data"] == {"a": "b"}
        assert "app/" in result.reads.paths


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("resources: [gone]", r"kustomization.yaml: resources\[0\]: gone does not exist"),
        ("bases: [../gone]", r"bases\[0\]: ../gone does not exist"),
        ("components: [gone]", r"components\[0\]: gone does not exist"),
        ("patches: [{path: gone.yaml}]", r"patches\[0\].path: gone.yaml does not exist"),
        ("resources: [../empty]", r"empty: there is none of kustomization.yaml"),
        ("resources: [../twice]", r"twice: there is more than one of"),
        ("a:\n\tb: 1", r"app/kustomization.yaml:2: not YAML"),
        ("- a", r"app/kustomization.yaml:1: the kustomization is no mapping"),
        ("unknownField: 1\nresources: [../cm]", r"kustomize: .*unknownField"),
        ("resources: [../app]", r"kustomize: .*(cycle|itself|recursive|root)"),
    ],
)
async def test_errors(kitchen: Kitchen, text: str, message: str) -> None:
    files = {
        "app/kustomization.yaml": text,
        "empty/x": "",
        "twice/kustomization.yaml": "",
        "twice/kustomization.yml": "",
        "cm/kustomization.yaml": "resources: []",
    }
    with pytest.raises((RenderError, SpecInvalid), match=message):
        await kitchen.render(files)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"components": ("../gone",)}, "kustomize.components: ../gone does not exist"),
        ({"components": ("https://x/y",)}, "reads nothing from the network"),
        ({"images": ("nginx",)}, "is no image"),
        ({"patches": ({"path": "../gone.yaml"},)}, "kustomize: "),
    ],
)
async def test_bad_options(kitchen: Kitchen, options: dict[str, Any], message: str) -> None:
    with pytest.raises(RenderError, match=message):
        await kitchen.render(FILES, kustomize=KustomizeSource(**options))


GIT = "https://git.example.com/base.git//web?ref=v1"
FILE = "https://git.example.com/raw/extra.yaml"


@pytest.fixture
def fetched(tmp_path: Path) -> tuple[FetchedBase, ...]:
    """What ``GIT`` and ``FILE`` stand for; the repository has a kustomization beside the base."""
    files = {
        "repo/web/kustomization.yaml": f"resources: [web.yaml, ../shared]\n# and {FILE}\n",
        "repo/web/web.yaml": DEPLOYMENT,
        "repo/shared/kustomization.yaml": "resources: [cm.yaml]\nnameSuffix: -shared\n",
        "repo/shared/cm.yaml": CONFIG_MAP,
        "file/manifest.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: extra}\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return (
        FetchedBase(GIT, str(tmp_path / "repo"), "web"),
        FetchedBase(FILE, str(tmp_path / "file"), "manifest.yaml"),
    )


async def test_remote_bases_are_named_all_at_once(kitchen: Kitchen) -> None:
    tree = kitchen.write(
        {
            "app/kustomization.yaml": f"resources: [../base, '{FILE}']",
            "base/kustomization.yaml": f"resources: ['{GIT}', '{FILE}']",
        }
    )
    with pytest.raises(InputsMissing) as told:
        await kitchen.renderer.render(request_for(tree, "app"))
    assert set(told.value.bases) == {FILE, GIT}


@pytest.mark.parametrize(
    "options", [KustomizeSource(), KustomizeSource(name_prefix="x-", components=("../comp",))]
)
async def test_fetched_bases_are_built_in(
    kitchen: Kitchen, fetched: tuple[FetchedBase, ...], options: KustomizeSource
) -> None:
    files = {
        **FILES,
        "app/kustomization.yaml": f"resources: [../mid, cm.yaml, '{FILE}']\nnamePrefix: own-\n",
        "mid/kustomization.yaml": f"resources: ['{GIT}']\nnameSuffix: -mid\n",
    }
    result = await kitchen.render(files, kustomize=options, bases=fetched)
    prefix = options.name_prefix or "own-"
    made = {manifest["kind"]: manifest for manifest in result.manifests}
    assert set(names(result)) == {
        f"ConfigMap/{prefix}plain",
        f"ConfigMap/{prefix}plain-shared-mid",
        f"Deployment/{prefix}web-mid",
        f"Secret/{prefix}extra",
    }
    assert ("paused" in made["Deployment"]["spec"]) == bool(options.components)
    # the repository's own files only: what was fetched is pinned by whoever fetched it
    assert {path.split("/")[0] for path in result.reads.paths} <= {"app", "mid", "comp"}
    assert {"app/cm.yaml", "mid/kustomization.yaml"} <= set(result.reads.paths)


async def test_a_fetched_base_may_need_another(
    kitchen: Kitchen, fetched: tuple[FetchedBase, ...]
) -> None:
    root = Path(fetched[0].root)
    (root / "web/kustomization.yaml").write_text(f"resources: [web.yaml, '{FILE}']\n")
    files = {"app/kustomization.yaml": f"resources: ['{GIT}']"}
    with pytest.raises(InputsMissing) as told:
        await kitchen.render(files, bases=fetched[:1])
    assert told.value.bases == (FILE,)
    result = await kitchen.render(files, bases=fetched)
    assert names(result) == ["Secret/extra", "Deployment/web"]


async def test_a_fetched_base_stays_in_its_tree(
    kitchen: Kitchen, fetched: tuple[FetchedBase, ...]
) -> None:
    root = Path(fetched[0].root)
    (root / "web/kustomization.yaml").write_text("resources: [../../tree/base]\n")
    files = {"app/kustomization.yaml": f"resources: ['{GIT}']", **FILES}
    files["app/kustomization.yaml"] = f"resources: ['{GIT}']"
    with pytest.raises(RenderError, match="leads out of the repository"):
        await kitchen.render(files, bases=fetched)


@pytest.mark.parametrize("field", ["patches", "configMapGenerator"])
async def test_only_bases_may_be_remote(
    kitchen: Kitchen, fetched: tuple[FetchedBase, ...], field: str
) -> None:
    entry = {"patches": f"path: {FILE}", "configMapGenerator": f"name: x, files: ['{FILE}']"}[field]
    with pytest.raises(RenderError, match="reads nothing from the network"):
        await kitchen.render({"app/kustomization.yaml": f"{field}: [{{{entry}}}]"}, bases=fetched)
