"""What broken and hostile servers can do to us: an error of ours, within a bounded time."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest

from fleet.cluster import (
    Limits,
    apply,
    discover,
    get_object,
    list_metadata,
    open_client,
    probe,
    watch,
)
from fleet.errors import (
    ClusterBusy,
    ClusterError,
    ClusterUnreachable,
    KindUnknown,
    WatchExpired,
)
from tests.integration.cluster.conftest import CONFIG_MAP, Gate, config_map
from tests.integration.cluster.faulty import Behaviour, answer, drip, faulty, in_turn, never

QUICK = Limits(
    connect_seconds=1.0,
    call_seconds=0.3,
    page_seconds=0.3,
    list_seconds=0.3,
    idle_seconds=0.3,
    page_bytes=1 << 20,
    object_bytes=1 << 20,
)
ITEM = {"metadata": {"name": "a", "resourceVersion": "1"}}
EXPIRED = {"kind": "Status", "reason": "Expired", "message": "too old", "code": 410}


def page(continued: str = "") -> Behaviour:
    metadata = {"resourceVersion": "5", "continue": continued}
    body = {"kind": "PartialObjectMetadataList", "metadata": metadata, "items": [ITEM]}
    return answer(200, body)


@pytest.mark.parametrize("behave", [never, drip])
async def test_a_server_that_hangs_or_drips_is_cut_off(behave: Behaviour) -> None:
    async with faulty(behave) as server, open_client(server.connection(), limits=QUICK) as client:
        async with asyncio.timeout(10):
            with pytest.raises(ClusterUnreachable, match="in time"):
                await get_object(client, CONFIG_MAP, "n", "a")
            with pytest.raises(ClusterUnreachable, match="in time"):
                await list_metadata(client, CONFIG_MAP)
            with pytest.raises(ClusterUnreachable):
                await anext(watch(client, CONFIG_MAP, resource_version="1", timeout_seconds=1))
        assert client.pacer.in_flight == 0


async def test_a_connection_without_a_handshake_is_cut_off() -> None:
    limits = Limits(connect_seconds=0.2)
    async with (
        faulty(never, tls=False) as server,
        open_client(server.connection(), limits=limits) as client,
        asyncio.timeout(10),
    ):
        with pytest.raises(ClusterUnreachable):
            await get_object(client, CONFIG_MAP, "n", "a")


@pytest.mark.parametrize(
    "broken",
    [
        answer(200, b'{"kind":"PartialObjectMetadataList","metadata":{"resourceVersion":"5"},"it'),
        answer(200, b'{"kind":"ConfigMapList","items":[', length=5000),
        answer(200, {"kind": "PartialObjectMetadataList", "items": [ITEM]}),
        answer(200, {"kind": "ConfigMapList", "metadata": {"resourceVersion": "5"}}),
        answer(200, {"kind": "ConfigMap", "metadata": {"resourceVersion": "5"}, "items": []}),
        answer(200, {}),
        answer(200, b"<html>please log in</html>"),
        answer(500, {"kind": "Status", "message": "etcdserver: leader changed"}),
        never,
    ],
    ids=range(9),
)
async def test_a_list_that_breaks_on_its_second_page_is_no_list(broken: Behaviour) -> None:
    async with (
        faulty(in_turn(page("more"), broken)) as server,
        open_client(server.connection(), limits=QUICK) as client,
    ):
        with pytest.raises(ClusterUnreachable):
            await list_metadata(client, CONFIG_MAP)

        assert len(server.heads) == 2
        assert "continue=more" in server.heads[1]


async def test_a_list_that_expires_between_pages_is_to_be_read_anew() -> None:
    async with (
        faulty(in_turn(page("more"), answer(410, EXPIRED))) as server,
        open_client(server.connection()) as client,
    ):
        with pytest.raises(WatchExpired):
            await list_metadata(client, CONFIG_MAP)


async def test_a_list_without_end_ends() -> None:
    async with (
        faulty(page("more")) as server,
        open_client(server.connection(), limits=QUICK) as client,
        asyncio.timeout(10),
    ):
        with pytest.raises(ClusterUnreachable, match="did not end"):
            await list_metadata(client, CONFIG_MAP)


async def test_answers_have_a_largest_size_also_when_they_were_small_on_the_wire() -> None:
    plain = answer(200, b" " * (2 << 20))
    bomb = answer(200, gzip.compress(b" " * (64 << 20)), Content_Encoding="gzip")
    for behave in (plain, bomb):
        async with (
            faulty(behave) as server,
            open_client(server.connection(), limits=QUICK) as client,
        ):
            with pytest.raises(ClusterError, match="larger than 1 MiB"):
                await get_object(client, CONFIG_MAP, "n", "a")


async def test_a_busy_server_is_left_in_peace_for_as_long_as_it_asks() -> None:
    async with (
        faulty(answer(429, Retry_After="30")) as server,
        open_client(server.connection()) as client,
    ):
        for _ in range(3):
            with pytest.raises(ClusterBusy) as caught:
                await apply(client, CONFIG_MAP, config_map("n"), force=False, gate=Gate())
            assert 25 < caught.value.retry_after_seconds <= 30

        assert len(server.heads) == 1
        assert client.pacer.window.size == 8


async def test_a_write_is_never_sent_twice() -> None:
    for behave in (answer(500), answer(200, b"{", length=50), never):
        async with (
            faulty(behave) as server,
            open_client(server.connection(), limits=QUICK) as client,
        ):
            with pytest.raises(ClusterUnreachable):
                await apply(client, CONFIG_MAP, config_map("n"), force=False, gate=Gate())

            assert len(server.heads) == 1


async def test_a_redirect_is_not_followed_and_takes_no_token_along() -> None:
    async with faulty(answer(200, {})) as other:
        target = answer(307, Location=f"https://127.0.0.1:{other.port}/")
        async with faulty(target) as server, open_client(server.connection()) as client:
            with pytest.raises(ClusterError, match="redirect") as caught:
                await get_object(client, CONFIG_MAP, "n", "a")

        assert not other.heads
        assert not caught.value.transient


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with faulty(answer(200, ITEM)) as server, open_client(server.connection()) as client:
        assert await get_object(client, CONFIG_MAP, "n", "a") == ITEM


async def test_only_a_real_not_found_means_absent() -> None:
    status = {"kind": "Status", "reason": "NotFound", "code": 404, "details": {}}
    for behave in (answer(404, b"404 page not found"), answer(404, status), answer(404, b"<html>")):
        async with faulty(behave) as server, open_client(server.connection()) as client:
            with pytest.raises(KindUnknown):
                await get_object(client, CONFIG_MAP, "n", "a")


@pytest.mark.parametrize(
    ("behave", "error"),
    [
        (answer(410, EXPIRED), WatchExpired),
        (
            answer(200, json.dumps({"type": "ERROR", "object": EXPIRED}).encode()),
            ClusterUnreachable,
        ),
        (answer(200, b'{"type":"MODIFIED","object":{"meta'), ClusterUnreachable),
        (answer(200, b'{"type":"MODIFIED","object":{}}\n'), ClusterUnreachable),
        (answer(200, b"<html>\n"), ClusterUnreachable),
        (answer(200, b"x", length=10), ClusterUnreachable),
    ],
    ids=range(6),
)
async def test_a_watch_that_fails_says_why(behave: Behaviour, error: type[ClusterError]) -> None:
    async with faulty(behave) as server, open_client(server.connection()) as client:
        with pytest.raises(ClusterError) as caught:
            await anext(watch(client, CONFIG_MAP, resource_version="1"))

        assert type(caught.value) is error


async def test_expiry_inside_a_stream_is_expiry() -> None:
    for status in (b'"code":410', b'"code":410,"reason":"Expired"', b'"reason":"Expired"'):
        line = b'{"type":"ERROR","object":{"kind":"Status",%s}}\n' % status
        async with faulty(answer(200, line)) as server, open_client(server.connection()) as client:
            with pytest.raises(WatchExpired):
                await anext(watch(client, CONFIG_MAP, resource_version="1"))


async def test_an_event_of_any_size_up_to_the_limit_is_read() -> None:
    note = "x" * (5 << 20)
    event = {"type": "ADDED", "object": {"metadata": {"name": "a", "annotations": {"n": note}}}}
    line = json.dumps(event).encode() + b"\n"
    huge = line.replace(b'"n": "', b'"n": "' + b"y" * (4 << 20))
    async with (
        faulty(in_turn(answer(200, line), answer(200, huge))) as server,
        open_client(server.connection()) as client,
    ):
        found = [event async for event in watch(client, CONFIG_MAP, resource_version="1")]
        with pytest.raises(ClusterUnreachable):
            await anext(watch(client, CONFIG_MAP, resource_version="1"))

    assert found[0].meta is not None
    assert found[0].meta.annotations["n"] == note


async def test_what_is_no_kubernetes_is_said_to_be_none() -> None:
    for behave in (answer(200, b"<html>"), answer(404, b"nope"), answer(200, {"a": 1})):
        async with faulty(behave) as server, open_client(server.connection()) as client:
            with pytest.raises(ClusterError, match="is not a Kubernetes API"):
                await probe(client)
    async with faulty(answer(200), tls=False) as server, open_client(server.connection()) as client:
        with pytest.raises(ClusterUnreachable, match="does not speak TLS"):
            await probe(client)


async def test_the_name_in_the_certificate_counts() -> None:
    async with faulty(answer(200, ITEM), hosts=("api.example",)) as server:
        async with open_client(server.connection()) as client:
            with pytest.raises(ClusterUnreachable, match="another name") as caught:
                await get_object(client, CONFIG_MAP, "n", "a")
        named = server.connection(tls_server_name="api.example")
        async with open_client(named) as client:
            assert await get_object(client, CONFIG_MAP, "n", "a") == ITEM

    assert "--tls-server-name" in caught.value.hint


async def test_discovery_of_a_server_that_breaks_off_is_an_error() -> None:
    for behave in (answer(200, b'{"kind":"APIGroupDiscoveryList","items":['), answer(200, [])):
        async with faulty(behave) as server, open_client(server.connection()) as client:
            with pytest.raises(ClusterUnreachable):
                await discover(client)


async def test_no_error_and_no_repr_holds_the_token() -> None:
    async with faulty(answer(500, b"hunter2")) as server:
        client = open_client(server.connection(), name="eu-1")
        async with client:
            with pytest.raises(ClusterError) as caught:
                await get_object(client, CONFIG_MAP, "n", "a")

    assert "hunter2" in server.heads[0]
    for shown in (str(caught.value), repr(client), repr(client.connection)):
        assert "hunter2" not in shown


async def test_a_dead_server_costs_one_timeout_however_many_wait() -> None:
    async with faulty(never) as server, open_client(server.connection(), limits=QUICK) as client:
        calls = (get_object(client, CONFIG_MAP, "n", f"a-{n}") for n in range(200))
        found = await asyncio.gather(*calls, return_exceptions=True)

    assert {type(error) for error in found} == {ClusterUnreachable}
    assert sum(client.requests.values()) == 16
