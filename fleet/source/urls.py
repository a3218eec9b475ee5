"""Repository URLs: one parser, one canonical form, one answer to "is it the same?".

Spellings that are understood: ``https://``, ``http://``, ``ssh://``, scp-like
``git@host:path``, ``file:///path``, ``oci://host/path`` and the bare ``host/path`` of an OCI
registry. Everything that has made git or curl do something else than fetch is refused here,
before anything is resolved or started: other schemes, ``ext::``, leading dashes, control
characters, backslashes, encoded separators, fragments, passwords in the URL.

A bare ``host:5000/path`` is a registry with a port; ``host:path`` is scp-like. git itself
would read both as scp-like, but no registry could be named then.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace
from urllib.parse import unquote, urljoin

from fleet.errors import Place, SpecInvalid

DEFAULT_PORTS = {"https": 443, "http": 80, "ssh": 22, "oci": 443}
MAX_URL_LENGTH = 2048

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_SCP = re.compile(r"(?:(?P<user>[^@/:]+)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^@/:\[\]]+):(?P<path>.*)")
_BARE_REGISTRY = re.compile(r"[^@/:\[\]]+(?::[0-9]{1,5})?(?:/.*)?")
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?")
_USER = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.+%~-]*")
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\\"'`<>^{|}]|[^\x00-\x7f]")
_ENCODED_SEPARATOR = re.compile(r"%(?:[01][0-9a-f]|7f|2f|5c|(?![0-9a-f]{2}))", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RepositoryUrl:
    """The parts of a valid URL.

    ``host`` is lower case, without brackets or a trailing dot, ``""`` for files. ``port`` is
    the real one, the scheme's default filled in, 0 for files. ``path`` starts with ``/``, has
    no trailing one, and is ``""`` when the URL names a host alone.
    """

    scheme: str
    user: str
    host: str
    port: int
    path: str
    query: str = ""
    scp: bool = False  # written ``user@host:path``: the path is relative to the login directory
    bare: bool = False  # an OCI registry without a scheme

    @property
    def netloc(self) -> str:
        """``host`` or ``host:port``, with brackets around an IPv6 address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS.get(self.scheme, 0) else f"{host}:{self.port}"

    @property
    def origin(self) -> tuple[str, str, int]:
        """What a credential is bound to."""
        return (self.scheme, self.host, self.port)

    def __str__(self) -> str:
        """The spelling to hand to git, curl or a person."""
        user = f"{self.user}@" if self.user else ""
        query = f"?{self.query}" if self.query else ""
        if self.scp:
            host = f"[{self.host}]" if ":" in self.host else self.host
            return f"{user}{host}:{self.path.removeprefix('/')}"
        if self.bare:
            return f"{self.netloc}{self.path}"
        return f"{self.scheme}://{user}{self.netloc}{self.path}{query}"

    @property
    def canonical(self) -> str:
        """Equal for two spellings of one repository: scp-like as ssh, no ``.git``, no user
        on http (who asks is no part of what is asked for)."""
        path = self.path.removesuffix(".git") if self.path != "/.git" else self.path
        user = f"{self.user}@" if self.user and self.scheme == "ssh" else ""
        return f"{self.scheme}://{user}{self.netloc}{path}"


def parse_url(text: str, *, link: bool = False) -> RepositoryUrl:
    """Parse and judge ``text``.

    Args:
        link: true for what an index or a registry hands out (signed download links): a
            query is allowed and the path is kept to the letter.

    Raises:
        SpecInvalid: malformed, of another scheme, or of a kind known from attacks.
    """
    _refuse_unsafe(text)
    match = _SCHEME.fullmatch(text)
    if match:
        return _with_scheme(text, match[1].lower(), match[2], link)
    if text.startswith(("/", ".", "~")):
        raise _invalid(text, "a local path is no URL", hint="Write file:///absolute/path.")
    if "?" in text or "#" in text:
        raise _invalid(text, "a query or fragment has no meaning in a repository URL")
    scp = _SCP.fullmatch(text)
    if scp and not re.fullmatch(r"[0-9]{1,5}(/.*)?", scp["path"]):
        if not scp["path"] or scp["path"].startswith("-"):
            raise _invalid(text, "the path is missing or starts with a dash")
        path = _path(text, "/" + scp["path"].removeprefix("/"))
        host = _host(text, scp["host"])
        return RepositoryUrl("ssh", _user(text, scp["user"] or ""), host, 22, path, scp=True)
    if _BARE_REGISTRY.fullmatch(text):
        authority, slash, rest = text.partition("/")
        host, port = _split_authority(text, authority, "oci")
        return RepositoryUrl("oci", "", host, port, _path(text, slash + rest), bare=True)
    raise _invalid(text, "not a repository URL")


def join_url(base: str, reference: str) -> str:
    """``reference``, as found in an index or ``.gitmodules``, seen from the directory ``base``.

    Raises:
        SpecInvalid: the outcome is no acceptable URL.
    """
    if _SCHEME.fullmatch(reference):
        return str(parse_url(reference, link=True))
    origin = parse_url(base)
    _refuse_unsafe(reference)
    joined = urljoin(f"http://x{origin.path}/", reference)
    if not joined.startswith("http://x/"):
        raise _invalid(reference, "it names another host without a scheme")
    path = joined.removeprefix("http://x")
    target = replace(origin, path=path)
    return str(parse_url(str(target), link=True))


def _with_scheme(text: str, scheme: str, rest: str, link: bool) -> RepositoryUrl:
    if scheme not in {"https", "http", "ssh", "file", "oci"}:
        raise _invalid(
            text,
            f"the scheme {scheme!r} is not supported",
            hint="Use https, http, ssh, file or oci.",
        )
    if "#" in rest:
        raise _invalid(text, "a fragment has no meaning in a repository URL")
    rest, mark, query = rest.partition("?")
    if mark and not (link and scheme in {"https", "http"}):
        raise _invalid(text, "a query has no meaning in a repository URL")
    authority, slash, path = rest.partition("/")
    path = _path(text, slash + path, link)
    if scheme == "file":
        if authority not in {"", "localhost"} or not path:
            raise _invalid(text, "a file URL is file:///absolute/path")
        return RepositoryUrl("file", "", "", 0, path)
    user, at, host_port = authority.rpartition("@")
    if at and ":" in user:
        raise _invalid(
            text, "it holds a password", hint="Give the password with --password-stdin instead."
        )
    if at and scheme == "oci":
        raise _invalid(text, "a registry URL has no user")
    host, port = _split_authority(text, host_port, scheme)
    return RepositoryUrl(scheme, _user(text, user), host, port, path, query)


def _split_authority(text: str, authority: str, scheme: str) -> tuple[str, int]:
    match = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]{1,5}))?", authority)
    if not match:
        raise _invalid(text, "the host or the port is malformed")
    port = int(match[2]) if match[2] else DEFAULT_PORTS[scheme]
    if not 0 < port < 65536:
        raise _invalid(text, "the port is out of range")
    return _host(text, match[1]), port


def _host(text: str, host: str) -> str:
    if host.startswith("["):
        try:
            return str(ipaddress.IPv6Address(host.strip("[]")))
        except ValueError:
            raise _invalid(text, "the IPv6 address is malformed") from None
    name = host.lower().removesuffix(".")
    if not _HOST.fullmatch(name) or ".." in name or len(name) > 253:
        raise _invalid(text, "the host name is malformed")
    return name


def _user(text: str, user: str) -> str:
    if user and not _USER.fullmatch(user):
        raise _invalid(text, "the user name is malformed")
    return user


def _path(text: str, path: str, link: bool = False) -> str:
    segments = unquote(path).split("/")
    if ".." in segments or "." in segments:
        raise _invalid(text, "the path has dot segments")
    return path if link else re.sub(r"/{2,}", "/", path).rstrip("/")


def _refuse_unsafe(text: str) -> None:
    if not text or len(text) > MAX_URL_LENGTH:
        raise _invalid(text[:80], f"a URL has 1 to {MAX_URL_LENGTH} characters")
    if text.startswith("-"):
        raise _invalid(text, "it starts with a dash")
    if _UNSAFE.search(text):
        raise _invalid(
            text,
            "it holds spaces, control characters, backslashes, quotes or letters outside ASCII",
            hint="Write an international host name in its xn-- form.",
        )
    if _ENCODED_SEPARATOR.search(text):
        raise _invalid(text, "it holds an encoded separator or control character")
    if "::" in text and "[" not in text:
        raise _invalid(text, "transport helpers (name::address) are not supported")


def _invalid(text: str, why: str, *, hint: str = "") -> SpecInvalid:
    shown = re.sub(r"//[^/@]*@", "//", text)  # a password may be in it
    return SpecInvalid(f"{shown[:200]!r}: {why}", place=Place(field="url"), hint=hint)
