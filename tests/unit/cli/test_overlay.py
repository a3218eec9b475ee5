"""Flags laid over an Application."""

from __future__ import annotations

from typing import Any

import click
import pytest

from fleet.cli.app.spec_flags import anything_given, spec_options
from fleet.cli.app.spec_overlay import image_name, with_flags
from fleet.errors import UsageError
from fleet.model.parsing import new_application, parse_application


def flags(*arguments: str) -> dict[str, Any]:
    """What click makes of a command line."""
    found: dict[str, Any] = {}

    @click.command()
    @spec_options
    def command(**given: Any) -> None:
        found.update(given)

    command.main(list(arguments), standalone_mode=False)
    return found


def created(*arguments: str) -> dict[str, Any]:
    document = with_flags(new_application("web", repo_url=""), flags(*arguments))
    parse_application(document)  # whatever flags make is a valid document
    return document


PLAIN = ("--repo", "https://git.example/shop.git", "--path", "web", "--dest-name", "eu-1")


def test_the_command_line_of_the_manual() -> None:
    document = created(
        *PLAIN, "--project", "shop", "--revision", "main", "--dest-namespace", "shop",
        "--sync-policy", "automated", "--auto-prune", "--self-heal",
        "--sync-option", "CreateNamespace=true",
    )  # fmt: skip
    assert document["spec"] == {
        "project": "shop",
        "source": {
            "repoURL": "https://git.example/shop.git",
            "path": "web",
            "targetRevision": "main",
        },
        "destination": {"name": "eu-1", "namespace": "shop"},
        "syncPolicy": {
            "automated": {"prune": True, "selfHeal": True},
            "syncOptions": ["CreateNamespace=true"],
        },
    }


def test_nothing_more_is_written_than_was_given() -> None:
    assert created(*PLAIN)["spec"] == {
        "project": "default",
        "source": {"repoURL": "https://git.example/shop.git", "path": "web"},
        "destination": {"name": "eu-1"},
    }


@pytest.mark.parametrize(
    ("arguments", "block"),
    [
        (("--values", "a.yaml", "--values", "b.yaml"), {"valueFiles": ["a.yaml", "b.yaml"]}),
        (("--release-name", "r", "--helm-skip-crds"), {"releaseName": "r", "skipCrds": True}),
        (
            ("--helm-set", "a=1", "-p", "b=x,y"),
            {"parameters": [{"name": "a", "value": "1"}, {"name": "b", "value": "x,y"}]},
        ),
        (
            ("--helm-set-string", "a=1"),
            {"parameters": [{"name": "a", "value": "1", "forceString": True}]},
        ),
        (("--helm-set-file", "a=x.txt"), {"fileParameters": [{"name": "a", "path": "x.txt"}]}),
        (
            ("--helm-values-from", "ConfigMap/web", "--helm-values-from", "secret/db:pw@db.pw?"),
            {
                "valuesFrom": [
                    {"kind": "ConfigMap", "name": "web"},
                    {
                        "kind": "Secret",
                        "name": "db",
                        "valuesKey": "pw",
                        "targetPath": "db.pw",
                        "optional": True,
                    },
                ]
            },
        ),
        (
            ("--helm-values-from", "ConfigMap/web", "--helm-values-from", "ConfigMap/web?"),
            {"valuesFrom": [{"kind": "ConfigMap", "name": "web", "optional": True}]},
        ),
        (("--helm-set", "a=1", "--helm-set", "a=2"), {"parameters": [{"name": "a", "value": "2"}]}),
    ],
)
def test_helm(arguments: tuple[str, ...], block: dict[str, Any]) -> None:
    assert created(*PLAIN, *arguments)["spec"]["source"]["helm"] == block


@pytest.mark.parametrize(
    ("arguments", "block"),
    [
        (("--nameprefix", "p-", "--namesuffix", "-s"), {"namePrefix": "p-", "nameSuffix": "-s"}),
        (("--kustomize-image", "web=r/web:2"), {"images": ["web=r/web:2"]}),
        (("--kustomize-image", "r/web:1", "--kustomize-image", "r/web:2"), {"images": ["r/web:2"]}),
        (("--kustomize-replica", "web=3"), {"replicas": [{"name": "web", "count": 3}]}),
        (("--kustomize-common-label", "a=b"), {"commonLabels": {"a": "b"}}),
    ],
)
def test_kustomize(arguments: tuple[str, ...], block: dict[str, Any]) -> None:
    assert created(*PLAIN, *arguments)["spec"]["source"]["kustomize"] == block


def test_directory_and_jsonnet() -> None:
    document = created(
        *PLAIN, "--directory-recurse", "--directory-include", "*.yaml",
        "--jsonnet-ext-var-str", "a=b", "--jsonnet-tla-code", "n=1+1", "--jsonnet-libs", "vendor",
    )  # fmt: skip
    assert document["spec"]["source"]["directory"] == {
        "recurse": True,
        "include": "*.yaml",
        "jsonnet": {
            "extVars": [{"name": "a", "value": "b"}],
            "tlas": [{"name": "n", "value": "1+1", "code": True}],
            "libs": ["vendor"],
        },
    }


def test_plugins() -> None:
    document = created(
        *PLAIN, "--config-management-plugin", "tanka", "--plugin-env", "A=1",
        "--plugin-env", "A=2", "--plugin-param", "env=prod",
    )  # fmt: skip
    assert document["spec"]["source"]["plugin"] == {
        "name": "tanka",
        "env": [{"name": "A", "value": "2"}],
        "parameters": [{"name": "env", "string": "prod"}],
    }


def test_metadata() -> None:
    document = created(*PLAIN, "--label", "a=b", "--annotation", "x.y/z=1", "--set-finalizer")
    assert document["metadata"] == {
        "name": "web",
        "labels": {"a": "b"},
        "annotations": {"x.y/z": "1"},
        "finalizers": ["resources-finalizer.argocd.argoproj.io"],
    }


def test_set_changes_only_what_is_given() -> None:
    before = created(*PLAIN, "--sync-policy", "auto", "--self-heal", "--helm-set", "a=1")
    before["spec"]["vendor"] = {"of": "somebody"}
    after = with_flags(before, flags("--helm-set", "b=2", "--no-self-heal", "--auto-prune"))
    assert after["spec"]["vendor"] == {"of": "somebody"}
    assert after["spec"]["syncPolicy"] == {"automated": {"selfHeal": False, "prune": True}}
    assert [it["name"] for it in after["spec"]["source"]["helm"]["parameters"]] == ["a", "b"]
    assert before["spec"]["syncPolicy"] == {"automated": {"selfHeal": True}}, "a copy is changed"


def test_auto_sync_is_switched_off() -> None:
    before = created(*PLAIN, "--sync-policy", "automated", "--sync-option", "Prune=false")
    after = with_flags(before, flags("--sync-policy", "none", "--sync-option", "!Prune=false"))
    assert "syncPolicy" not in after["spec"] or after["spec"]["syncPolicy"] == {}


def test_no_retries_are_a_number_of_retries() -> None:
    document = created(*PLAIN, "--sync-retry-limit", "0", "--no-sync-retry-refresh")
    assert document["spec"]["syncPolicy"] == {"retry": {"limit": 0}}
    parsed = parse_application(document)
    assert parsed.spec.sync_policy.retry.limit == 0


def test_another_destination_takes_the_place_of_the_first() -> None:
    after = with_flags(created(*PLAIN), flags("--dest-server", "https://10.0.0.1:6443"))
    assert after["spec"]["destination"] == {"server": "https://10.0.0.1:6443"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("--auto-prune",),
        ("--self-heal", "--sync-policy", "none"),
        ("--dest-server", "https://a", "--dest-name", "b"),
        ("--kustomize-replica", "web=many"),
        ("--values-literal-file", "/nonexistent"),
        ("--helm-values-from", "web"),
        ("--helm-values-from", "Pod/web"),
    ],
)
def test_flags_that_do_not_fit_are_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        with_flags(new_application("web", repo_url=""), flags(*arguments))


def test_of_several_sources_one_is_named() -> None:
    several = {"spec": {"sources": [{"repoURL": "a", "path": "."}, {"repoURL": "b", "path": "."}]}}
    with pytest.raises(UsageError, match="2 sources") as caught:
        with_flags(several, flags("--revision", "v2"))
    assert "--source-position" in caught.value.hint
    changed = with_flags(several, flags("--revision", "v2"), position=2)
    assert [it.get("targetRevision") for it in changed["spec"]["sources"]] == [None, "v2"]
    assert (
        with_flags(several, flags("--label", "a=b"))["spec"]["sources"]
        == several["spec"]["sources"]
    )
    with pytest.raises(UsageError):
        with_flags(several, flags("--revision", "v2"), position=3)


def test_what_was_given_is_told_from_what_was_not() -> None:
    assert not anything_given(flags())
    assert anything_given(flags("--no-self-heal"))
    assert anything_given(flags("--path", ""))


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("web=r/web:2", "web"),
        ("web:2", "web"),
        ("r:5000/web", "r:5000/web"),
        ("r:5000/web:2", "r:5000/web"),
        ("r/web@sha256:abc", "r/web"),
    ],
)
def test_an_image_is_known_by_its_name(image: str, name: str) -> None:
    assert image_name(image) == name
