"""The least that a program must do to be in the app server's place on the audio path; the peer of `app_server`.

    python -m tests.bench.relay ADDRESS

A line from standard input goes as an audio frame to the websocket, and is answered; an audio delta from there goes to
standard output.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

import aiohttp
import msgspec
import uvloop


class _Audio(msgspec.Struct):
    data: str


class _Params(msgspec.Struct):
    audio: _Audio


class _Request(msgspec.Struct):
    id: int
    params: _Params


class _Append(msgspec.Struct, tag="input_audio_buffer.append"):
    audio: str


class _Delta(msgspec.Struct):
    delta: str


class _Answer(msgspec.Struct):
    id: int
    result: dict[str, object]


class _Told(msgspec.Struct):
    method: str
    params: _Params


async def main(address: str) -> None:
    """Relay until standard input ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=2**20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, sys.stdout.buffer)
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(address, compress=0, max_msg_size=0) as socket,
        asyncio.TaskGroup() as tasks,
    ):
        outwards = tasks.create_task(_outwards(socket, writer))
        await _inwards(reader, socket, writer)
        outwards.cancel()


async def _inwards(
    reader: asyncio.StreamReader, socket: aiohttp.ClientWebSocketResponse, writer: asyncio.StreamWriter
) -> None:
    decode = msgspec.json.Decoder(_Request).decode
    encode = msgspec.json.Encoder().encode
    while line := await reader.readline():
        request = decode(line)
        await socket.send_str(encode(_Append(request.params.audio.data)).decode())
        writer.write(encode(_Answer(request.id, {})) + b"\n")
        await writer.drain()


async def _outwards(socket: aiohttp.ClientWebSocketResponse, writer: asyncio.StreamWriter) -> None:
    decode = msgspec.json.Decoder(_Delta).decode
    encode = msgspec.json.Encoder().encode
    async for message in socket:
        told = _Told("thread/realtime/outputAudio/delta", _Params(_Audio(decode(message.data).delta)))
        writer.write(encode(told) + b"\n")
        await writer.drain()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(main(sys.argv[1]))
