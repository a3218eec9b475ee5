"""The command line: flags in, one call of the HTTP API, tables out.

A command parses, asks the API once and hands the answer to ``output``. Which API that is,
``target`` decides: a server, the ``fleet up`` of this home, or the same application mounted
in this process. Never here: a rule, a decision about a cluster, SQL, a traceback. Heavy
imports stay inside the functions that need them, so that ``--help`` costs nothing.
"""

from __future__ import annotations

import sys


def main() -> None:
    """The console script ``fleet``."""
    from fleet.cli.program import run

    sys.exit(run(sys.argv[1:]))
