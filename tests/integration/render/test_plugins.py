"""Config management plugins: what they are told, what they may do, and what stops them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fleet.errors import FleetError, RenderError, RenderTimeout, SpecInvalid, ToolMissing
from fleet.model.applications import HelmSource, PluginParameter, PluginSource
from fleet.model.plugins import PluginSpec, parse_plugin
from fleet.model.renders import RenderResult
from fleet.render.batches import Limits
from fleet.render.rendering import Renderer
from fleet.render.sandbox import SandboxStatus, sandbox_status
from fleet.render.tools import Tools
from tests.conftest import require
from tests.integration.render.conftest import CONFIG_MAP, Write, facts_of, names, request_for

#: Prints a ConfigMap whose data are the variables that its arguments name.
TELL = """#!/bin/sh
echo 'apiVersion: v1'; echo 'kind: ConfigMap'; echo 'metadata: {name: told}'; echo 'data:'
for name in "$@"; do eval "echo \\"  $name: '\\$$name'\\""; done
"""
NAMED = PluginSource("told")


def plugin(name: str = "told", **spec: Any) -> PluginSpec:
    spec = {"generate": {"command": ["tell"]}, **spec}
    return parse_plugin(
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "ConfigManagementPlugin",
            "metadata": {"name": name},
            "spec": spec,
        }
    ).spec


def shell(script: str, **spec: Any) -> PluginSpec:
    return plugin(generate={"command": ["sh", "-c", script]}, **spec)


@dataclass
class Workshop:
    """Plugins by document, trees by files, and a renderer that knows where programs are."""

    renderer: Renderer
    write: Write
    bin: Path

    async def render(
        self, files: Mapping[str, str | bytes], *plugins: PluginSpec, **changes: Any
    ) -> RenderResult:
        changes.setdefault("plugin", NAMED)
        request = request_for(self.write(files), changes.pop("path", "app"), **changes)
        return await self.renderer.render(
            request_for(request.tree, request.source.path, plugins=tuple(plugins), **changes)
        )


def workshop_of(
    tools: Tools, tmp_path: Path, limits: Limits, status: SandboxStatus | None = None
) -> Renderer:
    folder = tmp_path / "bin"
    folder.mkdir(exist_ok=True)
    (folder / "tell").write_text(TELL)
    (folder / "tell").chmod(0o755)
    paths = (str(folder), "/usr/bin")
    return Renderer(tools, limits, plugin_paths=paths, status=status)


@pytest.fixture
async def workshop(tools: Tools, write: Write, tmp_path: Path) -> AsyncIterator[Workshop]:
    require(sandbox_status().is_safe, sandbox_status().message)
    made = workshop_of(tools, tmp_path, Limits(wall_seconds=30, cpu_seconds=5, processes=40))
    yield Workshop(made, write, tmp_path / "bin")
    await made.aclose()


async def test_it_is_told_what_argo_cd_tells(workshop: Workshop) -> None:
    source = PluginSource(
        "told-v1",
        env=(("STAGE", "${ARGOCD_APP_NAME}-prod"),),
        parameters=(
            PluginParameter("image.tag", string="1.2"),
            PluginParameter("hosts", array=("a", "b")),
            PluginParameter("labels", map=(("team", "x"),)),
        ),
    )
    wanted = [
        "ARGOCD_APP_NAME",
        "ARGOCD_APP_NAMESPACE",
        "ARGOCD_APP_REVISION_SHORT",
        "ARGOCD_APP_SOURCE_PATH",
        "KUBE_VERSION",
        "ARGOCD_ENV_STAGE",
        "PARAM_IMAGE_TAG",
        "PARAM_HOSTS_1",
        "PARAM_LABELS_TEAM",
        "ARGOCD_APP_PARAMETERS",
    ]
    told = plugin(version="v1", generate={"command": ["tell"], "args": wanted})
    result = await workshop.render({"app/x": ""}, told, plugin=source)
    data = result.manifests[0]["data"]
    assert json.loads(data.pop("ARGOCD_APP_PARAMETERS")) == [
        {"name": "image.tag", "string": "1.2"},
        {"name": "hosts", "array": ["a", "b"]},
        {"name": "labels", "map": {"team": "x"}},
    ]
    assert list(data.values()) == [
        "shop", "shop-ns", "0123456", "app", "1.31.2", "shop-prod", "1.2", "b", "x",
    ]  # fmt: skip
    assert result.tool == "Plugin"
    assert facts_of(result) == {"application", "namespace", "project", "revision", "cluster"}
    assert result.reads.paths == ("",)


async def test_init_runs_first_in_a_copy_that_it_may_change(workshop: Workshop) -> None:
    init = {"command": ["sh", "-c"], "args": ["mkdir ../made && sed s/plain/made/ cm > ../made/cm"]}
    result = await workshop.render({"app/cm": CONFIG_MAP}, shell("cat ../made/cm", init=init))
    assert names(result) == ["ConfigMap/made"]
    tree = await workshop.render({"app/cm": CONFIG_MAP}, shell("ls .. >&2; cat cm"))
    assert names(tree) == ["ConfigMap/plain"]


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ({"fileName": "Flavour.toml"}, True),
        ({"fileName": "*.toml"}, True),
        ({"fileName": "sub/*.toml"}, False),
        ({"find": {"glob": "**/deep.txt"}}, True),
        ({"find": {"glob": "deep.txt"}}, False),
        ({"find": {"command": ["sh", "-c", "ls Flavour.toml"]}}, True),
        ({"find": {"command": ["sh", "-c", "exit 0"]}}, False),
        ({"find": {"command": ["sh", "-c", "echo yes; exit 1"]}}, False),
    ],
)
async def test_a_plugin_finds_its_sources(
    workshop: Workshop, rule: dict[str, Any], found: bool
) -> None:
    files = {"app/Flavour.toml": "", "app/sub/a/deep.txt": "", "app/cm.yaml": CONFIG_MAP}
    result = await workshop.render(files, plugin(discover=rule), plugin=None)
    assert names(result) == ["ConfigMap/told" if found else "ConfigMap/plain"]
    assert result.reads.plugins


async def test_a_plugin_goes_before_what_the_files_say(workshop: Workshop) -> None:
    files = {"app/kustomization.yaml": "resources: [cm.yaml]", "app/cm.yaml": CONFIG_MAP}
    finds = plugin(discover={"fileName": "kustomization.yaml"})
    assert names(await workshop.render(files, finds, plugin=None)) == ["ConfigMap/told"]
    plain = await workshop.render(files, finds, plugin=None, directory=None, kustomize=None)
    assert plain.tool == "Plugin"


async def test_what_chooses_a_tool_is_not_offered_to_plugins(workshop: Workshop) -> None:
    with pytest.raises(RenderError, match=r"no Chart\.yaml"):
        await workshop.render(
            {"app/x": ""}, plugin(discover={"fileName": "x"}), plugin=None, helm=HelmSource()
        )


@pytest.mark.parametrize(
    ("source", "plugins", "message"),
    [
        (NAMED, (), "no config management plugin told is registered"),
        (PluginSource(), (plugin(),), "no plugin is for app"),
        (NAMED, (plugin(discover={"fileName": "y"}),), "plugin told is not for app"),
        (
            NAMED,
            (plugin(generate={"command": ["nowhere"]}),),
            "nowhere is in none of the folders that the setting plugin_paths",
        ),
        (NAMED, (plugin(generate={"command": ["/bin/../app/x"]}),), "is in none of the folders"),
        (NAMED, (shell("echo oh no >&2; exit 3"),), "plugin told: generate: oh no"),
        (NAMED, (plugin(init={"command": ["false"]}),), "init: ended with code 1"),
        (NAMED, (shell("echo '{{{{ garbage'"),), "the output of plugin told"),
        (NAMED, (shell("echo just words"),), "the output of plugin told"),
        (NAMED, (shell("head -c 20000000 /dev/zero"),), "printed more than 16 MiB"),
        (NAMED, (shell("yes > /tmp/full"),), "generate: File size limit exceeded"),
        (
            NAMED,
            (
                shell(
                    "i=0; while head -c 60000000 /dev/zero > /tmp/$i; do i=$((i+1)); done; exit 1"
                ),
            ),
            "No space left",
        ),
        (NAMED, (shell("while :; do sleep 600 & done"),), "more than 40 processes"),
        (NAMED, (shell("kill -9 -1; cat"),), "killed"),
    ],
)
async def test_what_goes_wrong_is_told(
    workshop: Workshop, source: PluginSource, plugins: tuple[PluginSpec, ...], message: str
) -> None:
    with pytest.raises((RenderError, SpecInvalid)) as caught:
        await workshop.render({"app/x": ""}, *plugins, plugin=source)
    assert message in str(caught.value)
    assert "/tmp" not in str(caught.value) or "No space" in str(caught.value)


async def test_one_that_never_ends_is_ended(tools: Tools, write: Write, tmp_path: Path) -> None:
    require(sandbox_status().is_safe, sandbox_status().message)
    made = workshop_of(tools, tmp_path, Limits(wall_seconds=2))
    try:
        with pytest.raises(RenderTimeout, match="did not end within 2 s"):
            await Workshop(made, write, tmp_path).render({"app/x": ""}, shell("sleep 600"))
    finally:
        await made.aclose()


async def test_it_reaches_nothing_outside(workshop: Workshop, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("canary")
    script = f"""
    cat {tmp_path}/secret /etc/passwd >&2
    cat < /dev/tcp/127.0.0.1/80 >&2
    touch {workshop.bin}/planted /tree/planted >&2
    env >&2
    exit 1
    """
    with pytest.raises(RenderError) as caught:
        await workshop.render({"app/x": ""}, shell(script))
    said = str(caught.value)
    assert "canary" not in said
    assert "root:" not in said
    assert "Read-only file system" in said
    assert not (workshop.bin / "planted").exists()


async def test_a_command_of_the_repository_is_not_found(workshop: Workshop) -> None:
    files = {"app/tell": "#!/bin/sh\necho pwned\n", "app/nowhere": "#!/bin/sh\necho pwned\n"}
    with pytest.raises(RenderError, match="in none of the folders"):
        await workshop.render(files, plugin(generate={"command": ["nowhere"]}))
    with pytest.raises(SpecInvalid, match="relative path"):
        plugin(generate={"command": ["./nowhere"]})


async def test_others_of_its_batch_are_not_concerned(workshop: Workshop) -> None:
    tree = workshop.write({"bad/x": "", "good/cm.yaml": CONFIG_MAP, "also/x": ""})
    plugins = (shell('test "$ARGOCD_APP_SOURCE_PATH" = also && exec tell; kill -9 -1'),)
    outcomes = await workshop.renderer.render_many(
        [
            request_for(tree, path, plugins=plugins, plugin=wanted)
            for path, wanted in (("bad", NAMED), ("good", None), ("also", NAMED))
        ]
    )
    assert isinstance(outcomes[0], FleetError)
    assert [names(it) for it in outcomes[1:] if isinstance(it, RenderResult)] == [
        ["ConfigMap/plain"],
        ["ConfigMap/told"],
    ]


async def test_it_is_given_what_the_application_says_it_reads(workshop: Workshop) -> None:
    files = {"app/cm": CONFIG_MAP, "shared/x": "", "other/y": ""}
    script = "test -e ../shared/x && ! test -e ../other && cat cm"
    result = await workshop.render(files, shell(script), only_paths=("app", "shared/x"))
    assert names(result) == ["ConfigMap/plain"]
    assert result.reads.paths == ("app/", "shared/x")
    assert "revision" not in facts_of(result)


async def test_without_a_sandbox_none_runs(tools: Tools, write: Write, tmp_path: Path) -> None:
    made = workshop_of(tools, tmp_path, Limits(), SandboxStatus("none", "install bubblewrap"))
    try:
        with pytest.raises(ToolMissing, match="in the sandbox only"):
            await Workshop(made, write, tmp_path).render({"app/x": ""}, plugin())
    finally:
        await made.aclose()


STATIC = [{"name": "tag", "title": "Tag", "required": True, "string": "1"}]


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("[]", ["tag"]),
        ('[{"name": "hosts", "collectionType": "array", "array": ["a"]}]', ["hosts", "tag"]),
        ('[{"name": "tag", "string": "2"}]', ["tag"]),
    ],
)
async def test_parameters_are_announced(
    workshop: Workshop, printed: str, expected: list[str]
) -> None:
    dynamic = {"command": ["cat", "params"]}
    told = plugin(parameters={"static": STATIC, "dynamic": dynamic})
    result = await workshop.render({"app/params": printed}, told, announces=True)
    assert [it["name"] for it in result.manifests] == expected
    assert result.manifests[-1]["string"] == "1"  # what the document says counts more


@pytest.mark.parametrize("printed", ["{}", "words", '[{"title": "x"}]', "[3]"])
async def test_garbage_is_no_announcement(workshop: Workshop, printed: str) -> None:
    told = plugin(parameters={"dynamic": {"command": ["cat", "params"]}})
    with pytest.raises(SpecInvalid, match="the parameters of plugin told"):
        await workshop.render({"app/params": printed}, told, announces=True)
