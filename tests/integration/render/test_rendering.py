"""Work is done once: batches, shared runs, equal inputs; and nothing is left behind."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fleet.errors import FleetError, RenderError, RenderTimeout, ToolMissing
from fleet.model.applications import DirectorySource, JsonnetVar
from fleet.model.renders import RenderRequest, RenderResult, SourceTree, ToolVersion
from fleet.render import batches, rendering
from fleet.render.batches import Limits
from fleet.render.rendering import Renderer
from fleet.render.sandbox import SandboxStatus, sandbox_status
from fleet.render.tools import Tools
from tests.integration.render.conftest import Kitchen, Write, facts_of, names, request_for

CHART = "apiVersion: v2\nname: demo\nversion: 0.1.0\n"
ENDLESS = "local f(n) = if n == 0 then 1 else f(n - 1) + f(n - 1); f(60)"


def config_map(name: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n"


@pytest.fixture
def batched(monkeypatch: pytest.MonkeyPatch) -> list[list[RenderRequest]]:
    """What was really rendered, batch by batch; the real work is done all the same."""
    seen: list[list[RenderRequest]] = []
    real = batches.run_batch

    async def counting(requests: Any, *rest: Any) -> Any:
        seen.append(list(requests))
        return await real(requests, *rest)

    monkeypatch.setattr(rendering, "run_batch", counting)
    return seen


def processes_of(parent: int) -> set[int]:
    """Children of a process that have not ended."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return {int(pid) for pid in children}


async def test_a_thousand_files_are_a_few_children(
    kitchen: Kitchen, batched: list[list[RenderRequest]]
) -> None:
    tree = kitchen.write({f"a{n}/cm.yaml": config_map(f"cm{n}") for n in range(300)})
    outcomes = await kitchen.renderer.render_many([request_for(tree, f"a{n}") for n in range(300)])
    assert [names(o) for o in outcomes if isinstance(o, RenderResult)] == [
        [f"ConfigMap/cm{n}"] for n in range(300)
    ]
    assert [len(batch) for batch in batched] == [150, 150]  # one a slot


async def test_equal_inputs_render_once_for_all_clusters(
    kitchen: Kitchen, batched: list[list[RenderRequest]]
) -> None:
    tree = kitchen.write({"app/cm.yaml": config_map("x")})
    requests = [
        request_for(tree, "app", application=f"app-{n}", namespace=f"ns-{n}", kube_version=f"1.{n}")
        for n in range(50)
    ]
    outcomes = await kitchen.renderer.render_many(requests)
    assert all(outcome is outcomes[0] for outcome in outcomes)
    assert sum(map(len, batched)) == 1


async def test_facts_that_are_read_render_apart(
    kitchen: Kitchen, batched: list[list[RenderRequest]]
) -> None:
    """The application's name is read here, its namespace and cluster are not."""
    main = "{apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: std.extVar('n')}}"
    options = DirectorySource(ext_vars=(JsonnetVar("n", "$ARGOCD_APP_NAME"),))
    tree = kitchen.write({"app/a.jsonnet": main})
    requests = [
        request_for(tree, "app", directory=options, application=name, kube_version=version)
        for name in ("a", "b", "c")
        for version in ("1.30", "1.31")
    ]
    outcomes = await kitchen.renderer.render_many(requests)
    found = [names(o)[0] for o in outcomes if isinstance(o, RenderResult)]
    assert found == [f"ConfigMap/{name}" for name in "aabbcc"]
    assert sum(map(len, batched)) == 3


async def test_helm_renders_once_for_clusters_that_it_does_not_look_at(
    kitchen: Kitchen, batched: list[list[RenderRequest]]
) -> None:
    tree = kitchen.write({"app/Chart.yaml": CHART, "app/templates/x.yaml": config_map("x")})
    requests = [request_for(tree, "app", kube_version=f"1.{n}.0") for n in range(25, 35)]
    outcomes = await kitchen.renderer.render_many(requests)
    assert all(outcome is outcomes[0] for outcome in outcomes)
    assert sum(map(len, batched)) == 1


async def test_a_running_render_is_shared(
    kitchen: Kitchen, batched: list[list[RenderRequest]]
) -> None:
    tree = kitchen.write({"app/cm.yaml": config_map("x")})
    request = request_for(tree, "app")
    outcomes = await asyncio.gather(*(kitchen.renderer.render(request) for _ in range(10)))
    assert len({id(outcome) for outcome in outcomes}) == 1
    assert sum(map(len, batched)) == 1
    await kitchen.renderer.render(request)  # ended: not remembered
    assert sum(map(len, batched)) == 2


async def test_one_who_gives_up_does_not_stop_the_others(kitchen: Kitchen) -> None:
    tree = kitchen.write({"app/cm.yaml": config_map("x")})
    request = request_for(tree, "app")
    first = asyncio.create_task(kitchen.renderer.render(request))
    second = asyncio.create_task(kitchen.renderer.render(request))
    await asyncio.sleep(0)
    first.cancel()
    assert names(await second) == ["ConfigMap/x"]
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_errors_are_returned_in_their_place(kitchen: Kitchen) -> None:
    tree = kitchen.write({"a/cm.yaml": config_map("a"), "b/x.yaml": "a:\n\tb"})
    outcomes = await kitchen.renderer.render_many([request_for(tree, p) for p in ("b", "a", "b")])
    assert [type(outcome).__name__ for outcome in outcomes] == [
        "SpecInvalid",
        "RenderResult",
        "SpecInvalid",
    ]


@pytest.mark.parametrize("status", [None, SandboxStatus("none", "")])
async def test_a_stopped_render_leaves_no_process(
    tools: Tools, write: Write, status: SandboxStatus | None
) -> None:
    before = processes_of(os.getpid())
    renderer = Renderer(tools, status=status)
    tree = write({"app/a.jsonnet": ENDLESS})
    task = asyncio.create_task(renderer.render(request_for(tree, "app")))
    while processes_of(os.getpid()) == before:
        await asyncio.sleep(0.01)
    await renderer.aclose()
    with pytest.raises(RenderError, match="the render was stopped"):
        await task
    assert processes_of(os.getpid()) == before


async def test_a_timeout_leaves_no_process(tools: Tools, write: Write) -> None:
    """Helm and all: the whole group is killed, in the sandbox and without it."""
    before = processes_of(os.getpid())
    template = "{{ range until 1000000000 }}{{ end }}"
    tree = write({"app/Chart.yaml": CHART, "app/templates/x.yaml": template})
    for status in (None, SandboxStatus("none", "")):
        renderer = Renderer(tools, Limits(wall_seconds=1.0, memory_bytes=8 << 30), status=status)
        with pytest.raises(RenderError) as caught:
            await renderer.render(request_for(tree, "app"))
        assert isinstance(caught.value, RenderTimeout)
        assert processes_of(os.getpid()) == before
    assert not _running(str(tools.helm.path))


def _running(program: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/exe"):
        try:
            found += [str(path)] if str(path.readlink()) == program else []
        except OSError:
            continue
    return found


async def test_without_a_sandbox_everything_still_renders(tools: Tools, write: Write) -> None:
    tree = write(
        {
            "helm/Chart.yaml": CHART,
            "helm/templates/x.yaml": config_map("helm"),
            "kustomize/kustomization.yaml": "resources: [../plain]\n",
            "plain/kustomization.yaml": "resources: [cm.yaml]\n",
            "plain/cm.yaml": config_map("plain"),
        }
    )
    renderer = Renderer(tools, status=SandboxStatus("none", ""))
    outcomes = await renderer.render_many([request_for(tree, p) for p in ("helm", "kustomize")])
    assert [names(o)[0] for o in outcomes if isinstance(o, RenderResult)] == [
        "ConfigMap/helm",
        "ConfigMap/plain",
    ]


async def test_a_missing_program_says_how_to_get_it(write: Write) -> None:
    missing = [ToolVersion(name, "", "", "missing") for name in ("helm", "kubectl")]
    renderer = Renderer(Tools(*missing))
    tree = write({"helm/Chart.yaml": CHART, "kus/kustomization.yaml": "", "plain/x.yaml": ""})
    for path, name in (("helm", "helm"), ("kus", "kubectl")):
        with pytest.raises(ToolMissing, match=f"{name} was not found") as caught:
            await renderer.render(request_for(tree, path))
        assert "fleet tools install" in caught.value.hint
    assert (await renderer.render(request_for(tree, "plain"))).manifests == ()


async def test_reads_say_what_changes_the_output(kitchen: Kitchen) -> None:
    """Change anything that was not read: the same output; the flags name the facts that count."""
    tree = kitchen.write(
        {
            "app/kustomization.yaml": "resources: [../base]\n",
            "base/kustomization.yaml": "resources: [cm.yaml]\n",
            "base/cm.yaml": config_map("x"),
            "base/unread.yaml": config_map("y"),
        }
    )
    before = await kitchen.renderer.render(request_for(tree, "app"))
    assert facts_of(before) == set()
    kitchen.write({"base/unread.yaml": "changed", "app/other.yaml": "new"})
    assert await kitchen.renderer.render(request_for(tree, "app")) == before
    assert not {"base/unread.yaml", "app/other.yaml"} & set(before.reads.paths)


def test_status_is_tried_for_real() -> None:
    status = sandbox_status()
    assert status.is_safe == (status.kind == "bubblewrap")
    assert status.message


@pytest.mark.parametrize(
    ("script", "reason"),
    [(None, "is not installed"), ("#!/bin/sh\necho no namespaces >&2; exit 1\n", "no namespaces")],
)
def test_status_without_a_sandbox_is_loud(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, reason: str
) -> None:
    if script:
        program = tmp_path / "bwrap"
        program.write_text(script)
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    status: Callable[[], SandboxStatus] = sandbox_status.__wrapped__
    found = status()
    assert not found.is_safe
    assert found.message.startswith("RENDERS ARE NOT SANDBOXED")
    assert reason in found.message


async def test_a_child_that_lies_is_an_error(
    tools: Tools, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer of a child that hostile input took over is not trusted."""
    tree = write({"app/cm.yaml": config_map("x")})
    lies = [
        b"99999999999\n",
        b"x\n",
        b"2\n[]",
        b'9\n{"ok": 3}',
        b'28\n{"ok": {"manifests": "all"}}',
        b"1" * 70000,
    ]
    for lie in lies:
        boot = f"import sys; sys.stdout.buffer.write({lie!r}); sys.stdout.flush(); sys.stdin.read()"
        monkeypatch.setattr("fleet.render.sandbox._BOOT", boot)
        outcome = (await Renderer(tools).render_many([request_for(tree, "app")]))[0]
        assert isinstance(outcome, FleetError), lie


async def test_a_child_cannot_choose_the_error(
    tools: Tools, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = b'{"error": {"type": "Forbidden", "message": "x", "line": "y"}}'
    answer = b"%d\n%b" % (len(body), body)
    monkeypatch.setattr(
        "fleet.render.sandbox._BOOT", f"import sys; sys.stdout.buffer.write({answer!r})"
    )
    tree: SourceTree = write({"app/cm.yaml": config_map("x")})
    outcome = (await Renderer(tools).render_many([request_for(tree, "app")]))[0]
    assert type(outcome) is RenderError
