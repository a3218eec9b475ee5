"""The HTTP API: requests in, the same JSON out for CLI, UI and everyone else.

In: HTTP with a bearer token, or calls in the same process. Out: JSON; one error shape;
lists with a cursor. Never here: SQL, a rule, a decision about a cluster. A route names what
it lets whom do (``caller.require``), calls one operation or query, and shapes the answer.
"""

from fleet.api.app import create_app, create_health_app

__all__ = ["create_app", "create_health_app"]
