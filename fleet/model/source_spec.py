"""Reading ``source`` and ``sources[]``. Fields and rules: ``features.md`` §3.1."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from fleet.model.applications import (
    DirectorySource,
    HelmParameter,
    HelmSource,
    JsonnetVar,
    KustomizeReplica,
    KustomizeSource,
    PluginParameter,
    PluginSource,
    Source,
    SourceHydrator,
)
from fleet.model.reading import Fields
from fleet.model.source_shape import TOOL_BLOCKS
from fleet.model.values_from import read_values_from

_BRANCH_LENGTH = 200
_NOT_IN_BRANCH = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|^-|^@$|^refs/|^HEAD$")
_REF = re.compile(r"[A-Za-z0-9_-]{1,253}")


def read_sources(spec: Fields) -> tuple[tuple[Source, ...], bool, SourceHydrator | None]:
    """The sources, whether they came from ``sources[]``, and what hydrates the only one.

    Raises:
        SpecInvalid: none, or more than one of ``source``, ``sources`` and ``sourceHydrator``.
    """
    single = spec.child("source")
    several = spec.children("sources")
    hydrator = spec.child("sourceHydrator")
    given = [
        key
        for key, is_given in (
            ("source", single),
            ("sources", several),
            ("sourceHydrator", hydrator),
        )
        if is_given
    ]
    if len(given) > 1:
        raise spec.invalid(
            given[1],
            f"is given together with {given[0]}; an application has one of the two",
            hint="Move every source into spec.sources and remove the other block.",
        )
    if single is not None:
        return (_source(single, in_list=False),), False, None
    if several:
        sources = tuple(_source(fields, in_list=True) for fields in several)
        _check_refs(spec, sources)
        return sources, True, None
    if hydrator is not None:
        hydrated, how = _hydrated(hydrator)
        return (hydrated,), False, how
    raise spec.invalid("source", "is required")


def _check_refs(spec: Fields, sources: tuple[Source, ...]) -> None:
    seen: set[str] = set()
    for index, source in enumerate(sources):
        if source.ref and source.ref in seen:
            raise spec.invalid(f"sources[{index}].ref", f"{source.ref!r} names two sources")
        seen.add(source.ref)
    if all(source.only_ref for source in sources):
        raise spec.invalid("sources", "render nothing: every source has only a ref")


def _source(fields: Fields, *, in_list: bool) -> Source:
    repo_url = read_repo_url(fields, "repoURL")
    path, chart, ref = fields.text("path"), fields.text("chart"), fields.text("ref")
    _check_kind_of_source(fields, path=path, chart=chart, ref=ref, in_list=in_list)
    helm, kustomize, directory, plugin = read_tool_blocks(fields)
    made = Source(
        repo_url=repo_url,
        path=path,
        chart=chart,
        target_revision=fields.text("targetRevision"),
        tag_prefix=fields.text("tagPrefix"),
        ref=ref,
        name=fields.text("name"),
        helm=helm,
        kustomize=kustomize,
        directory=directory,
        plugin=plugin,
    )
    fields.finish()
    return made


def read_tool_blocks(
    fields: Fields,
) -> tuple[HelmSource | None, KustomizeSource | None, DirectorySource | None, PluginSource | None]:
    """The blocks that choose and steer a tool.

    One that says nothing (``helm: {}``, ``directory: {recurse: false}``) chooses no tool, as in
    Argo CD, and is None; but for ``plugin: {}``, which asks for any plugin that fits. Together
    only ``helm`` and ``kustomize``: kustomize then changes what Helm printed.

    Raises:
        SpecInvalid: several, or one with a field that is not what it has to be.
    """
    found = (
        _helm(fields.child("helm")),
        _kustomize(fields.child("kustomize")),
        _directory(fields.child("directory")),
        _plugin(fields.child("plugin")),
    )
    given = [key for key, block in zip(TOOL_BLOCKS, found, strict=True) if block is not None]
    if len(given) > 1 and given != ["helm", "kustomize"]:
        raise fields.invalid(given[1], f"is given together with {given[0]}; use one tool")
    return found


def _check_kind_of_source(
    fields: Fields, *, path: str, chart: str, ref: str, in_list: bool
) -> None:
    if path and chart:
        raise fields.invalid("chart", "is given together with path; a source has one of the two")
    if ref and not in_list:
        raise fields.invalid("ref", "is only of use in spec.sources")
    if ref and chart:
        raise fields.invalid("ref", "cannot name a chart")
    if ref and _REF.fullmatch(ref) is None:
        raise fields.invalid("ref", f"{ref!r} may hold letters, digits, '-' and '_' only")
    if not (path or chart or ref):
        raise fields.invalid("path", "is required, unless chart is given", hint="The root is '.'.")
    if path:
        _check_path(fields, path)


def _check_path(fields: Fields, path: str) -> None:
    if path.startswith("/"):
        raise fields.invalid("path", "must be relative to the root of the repository")
    depth = 0
    for part in path.split("/"):
        depth += -1 if part == ".." else part not in {"", "."}
        if depth < 0:
            raise fields.invalid("path", "leaves the repository")


def read_repo_url(fields: Fields, key: str) -> str:
    """A repository's URL; one with a password in it would be shown to everyone who looks.

    Raises:
        SpecInvalid: missing, malformed, or with a password (which is not repeated).
    """
    url = fields.text(key, required=True).strip()
    if url[:1] in {"", "-"} or any(ord(letter) < 0x21 or ord(letter) == 0x7F for letter in url):
        raise fields.invalid(key, "is no URL of a repository")
    if has_password(url):
        raise fields.invalid(
            key,
            "holds a password",
            hint="Register the credentials with `fleet repo add`, and leave them out of the URL.",
        )
    return url


def has_password(url: str) -> bool:
    """Also true for a URL that cannot be read well enough to tell."""
    try:
        return urlsplit(url).password is not None
    except ValueError:
        return "@" in url


def _hydrated(fields: Fields) -> tuple[Source, SourceHydrator]:
    """What a hydrator's application applies, and how that comes about."""
    dry, sync = fields.child("drySource", required=True), fields.child("syncSource", required=True)
    assert dry is not None
    assert sync is not None
    rendered = _source(dry, in_list=False)
    if rendered.chart:
        raise dry.invalid("chart", "is not rendered by a hydrator", hint="Give a path in Git.")
    repo_url = read_repo_url(sync, "repoURL") if sync.has("repoURL") else rendered.repo_url
    wet = Source(repo_url=repo_url, path=_written_path(sync), target_revision=_written_branch(sync))
    branch = wet.target_revision
    staging = fields.child("hydrateTo")
    if staging is not None:
        branch = _written_branch(staging)
        staging.finish()
    if (repo_url, branch) == (rendered.repo_url, rendered.target_revision):
        raise fields.invalid("drySource.targetRevision", "is the branch that would be written")
    sync.finish()
    fields.finish()
    return wet, SourceHydrator(rendered, branch)


def _written_branch(fields: Fields) -> str:
    """A branch that may be pushed to. Source of the rule: git-check-ref-format."""
    branch = fields.text("targetBranch", required=True)
    parts = branch.split("/")
    faulty = any(
        not part or part.startswith(".") or part.endswith((".lock", ".")) for part in parts
    )
    if faulty or len(branch) > _BRANCH_LENGTH or _NOT_IN_BRANCH.search(branch):
        raise fields.invalid("targetBranch", f"{branch[:80]!r} is no name of a branch")
    return branch


def _written_path(fields: Fields) -> str:
    """A folder that may be written: never the root, in which other applications' folders are,
    and nothing that git keeps for itself on any system."""
    path = fields.text("path", required=True)
    _check_path(fields, path)
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if not parts:
        raise fields.invalid("path", "is the root of the repository; hydrate into a folder")
    if any(
        part == ".." or part.rstrip(". ").lower().startswith((".git", "git~")) for part in parts
    ):
        raise fields.invalid("path", f"{path[:80]!r} is no folder that may be written")
    # letters that cannot be seen, too: some file systems take .g\u200cit for .git
    if any(not letter.isprintable() or letter in '"\\:' for letter in path):
        raise fields.invalid("path", "holds letters that no folder's name should")
    return "/".join(parts)


def _helm(fields: Fields | None) -> HelmSource | None:
    if fields is None:
        return None
    values_object = fields.child("valuesObject")
    asks_for_helm = fields.has("version")  # Argo CD reads no more of it since Helm 4
    made = HelmSource(
        value_files=fields.texts("valueFiles"),
        ignore_missing_value_files=fields.flag("ignoreMissingValueFiles"),
        values=fields.text("values"),
        values_object=None if values_object is None else values_object.mapping(),
        parameters=tuple(_helm_parameter(item) for item in fields.children("parameters")),
        file_parameters=tuple(_file_parameter(item) for item in fields.children("fileParameters")),
        release_name=fields.text("releaseName"),
        pass_credentials=fields.flag("passCredentials"),
        skip_crds=fields.flag("skipCrds"),
        skip_tests=fields.flag("skipTests"),
        skip_schema_validation=fields.flag("skipSchemaValidation"),
        namespace=fields.text("namespace"),
        kube_version=fields.text("kubeVersion"),
        api_versions=fields.texts("apiVersions"),
        values_from=read_values_from(fields),
    )
    if made.values and made.values_object is not None:
        fields.warn("values", "not used: valuesObject takes its place")
    fields.finish()
    return made if asks_for_helm or made != HelmSource() else None


def _helm_parameter(fields: Fields) -> HelmParameter:
    made = HelmParameter(
        name=fields.text("name", required=True),
        value=fields.text("value"),
        force_string=fields.flag("forceString"),
    )
    fields.finish()
    return made


def _file_parameter(fields: Fields) -> tuple[str, str]:
    made = fields.text("name", required=True), fields.text("path", required=True)
    fields.finish()
    return made


def _kustomize(fields: Fields | None) -> KustomizeSource | None:
    if fields is None:
        return None
    made = KustomizeSource(
        name_prefix=fields.text("namePrefix"),
        name_suffix=fields.text("nameSuffix"),
        namespace=fields.text("namespace"),
        images=fields.texts("images"),
        replicas=tuple(_replica(item) for item in fields.children("replicas")),
        common_labels=fields.text_map("commonLabels"),
        common_annotations=fields.text_map("commonAnnotations"),
        force_common_labels=fields.flag("forceCommonLabels"),
        force_common_annotations=fields.flag("forceCommonAnnotations"),
        label_without_selector=fields.flag("labelWithoutSelector"),
        label_include_templates=fields.flag("labelIncludeTemplates"),
        common_annotations_envsubst=fields.flag("commonAnnotationsEnvsubst"),
        patches=tuple(_patch(item) for item in fields.children("patches")),
        components=fields.texts("components"),
        ignore_missing_components=fields.flag("ignoreMissingComponents"),
        version=fields.text("version"),
        kube_version=fields.text("kubeVersion"),
        api_versions=fields.texts("apiVersions"),
    )
    fields.finish()
    return made if made != KustomizeSource() else None


def _replica(fields: Fields) -> KustomizeReplica:
    name = fields.text("name", required=True)
    count = fields.raw("count")
    if isinstance(count, str) and count.isascii() and count.isdigit() and len(count) < 10:
        count = int(count)
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise fields.invalid("count", "must be a whole number, 0 or more")
    fields.finish()
    return KustomizeReplica(name, count)


def _patch(fields: Fields) -> dict[str, object]:
    """Kept as written; kustomize itself reads it."""
    if not fields.text("patch") and not fields.text("path"):
        raise fields.invalid("patch", "is required, unless path is given")
    fields.child("target")
    fields.child("options")
    fields.finish()
    return fields.mapping()


def _directory(fields: Fields | None) -> DirectorySource | None:
    if fields is None:
        return None
    jsonnet = fields.child("jsonnet")
    made = DirectorySource(
        recurse=fields.flag("recurse"),
        include=fields.text("include"),
        exclude=fields.text("exclude"),
        disable_extension_filter=fields.flag("disableExtensionFilter"),
        ext_vars=_jsonnet_vars(jsonnet, "extVars"),
        tlas=_jsonnet_vars(jsonnet, "tlas"),
        libs=() if jsonnet is None else jsonnet.texts("libs"),
    )
    if jsonnet is not None:
        jsonnet.finish()
    fields.finish()
    return made if made != DirectorySource() else None


def _jsonnet_vars(jsonnet: Fields | None, key: str) -> tuple[JsonnetVar, ...]:
    if jsonnet is None:
        return ()
    found = []
    for fields in jsonnet.children(key):
        name = fields.text("name", required=True)
        found.append(JsonnetVar(name, fields.text("value"), code=fields.flag("code")))
        fields.finish()
    return tuple(found)


def _plugin(fields: Fields | None) -> PluginSource | None:
    if fields is None:
        return None
    made = PluginSource(
        name=fields.text("name"),
        env=tuple(_variable(item) for item in fields.children("env")),
        parameters=tuple(_plugin_parameter(item) for item in fields.children("parameters")),
    )
    fields.finish()
    return made


def _variable(fields: Fields) -> tuple[str, str]:
    made = fields.text("name", required=True), fields.text("value")
    if "=" in made[0] or "\0" in made[0] + made[1]:
        raise fields.invalid("name", "is no name of an environment variable")
    fields.finish()
    return made


def _plugin_parameter(fields: Fields) -> PluginParameter:
    made = PluginParameter(
        name=fields.text("name", required=True),
        string=fields.text("string") if fields.has("string") else None,
        array=fields.texts("array") if fields.has("array") else None,
        map=fields.text_map("map") if fields.has("map") else None,
    )
    fields.finish()
    return made
