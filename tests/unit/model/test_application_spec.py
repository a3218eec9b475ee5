"""Applications: every field read, every mistake named, the document kept."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.errors import SpecInvalid
from fleet.model.applications import (
    Automated,
    Destination,
    HelmParameter,
    IgnoreDifference,
    JsonnetVar,
    KustomizeReplica,
)
from fleet.model.parsing import new_application, parse_application, parse_document
from fleet.model.retries import Retry

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["5s", "-5s", "../x", "https://u:p@h/x", "9" * 30 + "h"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


def application(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "web", "namespace": "argocd"},
        "spec": {
            "project": "shop",
            "source": {"repoURL": "https://git.example/shop.git", "path": "web"},
            "destination": {"name": "eu-1", "namespace": "shop"},
            **spec,
        },
    }


FULL = application(
    source={
        "repoURL": "https://git.example/shop.git",
        "path": "web",
        "targetRevision": "main",
        "helm": {
            "valueFiles": ["a.yaml", "b.yaml"],
            "ignoreMissingValueFiles": True,
            "values": "# a comment\nx: 1\n",
            "parameters": [{"name": "image.tag", "value": "1.10", "forceString": True}],
            "fileParameters": [{"name": "conf", "path": "conf.ini"}],
            "releaseName": "shop-web",
            "version": "v3",
            "skipCrds": True,
            "apiVersions": ["batch/v1/Job"],
        },
    },
    syncPolicy={
        "automated": {"prune": True, "selfHeal": True},
        "syncOptions": ["CreateNamespace=true", "Vendor=yes", "CreateNamespace=false"],
        "retry": {
            "limit": -1,
            "refresh": True,
            "backoff": {"duration": "10", "factor": 3, "maxDuration": "1h30m"},
        },
        "managedNamespaceMetadata": {"labels": {"team": "shop"}, "annotations": {"a": "b"}},
    },
    ignoreDifferences=[
        {"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]},
        {"kind": "*", "managedFieldsManagers": ["hpa"], "jqPathExpressions": [".a"]},
    ],
    info=[{"name": "docs", "value": "https://docs.example"}],
    revisionHistoryLimit=0,
)


def test_reads_the_whole_spec() -> None:
    parsed = parse_application(FULL)
    spec = parsed.spec
    assert (parsed.name, spec.project, spec.multi_source) == ("web", "shop", False)
    assert spec.destination == Destination("", "eu-1", "shop")
    helm = spec.sources[0].helm
    assert helm is not None
    assert helm.value_files == ("a.yaml", "b.yaml")
    assert helm.values == "# a comment\nx: 1\n"
    assert helm.parameters == (HelmParameter("image.tag", "1.10", force_string=True),)
    assert helm.file_parameters == (("conf", "conf.ini"),)
    assert helm.skip_crds
    assert spec.sync_policy.automated == Automated(enabled=None, prune=True, self_heal=True)
    assert spec.sync_policy.option("CreateNamespace") == "false"
    assert spec.sync_policy.retry == Retry(
        -1, timedelta(seconds=10), 3, timedelta(minutes=90), refresh=True
    )
    assert spec.sync_policy.namespace_labels == (("team", "shop"),)
    assert spec.ignore_differences[0] == IgnoreDifference(
        "apps", "Deployment", json_pointers=("/spec/replicas",)
    )
    assert spec.info == (("docs", "https://docs.example"),)
    assert spec.revision_history_limit == 0
    assert parsed.warnings == ("spec.syncPolicy.syncOptions[1]: unknown sync option 'Vendor'",)


def test_reads_kustomize_and_jsonnet() -> None:
    kustomize = {
        "namePrefix": "p-",
        "images": ["web=registry.example/web:1"],
        "replicas": [{"name": "web", "count": "3"}, {"name": "db", "count": 1}],
        "commonLabels": {"a": "b"},
        "patches": [{"target": {"kind": "Deployment"}, "patch": "- op: remove"}],
    }
    directory = {"recurse": True, "jsonnet": {"tlas": [{"name": "x", "value": "1", "code": True}]}}
    base = {"repoURL": "ssh://git@git.example/shop", "path": "."}
    parsed = parse_application(
        application(
            source=None, sources=[base | {"kustomize": kustomize}, base | {"directory": directory}]
        )
    )
    first, second = parsed.spec.sources
    assert parsed.spec.multi_source
    assert parsed.warnings == ()
    assert first.kustomize is not None
    assert first.kustomize.replicas == (KustomizeReplica("web", 3), KustomizeReplica("db", 1))
    assert first.kustomize.patches == tuple(kustomize["patches"])
    assert second.directory is not None
    assert second.directory.tlas == (JsonnetVar("x", "1", code=True),)


def test_a_hydrated_application_applies_what_was_hydrated() -> None:
    hydrator = {
        "drySource": {"repoURL": "https://git.example/a", "targetRevision": "main", "path": "x"},
        "syncSource": {"targetBranch": "env/prod", "path": "out"},
    }
    parsed = parse_application(application(source=None, sourceHydrator=hydrator))
    source = parsed.spec.sources[0]
    assert (source.repo_url, source.target_revision, source.path) == (
        "https://git.example/a",
        "env/prod",
        "out",
    )
    assert parsed.warnings == ()
    assert parsed.spec.hydrator is not None
    assert parsed.spec.hydrator.branch == "env/prod"
    assert [(at, it.path) for at, it in parsed.spec.followed] == [(0, "out"), (-1, "x")]
    staged = hydrator | {"hydrateTo": {"targetBranch": "env/prod-next"}}
    spec = parse_application(application(source=None, sourceHydrator=staged)).spec
    assert spec.hydrator is not None
    assert (spec.hydrator.branch, spec.sources[0].target_revision) == ("env/prod-next", "env/prod")


@pytest.mark.parametrize(
    ("branch", "path"),
    [
        *(("env/prod", path) for path in (".", "/", "./.", "a/..", "../a", "a/../../b", "/a")),
        *(("env/prod", path) for path in (".git", "a/.GIT/hooks", ".git./x", ".gitmodules")),
        *(("env/prod", path) for path in ("git~1/x", ".g\u200cit/x", "a\nb", 'a"b', "a\\b", "c:b")),
        *((branch, "out") for branch in ("-f", "a..b", "a b", "a:b", "HEAD", "refs/heads/a")),
        *((branch, "out") for branch in ("a.lock", ".a", "a//b", "a/", "@", "a@{1}", "a" * 201)),
        ("main", "out"),  # what is rendered itself
    ],
)
def test_a_hydrator_writes_no_root_nothing_of_gits_and_not_its_own_source(
    branch: str, path: str
) -> None:
    hydrator = {
        "drySource": {"repoURL": "https://git.example/a", "targetRevision": "main", "path": "x"},
        "syncSource": {"targetBranch": branch, "path": path},
    }
    with pytest.raises(SpecInvalid):
        parse_application(application(source=None, sourceHydrator=hydrator))


def test_null_false_and_absent_stay_three_things() -> None:
    def enabled(value: Any) -> bool | None:
        automated = parse_application(
            application(syncPolicy={"automated": {"enabled": value}})
        ).spec.sync_policy.automated
        assert automated is not None
        return automated.enabled

    assert [enabled(value) for value in (None, True, False)] == [None, True, False]
    assert parse_application(application(syncPolicy={"automated": {}})).spec.sync_policy.auto_sync
    assert not parse_application(application(syncPolicy={})).spec.sync_policy.auto_sync


def changed(path: str, value: Any) -> dict[str, Any]:
    """FULL with one field set; a number in the path is an index."""
    document = copy.deepcopy(FULL)
    *parents, last = path.split(".")
    inner: Any = document
    for key in parents:
        inner = inner[int(key)] if key.isdigit() else inner.setdefault(key, {})
    inner[last] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "field", "says"),
    [
        ("apiVersion", "v1", "apiVersion", "must be argoproj.io/v1alpha1"),
        ("kind", "AppProject", "kind", "must be Application"),
        ("metadata", None, "metadata", "required"),
        ("metadata.name", "Web", "metadata.name", "no valid name"),
        ("metadata.name", "a" * 254, "metadata.name", "no valid name"),
        ("metadata.name", None, "metadata.name", "required"),
        ("metadata.labels", {"env": True}, "metadata.labels.env", "a text, not true or false"),
        ("metadata.labels", {"env": "a b"}, "metadata.labels.env", "no label value"),
        ("spec", None, "spec", "required"),
        ("spec", [], "spec", "a mapping, not a list"),
        ("spec.project", "no such", "spec.project", "no valid name"),
        ("spec.source", None, "spec.source", "required"),
        ("spec.source.repoURL", "", "spec.source.repoURL", "required"),
        ("spec.source.repoURL", "--upload-pack=x", "spec.source.repoURL", "no URL"),
        ("spec.source.path", None, "spec.source.path", "required"),
        ("spec.source.path", "/etc", "spec.source.path", "relative"),
        ("spec.source.path", "a/../../b", "spec.source.path", "leaves"),
        ("spec.source.chart", "web", "spec.source.chart", "together with path"),
        ("spec.source.ref", "x", "spec.source.ref", "spec.sources"),
        ("spec.source.targetRevision", 1.1, "spec.source.targetRevision", "not a number"),
        (
            "spec.source.directory",
            {"recurse": True},
            "spec.source.directory",
            "together with helm",
        ),
        ("spec.source.helm.parameters", [{}], "spec.source.helm.parameters[0].name", "required"),
        ("spec.source.helm.valueFiles", [1], "spec.source.helm.valueFiles[0]", "a text"),
        ("spec.source.helm.skipCrds", "yes", "spec.source.helm.skipCrds", "true or false"),
        ("spec.source.helm.valuesObject", "x: 1", "spec.source.helm.valuesObject", "a mapping"),
        ("spec.sources", [{}], "spec.sources", "together with source"),
        ("spec.destination", None, "spec.destination", "required"),
        ("spec.destination.server", "https://x", "spec.destination.server", "together with name"),
        ("spec.destination.name", "", "spec.destination.name", "required"),
        ("spec.destination.namespace", "Shop", "spec.destination.namespace", "no valid namesp"),
        (
            "spec.syncPolicy.retry.backoff.duration",
            "5 seconds",
            "spec.syncPolicy.retry.backoff.duration",
            "not a duration",
        ),
        (
            "spec.syncPolicy.retry.backoff.maxDuration",
            "99999999999h",
            "spec.syncPolicy.retry.backoff.maxDuration",
            "292 years",
        ),
        (
            "spec.syncPolicy.retry.backoff.duration",
            "-5s",
            "spec.syncPolicy.retry.backoff.duration",
            "negative",
        ),
        (
            "spec.syncPolicy.retry.backoff.factor",
            -2,
            "spec.syncPolicy.retry.backoff.factor",
            "at least 1",
        ),
        ("spec.syncPolicy.retry.limit", True, "spec.syncPolicy.retry.limit", "whole number"),
        ("spec.syncPolicy.automated", True, "spec.syncPolicy.automated", "a mapping"),
        ("spec.ignoreDifferences.0.kind", None, "spec.ignoreDifferences[0].kind", "required"),
        (
            "spec.ignoreDifferences.0.jsonPointers",
            ["spec"],
            "spec.ignoreDifferences[0].jsonPointers[0]",
            "begin with '/'",
        ),
        ("spec.revisionHistoryLimit", -1, "spec.revisionHistoryLimit", "at least 0"),
        ("spec.revisionHistoryLimit", 2**70, "spec.revisionHistoryLimit", "64 bits"),
        ("spec.x", float("nan"), "spec.x", "finite"),
        ("spec.x", "a\0b", "spec.x", "NUL"),
        ("spec.x", "\ud800", "spec.x", "surrogate"),
    ],
)
def test_a_mistake_is_named_with_file_line_and_field(
    path: str, value: Any, field: str, says: str
) -> None:
    with pytest.raises(SpecInvalid, match=says) as caught:
        parse_application(changed(path, value), file="apps.yaml", line=12)
    assert caught.value.place.field == field
    assert str(caught.value).startswith(f"apps.yaml:12: {field}: ")
    assert caught.value.exit_code == 2


def test_a_destination_by_server_loses_its_slash() -> None:
    parsed = parse_application(application(destination={"server": "https://k8s.example:6443/"}))
    assert parsed.spec.destination.server == "https://k8s.example:6443"


@pytest.mark.parametrize(
    ("blocks", "chosen"),
    [
        ({}, set()),
        ({"helm": {}}, set()),
        ({"kustomize": {}}, set()),
        ({"directory": {"recurse": False}}, set()),
        ({"directory": {"jsonnet": {}}}, set()),
        ({"helm": {"releaseName": "", "valueFiles": [], "skipCrds": False}}, set()),
        ({"helm": {}, "directory": {"recurse": False}, "kustomize": {"images": []}}, set()),
        ({"helm": {}, "directory": {"recurse": True}}, {"directory"}),
        ({"helm": {"valuesObject": {}}, "directory": {}}, {"helm"}),
        ({"helm": {"version": "v3"}}, {"helm"}),
        ({"directory": {"include": "*.yaml"}}, {"directory"}),
        ({"kustomize": {"commonLabels": {"a": "b"}}, "helm": {}}, {"kustomize"}),
    ],
)
def test_a_block_that_says_nothing_chooses_no_tool(
    blocks: dict[str, Any], chosen: set[str]
) -> None:
    source = {"repoURL": "https://git.example/a", "path": "web", **blocks}
    parsed = parse_application(application(source=source))
    read = parsed.spec.sources[0]
    assert {key for key in ("helm", "kustomize", "directory") if getattr(read, key)} == chosen
    assert parsed.document["spec"]["source"] == source


def test_two_sources_with_one_ref_and_only_refs_are_refused() -> None:
    ref = {"repoURL": "https://git.example/a", "ref": "values"}
    with pytest.raises(SpecInvalid, match="names two sources"):
        parse_application(application(source=None, sources=[ref, ref]))
    with pytest.raises(SpecInvalid, match="render nothing"):
        parse_application(application(source=None, sources=[ref]))


def test_a_password_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(SpecInvalid, match="holds a password") as caught:
        parse_application(application(source={"repoURL": "https://u:hunter2@h/x", "path": "."}))
    assert "hunter2" not in str(caught.value.as_dict())


def test_an_unknown_field_is_kept_and_warned_about_with_the_nearest_name() -> None:
    document = changed("spec.syncPolicy.automated.selfheal", True)
    document["spec"]["zzz"] = {"deep": [1]}
    parsed = parse_application(document)
    assert parsed.document["spec"]["zzz"] == {"deep": [1]}
    assert (
        "spec.syncPolicy.automated.selfheal: unknown field, kept and not used; "
        "did you mean selfHeal?"
    ) in parsed.warnings
    assert "spec.zzz: unknown field, kept and not used" in parsed.warnings


@pytest.mark.parametrize(
    ("option", "says"),
    [("Prune=fasle", "Prune is written"), ("CreateNamespce=true", "did you mean CreateNamespace")],
)
def test_a_misspelt_sync_option_is_kept_and_warned_about(option: str, says: str) -> None:
    parsed = parse_application(application(syncPolicy={"syncOptions": [option]}))
    assert parsed.spec.sync_policy.options == (option,)
    assert says in parsed.warnings[0]


def test_the_document_is_kept_word_for_word_without_status() -> None:
    document = copy.deepcopy(FULL) | {"status": {"sync": {}}, "operation": {"sync": {}}}
    assert json.dumps(parse_application(document).document) == json.dumps(FULL)
    assert "status" in document


def test_nesting_without_end_is_refused() -> None:
    deep: Any = {}
    for _ in range(5000):
        deep = {"a": deep}
    with pytest.raises(SpecInvalid, match="nested too deeply"):
        parse_application(application(extra=deep))


def test_many_unknown_fields_do_not_become_as_many_warnings() -> None:
    parsed = parse_application(application(**{f"field{i}": 1 for i in range(500)}))
    assert len(parsed.warnings) == 50


def test_new_application_writes_what_a_person_would_write() -> None:
    document = new_application(
        "web",
        repo_url="https://git.example/shop.git",
        path="web",
        revision="main",
        project="shop",
        dest_name="eu-1",
        dest_namespace="shop",
        automated=True,
        auto_prune=True,
        sync_options=["CreateNamespace=true"],
    )
    assert document == {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "web"},
        "spec": {
            "project": "shop",
            "source": {
                "repoURL": "https://git.example/shop.git",
                "path": "web",
                "targetRevision": "main",
            },
            "destination": {"name": "eu-1", "namespace": "shop"},
            "syncPolicy": {
                "automated": {"prune": True},
                "syncOptions": ["CreateNamespace=true"],
            },
        },
    }
    assert parse_application(document).warnings == ()


def test_automated_without_more_survives_being_empty() -> None:
    document = new_application(
        "web", repo_url="https://h/x", path=".", dest_name="a", automated=True
    )
    assert document["spec"]["syncPolicy"] == {"automated": {}}
    plain = new_application("web", repo_url="https://h/x", path=".", dest_name="a")
    assert "syncPolicy" not in plain["spec"]
    assert "metadata" in plain
    assert parse_application(document).spec.sync_policy.auto_sync


@pytest.mark.parametrize("doc", [None, [], "x", {}, {"kind": "Pod", "apiVersion": "v1"}])
def test_what_is_no_document_of_ours_is_refused(doc: Any) -> None:
    with pytest.raises(SpecInvalid):
        parse_document(doc, file="x.yaml", line=3)


@pytest.mark.parametrize(
    ("doc", "says"),
    [
        ({"kind": "Application", "metadata": {"name": "web"}}, "Application/web has no apiVersion"),
        ({"apiVersion": "v1", "kind": ""}, "the document has no kind"),
        ({"kind": ["x"]}, "the document has no apiVersion and kind"),
    ],
)
def test_what_a_document_does_not_say_is_told_exactly(doc: Any, says: str) -> None:
    with pytest.raises(SpecInvalid) as caught:
        parse_document(doc, file="x.yaml", line=3, item="items[1]")
    assert caught.value.message == f"x.yaml:3: items[1]: {says}"


FIELDS = [
    "metadata.name",
    "metadata.labels",
    "metadata.ownerReferences",
    "spec.source",
    "spec.source.helm",
    "spec.source.helm.parameters",
    "spec.destination",
    "spec.syncPolicy",
    "spec.syncPolicy.retry",
    "spec.syncPolicy.retry.backoff",
    "spec.syncPolicy.retry.backoff.duration",
    "spec.ignoreDifferences",
    "spec.info",
    "spec.anything",
]


@given(st.sampled_from(FIELDS), JSON)
def test_any_value_anywhere_is_kept_or_refused(path: str, value: Any) -> None:
    document = changed(path, value)
    before = json.dumps(document)
    try:
        parsed = parse_application(document)
    except SpecInvalid:
        return
    assert json.dumps(parsed.document) == before == json.dumps(document)


@given(JSON)
def test_any_json_is_read_or_refused(document: Any) -> None:
    with suppress(SpecInvalid):
        parse_application(document)
