"""``fleet admin``: the RBAC policy, tried out before it is applied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fleet.cli.command import Group
from fleet.cli.documents import one_document
from fleet.cli.failures import tell_warnings
from fleet.cli.invocation import Invocation
from fleet.cli.options import output_option
from fleet.cli.output import to_json, to_yaml
from fleet.cli.verdicts import say_whether
from fleet.errors import UsageError
from fleet.model.access import NO_POLICY

_file_option = click.option(
    "-f",
    "--policy-file",
    help="A ConfigMap argocd-rbac-cm, or policy CSV (.csv); - is standard input.",
)


@click.group(cls=Group)
def admin() -> None:
    """The RBAC policy: who may do what."""


@admin.group(cls=Group)
def rbac() -> None:
    """Look at the RBAC policy, and try one out."""


@rbac.command(examples=("fleet admin rbac show > rbac.yaml",))
@output_option("yaml", "json", default="yaml")
@click.pass_obj
def show(invocation: Invocation, output: str) -> None:
    """Print the policy in force. `fleet apply -f` puts another in force."""
    document = invocation.api.get("policy")
    click.echo(to_json(document) if output == "json" else to_yaml(document))


@rbac.command(examples=("fleet admin rbac validate -f rbac.yaml",))
@_file_option
@click.pass_obj
def validate(invocation: Invocation, policy_file: str | None) -> None:
    """Check a policy: whether it can be read, and what is probably not meant."""
    if policy_file is None:
        raise UsageError("which policy? Give -f FILE")
    answer = invocation.api.post("policy", "validate", body={"document": _policy(policy_file)})
    tell_warnings(answer["warnings"])
    click.echo(f"{policy_file}: {answer['rules']} rules, {answer['grants']} grants of roles")


@rbac.command(
    examples=(
        "fleet admin rbac can alice sync applications shop/web",
        "fleet admin rbac can role:dev delete applications 'shop/*' -f rbac.yaml",
    )
)
@click.argument("subject")
@click.argument("action")
@click.argument("resource")
@click.argument("object_", metavar="OBJECT", required=False, default="*")
@_file_option
@click.pass_obj
def can(
    invocation: Invocation,
    subject: str,
    action: str,
    resource: str,
    object_: str,
    policy_file: str | None,
) -> None:
    """Say whether an account, a group, role:NAME or proj:PROJECT:ROLE may do something."""
    body: dict[str, Any] = {
        "subject": subject,
        "action": action,
        "resource": resource,
        "object": object_,
    }
    if policy_file is not None:
        body["document"] = _policy(policy_file)
    say_whether(invocation.api.post("policy", "can", body=body))


def _policy(name: str) -> dict[str, Any]:
    if not name.endswith(".csv"):
        return one_document(name)
    try:
        text = Path(name).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{name}: cannot be read: {error}") from None
    return {**NO_POLICY, "data": {"policy.csv": text}}
