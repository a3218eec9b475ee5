"""What kustomizations name outside their own repository: git repositories and single files.

The spellings are those that kustomize understands (its ``repospec``): ``//`` or ``.git`` ends
the repository's part of a URL, else it is the first two segments; ``?ref=`` names the revision.
Which of the two an ``https`` URL means is told by its look alone, so that nothing is asked twice:
one that ends like a manifest and names no revision is a file. Submodules are not fetched.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

from fleet.errors import RevisionNotFound, SpecInvalid
from fleet.model.renders import FetchedBase
from fleet.model.repositories import Remote
from fleet.source.addresses import AddressRules
from fleet.source.http import HttpClient, Request, refuse_status
from fleet.source.mirrors import Mirrors
from fleet.source.revisions import resolve
from fleet.source.transport import route_of
from fleet.source.urls import parse_url

FILE_BYTES = 10 * 1024 * 1024
_FILE = "manifest.yaml"
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_SCP = re.compile(r"(?:[\w.-]+@)?[\w.-]+:(?!//)")
_GIT_PART = re.compile(r"(?P<repo>.*?/_git/[^/]+|.*?\.git)(?:/+(?P<path>.*))?$")
_TWO_SEGMENTS = re.compile(r"(?P<repo>/*[^/]+/[^/]+)(?:/(?P<path>.*))?$")


@dataclass(frozen=True, slots=True)
class BaseReference:
    """``path`` is a directory of the repository at ``url``; a file stands for itself."""

    url: str
    path: str = ""
    revision: str = ""
    is_file: bool = False


def parse_base(entry: str) -> BaseReference:
    """Read an entry of ``resources``, ``bases`` or ``components`` that is no local path.

    Raises:
        SpecInvalid: it names nothing that could be fetched.
    """
    text, _, query = entry.removeprefix("git::").partition("?")
    if text.startswith("gh:"):
        text = f"https://github.com/{text.removeprefix('gh:')}"
    if not _SCHEME.match(text) and not _SCP.match(text):
        text = f"https://{text}"
    named = dict(parse_qsl(query))
    revision = named.get("ref") or named.get("version") or ""
    lead, rest = _lead(text)
    if text.lower().startswith("http") and _is_manifest(rest, revision):
        return BaseReference(str(parse_url(text, link=True)), is_file=True)
    repo, path = _split(rest)
    if not repo.strip("/"):
        raise SpecInvalid(f"{entry[:200]!r} names no repository")
    return BaseReference(str(parse_url(lead + repo)), path.strip("/"), revision)


def _lead(text: str) -> tuple[str, str]:
    """What names the host, and the rest."""
    scheme = _SCHEME.match(text)
    if scheme is None:
        end = text.index(":") + 1
        return text[:end], text[end:]
    slash = text.find("/", scheme.end())
    return (text, "") if slash < 0 else (text[:slash], text[slash:])


def _is_manifest(path: str, revision: str) -> bool:
    return path.endswith((".yaml", ".yml", ".json")) and not revision and "//" not in path


def _split(rest: str) -> tuple[str, str]:
    """A URL's path as the repository's part and the directory in it."""
    repo, cut, path = rest.partition("//")
    if cut:
        return repo, path
    found = _GIT_PART.match(rest) or _TWO_SEGMENTS.match(rest)
    return (found["repo"], found["path"] or "") if found else (rest, "")


class Bases:
    """Fetches what was parsed: git through the mirrors, files over http, all into one store."""

    def __init__(
        self, mirrors: Mirrors, *, rules: AddressRules, deadline_seconds: float = 120.0
    ) -> None:
        self._mirrors = mirrors
        self._rules = rules
        self._deadline = deadline_seconds

    async def obtain(self, remote: Remote, wanted: BaseReference, entry: str) -> FetchedBase:
        """The directory or file that ``wanted`` is now, on this machine.

        Args:
            remote: what is at ``wanted.url``, and how it is reached.

        Raises:
            RevisionNotFound: the repository has no such branch, tag or commit.
            SourceUnreachable, SourceAuthFailed, AddressForbidden, SourceError.
        """
        if wanted.is_file:
            return FetchedBase(entry, str(await self._download(remote)), _FILE)
        refs = await self._mirrors.ls_remote(remote)
        sha = resolve(refs, wanted.revision)
        if sha is None:
            raise RevisionNotFound(
                f"{remote.url} has no branch, tag or commit {wanted.revision[:80]}",
                hint=f"Mend the kustomization that names {entry[:200]}.",
                object=remote.url,
            )
        await self._mirrors.fetch(remote, [sha])
        return FetchedBase(entry, (await self._mirrors.checkout(remote, sha)).root, wanted.path)

    async def _download(self, remote: Remote) -> Path:
        request = Request(remote.url, registered=remote.registered, limit_bytes=FILE_BYTES)
        client = HttpClient(self._rules.of(remote), route_of(remote, self._deadline))
        reply = await client.send(request)
        refuse_status(reply, remote.url.partition("?")[0])

        digest = hashlib.sha256(reply.body).hexdigest()

        async def build(folder: Path) -> int:
            return (folder / _FILE).write_bytes(reply.body)

        return await self._mirrors.trees.obtain(f"file\0{remote.url}\0{digest}", build)
