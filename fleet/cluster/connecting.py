"""Addresses and certificates as users write them: checked, and in one spelling."""

from __future__ import annotations

import base64
import binascii
from ipaddress import ip_address
from urllib.parse import urlsplit

from fleet.errors import Place, SpecInvalid


def pem_of(data: str, *, field: str) -> str:
    """PEM from the base64 in which kubeconfigs and Argo CD wrap it; "" stays "".

    Raises:
        SpecInvalid: not base64, or not text within.
    """
    try:
        return base64.b64decode("".join(data.split()), validate=True).decode()
    except (binascii.Error, ValueError) as exc:
        raise SpecInvalid("has to be base64 of PEM", place=Place(field=field)) from exc


def checked_server(text: object, *, field: str, allow_http_loopback: bool = False) -> str:
    """``https://host[:port][/path]`` without a trailing slash.

    Args:
        allow_http_loopback: also ``http://`` to this very machine, as ``kubectl proxy``
            listens.

    Raises:
        SpecInvalid: anything else, named by ``field``.
    """
    place = Place(field=field)
    if not isinstance(text, str) or not text.strip():
        raise SpecInvalid("the address of the API server is missing", place=place)
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError as exc:
        raise SpecInvalid("the address of the API server is not a URL", place=place) from exc
    if parts.username or parts.password:
        # Not quoted: what stands there is a password.
        raise SpecInvalid("credentials do not belong into the address", place=place)
    if parts.query or parts.fragment or not host or port == 0 or "\\" in text:
        raise SpecInvalid(
            f"{text!r} is not the address of an API server",
            place=place,
            hint="Write https://host[:port], as a kubeconfig has it under `server`.",
        )
    allowed = parts.scheme == "https" or (
        parts.scheme == "http" and allow_http_loopback and _is_loopback(host)
    )
    if not allowed:
        raise SpecInvalid(
            f"{text!r} is not https",
            place=place,
            hint="Credentials are sent to this address; it has to be https://host[:port].",
        )
    return text.strip().rstrip("/")


def checked_proxy(text: object, *, field: str) -> str:
    """``http(s)://host:port``, or "" for none.

    Raises:
        SpecInvalid: another scheme, or credentials in it.
    """
    if text in (None, ""):
        return ""
    place = Place(field=field)
    try:
        parts = urlsplit(str(text))
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SpecInvalid("a proxy is http://host:port", place=place)
    if parts.username or parts.password:
        raise SpecInvalid("a proxy with credentials in its address is not supported", place=place)
    return str(text)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
