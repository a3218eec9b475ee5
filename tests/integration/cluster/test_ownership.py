"""What changes our owned set on a real API server, and what does not."""

from __future__ import annotations

import json
import ssl
import urllib.request
from itertools import combinations
from typing import Any

import pytest

from fleet.cluster import (
    ClusterClient,
    apply,
    get_metadata,
    get_object,
    lost_fields,
    meta_of,
    owned_fields,
    ownership,
    paths_owned,
    writers,
)
from fleet.diff import projection_sha256, with_filled
from fleet.errors import FieldConflict
from fleet.model.live import LiveMeta
from tests.cluster.kube import TestCluster
from tests.integration.cluster.conftest import DEPLOYMENT, Gate, deployment

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
REPLICAS = {"spec": {"replicas": 5}}
IMAGE = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "nginx:2"}]}}}}
IMAGE_PATH = ".spec.template.spec.containers[name=web].image"


def _edit(
    cluster: TestCluster,
    spot: str,
    body: Any,
    content_type: str = MERGE,
    *,
    subresource: str = "",
    manager: str = "kubectl-edit",
) -> None:
    """A hand edit, as another manager."""
    path = f"/apis/apps/v1/namespaces/{spot}/deployments/web{subresource}"
    request = urllib.request.Request(
        f"{cluster.server}{path}?fieldManager={manager}",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {cluster.admin_token}", "Content-Type": content_type},
        method="PATCH",
    )
    trust = ssl.create_default_context(cadata=cluster.ca_pem)
    with urllib.request.urlopen(request, context=trust, timeout=30):
        pass


async def _live(client: ClusterClient, spot: str) -> LiveMeta:
    found = await get_metadata(client, DEPLOYMENT, spot, "web")
    assert found is not None
    return found


async def _applied(client: ClusterClient, spot: str, *, force: bool = False) -> LiveMeta:
    answer = await apply(client, DEPLOYMENT, deployment(spot), force=force, gate=Gate())
    return meta_of(DEPLOYMENT, answer.object)


@pytest.mark.parametrize(
    ("edit", "lost"),
    [
        ({"body": REPLICAS}, ".spec.replicas"),
        ({"body": REPLICAS, "content_type": STRATEGIC}, ".spec.replicas"),
        ({"body": IMAGE, "content_type": STRATEGIC}, IMAGE_PATH),
        (
            {
                "body": [{"op": "replace", "path": "/spec/replicas", "value": 5}],
                "content_type": JSON_PATCH,
            },
            ".spec.replicas",
        ),
        ({"body": REPLICAS, "subresource": "/scale"}, ".spec.replicas"),
        ({"body": {"spec": {"replicas": None}}}, ".spec.replicas"),
        ({"body": REPLICAS, "manager": "fleet"}, ".spec.replicas"),
    ],
    ids=["merge", "strategic", "list-item", "json-patch", "scale", "removed", "our-own-name"],
)
async def test_an_edit_of_our_field_shows_in_our_set_and_heals_by_force(
    client: ClusterClient, bare: TestCluster, spot: str, edit: dict[str, Any], lost: str
) -> None:
    before = await _applied(client, spot)

    _edit(bare, spot, **edit)
    after = await _live(client, spot)
    healed = await _applied(client, spot, force=True)

    assert ownership(after).owned != ownership(before).owned
    assert lost_fields(owned_fields(before), owned_fields(after)) == {lost}
    assert ownership(healed).owned == ownership(before).owned


@pytest.mark.parametrize(
    "edit",
    [
        {"body": {"metadata": {"labels": {"foreign": "x"}}}},
        {"body": {"spec": {"replicas": 2}}},
        {"body": {"status": {"observedGeneration": 7}}, "subresource": "/status"},
    ],
    ids=["foreign-label", "same-value", "status"],
)
async def test_what_is_not_ours_leaves_our_set_alone(
    client: ClusterClient, bare: TestCluster, spot: str, edit: dict[str, Any]
) -> None:
    before = await _applied(client, spot)

    _edit(bare, spot, **edit)
    after = await _live(client, spot)

    assert ownership(after).owned == ownership(before).owned != ""
    assert lost_fields(owned_fields(before), owned_fields(after)) == frozenset()


#: Mappings of a Pod template that are empty in Git, and what others put into them.
FILLED: dict[str, dict[str, Any]] = {
    "annotations": {"kubectl.kubernetes.io/restartedAt": "now"},
    "securityContext": {"runAsUser": 1},
    "resources": {"limits": {"cpu": "1"}},
}
FILLINGS = [names for size in (1, 2, 3) for names in combinations(sorted(FILLED), size)]


def _filled(template: dict[str, Any], name: str, value: Any) -> None:
    places = {"annotations": template["metadata"], "resources": template["spec"]["containers"][0]}
    places.get(name, template["spec"])[name] = value


@pytest.mark.parametrize("taken", [False, True], ids=["and-nothing-else", "and-one-of-ours"])
@pytest.mark.parametrize("names", FILLINGS, ids="+".join)
async def test_what_others_put_into_empty_mappings_of_ours_is_theirs(
    client: ClusterClient, bare: TestCluster, spot: str, names: tuple[str, ...], taken: bool
) -> None:
    """The server takes an empty mapping from us once something is in it, which is told from a
    field of ours that was changed."""
    wanted = deployment(spot)
    for name in FILLED:
        _filled(wanted["spec"]["template"], name, {})
    stored = (await apply(client, DEPLOYMENT, wanted, force=False, gate=Gate())).object
    edit: dict[str, Any] = {"metadata": {}, "spec": {"containers": [{"name": "web"}]}}
    for name in names:
        _filled(edit, name, FILLED[name])
    if taken:
        edit["spec"]["containers"][0]["image"] = "nginx:2"
    _edit(bare, spot, {"spec": {"template": edit}}, STRATEGIC, manager="kubectl-rollout")

    left, same = await _left(client, spot, stored)

    assert left == (frozenset({IMAGE_PATH}) if taken else frozenset())
    assert same is not taken


async def test_an_atomic_mapping_that_is_empty_is_ours_as_a_whole(
    client: ClusterClient, bare: TestCluster, spot: str
) -> None:
    """An apply would empty it again."""
    wanted = deployment(spot)
    wanted["spec"]["template"]["spec"]["nodeSelector"] = {}
    stored = (await apply(client, DEPLOYMENT, wanted, force=False, gate=Gate())).object
    _edit(bare, spot, {"spec": {"template": {"spec": {"nodeSelector": {"zone": "a"}}}}})

    left, same = await _left(client, spot, stored)

    assert left == {".spec.template.spec.nodeSelector"}
    assert not same


async def _left(client: ClusterClient, spot: str, stored: Any) -> tuple[frozenset[str], bool]:
    """What we have lost since ``stored`` was applied but for what others filled, and whether our
    values are the same."""
    live = await get_object(client, DEPLOYMENT, spot, "web")
    assert live is not None
    meta = meta_of(DEPLOYMENT, live)
    before, now = owned_fields(meta_of(DEPLOYMENT, stored)), owned_fields(meta)
    assert before is not None
    assert now is not None
    left = lost_fields(before, with_filled(now, before, meta.managed_fields))
    return left, projection_sha256(live, before) == projection_sha256(stored, before)


async def test_a_drifted_field_is_traced_to_who_wrote_it(
    client: ClusterClient, bare: TestCluster, spot: str
) -> None:
    before = await _applied(client, spot)
    _edit(bare, spot, REPLICAS)

    after = await _live(client, spot)
    with pytest.raises(FieldConflict) as caught:
        await _applied(client, spot)

    assert writers(after.managed_fields)[".spec.replicas"] == "kubectl-edit"
    assert writers(after.managed_fields)[IMAGE_PATH] == "fleet"
    assert ownership(after).foreign == ("kubectl-edit",)
    assert caught.value.conflicts == (("kubectl-edit", ".spec.replicas"),)
    assert paths_owned(owned_fields(before), caught.value.conflicts) == {".spec.replicas"}


async def test_a_conflict_in_a_list_item_is_found_in_what_we_owned(
    client: ClusterClient, bare: TestCluster, spot: str
) -> None:
    before = await _applied(client, spot)
    _edit(bare, spot, IMAGE, STRATEGIC)

    with pytest.raises(FieldConflict) as caught:
        await _applied(client, spot)

    assert paths_owned(owned_fields(before), caught.value.conflicts) == {IMAGE_PATH}


async def test_a_field_that_was_never_ours_is_not_among_them(
    client: ClusterClient, bare: TestCluster, spot: str
) -> None:
    first = deployment(spot)
    del first["spec"]["replicas"]
    stored = await apply(client, DEPLOYMENT, first, force=False, gate=Gate())
    _edit(bare, spot, REPLICAS, manager="hpa")

    with pytest.raises(FieldConflict) as caught:
        await _applied(client, spot)

    owned = owned_fields(meta_of(DEPLOYMENT, stored.object))
    assert paths_owned(owned, caught.value.conflicts) == frozenset()
