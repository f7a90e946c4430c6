"""The scripted server of language models, asked by a plain HTTP client."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from backchannel.errors import LocalProtocolError
from backchannel.testing import BreakOff, Gate, ScriptedResponses, ScriptError, Status, calls, says

BODY = {"model": "m", "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}]}


async def events(client: aiohttp.ClientSession, server: ScriptedResponses) -> list[dict[str, Any]]:
    async with client.post(f"{server.url}/responses", json=BODY, headers={"X-Who": "me"}) as answer:
        assert answer.status == 200
        text = await answer.text()
    return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]


async def test_requests_follow_the_scripts_in_order() -> None:
    async with (
        ScriptedResponses(calls("f", {"a": 1}), ["{broken"]) as server,
        aiohttp.ClientSession() as client,
    ):
        first = await events(client, server)
        server.script(says("Added."))
        async with client.post(f"{server.url}/responses", json=BODY) as answer:
            assert await answer.text() == "event: odd\ndata: {broken\n\n"
        added = await events(client, server)
        beyond = await events(client, server)

        assert [event["type"] for event in first] == [
            "response.created",
            "response.output_item.done",
            "response.completed",
        ]
        assert "Added." in json.dumps(added)
        assert "Nothing more is scripted." in json.dumps(beyond)
        assert len(server.requests) == 4
        assert server.requests[0].headers["x-who"] == "me"
        assert server.requests[0].texts == [("user", "Hi")]


async def test_over_a_websocket_a_warm_up_takes_no_script() -> None:
    async with ScriptedResponses(says("Hi."), [Status(500, "no")], websocket=True) as server:
        async with aiohttp.ClientSession() as client, client.ws_connect(f"{server.url}/responses") as socket:
            await socket.send_json({**BODY, "generate": False})
            assert [(await socket.receive_json())["response"]["id"] for _ in range(2)] == ["warm-1", "warm-1"]
            await socket.send_json(BODY)
            assert [(await socket.receive_json())["type"] for _ in range(5)][-1] == "response.completed"
            await socket.send_bytes(b"x")
            await socket.send_json(BODY)
            assert (await socket.receive_json())["status"] == 500
        assert len(server.warm_ups) == 1
        assert [each.connection for each in server.requests] == [0, 0]


async def test_a_gate_waits_and_a_break_cuts() -> None:
    async with (
        ScriptedResponses([Gate("g"), *says("Hi.")], [BreakOff()], [Status(503, "busy")]) as server,
        aiohttp.ClientSession() as client,
        asyncio.TaskGroup() as group,
    ):
        waiting = group.create_task(events(client, server))
        await server.wait_for_request()
        assert not waiting.done()
        server.open("g")
        assert len(await waiting) == 5
        with pytest.raises(aiohttp.ClientError):
            await events(client, server)
        async with client.post(f"{server.url}/responses", json=BODY) as answer:
            assert (answer.status, await answer.text()) == (503, "busy")


async def test_what_does_not_come_is_said() -> None:
    server = ScriptedResponses()
    with pytest.raises(LocalProtocolError, match="inside `async with`"):
        _ = server.url
    async with server:
        with pytest.raises(ScriptError, match=r"no request 0 within 0\.01 s; 0 came"):
            await server.wait_for_request(timeout_s=0.01)
        async with aiohttp.ClientSession() as client:
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await client.ws_connect(f"{server.url}/responses")
