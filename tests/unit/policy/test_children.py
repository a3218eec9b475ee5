"""In which projects an application may make others, and which projects it may write."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from fleet.model.children import CHILD_PROJECTS, MANAGED_PROJECTS, Parent
from fleet.model.ids import ApplicationId
from fleet.model.projects import (
    DEFAULT_PROJECT_SPEC,
    KindRule,
    ProjectDestination,
    ProjectSpec,
)
from fleet.policy import may_have_application, may_keep_document, may_write_project

NARROW = ProjectSpec(
    source_repos=("*",), destinations=(ProjectDestination(server="*", namespace="argocd"),)
)


def parent(**annotations: str) -> Parent:
    document = {"metadata": {"name": "team", "annotations": annotations}}
    return Parent(ApplicationId(UUID(int=1)), "root", "team", document)


def test_in_its_own_project_it_may() -> None:
    assert may_have_application(parent(), NARROW, "team")


@pytest.mark.parametrize(
    ("listed", "project", "allowed"),
    [
        ("", "other", False),
        ("other", "other", True),
        ("shop-*, other", "shop-eu", True),
        ("shop-*", "other", False),
        ("*", "other", True),
        ("[", "other", False),
    ],
)
def test_in_others_where_its_project_names_them(listed: str, project: str, allowed: bool) -> None:
    having = may_have_application(parent(**{CHILD_PROJECTS: listed}), NARROW, project)
    writing = may_write_project(parent(**{MANAGED_PROJECTS: listed}), NARROW, project)
    assert (bool(having), bool(writing)) == (allowed, allowed)
    # one does not follow from the other
    assert not may_write_project(parent(**{CHILD_PROJECTS: listed}), NARROW, project)


def test_a_project_is_not_its_own_to_write() -> None:
    assert not may_write_project(parent(), NARROW, "team")
    assert CHILD_PROJECTS in may_have_application(parent(), NARROW, "other").reason


def test_one_that_allows_everything_gives_nothing_away() -> None:
    for project in ("other", "team"):
        assert may_have_application(parent(), DEFAULT_PROJECT_SPEC, project)
        assert may_write_project(parent(), DEFAULT_PROJECT_SPEC, project)
    assert may_keep_document(parent(), DEFAULT_PROJECT_SPEC)


@pytest.mark.parametrize(
    "narrower",
    [
        replace(DEFAULT_PROJECT_SPEC, source_repos=("https://git.example/**",)),
        replace(DEFAULT_PROJECT_SPEC, source_repos=("*", "!https://git.example/secret")),
        replace(DEFAULT_PROJECT_SPEC, destinations=NARROW.destinations),
        replace(
            DEFAULT_PROJECT_SPEC,
            destinations=(
                *DEFAULT_PROJECT_SPEC.destinations,
                ProjectDestination(server="*", namespace="!kube-system"),
            ),
        ),
        replace(DEFAULT_PROJECT_SPEC, cluster_allow=()),
        replace(DEFAULT_PROJECT_SPEC, cluster_allow=(KindRule("*", "*", "shop-*"),)),
        replace(DEFAULT_PROJECT_SPEC, cluster_deny=(KindRule("", "Node"),)),
        replace(DEFAULT_PROJECT_SPEC, namespace_deny=(KindRule("", "Secret"),)),
        replace(DEFAULT_PROJECT_SPEC, namespace_allow=(KindRule("*", "*"),)),
    ],
)
def test_anything_that_it_forbids_makes_it_narrow(narrower: ProjectSpec) -> None:
    assert not may_have_application(parent(), narrower, "other")
    assert not may_write_project(parent(), narrower, "other")
    assert not may_keep_document(parent(), narrower)
