"""Takes out of an answer what differs between two runs of one server.

Values that stand for identity are numbered in the order in which a case meets them, so that
"the same uid as before" is still compared, and so is "the resourceVersion has moved".
"""

from __future__ import annotations

import re
from typing import Any

UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
ADDRESS = re.compile(r"\b\d{1,3}(\.\d{1,3}){3}\b")
AGE = re.compile(r"(\d+(s|m|h|d))+|<unknown>")
#: Versions inside messages: a conflict, a precondition, a version that is too old or not yet there.
VERSION = re.compile(r"(?i)(resource ?version[^:]*: |current: )\d+")
PARENTHESIS = re.compile(
    r"(too old[^(]*|resource version: <rv> |in the precondition |in record )\(\d+\)"
)
#: A value that a message quotes whole, in the words of the server's own language.
STRUCTURE = re.compile(r'(value: )"?[\[{].*?[\]}]"?(: )')
#: Where an object is in etcd.
KEY = re.compile(r"Key: /registry[^/]*/")
#: Words that are a parser's, or explain to people what a name must look like: how a message
#: begins is the contract, and which field it is about.
WORDS = (
    re.compile(r"(json parse error: |error decoding patch: |continue key is not valid: ).*", re.S),
    re.compile(r"(must (?:be an empty string or )?consist of ).*?(?=, [\w.\[\]]+: [A-Z]|\]?$)"),
    re.compile(r"(pod updates may not change fields other than ).*", re.S),
    re.compile(r"(is immutable after creation except ).*", re.S),
    re.compile(r"(^map: ).*(?= does not contain declared merge key)"),
)
#: What a server adds to ``generateName``.
SUFFIX = re.compile(r"[bcdfghjklmnpqrstvwxz2456789]{5}")
#: Labels that hold a hash of a template; names are made of it.
HASHES = ("pod-template-hash", "controller-revision-hash")
PORTS = ("nodePort", "healthCheckNodePort")


class Normaliser:
    """One for each transcript: it remembers what it has numbered."""

    def __init__(self, tag: str) -> None:
        self._texts = {tag: "tag"}
        self._uids: dict[str, str] = {}
        self._versions: dict[str, list[str]] = {}

    def __call__(self, body: Any) -> Any:
        """``body`` with every accidental value replaced."""
        self.learn(body)
        return self._value(body, key="")

    def learn(self, value: Any) -> None:
        """Find names that the server made up: they may be quoted anywhere, from here on."""
        if isinstance(value, list):
            for item in value:
                self.learn(item)
        elif isinstance(value, dict):
            prefix, name = value.get("generateName"), value.get("name")
            if isinstance(prefix, str) and isinstance(name, str) and _is_generated(name, prefix):
                self._texts.setdefault(name, f"{self._text(name[:-5])}<random>")
            for label in HASHES:
                if isinstance(found := value.get(label), str):
                    self._texts.setdefault(found.rpartition("-")[2], "<hash>")
            for item in value.values():
                self.learn(item)

    def _value(self, value: Any, key: str) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, int) and key in PORTS:
            return "<port>"
        if isinstance(value, list):
            items = [self._value(item, key) for item in value]
            return sorted(items, key=_place) if key == "managedFields" else items
        if isinstance(value, dict):
            return self._object(value)
        return value

    def _object(self, value: dict[str, Any]) -> dict[str, Any]:
        made = {self._text(key): self._value(value[key], key) for key in sorted(value, key=_turn)}
        if isinstance(version := value.get("resourceVersion"), str):
            made["resourceVersion"] = self._version(value.get("uid"), version)
        if value.get("kind") == "Status":
            _settle_causes(made)
        if value.get("continue"):
            made["continue"] = "<continue>"
        if "columnDefinitions" in value:
            for column in made["columnDefinitions"] or ():
                column.pop("description", None)  # prose, which nobody's program reads
            for row in made.get("rows") or ():
                row["cells"] = [_cell(cell) for cell in row["cells"]]
        return made

    def _version(self, uid: str | None, version: str) -> str:
        """Numbered for each object; that of a list moves with whatever else the server does."""
        if uid is None or not version:
            return "<rv>" if version else ""
        seen = self._versions.setdefault(uid, [])
        if version not in seen:
            seen.append(version)
        return f"<rv {seen.index(version) + 1}>"

    def _text(self, text: str) -> str:
        for found, replacement in sorted(self._texts.items(), key=lambda it: -len(it[0])):
            text = text.replace(found, replacement)
        text = UID.sub(lambda it: self._uid(it[0]), text)
        text = TIME.sub("<time>", text)
        text = VERSION.sub(r"\1<rv>", text)
        text = PARENTHESIS.sub(r"\1(<rv>)", text)
        text = STRUCTURE.sub(r"\1<structure>\2", text)
        text = KEY.sub("Key: /registry/", text)
        for words in WORDS:
            text = words.sub(r"\1<words>", text)
        return ADDRESS.sub("<ip>", text)

    def _uid(self, uid: str) -> str:
        return self._uids.setdefault(uid, f"<uid {len(self._uids) + 1}>")


def _is_generated(name: str, prefix: str) -> bool:
    return bool(prefix.startswith(name[:-5]) and SUFFIX.fullmatch(name[-5:]))


def _cell(cell: Any) -> Any:
    return "<age>" if isinstance(cell, str) and AGE.fullmatch(cell) else cell


def _settle_causes(status: dict[str, Any]) -> None:
    """Several causes in one order: a real server tells them in that of its code, or in any."""
    causes = (status.get("details") or {}).get("causes") or ()
    before, bracket, told = status.get("message", "").partition(": [")
    if len(causes) > 1 and bracket:
        status["details"]["causes"] = sorted(causes, key=str)
        if all(it["message"] in told for it in causes):
            status["message"] = f"{before}{bracket}<causes>]"


def _turn(key: str) -> tuple[bool, str]:
    """In which order fields are looked at: not as a server happens to write them. Keys of
    managedFields hold identities; they come after the places that these are from."""
    return key == "managedFields", key


def _place(entry: Any) -> tuple[str, ...]:
    """Servers order entries by time, which a slow run splits where a quick one does not."""
    names = ("operation", "manager", "subresource", "apiVersion")
    return tuple(str(entry.get(name, "")) for name in names)
