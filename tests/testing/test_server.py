from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import aiohttp
import pytest

from backchannel.errors import AuthError, ConnectError, LocalProtocolError
from backchannel.net import BinaryFrame, Closed, ConnectOptions, TextFrame, WebSocket, connect
from backchannel.testing import (
    AcceptAfter,
    AnswerOffer,
    Close,
    Drop,
    Expect,
    Pause,
    ReceivedFrame,
    Refuse,
    Run,
    Script,
    ScriptedConnection,
    ScriptedServer,
    ScriptError,
    Send,
    SendBinary,
    of_type,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def opened(server: ScriptedServer) -> WebSocket:
    return await connect(ConnectOptions(url=server.url))


class TestScripts:
    async def test_each_connection_follows_its_own(self) -> None:
        scripts = (
            [Expect("a"), Send({"type": "b", "n": [1]}), Pause(0.01), SendBinary(b"\0"), Close(code=4001, reason="x")],
            [Refuse(status=401, body="no", headers={"x-why": "y"})],
            [AcceptAfter(delay_s=0.05), Send("raw")],
        )
        async with ScriptedServer(*scripts) as server:
            first = await opened(server)
            await first.send('{"type":"a"}')
            frames = [frame async for frame in first]
            assert frames == [
                TextFrame('{"type": "b", "n": [1]}'),
                BinaryFrame(b"\0"),
                Closed(code=4001, reason="x", clean=True),
            ]
            with pytest.raises(AuthError):
                await opened(server)
            third = await opened(server)
            assert await third.receive() == TextFrame("raw")
            beyond = await opened(server)
            await beyond.send("listened to")
            await server.wait_for(lambda frame: frame.payload == "listened to")
            assert [one.number for one in server.connections] == [0, 2, 3]
            assert [handshake.connection for handshake in server.handshakes] == [0, 1, 2, 3]
            assert server.connections[0].close_code == 4001
            await third.close()
            await beyond.close()

    async def test_a_function_does_as_it_likes(self) -> None:
        async def script(connection: ScriptedConnection) -> None:
            frame = await connection.expect(Expect(lambda frame: frame.has("n", 2)))
            await connection.send({"echo": frame.field("n")})
            await connection.send_binary(b"x")
            await connection.ping()
            await connection.close(code=4002)
            await connection.close(code=4003)
            await connection.wait_closed()
            assert connection.close_code == 4002

        async with ScriptedServer(script) as server:
            client = await opened(server)
            for n in range(3):
                await client.send(f'{{"n":{n}}}')
            frames = [frame async for frame in client]
        assert frames == [TextFrame('{"echo": 2}'), BinaryFrame(b"x"), Closed(code=4002, reason="", clean=True)]
        assert [frame.field("n") for frame in server.connections[0].skipped] == [0, 1]
        assert len(server.frames) == 3

    async def test_dropping(self) -> None:
        async with ScriptedServer([Drop(before_handshake=True)], [Drop()]) as server:
            with pytest.raises(ConnectError):
                await opened(server)
            client = await opened(server)
            assert await client.receive() == Closed(code=None, reason="the connection was lost", clean=False)
            await client.close()
            assert (await server.wait_closed(1)).close_code is None

    async def test_what_comes_after_the_goodbye_is_recorded_too(self) -> None:
        async with ScriptedServer([Close()]) as server, aiohttp.ClientSession() as session:
            async with session.ws_connect(server.url, autoclose=False) as client:
                assert (await client.receive()).type is aiohttp.WSMsgType.CLOSE
                await client.send_str('{"type":"late"}')
                await client.close(code=4009)
            await server.wait_for(of_type("late"))
            assert (await server.wait_closed()).close_code == 4009

    async def test_leaving_closes_what_is_open(self) -> None:
        async def forever(_connection: ScriptedConnection) -> None:
            await asyncio.Event().wait()

        async with ScriptedServer(forever) as server:
            client = await opened(server)
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(client.receive())
                await server.__aexit__(None, None, None)
        assert reading.result() == Closed(code=1001, reason="the test is over", clean=True)

    async def test_leaving_does_not_wait_for_ever(self) -> None:
        async with ScriptedServer([AcceptAfter(delay_s=60)]) as waiting:
            with pytest.raises(ConnectError, match="did not answer the websocket handshake"):
                await connect(ConnectOptions(url=waiting.url, connect_timeout_s=0.1))
        before_s = time.monotonic()
        async with ScriptedServer() as server:
            client = await opened(server)  # nobody reads, so its goodbye never comes
        assert time.monotonic() - before_s < 2.5
        await client.close()


async def failed(script: Script, use: Callable[[ScriptedServer], Awaitable[None]]) -> str:
    """What a test is told that uses a server with a script that cannot be followed."""
    server = ScriptedServer(script)

    async def test() -> None:
        async with server:
            await use(server)

    with pytest.raises(ScriptError) as caught:
        await test()
    assert all(one.ended_at_s is not None for one in server.connections)
    return str(caught.value)


async def come_and_go(server: ScriptedServer) -> None:
    await (await opened(server)).close()


async def stay(server: ScriptedServer) -> None:
    client = await opened(server)
    closed = await client.receive()
    assert closed == Closed(code=1011, reason="the script failed", clean=True)


class TestFailures:
    async def test_an_expectation_that_is_not_met_in_time(self) -> None:
        async def use(server: ScriptedServer) -> None:
            client = await opened(server)
            await client.send('{"type":"a","delta":"hi"}')
            assert await client.receive() == Closed(code=1011, reason="the script failed", clean=True)
            assert [frame.type for frame in server.frames] == ["a"]

        message = await failed([Expect("b", timeout_s=0.1), Send("1")], use)
        assert "connection 0: expected 'b' within 0.1 s; 1 frames arrived:" in message
        assert '{"type":"a","delta":"hi"}' in message

    async def test_an_expectation_that_is_still_open_at_the_end(self) -> None:
        clients: list[WebSocket] = []

        async def use(server: ScriptedServer) -> None:
            clients.append(await opened(server))
            await server.wait_for_connection()

        message = await failed([Pause(60), Expect("b")], use)
        assert message == "connection 0: the script still expected 'b'; nothing arrived"
        await clients[0].close()

    async def test_what_was_sent_last_still_counts(self) -> None:
        async with ScriptedServer([Expect("last")]) as server:
            client = await opened(server)
            await client.send('{"type":"last"}')
        await client.close()

    async def test_a_client_that_goes_away(self) -> None:
        message = await failed([Expect("a")], come_and_go)
        assert message == (
            "connection 0 was closed by the client (code 1000) while the script expected 'a'; nothing arrived"
        )

    async def test_a_client_that_goes_away_before_the_rest_is_sent_is_no_failure(self) -> None:
        done = asyncio.Event()

        async def after_the_end(connection: ScriptedConnection) -> None:
            await connection.wait_closed()
            done.set()
            await connection.send("too late")

        async with ScriptedServer([Pause(0.05), Send("1")], after_the_end) as server:
            await come_and_go(server)
            await come_and_go(server)
            async with asyncio.timeout(5):
                await done.wait()
        assert server.failures == []

    async def test_sending_to_nobody_before_an_expectation_is_a_failure(self) -> None:
        async def wait(connection: ScriptedConnection) -> None:
            await connection.wait_closed()

        message = await failed([Run(wait), Send("1"), Expect("a")], come_and_go)
        assert message == "connection 0 is gone, its script still expected 'a'"

    async def test_a_function_that_raises(self) -> None:
        async def broken(_connection: ScriptedConnection) -> None:
            raise LookupError("oh")

        assert await failed(broken, stay) == "connection 0: its script raised LookupError('oh')"

    async def test_a_function_that_judges_after_the_end(self) -> None:
        async def judge(connection: ScriptedConnection) -> None:
            await connection.wait_closed()
            assert connection.received, "it said nothing"

        clients: list[WebSocket] = []

        async def use(server: ScriptedServer) -> None:
            clients.append(await opened(server))
            await server.wait_for_connection()

        assert "it said nothing" in await failed(judge, use)
        await clients[0].close()

    async def test_a_predicate_that_raises(self) -> None:
        async def use(server: ScriptedServer) -> None:
            client = await opened(server)
            await client.send("{}")
            await client.receive()

        message = await failed([Expect(lambda frame: frame.field("x") == 1)], use)
        assert "its script raised LookupError" in message

    async def test_the_tests_own_failure_comes_first(self) -> None:
        clients: list[WebSocket] = []

        async def test() -> None:
            async with ScriptedServer([Expect("a")]) as server:
                clients.append(await opened(server))
                await server.wait_for_connection()
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError) as caught:
            await test()
        await clients[0].close()
        assert caught.value.__notes__ == ["connection 0: the script still expected 'a'; nothing arrived"]

    async def test_waiting_ends_when_a_script_fails(self) -> None:
        clients: list[WebSocket] = []

        async def use(server: ScriptedServer) -> None:
            clients.append(await opened(server))
            await server.wait_for(of_type("never"), timeout_s=10)

        before_s = time.monotonic()
        assert "expected 'b'" in await failed([Expect("b", timeout_s=0.1)], use)
        assert time.monotonic() - before_s < 3
        await clients[0].close()


class TestWaiting:
    async def test_it_shows_what_arrived(self) -> None:
        async with ScriptedServer() as server:
            client = await opened(server)
            for _ in range(7):
                await client.send('{"type":"input_audio_buffer.append","audio":"' + "A" * 1000 + '"}')
            await client.send("x" * 1000)
            await client.send('{"type":"last"}')
            await server.wait_for(of_type("last"))
            with pytest.raises(ScriptError) as caught:
                await server.wait_for(of_type("response.create"), timeout_s=0.05)
            await client.close()
        message = str(caught.value)
        assert "no frame that of_type('response.create') accepts within 0.05 s; 9 frames arrived:" in message
        assert '"audio": "... 1000 characters"} (7 of these)' in message
        assert "x" * 160 + "..." in message
        assert len(message) < 1000

    async def test_many_lines_are_cut_in_the_middle(self) -> None:
        async with ScriptedServer() as server:
            client = await opened(server)
            for n in range(100):
                await client.send(f'{{"type":"t{n}"}}')
            await server.wait_for(of_type("t99"))
            with pytest.raises(ScriptError, match="60 lines left out") as caught:
                await server.wait_for(of_type("x"), timeout_s=0.05)
            await client.close()
        assert '"t0"' in str(caught.value)
        assert '"t99"' in str(caught.value)

    async def test_only_what_came_later(self) -> None:
        async with ScriptedServer() as server:
            client = await opened(server)
            await client.send('{"type":"a"}')
            first = await server.wait_for(of_type("a"))
            assert await server.wait_for(of_type("a")) is first
            await client.send('{"type":"a"}')
            second = await server.wait_for(of_type("a"), after=first)
            assert second is not first
            assert second.at_s >= first.at_s
            await client.close()

    async def test_for_connections(self) -> None:
        async with ScriptedServer([Refuse(status=404)]) as server:
            with pytest.raises(ConnectError):
                await opened(server)
            with pytest.raises(
                ScriptError, match=r"no connection 0 within 0\.05 s; 1 handshakes came, 0 were accepted"
            ):
                await server.wait_for_connection(timeout_s=0.05)
            client = await opened(server)
            connection = await server.wait_for_connection(1)
            with pytest.raises(ScriptError, match=r"connection 1 was not closed within 0\.05 s"):
                await server.wait_closed(1, timeout_s=0.05)
            await client.close()
            assert await server.wait_closed(1) is connection
            assert connection.ended_at_s is not None

    async def test_a_lot_of_frames_does_not_take_long(self) -> None:
        async with ScriptedServer() as server:
            client = await opened(server)
            before_s = time.process_time()
            for _ in range(5000):
                await client.send('{"type":"a"}')
            await client.send('{"type":"b"}')
            await server.wait_for(of_type("b"))
            assert time.process_time() - before_s < 5
            assert len(server.frames) == 5001
            await client.close()


class TestRecords:
    async def test_handshakes(self) -> None:
        async with ScriptedServer() as server:
            options = ConnectOptions(url=f"{server.url}?model=m%20x&a=1&a=2", headers={"X-Key": "secret"})
            before_s = time.monotonic()
            await (await connect(options)).close()
            (handshake,) = server.handshakes
        assert (handshake.method, handshake.path) == ("GET", "/v1/realtime")
        assert handshake.query == (("model", "m x"), ("a", "1"), ("a", "2"))
        assert handshake.headers["x-key"] == "secret"
        assert before_s <= handshake.at_s <= time.monotonic()
        assert "secret" not in repr(handshake)

    async def test_other_requests_are_told_so(self) -> None:
        async with (
            ScriptedServer() as server,
            aiohttp.ClientSession() as session,
            session.post(f"http://127.0.0.1:{server.port}/v1/realtime/calls", data=b"x") as response,
        ):
            assert response.status == 426
            assert server.handshakes[0].method == "POST"

    async def test_a_client_that_breaks_the_protocol(self) -> None:
        async with ScriptedServer() as server:
            client = await opened(server)
            await client.send(b"\xff")  # announced as text
            connection = await server.wait_closed()
            assert connection.received == []
            closed = await client.receive()
            assert isinstance(closed, Closed)
            assert closed.code == 1007
            await client.close()

    def test_the_port_is_there_inside_only(self) -> None:
        with pytest.raises(LocalProtocolError, match="inside `async with`"):
            _ = ScriptedServer().url

    def test_fields(self) -> None:
        message = {"type": "a", "tools": [{"name": "t"}], "n": None}
        frame = ReceivedFrame(connection=0, at_s=0.0, payload="", message=message)
        assert frame.type == "a"
        assert frame.field("tools.0.name") == "t"
        assert frame.field("n") is None
        assert frame.has("tools.0.name", "t")
        assert not frame.has("tools.1.name", "t")
        with pytest.raises(LookupError, match=r"no 'x' at tools\.0, which holds \['name'\]"):
            frame.field("tools.0.x")
        with pytest.raises(LookupError, match="no '7' at tools, which holds list"):
            frame.field("tools.7")
        for other in (["type"], {"type": 1}, None):
            assert ReceivedFrame(connection=0, at_s=0.0, payload="", message=other).type is None


class TestCalls:
    async def test_an_offer_is_recorded_and_answered(self) -> None:
        scripts = ([AnswerOffer(sdp="v=0\r\n")], [AcceptAfter(delay_s=0.05), AnswerOffer(sdp="", location=None)])
        async with ScriptedServer(*scripts) as server, aiohttp.ClientSession() as client:
            url = f"http://127.0.0.1:{server.port}/v1/realtime/calls"
            async with client.post(url, data=b"an offer") as answer:
                assert (answer.status, await answer.text()) == (201, "v=0\r\n")
                assert answer.content_type == "application/sdp"
                assert answer.headers["Location"] == "/v1/realtime/calls/rtc_test"
            before_s = time.monotonic()
            async with client.post(url.replace("realtime/calls", "live"), data=b"another") as answer:
                assert "Location" not in answer.headers
            assert time.monotonic() - before_s >= 0.05
            assert [handshake.body for handshake in server.handshakes] == [b"an offer", b"another"]
            assert [handshake.path for handshake in server.handshakes] == ["/v1/realtime/calls", "/v1/live"]
            assert server.connections == []
            assert "an offer" not in repr(server.handshakes)

    async def test_a_call_counts_among_the_connections(self) -> None:
        scripts: list[Script] = [[Refuse(status=503)], [AnswerOffer(sdp="")], [Expect("a"), Close(code=4000)]]
        async with ScriptedServer(*scripts) as server, aiohttp.ClientSession() as client:
            url = f"http://127.0.0.1:{server.port}/v1/live"
            for status in (503, 201):
                async with client.post(url) as answer:
                    assert answer.status == status
            socket = await opened(server)
            await socket.send('{"type":"a"}')
            assert (await socket.receive()) == Closed(code=4000, reason="", clean=True)
            assert (await server.wait_closed(2)).handshake.body == b""

    async def test_a_call_and_a_websocket_are_not_taken_for_each_other(self) -> None:
        async with ScriptedServer([AnswerOffer(sdp="")], []) as server, aiohttp.ClientSession() as client:
            with pytest.raises(ConnectError) as caught:
                await opened(server)
            assert caught.value.status == 201
            async with client.post(f"http://127.0.0.1:{server.port}/v1/live") as answer:
                assert answer.status == 426

    def test_nothing_follows_an_answer(self) -> None:
        with pytest.raises(LocalProtocolError, match="nothing can follow AnswerOffer"):
            ScriptedServer([AnswerOffer(sdp=""), Send("a")])
        with pytest.raises(LocalProtocolError, match="belongs at the beginning"):
            ScriptedServer([Send("a"), AnswerOffer(sdp="")])
