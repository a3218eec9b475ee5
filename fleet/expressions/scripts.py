"""Lua scripts and CEL expressions: what they say of an object."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from fleet.expressions.keeping import Keeper, Limits, Question
from fleet.model.objects import Manifest, metadata_of

_QUESTION_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Told:
    """What a script said: a value, or why there is none."""

    value: Any = None
    error: str = ""


class Scripts:
    """Evaluates scripts; one a process. Of an unchanged object each says what it said before."""

    def __init__(self, limits: Limits | None = None) -> None:
        limits = limits or Limits()
        self._keepers = {"lua": Keeper("lua", limits), "cel": Keeper("cel", limits)}

    @property
    def asked(self) -> int:
        """Questions that a child answered."""
        return sum(keeper.asked for keeper in self._keepers.values())

    async def lua(self, script: str, obj: Manifest) -> Told:
        """What a Lua script says of an object.

        Raises:
            ExpressionFailed: no child can be started.
        """
        return await self._ask("lua", script, {"script": script}, obj, _version_of(obj))

    async def run(self, script: str, obj: Manifest, parameters: Mapping[str, str]) -> Told:
        """What a Lua script makes of an object, now.

        Raises:
            ExpressionFailed: no child can be started.
        """
        asked = {"script": script, "parameters": dict(parameters)}
        return await self._ask("lua", script, asked, obj, version="")

    async def cel(self, expressions: Mapping[str, str], obj: Manifest) -> Told:
        """What each expression says of an object, by name: true, false, a text, or None where
        it reads a field that is not there.

        Raises:
            ExpressionFailed: no child can be started.
        """
        asked = dict(expressions)
        script = orjson.dumps(asked).decode()
        return await self._ask("cel", script, asked, obj, _version_of(obj))

    async def close(self) -> None:
        """End the children."""
        for keeper in self._keepers.values():
            await keeper.close()

    async def _ask(
        self,
        language: Literal["lua", "cel"],
        script: str,
        asked: Mapping[str, Any],
        obj: Manifest,
        version: str,
    ) -> Told:
        keeper = self._keepers[language]
        name = hashlib.sha256(script.encode(errors="surrogatepass")).hexdigest()
        found = keeper.look_up(name, version)
        if found is None:
            try:
                question, text = orjson.dumps(asked), orjson.dumps(obj)
            except TypeError:  # figures beyond 64 bits, lone surrogates
                return Told(error="the object holds values that cannot be given to it")
            if len(question) + len(text) > _QUESTION_BYTES:
                return Told(error="the object is too large to be given to it")
            (found,) = await keeper.ask([Question(name, version, question, text)])
        return Told(found.get("value"), found.get("error", ""))


def _version_of(obj: Manifest) -> str:
    """Names this state of the object; "" for one that is not on a cluster."""
    metadata = metadata_of(obj)
    parts = (metadata.get("uid"), metadata.get("resourceVersion"))
    return "/".join(map(str, parts)) if all(parts) else ""
