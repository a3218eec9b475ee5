"""``fleet export``: everything as YAML that Argo CD takes, and ``fleet apply``."""

from __future__ import annotations

import click

from fleet.cli.command import Command
from fleet.cli.invocation import Invocation
from fleet.cli.options import output_option
from fleet.cli.output import to_json, to_yaml


@click.command(
    cls=Command,
    examples=(
        "fleet export > fleet.yaml",
        "fleet export --with-secrets > backup.yaml",
        "fleet export | kubectl apply -n argocd -f -",
    ),
)
@click.option(
    "--with-secrets",
    is_flag=True,
    help="Also clusters, repositories and their credentials, in the clear. It is audited.",
)
@output_option("yaml", "json", default="yaml")
@click.pass_obj
def export(invocation: Invocation, with_secrets: bool, output: str) -> None:
    """Print everything as Argo CD's own documents.

    Settings, plugins, projects, ApplicationSets and applications, as they were written, without
    what Fleet marks them with. Without --with-secrets there is nothing secret in it. Plugins are
    no objects of a cluster: kubectl passes over them, saying so, and Argo CD takes each as the
    `plugin.yaml` of a sidecar.
    """
    query = {"secrets": True} if with_secrets else {}
    documents = invocation.api.get("export", query=query)["documents"]
    if output == "json":
        whole = {"apiVersion": "v1", "kind": "List", "items": documents}
        click.echo(to_json(whole))
        return
    for document in documents:
        click.echo("---")
        click.echo(to_yaml(document))
