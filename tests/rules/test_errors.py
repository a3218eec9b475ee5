"""The error tree is what its drawing says, and every member works."""

from __future__ import annotations

import json
import pkgutil
import re
from dataclasses import dataclass
from importlib import import_module

import pytest

import fleet
from fleet import errors
from fleet.errors import FleetError, NotFound, Place, SpecInvalid

ROW = re.compile(
    r"^(?P<lead>[│├└─ ]*)(?P<name>[A-Z]\w+)\s+(?P<text>.*?)\s+(?P<exit>\d) · (?P<http>\d{3})$"
)
INDENT = 3


@dataclass(frozen=True)
class Drawn:
    """One line of the drawing."""

    name: str
    parent: str
    exit_code: int
    http_status: int
    transient: bool


def drawing() -> list[Drawn]:
    rows: list[Drawn] = []
    branch: list[str] = ["FleetError"]
    for line in (errors.__doc__ or "").splitlines():
        if match := ROW.match(line):
            depth = len(match["lead"]) // INDENT
            branch[depth:] = [match["name"]]
            rows.append(
                Drawn(
                    match["name"],
                    branch[depth - 1],
                    int(match["exit"]),
                    int(match["http"]),
                    "transient" in match["text"],
                )
            )
    return rows


def members(of: type[FleetError] = FleetError) -> list[type[FleetError]]:
    return [it for sub in of.__subclasses__() for it in (sub, *members(sub))]


def load_everything() -> None:
    for module in pkgutil.walk_packages(fleet.__path__, "fleet."):
        if not module.name.endswith("__main__"):
            import_module(module.name)


@pytest.mark.parametrize(
    ("hint", "object", "told"),
    [
        ("", "Application/web", "`fleet app list` lists those that there are."),
        (
            "Did you mean 'eu-1'?",
            "Cluster/eu-2",
            "Did you mean 'eu-1'? `fleet cluster list` lists those that there are.",
        ),
        ("See `fleet proj role list shop`.", "AppProject/shop", "See `fleet proj role list shop`."),
        ("", "ConfigMap/shop/page", ""),
    ],
)
def test_what_does_not_exist_says_where_to_look(hint: str, object: str, told: str) -> None:
    assert NotFound("it is not there", hint=hint, object=object).hint == told


def test_the_drawing_is_the_tree() -> None:
    defined = [
        Drawn(it.__name__, it.__bases__[0].__name__, it.exit_code, it.http_status, it.transient)
        for it in members()
        if it.__module__ == errors.__name__
    ]
    assert sorted(drawing(), key=lambda it: it.name) == sorted(defined, key=lambda it: it.name)


def test_no_error_is_defined_elsewhere() -> None:
    load_everything()
    strangers = {f"{it.__module__}.{it.__name__}" for it in members()}
    assert {it for it in strangers if not it.startswith("fleet.errors.")} == set()


@pytest.mark.parametrize("kind", [FleetError, *members()], ids=lambda it: it.__name__)
def test_every_error_can_be_made_and_shown(kind: type[FleetError]) -> None:
    error = kind("Deployment/shop/web is wrong", hint="Mend it.")
    assert str(error) == "Deployment/shop/web is wrong"
    assert error.exit_code in range(1, 5)
    assert 400 <= error.http_status < 600
    shape = json.loads(json.dumps(error.as_dict()))
    expected = {"type": kind.__name__, "message": error.message, "hint": "Mend it."}
    assert shape == {**expected, "transient": True} if kind.transient else shape == expected


def test_empty_parts_are_left_out() -> None:
    assert FleetError("x").as_dict() == {"type": "FleetError", "message": "x"}
    assert FleetError("x", object="Cluster/eu-1").as_dict()["object"] == "Cluster/eu-1"


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (Place(file="a.yaml", line=3, field="spec.source"), "a.yaml:3: spec.source: bad"),
        (Place(file="a.yaml"), "a.yaml: bad"),
        (Place(line=3), "line 3: bad"),
        (Place(field="spec"), "spec: bad"),
        (Place(), "bad"),
    ],
)
def test_an_invalid_document_names_its_place(place: Place, text: str) -> None:
    error = SpecInvalid("bad", place=place)
    assert error.message == text
    assert error.as_dict().get("field", "") == place.field
