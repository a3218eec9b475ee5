"""Repositories that want to read, run or exhaust what they should not."""

from __future__ import annotations

import http.server
import resource
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.errors import InputsMissing, RenderError, RenderTimeout, SpecInvalid
from fleet.model.applications import DirectorySource, HelmSource, JsonnetVar, KustomizeSource
from fleet.render.batches import Limits
from fleet.render.rendering import Renderer
from fleet.render.sandbox import SandboxStatus
from fleet.render.tools import Tools
from tests.integration.render.conftest import CONFIG_MAP, Kitchen, Write, names, request_for

CHART = "apiVersion: v2\nname: demo\nversion: 0.1.0\n"
CANARY = "canary-8c1f"
UNSAFE = SandboxStatus("none", "as on a machine without bubblewrap")


@pytest.fixture
def neighbour(tmp_path: Path) -> str:
    """A file beside the tree that nobody may read."""
    path = tmp_path / "secret.txt"
    path.write_text(CANARY)
    return str(path)


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """A web server on loopback, and the paths that somebody asked it for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(CONFIG_MAP.encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "link",
    ["{up}../secret.txt", "{absolute}", "/etc/hostname", "{up}other/up/secret.txt"],
)
@pytest.mark.parametrize(
    ("files", "place"),
    [
        ({}, "app/cm.yaml"),
        ({"app/Chart.yaml": CHART}, "app/files/x.txt"),
        ({"app/Chart.yaml": CHART}, "app/values.yaml"),
        ({"app/kustomization.yaml": "resources: [cm.yaml]"}, "app/cm.yaml"),
        ({"app/a.jsonnet": "importstr 'x.txt'"}, "app/x.txt"),
    ],
)
async def test_symlink_out_of_the_tree(
    kitchen: Kitchen, neighbour: str, link: str, files: dict[str, str], place: str
) -> None:
    target = link.format(absolute=neighbour, up="../" * place.count("/"))
    tree = {**files, place: f"-> {target}", "other/up": "-> ../.."}
    with pytest.raises(RenderError, match=f"{place}: leads out of the repository"):
        await kitchen.render(tree)


async def test_directory_symlink_out_of_the_tree(kitchen: Kitchen, neighbour: str) -> None:
    with pytest.raises(RenderError, match="leads out of the repository"):
        await kitchen.render({"app/cm.yaml": CONFIG_MAP, "app/sub": "-> ../.."})


async def test_symlink_loop(kitchen: Kitchen) -> None:
    with pytest.raises(RenderError, match="the symlinks go in circles"):
        await kitchen.render({"app/a.yaml": "-> b.yaml", "app/b.yaml": "-> a.yaml"})


async def test_directory_symlink_to_itself_ends(kitchen: Kitchen) -> None:
    files = {"app/cm.yaml": CONFIG_MAP, "app/again": "-> ."}
    result = await kitchen.render(files, directory=DirectorySource(recurse=True))
    assert names(result) == ["ConfigMap/plain"]


@pytest.mark.parametrize("path", ["../x", "/etc", "app/../../x", "a/../.."])
async def test_path_outside_the_repository(kitchen: Kitchen, path: str) -> None:
    with pytest.raises(RenderError, match="leads out of the repository"):
        await kitchen.render({"app/cm.yaml": CONFIG_MAP}, path)


async def test_helm_sees_no_file_of_the_machine(kitchen: Kitchen, neighbour: str) -> None:
    """Even where Helm reads by path, there is nothing to read."""
    template = '{{ .Files.Get "/etc/passwd" }}{{ .Files.Get "../../secret.txt" }}'
    template += '{{ range $p, $_ := .Files.Glob "/**" }}{{ $p }},{{ end }}'
    body = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\ndata: {{v: '{template}'}}\n"
    result = await kitchen.render({"app/Chart.yaml": CHART, "app/templates/x.yaml": body})
    assert result.manifests[0]["data"] == {"v": ""}


@pytest.mark.parametrize("name", ["/etc/hostname", "../../secret.txt", "../../../../etc/hostname"])
@pytest.mark.parametrize("field", ["valueFiles", "fileParameters"])
async def test_helm_parameter_files_stay_inside(
    kitchen: Kitchen, neighbour: str, name: str, field: str
) -> None:
    helm = (
        HelmSource(value_files=(name,))
        if field == "valueFiles"
        else HelmSource(file_parameters=(("a", name),))
    )
    files = {"app/Chart.yaml": CHART}
    with pytest.raises(RenderError, match=r"leads out|does not exist"):
        await kitchen.render(files, helm=helm)


@pytest.mark.parametrize(
    "text",
    [
        "resources: [../../../etc/hostname]",
        "resources: [/etc/hostname]",
        "resources: [../../secret.txt]",
        "configMapGenerator: [{name: x, files: [../../secret.txt]}]",
        "configMapGenerator: [{name: x, files: [a=/etc/hostname]}]",
        "configMapGenerator: [{name: x, envs: [../../secret.txt]}]",
        "patches: [{path: ../../secret.txt}]",
        "components: [../..]",
        "crds: [../../secret.txt]",
        "openapi: {path: ../../secret.txt}",
        "replacements: [{path: /etc/hostname}]",
        "transformers: [../../secret.txt]",
    ],
)
async def test_kustomize_reads_nothing_outside(kitchen: Kitchen, neighbour: str, text: str) -> None:
    with pytest.raises(RenderError, match=r"leads out of the repository|is absolute"):
        await kitchen.render({"app/kustomization.yaml": text})


@pytest.mark.parametrize("status", [None, UNSAFE])
@pytest.mark.parametrize(
    "entry",
    [
        "{url}/cm.yaml",
        "{url}/repo.git//base?ref=main",
        "git::{url}/repo.git",
        "https://github.com/a/b?ref=--upload-pack=touch${{IFS}}/tmp/pwned",
        "git@github.com:a/b.git",
        "ssh://git@example.com/a/b",
        "github.com/a/b//c?ref=v1",
        "file:///etc",
        "file://{root}",
    ],
)
async def test_remote_bases_are_not_fetched_by_a_render(
    tools: Tools,
    write: Write,
    listener: tuple[str, list[str]],
    entry: str,
    status: SandboxStatus | None,
) -> None:
    url, asked = listener
    entry = entry.format(url=url, root=Path.cwd())
    tree = write({"app/kustomization.yaml": f'resources: ["../base", "{entry}"]'})
    write({"base/kustomization.yaml": "resources: []"})
    with pytest.raises(InputsMissing) as told:
        await Renderer(tools, status=status).render(request_for(tree, "app"))
    assert told.value.bases == (entry,)
    assert asked == []


async def test_kustomize_has_no_network(kitchen: Kitchen, listener: tuple[str, list[str]]) -> None:
    """A place where the walk does not look (a transformer's own file): the sandbox holds."""
    url, asked = listener
    transformer = (
        "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: x}\n"
        f"path: {url}/patch.yaml\n"
    )
    files = {
        "app/kustomization.yaml": "resources: [cm.yaml]\ntransformers: [t.yaml]\n",
        "app/t.yaml": transformer,
        "app/cm.yaml": CONFIG_MAP,
    }
    with pytest.raises(RenderError, match="kustomize: "):
        await kitchen.render(files)
    assert asked == []


async def test_kustomize_runs_no_helm_and_no_plugin(kitchen: Kitchen, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    plugin = (
        f"name: x\nversion: 0.1.0\ndownloaders: [{{command: 'touch {marker}', protocols: [x]}}]"
    )
    files = {
        "app/kustomization.yaml": "helmGlobals: {configHome: ./.data}\n"
        "helmCharts: [{name: a, repo: 'x://y', version: 1.0.0}]\n",
        "app/.data/plugins/x/plugin.yaml": plugin,
    }
    with pytest.raises(RenderError, match="must specify --enable-helm"):
        await kitchen.render(files)
    assert not marker.exists()


JSONNET_READS = [
    "importstr '/etc/hostname'",
    "importbin '/dev/zero'",
    "import '/dev/null'",
    "importstr '../../secret.txt'",
    f"importstr '{'../' * 32}etc/hostname'",
    "importstr '../links/link.txt'",
    "importstr '../links/up/secret.txt'",
    "(import '../links/nested.libsonnet').x",
]


@pytest.mark.parametrize("expression", JSONNET_READS)
@pytest.mark.parametrize("way", ["file", "tla", "extVar"])
@pytest.mark.parametrize("status", [None, UNSAFE])
async def test_jsonnet_imports_stay_inside(
    tools: Tools,
    write: Write,
    neighbour: str,
    expression: str,
    way: str,
    status: SandboxStatus | None,
) -> None:
    body = "{apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: 'x'}, data: {v: %s}}"
    options = DirectorySource()
    if way == "file":
        main = body % expression
    elif way == "tla":
        main = f"function(v) {body % 'v'}"
        options = DirectorySource(tlas=(JsonnetVar("v", expression, code=True),))
    else:
        main = body % "std.extVar('v')"
        options = DirectorySource(ext_vars=(JsonnetVar("v", expression, code=True),))
    tree = write(
        {
            "app/main.jsonnet": main,
            "links/link.txt": "-> ../../secret.txt",
            "links/up": "-> ../..",
            "links/nested.libsonnet": "{x: importstr '../../secret.txt'}",
        }
    )
    request = request_for(tree, "app", directory=options)
    with pytest.raises(RenderError, match="leads out of the repository") as caught:
        await Renderer(tools, status=status).render(request)
    assert CANARY not in str(caught.value)


async def test_jsonnet_without_end(tools: Tools, write: Write) -> None:
    tree = write({"app/a.jsonnet": "std.foldl(function(a, b) a + b, std.range(1, 1e9), 0)"})
    limits = Limits(cpu_seconds=1, wall_seconds=20)
    with pytest.raises(RenderError) as caught:
        await Renderer(tools, limits).render(request_for(tree, "app"))
    assert isinstance(caught.value, RenderTimeout) or "memory" in caught.value.hint


async def test_jsonnet_recursion(kitchen: Kitchen) -> None:
    with pytest.raises(RenderError, match="stack overflow"):
        await kitchen.render({"app/a.jsonnet": "local f(x) = f(x + 1) + 1; f(0)"})


@pytest.mark.parametrize(
    "template", ["{{ range until 1000000000 }}x{{ end }}", '{{ repeat 2000000000 "x" }}']
)
async def test_runaway_helm_template(tools: Tools, write: Write, template: str) -> None:
    tree = write({"app/Chart.yaml": CHART, "app/templates/x.yaml": template})
    limits = Limits(cpu_seconds=3, wall_seconds=30, memory_bytes=1 << 30)
    with pytest.raises(RenderError, match=r"processor time|memory|16 MiB|SIG"):
        await Renderer(tools, limits).render(request_for(tree, "app"))


async def test_wall_time_is_limited(tools: Tools, write: Write) -> None:
    """A program that sleeps uses no processor time; it is ended all the same."""
    deep = "local f(n) = if n == 0 then 1 else f(n - 1) + f(n - 1); f(60)"
    tree = write({"app/a.jsonnet": deep})
    limits = Limits(wall_seconds=1)
    with pytest.raises(RenderTimeout, match="did not end within 1 s"):
        await Renderer(tools, limits).render(request_for(tree, "app"))


def _laughs(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]")
    return "\n".join(lines)


def _merges(levels: int) -> str:
    lines = ["m0: &m0 {a: 1}"]
    for level in range(1, levels):
        lines.append(f"m{level}: &m{level} {{<<: [{', '.join([f'*m{level - 1}'] * 9)}], b: 1}}")
    return "\n".join(lines)


BOMBS = {
    "laughs": (_laughs(9), r"app/x.yaml:\d+: aliases make this document too large"),
    "merges": (_merges(60), r"app/x.yaml:\d+: "),
    "deep": ("[" * 100_000, r"app/x.yaml:1: more than 100 levels"),
    "deep mappings": ("{a: " * 100_000, r"app/x.yaml:1: more than 100 levels"),
    "loop": ("a: &a [*a]", r"app/x.yaml:1: the anchor 'a' contains itself"),
    "duplicate": ("a: 1\nb: 2\na: 3\n", r"app/x.yaml:3: the key 'a' is there twice"),
    "tab": ("a:\n\tb: 1\n", r"app/x.yaml:2: not YAML"),
    "huge": ("a: " + "x" * (100 << 20), r"app/x.yaml: the file is larger than 10 MiB"),
    "documents": ("--- {}\n" * 10_001, r"app/x.yaml:10001: more than 10000 documents"),
    "scalar": ("just text", r"app/x.yaml:1: the document is no Kubernetes object"),
    "list": ("- a", r"app/x.yaml:1: the document is no Kubernetes object"),
    "no kind": ("\n\na: 1", r"app/x.yaml:3: the document is no Kubernetes object"),
    "binary": ("a: \x01", r"app/x.yaml:1: a character that YAML does not allow"),
    "not UTF-8": (b"a: \xff", r"app/x.yaml: the file is not UTF-8"),
    "tag": ("!!python/object:os.system {}", r"app/x.yaml:1: the tag .* is not supported"),
}


@pytest.mark.parametrize("name", BOMBS)
async def test_yaml_bombs_name_the_line(kitchen: Kitchen, name: str) -> None:
    text, message = BOMBS[name]
    with pytest.raises((SpecInvalid, RenderError), match=message):
        await kitchen.render({"app/x.yaml": text})


@pytest.mark.parametrize("name", ["laughs", "merges", "deep"])
async def test_bombs_that_helm_prints(kitchen: Kitchen, name: str) -> None:
    text = '{{ .Files.Get "bomb" }}'
    files = {"app/Chart.yaml": CHART, "app/bomb": BOMBS[name][0], "app/templates/x.yaml": text}
    with pytest.raises((SpecInvalid, RenderError)):
        await kitchen.render(files)


async def test_bombs_do_not_grow_the_parent(kitchen: Kitchen) -> None:
    """What goes off, goes off in the child."""
    await kitchen.render({"app/cm.yaml": CONFIG_MAP})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name in ("laughs", "merges", "deep", "documents"):
        with pytest.raises((SpecInvalid, RenderError)):
            await kitchen.render({"app/x.yaml": BOMBS[name][0]})
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KiB


async def test_only_the_poison_fails(tools: Tools, write: Write) -> None:
    """One child serves many requests; the one that kills it takes nobody along."""
    good = {f"good{n}/cm.yaml": CONFIG_MAP.replace("plain", f"cm{n}") for n in range(6)}
    poison = "std.length(std.repeat('x', 1e13))"
    tree = write({**good, "poison/a.jsonnet": poison, "slow/a.jsonnet": DEEP})
    paths = ["good0", "good1", "poison", "good2", "slow", "poison", "good3", "good4", "good5"]
    limits = Limits(cpu_seconds=1, memory_bytes=1 << 30)
    outcomes = await Renderer(tools, limits).render_many([request_for(tree, p) for p in paths])
    for path, outcome in zip(paths, outcomes, strict=True):
        if path.startswith("good"):
            assert not isinstance(outcome, Exception), outcome
            assert names(outcome) == [f"ConfigMap/cm{path[-1]}"]
        else:
            assert isinstance(outcome, RenderError)


DEEP = "local f(n) = if n == 0 then 1 else f(n - 1) + f(n - 1); f(60)"


async def test_environment_does_not_leak(
    tools: Tools, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET_CANARY", CANARY)
    template = '{{ env "FLEET_CANARY" }}{{ expandenv "$FLEET_CANARY" }}'
    tree = write(
        {
            "helm/Chart.yaml": CHART,
            "helm/templates/x.yaml": f"apiVersion: v1\nkind: ConfigMap\nx: '{template}'\n",
            "kustomize/kustomization.yaml": "configMapGenerator: [{name: x, envs: [v]}]",
            "kustomize/v": "FLEET_CANARY\n",
            "jsonnet/a.jsonnet": "error std.extVar('FLEET_CANARY')",
        }
    )
    for status in (None, UNSAFE):
        renderer = Renderer(tools, status=status)
        requests = [request_for(tree, path) for path in ("helm", "kustomize", "jsonnet")]
        for outcome in await renderer.render_many(requests):
            assert CANARY not in repr(outcome)


@pytest.mark.parametrize("status", [None, UNSAFE])
async def test_errors_show_no_path_of_this_machine(
    tools: Tools, write: Write, tmp_path: Path, status: SandboxStatus | None
) -> None:
    tree = write(
        {
            "helm/Chart.yaml": CHART,
            "helm/templates/x.yaml": "{{ fail .Template.Name }}",
            "kustomize/kustomization.yaml": "resources: [a.yaml]\nnamePrefix: [x]",
            "kustomize/a.yaml": CONFIG_MAP,
            "edited/kustomization.yaml": "resources: [a.yaml]\nimages: 3",
            "edited/a.yaml": CONFIG_MAP,
            "jsonnet/a.jsonnet": "{a: error 'no'}",
        }
    )
    requests = [request_for(tree, path) for path in ("helm", "kustomize", "jsonnet")]
    requests.append(request_for(tree, "edited", kustomize=KustomizeSource(name_prefix="x")))
    for outcome in await Renderer(tools, status=status).render_many(requests):
        assert isinstance(outcome, RenderError | SpecInvalid)
        for part in (str(tmp_path), "/tree", "/tmp", "/programs"):
            assert part not in outcome.message, outcome.message
