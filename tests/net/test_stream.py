"""A POST whose answer is taken as it comes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

import pytest

from backchannel.errors import AuthError, ConnectError, ConnectionLost
from backchannel.net import PostOptions, stream
from tests.net.peers import deaf_port, tcp_server
from tests.planted import TOKEN, planted_in

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def options(port: int, *, timeout_s: float = 5.0) -> PostOptions:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return PostOptions(url=f"http://127.0.0.1:{port}/v1", body=b"{}", headers=headers, timeout_s=timeout_s)


def answering(
    *pieces: bytes, then: Callable[[asyncio.StreamReader], Awaitable[object]] | None = None
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if then is not None:
            await then(reader)

    return serve


async def taken(port: int, *, idle_timeout_s: float = 5.0, timeout_s: float = 5.0) -> list[bytes]:
    async with contextlib.aclosing(stream(options(port, timeout_s=timeout_s), idle_timeout_s=idle_timeout_s)) as pieces:
        return [piece async for piece in pieces]


async def test_the_answer_comes_in_pieces_after_an_empty_one() -> None:
    async with tcp_server(answering(HEAD, b"3\r\nabc\r\n", b"2\r\nde\r\n", b"0\r\n\r\n")) as port:
        pieces = await taken(port)

    assert pieces[0] == b""
    assert b"".join(pieces) == b"abcde"


@pytest.mark.parametrize(("status", "kind"), [(401, AuthError), (429, ConnectError), (500, ConnectError)])
async def test_a_refusal_is_not_taken_for_an_answer(status: int, kind: type[ConnectError]) -> None:
    body = b'{"error":{"message":"no, ' + TOKEN.encode() + b'"}}'
    answer = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body
    async with tcp_server(answering(answer)) as port:
        with pytest.raises(kind) as caught:
            await taken(port)

    assert caught.value.status == status
    assert planted_in(str(caught.value)) == []


async def test_an_answer_that_breaks_off_is_lost() -> None:
    async with tcp_server(answering(HEAD, b"3\r\nabc\r\n")) as port:
        with pytest.raises(ConnectionLost, match="was lost"):
            await taken(port)


async def test_a_server_that_falls_silent_is_given_up() -> None:
    async with tcp_server(answering(HEAD, b"3\r\nabc\r\n", then=lambda reader: reader.read())) as port:
        with pytest.raises(ConnectionLost, match=r"nothing came from http://127.* for 0\.1 s"):
            await taken(port, idle_timeout_s=0.1)


async def test_a_server_that_thinks_has_more_time_than_a_connection() -> None:
    async with tcp_server(answering(then=lambda reader: reader.read())) as port:
        began_s = time.monotonic()
        with pytest.raises(ConnectError, match=r"did not answer within 0\.4 s") as caught:
            await taken(port, timeout_s=0.1, idle_timeout_s=0.4)
        assert time.monotonic() - began_s >= 0.4
    assert caught.value.stage == "request"


async def test_a_port_where_nobody_answers() -> None:
    async with deaf_port() as port:
        with pytest.raises(ConnectError, match=r"nothing answered within 0\.1 s") as caught:
            await taken(port, timeout_s=0.1)
    assert caught.value.stage == "connect"


async def test_a_server_that_hangs_up_or_is_none() -> None:
    async with tcp_server(answering()) as port:
        with pytest.raises(ConnectError, match="hung up before it had answered"):
            await taken(port)
    async with tcp_server(answering(b"SSH-2.0\r\n\r\n")) as port:
        with pytest.raises(ConnectError, match="did not answer as HTTP"):
            await taken(port)


async def test_closing_drops_the_connection_at_once() -> None:
    gone = asyncio.Event()

    async def watch(reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            await reader.read()
        gone.set()

    async with tcp_server(answering(HEAD, b"3\r\nabc\r\n", then=watch)) as port:
        pieces = stream(options(port), idle_timeout_s=30)
        assert [await anext(pieces), await anext(pieces)] == [b"", b"abc"]
        began_s = time.monotonic()
        await pieces.aclose()
        async with asyncio.timeout(2):
            await gone.wait()
        assert time.monotonic() - began_s < 0.4
