"""Whether a revision is signed as a project demands: the tag or commit, and its history."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from fleet.model.repositories import Remote
from fleet.source.mirrors import Mirrors
from fleet.source.revisions import is_sha, tag_of
from fleet.source.signatures import Signers, fault, signed_commit, signed_tag

#: Commits of a history that are looked at; a seal makes the rest unnecessary.
MOST_COMMITS = 20_000
_CHUNK = 200


async def integrity_fault(
    mirrors: Mirrors,
    remote: Remote,
    sha: str,
    *,
    target: str,
    prefix: str,
    strict: bool,
    signers: Signers,
) -> str:
    """Why what ``target`` means, the commit ``sha``, is not signed by ``signers``; "" if it is.

    As in Argo CD: of an annotated tag the tag counts, and with ``strict`` its commit and all
    before it as well, back to commits that seal their history.

    Raises:
        SourceError: the commit or tag cannot be had.
    """
    tag = "" if is_sha(target) else tag_of(await mirrors.ls_remote(remote), target, prefix)
    raw = await mirrors.tag_object(remote, f"refs/tags/{tag}", sha) if tag else None
    if raw is not None:
        found = await asyncio.to_thread(fault, signed_tag(raw), signers)
        if found:
            return f"tag {tag} {found}"
        if not strict:
            return ""
    if strict:
        return await _history_fault(mirrors, remote, sha, signers)
    commit = signed_commit((await mirrors.raw_commits(remote, [sha]))[0])
    found = await asyncio.to_thread(fault, commit, signers)
    return f"commit {sha[:12]} {found}" if found else ""


async def _history_fault(mirrors: Mirrors, remote: Remote, sha: str, signers: Signers) -> str:
    history = await mirrors.ancestry(remote, sha)
    if history is None:
        return "only a part of the history is fetched (depth), so it cannot be verified"
    sealed: set[str] = set()
    looked_at = 0
    for start in range(0, len(history), _CHUNK):
        # children come before their parents: whether a seal is above is known by now
        chunk = [entry for entry in history[start : start + _CHUNK] if entry[0] not in sealed]
        bodies = await mirrors.raw_commits(remote, [commit for commit, _ in chunk])
        known = dict(zip((commit for commit, _ in chunk), bodies, strict=True))
        looked_at += len(chunk)
        if looked_at > MOST_COMMITS:
            return f"more than {MOST_COMMITS} commits would have to be verified; seal the history"
        found = await asyncio.to_thread(
            _chunk_fault, history[start : start + _CHUNK], known, sealed, signers
        )
        if found:
            return found
    return ""


def _chunk_fault(
    history: Sequence[tuple[str, tuple[str, ...]]],
    known: dict[str, bytes],
    sealed: set[str],
    signers: Signers,
) -> str:
    """The first commit that is neither signed nor below a seal; ``sealed`` grows."""
    for commit, parents in history:
        if commit in sealed:
            sealed.update(parents)
            continue
        signed = signed_commit(known[commit])
        found = fault(signed, signers)
        if found:
            return f"commit {commit[:12]} {found}"
        if signed.is_seal:
            sealed.update(parents)
    return ""
