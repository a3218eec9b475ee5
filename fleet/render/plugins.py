"""Config management plugins: which one is for a source, and what it prints.

Their commands are an administrator's, their input is a repository's. So they run in a child that
serves this one render and ends with it, on a copy of the tree that they may write into, with the
variables that Argo CD gives them and no others. Programs come from the setting ``plugin_paths``
alone: a name is never looked up in the tree.
"""

from __future__ import annotations

import dataclasses
import json
import os
import posixpath
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fleet.errors import Place, RenderError, SpecInvalid
from fleet.model.applications import PluginSource
from fleet.model.plugins import AnnouncedParameter, Discovery, PluginSpec, read_announced
from fleet.model.reading import Fields, Origin
from fleet.render.globs import fixed_folder, is_glob, matches
from fleet.render.job import Job, NotAlone
from fleet.render.manifests import read_manifests
from fleet.render.running import MAX_OUTPUT_BYTES, Ran, complaint, run
from fleet.render.yaml import load_one

_MAX_TREE_BYTES = 256 << 20
_OTHER = re.compile(r"[^A-Z0-9_]")


def chosen(job: Job) -> PluginSpec | None:
    """The plugin that the source names, or else the first by name that is for its directory.

    As in Argo CD, plugins are asked before Chart.yaml and kustomizations are looked for, and a
    plugin with a rule must find it met even where it is named.

    Raises:
        RenderError: the source asks for a plugin and there is none.
        NotAlone: a command has to run to find out.
    """
    source = job.request.source
    if source.plugin is None and (source.helm or source.kustomize or source.directory):
        return None
    if source.plugin is None and source.chart:
        return None
    job.facts.add("plugins")
    wanted = source.plugin.name if source.plugin else ""
    known = [plugin for plugin in job.request.plugins if wanted in ("", plugin.name)]
    if wanted and not known:
        raise RenderError(
            f"no config management plugin {wanted} is registered",
            hint="An administrator registers it with `fleet apply -f`; `fleet plugin list` shows"
            " those there are. Its name ends with - and its version, if it has one.",
        )
    for plugin in known:
        if _fits(job, plugin, named=bool(wanted)):
            return plugin
    if source.plugin is None:
        return None
    who = f"the config management plugin {wanted} is not" if wanted else "no plugin is"
    raise RenderError(
        f"{who} for {source.path or '.'}: its rule of discovery is not met",
        hint="`fleet plugin get NAME` shows the rule under spec.discover.",
    )


def _fits(job: Job, plugin: PluginSpec, *, named: bool) -> bool:
    rule = plugin.discovery
    if rule is None:
        return named
    if rule.command:
        ran = _Work(job, plugin).run("discover", rule.command, may_fail=True)
        return ran.code == 0 and bool(ran.stdout.strip())
    return _finds(job, rule)


def _finds(job: Job, rule: Discovery) -> bool:
    pattern = rule.file_name or rule.glob
    folder = job.request.source.path
    if not is_glob(pattern):
        return Path(job.tree.path(job.tree.note(posixpath.join(folder, pattern)))).exists()
    fixed = posixpath.join(folder, fixed_folder(pattern)).rstrip("/")
    if not job.tree.is_folder(fixed):
        job.tree.note(fixed)
        return False
    deep = "**" in pattern or "/" in pattern
    files = job.tree.walk(fixed, enter=lambda _: deep)
    return any(
        matches(pattern, file.removeprefix(folder).lstrip("/"), by_segment=True) for file in files
    )


def render(job: Job, plugin: PluginSpec) -> None:
    """Fill ``job.manifests`` with what the plugin's generate command prints.

    Raises:
        RenderError: a command fails or cannot be started.
        SpecInvalid: what it prints is no stream of objects; names the line.
        NotAlone: the child serves others, too.
    """
    work = _Work(job, plugin)
    # what a program is told, it may use
    job.facts |= {"application", "namespace", "project", "cluster"}
    if not job.request.only_paths:
        job.facts.add("revision")
    if plugin.init:
        work.run("init", plugin.init)
    ran = work.run("generate", plugin.generate)
    place = f"the output of plugin {plugin.name}"
    job.manifests.extend(read_manifests(ran.stdout, place, max_bytes=MAX_OUTPUT_BYTES))


def announced(job: Job, plugin: PluginSpec | None) -> list[dict[str, Any]]:
    """The parameters that the plugin knows, by name; what its document says of one counts more
    than what its command prints of it.

    Raises:
        RenderError: no plugin renders the source, or the command fails.
        SpecInvalid: it prints no list of parameters.
    """
    if plugin is None:
        raise RenderError(f"{job.request.source.path or '.'}: no plugin renders this source")
    known = {parameter.name: parameter for parameter in plugin.announced}
    if plugin.announce:
        work = _Work(job, plugin)
        if plugin.init:
            work.run("init", plugin.init)
        ran = work.run("parameters", plugin.announce)
        found = _read_announced(ran.stdout, plugin.name)
        known = {parameter.name: parameter for parameter in found} | known
    return [dataclasses.asdict(known[name]) for name in sorted(known)]


def _read_announced(text: bytes, name: str) -> list[AnnouncedParameter]:
    file = f"the parameters of plugin {name}"
    value = load_one(text, file=file)
    if not isinstance(value, list):
        raise SpecInvalid("is no list of parameters", place=Place(file, 1))
    fields = Fields({"parameters": value}, "", Origin(file, 1))
    return [read_announced(item) for item in fields.children("parameters")]


class _Work:
    """A plugin's commands on one copy of a source."""

    def __init__(self, job: Job, plugin: PluginSpec) -> None:
        if not job.alone:
            raise NotAlone
        self._job = job
        self._plugin = plugin
        self._copy = job.scratch / f"plugin-{plugin.name}"
        if not self._copy.exists():
            _copy(job, self._copy, modes=plugin.keeps_file_modes)
        self._cwd = self._copy / job.request.source.path
        if not self._cwd.is_dir():
            path = job.request.source.path or "."
            raise RenderError(f"{path}: no such directory at this revision", object=path)
        home = job.scratch / "plugin-home"
        home.mkdir(exist_ok=True)
        self._path = os.pathsep.join(dict.fromkeys(_folders(job)))
        self._environment = {
            **job.variables.environment(),
            **_parameters(job),
            "PATH": self._path,
            "HOME": str(home),
            "TMPDIR": str(home),
        }

    def run(self, what: str, command: Sequence[str], *, may_fail: bool = False) -> Ran:
        name = self._plugin.name
        program = self._program(command[0])
        try:
            ran = run(
                [program, *command[1:]], cwd=self._cwd, environment=self._environment, whole=True
            )
        except (OSError, ValueError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else str(exc)
            raise RenderError(
                f"plugin {name}: {what}: {command[0]} does not start: {reason}"
            ) from None
        if ran.code and not may_fail:
            said = self._job.scrub(complaint(ran).replace(str(self._copy), ""))
            raise RenderError(f"plugin {name}: {what}: {said}", object=name)
        return ran

    def _program(self, word: str) -> str:
        place = Path(os.path.normpath(word))
        allowed = "/" not in word or any(
            place.is_relative_to(folder) for folder in self._job.programs.plugin_paths
        )
        found = shutil.which(word, path=self._path)
        if found and allowed:
            return found
        raise RenderError(
            f"plugin {self._plugin.name}: {word} is in none of the folders that the setting"
            " plugin_paths names",
            hint="An administrator sets it on every worker.",
            object=word,
        )


def _folders(job: Job) -> Iterator[str]:
    """Where programs are looked for: the setting's folders, then Fleet's own helm and kubectl."""
    yield from job.programs.plugin_paths
    for program in (job.programs.helm, job.programs.kubectl):
        if program:
            yield str(Path(program).parent)


def _parameters(job: Job) -> dict[str, str]:
    """``ARGOCD_ENV_*``, ``ARGOCD_APP_PARAMETERS`` and ``PARAM_*``, as Argo CD names them."""
    block = job.request.source.plugin or PluginSource()
    found = {f"ARGOCD_ENV_{name}": job.variables.expand(value) for name, value in block.env}
    documents = [parameter.document() for parameter in block.parameters]
    found["ARGOCD_APP_PARAMETERS"] = json.dumps(documents)
    for parameter in block.parameters:
        base = f"PARAM_{_escaped(parameter.name)}"
        if parameter.string is not None:
            found[base] = parameter.string
        for key, value in parameter.map or ():
            found[f"{base}_{_escaped(key)}"] = value
        for number, value in enumerate(parameter.array or ()):
            found[f"{base}_{number}"] = value
    return found


def _escaped(name: str) -> str:
    return _OTHER.sub("_", name.upper())


def _copy(job: Job, target: Path, *, modes: bool) -> None:
    """The tree, or the paths of it that the application says it reads, to be written into.

    Links are copied as links: they lead to nothing that the child may not read.

    Raises:
        RenderError: it is too large.
    """
    budget = _MAX_TREE_BYTES

    def copy(source: str, to: str) -> str:
        nonlocal budget
        budget -= Path(source).stat().st_size
        if budget < 0:
            raise RenderError(
                f"the tree for the plugin has more than {_MAX_TREE_BYTES >> 20} MiB",
                hint="Say which paths it reads with the annotation"
                " argocd.argoproj.io/manifest-generate-paths.",
            )
        return (shutil.copy if modes else shutil.copyfile)(source, to)

    for path in job.request.only_paths or ("",):
        note = job.tree.note_folder if job.tree.is_folder(path) else job.tree.note
        source, place = Path(job.tree.path(note(path))), target / path
        if source.is_dir():
            shutil.copytree(source, place, symlinks=True, copy_function=copy, dirs_exist_ok=True)
        elif source.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            copy(str(source), str(place))
    target.mkdir(exist_ok=True)
    for folder in (target, *(path for path in target.rglob("*") if path.is_dir())):
        if not folder.is_symlink():
            folder.chmod(0o755)  # trees are read-only, their directories too
