"""The app server over streams, such as standard input and output: one message a line, both ways.

Source: app-server.md 1.1.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import stat
import sys
import threading
from typing import IO, TYPE_CHECKING, Final

from backchannel.server.clients import serve_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from backchannel.server.app import App
    from backchannel.server.dispatch import Dialogue, Dispatcher
    from backchannel.server.outbox import Outbox
    from backchannel.server.peer import Peer

__all__ = ["MAX_LINE_BYTES", "serve_stdio", "serve_stream"]

_log = logging.getLogger(__name__)

MAX_LINE_BYTES: Final = 64 * 1024 * 1024
"""Of one message; a longer one is passed over."""
_CHUNK: Final = 256 * 1024
_LAST_WORDS_S: Final = 0.5


async def serve_stdio(app: App, dispatcher: Dispatcher) -> None:
    """Serve the one client at the other end, until it closes our input or does not read what it is sent."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_CHUNK)
    with _awaitable_input(sys.stdin.fileno()) as source, _awaitable_output(sys.stdout.fileno()) as (sink, written):
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), source)
        writing, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, sink)
        writer = asyncio.StreamWriter(writing, protocol, None, loop)
        try:
            await serve_stream(app, dispatcher, reader, writer)
        finally:
            transport.close()
            writing.close()
            await asyncio.to_thread(written, _LAST_WORDS_S)


@contextlib.contextmanager
def _awaitable_input(number: int) -> Iterator[IO[bytes]]:
    """An input that an event loop can wait for: a file is none, and comes through a pipe."""
    if _can_be_awaited(number):
        yield os.fdopen(number, "rb", buffering=0, closefd=False)
        return
    outlet, inlet = os.pipe()
    threading.Thread(target=_pump, args=(number, inlet), name="input", daemon=True).start()
    with os.fdopen(outlet, "rb", buffering=0) as source:
        yield source


@contextlib.contextmanager
def _awaitable_output(number: int) -> Iterator[tuple[IO[bytes], Callable[[float], None]]]:
    """The same for an output, and what waits until everything has gone there."""
    if _can_be_awaited(number):
        yield os.fdopen(number, "wb", buffering=0, closefd=False), lambda _: None
        return
    outlet, inlet = os.pipe()
    thread = threading.Thread(target=_pump, args=(outlet, os.dup(number)), name="output", daemon=True)
    thread.start()
    with os.fdopen(inlet, "wb", buffering=0) as sink:
        yield sink, thread.join


def _can_be_awaited(number: int) -> bool:
    mode = os.fstat(number).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(number)


def _pump(source: int, sink: int) -> None:
    try:
        while chunk := os.read(source, _CHUNK):
            view = memoryview(chunk)
            while view:
                view = view[os.write(sink, view) :]
    except OSError:
        _log.debug("! what goes through a pipe of ours has ended", exc_info=True)
    finally:
        os.close(sink)


async def serve_stream(
    app: App, dispatcher: Dispatcher, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Serve one client over a stream of lines, until it leaves or does not read what it is sent."""
    await serve_client(
        app,
        dispatcher,
        read=lambda dialogue, peer: _read(reader, dialogue, app, peer),
        write=lambda outbox, gone: _write(writer, outbox, gone),
    )


async def _read(reader: asyncio.StreamReader, dialogue: Dialogue, app: App, peer: Peer) -> None:
    begun: list[bytes] = []
    """What has come of a message that is not whole."""
    n_begun = 0
    while chunk := await _chunk(reader):
        first, *lines = chunk.split(b"\n")
        begun.append(first)
        n_begun += len(first)
        if n_begun > MAX_LINE_BYTES:
            # Only its length is remembered from here on.
            begun.clear()
        if not lines:
            continue
        if n_begun > MAX_LINE_BYTES:
            _log.warning("! a message of %d bytes is passed over; the longest may have %d", n_begun, MAX_LINE_BYTES)
        else:
            _receive(dialogue, b"".join(begun))
        *whole, rest = lines
        for line in whole:
            _receive(dialogue, line)
        begun, n_begun = [rest], len(rest)
        # What came in bulk must not keep others from their turn, nor overflow where it goes.
        await asyncio.sleep(0)
        await app.room_for_audio(peer)


async def _chunk(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(_CHUNK)
    except ConnectionError:
        return b""


def _receive(dialogue: Dialogue, line: bytes) -> None:
    if line.strip():
        dialogue.receive(line)


async def _write(writer: asyncio.StreamWriter, outbox: Outbox, gone: asyncio.Event) -> None:
    try:
        while messages := await outbox.take():
            if writer.is_closing():
                gone.set()
                return
            writer.write(b"\n".join(messages) + b"\n")
            await writer.drain()
    except ConnectionError:
        gone.set()
