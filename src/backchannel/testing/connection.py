"""One connection of a scripted server: what was received on it, and what can be done to it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import struct
import time
from typing import TYPE_CHECKING

from aiohttp import ClientConnectionResetError, WSMsgType, web

from backchannel.testing.script import ScriptError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from backchannel.testing.script import Expect

__all__ = ["ConnectionGone", "Handshake", "ReceivedFrame", "ScriptedConnection", "arrivals"]

_MAX_SHOWN = 40
_MAX_SHOWN_CHARACTERS = 160


class ConnectionGone(ScriptError):
    """Nothing more can be sent to this client."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """How a client asked for its connection, or for a WebRTC call."""

    connection: int
    """The first connection is 0; refused ones count."""
    method: str
    path: str
    raw_path: str = dataclasses.field(repr=False)
    """Path and query byte for byte."""
    query: tuple[tuple[str, str], ...] = dataclasses.field(repr=False)
    """In order, decoded."""
    headers: Mapping[str, str] = dataclasses.field(repr=False)
    """Names in lower case; of a repeated header the last one."""
    body: bytes = dataclasses.field(default=b"", repr=False)
    """What came with it: a POST has one."""
    at_s: float
    """Monotonic seconds."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedFrame:
    """A text or binary frame that a client sent."""

    connection: int
    at_s: float
    """Monotonic seconds at which it was whole."""
    payload: str | bytes = dataclasses.field(repr=False)
    """`str` for a text frame, `bytes` for a binary one."""
    message: object
    """The JSON value of a text frame; None when it is not JSON, and for a binary frame."""

    @property
    def type(self) -> str | None:
        """The `type` of a JSON object, None for anything else."""
        found = self.message.get("type") if isinstance(self.message, dict) else None
        return found if isinstance(found, str) else None

    def field(self, path: str) -> object:
        """A value inside the message, such as `field("session.tools.0.name")`.

        Raises:
            LookupError: There is none; the text says how far the path led.
        """
        value = self.message
        for position, step in enumerate(steps := path.split(".")):
            if isinstance(value, dict) and step in value:
                value = value[step]
            elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
                value = value[int(step)]
            else:
                found = sorted(value) if isinstance(value, dict) else type(value).__name__
                raise LookupError(f"no {step!r} at {'.'.join(steps[:position]) or 'the top'}, which holds {found}")
        return value

    def has(self, path: str, value: object) -> bool:
        """Whether there is such a field and it equals `value`."""
        try:
            return self.field(path) == value
        except LookupError:
            return False

    def short(self) -> str:
        """One line for a person."""
        if isinstance(self.payload, bytes):
            return f"binary, {len(self.payload)} bytes"
        text = self.payload
        if isinstance(self.message, dict) and isinstance(self.message.get("audio"), str):
            audio = f"... {len(self.message['audio'])} characters"
            text = json.dumps({**self.message, "audio": audio}, ensure_ascii=False)
        return text if len(text) <= _MAX_SHOWN_CHARACTERS else text[:_MAX_SHOWN_CHARACTERS] + "..."


class ScriptedConnection:
    """One accepted connection; scripts of the kind `Run` are given it.

    Everything received is in `received`, whatever the script makes of it. The record grows with what the client
    sends: this is a tool for tests.
    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        request: web.Request,
        *,
        handshake: Handshake,
        log: list[ReceivedFrame],
        changed: asyncio.Condition,
    ) -> None:
        self._socket = socket
        self._request = request
        self._log = log
        self._changed = changed
        self._n_consumed = 0
        self._said_goodbye = False
        self.handshake = handshake
        self.number = handshake.connection
        self.received: list[ReceivedFrame] = []
        """All text and binary frames, in order."""
        self.skipped: list[ReceivedFrame] = []
        """Those that an expectation passed over."""
        self.ended_at_s: float | None = None
        """Monotonic seconds at which the connection was over; None while it is open."""
        self.close_code: int | None = None
        """The code of the client's close frame (its answer, when we closed); None when none came."""
        self.close_reason = ""

    async def send(self, message: str | Mapping[str, object] | Sequence[object]) -> None:
        """Send a text frame: a text as it is, anything else as JSON.

        Raises:
            ConnectionGone: The client is.
        """
        text = message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
        await self._send(text.encode(errors="surrogatepass"), WSMsgType.TEXT)

    async def send_binary(self, data: bytes) -> None:
        """Send a binary frame.

        Raises:
            ConnectionGone: The client is.
        """
        await self._send(data, WSMsgType.BINARY)

    async def ping(self, data: bytes = b"") -> None:
        """Send a ping; the answer is not recorded.

        Raises:
            ConnectionGone: The client is.
        """
        await self._send(data, WSMsgType.PING)

    async def expect(self, expectation: Expect) -> ReceivedFrame:
        """Wait for the next frame that fits, and pass over the others.

        Raises:
            ScriptError: It did not come in time, or the client went away.
        """
        try:
            async with asyncio.timeout(expectation.timeout_s), self._changed:
                while True:
                    while self._n_consumed < len(self.received):
                        frame = self.received[self._n_consumed]
                        self._n_consumed += 1
                        if expectation.accepts(frame):
                            return frame
                        self.skipped.append(frame)
                    if self.ended_at_s is not None:
                        raise ScriptError(
                            f"connection {self.number} was closed by the client (code {self.close_code}) "
                            f"while the script expected {expectation}; {arrivals(self.received)}"
                        )
                    await self._changed.wait()
        except TimeoutError:
            raise ScriptError(
                f"connection {self.number}: expected {expectation} within {expectation.timeout_s:g} s; "
                f"{arrivals(self.received)}"
            ) from None

    async def close(self, *, code: int = 1000, reason: str = "") -> None:
        """Send a close frame, once; what the client sends until it answers is still recorded.

        Raises:
            ConnectionGone: The client is.
        """
        if self._said_goodbye:
            return
        self._said_goodbye = True
        await self._send(struct.pack(">H", code) + reason.encode(), WSMsgType.CLOSE)

    def drop(self) -> None:
        """Cut the TCP connection without a close frame."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def wait_closed(self) -> None:
        """Wait until the connection is over."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.ended_at_s is not None)

    async def read(self) -> None:
        """Record what comes until the connection is over. The server calls it, once."""
        try:
            while await self._read_one():
                pass
        finally:
            self.ended_at_s = time.monotonic()
            # Flushes what was sent, and keeps aiohttp from adding a second close frame of its own.
            if self._request.transport is not None:
                self._request.transport.close()
            async with self._changed:
                self._changed.notify_all()

    async def _read_one(self) -> bool:
        message = await self._socket.receive()
        at_s = time.monotonic()
        match message.type:
            case WSMsgType.TEXT:
                await self._record(message.data, _read_json(message.data), at_s=at_s)
            case WSMsgType.BINARY:
                await self._record(message.data, None, at_s=at_s)
            case WSMsgType.CLOSE:
                self.close_code = message.data or None
                self.close_reason = message.extra or ""
                if not self._said_goodbye:
                    self._said_goodbye = True
                    with contextlib.suppress(ConnectionGone):  # a client need not wait for the answer
                        await self._send(struct.pack(">H", message.data) if message.data else b"", WSMsgType.CLOSE)
                return False
            case _:  # lost, or the client broke the protocol
                return False
        return True

    async def _record(self, payload: str | bytes, message: object, *, at_s: float) -> None:
        frame = ReceivedFrame(connection=self.number, at_s=at_s, payload=payload, message=message)
        self.received.append(frame)
        self._log.append(frame)
        async with self._changed:
            self._changed.notify_all()

    async def _send(self, data: bytes, kind: WSMsgType) -> None:
        try:
            await self._socket.send_frame(data, kind)
        except (ClientConnectionResetError, OSError, RuntimeError) as exc:
            raise ConnectionGone(f"connection {self.number} is gone, nothing more can be sent on it") from exc


def arrivals(frames: Sequence[ReceivedFrame], *, since_s: float | None = None) -> str:
    """What arrived, for a message to a person: one line for each frame, runs of the same type in one line."""
    if not frames:
        return "nothing arrived"
    start_s = frames[0].at_s if since_s is None else since_s
    lines: list[str] = []
    position = 0
    while position < len(frames):
        frame = frames[position]
        end = position + 1
        while end < len(frames) and _same_kind(frames[end], frame):
            end += 1
        times = f" ({end - position} of these)" if end - position > 1 else ""
        lines.append(f"  #{frame.connection} {frame.at_s - start_s:+.3f} s {frame.short()}{times}")
        position = end
    left_out = len(lines) - _MAX_SHOWN
    shown = lines if left_out <= 0 else [*lines[:5], f"  ... {left_out} lines left out", *lines[left_out + 5 :]]
    return f"{len(frames)} frames arrived:\n" + "\n".join(shown)


def _same_kind(one: ReceivedFrame, other: ReceivedFrame) -> bool:
    return one.connection == other.connection and one.type is not None and one.type == other.type


def _read_json(text: str) -> object:
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value
