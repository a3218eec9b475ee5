"""The client against a server that behaves, and one that does not."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from fleet.cli.client import Api, remote
from fleet.errors import NotFound, ServerUnreachable
from tests.ports import free_port
from tests.servers.http import Fault, HttpServer, Request, Response

JSON = {"Content-Type": "application/json"}
NAMES = [f"app-{number}" for number in range(5)]


def answer(request: Request) -> Response:
    if request.path == "/api/v1/applications":
        after = "after=2" in request.query
        page = NAMES[2:] if after else NAMES[:2]
        return Response(
            200, json.dumps({"items": page, "next": "" if after else "2"}).encode(), JSON
        )
    if request.path == "/healthz":
        return Response(200, b'{"status": "ok"}', JSON)
    if request.path.endswith("/gone"):
        error = {"type": "NotFound", "message": "no such thing", "hint": "Look again."}
        return Response(404, json.dumps({"error": error}).encode(), JSON)
    return Response(200, b"{}", JSON)


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer(answer) as made:
        yield made


@pytest.fixture
def api(server: HttpServer) -> Iterator[Api]:
    with remote(server.url, "flt_token") as made:
        yield made


def test_a_list_is_read_to_its_end(api: Api) -> None:
    assert api.items("applications") == NAMES
    assert api.items("applications", most=2) == NAMES[:2]


def test_the_token_is_sent_and_names_are_one_part(api: Api, server: HttpServer) -> None:
    api.get("applications", "a/../b?c")
    sent = server.requests[-1]
    assert sent.headers["authorization"] == "Bearer flt_token"
    assert sent.path == "/api/v1/applications/a%2F..%2Fb%3Fc"


def test_an_error_is_the_one_of_the_server(api: Api) -> None:
    with pytest.raises(NotFound, match="no such thing") as caught:
        api.get("gone")
    assert caught.value.hint == "Look again."


def test_each_write_has_a_key_of_its_own(api: Api, server: HttpServer) -> None:
    api.post("applications", "web", "sync")
    api.post("applications", "web", "sync")
    keys = [request.headers["idempotency-key"] for request in server.requests]
    assert len(set(keys)) == 2
    api.get("applications", "web")
    assert "idempotency-key" not in server.requests[-1].headers


def test_a_write_that_broke_off_is_sent_again_with_its_key(api: Api, server: HttpServer) -> None:
    server.fault = Fault.TRUNCATE
    with pytest.raises(ServerUnreachable):
        api.post("applications", "web", "sync")
    keys = [request.headers["idempotency-key"] for request in server.requests]
    assert len(keys) == 2
    assert keys[0] == keys[1]


def test_what_is_shown_once_is_asked_once(api: Api, server: HttpServer) -> None:
    server.fault = Fault.TRUNCATE
    with pytest.raises(ServerUnreachable):
        api.post("accounts", "ci", "tokens", once=True)
    assert len(server.requests) == 1
    assert "idempotency-key" not in server.requests[0].headers


def test_a_redirect_is_not_followed_with_the_token(api: Api, server: HttpServer) -> None:
    with HttpServer(answer) as elsewhere:
        server.fault, server.redirect_to = Fault.REDIRECT, elsewhere.url
        with pytest.raises(ServerUnreachable, match="not as Fleet does"):
            api.get("applications", "web")
        assert elsewhere.requests == []


@pytest.mark.parametrize("fault", [Fault.PAGE, Fault.ERROR, Fault.UNAUTHORIZED, Fault.BUSY])
def test_something_that_is_not_fleet(api: Api, server: HttpServer, fault: Fault) -> None:
    server.fault = fault
    with pytest.raises(ServerUnreachable):
        api.get("applications", "web")


def test_who_is_asked_whether_it_lives_gets_no_token(api: Api, server: HttpServer) -> None:
    assert api.alive()
    assert server.requests[-1].headers.get("authorization", "") == ""
    server.fault = Fault.PAGE
    assert not api.alive()


def test_nobody_there() -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    with remote(nowhere, "flt_token") as api:
        assert not api.alive()
        with pytest.raises(ServerUnreachable) as caught:
            api.get("applications")
    assert nowhere in caught.value.message
    assert "flt_token" not in caught.value.message
    assert caught.value.exit_code == 4
