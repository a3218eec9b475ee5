"""The servers that a case is run against, and how they are reached."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Any

import httpx

Object = dict[str, Any]

#: Becomes the field manager of writes that name none: the part before the slash.
USER_AGENT = "contract/1.0"
READ_SECONDS = 20


@dataclass(frozen=True)
class Target:
    """One cluster, ``real`` or a sandbox: of the former, what a case expects is asserted."""

    url: str
    ca_pem: str = field(repr=False)
    token: str = field(repr=False)
    real: bool

    def client(self) -> httpx.Client:
        """A client that is the cluster's admin; connections are kept."""
        return httpx.Client(
            base_url=self.url,
            verify=ssl.create_default_context(cadata=self.ca_pem),
            headers={
                "Authorization": f"Bearer {self.token}",
                "User-Agent": USER_AGENT,
                "Accept-Encoding": "identity",  # what is packed comes late in a watch
            },
            timeout=READ_SECONDS,
            trust_env=False,
        )
