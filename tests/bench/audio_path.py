"""How fast the audio path is: frames a second and CPU, beside a bare msgspec + aiohttp relay in the same run.

Input: microphone frames of 20 ms through a whole `runtime.Conversation` (core, dialect, outbox, websocket). Output:
deltas of 100 ms from a server through decoding, core and a player that does nothing. The peer does the least that any
client must: encode or decode the JSON and use the websocket. The server runs in a process of its own.
"""

from __future__ import annotations

import asyncio
import base64
import multiprocessing
import os
import statistics
import time
from typing import TYPE_CHECKING

import aiohttp
import msgspec
from aiohttp import web

from backchannel import core
from backchannel.agents import make_agent
from backchannel.net import SystemClock
from backchannel.runtime import Conversation, Settings, Target
from backchannel.wire import pcm
from backchannel.wire.realtime import TOOLS, V2, SessionSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from multiprocessing.connection import Connection
    from pathlib import Path

    from backchannel.wire.realtime.events import AudioOut

N_INPUT = 20_000
N_OUTPUT = 10_000
RUNS = 3
FRAME = base64.b64encode(os.urandom(pcm.FRAME_BYTES)).decode()
DELTA = base64.b64encode(os.urandom(pcm.bytes_for_ms(100))).decode()


class _Append(msgspec.Struct, tag="input_audio_buffer.append"):
    audio: str


class _Delta(msgspec.Struct, tag="response.output_audio.delta"):
    delta: str
    item_id: str


async def _serve(ready: Connection) -> None:
    """Answer `count` with how many frames came, and `send` with `N_OUTPUT` deltas and an end."""
    delta = msgspec.json.encode(_Delta(delta=DELTA, item_id="item_1")).decode()

    async def talk(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False, max_msg_size=0)
        await socket.prepare(request)
        n_frames = 0
        async for message in socket:
            text = message.data
            if text.startswith('{"type":"input_audio_buffer.append"'):
                n_frames += 1
                if n_frames == N_INPUT:
                    await socket.send_str('{"type":"response.output_text.done","text":"all"}')
            elif "session.update" in text and request.query.get("model") == "output":
                for _ in range(N_OUTPUT):
                    await socket.send_str(delta)
                await socket.send_str('{"type":"response.output_text.done","text":"all"}')
        return socket

    app = web.Application()
    app.router.add_get("/v1/realtime", talk)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    ready.send(runner.addresses[0][1])
    await asyncio.Event().wait()


def _server(ready: Connection) -> None:
    asyncio.run(_serve(ready))


class _NoPlayer:
    def play(self, audio: AudioOut) -> None:
        pass

    def stop(self) -> None:
        pass


async def _conversation(port: int, model: str, cwd: Path) -> Conversation:
    settings = Settings(
        target=Target(base_url=f"ws://127.0.0.1:{port}", model=model),
        dialect=V2(),
        session=SessionSettings(instructions="", voice="marin", tools=tuple(TOOLS.values())),
        options=core.Options(),
    )
    agent = make_agent("workspace", cwd=cwd, env=dict(os.environ))
    conversation = Conversation(settings, agent=agent, clock=SystemClock(), player=_NoPlayer())
    await conversation.start()
    return conversation


async def _answered(conversation: Conversation) -> None:
    """Until the server's last message has gone through the core."""
    async for event in conversation.events():
        if isinstance(event, core.screen.TranscriptDone):
            return


async def _ours_in(port: int, cwd: Path) -> None:
    conversation = await _conversation(port, "input", cwd)
    sent = 0
    while sent < N_INPUT:
        if conversation.append_audio(FRAME):
            sent += 1
        else:
            await asyncio.sleep(0)
    await _answered(conversation)
    await conversation.stop()


async def _ours_out(port: int, cwd: Path) -> None:
    conversation = await _conversation(port, "output", cwd)
    await _answered(conversation)
    await conversation.stop()


async def _bare(port: int, model: str) -> None:
    encoder, decoder = msgspec.json.Encoder(), msgspec.json.Decoder(_Delta)
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"ws://127.0.0.1:{port}/v1/realtime?model={model}", compress=0, max_msg_size=0) as socket,
    ):
        if model == "output":
            await socket.send_str('{"type":"session.update"}')
        else:
            for _ in range(N_INPUT):
                await socket.send_frame(encoder.encode(_Append(audio=FRAME)), aiohttp.WSMsgType.TEXT)
        async for message in socket:
            if message.data.startswith('{"type":"response.output_text.done"'):
                return
            decoder.decode(message.data)


def main(cwd: Path) -> dict[str, float]:
    """Measure and return the figures."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=_server, args=(theirs,), daemon=True)
    server.start()
    port: int = ours.recv()
    ways: dict[str, tuple[int, Callable[[], Coroutine[None, None, None]]]] = {
        "input": (N_INPUT, lambda: _ours_in(port, cwd)),
        "input, bare": (N_INPUT, lambda: _bare(port, "input")),
        "output": (N_OUTPUT, lambda: _ours_out(port, cwd)),
        "output, bare": (N_OUTPUT, lambda: _bare(port, "output")),
    }
    figures: dict[str, float] = {}
    for name, (n_frames, run) in ways.items():
        rates, cpus = [], []
        for _ in range(RUNS):
            wall, cpu = time.perf_counter(), time.process_time()
            asyncio.run(run())
            rates.append(n_frames / (time.perf_counter() - wall))
            cpus.append((time.process_time() - cpu) / n_frames * 10_000)
        figures[f"{name}: frames/s"] = statistics.median(rates)
        figures[f"{name}: CPU s per 10,000 frames"] = statistics.median(cpus)
    server.terminate()
    server.join()
    figures["input: ratio to bare"] = figures["input: frames/s"] / figures["input, bare: frames/s"]
    figures["output: ratio to bare"] = figures["output: frames/s"] / figures["output, bare: frames/s"]
    return figures
