"""Another cluster behind a known URL: nothing it says counts, and nothing is written to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from fleet.errors import ClusterAuthFailed, IdentityChanged
from fleet.model.clusters import ClusterFacts
from fleet.model.scope import EVERYTHING
from fleet.operations.clusters import confirm_cluster
from fleet.operations.recognizing import accept, refuse_stranger
from fleet.registry.sightings import GONE
from tests.cluster.kube import ApiFailed, TestCluster
from tests.integration.operations.harness import ADMIN, World, config_map

WRITES = {"apply", "dry-run", "delete"}


@pytest.fixture
async def far(bare: World, throwaway: Callable[[], TestCluster]) -> TestCluster:
    """A cluster of the test's own, with an application that heals itself."""
    live = throwaway()
    await bare.add_cluster("far", live)
    await bare.add_app("far", path="web", cluster="far")
    await bare.deliver("far", web=(config_map("a", x="1"),))
    return live


async def uids(world: World) -> tuple[str, str]:
    """Of ``far``: who was seen, and who is confirmed."""
    (row,) = await world.rows("select uid, confirmed_uid from clusters where name = 'far'")
    return row["uid"], row["confirmed_uid"]


async def test_another_cluster_at_a_known_address_stops_everything_until_someone_confirms(
    bare: World, throwaway: Callable[[], TestCluster]
) -> None:
    live = throwaway()
    await bare.add_cluster("far", live)
    await bare.add_app("far", path="web", cluster="far")
    await bare.deliver("far", web=(config_map("a", x="1"),))
    # the same address, keys and prefix, and another cluster behind it
    namespace = live.request("GET", "/api/v1/namespaces/kube-system")
    await bare.run(
        "update clusters set confirmed_uid = 'of-the-one-before', uid = 'of-the-one-before'"
        " where name = 'far'"
    )
    bare.commit(web=(config_map("a", x="2"),))
    await bare.poll()
    spent = await bare.pass_("far", look=True)
    assert not {verb for verb, _ in spent} & {"apply", "delete", "list"}
    await bare.pass_("far")
    spent = await bare.pass_("far", look=True)
    assert sum(spent.values()) == 0
    (row,) = await bare.rows("select * from clusters where name = 'far'")
    assert (row["uid"], row["confirmed_uid"]) == (
        namespace["metadata"]["uid"],
        "of-the-one-before",
    )
    object = bare.read("a", cluster="far")
    assert object is not None
    assert object["data"] == {"x": "1"}
    assert (await bare.app("far"))["urgency"] < 100
    await confirm_cluster(bare.runtime, ADMIN, EVERYTHING, "far")
    await bare.pass_("far")
    object = bare.read("a", cluster="far")
    assert object is not None
    assert object["data"] == {"x": "2"}


async def test_a_pass_between_two_readings_writes_nothing_to_a_stranger(
    bare: World, far: TestCluster
) -> None:
    known = far.uid()
    before = await bare.rows("select changed_at from clusters where name = 'far'")
    far.rebuild()
    bare.commit(web=(config_map("a", x="2"),))
    await bare.poll()
    spent = await bare.pass_("far")
    assert not {verb for verb, _ in spent} & WRITES
    assert await uids(bare) == (far.uid(), known)
    # what looks after the cluster is told
    after = await bare.rows("select changed_at from clusters where name = 'far'")
    assert after[0]["changed_at"] > before[0]["changed_at"]
    assert len(await bare.operations("far")) == 1
    with pytest.raises(ApiFailed, match="404"):
        far.request("GET", f"/api/v1/namespaces/{bare.namespace}")
    assert sum((await bare.pass_("far")).values()) == 0
    await confirm_cluster(bare.runtime, ADMIN, EVERYTHING, "far")
    await bare.pass_("far")
    live = bare.read("a", cluster="far")
    assert live is not None
    assert live["data"] == {"x": "2"}


async def test_what_a_stranger_lacks_is_not_missing_and_not_made_again(
    bare: World, far: TestCluster
) -> None:
    far.rebuild()
    await bare.mark_seen("a", GONE, cluster="far")
    before = await bare.versions()
    spent = await bare.pass_("far")
    assert not {verb for verb, _ in spent} & WRITES
    assert await bare.versions() == before
    assert (await bare.app("far"))["sync_status"] == "Synced"
    assert (await uids(bare))[0] == far.uid()


async def test_an_object_of_a_stranger_in_the_same_place_tells_nothing(
    bare: World, far: TestCluster
) -> None:
    far.rebuild()
    bare.create_namespace("far")
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    path = f"{bare.path_of('a')}?fieldManager=them&force=true"
    live = far.request("PATCH", path, {**theirs, "data": {"x": "theirs"}})
    await bare.mark_seen("a", live["metadata"]["resourceVersion"], cluster="far")
    spent = await bare.pass_("far")
    assert spent["apply", "ConfigMap"] == 0
    object = bare.read("a", cluster="far")
    assert object is not None
    assert object["data"] == {"x": "theirs"}


async def test_who_was_known_has_to_tell_who_he_is(bare: World) -> None:
    cluster = bare.clusters["main"]
    for known, uid, error in (
        (cluster, cluster.uid, None),
        (cluster, "another", IdentityChanged),
        (cluster, "", ClusterAuthFailed),
        (replace(cluster, confirmed_uid=""), "another", None),
        (replace(cluster, confirmed_uid=""), "", None),
    ):
        if error is None:
            refuse_stranger(known, uid)
        else:
            with pytest.raises(error):
                refuse_stranger(known, uid)
    # not telling it does not make a stranger known again
    (before,) = await bare.rows("select uid, confirmed_uid from clusters")
    with pytest.raises(ClusterAuthFailed, match="kube-system"):
        await accept(bare.runtime, cluster, ClusterFacts("", cluster.version))
    assert await bare.rows("select uid, confirmed_uid from clusters") == [before]


async def test_a_cluster_that_turns_out_to_have_another_name_is_left_alone(
    bare: World, far: TestCluster
) -> None:
    uid = far.uid()
    await bare.run("update clusters set uid = '', confirmed_uid = '' where name = 'far'")
    await bare.run(
        "update clusters set uid = :uid, confirmed_uid = :uid where name = 'main'", uid=uid
    )
    bare.commit(web=(config_map("a", x="2"),))
    await bare.poll()
    spent = await bare.pass_("far", look=True)
    assert not {verb for verb, _ in spent} & WRITES
    assert await uids(bare) == (uid, "")
    assert sum((await bare.pass_("far")).values()) == 0


async def test_who_does_not_answer_is_not_asked_who_it_is(bare: World, far: TestCluster) -> None:
    far.stop()
    await bare.mark_seen("a", GONE, cluster="far")
    assert await bare.pass_("far") == {("get", "ConfigMap"): 1}
    assert (await bare.resources("far"))["ConfigMap/a"]["seen_version"] == GONE
