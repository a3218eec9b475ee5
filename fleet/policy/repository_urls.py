"""One spelling for the URLs that reach one repository, so that a rule about one spelling
is a rule about all of them."""

from __future__ import annotations

import re
from urllib.parse import unquote

_SCP = re.compile(r"(?P<user>[^/:@\s]+)@(?P<host>\[[0-9A-Fa-f:.]+\]|[^/:@\s]+):(?P<path>.*)")
_URL = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?(?P<authority>[^/]*)(?P<path>.*)", re.DOTALL
)
_UNRESERVED = re.compile(r"%(?:2[de]|3[0-9]|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae])", re.IGNORECASE)
_DEFAULT_PORTS = {"https": ":443", "http": ":80", "ssh": ":22"}


def canonical_url(url: str) -> str:
    """Scheme and host in lower case, no default port, no name or password of an HTTP user,
    ``user@host:path`` as ``ssh://``, dot segments resolved, no trailing ``.git`` or ``/``."""
    scheme, authority, path = _split(url.strip())
    path = _UNRESERVED.sub(lambda found: unquote(found[0]), path)
    return _joined(scheme, authority, _resolved(path))


def canonical_pattern(pattern: str) -> str:
    """The same of a glob, as far as that can be done to a text with wildcards in it."""
    scheme, authority, path = _split(pattern.strip())
    return _joined(scheme, authority, path)


def _split(url: str) -> tuple[str, str, str]:
    scp = _SCP.fullmatch(url)
    if scp and "://" not in url:
        return "ssh", f"{scp['user']}@{scp['host']}", "/" + scp["path"].lstrip("/")
    found = _URL.fullmatch(url)
    assert found is not None  # every part of the pattern may be empty
    return (found["scheme"] or "").lower(), found["authority"], found["path"]


def _joined(scheme: str, authority: str, path: str) -> str:
    user, at, host = authority.rpartition("@")
    host = host.lower().removesuffix(_DEFAULT_PORTS.get(scheme, "\0")).rstrip(".")
    if scheme in {"http", "https"}:
        user = at = ""
    path = path.rstrip("/").removesuffix(".git").rstrip("/")
    return f"{scheme}://{user}{at}{host}{path}" if scheme else f"{user}{at}{host}{path}"


def _resolved(path: str) -> str:
    kept: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del kept[-1:]
        elif part not in {"", "."}:
            kept.append(part)
    return "/" + "/".join(kept) if kept else ""
