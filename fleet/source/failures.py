"""What git said → what it means for the person who has to act. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fleet.errors import (
    AddressForbidden,
    RevisionNotFound,
    SourceAuthFailed,
    SourceError,
    SourceUnreachable,
)
from fleet.model.secret import Secret
from fleet.source.known_hosts import host_pattern
from fleet.source.urls import RepositoryUrl

MESSAGE_LENGTH = 300

_CREDENTIAL_HINT = "Check the credential: `fleet repo get {url}` shows which one is used."
_KNOWN_HOST_HINT = (
    "If the key was changed on purpose, replace it: `fleet cert rm --cert-type ssh '{known}'`, "
    "then `fleet cert add-ssh`."
)

# Tried in this order: the first that matches names the failure.
_TABLE: tuple[tuple[str, type[SourceError], str, str], ...] = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|Host key for .* has changed",
        SourceAuthFailed,
        "the server shows another SSH host key than the known one",
        _KNOWN_HOST_HINT,
    ),
    (
        r"Host key verification failed|host key is known",
        SourceAuthFailed,
        "its SSH host key is not known",
        (
            "Add it with `fleet cert add-ssh` after comparing it with what the server's "
            "administrator says."
        ),
    ),
    (
        r"Permission denied \(|Too many authentication failures|invalid format|error in libcrypto",
        SourceAuthFailed,
        "the server refused the SSH key",
        _CREDENTIAL_HINT,
    ),
    (
        (
            r"SSL certificate problem|server certificate verification failed"
            r"|certificate verify failed|no alternative certificate subject name"
        ),
        SourceAuthFailed,
        "its TLS certificate is not trusted",
        "Trust its CA with `fleet cert add-tls {host} --from FILE`.",
    ),
    (
        (
            r"Authentication failed|could not read Username|could not read Password"
            r"|returned error: 40[13]|terminal prompts disabled|alert certificate required"
        ),
        SourceAuthFailed,
        "the server refused the credential, or wants one",
        _CREDENTIAL_HINT,
    ),
    (
        r"returned error: 30[1-8]|unable to update url base from redirection",
        AddressForbidden,
        "the server redirects to another address",
        "Register the repository under the address that it moved to.",
    ),
    (
        r"transport '.*' not allowed",
        AddressForbidden,
        "this kind of address is not allowed",
        "",
    ),
    (
        (
            r"couldn't find remote ref|not our ref|unadvertised object|no such remote ref"
            r"|remote error: upload-pack: not our ref"
        ),
        RevisionNotFound,
        "no such revision",
        "It may have been deleted, or rewritten by a forced push.",
    ),
    (
        (
            r"[Rr]epository .*not found|returned error: 404|does not appear to be a git repository"
            r"|not a git repository|repository does not exist|not valid: is this a git repository"
        ),
        SourceError,
        "no such repository, or the credential may not see it",
        _CREDENTIAL_HINT,
    ),
    (
        (
            r"Could not resolve host|Connection refused|Failed to connect|Couldn't connect"
            r"|timed out|Operation too slow|Connection reset|returned error: (?:429|5\d\d)"
            r"|transfer closed|early EOF|unexpected disconnect|hung up unexpectedly"
            r"|Connection closed|Empty reply"
            r"|No route to host|Network is unreachable|curl (?:7|18|28|52|55|56|92)\b|RPC failed"
        ),
        SourceUnreachable,
        "the server cannot be reached",
        "Check the address, and that this machine may reach {host}.",
    ),
)
_CORRUPT = re.compile(
    r"not a git repository: '|object file .* is empty|loose object .* is corrupt"
    r"|packfile .* (?:cannot be accessed|is corrupt|does not match index)|is far too short"
    r"|index file .* is too small|wrong index|bad index file|garbage at end of loose"
    r"|error: (?:inflate|unable to unpack|bad object header|refs/fleet/.* does not point)"
    r"|missing (?:blob|tree|commit) object|unable to read (?:tree|sha1 file|object)|bad tree object"
    r"|fatal: bad config|invalid index-pack output|could not parse HEAD|pack has \d+ unresolved",
)


def is_corrupt(stderr: str) -> bool:
    """True when the local mirror itself is broken; the cure is to clone it again."""
    return _CORRUPT.search(stderr) is not None


def failure(stderr: str, target: RepositoryUrl, secrets: Iterable[Secret] = ()) -> SourceError:
    """The error for a git command that failed; never holds a secret."""
    said = scrub(stderr, secrets)
    for pattern, kind, meaning, hint in _TABLE:
        if re.search(pattern, stderr):
            detail = _telling_line(said)
            return kind(
                f"{target}: {meaning} ({detail})" if detail else f"{target}: {meaning}",
                hint=hint.format(
                    url=target, host=target.host, known=host_pattern(target.host, target.port)
                ),
            )
    return SourceError(f"{target}: git failed: {_telling_line(said) or 'without a word'}")


def scrub(text: str, secrets: Iterable[Secret]) -> str:
    """``text`` without the secrets, without userinfo in URLs, printable, one space a gap."""
    for secret in secrets:
        value = secret.reveal()
        for part in (value, value.partition(" ")[2]):
            if len(part) >= 4:
                text = text.replace(part, "••••••")
    text = re.sub(r"://[^/@\s]*@", "://", text)
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text)


def _telling_line(text: str) -> str:
    """The line that says most: the first that git marks as an error, else the first."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if re.match(r"(?:fatal|error|ERROR|remote|ssh):", line)]
    chosen = (telling or lines or [""])[0]
    return re.sub(r"^(?:fatal|error): ", "", chosen)[:MESSAGE_LENGTH]
