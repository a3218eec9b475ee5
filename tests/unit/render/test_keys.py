"""Equal keys, equal manifests: what enters the key and what does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fleet.model.applications import HelmSource, Source, ValuesReference
from fleet.model.renders import GivenValues, Reads, RenderRequest, SourceTree, ToolVersion
from fleet.model.secret import Secret
from fleet.render.keys import render_key, same_facts
from fleet.render.tools import Tools

TREE = SourceTree("/one", "a" * 40, "https://git.example.com/a.git")
REQUEST = RenderRequest(
    TREE, Source("https://git.example.com/a.git", path="app"), "shop", "ns", "p", "1.31", ("v1",)
)
READS = Reads(paths=("app/", "values.yaml"), ref_paths=(("v", "x.yaml"),))
HASHES = {"app/": "1", "values.yaml": None, "$v/x.yaml": "2"}
TOOLS = Tools(
    ToolVersion("helm", "4.3.1", "/h", "PATH"), ToolVersion("kubectl", "1.37.1", "/k", "PATH")
)
KEY = render_key(REQUEST, READS, HASHES, TOOLS)


def test_key_is_stable() -> None:
    assert render_key(REQUEST, READS, dict(reversed(HASHES.items())), TOOLS) == KEY
    assert len(KEY) == 64


@pytest.mark.parametrize(
    "changes",
    [
        {"application": "other"},
        {"namespace": "other"},
        {"project": "other"},
        {"kube_version": "1.32"},
        {"api_versions": ()},
        {"tree": replace(TREE, root="/two", revision="b" * 40)},
        {"source": replace(REQUEST.source, target_revision="v2", name="x", repo_url="y")},
    ],
)
def test_facts_enter_only_when_read(changes: dict[str, Any]) -> None:
    other = replace(REQUEST, **changes)
    assert render_key(other, READS, HASHES, TOOLS) == KEY
    assert same_facts(REQUEST, other, READS)
    reads_all = replace(
        READS, application=True, namespace=True, project=True, revision=True, cluster=True
    )
    assert render_key(other, reads_all, HASHES, TOOLS) != render_key(
        REQUEST, reads_all, HASHES, TOOLS
    )
    assert not same_facts(REQUEST, other, reads_all)


@pytest.mark.parametrize("path", HASHES)
def test_every_hash_enters(path: str) -> None:
    assert render_key(REQUEST, READS, {**HASHES, path: "changed"}, TOOLS) != KEY


@pytest.mark.parametrize(
    "source",
    [
        replace(REQUEST.source, path="other"),
        replace(REQUEST.source, helm=HelmSource(values="a: 1")),
        replace(REQUEST.source, helm=HelmSource(values_object={"a": 1})),
    ],
)
def test_parameters_enter(source: Source) -> None:
    assert render_key(replace(REQUEST, source=source), READS, HASHES, TOOLS) != KEY


def test_values_of_a_cluster_enter_by_their_digest() -> None:
    helm = HelmSource(values_from=(ValuesReference("Secret", "db"),))
    asking = replace(REQUEST, source=replace(REQUEST.source, helm=helm))

    def key(values: GivenValues) -> str:
        return render_key(replace(asking, values=(values,)), READS, HASHES, TOOLS)

    assert key(GivenValues("one", Secret("a"))) == key(GivenValues("one"))
    assert len({key(GivenValues("one")), key(GivenValues("two")), key(GivenValues())}) == 3


def test_a_chart_without_them_keeps_the_key_that_it_had_before_there_were_any() -> None:
    helm = replace(REQUEST.source, helm=HelmSource(release_name="web"))
    found = render_key(replace(REQUEST, source=helm), READS, HASHES, TOOLS)
    assert found == "a7e54dff7c5b79ab2a289e20e7e039fd0977c0edf6302fad560ae623872ff961"


def test_tool_version_enters() -> None:
    newer = replace(TOOLS, helm=replace(TOOLS.helm, version="4.4.0"))
    assert render_key(REQUEST, READS, HASHES, newer) != KEY


def test_a_hash_that_is_missing_is_an_error() -> None:
    with pytest.raises(KeyError):
        render_key(REQUEST, READS, {"app/": "1"}, TOOLS)
