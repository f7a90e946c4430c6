from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import gc
import hashlib
import logging
import os
import socket
import ssl
import struct
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest
import uvloop

from backchannel.errors import AuthError, ConnectError, ConnectionLost, LocalProtocolError, UsageError
from backchannel.net import (
    BinaryFrame,
    Closed,
    ConnectOptions,
    TextFrame,
    WebSocket,
    connect,
)
from backchannel.testing import (
    AcceptAfter,
    Close,
    Drop,
    Expect,
    Refuse,
    Run,
    ScriptedConnection,
    ScriptedServer,
    Send,
    SendBinary,
    ServerOptions,
    of_type,
)
from tests.net.peers import deaf_port, tcp_server
from tests.planted import API_KEY, planted_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import trustme

Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def raw_server(peer: Peer, *, upgrade: bool = True) -> AsyncIterator[str]:
    """A server that speaks TCP as a test wants it, after a websocket handshake unless told otherwise."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if upgrade:
            head = await reader.readuntil(b"\r\n\r\n")
            key = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
            digest = hashlib.sha1(key.split(b":")[1].strip() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
            writer.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
            )
        await peer(reader, writer)

    async with tcp_server(serve) as port:
        yield f"ws://127.0.0.1:{port}/v1/realtime"


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Opcode and payload of a short masked frame."""
    first, second = await reader.readexactly(2)
    assert second & 0x80, "a client masks its frames"
    mask = await reader.readexactly(4)
    payload = await reader.readexactly(second & 0x7F)
    return first & 0x0F, bytes(byte ^ mask[position % 4] for position, byte in enumerate(payload))


@contextlib.asynccontextmanager
async def connected(url: str, options: ConnectOptions | None = None) -> AsyncIterator[WebSocket]:
    opened = await connect(ConnectOptions(url=url) if options is None else options)
    try:
        yield opened
    finally:
        await opened.close()


async def failure(options: ConnectOptions) -> ConnectError:
    with pytest.raises(ConnectError) as caught:
        await connect(options)
    return caught.value


async def until_lost(sending: Awaitable[None]) -> ConnectionLost:
    with pytest.raises(ConnectionLost) as caught:
        await sending
    return caught.value


class TestTalking:
    async def test_messages_arrive_whole_and_in_order(self) -> None:
        script = [Expect("a"), Send("zwölf"), SendBinary(b"\x00\xff"), Send(""), Expect("b"), Close(reason="bye")]
        async with ScriptedServer(script) as server, connected(server.url) as client:
            await client.send('{"type":"a","text":"größe"}')
            assert await client.receive() == TextFrame("zwölf")
            assert await client.receive() == BinaryFrame(b"\x00\xff")
            assert await client.receive() == TextFrame("")
            await client.send('{"type":"b","text":"größe"}'.encode())
            assert await client.receive() == Closed(code=1000, reason="bye", clean=True)
            first, second = server.frames
            assert (first.field("text"), second.field("text")) == ("größe", "größe")

    async def test_iteration_ends_with_the_end(self) -> None:
        async with ScriptedServer([Send("1"), Send("2"), Close(code=4001)]) as server, connected(server.url) as client:
            frames = [frame async for frame in client]
        assert frames == [TextFrame("1"), TextFrame("2"), Closed(code=4001, reason="", clean=True)]

    async def test_a_long_message(self) -> None:
        text = "x" * (3 * 1024 * 1024)

        async def echo(connection: ScriptedConnection) -> None:
            frame = await connection.expect(Expect(lambda _: True))
            assert isinstance(frame.payload, str)
            await connection.send(frame.payload)

        async with ScriptedServer(echo) as server, connected(server.url) as client:
            await client.send(text)
            assert await client.receive() == TextFrame(text)

    async def test_pings_are_answered(self) -> None:
        async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"\x89\x03abc")
            opcode, payload = await read_frame(reader)
            writer.write(b"\x81\x01!" if (opcode, payload) == (0xA, b"abc") else b"\x81\x01?")
            await read_frame(reader)
            writer.write(b"\x88\x02\x03\xe8")

        async with raw_server(peer) as url, connected(url) as client:
            assert await client.receive() == TextFrame("!")

    @pytest.mark.parametrize("payload", [b"", b"abc", bytes(range(125))])
    async def test_a_ping_is_answered_by_the_same_and_is_no_message(self, payload: bytes) -> None:
        answers: list[tuple[int, bytes]] = []

        async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # Pongs that answer nothing, and a ping in the middle of a message in two parts.
            ping = bytes([0x89, len(payload)]) + payload
            writer.write(b"\x8a\x00\x8a\x02no" + b"\x01\x02on" + ping + b"\x80\x01e" + b"\x88\x02\x03\xe8")
            answers.extend([await read_frame(reader), await read_frame(reader)])

        async with raw_server(peer) as url, connected(url) as client:
            assert await client.receive() == TextFrame("one")
            assert await client.receive() == Closed(code=1000, reason="", clean=True)
        assert answers == [(0xA, payload), (8, b"\x03\xe8")]

    async def test_a_peer_that_falls_silent_is_pinged_and_one_that_does_not_answer_is_lost(self) -> None:
        pinged = asyncio.Event()

        async def peer(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            assert (await read_frame(reader))[0] == 0x9
            pinged.set()
            # As a network does that has forgotten the connection.
            await reader.read()

        async with raw_server(peer) as url, connected(url, ConnectOptions(url=url, heartbeat_s=0.1)) as client:
            async with asyncio.timeout(5):
                closed = await client.receive()
            assert closed == Closed(code=None, reason="the server does not answer any more", clean=False)
        assert pinged.is_set()

    async def test_a_peer_that_answers_its_pings_is_kept(self) -> None:
        async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for _ in range(5):
                opcode, payload = await read_frame(reader)
                assert opcode == 0x9
                writer.write(bytes([0x8A, len(payload)]) + payload)
            writer.write(b"\x81\x01!")
            await reader.read()

        async with raw_server(peer) as url, connected(url, ConnectOptions(url=url, heartbeat_s=0.05)) as client:
            async with asyncio.timeout(5):
                assert await client.receive() == TextFrame("!")

    async def test_an_empty_binary_message_is_one(self) -> None:
        async with ScriptedServer([SendBinary(b""), Close()]) as server, connected(server.url) as client:
            assert await client.receive() == BinaryFrame(b"")

    async def test_several_tasks_may_send_and_receive(self) -> None:
        async def echo(connection: ScriptedConnection) -> None:
            for _ in range(200):
                frame = await connection.expect(Expect(lambda _: True))
                assert isinstance(frame.payload, str)
                await connection.send(frame.payload)

        async with ScriptedServer(echo) as server, connected(server.url) as client:
            received: list[object] = []

            async def send(name: str) -> None:
                for n in range(100):
                    await client.send(f"{name}{n:03}")

            async def receive() -> None:
                received.extend([await client.receive() for _ in range(100)])

            async with asyncio.TaskGroup() as group:
                for work in (send("a"), send("b"), receive(), receive()):
                    group.create_task(work)
        assert len(set(received)) == 200

    async def test_a_cancelled_receive_loses_nothing(self) -> None:
        async with ScriptedServer([Expect("go"), Send("1"), Send("2")]) as server, connected(server.url) as client:
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.01):
                        await client.receive()
            await client.send('{"type":"go"}')
            assert [await client.receive(), await client.receive()] == [TextFrame("1"), TextFrame("2")]

    async def test_the_address_and_the_headers_are_sent_as_given(self) -> None:
        async with ScriptedServer() as server:
            url = f"{server.url}/a%2Fb?model=x%20y&n=a+b&e=%C3%A9#frag"
            options = ConnectOptions(url=url, headers={"Authorization": f"Bearer {API_KEY}", "openai-alpha": "x=v2"})
            async with connected(url, options):
                (handshake,) = server.handshakes
        assert handshake.raw_path == "/v1/realtime/a%2Fb?model=x%20y&n=a+b&e=%C3%A9"
        assert handshake.headers["authorization"] == f"Bearer {API_KEY}"
        assert handshake.headers["openai-alpha"] == "x=v2"
        assert handshake.headers["user-agent"].startswith("backchannel/")
        assert "sec-websocket-extensions" not in handshake.headers

    async def test_credentials_in_the_address_become_a_header_unless_there_is_one(self) -> None:
        async with ScriptedServer() as server:
            url = server.url.replace("ws://", "ws://user:pa%40ss@")
            async with connected(url):
                pass
            async with connected(url, ConnectOptions(url=url, headers={"authorization": "Bearer x"})):
                pass
            first, second = server.handshakes
        assert base64.b64decode(first.headers["authorization"].removeprefix("Basic ")) == b"user:pa@ss"
        assert second.headers["authorization"] == "Bearer x"
        assert first.headers["host"] == f"127.0.0.1:{server.port}"

    async def test_small_frames_are_not_held_back(self) -> None:
        async with ScriptedServer() as server, connected(server.url):
            flags = []
            for number in map(int, os.listdir("/dev/fd")):
                with contextlib.suppress(OSError), socket.socket(fileno=os.dup(number)) as copy:
                    if copy.getpeername()[1:] == (server.port,):
                        flags.append(copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        assert len(flags) == 1
        assert flags[0] != 0

    def test_under_uvloop(self, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
        async def talk() -> None:
            script = [Expect("a"), Send("1"), Expect("b")]
            async with ScriptedServer(script, options=ServerOptions(tls=server_tls)) as server:
                client = await connect(ConnectOptions(url=server.url, tls=client_tls))
                await client.send('{"type":"a"}')
                assert await client.receive() == TextFrame("1")
                await client.send('{"type":"b"}')
                await client.close()
                assert (await server.wait_closed()).close_code == 1000
                assert await client.receive() == Closed(code=1000, reason="", clean=True)

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(talk())


class TestTheUnreadReader:
    async def test_it_delays_no_send_and_the_queue_is_bounded(self) -> None:
        n_frames, text = 4096, "y" * 16_384  # 64 MiB
        sent: list[int] = []

        async def flood(connection: ScriptedConnection) -> None:
            for n in range(n_frames):
                await connection.send(f"{n:06}{text}")
                sent.append(n)

        async def until_it_stands_still() -> int:
            while True:
                before = len(sent)
                await asyncio.sleep(0.3)
                if before and len(sent) == before:
                    return before

        async with ScriptedServer(flood) as server, connected(server.url) as client:
            async with asyncio.timeout(15):
                n_held = await until_it_stands_still()
            # Half a MiB here; the rest is in the system's buffers and the server's.
            assert n_held * len(text) < 32 * 1024 * 1024
            for n in range(50):
                before_s = time.monotonic()
                await client.send(f'{{"type":"probe {n}"}}')
                frame = await server.wait_for(of_type(f"probe {n}"))
                assert time.monotonic() - before_s < 0.2
                assert frame.at_s - before_s < 0.2
            for n in range(n_frames):
                frame_in = await client.receive()
                assert isinstance(frame_in, TextFrame)
                assert frame_in.text.startswith(f"{n:06}y")

    async def test_it_does_not_delay_the_close(self) -> None:
        async def flood(connection: ScriptedConnection) -> None:
            while True:
                await connection.send("z" * 50_000)

        async with ScriptedServer(flood) as server, connected(server.url) as client:
            await client.receive()
            before_s = time.monotonic()
            await client.close()
            assert time.monotonic() - before_s < 2.2
            assert (await server.wait_closed()).close_code == 1000
            assert await client.receive() == Closed(code=1000, reason="", clean=True)

    async def test_a_send_waits_for_a_peer_that_does_not_read_and_close_does_not(self) -> None:
        async def peer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.transport.pause_reading()  # type: ignore[attr-defined] # a socket's transport reads too
            await hold.wait()

        hold = asyncio.Event()
        async with raw_server(peer) as url:
            client = await connect(ConnectOptions(url=url))

            async def send_for_ever() -> None:
                while True:
                    await client.send("w" * 100_000)

            async with asyncio.TaskGroup() as group:
                sending = group.create_task(until_lost(send_for_ever()))
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.5):
                        await asyncio.shield(sending)
                before_s = time.monotonic()
                await client.close()
                assert time.monotonic() - before_s < 2.3
            assert await client.receive() == Closed(code=1000, reason="the peer did not say goodbye", clean=False)
            hold.set()


class TestTheEnd:
    async def test_closing_says_goodbye_once(self) -> None:
        async with ScriptedServer() as server:
            client = await connect(ConnectOptions(url=server.url))
            async with asyncio.TaskGroup() as group:
                for _ in range(3):
                    group.create_task(client.close(code=4000, reason="ü" * 100))
            await client.close()
            connection = await server.wait_closed()
            assert (connection.close_code, connection.close_reason) == (4000, "ü" * 61)
            assert await client.receive() == Closed(code=4000, reason="ü" * 61, clean=True)
            with pytest.raises(ConnectionLost, match="is closed, nothing more can be sent"):
                await client.send("x")

    @pytest.mark.parametrize("cancelled", [True, False])
    async def test_closing_is_clean_whatever_the_reader_does(self, *, cancelled: bool) -> None:
        async with ScriptedServer() as server:
            client = await connect(ConnectOptions(url=server.url))
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(client.receive())
                await server.wait_for_connection()
                await asyncio.sleep(0)
                if cancelled:
                    reading.cancel()
                await client.close()
            assert (await server.wait_closed()).close_code == 1000
            if not cancelled:
                assert reading.result() == Closed(code=1000, reason="", clean=True)

    @pytest.mark.parametrize(
        ("payload", "expected"),
        [
            (b"\x88\x00", Closed(code=None, reason="", clean=True)),
            (b"\x88\x05" + struct.pack(">H", 1001) + b"bye", Closed(code=1001, reason="bye", clean=True)),
        ],
    )
    async def test_the_peers_goodbye_is_answered_in_kind(self, payload: bytes, expected: Closed) -> None:
        answers: list[tuple[int, bytes]] = []

        async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(payload)
            answers.append(await read_frame(reader))
            answers.extend([(-1, await reader.read())])

        async with raw_server(peer) as url:
            client = await connect(ConnectOptions(url=url))
            assert await client.receive() == expected
            assert await client.receive() == expected
            await client.close()
        assert answers == [(8, payload[2:4]), (-1, b"")]

    async def test_a_dropped_connection(self) -> None:
        async with ScriptedServer([Send("1"), Expect("go"), Drop()]) as server:
            client = await connect(ConnectOptions(url=server.url))
            await client.send('{"type":"go"}')
            assert await client.receive() == TextFrame("1")
            lost = await client.receive()
            assert lost == Closed(code=None, reason="the connection was lost", clean=False)
            with pytest.raises(ConnectionLost):
                await client.send("x")
            before_s = time.monotonic()
            await client.close()
            assert time.monotonic() - before_s < 0.5
            assert await client.receive() == lost

    async def test_a_dropped_connection_is_noticed_by_sending(self) -> None:
        async with ScriptedServer([Drop()]) as server:
            client = await connect(ConnectOptions(url=server.url))

            async def send_for_ever() -> None:
                while True:
                    await client.send("x")
                    await asyncio.sleep(0)

            async with asyncio.timeout(5):
                error = await until_lost(send_for_ever())
            assert str(error) == f"the connection to {server.url} was lost"
            await client.close()
            assert await client.receive() == Closed(code=None, reason="the connection was lost", clean=False)

    @pytest.mark.parametrize(
        ("last", "expected"),
        [
            (b"\x89\x01a", Closed(code=None, reason="the connection was lost", clean=False)),
            (b"\x88\x05" + struct.pack(">H", 1000) + b"bye", Closed(code=1000, reason="bye", clean=True)),
        ],
        ids=["ping", "close"],
    )
    async def test_a_peer_that_is_gone_before_its_last_frame_is_answered(self, last: bytes, expected: Closed) -> None:
        async def peer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"\x81\x02ok" + last)
            await gone.wait()
            writer.transport.abort()

        async def send_for_ever() -> None:
            while True:
                await client.send("x")
                await asyncio.sleep(0)

        gone = asyncio.Event()
        async with raw_server(peer) as url, connected(url) as client:
            # What came with it waits here already.
            assert await client.receive() == TextFrame("ok")
            gone.set()
            async with asyncio.timeout(5):
                await until_lost(send_for_ever())
            assert await client.receive() == expected
            assert await client.receive() == expected

    async def test_a_peer_that_never_answers(self) -> None:
        async def peer(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await reader.read()

        async with raw_server(peer) as url:
            client = await connect(ConnectOptions(url=url))
            before_s = time.monotonic()
            await client.close()
            assert 1.0 < time.monotonic() - before_s < 2.2
            assert await client.receive() == Closed(code=1000, reason="the peer did not say goodbye", clean=False)

    async def test_a_cancelled_close_drops_the_connection_at_once(self) -> None:
        gone = asyncio.Event()

        async def peer(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            try:
                await reader.read()
            finally:
                gone.set()

        async with raw_server(peer) as url:
            client = await connect(ConnectOptions(url=url))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await client.close()
            async with asyncio.timeout(0.5):
                await gone.wait()

    async def test_a_close_that_is_cancelled_twice_leaves_nothing_behind(self) -> None:
        async def peer(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            # It never answers the goodbye.
            await asyncio.Event().wait()

        async with raw_server(peer) as url:
            client = await connect(ConnectOptions(url=url))
            async with asyncio.TaskGroup() as tasks:
                closing = tasks.create_task(client.close())
                await asyncio.sleep(0.05)
                for _ in range(2):
                    closing.cancel()
                    await asyncio.sleep(0)
            assert closing.cancelled()
            del client, closing
            gc.collect()  # an open socket or session would warn, which is an error here

    @pytest.mark.parametrize(
        ("payload", "code", "reason"),
        [
            (b"\x81\x7f" + struct.pack(">Q", 1025) + bytes(1025), 1009, "larger than is allowed"),
            (b"\x81\x02\xff\xfe", 1007, "not UTF-8"),
            (b"\x83\x00", 1002, "broke the websocket protocol"),
            (b"\x88\x01planted", 1002, "broke the websocket protocol"),
        ],
    )
    async def test_a_peer_that_breaks_the_rules(self, payload: bytes, code: int, reason: str) -> None:
        answers: list[tuple[int, bytes]] = []

        async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"\x81\x02ok" + payload)
            answers.append(await read_frame(reader))

        async with raw_server(peer) as url:
            client = await connect(ConnectOptions(url=url, max_message_bytes=1024))
            assert await client.receive() == TextFrame("ok")
            closed = await client.receive()
            assert isinstance(closed, Closed)
            assert (closed.code, closed.clean) == (code, False)
            assert reason in closed.reason
            assert "planted" not in closed.reason
            await client.close()
        assert answers == [(8, struct.pack(">H", code))]

    async def test_misuse(self) -> None:
        async with ScriptedServer() as server, connected(server.url) as client:
            with pytest.raises(LocalProtocolError, match="half a surrogate pair"):
                await client.send("\ud800")
            with pytest.raises(LocalProtocolError, match="from 1000 to 4999, not 999"):
                await client.close(code=999)
            await client.send('{"type":"still here"}')
            await server.wait_for(of_type("still here"))


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "kind", "remedy"),
        [
            (200, ConnectError, "is a web server but no websocket"),
            (400, ConnectError, "check the address with its query"),
            (401, AuthError, "OPENAI_API_KEY"),
            (403, AuthError, "permissions"),
            (404, ConnectError, "check the path of the address"),
            (429, ConnectError, "limits and credit"),
            (500, ConnectError, "try again later"),
            (599, ConnectError, "try again later"),
        ],
    )
    async def test_an_http_answer(self, status: int, kind: type[ConnectError], remedy: str) -> None:
        async with ScriptedServer([Refuse(status=status, body=API_KEY)]) as server:
            error = await failure(ConnectOptions(url=server.url + "?k=v", headers={"authorization": API_KEY}))
        assert type(error) is kind
        assert (error.stage, error.status, error.target) == ("handshake", status, server.url)
        assert f"the server answered {status}" in error.reason
        assert remedy in error.remedy
        assert planted_in(str(error)) == []

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_a_redirect_is_not_followed(self, status: int) -> None:
        async with ScriptedServer() as elsewhere:
            where = elsewhere.url.replace("ws://", "http://u:planted-key-h2@") + "?token=planted-key-h2"
            async with ScriptedServer([Refuse(status=status, headers={"Location": where})]) as server:
                error = await failure(ConnectOptions(url=server.url, headers={"api-key": API_KEY}))
            assert elsewhere.handshakes == []
        assert (error.stage, error.status) == ("handshake", status)
        assert f"127.0.0.1:{elsewhere.port}/v1/realtime" in error.remedy
        assert "planted-key-h2" not in str(error)

    async def test_nobody_listens(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
        error = await failure(
            ConnectOptions(url=f"ws://u:planted-key-h2@localhost:{port}/v1/realtime?k=planted-key-h2")
        )
        assert str(error) == (
            f"connect failed for ws://localhost:{port}/v1/realtime: connection refused; "
            "is it running? `backchannel engine` starts the local engine"
        )

    async def test_a_name_that_is_none(self) -> None:
        error = await failure(ConnectOptions(url="ws://[fe80::1%25no-such-interface]/"))
        assert error.stage == "address"
        assert "cannot be resolved" in error.reason
        assert "HTTPS_PROXY" in error.remedy

    async def test_a_server_that_hangs_up(self) -> None:
        async with ScriptedServer([Drop(before_handshake=True)]) as server:
            error = await failure(ConnectOptions(url=server.url))
        assert error.stage == "handshake"
        assert "the server hung up" in error.reason

    async def test_a_server_that_speaks_something_else(self) -> None:
        async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"220 mail.example ESMTP\r\n\r\n")
            await writer.drain()

        async with raw_server(peer, upgrade=False) as url:
            error = await failure(ConnectOptions(url=url))
        assert error.stage == "handshake"
        assert "did not answer as HTTP" in error.reason

    async def test_an_answer_with_a_wrong_key(self) -> None:
        async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: AAAA\r\n\r\n"
            )
            await reader.read()

        async with raw_server(peer, upgrade=False) as url:
            error = await failure(ConnectOptions(url=url))
        assert (error.stage, error.status) == ("handshake", 101)

    async def test_the_time_is_over_in_the_handshake(self) -> None:
        async with ScriptedServer([AcceptAfter(delay_s=5)]) as server:
            before_s = time.monotonic()
            error = await failure(ConnectOptions(url=server.url, connect_timeout_s=0.2))
            assert time.monotonic() - before_s < 1
        assert error.stage == "handshake"
        assert "within 0.2 s" in error.reason

    @pytest.mark.skipif(
        sys.platform != "linux", reason="other systems keep more connections waiting than they are told"
    )
    async def test_the_time_is_over_before_anybody_answers(self) -> None:
        async with deaf_port() as port:
            before_s = time.monotonic()
            error = await failure(ConnectOptions(url=f"ws://127.0.0.1:{port}/", connect_timeout_s=0.2))
            assert time.monotonic() - before_s < 1
        assert error.stage == "connect"
        assert "nothing answered within 0.2 s" in error.reason
        assert "HTTPS_PROXY" in error.remedy

    async def test_the_time_is_over_in_tls(self, client_tls: ssl.SSLContext) -> None:
        async def peer(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await reader.read()

        async with raw_server(peer, upgrade=False) as url:
            options = ConnectOptions(url=url.replace("ws:", "wss:"), tls=client_tls, connect_timeout_s=0.2)
            error = await failure(options)
        assert error.stage == "tls"
        assert "within 0.2 s" in error.reason

    async def test_a_slow_accept_is_waited_for(self) -> None:
        async with (
            ScriptedServer([AcceptAfter(delay_s=0.2), Send("1")]) as server,
            connected(server.url) as client,
        ):
            assert await client.receive() == TextFrame("1")

    async def test_a_cancelled_connect_leaves_nothing_behind(self) -> None:
        async with ScriptedServer([AcceptAfter(delay_s=0.3)]) as server:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await connect(ConnectOptions(url=server.url))
        gc.collect()  # an open socket or session would warn, which is an error here
        assert server.connections == []


class TestTls:
    async def test_wss(self, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
        script = [Expect("a"), Send("1")]
        async with ScriptedServer(script, options=ServerOptions(tls=server_tls)) as server:
            client = await connect(ConnectOptions(url=server.url, tls=client_tls))
            await client.send('{"type":"a"}')
            assert await client.receive() == TextFrame("1")
            before_s = time.monotonic()
            await client.close()
            assert time.monotonic() - before_s < 0.5
            assert (await server.wait_closed()).close_code == 1000

    async def test_an_unknown_authority(self, server_tls: ssl.SSLContext, other_client_tls: ssl.SSLContext) -> None:
        async with ScriptedServer(options=ServerOptions(tls=server_tls)) as server:
            error = await failure(ConnectOptions(url=server.url, tls=other_client_tls))
        assert (error.stage, error.target) == ("tls", server.url)
        assert "an authority that is not trusted here" in error.reason
        assert "let BACKCHANNEL_CA_CERTIFICATE name a PEM file" in error.remedy

    async def test_another_name(self, authority: trustme.CA, client_tls: ssl.SSLContext) -> None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("other.example").configure_cert(tls)
        async with ScriptedServer(options=ServerOptions(tls=tls, host="localhost")) as server:
            error = await failure(ConnectOptions(url=server.url, tls=client_tls))
        assert error.stage == "tls"
        assert "check the host in the address" in error.remedy

    async def test_an_expired_certificate(self, authority: trustme.CA, client_tls: ssl.SSLContext) -> None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        long_ago = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)
        authority.issue_cert("127.0.0.1", not_after=long_ago).configure_cert(tls)
        async with ScriptedServer(options=ServerOptions(tls=tls)) as server:
            error = await failure(ConnectOptions(url=server.url, tls=client_tls))
        assert error.stage == "tls"
        assert "expired" in error.reason
        assert "clock" in error.remedy

    async def test_wss_to_a_plain_server(self, client_tls: ssl.SSLContext) -> None:
        async with ScriptedServer() as server:
            error = await failure(ConnectOptions(url=server.url.replace("ws:", "wss:"), tls=client_tls))
        assert error.stage == "tls"
        assert "check that this server speaks TLS here" in error.remedy

    async def test_ws_to_a_tls_server(self, server_tls: ssl.SSLContext) -> None:
        async with ScriptedServer(options=ServerOptions(tls=server_tls)) as server:
            error = await failure(ConnectOptions(url=server.url.replace("wss:", "ws:")))
        assert error.stage == "handshake"
        assert "whether it wants wss:// rather than ws://" in error.remedy

    async def test_a_server_that_hangs_up_on_tls(self, client_tls: ssl.SSLContext) -> None:
        async def peer(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await reader.read(1)

        async with raw_server(peer, upgrade=False) as url:
            error = await failure(ConnectOptions(url=url.replace("ws:", "wss:"), tls=client_tls))
        assert error.stage == "tls"
        assert "hung up" in error.reason


class TestOptions:
    def test_wss_needs_a_context(self) -> None:
        with pytest.raises(LocalProtocolError, match="no TLS context was given for wss://h/"):
            ConnectOptions(url="wss://h/")

    def test_limits_are_positive(self) -> None:
        with pytest.raises(LocalProtocolError, match="are greater than 0"):
            ConnectOptions(url="ws://h/", connect_timeout_s=0)
        with pytest.raises(LocalProtocolError, match="are greater than 0"):
            ConnectOptions(url="ws://h/", max_message_bytes=0)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("x y", "v"),
            ("", "v"),
            ("x", f"{API_KEY}\r\ninjected: 1"),
            ("x", f"{API_KEY}\0"),
            ("x", f"{API_KEY}…"),
            ("ä", "v"),
        ],
    )
    def test_headers_are_checked_and_never_shown(self, name: str, value: str) -> None:
        with pytest.raises(UsageError, match="cannot be sent") as caught:
            ConnectOptions(url="ws://h/", headers={name: value})
        assert repr(name) in str(caught.value)
        assert planted_in(str(caught.value)) == []

    def test_options_show_no_secret(self) -> None:
        options = ConnectOptions(url=f"ws://u:{API_KEY}@h/p?k={API_KEY}", headers={"authorization": API_KEY})
        assert planted_in(repr(options)) == []
        assert options.target == "ws://h/p"


async def test_no_secret_in_errors_logs_and_reprs(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    said: list[str] = []

    async def attempt(url: str) -> None:
        address = url.replace("://", f"://user:{API_KEY}@") + f"?key={API_KEY}"
        options = ConnectOptions(
            url=address, headers={"Authorization": f"Bearer {API_KEY}", "api-key": API_KEY}, tls=client_tls
        )
        try:
            client = await connect(options)
        except ConnectError as exc:
            error: BaseException | None = exc
            while error is not None:
                said.append(f"{error} {error!r} {error.__dict__}")
                error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        else:
            said.append(repr(client) + client.target)
            said.append(repr(await client.receive()))
            await client.close()

    with caplog.at_level(logging.DEBUG):
        scripts = ([Close()], [Drop()], [Refuse(status=401)], [Refuse(status=302, headers={"Location": "/x"})])
        async with (
            ScriptedServer(*scripts, [Drop(before_handshake=True)]) as server,
            ScriptedServer(options=ServerOptions(tls=server_tls, host="localhost")) as tls_server,
        ):
            for _ in range(5):
                await attempt(server.url)
            await attempt(tls_server.url.replace("wss:", "ws:"))
            await attempt(server.url.replace("ws:", "wss:"))
            assert len(server.handshakes) == 5
        await attempt("ws://localhost:1/")
    assert len(said) >= 8
    assert planted_in("\n".join(said)) == []
    assert planted_in(caplog.text) == []


def test_the_http_library_loads_when_a_connection_is_made() -> None:
    code = "import sys, backchannel.net; sys.exit('aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_run_steps_see_the_connection() -> None:
    seen: list[int] = []

    async def note(connection: ScriptedConnection) -> None:
        seen.append(connection.number)

    async with ScriptedServer([Run(note), Close()]) as server, connected(server.url) as client:
        assert await client.receive() == Closed(code=1000, reason="", clean=True)
    assert seen == [0]
