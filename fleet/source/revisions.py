"""What a remote offers, and which commit a target revision means. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fleet.source import semver

_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SHORT_SHA = re.compile(r"[0-9a-f]{7,39}")
_BAD_REF = re.compile(
    r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|$)|\.$|/$|^/|^\.|^-|^@$"
)


@dataclass(frozen=True, slots=True)
class RemoteRefs:
    """The answer of one ``ls-remote``.

    ``refs`` maps full names (``refs/heads/main``) to commit SHAs; annotated tags are peeled.
    ``head`` is the SHA of the default branch, ``""`` in an empty repository, and
    ``head_ref`` its full name if the server told.
    """

    refs: Mapping[str, str] = field(default_factory=dict)
    head: str = ""
    head_ref: str = ""

    @property
    def tags(self) -> tuple[str, ...]:
        """Short tag names, sorted."""
        return self._short("refs/tags/")

    @property
    def branches(self) -> tuple[str, ...]:
        """Short branch names, sorted."""
        return self._short("refs/heads/")

    def _short(self, prefix: str) -> tuple[str, ...]:
        return tuple(
            sorted(name.removeprefix(prefix) for name in self.refs if name.startswith(prefix))
        )


def is_sha(text: str) -> bool:
    """True for a full commit SHA, of 40 or 64 lower-case hexadecimal digits."""
    return _SHA.fullmatch(text) is not None


def is_short_sha(text: str) -> bool:
    """True for 7 to 39 lower-case hexadecimal digits: only a mirror can say what it means."""
    return _SHORT_SHA.fullmatch(text) is not None


def is_ref(text: str) -> bool:
    """True when git would accept ``text`` as a ref name (rules of git-check-ref-format), and
    it cannot be taken for an option."""
    return bool(text) and len(text) <= 1024 and _BAD_REF.search(text) is None


def resolve(refs: RemoteRefs, target_revision: str, tag_prefix: str = "") -> str | None:
    """The commit SHA that ``target_revision`` means now; None when there is no such thing.

    Order as in Argo CD: full SHA, ``HEAD`` (or empty), a version range over the tags, then a
    name: full ref, branch, tag. A branch called ``1.x`` is therefore reached by
    ``refs/heads/1.x`` while tags match the range.

    Args:
        tag_prefix: only tags that start with it count for a range; it is cut off first.
    """
    if is_sha(target_revision):
        return target_revision
    if target_revision in {"", "HEAD"}:
        return refs.head or None
    tag = range_tag(refs.tags, target_revision, tag_prefix)
    if tag is not None:
        return refs.refs[f"refs/tags/{tag}"]
    if not is_ref(target_revision):
        return None
    full = target_revision if target_revision.startswith("refs/") else ""
    candidates = (full, f"refs/heads/{target_revision}", f"refs/tags/{target_revision}")
    return next((refs.refs[name] for name in candidates if name in refs.refs), None)


def tag_of(refs: RemoteRefs, target_revision: str, tag_prefix: str = "") -> str:
    """The tag that ``resolve`` takes for ``target_revision``; "" when it is none."""
    if target_revision in {"", "HEAD"}:
        return ""
    found = range_tag(refs.tags, target_revision, tag_prefix)
    if found is not None:
        return found
    if target_revision.startswith("refs/"):
        name = target_revision.removeprefix("refs/tags/")
        return name if name != target_revision and target_revision in refs.refs else ""
    if f"refs/heads/{target_revision}" in refs.refs:
        return ""
    return target_revision if f"refs/tags/{target_revision}" in refs.refs else ""


def range_tag(tags: Iterable[str], target_revision: str, tag_prefix: str = "") -> str | None:
    """The full name of the newest tag in the range ``target_revision``; None when no tag
    matches, or when it is a plain version: that is the name of a tag, not a range."""
    if semver.parse_version(target_revision) is not None:
        return None
    wanted = semver.parse_range(target_revision)
    if wanted is None:
        return None
    stripped = [tag.removeprefix(tag_prefix) for tag in tags if tag.startswith(tag_prefix)]
    found = semver.newest(wanted, stripped)
    return None if found is None else tag_prefix + found


def parse_ls_remote(output: str) -> RemoteRefs:
    """Read the output of ``git ls-remote --symref``; lines that are none are passed over."""
    refs: dict[str, str] = {}
    head = head_ref = ""
    for line in output.splitlines():
        value, _, name = line.partition("\t")
        if value.startswith("ref: ") and name == "HEAD":
            head_ref = value.removeprefix("ref: ")
        elif not is_sha(value):
            continue
        elif name == "HEAD":
            head = value
        elif name.endswith("^{}"):
            refs[name.removesuffix("^{}")] = value  # follows its tag, and is the commit
        else:
            refs[name] = value
    return RemoteRefs(refs, head or refs.get(head_ref, ""), head_ref)
