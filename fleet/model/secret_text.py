"""What in a text, or under which name, looks like a secret.

For what is kept or shown although nobody vouched for it: log lines, and documents in the
audit log. A name decides where there is one; the well-known forms of credentials decide
for the rest. Neither is proof, and a secret called ``colour`` passes: what is known to be
secret is a ``Secret`` and never comes here.
"""

from __future__ import annotations

import re

from fleet.model.secret import MASK

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
#: In the name without its separators.
_SECRET = re.compile(
    r"passw|passphrase|secret|token|credential|authorization|bearer|kubeconfig|connectionstring"
    r"|(?:api|access|account|app|auth|client|deploy|encryption|host|license|master|private|session"
    r"|shared|signing|ssh|storage|tls)key|keydata"
)
#: Too short to be looked for anywhere but as the last word of a name.
_SHORT = frozenset({"pw", "pwd", "pass", "psw", "cred", "creds", "dsn", "otp"})
#: The last word of a name that tells about a secret and holds none.
_ABOUT = frozenset(
    ["at", "count", "days", "enabled", "expiration", "expires", "expiry", "file", "format",
     "hours", "id", "ids", "interval", "kind", "length", "lifetime", "limit", "minutes", "mode",
     "name", "names", "namespace", "path", "policy", "ref", "refs", "seconds", "size", "stdin",
     "timeout", "ttl", "type", "url", "version"]
)  # fmt: skip
#: The same for names that do not show where their words end; and names of Secrets in charts.
_ABOUT_ENDS = re.compile(r"(?:name|ref|seconds|version|type)$|existingsecret|pullsecrets?$")
#: Before ``key``: it is the name of something, as in topologyKey.
_PLAIN_KEYS = frozenset(
    ["cache", "foreign", "group", "index", "label", "partition", "primary", "public", "routing",
     "sort", "topology"]
)  # fmt: skip


def names_a_secret(name: str) -> bool:
    """Would what is stored under ``name`` (``db.password``, ``apiKey``, ``AUTH_PW``) be one?"""
    words = [word.lower() for word in _WORD.findall(name)]
    if not words:
        return False
    plain, last = "".join(words), words[-1]
    if last in _ABOUT or _ABOUT_ENDS.search(plain):
        return False
    if last == "key" and len(words) > 1:
        return words[-2] not in _PLAIN_KEYS
    return last in _SHORT or _SECRET.search(plain) is not None


def counts_secrets(name: str, value: str) -> bool:
    """``tokens: 3`` tells how many, ``token: 3`` may be one."""
    return name.lower().endswith(("tokens", "secrets", "keys")) and value.isdecimal()


def mentions_a_secret(text: str) -> bool:
    """Is there a word in it under which a secret could be stored?"""
    return any(names_a_secret(word) for word in _NAME.findall(text))


_NAME = re.compile(r"[A-Za-z_][\w.-]*")
#: Each with what stays of it: nothing, or what comes before the secret.
_FORMS = (
    (
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
            re.DOTALL,
        ),
        "",
    ),
    (re.compile(r"(?i)\b(?:bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), ""),
    # a token may stand where the user does
    (re.compile(r"(?i)(\bhttps?://)[^/\s\"'<>?#]*@"), r"\1" + MASK + "@"),
    (re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]+@"), r"\1:" + MASK + "@"),
    (re.compile(r"(?i)(\bhooks\.slack\.com/services/)\S+"), r"\1" + MASK),
    (re.compile(r"(?i)([?&][\w.-]*(?:token|sig|signature|key|secret|passw(?:or)?d)=)[^&\s]+"),
     r"\1" + MASK),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"), ""),
    (re.compile(r"\bflt_[0-9A-Za-z]{22}_[0-9A-Za-z]{8,}(?:_[0-9A-Za-z]{6})?"), ""),
    # git hosts
    (re.compile(r"\bgh[opsur][-_][A-Za-z0-9-]{10,}|\bgithub_pat_[A-Za-z0-9_]{10,}"), ""),
    (
        re.compile(
            r"\bgl(?:pat|oas|dt|rt|rtr|cbt|ptt|ft|imt|agent|soat|ffct)-[A-Za-z0-9_.-]{10,}"
        ),
        "",
    ),
    (re.compile(r"\bATATT3[A-Za-z0-9_=-]{10,}|\bATBB[A-Za-z0-9]{20,}"), ""),
    # clouds, registries, chat, vaults
    (re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"), ""),
    (re.compile(r"\bAIza[A-Za-z0-9_-]{30,}|\bya29\.[A-Za-z0-9_-]{20,}"), ""),
    (re.compile(r"\b(?:dckr_pat|dop_v1|npm|glsa|shpat|sk_live|rk_live)_[A-Za-z0-9_-]{16,}"), ""),
    (re.compile(r"\b(?:pypi|sk-ant|sk-proj)-[A-Za-z0-9_-]{16,}|\bhv[sbr]\.[A-Za-z0-9_-]{20,}"), ""),
    (re.compile(r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bxapp-[A-Za-z0-9-]{10,}"), ""),
)  # fmt: skip

#: ``name=``, ``name: ``, ``"name":`` and ``--name ``, up to the value.
_ASSIGNED = re.compile(
    r"(?P<before>^[ \t]*(?:-[ \t]+)?)?(?<![\w./-])(?P<flag>--)?"
    r"(?P<name>[A-Za-z_][\w.-]*)(?P<quote>\\*[\"'])?"
    r"(?:(?P<equals>[ \t]*=[ \t]*)|[ \t]*:[ \t]+|:(?=\\*[\"'])|(?(flag)[ \t]+|(?!)))",
    re.MULTILINE,
)
_VALUE = re.compile(
    r"""(?:"(?:[^"\\]|\\.)*"|\\+"[^"\\]*\\+"|'[^']*'|[^\s"']+)(?P<after>[ \t]*$)?""", re.MULTILINE
)
_NO_SECRET = frozenset({"true", "false", "null", "none", "~", "|", ">", "|-", ">-", MASK})
_SHORTEST_ODD = 6


def without_secrets(text: str) -> str:
    """``text`` with what looks like a credential blotted out.

    A value under a secret's name goes if it is assigned (``password=x``, ``"token": "x"``),
    stands alone on its line (``password: x``), or is no word of a sentence: of *token:
    expired an hour ago* nothing is lost.
    """
    for form, kept in _FORMS:
        text = form.sub(kept or MASK, text)
    parts, done, at = [], 0, 0
    while (assigned := _ASSIGNED.search(text, at)) is not None:
        at = assigned.end()
        value = _VALUE.match(text, at) if names_a_secret(assigned["name"]) else None
        if value is not None and _is_secret(assigned, value):
            parts += [text[done:at], MASK]
            done = at = value.end()
    return "".join((*parts, text[done:]))


def _is_secret(assigned: re.Match[str], value: re.Match[str]) -> bool:
    plain = value[0].strip("\"'\\,;)]} \t").lower()
    if not plain or plain in _NO_SECRET or counts_secrets(assigned["name"], plain):
        return False
    if assigned["equals"] is not None:
        return True
    odd = len(plain) >= _SHORTEST_ODD and any(letter.isdigit() for letter in plain)
    if assigned["flag"] is not None or odd:
        return odd
    alone = assigned["before"] is not None and value["after"] is not None
    return alone or value[0][0] in "\"'\\" or assigned["quote"] is not None
