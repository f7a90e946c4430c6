"""The ways to a model, over real sockets of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from backchannel.agents.responses.events import Completed, Cut, ItemDone, StreamEvent, TextAdded
from backchannel.agents.responses.failures import Cause, Failure, ModelFailed
from backchannel.agents.responses.items import Output, Said, Spoken
from backchannel.agents.responses.metadata import HEADER
from backchannel.agents.responses.requests import ModelRequest
from backchannel.agents.responses.way import OverHttp, OverWebsocket, Server, Way
from backchannel.config import Provider
from backchannel.testing import (
    BreakOff,
    Gate,
    ScriptedResponses,
    Status,
    calls,
    completed,
    created,
    message,
    says,
    text_delta,
)
from tests.planted import TOKEN, planted_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

OPENING = Said("developer", "You work here.")
HELLO = Said("user", "Hello.")
WAYS = ("http", "websocket")


def server_at(url: str, **changes: Any) -> Server:
    settings: dict[str, Any] = {"id": "p", "base_url": url, "stream_idle_timeout_ms": 5000, **changes}
    return Server(provider=Provider(**settings), headers={"Authorization": f"Bearer {TOKEN}"}, env={})


def request(*items: Any, **changes: Any) -> ModelRequest:
    settings: dict[str, Any] = {
        "model": "m",
        "instructions": "Work.",
        "items": (OPENING, *items),
        "tools": b"[]",
        "effort": None,
        "summary": None,
        "thread_id": "thread-1",
        "metadata": '{"turn_id":"t"}',
        "headers": {"thread-id": "thread-1"},
        **changes,
    }
    return ModelRequest(**settings)


@contextlib.asynccontextmanager
async def way_to(server: ScriptedResponses, over: str, **changes: Any) -> AsyncIterator[Way]:
    at = server_at(server.url, **changes)
    way = OverHttp(at) if over == "http" else OverWebsocket(at)
    try:
        yield way
    finally:
        await way.close()


def served(*scripts: Any, over: str = "http") -> ScriptedResponses:
    return ScriptedResponses(*scripts, websocket=True if over == "websocket" else 404)


async def taken(way: Way, asked: ModelRequest) -> list[StreamEvent]:
    async with contextlib.aclosing(way.ask(asked)) as events:
        return [event async for event in events]


async def failure(way: Way, asked: ModelRequest | None = None) -> Failure:
    with pytest.raises(ModelFailed) as caught:
        await taken(way, asked or request(HELLO))
    assert planted_in(str(caught.value) + repr(caught.value.failure)) == []
    return caught.value.failure


# ---- both ways --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("over", WAYS)
async def test_what_is_sent_and_what_comes_back(over: str) -> None:
    async with served(says("Hi."), over=over) as server, way_to(server, over, query_params={"v": "1 2"}) as way:
        events = await taken(way, request(HELLO))
        (asked,) = server.requests

    assert [type(event).__name__ for event in events] == ["Began", "ItemBegan", "TextAdded", "ItemDone", "Completed"]
    assert asked.over == over
    assert asked.texts == [("developer", "You work here."), ("user", "Hello.")]
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert asked.headers["thread-id"] == "thread-1"
    assert asked.headers[HEADER] == '{"turn_id":"t"}'
    body = {name: value for name, value in asked.body.items() if name not in {"input", "type"}}
    assert body == {
        "model": "m",
        "instructions": "Work.",
        "tools": [],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "thread-1",
        "client_metadata": {HEADER: '{"turn_id":"t"}'},
    }
    if over == "http":
        assert asked.headers["accept"] == "text/event-stream"
    else:
        assert asked.body["type"] == "response.create"
        assert asked.headers["openai-beta"] == "responses_websockets=2026-02-06"


@pytest.mark.parametrize(("effort", "included"), [("high", True), (None, True), ("none", False)])
async def test_how_long_the_model_thinks(effort: str | None, *, included: bool) -> None:
    async with served() as server, way_to(server, "http") as way:
        await taken(way, request(HELLO, effort=effort))
        body = server.requests[0].body

    assert body.get("reasoning") == ({"effort": "high"} if effort == "high" else None)
    assert ("include" in body) is included


@pytest.mark.parametrize(
    ("effort", "summary", "asked"),
    [
        ("high", "auto", {"effort": "high", "summary": "auto"}),
        (None, "concise", {"summary": "concise"}),
        (None, "none", None),
        ("none", "auto", None),
    ],
)
async def test_how_much_the_model_tells_of_its_thoughts(
    effort: str | None, summary: str, asked: dict[str, str] | None
) -> None:
    async with served() as server, way_to(server, "http") as way:
        await taken(way, request(HELLO, effort=effort, summary=summary))
        assert server.requests[0].body.get("reasoning") == asked


@pytest.mark.parametrize("over", WAYS)
async def test_an_abort_drops_the_connection_at_once(over: str) -> None:
    script = [created(), text_delta("a"), Gate("go"), message("b"), completed()]
    async with served(script, says("Next."), over=over) as server, way_to(server, over) as way:
        events = way.ask(request(HELLO))
        while not isinstance(await anext(events), TextAdded):
            pass
        began_s = time.monotonic()
        await events.aclose()
        assert time.monotonic() - began_s < 0.4
        assert isinstance((await taken(way, request(HELLO)))[-1], Completed)
        async with asyncio.timeout(5):
            while not server.requests[0].hung_up:  # noqa: ASYNC110 - the server's record is no event
                await asyncio.sleep(0.002)
        first, second = server.requests
    assert first.connection != second.connection
    assert "previous_response_id" not in second.body


@pytest.mark.parametrize("over", WAYS)
async def test_a_request_that_is_cancelled_leaves_nothing(over: str) -> None:
    async with served([created(), Gate("never")], over=over) as server, way_to(server, over) as way:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(taken(way, request(HELLO)))
            await server.wait_for_request()
            task.cancel()
        assert task.cancelled()


@pytest.mark.parametrize("over", WAYS)
@pytest.mark.parametrize(
    ("script", "cause", "words"),
    [
        ([created(), text_delta("a"), BreakOff()], Cause.PASSING, ""),
        ([{"type": "response.failed", "response": {"error": {"message": "Oops"}}}], Cause.PASSING, "Oops"),
        (
            [{"type": "response.failed", "response": {"error": {"code": "context_length_exceeded"}}}],
            Cause.TOO_LONG,
            "context_length_exceeded",
        ),
    ],
)
async def test_a_failure_says_whether_it_passes(script: Any, cause: Cause, words: str, over: str) -> None:
    async with served(script, over=over) as server, way_to(server, over) as way:
        failed = await failure(way)

    assert failed.cause is cause
    assert failed.over_websocket is (over == "websocket")
    assert words in failed.reason


@pytest.mark.parametrize("over", WAYS)
async def test_a_server_that_falls_silent_is_given_up(over: str) -> None:
    async with (
        served([created(), Gate("never")], over=over) as server,
        way_to(server, over, stream_idle_timeout_ms=100) as way,
    ):
        failed = await failure(way)

    assert failed.cause is Cause.PASSING
    assert failed.reason.startswith("nothing came from ")
    assert failed.reason.endswith(" for 0.1 s")


@pytest.mark.parametrize("over", WAYS)
async def test_nobody_listening(over: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
    way = OverHttp(server_at(url)) if over == "http" else OverWebsocket(server_at(url))

    failed = await failure(way)

    assert failed.cause is Cause.PASSING
    assert not failed.answering
    assert failed.sentence.endswith(
        "/v1/responses cannot be reached: connection refused; check that it is running, and base_url of the provider p"
    )


@pytest.mark.parametrize("over", WAYS)
async def test_what_is_odd_is_passed_over(over: str) -> None:
    script = ["{", '{"type":"made.up"}', *says("Hi.")]
    async with served(script, over=over) as server, way_to(server, over) as way:
        assert isinstance((await taken(way, request(HELLO)))[-1], Completed)


@pytest.mark.parametrize("over", WAYS)
async def test_what_no_header_can_carry_is_said(over: str) -> None:
    async with served(over=over) as server, way_to(server, over) as way:
        failed = await failure(way, request(HELLO, headers={"thread-id": "a\nb"}))

    assert failed.cause is Cause.SETTLED
    assert "the header 'thread-id' cannot be sent" in failed.reason


# ---- HTTP -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "cause", "words"),
    [
        (500, Cause.PASSING, "the model's server answered 500 Internal Server Error: no [left out]; the trouble is on"),
        (503, Cause.PASSING, "the model's server answered 503"),
        (429, Cause.SETTLED, "wait a moment and try again"),
        (401, Cause.SETTLED, "check the key in MY_KEY, it is missing, wrong or expired"),
        (404, Cause.SETTLED, "check the model's name, and base_url of the provider p"),
        (400, Cause.SETTLED, "check the model's name, and base_url of the provider p"),
    ],
)
async def test_a_refusal_says_whether_it_passes_and_what_to_do(status: int, cause: Cause, words: str) -> None:
    body = json.dumps({"error": {"message": f"no {TOKEN}"}})
    async with served([Status(status, body)]) as server, way_to(server, "http", env_key="MY_KEY") as way:
        failed = await failure(way)

    assert failed.cause is cause
    assert not failed.answering
    assert words in failed.sentence


async def test_an_answer_that_just_ends_is_incomplete() -> None:
    async with served([created(), message("Hi.")]) as server, way_to(server, "http") as way:
        failed = await failure(way)

    assert failed == Failure(Cause.PASSING, "the model's answer ended before it was complete")


async def test_an_answer_that_was_cut_off_is_the_end() -> None:
    async with served([{"type": "response.incomplete"}, Gate("never")]) as server, way_to(server, "http") as way:
        assert isinstance((await taken(way, request(HELLO)))[-1], Cut)


async def test_an_event_without_end_is_refused() -> None:
    async with served(["x" * (17 * 1024 * 1024)]) as server, way_to(server, "http") as way:
        failed = await failure(way)

    assert failed.cause is Cause.SETTLED
    assert "longer than" in failed.reason


@pytest.mark.parametrize(
    ("base", "over_websocket", "url"),
    [
        ("https://a.test/v1", False, "https://a.test/v1/responses"),
        ("https://a.test/v1/", True, "wss://a.test/v1/responses"),
        ("http://a.test", True, "ws://a.test/responses"),
        ("wss://a.test/v1?x=1", False, "https://a.test/v1/responses?x=1"),
    ],
)
def test_where_requests_go(base: str, url: str, *, over_websocket: bool) -> None:
    assert server_at(base).url(over_websocket=over_websocket) == url


def test_no_header_is_sent_twice() -> None:
    server = Server(provider=Provider(id="p"), headers={"Accept": "a", "X": "y"}, env={})
    assert server.request_headers({"accept": "b"}) == {"X": "y", "accept": "b"}


# ---- websocket --------------------------------------------------------------------------------------------------


async def test_what_only_adds_is_sent_as_an_addition() -> None:
    scripts = [calls("exec_command", {"cmd": "x"}, response_id="r1"), says("Done.", response_id="r2")]
    async with served(*scripts, over="websocket") as server, way_to(server, "websocket") as way:
        await way.prepare(request())
        first = await taken(way, request(HELLO))
        (item,) = [event.item for event in first if isinstance(event, ItemDone)]
        await taken(way, request(HELLO, item, Output("call_1", "out")))
        (warm_up,) = server.warm_ups
        one, two = server.requests

    assert warm_up.body["generate"] is False
    assert warm_up.texts == [("developer", "You work here.")]
    assert one.body["previous_response_id"] == "warm-1"
    assert one.texts == [("user", "Hello.")]
    assert two.body["previous_response_id"] == "r1"
    assert [each["type"] for each in two.input] == ["function_call_output"]
    assert warm_up.connection == one.connection == two.connection
    assert len(server.handshakes) == 1


@pytest.mark.parametrize(
    "changed",
    [
        request(Said("user", "Another beginning.")),
        request(HELLO, instructions="Work well."),
        request(HELLO, Spoken("forged", "{}"), Said("user", "x")),
    ],
)
async def test_what_does_more_than_add_is_sent_whole(changed: ModelRequest) -> None:
    async with served(says("Hi."), says("Ho."), over="websocket") as server, way_to(server, "websocket") as way:
        await taken(way, request(HELLO))
        await taken(way, changed)
        second = server.requests[1]

    assert "previous_response_id" not in second.body
    assert len(second.input) == len(changed.items)


async def test_a_connection_that_was_lost_meanwhile_is_made_anew() -> None:
    scripts = [says("Hi.", response_id="r1"), says("Ho.")]
    async with served([*scripts[0], BreakOff()], scripts[1], over="websocket") as server:
        async with way_to(server, "websocket") as way:
            events = await taken(way, request(HELLO))
            (item,) = [event.item for event in events if isinstance(event, ItemDone)]
            await taken(way, request(HELLO, item, Said("user", "And?")))
        assert [each.connection for each in server.requests] == [0, 1]
        assert "previous_response_id" not in server.requests[1].body


async def test_a_server_that_forgot_is_told_everything_on_a_new_connection() -> None:
    forgot = {"type": "error", "status": 400, "error": {"code": "previous_response_not_found", "message": "who?"}}
    async with served(says("Hi."), [forgot], says("Ho."), over="websocket") as server:
        async with way_to(server, "websocket") as way:
            events = await taken(way, request(HELLO))
            (item,) = [event.item for event in events if isinstance(event, ItemDone)]
            more = request(HELLO, item, Said("user", "And?"))
            assert (await failure(way, more)).cause is Cause.STALE
            await taken(way, more)
        assert "previous_response_id" not in server.requests[2].body


async def test_a_server_without_websockets_is_asked_over_http_silently_and_for_good() -> None:
    async with ScriptedResponses(says("Hi."), says("Ho."), websocket=426) as server, way_to(server, "websocket") as way:
        await way.prepare(request())
        await taken(way, request(HELLO))
        await taken(way, request(HELLO))
        assert len(server.handshakes) == 1
        assert [each.over for each in server.requests] == ["http", "http"]

    async with ScriptedResponses(says("Hi."), websocket=426) as server, way_to(server, "websocket") as way:
        await taken(way, request(HELLO))
        assert server.requests[0].over == "http"


@pytest.mark.parametrize(("status", "cause"), [(500, Cause.PASSING), (401, Cause.SETTLED)])
async def test_a_refused_handshake_says_whether_it_passes(status: int, cause: Cause) -> None:
    async with ScriptedResponses(websocket=status) as server, way_to(server, "websocket") as way:
        await way.prepare(request())
        failed = await failure(way)

    assert failed.cause is cause
    assert failed.over_websocket


async def test_told_to_give_up_it_uses_http() -> None:
    async with served(says("Hi."), says("Ho."), over="websocket") as server:
        way = OverWebsocket(server_at(server.url))
        await taken(way, request(HELLO))
        way.give_up()
        await taken(way, request(HELLO))
        assert [each.over for each in server.requests] == ["websocket", "http"]
        await way.close()


async def test_what_is_ready_is_not_made_ready_again() -> None:
    async with served(says("Hi."), over="websocket") as server, way_to(server, "websocket") as way:
        await way.prepare(request())
        await taken(way, request(HELLO))
        await way.prepare(request())
        assert len(server.warm_ups) == 1
        assert isinstance(way, OverWebsocket)
        way.give_up()
        await taken(way, request(HELLO))
        await way.prepare(request())
        assert len(server.handshakes) == 1


async def test_a_warm_up_that_answers_is_no_harm() -> None:
    async with served(says("Hi."), over="websocket") as server, way_to(server, "websocket") as way:
        await way.prepare(request())
        await taken(way, request(HELLO, metadata='{"turn_id":"u"}'))
        (asked,) = server.requests

    assert asked.body["client_metadata"] == {HEADER: '{"turn_id":"u"}'}
    assert json.loads(asked.headers[HEADER]) == {"turn_id": "t"}
