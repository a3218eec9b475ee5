"""Which Fleet a run talks to: a server, the one that runs on this home, or one in-process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from fleet.cli.client import Api, is_loopback, remote
from fleet.cli.contexts import Contexts, contexts_file, load_contexts
from fleet.cli.invocation import Invocation
from fleet.cli.running import running_address
from fleet.errors import UsageError

ADMIN_FILE = "admin.token"
NEARBY_SECONDS = 1.0  # on this machine, whoever does not answer by then is not there


@dataclass(frozen=True, slots=True)
class Target:
    """A server to talk to. ``why`` says where the choice came from."""

    server: str
    token: str = field(repr=False)
    server_crt: str = ""
    why: str = ""


def chosen(invocation: Invocation, contexts: Contexts) -> Target | None:
    """The server that flags, variables or contexts name; None when nothing is configured.

    Raises:
        UsageError: http to another machine, unless that is asked for.
        NotFound: no such context.
    """
    if invocation.server:
        server = checked_url(invocation.server, plaintext=invocation.plaintext)
        known = next((it for it in contexts.named.values() if it.server == server), None)
        token = invocation.auth_token or (known.token if known else "")
        crt = invocation.server_crt or (known.server_crt if known else "")
        return Target(server, token, crt, "--server")
    name = invocation.context or contexts.current
    if not name:
        return None
    context = contexts.get(name)
    checked_url(context.server, plaintext=context.plaintext)
    return Target(
        context.server,
        invocation.auth_token or context.token,
        invocation.server_crt or context.server_crt,
        f"context {name}",
    )


def checked_url(text: str, *, plaintext: bool) -> str:
    """The server's URL in one spelling. Without a scheme it is https, on this machine http.

    Raises:
        UsageError: not a URL, or the token would cross a network unprotected.
    """
    hint = "Write it as https://fleet.example.com or http://127.0.0.1:8080."
    url = text.strip()
    if "://" not in url:
        host = urlsplit(f"//{url}").hostname or ""
        url = f"{'http' if plaintext or is_loopback(host) else 'https'}://{url}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", 0
    if not host or port == 0 or parts.scheme not in ("http", "https") or parts.query:
        raise UsageError(f"{text!r} is not the URL of a Fleet server", hint=hint)
    if parts.username or parts.password:
        raise UsageError("credentials do not belong into the server's URL", hint=hint)
    if parts.scheme == "http" and not plaintext and not is_loopback(host):
        raise UsageError(
            f"{url} is not https: the API token would cross the network unprotected",
            hint="Use https, or say --plaintext if the network in between is yours.",
        )
    return url.rstrip("/")


def nearby(home: Path) -> Target | None:
    """The ``fleet up`` that runs on ``home``, as its administrator; None without one."""
    address = running_address(home)
    if not address:
        return None
    try:
        token = (home / ADMIN_FILE).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return Target(address, token, why=f"fleet up on {home}")


@contextmanager
def open_api(invocation: Invocation) -> Iterator[Api]:
    """The API of this run."""
    target = chosen(invocation, load_contexts(contexts_file()))
    if target is not None:
        with remote(target.server, target.token, server_crt=target.server_crt) as api:
            yield api
        return
    target = nearby(invocation.settings.home)
    if target is not None:
        token = invocation.auth_token or target.token
        with remote(target.server, token, connect_seconds=NEARBY_SECONDS) as api:
            if api.alive():
                yield api
                return
    from fleet.cli.inprocess import mounted

    with mounted(invocation.settings) as api:
        yield api
