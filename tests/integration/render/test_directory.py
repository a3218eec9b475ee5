"""Plain manifests and jsonnet: which files count, in which order, and what is recorded."""

from __future__ import annotations

import pytest

from fleet.errors import RenderError, SpecInvalid
from fleet.model.applications import DirectorySource, JsonnetVar
from tests.integration.render.conftest import Kitchen, facts_of, names

JSONNET = "{apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: %s}}"


def config_map(name: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n"


FILES = {
    "app/b.yaml": config_map("b"),
    "app/a.yml": config_map("a1") + "---\n# nothing\n---\n" + config_map("a2"),
    "app/c.json": '{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "c"}}',
    "app/d.jsonnet": JSONNET % "'d'",
    "app/e.txt": config_map("e"),
    "app/README.md": "# not a manifest",
    "app/skip.yaml": "# +argocd:skip-file-rendering\nno: manifest\n",
    "app/sub/s.yaml": config_map("s"),
    "app/sub/deep/t.yaml": config_map("t"),
    "other/o.yaml": config_map("o"),
}
PLAIN = ["a1", "a2", "b", "c", "d"]

TABLE = [
    (DirectorySource(), PLAIN),
    (DirectorySource(recurse=True), [*PLAIN, "s", "t"]),
    (DirectorySource(include="*.yml"), ["a1", "a2"]),
    (DirectorySource(include="{a.yml,sub/*}", recurse=True), ["a1", "a2", "s", "t"]),
    (DirectorySource(exclude="{a.yml,*.jsonnet}"), ["b", "c"]),
    (DirectorySource(include="*", exclude="a.yml"), ["b", "c", "d"]),
    (DirectorySource(exclude="sub/deep/*", recurse=True), [*PLAIN, "s"]),
    (
        DirectorySource(disable_extension_filter=True, exclude="{README.md,skip*}"),
        [*PLAIN, "e"],
    ),
]


@pytest.mark.parametrize(("options", "expected"), TABLE)
async def test_which_files(kitchen: Kitchen, options: DirectorySource, expected: list[str]) -> None:
    result = await kitchen.render(FILES, directory=options)
    assert [manifest["metadata"]["name"] for manifest in result.manifests] == expected
    assert (result.tool, result.reads.paths) == ("Directory", ("app/",))
    assert facts_of(result) == set()


async def test_root_of_the_repository(kitchen: Kitchen) -> None:
    for path in ("", ".", "./"):
        files = {"a.yaml": config_map("root"), "sub/b.yaml": config_map("sub")}
        if path:
            files = {}
        result = await kitchen.render(files, path)
        assert names(result) == ["ConfigMap/root"]
        assert result.reads.paths == ("",)


async def test_lists_are_taken_apart(kitchen: Kitchen) -> None:
    text = (
        "apiVersion: v1\nkind: List\nitems:\n"
        "- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n"
        "- apiVersion: v1\n  kind: SecretList\n  items:\n"
        "  - {apiVersion: v1, kind: Secret, metadata: {name: b}}\n"
        "- {apiVersion: x/v1, kind: AllowList, metadata: {name: c}}\n"
        "- apiVersion: v1\n  kind: ConfigMapList\n  items: [{metadata: {name: d}}]\n"
    )
    result = await kitchen.render({"app/a.yaml": text})
    assert names(result) == ["ConfigMap/a", "Secret/b", "AllowList/c", "ConfigMap/d"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"app/a.json": "{"}, r"app/a.json:1: not YAML"),
        ({"app/a.json": "a: 1"}, r"app/a.json:1: not JSON"),
        ({"app/a.yaml": "kind: List\napiVersion: v1\nitems: [1]"}, r"a.yaml:1: items\[0\]"),
        ({"app/a.jsonnet": "{a: 1}"}, r"app/a.jsonnet: the document is no Kubernetes object"),
        ({"app/a.jsonnet": "[1]"}, r"app/a.jsonnet: the document is no Kubernetes object"),
        ({"app/a.jsonnet": "{a:"}, r"app/a.jsonnet: jsonnet: syntax error"),
        ({"app/a.jsonnet": "import 'x'"}, r"app/a.jsonnet: jsonnet: 'x' is imported, but no"),
        ({"app/a.jsonnet": "std.extVar('x')"}, r"app/a.jsonnet: jsonnet: .*x"),
        ({"app": "a file"}, r"app: not a directory"),
        ({"other/a.yaml": "a: 1"}, r"app: no such directory"),
    ],
)
async def test_errors_name_the_place(kitchen: Kitchen, files: dict[str, str], message: str) -> None:
    with pytest.raises((SpecInvalid, RenderError), match=message):
        await kitchen.render(files)


async def test_combined_size_is_limited(kitchen: Kitchen) -> None:
    big = "---\n".join(config_map(f"a{n}") + f"data: {{x: {'y' * (1 << 20)}}}\n" for n in range(6))
    with pytest.raises(RenderError, match="more than 10 MiB together"):
        await kitchen.render({"app/a.yaml": big, "app/b.yaml": big})


async def test_too_many_objects(kitchen: Kitchen) -> None:
    text = "".join(
        f"---\n{{apiVersion: v1, kind: X, metadata: {{name: x{n}}}}}\n" for n in range(6000)
    )
    with pytest.raises(RenderError, match="more than 10000 objects"):
        await kitchen.render({"app/a.yaml": text, "app/b.yaml": text})


async def test_empty_directory_renders_nothing(kitchen: Kitchen) -> None:
    assert (await kitchen.render({"app/README.md": "# empty"})).manifests == ()


async def test_jsonnet_variables_and_arguments(kitchen: Kitchen) -> None:
    main = (
        "function(image, count) {apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: std.extVar"
        "('name')}, data: {image: image, count: count, more: std.extVar('more')}}"
    )
    options = DirectorySource(
        ext_vars=(
            JsonnetVar("name", "$ARGOCD_APP_NAME-x"),
            JsonnetVar("more", "{a: 1 + 1}", code=True),
        ),
        tlas=(JsonnetVar("image", "nginx"), JsonnetVar("count", "1 + 2", code=True)),
    )
    result = await kitchen.render({"app/main.jsonnet": main}, directory=options)
    assert result.manifests[0]["metadata"]["name"] == "shop-x"
    assert result.manifests[0]["data"] == {"image": "nginx", "count": 3, "more": {"a": 2}}
    assert result.reads.application
    assert not result.reads.namespace


async def test_jsonnet_imports(kitchen: Kitchen) -> None:
    """Beside the file first, then libraries (the last one first), then the source's directory."""
    files = {
        "app/main.jsonnet": JSONNET % "(import 'x.libsonnet') + (import 'in/y.libsonnet')",
        "app/x.libsonnet": "'beside'",
        "app/in/y.libsonnet": "(import 'z.libsonnet') + importstr '../../shared/t.txt'",
        "lib/one/z.libsonnet": "'-one'",
        "lib/two/z.libsonnet": "'-two'",
        "lib/two/x.libsonnet": "'never'",
        "shared/t.txt": "-text",
    }
    options = DirectorySource(libs=("lib/one", "lib/two"))
    result = await kitchen.render(files, directory=options)
    assert names(result) == ["ConfigMap/beside-two-text"]
    assert result.reads.paths == ("app/", "lib/two/z.libsonnet", "shared/t.txt")


async def test_jsonnet_array(kitchen: Kitchen) -> None:
    both = f"[{JSONNET % repr('a')}, {JSONNET % repr('b')}]"
    result = await kitchen.render({"app/main.jsonnet": both})
    assert names(result) == ["ConfigMap/a", "ConfigMap/b"]


async def test_symlinks_inside_are_followed_and_recorded(kitchen: Kitchen) -> None:
    files = {
        "app/a.yaml": "-> ../shared/real.yaml",
        "app/sub": "-> ../more",
        "shared/real.yaml": config_map("a"),
        "more/b.yaml": config_map("b"),
    }
    result = await kitchen.render(files, directory=DirectorySource(recurse=True))
    assert names(result) == ["ConfigMap/a", "ConfigMap/b"]
    assert result.reads.paths == ("app/", "more", "more/", "shared/real.yaml")
