"""The app server's audio path as a client sees it, beside a bare relay in the same run.

Each program is a process of its own, on standard input and output; the realtime server and the client are this one,
with one clock. A frame is 20 ms of sound with its number in it. Latency is from writing it here to its arrival at the
other end, at the pace of a microphone; speed is of as many frames as fit, with 64 of them unanswered at most, and with
no bound. A loss ends the benchmark.

`app_server_soak` has many conversations at once, each at the pace of a microphone and a voice. How many, and how long:
BENCH_SOAK_THREADS and BENCH_SOAK_S.
"""

from __future__ import annotations

import array
import asyncio
import base64
import contextlib
import dataclasses
import json
import os
import struct
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Final

import psutil
from aiohttp import WSMsgType, web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

__all__ = ["main", "soak"]

N_PACED: Final = 500
N_BULK: Final = 10_000
RUNS: Final = 3
WINDOW: Final = 64
FRAME_S: Final = 0.02
PATIENCE_S: Final = 60.0
_REST: Final = bytes(number * 7 % 256 for number in range(956))
_APPEND: Final = (
    b'{"id":%d,"method":"thread/realtime/appendAudio","params":{"threadId":"%s","audio":{"data":"%s",'
    b'"sampleRate":24000,"numChannels":1,"samplesPerChannel":480}}}\n'
)


def main() -> dict[str, float]:
    """Latencies in ms, speeds in frames a second, and their ratios to the relay's."""
    return asyncio.run(_main())


def soak() -> dict[str, float]:
    """Latencies and memory with many conversations at once."""
    n_threads = int(os.environ.get("BENCH_SOAK_THREADS", "200"))
    return asyncio.run(_soak(n_threads, float(os.environ.get("BENCH_SOAK_S", "20"))))


# ---- the realtime server ----


class Backend:
    """Takes audio and sends it. One connection for each conversation, in the order in which they came."""

    def __init__(self) -> None:
        self.sockets: list[web.WebSocketResponse] = []
        self.on_audio: Callable[[int, int], None] = lambda _, __: None
        """Is told the number of the connection, and of the frame."""
        self.url = ""
        self._changed = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        runner = web.ServerRunner(web.Server(self._talk, access_log=None), shutdown_timeout=0.5)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"ws://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield
        finally:
            await runner.cleanup()

    async def connected(self, n: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            async with self._changed:
                await self._changed.wait_for(lambda: len(self.sockets) >= n)

    async def _talk(self, request: web.BaseRequest) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False, max_msg_size=0)
        await socket.prepare(request)
        connection = len(self.sockets)
        self.sockets.append(socket)
        async with self._changed:
            self._changed.notify_all()
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                continue
            if '"session.update"' in message.data[:60]:
                session = {"type": "session.updated", "session": {"id": "sess_bench"}}
                await socket.send_json(session)
            elif "input_audio_buffer.append" in message.data[:60]:
                self.on_audio(connection, _number(message.data.encode(), b'"audio":"'))
        return socket


def _frame(number: int) -> bytes:
    return base64.b64encode(struct.pack("<I", number) + _REST)


def _number(message: bytes, key: bytes) -> int:
    at = message.find(key) + len(key)
    number: int = struct.unpack("<I", base64.b64decode(message[at : at + 8])[:4])[0]
    return number


def _delta(number: int) -> str:
    frame = _frame(number).decode()
    return f'{{"type":"response.output_audio.delta","delta":"{frame}","item_id":"item_bench"}}'


# ---- the programs ----


class Program:
    """One that is measured."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.thread_ids = [b"none"]
        self.n_answered = 0
        self.errors: list[bytes] = []
        self.answered = asyncio.Event()
        self.on_voice: Callable[[bytes, int], None] = lambda _, __: None
        """Is told the line, and the number of the frame."""
        self._asked: dict[int, asyncio.Future[dict[str, dict[str, object]]]] = {}
        self._usage = psutil.Process(process.pid)

    @property
    def cpu_s(self) -> float:
        times = self._usage.cpu_times()
        return float(times.user + times.system)

    @property
    def rss_mib(self) -> float:
        return float(self._usage.memory_info().rss) / 2**20

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)

    async def drain(self) -> None:
        assert self.process.stdin is not None
        await self.process.stdin.drain()

    async def ask(self, number: int, method: str, params: object) -> dict[str, dict[str, object]]:
        self._asked[number] = asyncio.get_running_loop().create_future()
        self.write(json.dumps({"id": number, "method": method, "params": params}).encode() + b"\n")
        async with asyncio.timeout(PATIENCE_S):
            return await self._asked[number]

    async def read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            if line.startswith(b'{"id":') and not self._asked:
                self.n_answered += 1
                self.answered.set()
            elif b"outputAudio/delta" in line[:60]:
                self.on_voice(line, _number(line, b'"data":"'))
            elif line.startswith((b'{"id":', b'{"error"')):
                answer = json.loads(line)
                asked = self._asked.pop(answer["id"], None)
                if "error" in answer:
                    self.errors.append(line)
                elif asked is not None:
                    asked.set_result(answer["result"])


@contextlib.asynccontextmanager
async def _running(*command: str, env: dict[str, str] | None = None) -> AsyncIterator[Program]:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **(env or {})},
        limit=2**22,
    )
    program = Program(process)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(program.read())
        try:
            yield program
        finally:
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()


@contextlib.asynccontextmanager
async def _app_server(backend: Backend, figures: dict[str, float], *, n_threads: int = 1) -> AsyncIterator[Program]:
    with tempfile.TemporaryDirectory() as home:
        started = time.perf_counter()
        settings = [f'experimental_realtime_ws_base_url="{backend.url}"', "realtime.version=v2"]
        options = [part for each in settings for part in ("-c", each)]
        command = (sys.executable, "-m", "backchannel", "app-server", "--agent", "workspace", *options)
        env = {"BACKCHANNEL_HOME": home, "OPENAI_API_KEY": "sk-bench"}
        async with _running(*command, env=env) as program:
            client = {"clientInfo": {"name": "bench", "version": "1"}, "capabilities": {"experimentalApi": True}}
            await program.ask(0, "initialize", client)
            figures["initialize answered after, ms"] = (time.perf_counter() - started) * 1000
            program.thread_ids.clear()
            for number in range(1, n_threads + 1):
                thread = (await program.ask(number, "thread/start", {"cwd": home}))["thread"]
                start = {"threadId": thread["id"], "outputModality": "audio", "prompt": "p"}
                await program.ask(
                    n_threads + number, "thread/realtime/start", {**start, "includeStartupContext": False}
                )
                await backend.connected(number)
                program.thread_ids.append(str(thread["id"]).encode())
            yield program


@contextlib.asynccontextmanager
async def _relay(backend: Backend) -> AsyncIterator[Program]:
    async with _running(sys.executable, "-m", "tests.bench.relay", backend.url) as program:
        await backend.connected(1)
        yield program


# ---- what is measured ----


@dataclasses.dataclass
class Passage:
    """Frames on their way."""

    n: int
    sent_s: dict[int, float] = dataclasses.field(default_factory=dict)
    came_s: dict[int, float] = dataclasses.field(default_factory=dict)
    all_came: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)

    def came(self, number: int) -> None:
        self.came_s[number] = time.perf_counter()
        if len(self.came_s) == self.n:
            self.all_came.set()

    async def over(self) -> None:
        """Wait for the last.

        Raises:
            TimeoutError: Something is lost.
        """
        async with asyncio.timeout(PATIENCE_S):
            await self.all_came.wait()

    @property
    def latencies_ms(self) -> list[float]:
        return sorted((self.came_s[number] - sent) * 1000 for number, sent in self.sent_s.items())

    @property
    def speed(self) -> float:
        return self.n / (max(self.came_s.values()) - min(self.sent_s.values()))


async def _inwards(program: Program, backend: Backend, n: int, *, pace_s: float = 0.0, window: int = 0) -> Passage:
    """From the client's microphone to the realtime server."""
    passage = Passage(n)
    backend.on_audio = lambda _, number: passage.came(number)
    lines = [_APPEND % (1_000_000 + number, program.thread_ids[0], _frame(number)) for number in range(n)]
    n_before, started = program.n_answered, time.perf_counter()
    for number, line in enumerate(lines):
        if pace_s:
            await asyncio.sleep(max(started + number * pace_s - time.perf_counter(), 0))
        while window and number - (program.n_answered - n_before) >= window:
            program.answered.clear()
            await program.answered.wait()
        passage.sent_s[number] = time.perf_counter()
        program.write(line)
        if not pace_s:
            await program.drain()
    await passage.over()
    async with asyncio.timeout(PATIENCE_S):
        while program.n_answered - n_before < n:
            program.answered.clear()
            await program.answered.wait()
    assert not program.errors, program.errors[0]
    return passage


async def _outwards(program: Program, backend: Backend, n: int, *, pace_s: float = 0.0) -> Passage:
    """From the realtime server to the client's loudspeaker."""
    passage = Passage(n)
    program.on_voice = lambda _, number: passage.came(number)
    deltas = [_delta(number) for number in range(n)]
    started = time.perf_counter()
    for number, delta in enumerate(deltas):
        if pace_s:
            await asyncio.sleep(max(started + number * pace_s - time.perf_counter(), 0))
        elif number % 16 == 0:
            await asyncio.sleep(0)
        passage.sent_s[number] = time.perf_counter()
        await backend.sockets[0].send_str(delta)
    await passage.over()
    return passage


async def _measured(program: Program, backend: Backend) -> dict[str, float]:
    cpu_s = program.cpu_s
    inwards = await _inwards(program, backend, N_PACED, pace_s=FRAME_S)
    paced_cpu_s = program.cpu_s - cpu_s
    outwards = await _outwards(program, backend, N_PACED, pace_s=FRAME_S)
    figures = {
        "in, ms, median": _quantile(inwards.latencies_ms, 0.5),
        "in, ms, p99": _quantile(inwards.latencies_ms, 0.99),
        "in, CPU s for 10,000 frames at the pace of a microphone": paced_cpu_s / N_PACED * N_BULK,
        "out, ms, median": _quantile(outwards.latencies_ms, 0.5),
        "out, ms, p99": _quantile(outwards.latencies_ms, 0.99),
    }
    cpu_s, me_s, started = program.cpu_s, time.process_time(), time.perf_counter()
    figures["in, frames/s, 64 unanswered"] = (await _inwards(program, backend, N_BULK, window=WINDOW)).speed
    figures["in, frames/s"] = (await _inwards(program, backend, N_BULK)).speed
    figures["in, CPU s for 10,000 frames"] = (program.cpu_s - cpu_s) / 2
    figures["out, frames/s"] = (await _outwards(program, backend, N_BULK)).speed
    figures["load of the generator, %"] = 100 * (time.process_time() - me_s) / (time.perf_counter() - started)
    figures["memory, MiB"] = program.rss_mib
    return figures


async def _main() -> dict[str, float]:
    runs: list[dict[str, float]] = []
    peers: list[dict[str, float]] = []
    for _ in range(RUNS):
        figures: dict[str, float] = {}
        backend = Backend()
        async with backend.serving(), _app_server(backend, figures) as program:
            figures |= await _measured(program, backend)
        runs.append(figures)
        backend = Backend()
        async with backend.serving(), _relay(backend) as program:
            peers.append(await _measured(program, backend))
    result = {name: _middle(run[name] for run in runs) for name in runs[0]}
    for name in peers[0]:
        if "/s" in name or ", ms" in name or "CPU" in name:
            result[f"{name}, times the relay's"] = result[name] / _middle(run[name] for run in peers)
    return result


async def _soak(n_threads: int, seconds: float) -> dict[str, float]:
    backend, figures = Backend(), dict[str, float]()
    async with backend.serving(), _app_server(backend, figures, n_threads=n_threads) as program:
        n_frames = round(seconds / FRAME_S)
        latencies = {"in": array.array("f"), "out": array.array("f")}
        sent: dict[tuple[str, int], float] = {}
        all_came = asyncio.Event()
        places = {thread_id: place for place, thread_id in enumerate(program.thread_ids)}

        def came(way: str, number: int) -> None:
            latencies[way].append((time.perf_counter() - sent.pop((way, number))) * 1000)
            if number // n_threads == n_frames - 1 and not sent:
                all_came.set()

        backend.on_audio = lambda _, number: came("in", number)
        program.on_voice = lambda _, number: came("out", number)
        memory = [program.rss_mib]
        cpu_s, me_s, started = program.cpu_s, time.process_time(), time.perf_counter()
        for turn in range(n_frames):
            for thread_id, place in places.items():
                # Each conversation has its own moment within the 20 ms.
                due = started + (turn + place / n_threads) * FRAME_S
                # Also when it is late, so that what comes is read.
                await asyncio.sleep(max(due - time.perf_counter(), 0))
                number = turn * n_threads + place
                sent["in", number] = sent["out", number] = time.perf_counter()
                program.write(_APPEND % (1_000_000 + number, thread_id, _frame(number)))
                await backend.sockets[place].send_str(_delta(number))
            await program.drain()
            if turn % 250 == 249:
                memory.append(program.rss_mib)
        wall_s = time.perf_counter() - started
        async with asyncio.timeout(PATIENCE_S):
            await all_came.wait()
        memory.append(program.rss_mib)
        for way, found in latencies.items():
            ordered = sorted(found)
            figures[f"{way}, ms, median"] = _quantile(ordered, 0.5)
            figures[f"{way}, ms, p99"] = _quantile(ordered, 0.99)
        figures["conversations"] = n_threads
        figures["seconds"] = wall_s
        figures["times slower than real time"] = wall_s / seconds
        figures["load of the program, %"] = 100 * (program.cpu_s - cpu_s) / wall_s
        figures["load of the generator, %"] = 100 * (time.process_time() - me_s) / wall_s
        figures["memory at first, MiB"] = memory[0]
        figures["memory half way, MiB"] = memory[len(memory) // 2]
        figures["memory at the end, MiB"] = memory[-1]
    return figures


def _quantile(values: list[float], share: float) -> float:
    return values[min(round(share * len(values)), len(values) - 1)]


def _middle(values: Iterable[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2]
