"""The spec of an application as flags, spelt as argocd spells them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from fleet.cli.options import Function, Pairs

AUTOMATED = ("automated", "auto", "automatic")
POLICIES = click.Choice([*AUTOMATED, "none", "manual"])
_PAIR = Pairs()
_Option = Callable[[Any], Any]


def _text(*names: str, metavar: str = "TEXT", help: str) -> _Option:
    return click.option(*names, default=None, metavar=metavar, help=help)


def _flag(name: str, help: str) -> _Option:
    return click.option(f"{name}/--no-{name[2:]}", default=None, help=help)


def _many(*names: str, metavar: str = "TEXT", help: str) -> _Option:
    return click.option(*names, multiple=True, metavar=metavar, help=f"{help}; repeatable.")


def _pairs(*names: str, help: str) -> _Option:
    return click.option(
        *names, multiple=True, type=_PAIR, metavar="KEY=VALUE", help=f"{help}; repeatable."
    )


_OPTIONS = (
    _text("--project", metavar="NAME", help="Project it belongs to."),
    _text("--repo", metavar="URL", help="Repository of its manifests."),
    _text("--path", metavar="DIR", help="Directory in the repository."),
    _text("--chart", "--helm-chart", "chart", metavar="NAME", help="Chart of a Helm repository."),
    _text("--revision", metavar="REV", help="Branch, tag, commit, or (range of) chart version."),
    _text("--dest-name", metavar="CLUSTER", help="Cluster, by name."),
    _text("--dest-server", metavar="URL", help="Cluster, by address."),
    _text("--dest-namespace", metavar="NAME", help="Namespace for what names none."),
    click.option("--sync-policy", type=POLICIES, default=None, help="Sync by itself, or not."),
    _flag("--auto-prune", "Auto-sync also deletes what left Git."),
    _flag("--self-heal", "Auto-sync also undoes changes in the cluster."),
    _flag("--allow-empty", "Auto-sync may delete everything."),
    _many(
        "--sync-option",
        "sync_options",
        metavar="NAME=VALUE",
        help="Sync option; !NAME=VALUE takes it off",
    ),
    click.option(
        "--sync-retry-limit",
        type=int,
        default=None,
        help="Tries after a failed sync; < 0 no limit.",
    ),
    _text("--sync-retry-backoff-duration", metavar="DURATION", help="First pause between tries."),
    _text("--sync-retry-backoff-max-duration", metavar="DURATION", help="Longest pause."),
    click.option(
        "--sync-retry-backoff-factor", type=int, default=None, help="Each pause is longer by it."
    ),
    _flag("--sync-retry-refresh", "A retry takes what Git wants by then."),
    click.option(
        "--revision-history-limit",
        type=click.IntRange(0),
        default=None,
        help="Deployments to list.",
    ),
    _pairs("-l", "--label", "labels", help="Label"),
    _pairs("--annotation", "--annotations", "annotations", help="Annotation"),
    _flag("--shadow", "Only compare it, and never write to a cluster for it."),
    click.option(
        "--set-finalizer/--no-set-finalizer", default=None, help="Deleting it deletes its objects."
    ),
    _many("--values", metavar="FILE", help="Helm: values file in the repository"),
    _text("--values-literal-file", metavar="FILE", help="Helm: values file on this machine."),
    _flag("--ignore-missing-value-files", "Helm: a values file may be missing."),
    _pairs("--helm-set", "-p", "--parameter", "helm_set", help="Helm: parameter"),
    _pairs("--helm-set-string", help="Helm: parameter that is text, whatever it looks like"),
    _pairs("--helm-set-file", help="Helm: parameter from a file in the repository"),
    _many(
        "--helm-values-from",
        "values_from",
        metavar="KIND/NAME[:KEY][@PATH][?]",
        help="Helm: values that a ConfigMap or Secret of the destination's namespace holds"
        " (KEY, else values.yaml), at PATH a single one; ? if it may be missing",
    ),
    _text("--release-name", metavar="NAME", help="Helm: name of the release."),
    _flag("--helm-skip-crds", "Helm: leave the chart's CRDs out."),
    _flag("--helm-skip-tests", "Helm: leave the chart's tests out."),
    _flag("--helm-skip-schema-validation", "Helm: do not check values against the schema."),
    _flag("--helm-pass-credentials", "Helm: send credentials to other hosts, too."),
    _text("--helm-namespace", metavar="NAME", help="Helm: namespace of the release."),
    _text("--helm-kube-version", metavar="VERSION", help="Helm: version to render for."),
    _many("--helm-api-versions", metavar="VERSION", help="Helm: API version to render for"),
    _many("--kustomize-image", "kustomize_images", metavar="[OLD=]IMAGE", help="Kustomize: image"),
    _pairs("--kustomize-replica", "kustomize_replicas", help="Kustomize: replicas of NAME=COUNT"),
    _text("--nameprefix", help="Kustomize: prefix of every name."),
    _text("--namesuffix", help="Kustomize: suffix of every name."),
    _text("--kustomize-namespace", metavar="NAME", help="Kustomize: namespace of everything."),
    _pairs("--kustomize-common-label", "kustomize_labels", help="Kustomize: label for everything"),
    _pairs(
        "--kustomize-common-annotation",
        "kustomize_annotations",
        help="Kustomize: annotation for everything",
    ),
    _flag("--kustomize-force-common-label", "Kustomize: replace labels that are there."),
    _flag("--kustomize-force-common-annotation", "Kustomize: replace annotations that are there."),
    _flag("--kustomize-label-without-selector", "Kustomize: leave selectors alone."),
    _flag("--kustomize-label-include-templates", "Kustomize: Pod templates get the labels, too."),
    _many(
        "--kustomize-component", "kustomize_components", metavar="DIR", help="Kustomize: component"
    ),
    _text("--config-management-plugin", metavar="NAME", help="Plugin: its name."),
    _pairs("--plugin-env", help="Plugin: variable"),
    _pairs("--plugin-param", help="Plugin: parameter that is a text"),
    _flag("--directory-recurse", "Directory: read folders of folders, too."),
    _text("--directory-include", metavar="GLOB", help="Directory: only these files."),
    _text("--directory-exclude", metavar="GLOB", help="Directory: not these files."),
    _pairs("--jsonnet-ext-var-str", help="Jsonnet: external variable, text"),
    _pairs("--jsonnet-ext-var-code", help="Jsonnet: external variable, code"),
    _pairs("--jsonnet-tla-str", help="Jsonnet: top-level argument, text"),
    _pairs("--jsonnet-tla-code", help="Jsonnet: top-level argument, code"),
    _many("--jsonnet-libs", metavar="DIR", help="Jsonnet: library folder in the repository"),
)


def spec_options(function: Function) -> Function:
    """Every flag of an application's spec; they arrive as keyword arguments."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def anything_given(flags: Mapping[str, Any]) -> bool:
    return any(value not in (None, ()) for value in flags.values())
