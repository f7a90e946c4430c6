"""One way to the realtime server: a websocket, what waits to be sent on it, and the tasks that read and write.

A conversation has one way at a time, and another one after it when that is lost or replaced; each keeps to itself, so
what comes late of an old one can be told from what comes of the new.

Bounds: senders that can wait do so while 64 messages wait (`room`); of the microphone at most 256 frames wait, then the
newest is dropped; whoever has more than 1024 messages waiting is not being read and is given up by the conversation.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from typing import TYPE_CHECKING, Final

from backchannel.errors import ConnectionLost
from backchannel.net import TextFrame
from backchannel.runtime.mailbox import Mailbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from backchannel.net import Frame, WebSocket
    from backchannel.runtime.tasks import Tasks
    from backchannel.wire.realtime import Dialect, intents

__all__ = ["Way"]

_log = logging.getLogger(__name__)

MAX_MICROPHONE_FRAMES: Final = 256
_FEW_MICROPHONE_FRAMES: Final = 64
"""Whoever has audio in bulk waits until only so many wait."""
_STUCK_S: Final = 5.0
"""A server that takes no audio for so long is not waited for any more; then what has no room is dropped."""
MAX_WAITING_MESSAGES: Final = 64
MAX_UNREAD_MESSAGES: Final = 1024
_GOODBYE_S: Final = 3.0
"""How long what has been said on a way that is not used any more may take to be sent."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Message:
    data: bytes
    intent: intents.Intent | None
    """What it says or is a part of; None for a piece of the microphone's audio."""


class Way:
    """A way to the server; what is said before its websocket is there waits.

    Ownership: whoever made it calls `finish` or `abandon`; the tasks belong to the `Tasks` that were given.
    """

    def __init__(self, dialect: Dialect, *, tasks: Tasks, on_frame: Callable[[Way, Frame], Awaitable[None]]) -> None:
        self.dialect = dialect
        self._tasks = tasks
        self._on_frame = on_frame
        self._outbox: Mailbox[_Message] = Mailbox(capacity=MAX_WAITING_MESSAGES)
        self._microphone_waiting = 0
        self._microphone_dropped = 0
        self._is_stuck = False
        self._few_frames = asyncio.Event()
        self._few_frames.set()
        self._sending: _Message | None = None
        self._socket: WebSocket | None = None
        self._writer: asyncio.Task[None] | None = None
        self._reader: asyncio.Task[None] | None = None
        self._written = asyncio.Event()
        self._written.set()

    @property
    def is_closing(self) -> bool:
        """Whether nothing more will be said."""
        return self._outbox.is_closed

    @property
    def is_overfull(self) -> bool:
        """Whether so much waits that the server cannot be reading."""
        return len(self._outbox) > MAX_UNREAD_MESSAGES + MAX_MICROPHONE_FRAMES

    def carry(self, socket: WebSocket, *, unread: str | None = None) -> None:
        """The websocket is there: send what waits, and read; `unread` was already taken from it."""
        self._socket = socket
        self._written.clear()
        self._writer = self._tasks.start("writer", self._write(socket))
        self._reader = self._tasks.start("reader", self._read(socket, unread))

    def say(self, intent: intents.Intent) -> None:
        """Send something, in the order of the calls."""
        for data in self.dialect.encode(intent):
            self._outbox.put(_Message(data, intent))

    def has_room_for_audio(self) -> bool:
        """Whether another piece of audio can wait; says so in the log the first time that one cannot."""
        if self._microphone_waiting < MAX_MICROPHONE_FRAMES:
            return True
        if self._microphone_dropped == 0:
            _log.warning("! the server does not take audio fast enough; microphone frames are dropped")
        self._microphone_dropped += 1
        return False

    def say_audio(self, messages: tuple[bytes, ...]) -> None:
        """Send a piece of audio that has been encoded."""
        for data in messages:
            self._outbox.put(_Message(data, None))
            self._microphone_waiting += 1
        if self._microphone_waiting > _FEW_MICROPHONE_FRAMES:
            self._few_frames.clear()

    async def room_for_audio(self) -> None:
        """Wait until not much audio waits to be sent, as long as the server takes any."""
        while not self._few_frames.is_set() and not self._is_stuck and not self._outbox.is_closed:
            before = self._microphone_waiting
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STUCK_S):
                    await self._few_frames.wait()
            self._is_stuck = self._microphone_waiting >= before

    async def room(self) -> None:
        """Wait until not much waits to be sent, or nothing will be sent any more."""
        await self._outbox.room()

    def close(self) -> None:
        """Nothing more will be said; what waits is still sent, then the websocket is closed. Idempotent."""
        self._outbox.close()

    async def finish(self, *, within_s: float = _GOODBYE_S) -> None:
        """Close, and wait until all has been sent; what takes too long is cut off."""
        self.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._written.wait()
        self.abandon()

    def abandon(self) -> tuple[intents.Intent, ...]:
        """Let go of it at once.

        Returns:
            What was to be said and was not sent, in order, without audio: each once, also where a part was sent.
        """
        self._outbox.close()
        unsent: list[intents.Intent] = []
        for message in (self._sending, *self._outbox.drain()):
            intent = None if message is None else message.intent
            if intent is not None and not (unsent and unsent[-1] is intent):
                unsent.append(intent)
        self._sending = None
        for task in (self._writer, self._reader):
            if task is not None and task is not asyncio.current_task():
                task.cancel()
        return tuple(unsent)

    def drop(self) -> None:
        """Break the connection without a goodbye, as a network does."""
        if self._socket is not None:
            self._socket.abort()

    async def _write(self, socket: WebSocket) -> None:
        try:
            while (message := await self._outbox.take()) is not None:
                self._microphone_waiting -= message.intent is None
                self._sending = message
                await socket.send(message.data)
                self._sending = None
                self._is_stuck = False
                if self._microphone_waiting <= _FEW_MICROPHONE_FRAMES:
                    self._few_frames.set()
        except ConnectionLost:
            # The reader finds out why; until then what comes is kept with what was not sent.
            return
        finally:
            try:
                await socket.close()
            finally:
                self._written.set()

    async def _read(self, socket: WebSocket, unread: str | None) -> None:
        if unread is not None:
            await self._on_frame(self, TextFrame(unread))
        async for frame in socket:
            await self._on_frame(self, frame)
