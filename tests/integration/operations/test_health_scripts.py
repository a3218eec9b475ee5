"""Health as people say it: scripts and expressions of an argocd-cm, on a real API server."""

from __future__ import annotations

import pytest

from fleet.errors import SpecInvalid
from tests.integration.operations.harness import World, config_map, in_wave
from tests.integration.operations.kinds import (
    CERTIFICATES,
    ROLLOUTS,
    WIDGETS,
    configure,
    health,
    live,
    says,
    thing,
)

SIZE = """
hs = {}
if obj.status == nil or obj.status.size == nil then
  hs.status = "Progressing"
  hs.message = "has no size yet"
  return hs
end
hs.status = obj.status.size >= obj.spec.size and "Healthy" or "Degraded"
hs.message = "size " .. obj.status.size
return hs
"""
LOOP = "while true do end"
HUNGRY = "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end"


async def test_operators_kinds_are_judged_by_what_their_operators_say(operators: World) -> None:
    await operators.add_app("shop")
    await operators.deliver(shop=(thing(CERTIFICATES, "tls"), thing(ROLLOUTS, "web", replicas=2)))
    assert await health(operators, "shop", "Certificate/tls") == (
        "Progressing",
        "Waiting for Certificate to be reconciled",
    )
    said = {"type": "Ready", "status": "False", "reason": "Failed", "message": "no issuer"}
    says(operators, CERTIFICATES, "tls", conditions=[said])
    says(
        operators,
        ROLLOUTS,
        "web",
        phase="Paused",
        message="CanaryPauseStep",
        observedGeneration="1",
    )
    await operators.pass_(look=True)
    assert await health(operators, "shop", "Certificate/tls") == ("Degraded", "no issuer")
    assert await health(operators, "shop", "Rollout/web") == ("Suspended", "CanaryPauseStep")
    assert (await health(operators, "shop"))[0] == "Degraded"
    says(
        operators, CERTIFICATES, "tls", conditions=[{**said, "status": "True", "message": "issued"}]
    )
    says(operators, ROLLOUTS, "web", phase="Healthy", message="", observedGeneration="1")
    await operators.pass_(look=True)
    assert await health(operators, "shop") == ("Healthy", "")


async def test_a_script_of_an_argocd_cm_judges_its_kind_from_then_on(operators: World) -> None:
    await operators.add_app("shop")
    await operators.deliver(shop=(thing(WIDGETS, "a", size=2), config_map("b")))
    assert (await operators.resources("shop"))["Widget/a"]["health_status"] is None
    put = await configure(operators, **{"health.widgets.example_Widget": SIZE})
    assert put.action == "created"
    # what is live did not change; the pass that this woke looks at it again
    await operators.pass_()
    assert await health(operators, "shop", "Widget/a") == ("Progressing", "has no size yet")
    assert await health(operators, "shop") == (
        "Progressing",
        "Widget/" + operators.namespace + "/a: has no size yet",
    )
    says(operators, WIDGETS, "a", size=2)
    await operators.pass_(look=True)
    assert await health(operators, "shop", "Widget/a") == ("Healthy", "size 2")
    assert await health(operators, "shop") == ("Healthy", "")
    # without the script the kind has no health again
    assert (await configure(operators)).action == "configured"
    await operators.pass_()
    assert (await operators.resources("shop"))["Widget/a"]["health_status"] is None
    (first, *_) = await operators.rows(
        "select actor, action, object_kind, object from audit_log where object = 'argocd-cm'"
    )
    assert first == {
        "actor": "admin",
        "action": "create",
        "object_kind": "ConfigMap",
        "object": "argocd-cm",
    }


async def test_a_wave_waits_for_what_a_script_says(operators: World) -> None:
    await configure(operators, **{"health.widgets.example_Widget": SIZE})
    await operators.add_app("shop")
    await operators.deliver(
        shop=(in_wave(thing(WIDGETS, "a", size=1), 1), in_wave(config_map("after"), 2))
    )
    assert operators.read("after") is None
    operation = (await operators.operations("shop"))[-1]
    assert "has no size yet" in operation["message"]
    says(operators, WIDGETS, "a", size=1)
    await operators.pass_(look=True)
    assert operators.read("after") is not None


async def test_an_unchanged_object_is_judged_once(operators: World) -> None:
    await configure(operators, **{"health.widgets.example_Widget": SIZE})
    await operators.add_app("shop")
    await operators.deliver(shop=(thing(WIDGETS, "a", size=1),))
    asked = operators.runtime.scripts.asked
    await operators.run("update resources set seen_version = 'refresh'")
    await operators.run("update applications set urgency = 1")
    await operators.pass_(look=True)
    assert operators.runtime.scripts.asked == asked


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (LOOP, "it was stopped after 1 s of processor time"),
        (HUNGRY, "it needs more memory than it may have"),
        ("return obj.status.nothing.there", "attempt to index field 'status' (a nil value)"),
        ("return {status = 'Fine'}", "returned 'Fine', which is no health status"),
    ],
    ids=["loops", "allocates", "fails", "nonsense"],
)
async def test_a_script_that_goes_wrong_is_told_and_harms_nobody(
    operators: World, script: str, why: str
) -> None:
    await configure(
        operators,
        **{
            "health.widgets.example_Widget": script,
            "health.argoproj.io_Rollout": "return {status = 'Healthy', message = 'by a script'}",
        },
    )
    await operators.add_app("bad")
    await operators.add_app("good")
    await operators.deliver(
        bad=(thing(WIDGETS, "a", size=1), config_map("beside")), good=(thing(ROLLOUTS, "web"),)
    )
    status, message = await health(operators, "bad")
    assert status == "Unknown"
    assert why in message
    assert (await operators.app("bad"))["sync_status"] == "Synced"
    assert await health(operators, "bad", "ConfigMap/beside") == (None, "")
    assert await health(operators, "good", "Rollout/web") == ("Healthy", "by a script")
    assert live(operators, WIDGETS, "a")


async def test_expressions_judge_as_flux_asks_them(operators: World) -> None:
    await configure(
        operators,
        **{
            "healthExprs.widgets.example_Widget": """
                current: status.size >= spec.size
                failed: status.phase == 'Broken'
                inProgress: status.observedGeneration != metadata.generation
                message: "'size ' + string(status.size)"
            """
        },
    )
    await operators.add_app("shop")
    await operators.deliver(shop=(thing(WIDGETS, "a", size=2),))
    assert (await health(operators, "shop", "Widget/a"))[0] == "Progressing"
    says(operators, WIDGETS, "a", size=1, phase="Broken", observedGeneration=1)
    await operators.pass_(look=True)
    assert await health(operators, "shop", "Widget/a") == ("Degraded", "size 1")
    says(operators, WIDGETS, "a", size=2, phase="Fine")
    await operators.pass_(look=True)
    assert await health(operators, "shop", "Widget/a") == ("Healthy", "size 2")
    await configure(
        operators, **{"healthExprs.widgets.example_Widget": "current: spec.size / 0 == 1"}
    )
    await operators.pass_()
    status, message = await health(operators, "shop", "Widget/a")
    assert status == "Unknown"
    assert "current: " in message


async def test_what_cannot_be_read_is_refused_and_what_holds_goes_on(operators: World) -> None:
    await configure(operators, **{"health.widgets.example_Widget": SIZE})
    with pytest.raises(SpecInvalid, match=r"actions\.widgets\.example_Widget"):
        await configure(operators, **{"actions.widgets.example_Widget": "definitions: [}"})
    await operators.add_app("shop")
    await operators.deliver(shop=(thing(WIDGETS, "a", size=1),))
    assert await health(operators, "shop", "Widget/a") == ("Progressing", "has no size yet")
