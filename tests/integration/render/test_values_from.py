"""Values that stood in a cluster, as the chart sees them; and what is never told of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fleet.errors import FleetError, RenderError, SpecInvalid
from fleet.model.applications import HelmParameter, HelmSource, ValuesReference
from fleet.model.renders import GivenValues, RenderResult
from fleet.model.secret import MASK, Secret
from tests.integration.render.conftest import Kitchen, facts_of, request_for
from tests.integration.render.test_helm import FILES, values_of

MAP = ValuesReference("ConfigMap", "shop")
KEY = ValuesReference("Secret", "db", "password", "db.password")
Entry = tuple[ValuesReference, str | None]


def given(text: str | None) -> GivenValues:
    return GivenValues() if text is None else GivenValues(f"digest of {text}", Secret(text))


def asking(kitchen: Kitchen, *entries: Entry, files: Any = FILES, **options: Any) -> Any:
    helm = HelmSource(values_from=tuple(reference for reference, _ in entries), **options)
    request = request_for(kitchen.write(files), "app", helm=helm)
    return replace(request, values=tuple(given(text) for _, text in entries))


async def seen(kitchen: Kitchen, *entries: Entry, **options: Any) -> str:
    return values_of(await kitchen.renderer.render(asking(kitchen, *entries, **options)))


LAID = [
    ([(MAP, "from: cluster\n")], {}, '{"from":"cluster"}'),
    ([(MAP, "")], {}, '{"from":"chart"}'),
    ([(replace(MAP, optional=True), None)], {}, '{"from":"chart"}'),
    ([(MAP, "from: one\nx: {a: 1}\n"), (MAP, "from: two\nx: {b: 2}\n")], {},
     '{"from":"two","x":{"a":1,"b":2}}'),
    ([(MAP, "db: {password: none, user: me}\n"), (KEY, "7")], {},
     '{"db":{"password":7,"user":"me"},"from":"chart"}'),
    # what stands later wins, though Helm's own --set would win over every file
    ([(KEY, "x"), (MAP, "db: {password: late}\n")], {},
     '{"db":{"password":"late"},"from":"chart"}'),
    ([(replace(MAP, target_path="from"), "null")], {}, "{}"),
    ([(MAP, "from: cluster\n")], {"value_files": ("a.yaml",)}, '{"a":1,"from":"a"}'),
    ([(MAP, "from: cluster\n")], {"values": "from: inline"}, '{"from":"inline"}'),
    ([(KEY, "x")], {"values_object": {"db": {"password": "y"}}},
     '{"db":{"password":"y"},"from":"chart"}'),
    ([(KEY, "x")], {"parameters": (HelmParameter("db.password", "z"),)},
     '{"db":{"password":"z"},"from":"chart"}'),
]  # fmt: skip


@pytest.mark.parametrize(("entries", "options", "expected"), LAID)
async def test_who_wins(
    kitchen: Kitchen, entries: list[Entry], options: dict[str, Any], expected: str
) -> None:
    assert await seen(kitchen, *entries, **options) == expected


async def test_a_template_among_them_may_read_the_cluster(kitchen: Kitchen) -> None:
    plain = await kitchen.renderer.render(asking(kitchen, (MAP, "a: b")))
    assert "cluster" not in facts_of(plain)
    told = await kitchen.renderer.render(
        asking(kitchen, (MAP, 'a: "{{ .Capabilities.KubeVersion }}"'))
    )
    assert "cluster" in facts_of(told)


#: A few hundred bytes that are a billion values.
BOMB = "a0: &a0 [0]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)


@pytest.mark.parametrize(
    ("entry", "error", "message"),
    [
        ((MAP, "a: [1"), SpecInvalid, r"ConfigMap/shop \[values.yaml\]:1"),
        ((MAP, "just text"), RenderError, "holds no mapping of values"),
        ((MAP, BOMB), SpecInvalid, "alias"),
        ((MAP, f"a: {'x' * (1 << 20)}"), SpecInvalid, "more than 1 MiB"),
    ],
)  # fmt: skip
async def test_what_is_no_values(
    kitchen: Kitchen, entry: Entry, error: type[FleetError], message: str
) -> None:
    with pytest.raises(error, match=message):
        await seen(kitchen, entry)


async def test_a_single_value_does_not_go_below_a_text(kitchen: Kitchen) -> None:
    with pytest.raises(RenderError, match=r"on the way to db\.password"):
        await seen(kitchen, (MAP, "db: text"), (KEY, "x"))


PASSWORD = "correct-horse"
FAILING = {
    **FILES,
    "app/templates/fail.yaml": '{{ fail (printf "it is %v" (.Values.db).password) }}',
}


@pytest.mark.parametrize(
    "entry",
    [
        (KEY, PASSWORD),
        (ValuesReference("Secret", "db"), f"db:\n  password: {PASSWORD}\n"),
        (ValuesReference("Secret", "db"), f"db: {{password: {PASSWORD}"),  # no YAML
        (ValuesReference("Secret", "db"), PASSWORD),
    ],
)
async def test_no_error_tells_what_stood_in_a_secret(kitchen: Kitchen, entry: Entry) -> None:
    with pytest.raises(FleetError) as failed:
        await seen(kitchen, entry, files=FAILING)
    assert PASSWORD not in str(failed.value.as_dict())


async def test_it_is_masked_where_a_template_says_it(kitchen: Kitchen) -> None:
    with pytest.raises(RenderError, match=f"it is {MASK}"):
        await seen(kitchen, (KEY, PASSWORD), files=FAILING)


async def test_a_repository_does_not_say_what_is_read_from_a_cluster(kitchen: Kitchen) -> None:
    text = "helm: {valuesFrom: [{kind: Secret, name: other}]}"
    files = {**FILES, "app/.argocd-source.yaml": text}
    with pytest.raises(SpecInvalid, match="the Application's to say"):
        await seen(kitchen, (MAP, "a: b"), files=files)


async def test_a_render_that_was_handed_nothing_fails(kitchen: Kitchen) -> None:
    request = asking(kitchen, (MAP, "a: b"))
    with pytest.raises(RenderError, match="were not handed"):
        await kitchen.renderer.render(replace(request, values=()))


async def test_equal_values_are_one_render_and_others_are_not(kitchen: Kitchen) -> None:
    requests = [
        replace(asking(kitchen, (MAP, text), release_name="one", namespace="one"), application=name)
        for name, text in (("a", "x: 1"), ("b", "x: 1"), ("c", "x: 2"))
    ]
    one, same, other = await kitchen.renderer.render_many(requests)
    assert one is same
    assert isinstance(one, RenderResult)
    assert isinstance(other, RenderResult)
    assert [values_of(it) for it in (one, other)] == [
        '{"from":"chart","x":1}', '{"from":"chart","x":2}',
    ]  # fmt: skip
