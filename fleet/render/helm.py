"""Helm charts, through ``helm template``.

Everything that Argo CD's ``helm`` block can say becomes arguments here; see features.md for the
order in which values win. Nothing is fetched: what the chart depends on is there or handed in.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from fleet.errors import InputsMissing, Place, RenderError, SpecInvalid
from fleet.model.applications import HelmSource
from fleet.model.objects import Manifest
from fleet.model.renders import FetchedBase
from fleet.render.boundary import TreeFiles
from fleet.render.charts import Dependency, missing_dependencies
from fleet.render.decrypting import decrypted_copy
from fleet.render.globs import fixed_folder, is_glob, matches
from fleet.render.job import Job
from fleet.render.manifests import read_manifests
from fleet.render.running import MAX_OUTPUT_BYTES, complaint, run
from fleet.render.values_from import values_of_cluster
from fleet.render.yaml import dump

_MAX_VALUES_BYTES = 10 << 20
_MAX_COPIED_BYTES = 64 << 20
_MAX_SCANNED_BYTES = 4 << 20
_CLUSTER_FACTS = re.compile(rb"\.Capabilities|\bkubeVersion\b")
_REF = re.compile(r"\$([A-Za-z0-9_-]+)(?:/(.*))?", re.DOTALL)
_BUILD = ("ARGOCD_", "KUBE_")  # variables, not refs of sources
_SOURCE = b"# Source: "
_UNESCAPED_COMMA = re.compile(r"(?<!\\),")


def render(job: Job) -> None:
    """Fill ``job.manifests`` with what ``helm template`` prints, hooks included.

    Raises:
        RenderError: no chart, a missing dependency or value file, a template that fails.
    """
    source = job.request.source
    options = source.helm or HelmSource()
    _require_files(job, options)
    missing = missing_dependencies(job.tree, source.path)
    _check_links(job)
    # as the defaults of what the release is called and where it goes
    job.facts |= {"application"} if not options.release_name else set()
    job.facts |= {"namespace"} if not options.namespace else set()
    if _mentions_cluster(job):
        job.facts.add("cluster")
    chart = _with_dependencies(job, missing) if missing else _chart_path(job)
    arguments = [*_flags(job, options), *_value_arguments(job, options)]
    ran = run(
        [job.programs.helm, "template", ".", *arguments],
        cwd=chart,
        environment=_environment(job.scratch / "helm"),
    )
    if ran.code:
        said = complaint(ran).removeprefix("Error: ")
        raise RenderError(job.scrub(f"helm: {said}"), object=source.chart or source.path or ".")
    job.manifests.extend(_parsed(job, ran.stdout))


def _environment(home: Path) -> dict[str, str]:
    """Helm's homes are empty directories of this render alone: no plugin, no repository."""
    home.mkdir(exist_ok=True)
    names = ("CONFIG_HOME", "DATA_HOME", "CACHE_HOME", "PLUGINS")
    return {
        "HOME": str(home),
        "TMPDIR": str(home),
        "KUBECONFIG": os.devnull,
        **{f"HELM_{name}": str(home / name.lower()) for name in names},
    }


def _chart_path(job: Job) -> Path:
    return Path(job.tree.path(job.tree.real(job.request.source.path)))


def _check_links(job: Job) -> None:
    """Helm follows links: every one below the chart must stay inside the tree."""
    for _ in job.tree.walk(job.request.source.path):
        pass


def _mentions_cluster(job: Job) -> bool:
    """Whether version or APIs of the cluster may enter the output. When in doubt, they may:
    charts packed in archives are not opened, and values may hold templates for ``tpl``."""
    budget = _MAX_SCANNED_BYTES
    for file in job.tree.walk(job.request.source.path):
        if file.endswith((".tgz", ".tar.gz")):
            return True
        path = Path(job.tree.path(job.tree.real(file)))
        budget -= path.stat().st_size if path.is_file() else 0
        if budget < 0 or (path.is_file() and _CLUSTER_FACTS.search(path.read_bytes())):
            return True
    return bool(job.request.dependencies) or bool(job.request.refs)


def _with_dependencies(job: Job, missing: tuple[Dependency, ...]) -> Path:
    """A copy of the chart with what it lacks put under ``charts/``.

    Raises:
        InputsMissing: dependencies that nobody fetched.
    """
    given = dict(job.request.dependencies)
    absent = [d for d in missing if d.local_path is None and d.name not in given]
    if absent:
        raise _not_given(absent)
    copy = job.scratch / "chart"
    source = _chart_path(job)
    _copy(source, copy)
    for dependency in missing:
        target = copy / "charts" / dependency.name
        if dependency.local_path is not None:
            folder = job.in_app(dependency.local_path)
            real = job.tree.note_folder(folder)
            if not job.tree.is_file(f"{real}/Chart.yaml"):
                raise RenderError(f"dependency {dependency.name}: no chart in {real or '.'}")
            for _ in job.tree.walk(real):  # its links, too
                pass
            _copy(Path(job.tree.path(real)), target)
        else:
            _copy(Path(given[dependency.name]), target)
    return copy


def _not_given(absent: list[Dependency]) -> InputsMissing:
    first = absent[0]
    return InputsMissing(
        f"the chart needs {first.name} {first.version} from {first.repository or 'nowhere'},"
        " which is not under charts/",
        charts=tuple((d.name, d.version, d.repository) for d in absent),
        hint="Run `helm dependency update` and commit charts/, or register the"
        " dependency's repository so that Fleet may fetch it.",
        object=first.name,
    )


def _copy(source: Path, target: Path) -> None:
    size = sum(f.stat().st_size for f in source.rglob("*") if f.is_file())
    if size > _MAX_COPIED_BYTES:
        raise RenderError(f"the chart has more than {_MAX_COPIED_BYTES >> 20} MiB of files")
    shutil.copytree(source, target, copy_function=shutil.copyfile, dirs_exist_ok=True)
    for folder in (target, *(path for path in target.rglob("*") if path.is_dir())):
        folder.chmod(0o755)  # trees are read-only, their directories too


def _flags(job: Job, options: HelmSource) -> Iterator[str]:
    request = job.request
    yield from ("--name-template", options.release_name or request.application)
    yield from ("--namespace", options.namespace or request.namespace or "default")
    kube_version = options.kube_version or request.kube_version
    if kube_version:
        yield from ("--kube-version", kube_version)
    for version in options.api_versions or request.api_versions:
        yield from ("--api-versions", version)
    if not options.skip_crds:
        yield "--include-crds"
    if options.skip_tests:
        yield "--skip-tests"
    if options.skip_schema_validation:
        yield "--skip-schema-validation"


def _value_arguments(job: Job, options: HelmSource) -> Iterator[str]:
    """What stands in the cluster, value files, ``valuesObject`` or ``values``, then parameters;
    the last one wins."""
    if options.values_from:
        text = dump(values_of_cluster(job, options.values_from))
        yield from ("--values", _written(job, "cluster-values.yaml", text))
        if _CLUSTER_FACTS.search(text.encode()):
            job.facts.add("cluster")  # as a template for ``tpl``
    for path in _value_files(job, options):
        yield from ("--values", path)
    text = dump(options.values_object) if options.values_object is not None else options.values
    if text.strip():
        yield from ("--values", _written(job, "values.yaml", text))
    for parameter in options.parameters:
        flag = "--set-string" if parameter.force_string else "--set"
        value = _escaped(job.variables.expand(parameter.value))
        yield from (flag, f"{job.variables.expand(parameter.name)}={value}")
    for name, path in options.file_parameters:
        found = next(iter(_resolved(job, path)), None)
        if found is None:
            raise RenderError(f"helm.fileParameters: {path} does not exist")
        clear = decrypted_copy(job, job.scrub(found), found)
        yield from ("--set-file", f"{name}={_escaped(clear)}")


def _written(job: Job, name: str, text: str) -> str:
    file = job.scratch / name
    file.write_text(text, encoding="utf-8")
    return str(file)


def _escaped(value: str) -> str:
    """Commas part assignments for Helm; Argo CD escapes them, but for a list ``{a,b}``."""
    if value.startswith("{") and value.endswith("}"):
        return value
    return _UNESCAPED_COMMA.sub(r"\\,", value)


def _value_files(job: Job, options: HelmSource) -> Iterator[str]:
    seen: set[str] = set()
    for entry in options.value_files:
        found = _resolved(job, entry)
        if not found and not options.ignore_missing_value_files:
            raise RenderError(
                f"helm.valueFiles: {entry} does not exist",
                hint="Set helm.ignoreMissingValueFiles to do without it.",
                object=entry,
            )
        for path in found:
            # a file that a glob finds again keeps its place; one named again moves to the end
            if path not in seen or not is_glob(entry):
                seen.add(path)
                yield decrypted_copy(job, job.scrub(path), path)


def _resolved(job: Job, entry: str) -> list[str]:
    """The files that an entry means, as paths on this file system.

    Raises:
        RenderError: it leads out of its tree, or names an unknown ref.
    """
    url = _url(job, entry)
    if url:
        return [_checked(str(Path(base.root, base.path)), url) for base in _fetched(job, url)]
    tree, relative = _placed(job, entry)
    if not is_glob(relative):
        real = tree.note(relative)
        path = tree.path(real)
        return [_checked(path, entry)] if Path(path).is_file() else []
    fixed = fixed_folder(relative)
    real = tree.note_folder(fixed)
    if not tree.is_folder(real):
        return []
    found = sorted(f for f in tree.walk(fixed) if matches(relative, f, by_segment=True))
    return [tree.path(tree.real(file)) for file in found]


def _checked(path: str, entry: str) -> str:
    if Path(path).stat().st_size > _MAX_VALUES_BYTES:
        raise RenderError(f"{entry}: more than {_MAX_VALUES_BYTES >> 20} MiB of values")
    return path


def _url(job: Job, entry: str) -> str:
    """The URL that an entry is; "" for a path.

    Raises:
        RenderError: one that no file is fetched from.
    """
    ref = _REF.fullmatch(entry)
    if ref and not ref[1].startswith(_BUILD):
        return ""
    expanded = job.variables.expand(entry)
    scheme, cut, _ = expanded.partition("://")
    if not cut:
        return ""
    if scheme.lower() not in ("https", "http"):
        raise RenderError(
            f"{expanded[:200]}: a file is fetched over https or http only",
            hint="Put the file into a repository and refer to it with `$ref/path`.",
        )
    return expanded


def _fetched(job: Job, url: str) -> list[FetchedBase]:
    return [base for base in job.request.bases if base.entry == url]


def _require_files(job: Job, options: HelmSource) -> None:
    """Raises:
    InputsMissing: URLs among the value files that nobody fetched.
    """
    entries = [*options.value_files, *(path for _, path in options.file_parameters)]
    urls = dict.fromkeys(filter(None, (_url(job, entry) for entry in entries)))
    absent = tuple(url for url in urls if not _fetched(job, url))
    if absent:
        raise InputsMissing(
            f"{absent[0][:200]} was not fetched", files=absent, object=absent[0][:200]
        )


def _placed(job: Job, entry: str) -> tuple[TreeFiles, str]:
    """The tree that an entry is in, and its path there."""
    ref = _REF.fullmatch(entry)
    if ref and ref[1] in job.refs:
        return job.refs[ref[1]], posixpath.normpath(job.variables.expand(ref[2] or ""))
    if ref and ref[2] is not None and not ref[1].startswith(_BUILD):
        raise RenderError(
            f"{entry}: the application has no source with ref {ref[1]!r}", object=entry
        )
    expanded = job.variables.expand(entry)
    if expanded.startswith("/"):
        return job.tree, posixpath.normpath(expanded.lstrip("/"))
    return job.tree, posixpath.normpath(job.in_app(expanded).lstrip("/"))


def _parsed(job: Job, output: bytes) -> list[Manifest]:
    """Charts often write a key twice, and Helm takes the last: so do we, and say so.

    Errors name the template, and the line of what it printed.
    """

    def warn(line: int, message: str) -> None:
        job.warn(f"{_template_at(output, line)}: {message}")

    try:
        return read_manifests(output, "", max_bytes=MAX_OUTPUT_BYTES, on_duplicate_key=warn)
    except SpecInvalid as exc:
        place = _template_at(output, exc.place.line)
        raise SpecInvalid(exc.bare_message, place=place, hint=exc.hint) from None


def _template_at(output: bytes, line: int) -> Place:
    """The template that printed a line of the output: Helm writes it above each document."""
    lines = output.split(b"\n")
    for number in range(min(line, len(lines)), 0, -1):
        text = lines[number - 1]
        if text.startswith(_SOURCE):
            name = text.removeprefix(_SOURCE).decode(errors="replace").strip()
            return Place(f"{name} (rendered)", line - number)
    return Place("helm's output", line)
