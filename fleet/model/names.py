"""Names as Kubernetes allows them. Sources: RFC 1123, Kubernetes "Object Names and IDs"
and "Labels and Selectors"."""

from __future__ import annotations

import re

DNS_LABEL_LENGTH = 63
DNS_SUBDOMAIN_LENGTH = 253

_DNS_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")
_QUALIFIED = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?")

DNS_LABEL_RULE = (
    "at most 63 lower-case letters, digits and '-', beginning and ending with a letter or digit"
)
DNS_SUBDOMAIN_RULE = (
    "at most 253 lower-case letters, digits, '-' and '.', "
    "each part beginning and ending with a letter or digit"
)


def is_dns_label(text: str) -> bool:
    """What a Namespace may be called."""
    return len(text) <= DNS_LABEL_LENGTH and _DNS_LABEL.fullmatch(text) is not None


def is_dns_subdomain(text: str) -> bool:
    """What most objects may be called, Applications and AppProjects among them."""
    if len(text) > DNS_SUBDOMAIN_LENGTH:
        return False
    return all(_DNS_LABEL.fullmatch(part) for part in text.split("."))


def is_label_key(text: str) -> bool:
    """``name`` or ``prefix/name``; an annotation's key follows the same rule."""
    prefix, slash, name = text.rpartition("/")
    if slash and not is_dns_subdomain(prefix):
        return False
    return len(name) <= DNS_LABEL_LENGTH and _QUALIFIED.fullmatch(name) is not None


def is_label_value(text: str) -> bool:
    """Empty is a value too."""
    return not text or (len(text) <= DNS_LABEL_LENGTH and _QUALIFIED.fullmatch(text) is not None)
