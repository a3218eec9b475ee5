"""The program ``fleet``: its commands by name, and the edge where errors become exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from fleet.cli.command import Lazy, LazyGroup, everywhere
from fleet.cli.failures import INTERRUPTED, show, show_unexpected, show_usage
from fleet.cli.invocation import Invocation
from fleet.errors import FleetError

SECTIONS = {
    "Run Fleet": {
        "up": Lazy("fleet.cli.up", "up", "Run everything in one process."),
        "api": Lazy("fleet.cli.parts", "api", "Run the API alone."),
        "daemon": Lazy("fleet.cli.parts", "daemon", "Run the leader alone; show its jobs."),
        "worker": Lazy("fleet.cli.parts", "worker", "Run a worker alone."),
        "db": Lazy("fleet.cli.db", "db", "Look after the database, ask it in SQL."),
        "sandbox": Lazy("fleet.cli.sandbox", "sandbox", "Clusters to try things on."),
        "tools": Lazy("fleet.cli.tools", "tools", "Put helm and kubectl in place."),
    },
    "Clusters and sources": {
        "cluster": Lazy("fleet.cli.cluster", "cluster", "Clusters that Fleet deploys to."),
        "repo": Lazy("fleet.cli.repo", "repo", "Repositories that Fleet reads."),
        "repocreds": Lazy(
            "fleet.cli.repocreds", "repocreds", "Credentials for repositories, by URL prefix."
        ),
        "gpg": Lazy("fleet.cli.gpg", "gpg", "Public keys that may sign commits."),
        "decryption-key": Lazy(
            "fleet.cli.decryption_key",
            "decryption_key",
            "Private keys that files are decrypted with.",
        ),
        "plugin": Lazy("fleet.cli.plugin", "plugin", "Plugins that render sources."),
        "cert": Lazy("fleet.cli.cert", "cert", "Certificates and host keys of git servers."),
    },
    "Applications": {
        "app": Lazy("fleet.cli.app", "app", "What runs where, from which source."),
        "proj": Lazy("fleet.cli.proj", "proj", "Projects: what applications may use."),
        "apply": Lazy("fleet.cli.apply", "apply", "Create or change things from YAML."),
        "export": Lazy("fleet.cli.export", "export", "Everything, as Argo CD's own YAML."),
    },
    "Access and audit": {
        "account": Lazy("fleet.cli.account", "account", "Accounts and their API tokens."),
        "admin": Lazy("fleet.cli.admin", "admin", "The RBAC policy: who may do what."),
        "audit": Lazy("fleet.cli.audit", "audit", "Who changed what; is the log intact?"),
        "secret": Lazy("fleet.cli.secret", "secret", "The keys that seal credentials."),
    },
    "This client": {
        "login": Lazy("fleet.cli.login", "login", "Sign in to a server."),
        "logout": Lazy("fleet.cli.login", "logout", "Forget the token of a server."),
        "context": Lazy("fleet.cli.login", "context", "Show or choose the server to talk to."),
        "completion": Lazy("fleet.cli.completion", "completion", "Completion for your shell."),
        "version": Lazy("fleet.cli.version", "version", "Versions of client, server and tools."),
    },
}


@click.pass_context
def _top(ctx: click.Context) -> None:
    """Runs before every command; keeps what the options said."""
    ctx.ensure_object(Invocation)


fleet = LazyGroup(
    "fleet",
    sections=SECTIONS,
    callback=_top,
    params=list(everywhere(hidden=False)),
    help="Fleet keeps Kubernetes clusters as Git says they should be.\n\n"
    "It talks to the server of --server or of the current context; without one, to the"
    " `fleet up` of this machine; without that, to the database itself.\n\n"
    "Exit codes: 0 done, 1 differences or not converged, 2 usage, 3 failed, 4 unreachable.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    examples=(
        "fleet up",
        "fleet cluster add eu-1 --context eu-1 --label env=prod",
        "fleet app create web --repo https://git.example/shop.git --path web --dest-name eu-1",
        "fleet app wait web --sync --health --timeout 60",
    ),
)


def run(arguments: Sequence[str]) -> int:
    """The whole program; the exit code."""
    invocation = Invocation()
    try:
        code = fleet.main(list(arguments), prog_name="fleet", standalone_mode=False, obj=invocation)
        return code if isinstance(code, int) else 0
    except click.Abort as error:
        if isinstance(error.__cause__, KeyboardInterrupt):
            return INTERRUPTED  # click makes one of the other
        click.echo("Aborted: nothing was changed.", err=True)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except click.ClickException as error:
        return show_usage(error, _output_of(arguments))
    except FleetError as error:
        return show(error, invocation.output)
    except BrokenPipeError:
        # whoever read our output has seen enough; the interpreter must not flush it again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the edge of the program
        return show_unexpected(error, invocation.output)
    finally:
        _close(invocation)


def _output_of(arguments: Sequence[str]) -> str:
    """What ``-o`` asked for on a line that could not be parsed."""
    words = list(arguments)
    for at, word in enumerate(words):
        if word in ("-o", "--output"):
            return words[at + 1] if at + 1 < len(words) else ""
        if word.startswith(("-o", "--output=")) and not word.startswith("--output-"):
            return word.removeprefix("--output=").removeprefix("-o").removeprefix("=")
    return ""


def _close(invocation: Invocation) -> None:
    try:
        invocation.close()
    except Exception as error:  # noqa: BLE001 - what was asked is done; the rest is tidying up
        show_unexpected(error, invocation.output)
