"""Which fields of an object may differ: the rules of the system and of its application.

A jq expression names places in one object; what it names becomes JSON pointers, for desired
and live apart, and from there on a rule is a plain value that pure code applies. An object
that no rule is about costs nothing, and neither does one that was asked about before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TypeAlias

from fleet.diff import canonical, equal_by_type, matches, pointers_of
from fleet.errors import ExpressionFailed
from fleet.expressions import Answer, Jq, Question
from fleet.model.applications import ApplicationSpec, IgnoreDifference
from fleet.model.objects import Manifest, ObjectRef, ref_of
from fleet.model.resource_settings import KnownField, ResourceSettings
from fleet.operations.runtime import Runtime

Rules: TypeAlias = tuple[IgnoreDifference, ...]

#: jq's words for an expression that computes something instead of naming a place.
_NAMES_NO_PLACE = "Invalid path expression"


@dataclass(frozen=True)
class Ignored:
    """The rules about some objects of an application, each without jq.

    Attributes:
        errors: why it cannot be told what may differ; nothing may follow from the rest then.
        warnings: expressions that never name anything.
    """

    rules: dict[ObjectRef, Rules] = field(default_factory=dict)
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def of(self, ref: ObjectRef) -> Rules:
        return self.rules.get(ref, ())


NOTHING = Ignored()


def rules_for(runtime: Runtime, spec: ApplicationSpec) -> Rules:
    """The rules that hold for an application, the system's first."""
    return (*runtime.resources.ignore_differences, *spec.ignore_differences)


async def ignored_in(
    jq: Jq, rules: Rules, objects: Iterable[Manifest], *, own: Rules = ()
) -> Ignored:
    """What may differ in each of the objects that a rule is about.

    Args:
        own: those of the rules whose jq has to be right, even while they are about nothing.

    Raises:
        ExpressionFailed: no jq can be asked now.
    """
    if not rules:
        return NOTHING
    found: dict[ObjectRef, Rules] = {}
    bodies: dict[ObjectRef, Manifest] = {}
    for obj in objects:
        ref = ref_of(obj)
        about = tuple(rule for rule in rules if matches(rule, ref))
        if about:
            found[ref], bodies[ref] = about, obj
    asked = [ref for ref, about in found.items() if any(r.jq_path_expressions for r in about)]
    answers = await _asked(jq, [(found[ref], bodies[ref]) for ref in asked])
    errors = {f"ignoreDifferences: {why}": None for why in await why_wrong(jq, own)}
    warnings: dict[str, None] = {}
    for ref, (resolved, said) in zip(asked, answers, strict=True):
        found[ref] = resolved
        errors |= {f"ignoreDifferences: {a.error}": None for a in said if a.error}
        warnings |= {
            f"ignoreDifferences: {a.warning}": None for a in said if _NAMES_NO_PLACE in a.warning
        }
    return Ignored(found, tuple(errors), tuple(warnings))


async def why_wrong(jq: Jq, rules: Rules) -> tuple[str, ...]:
    """What is wrong with the expressions of the rules, on whatever object.

    Raises:
        ExpressionFailed: no jq can be asked now.
    """
    questions = [Question(e, b"{}") for rule in rules for e in rule.jq_path_expressions]
    answers = await jq.ask(questions) if questions else []
    return tuple(answer.error for answer in answers if answer.error)


async def rules_about(jq: Jq, rules: Rules, obj: Manifest) -> Rules:
    """The rules about one object, without jq.

    Raises:
        ExpressionFailed: an expression is wrong, or used up its limits on this object.
    """
    found = await ignored_in(jq, rules, (obj,))
    if found.errors:
        ref = ref_of(obj)
        raise ExpressionFailed(f"{ref}: {'; '.join(found.errors)}", object=str(ref))
    return found.of(ref_of(obj))


def spelling_rules(
    settings: ResourceSettings, one: Manifest, other: Manifest
) -> tuple[Rules, Rules]:
    """Rules for either of two states of an object: where they mean the same by the types that
    the settings know (``knownTypeFields``), however it is spelt."""
    fields = known_fields(settings, ref_of(one))
    if not fields:
        return (), ()
    places = equal_by_type(one, other, [(found.path, found.type) for found in fields])
    sides = [(IgnoreDifference("*", "*", json_pointers=side),) if side else () for side in places]
    return sides[0], sides[1]


def known_fields(settings: ResourceSettings, ref: ObjectRef) -> tuple[KnownField, ...]:
    """The fields of the object whose types the settings tell."""
    return tuple(
        found
        for found in settings.known_fields
        if fnmatchcase(ref.group, found.group) and fnmatchcase(ref.kind, found.kind)
    )


async def _asked(
    jq: Jq, pairs: Sequence[tuple[Rules, Manifest]]
) -> list[tuple[Rules, tuple[Answer, ...]]]:
    """Each pair's rules with pointers in place of expressions, and what jq said."""
    questions: list[Question] = []
    for rules, obj in pairs:
        text = canonical(obj)
        questions += [Question(e, text) for rule in rules for e in rule.jq_path_expressions]
    answers = iter(await jq.ask(questions) if questions else [])
    found = []
    for rules, obj in pairs:
        resolved, said = [], []
        for rule in rules:
            mine = [next(answers) for _ in rule.jq_path_expressions]
            named = pointers_of((path for answer in mine for path in answer.paths), obj)
            pointers = (*rule.json_pointers, *named)
            resolved.append(replace(rule, json_pointers=pointers, jq_path_expressions=()))
            said += mine
        found.append((tuple(resolved), tuple(said)))
    return found
