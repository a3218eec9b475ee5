"""Actions on live objects: Fleet's own and those of an argocd-cm, on real API servers."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.errors import (
    ExpressionFailed,
    FleetError,
    Forbidden,
    NotFound,
    ObjectRejected,
    Refused,
    SpecInvalid,
)
from fleet.model.scope import EVERYTHING
from fleet.operations.acting import Done, Selection, list_actions, run_action, targets
from tests.integration.operations.harness import ADMIN, Object, World, config_map, deployment, until
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


async def offered(world: World, app: str, **wanted: str) -> dict[str, list[str]]:
    """``Kind/name`` → the actions that are possible now."""
    found = await list_actions(world.runtime, EVERYTHING, app, Selection(**wanted, every=True))
    return {
        f"{entry.ref.kind}/{entry.ref.name}": [
            offer.name for offer in entry.offers if not offer.is_disabled
        ]
        for entry in found
    }


async def run(world: World, app: str, action: str, **given: Any) -> tuple[Done, ...]:
    parameters = given.pop("parameters", {})
    refs = await targets(world.runtime, EVERYTHING, app, Selection(**given))
    return await run_action(world.runtime, ADMIN, EVERYTHING, app, refs, action, parameters)


def workload(world: World, name: str, plural: str = "deployments") -> Object:
    return world.request("GET", f"/apis/apps/v1/namespaces/{world.namespace}/{plural}/{name}")


async def converged(world: World, app: str) -> None:
    async def healthy() -> bool:
        await world.pass_(look=True)
        return (await world.app(app))["health_status"] == "Healthy"

    await until(healthy)


async def test_a_deployment_is_restarted_and_scaled(full: World) -> None:
    await full.add_app("shop", heal=False)
    web = deployment("web")
    del web["spec"]["template"]["metadata"]["annotations"]
    await full.deliver(shop=(web, config_map("settings")))
    await converged(full, "shop")
    assert await offered(full, "shop") == {"Deployment/web": ["pause", "restart", "scale"]}

    (done,) = await run(full, "shop", "restart", kind="Deployment")
    assert (done.patched, done.created) == (True, ())
    template = workload(full, "web")["spec"]["template"]["metadata"]["annotations"]
    assert "kubectl.kubernetes.io/restartedAt" in template
    await converged(full, "shop")
    # a restart writes nothing that Git says
    assert (await full.app("shop"))["sync_status"] == "Synced"

    await run(full, "shop", "scale", name="web", parameters={"replicas": "3"})
    assert workload(full, "web")["spec"]["replicas"] == 3
    await converged(full, "shop")
    # what Git says otherwise is drift, with who made it
    row = (await full.resources("shop"))["Deployment/web"]
    assert row["sync_status"] == "OutOfSync"
    assert [(field["path"], field["manager"]) for field in row["drift"]] == [
        (".spec.replicas", "fleet-action")
    ]

    await run(full, "shop", "pause", name="web")
    assert (await offered(full, "shop"))["Deployment/web"] == ["restart", "resume", "scale"]
    await full.pass_(look=True)
    assert (await full.app("shop"))["health_status"] == "Suspended"
    with pytest.raises(Refused, match="pause is not possible as it is now"):
        await run(full, "shop", "pause", name="web")
    asked = await full.rows(
        "select object, after from audit_log where action = 'action' order by seq"
    )
    # what was refused was not sent
    assert [row["object"] for row in asked] == ["shop"] * 3
    assert asked[1]["after"] == {
        "action": "scale",
        "parameters": {"replicas": "3"},
        "objects": [f"apps/Deployment/{full.namespace}/web"],
    }


async def test_a_rollout_and_a_certificate_are_moved_on(operators: World) -> None:
    await operators.add_app("shop")
    await operators.deliver(shop=(thing(ROLLOUTS, "web", replicas=2), thing(CERTIFICATES, "tls")))
    says(operators, ROLLOUTS, "web", phase="Paused", currentStepIndex=1, pauseConditions=[{"a": 1}])
    await operators.pass_(look=True)
    assert (await offered(operators, "shop", kind="Rollout"))["Rollout/web"] == [
        "abort", "pause", "promote-full", "restart", "resume", "scale", "skip-current-step",
    ]  # fmt: skip

    await run(operators, "shop", "resume", kind="Rollout")
    assert live(operators, ROLLOUTS, "web")["status"] == {"phase": "Paused", "currentStepIndex": 1}
    await run(operators, "shop", "skip-current-step", kind="Rollout")
    assert live(operators, ROLLOUTS, "web")["status"]["currentStepIndex"] == 2
    await run(operators, "shop", "abort", kind="Rollout")
    assert live(operators, ROLLOUTS, "web")["status"]["abort"] is True
    await run(operators, "shop", "retry", kind="Rollout")
    assert live(operators, ROLLOUTS, "web")["status"]["abort"] is False

    says(operators, CERTIFICATES, "tls", conditions=[{"type": "Ready", "status": "True"}])
    await operators.pass_(look=True)
    assert (await health(operators, "shop", "Certificate/tls"))[0] == "Healthy"
    await run(operators, "shop", "renew", kind="Certificate")
    # the pass that this woke sees it
    await operators.pass_()
    assert await health(operators, "shop", "Certificate/tls") == (
        "Progressing",
        "Certificate re-issuance manually triggered",
    )


GROW = """
discovery.lua: |
  local actions = {}
  actions["grow"] = {["disabled"] = obj.spec.size >= 3, ["params"] = {{["name"] = "by"}}}
  actions["note"] = {["displayName"] = "Write a note"}
  actions["undefined"] = {}
  return actions
definitions:
- name: grow
  action.lua: |
    obj.spec.size = obj.spec.size + tonumber(actionParams["by"] or "1")
    obj.status = obj.status or {}
    obj.status.grown = true
    return obj
- name: note
  action.lua: |
    local note = {
      apiVersion = "v1", kind = "ConfigMap",
      metadata = { name = "note-of-" .. obj.metadata.name },
      data = { size = tostring(obj.spec.size) },
    }
    return {{ operation = "create", resource = note }}
"""
EVIL = """
definitions:
- name: loop
  action.lua: while true do end
- name: other
  action.lua: |
    obj.metadata.name = "b"
    return obj
- name: secret
  action.lua: |
    return {{ operation = "create", resource = {
      apiVersion = "v1", kind = "Secret", metadata = { name = "s", namespace = "kube-system" } } }}
- name: fails
  action.lua: return obj.nothing.there
"""


async def test_scripts_of_an_argocd_cm_patch_and_create(operators: World) -> None:
    await configure(operators, **{"actions.widgets.example_Widget": GROW})
    await operators.add_app("shop")
    await operators.deliver(shop=(thing(WIDGETS, "a", size=1),))
    assert await offered(operators, "shop") == {"Widget/a": ["grow", "note"]}
    await run(operators, "shop", "grow", kind="Widget", parameters={"by": "2"})
    grown = live(operators, WIDGETS, "a")
    assert (grown["spec"], grown["status"]) == ({"size": 3}, {"grown": True})
    assert await offered(operators, "shop") == {"Widget/a": ["note"]}
    (done,) = await run(operators, "shop", "note", kind="Widget")
    assert [str(ref) for ref in done.created] == [f"ConfigMap/{operators.namespace}/note-of-a"]
    note = operators.read("note-of-a")
    assert note is not None
    assert note["data"] == {"size": "3"}
    with pytest.raises(ObjectRejected, match="already exists"):
        await run(operators, "shop", "note", kind="Widget")


@pytest.mark.parametrize(
    ("action", "error", "message"),
    [
        ("loop", ExpressionFailed, "it was stopped after 1 s of processor time"),
        ("other", ExpressionFailed, "would change Widget/.*/b"),
        ("secret", Forbidden, "Secret/kube-system/s"),
        ("fails", ExpressionFailed, "attempt to index field 'nothing'"),
        ("unknown", NotFound, "there is no action 'unknown'"),
    ],
)
async def test_a_script_does_nothing_that_it_may_not(
    operators: World, action: str, error: type[FleetError], message: str
) -> None:
    await configure(operators, **{"actions.widgets.example_Widget": EVIL})
    await operators.put_project(
        "narrow", destinations=[{"server": "*", "namespace": operators.namespace}]
    )
    await operators.add_app("shop", project="narrow")
    await operators.deliver(shop=(thing(WIDGETS, "a", size=1),))
    before = live(operators, WIDGETS, "a")
    with pytest.raises(error, match=message):
        await run(operators, "shop", action, kind="Widget")
    assert live(operators, WIDGETS, "a") == before


async def test_the_project_is_asked_before_anything_is_patched(operators: World) -> None:
    await operators.put_project("narrow")
    await operators.add_app("shop", project="narrow", auto=True)
    await operators.deliver(shop=(thing(ROLLOUTS, "web", replicas=1),))
    forbidden = [{"group": "argoproj.io", "kind": "Rollout"}]
    await operators.put_project("narrow", namespaceResourceBlacklist=forbidden)
    with pytest.raises(Forbidden, match="Rollout"):
        await run(operators, "shop", "restart", kind="Rollout")
    assert "restartAt" not in live(operators, ROLLOUTS, "web")["spec"]


async def test_several_objects_are_meant_only_when_all_are(operators: World) -> None:
    await operators.add_app("shop")
    objects = [thing(ROLLOUTS, name, replicas=1) for name in ("a", "b")]
    await operators.deliver(shop=(*objects, thing(WIDGETS, "w")))
    with pytest.raises(SpecInvalid, match="means 2 objects: Rollout"):
        await run(operators, "shop", "pause", kind="Rollout")
    with pytest.raises(NotFound, match="no such object"):
        await run(operators, "shop", "pause", kind="Deployment")
    await run(operators, "shop", "pause", name="a")
    done = await run(operators, "shop", "pause", kind="Rollout", every=True)
    # one that cannot is told, and keeps the other from nothing
    assert [(entry.patched, entry.error is None) for entry in done] == [
        (False, False),
        (True, True),
    ]
    assert live(operators, ROLLOUTS, "b")["spec"]["paused"] is True
    assert await offered(operators, "shop", kind="Widget") == {}
