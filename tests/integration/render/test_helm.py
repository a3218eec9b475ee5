"""Helm: every field of the source, precedence, dependencies, and what is recorded as read."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import pytest

from fleet.errors import InputsMissing, RenderError, SpecInvalid
from fleet.model.applications import HelmParameter, HelmSource
from fleet.model.renders import FetchedBase, RenderResult, SourceTree
from tests.integration.render.conftest import Kitchen, facts_of, names, request_for

CHART = "apiVersion: v2\nname: demo\nversion: 0.1.0\n"
SHOW = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: show}
data:
  all: {{ toJson (omit .Values "global") | quote }}
  release: {{ .Release.Name }}/{{ .Release.Namespace }}
"""
CRD = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: crd}\n"
HOOK = (
    "apiVersion: v1\nkind: Pod\n"
    "metadata:\n  name: {name}\n  annotations: {{helm.sh/hook: {hook}}}\n"
)
FILES = {
    "app/Chart.yaml": CHART,
    "app/values.yaml": "from: chart\n",
    "app/templates/show.yaml": SHOW,
    "app/a.yaml": "from: a\na: 1\n",
    "app/b.yaml": "from: b\nb: 1\n",
    "env/prod/one.yaml": "from: prod1\n",
    "env/prod/two.yaml": "from: prod2\n",
    "env/prod/deep/three.yaml": "from: deep\n",
    "env/shop.yaml": "from: shop\n",
}


def values_of(result: RenderResult) -> str:
    shown = next(m for m in result.manifests if m["metadata"]["name"] == "show")
    return str(shown["data"]["all"])


async def values(kitchen: Kitchen, **options: Any) -> str:
    """All values, as JSON, that the chart sees."""
    return values_of(await kitchen.render(FILES, helm=HelmSource(**options)))


PRECEDENCE = [
    ({}, '{"from":"chart"}'),
    ({"value_files": ("a.yaml", "b.yaml")}, '{"a":1,"b":1,"from":"b"}'),
    ({"value_files": ("b.yaml", "a.yaml")}, '{"a":1,"b":1,"from":"a"}'),
    ({"value_files": ("/env/prod/one.yaml",)}, '{"from":"prod1"}'),
    ({"value_files": ("../env/prod/*.yaml",)}, '{"from":"prod2"}'),
    ({"value_files": ("/env/prod/**/*.yaml",)}, '{"from":"prod2"}'),
    ({"value_files": ("/env/prod/{two,one}.yaml",)}, '{"from":"prod2"}'),
    ({"value_files": ("/env/$ARGOCD_APP_NAME.yaml",)}, '{"from":"shop"}'),
    ({"value_files": ("a.yaml",), "values": "from: inline"}, '{"a":1,"from":"inline"}'),
    ({"values": "from: inline", "values_object": {"from": "object"}}, '{"from":"object"}'),
    (
        {"values_object": {"from": "object"}, "parameters": (HelmParameter("from", "set"),)},
        '{"from":"set"}',
    ),
    ({"parameters": (HelmParameter("n", "12345678"),)}, '{"from":"chart","n":12345678}'),
    ({"parameters": (HelmParameter("n", "1", True),)}, '{"from":"chart","n":"1"}'),
    (
        {"parameters": (HelmParameter("a.b[1].c", "x"),)},
        '{"a":{"b":[null,{"c":"x"}]},"from":"chart"}',
    ),
    ({"parameters": (HelmParameter(r"a\.b", "x"),)}, '{"a.b":"x","from":"chart"}'),
    ({"parameters": (HelmParameter("l", "a,b"),)}, '{"from":"chart","l":"a,b"}'),
    ({"parameters": (HelmParameter("l", r"a\,b"),)}, '{"from":"chart","l":"a,b"}'),
    ({"parameters": (HelmParameter("l", "{a,b}"),)}, '{"from":"chart","l":["a","b"]}'),
    (
        {"parameters": (HelmParameter("n", "$ARGOCD_APP_NAMESPACE-${ARGOCD_APP_REVISION_SHORT}"),)},
        '{"from":"chart","n":"shop-ns-0123456"}',
    ),
    ({"parameters": (HelmParameter("n", "--post-renderer=x"),)}, None),
    ({"file_parameters": (("f", "a.yaml"),)}, '{"f":"from: a\\na: 1\\n","from":"chart"}'),
    (
        {"value_files": ("gone.yaml", "a.yaml"), "ignore_missing_value_files": True},
        '{"a":1,"from":"a"}',
    ),
    ({"values_object": {"when": "y", "n": "1e3"}}, '{"from":"chart","n":"1e3","when":"y"}'),
]


@pytest.mark.parametrize(("options", "expected"), PRECEDENCE)
async def test_values(kitchen: Kitchen, options: dict[str, Any], expected: str | None) -> None:
    if expected is None:
        expected = '{"from":"chart","n":"--post-renderer=x"}'
    assert await values(kitchen, **options) == expected


async def test_values_of_another_source(kitchen: Kitchen, tmp_path: Any) -> None:
    other = tmp_path / "other"
    (other / "x").mkdir(parents=True)
    (other / "x/v.yaml").write_text("from: ref\n")
    refs = (("$vals", SourceTree(str(other), "b" * 40, "https://git.example.com/v.git")),)
    for entry in ("$vals/x/v.yaml", "$vals/x/*.yaml"):
        helm = HelmSource(value_files=(entry,))
        result = await kitchen.render(FILES, helm=helm, refs=refs)
        assert values_of(result) == '{"from":"ref"}'
    helm = HelmSource(value_files=("$vals/x/v.yaml",), file_parameters=(("f", "$vals/x/v.yaml"),))
    result = await kitchen.render({}, helm=helm, refs=refs)
    assert result.reads.ref_paths == (("vals", "x/v.yaml"),)
    with pytest.raises(RenderError, match="leads out"):
        await kitchen.render({}, helm=HelmSource(value_files=("$vals/../../x",)), refs=refs)
    with pytest.raises(RenderError, match="no source with ref 'nope'"):
        await kitchen.render({}, helm=HelmSource(value_files=("$nope/x",)), refs=refs)


async def test_reads(kitchen: Kitchen) -> None:
    helm = HelmSource(
        value_files=("/env/shop.yaml", "../env/gone.yaml"), ignore_missing_value_files=True
    )
    result = await kitchen.render(FILES, helm=helm)
    assert result.reads.paths == ("app/", "env/gone.yaml", "env/shop.yaml")
    assert facts_of(result) == {"application", "namespace"}


@pytest.mark.parametrize(
    "template",
    [
        "{{ .Capabilities.KubeVersion.Version }}",
        '{{ .Capabilities.APIVersions.Has "apps/v1" }}',
        "{{ $.Capabilities.KubeVersion.Minor }}",
    ],
)
async def test_cluster_facts_are_noticed(kitchen: Kitchen, template: str) -> None:
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\ndata: {{v: '{template}'}}\n"
    result = await kitchen.render({"app/Chart.yaml": CHART, "app/templates/x.yaml": text})
    assert result.reads.cluster
    assert result.manifests[0]["data"]["v"] in {"v1.31.2", "true", "31"}


async def test_cluster_facts_may_be_overridden(kitchen: Kitchen) -> None:
    text = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"
        "data: {v: {{ .Capabilities.KubeVersion.Version }},"
        ' a: "{{ .Capabilities.APIVersions.Has "x.io/v1/Thing" }}"}\n'
    )
    helm = HelmSource(kube_version="1.29.0", api_versions=("x.io/v1/Thing",))
    files = {"app/Chart.yaml": CHART, "app/templates/x.yaml": text}
    result = await kitchen.render(files, helm=helm)
    assert result.manifests[0]["data"] == {"v": "v1.29.0", "a": "true"}


async def test_release_name_and_namespace(kitchen: Kitchen) -> None:
    result = await kitchen.render(FILES)
    assert result.manifests[0]["data"]["release"] == "shop/shop-ns"
    helm = HelmSource(release_name="other", namespace="elsewhere")
    result = await kitchen.render({}, helm=helm)
    assert result.manifests[0]["data"]["release"] == "other/elsewhere"


async def test_crds_hooks_and_tests(kitchen: Kitchen) -> None:
    files = {
        **FILES,
        "app/crds/crd.yaml": CRD,
        "app/templates/hook.yaml": HOOK.format(name="migrate", hook="pre-install"),
        "app/templates/tests/test.yaml": HOOK.format(name="probe", hook="test"),
        "app/templates/NOTES.txt": "thanks",
    }
    everything = {"CustomResourceDefinition/crd", "ConfigMap/show", "Pod/migrate", "Pod/probe"}
    assert set(names(await kitchen.render(files))) == everything
    result = await kitchen.render({}, helm=HelmSource(skip_crds=True))
    assert set(names(result)) == everything - {"CustomResourceDefinition/crd"}
    result = await kitchen.render({}, helm=HelmSource(skip_tests=True))
    assert set(names(result)) == everything - {"Pod/probe"}


async def test_templates_ask_no_name_server(kitchen: Kitchen) -> None:
    """Without ``--enable-dns`` the function answers nothing; with it, an address or an error."""
    value = '<{{ getHostByName "localhost" }}>'
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\ndata: {{v: '{value}'}}\n"
    result = await kitchen.render({"app/Chart.yaml": CHART, "app/templates/x.yaml": text})
    assert result.manifests[0]["data"]["v"] == "<>"


async def test_schema(kitchen: Kitchen) -> None:
    files = {**FILES, "app/values.schema.json": '{"properties": {"from": {"type": "integer"}}}'}
    with pytest.raises(RenderError, match="values don't meet the specifications"):
        await kitchen.render(files)
    await kitchen.render({}, helm=HelmSource(skip_schema_validation=True))


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        ({"app/templates/x.yaml": "{{ .Values.a.b.c }}"}, {}, r"helm: .*x.yaml:1"),
        ({"app/templates/x.yaml": '{{ fail "no way" }}'}, {}, "no way"),
        ({"app/templates/x.yaml": "{{ if }}"}, {}, r"helm: .*x.yaml:1"),
        ({"app/templates/x.yaml": "a: b"}, {}, r"x.yaml \(rendered\):1: the document is no"),
        ({"app/templates/x.yaml": "a:\n\tb: 1"}, {}, "helm: "),
        (
            {"app/Chart.yaml": CHART + "kubeVersion: '>=1.99.0'\n"},
            {},
            "incompatible with Kubernetes",
        ),
        ({"app/Chart.yaml": "a:\n\tb: 1"}, {}, r"app/Chart.yaml:2: not YAML"),
        ({"app/Chart.yaml": "- a"}, {}, r"app/Chart.yaml:1: the file is no mapping"),
        ({}, {"value_files": ("gone.yaml",)}, "helm.valueFiles: gone.yaml does not exist"),
        ({}, {"value_files": ("gone/*.yaml",)}, r"helm.valueFiles: gone/\*.yaml does not exist"),
        ({}, {"value_files": ("https://x/v.yaml",)}, "https://x/v.yaml was not fetched"),
        ({}, {"value_files": ("file:///etc/passwd",)}, "over https or http only"),
        ({}, {"value_files": ("$ARGOCD_APP_NAME://x",)}, "over https or http only"),
        ({}, {"file_parameters": (("a", "ftp://x/y"),)}, "over https or http only"),
        ({}, {"file_parameters": (("a", "gone"),)}, "helm.fileParameters: gone does not exist"),
        ({}, {"values": "a:\n\tb: 1"}, "helm: "),
        ({}, {"release_name": "Not_Valid!"}, "helm: .*release name"),
        ({}, {"kube_version": "nonsense"}, "helm: .*kube version"),
    ],
)
async def test_errors(
    kitchen: Kitchen, files: dict[str, str], options: dict[str, Any], message: str
) -> None:
    with pytest.raises((RenderError, SpecInvalid), match=message):
        await kitchen.render({**FILES, **files}, helm=HelmSource(**options))


async def test_no_chart(kitchen: Kitchen) -> None:
    with pytest.raises(RenderError, match=r"app: there is no Chart.yaml"):
        await kitchen.render({"app/x": ""}, helm=HelmSource())


async def test_duplicate_keys_are_a_warning(kitchen: Kitchen) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: '1', x: '2'}\n"
    result = await kitchen.render({"app/Chart.yaml": CHART, "app/templates/x.yaml": text})
    assert result.manifests[0]["data"] == {"x": "2"}
    assert result.warnings == ("demo/templates/x.yaml (rendered):4: the key 'x' is there twice",)


LIBRARY = {
    "Chart.yaml": "apiVersion: v2\nname: redis\nversion: 1.2.3\n",
    "templates/r.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: redis}\n",
}
NEEDS = CHART + "dependencies: [{name: redis, version: ^1.0.0, repository: '%s'}]\n"
URL = "https://charts.example.com"


def packed() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in LIBRARY.items():
            member = tarfile.TarInfo(f"redis/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content.encode()))
    return buffer.getvalue()


async def test_missing_dependency_is_named_and_handed_in(kitchen: Kitchen, tmp_path: Any) -> None:
    tree = kitchen.write({"app/Chart.yaml": NEEDS % URL})
    with pytest.raises(InputsMissing, match=rf"the chart needs redis \^1.0.0 from {URL}") as told:
        await kitchen.renderer.render(request_for(tree, "app"))
    assert told.value.charts == (("redis", "^1.0.0", URL),)
    fetched = tmp_path / "fetched"
    for name, content in LIBRARY.items():
        (fetched / name).parent.mkdir(parents=True, exist_ok=True)
        (fetched / name).write_text(content)
    request = request_for(tree, "app", dependencies=(("redis", str(fetched)),))
    result = await kitchen.renderer.render(request)
    assert names(result) == ["ConfigMap/redis"]
    assert result.reads.cluster  # nobody looked into it


async def test_lock_file_says_the_version(kitchen: Kitchen) -> None:
    lock = f"dependencies: [{{name: redis, version: 1.4.2, repository: '{URL}'}}]\n"
    tree = kitchen.write({"app/Chart.yaml": NEEDS % URL, "app/Chart.lock": lock})
    assert await _lacking(kitchen, tree) == (("redis", "1.4.2", URL),)


@pytest.mark.parametrize("form", ["directory", "archive", "same tree"])
async def test_dependencies_that_are_there(kitchen: Kitchen, form: str) -> None:
    files: dict[str, str | bytes] = {"app/Chart.yaml": NEEDS % URL}
    if form == "directory":
        files |= {f"app/charts/redis/{name}": content for name, content in LIBRARY.items()}
    elif form == "archive":
        files["app/charts/redis-1.2.3.tgz"] = packed()
    else:
        files["app/Chart.yaml"] = NEEDS % "file://../lib/redis"
        files |= {f"lib/redis/{name}": content for name, content in LIBRARY.items()}
    result = await kitchen.render(files)
    assert names(result) == ["ConfigMap/redis"]
    assert result.reads.paths == (("app/", "lib/redis/") if form == "same tree" else ("app/",))


async def test_dependencies_of_an_old_chart(kitchen: Kitchen) -> None:
    tree = kitchen.write(
        {
            "app/Chart.yaml": "apiVersion: v1\nname: old\nversion: 0.1.0\n",
            "app/requirements.yaml": f"dependencies: [{{name: a, version: 1, repository: {URL}}}]",
        }
    )
    assert await _lacking(kitchen, tree) == (("a", "1", URL),)


async def _lacking(kitchen: Kitchen, tree: SourceTree) -> tuple[tuple[str, str, str], ...]:
    with pytest.raises(InputsMissing) as told:
        await kitchen.renderer.render(request_for(tree, "app"))
    return told.value.charts


async def test_files_at_urls_are_those_that_were_fetched(
    kitchen: Kitchen, tmp_path_factory: pytest.TempPathFactory
) -> None:
    url = "https://files.example.com/values/v1.yaml?token=x"
    fetched = tmp_path_factory.mktemp("fetched")
    (fetched / "file").write_text("replicas: 7\n")
    options = HelmSource(value_files=(url,), file_parameters=(("motd", url),))
    tree = kitchen.write(FILES)
    with pytest.raises(InputsMissing) as told:
        await kitchen.renderer.render(request_for(tree, "app", helm=options))
    assert told.value.files == (url,)
    base = FetchedBase(url, str(fetched), "file")
    result = await kitchen.renderer.render(request_for(tree, "app", helm=options, bases=(base,)))
    assert values_of(result) == '{"from":"chart","motd":"replicas: 7\\n","replicas":7}'
