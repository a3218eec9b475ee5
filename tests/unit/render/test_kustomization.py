"""Argo CD's edits of a kustomization, and what a kustomization refers to."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.errors import RenderError
from fleet.model.applications import KustomizeReplica, KustomizeSource
from fleet.render.kustomization import edited, parse_image, references, relocated

IMAGES = {
    "nginx:1.2": {"name": "nginx", "newTag": "1.2"},
    "nginx=reg:5000/web": {"name": "nginx", "newName": "reg:5000/web"},
    "nginx=reg:5000/web:2": {"name": "nginx", "newName": "reg:5000/web", "newTag": "2"},
    "nginx@sha256:ab": {"name": "nginx", "digest": "sha256:ab"},
    "nginx=web:2@sha256:ab": {
        "name": "nginx",
        "newName": "web",
        "newTag": "2",
        "digest": "sha256:ab",
    },
    "reg:5000/a/b:v1": {"name": "reg:5000/a/b", "newTag": "v1"},
    "a=*:v1": {"name": "a", "newName": "*", "newTag": "v1"},
    "a:*": {"name": "a", "newTag": "*"},
}


@pytest.mark.parametrize("text", IMAGES)
def test_image(text: str) -> None:
    assert parse_image(text) == IMAGES[text]


@pytest.mark.parametrize("text", ["", "nginx", "=x", "a=", "a=b=c", ":1", "reg:5000/a"])
def test_no_image(text: str) -> None:
    with pytest.raises(RenderError, match="is no image"):
        parse_image(text)


def edit(document: dict[str, Any], **options: Any) -> dict[str, Any]:
    return edited(
        document,
        KustomizeSource(**options),
        expand=lambda text: text.replace("$NAME", "shop"),
        component_exists=lambda path: path != "../gone",
    )


EDITS: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ({"namePrefix": "a-"}, {"name_prefix": "b-"}, {"namePrefix": "b-"}),
    ({"nameSuffix": "-a"}, {"name_suffix": "-b"}, {"nameSuffix": "-b"}),
    ({"namespace": "a"}, {"namespace": "b"}, {"namespace": "b"}),
    (
        {"images": [{"name": "z", "newTag": "0"}, {"name": "a", "newName": "n", "newTag": "1"}]},
        {"images": ("a:$NAME", "b=c")},
        {
            "images": [
                {"name": "a", "newTag": "shop"},
                {"name": "b", "newName": "c"},
                {"name": "z", "newTag": "0"},
            ]
        },
    ),
    (
        {"images": [{"name": "a", "newName": "n", "digest": "d"}]},
        {"images": ("a=*:2",)},
        {"images": [{"name": "a", "newTag": "2", "newName": "n"}]},
    ),
    (
        {"replicas": [{"name": "a", "count": 1}, {"name": "b", "count": 1}]},
        {"replicas": (KustomizeReplica("a", 3),)},
        {"replicas": [{"name": "b", "count": 1}, {"name": "a", "count": 3}]},
    ),
    (
        {"commonLabels": {"a": "1"}},
        {"common_labels": (("b", "$NAME"),)},
        {"commonLabels": {"a": "1", "b": "shop"}},
    ),
    (
        {"commonLabels": {"a": "1"}},
        {"common_labels": (("a", "2"),), "force_common_labels": True},
        {"commonLabels": {"a": "2"}},
    ),
    (
        {},
        {"common_labels": (("a", "2"),), "label_without_selector": True},
        {"labels": [{"pairs": {"a": "2"}, "includeSelectors": False, "includeTemplates": False}]},
    ),
    (
        {"labels": [{"pairs": {"x": "1"}, "includeSelectors": True}, {"pairs": {"y": "1"}}]},
        {"common_labels": (("a", "2"),), "label_without_selector": True},
        {
            "labels": [
                {"pairs": {"x": "1"}, "includeSelectors": True},
                {"pairs": {"y": "1", "a": "2"}},
            ]
        },
    ),
    (
        {"labels": [{"pairs": {"y": "1"}}]},
        {
            "common_labels": (("a", "2"),),
            "label_without_selector": True,
            "label_include_templates": True,
        },
        {
            "labels": [
                {"pairs": {"y": "1"}},
                {"pairs": {"a": "2"}, "includeSelectors": False, "includeTemplates": True},
            ]
        },
    ),
    (
        {},
        {"common_annotations": (("a", "$NAME"),)},
        {"commonAnnotations": {"a": "$NAME"}},
    ),
    (
        {},
        {"common_annotations": (("a", "$NAME"),), "common_annotations_envsubst": True},
        {"commonAnnotations": {"a": "shop"}},
    ),
    (
        {"commonAnnotations": {"a": "1"}},
        {"common_annotations": (("a", "2"),), "force_common_annotations": True},
        {"commonAnnotations": {"a": "2"}},
    ),
    (
        {"patches": [{"path": "x"}]},
        {"patches": ({"patch": "y"},)},
        {"patches": [{"path": "x"}, {"patch": "y"}]},
    ),
    (
        {"components": ["../a"]},
        {"components": ("../a", "../b")},
        {"components": ["../a", "../b"]},
    ),
    (
        {},
        {"components": ("../gone", "../b"), "ignore_missing_components": True},
        {"components": ["../b"]},
    ),
    ({"resources": ["a"]}, {}, {"resources": ["a"]}),
]


@pytest.mark.parametrize(("document", "options", "expected"), EDITS)
def test_edit(document: dict[str, Any], options: dict[str, Any], expected: Any) -> None:
    before = repr(document)
    assert edit(document, **options) == expected
    assert repr(document) == before


@pytest.mark.parametrize(
    ("document", "options", "message"),
    [
        ({"commonLabels": {"a": "1"}}, {"common_labels": (("a", "2"),)}, "label a is already"),
        (
            {"commonAnnotations": {"a": "1"}},
            {"common_annotations": (("a", "2"),)},
            "annotation a is already",
        ),
        ({}, {"common_labels": (("a", "1"),), "label_include_templates": True}, "needs label"),
        ({}, {"images": ("nginx",)}, "is no image"),
    ],
)
def test_edit_refused(document: dict[str, Any], options: dict[str, Any], message: str) -> None:
    with pytest.raises(RenderError, match=message):
        edit(document, **options)


def test_references() -> None:
    document = {
        "resources": ["a.yaml", "../b", "kind: Inline\nmetadata: {}", 3],
        "bases": ["c"],
        "components": ["../d"],
        "generators": ["g.yaml"],
        "transformers": ["t.yaml"],
        "validators": ["v.yaml"],
        "crds": ["crd.json"],
        "configurations": ["conf.yaml"],
        "patches": [{"path": "p.yaml"}, {"patch": "inline"}],
        "patchesJson6902": [{"path": "j.yaml"}],
        "patchesStrategicMerge": ["s.yaml", "kind: X\n"],
        "replacements": [{"path": "r.yaml"}, {"source": {}}],
        "openapi": {"path": "o.json"},
        "configMapGenerator": [{"files": ["f.txt", "k=h.txt"], "envs": ["e.env"], "env": "x.env"}],
        "secretGenerator": [{"files": ["z"]}],
    }
    assert [reference.entry for reference in references(document)] == [
        *("a.yaml", "../b", "c", "../d", "g.yaml", "t.yaml", "v.yaml", "crd.json", "conf.yaml"),
        *("p.yaml", "j.yaml", "r.yaml", "s.yaml", "o.json"),
        *("f.txt", "h.txt", "e.env", "x.env", "z"),
    ]


@pytest.mark.parametrize("value", [None, 3, "x", {"a": 1}, [None, 3, {"path": 3}]])
@pytest.mark.parametrize("key", ["resources", "patches", "configMapGenerator", "openapi", "crds"])
def test_references_of_nonsense(key: str, value: Any) -> None:
    assert list(references({key: value})) == []


def test_relocated() -> None:
    document = {"resources": ["a", "b.yaml", 3], "bases": ["a"], "crds": ["a"]}
    moved = relocated(document, lambda entry: "/new" if entry == "a" else None)
    assert moved == {"resources": ["/new", "b.yaml", 3], "bases": ["/new"], "crds": ["a"]}
