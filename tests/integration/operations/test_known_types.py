"""``knownTypeFields``: a quantity in a custom resource, spelt otherwise by its controller."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from fleet.model.resource_settings import read_resource_settings
from fleet.model.scope import EVERYTHING
from fleet.operations.diffing import diff_application
from fleet.render.yaml import load_one
from tests.cluster.kube import TestCluster
from tests.integration.operations.harness import Object, World
from tests.integration.operations.test_excluded import CRD, _until

KEY = "resource.customizations.knownTypeFields.status.test_Thing"
FIELDS = """
- {field: spec.size, type: core/Quantity}
- {field: spec.every, type: meta/v1/Duration}
"""


def _thing(size: str, every: str = "60s") -> Object:
    return {
        "apiVersion": "status.test/v1",
        "kind": "Thing",
        "metadata": {"name": "t"},
        "spec": {"size": size, "every": every},
    }


async def test_another_spelling_is_no_drift_and_another_value_is(
    bare: World, throwaway: Callable[[], TestCluster]
) -> None:
    resources = read_resource_settings({KEY: FIELDS}, load_one)
    bare.runtime = replace(bare.runtime, resources=resources)
    await bare.add_cluster("own", throwaway())
    await bare.add_app("crds", cluster="own")
    await bare.add_app("web", cluster="own")
    await bare.deliver("own", crds=(CRD,), web=(_thing("1000m"),))
    path = f"/apis/status.test/v1/namespaces/{bare.namespace}/things/t"
    await _until(bare, path)

    async def written(thing: Object) -> Object:
        bare.request("PATCH", f"{path}?fieldManager=x&force=true", thing, cluster="own")
        await bare.pass_("own", look=True)
        found: Object = bare.request("GET", path, cluster="own")["spec"]
        return found

    assert await written(_thing("1", "1m")) == {"size": "1", "every": "1m"}
    app = await bare.app("web")
    assert (app["sync_status"], app["heals"]) == ("Synced", 0)
    assert (await diff_application(bare.runtime, EVERYTHING, "web")).shown == ()
    # looked at once more, for whatever reason, and spelt as at first again
    assert await written(_thing("1000m")) == {"size": "1000m", "every": "60s"}
    assert (await bare.app("web"))["heals"] == 0
    assert await written(_thing("2", "1m")) == {"size": "1000m", "every": "60s"}
    (event,) = await bare.rows("select fields from drift_events")
    assert [field["path"] for field in event["fields"]] == [".spec.size"]
