"""A sound card where there is none: speech goes in and comes out at the pace of real time.

It stands where a microphone and a loudspeaker would: what is to be said is sent in frames of 20 ms, silence between,
and what the assistant says is heard frame by frame, so that speaking over it, latency and the recording are the same as
with real devices.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import collections
import logging
from typing import TYPE_CHECKING, Final, Protocol

from backchannel.wire import pcm

if TYPE_CHECKING:
    from backchannel.audio.tape import Tape
    from backchannel.net import Clock
    from backchannel.wire.realtime import events

__all__ = ["MAX_BUFFERED_MS", "Listener", "VirtualSoundCard"]

_log = logging.getLogger(__name__)

MAX_BUFFERED_MS: Final = 10 * 60 * 1000
"""How much of the assistant's voice may wait to be heard; what exceeds it is dropped."""
_SILENCE: Final = bytes(pcm.FRAME_BYTES)
_FRAME_S: Final = pcm.FRAME_MS / 1000
_MAX_BEHIND_S: Final = 1.0


class Listener(Protocol):
    """What a sound card tells of."""

    def captured(self, data: str) -> None:
        """The microphone gave a frame (base64)."""

    def played(self, item_id: str, total_ms: int) -> None:
        """So much of an item has been heard."""


class _Speech:
    """A piece of the assistant's voice that has not been heard to its end."""

    __slots__ = ("data", "item_id", "position")

    def __init__(self, item_id: str | None, data: bytes) -> None:
        self.item_id = item_id
        self.data = data
        self.position = 0


class VirtualSoundCard:
    """Microphone and loudspeaker without hardware, on one clock.

    Ownership: whoever made it runs `run` in a task and cancels it.
    """

    def __init__(self, *, clock: Clock, tape: Tape | None = None) -> None:
        self._clock = clock
        self._tape = tape
        self._to_say = bytearray()
        self._to_hear: collections.deque[_Speech] = collections.deque()
        self._buffered_bytes = 0
        self._heard_bytes: dict[str, int] = {}
        self._said_at: float | None = None
        self._heard_at: float | None = None
        self._told = False
        self._half: tuple[str | None, bytes] = (None, b"")
        self._warned: set[str] = set()

    def take_latency(self) -> float | None:
        """Seconds from the last word said to the first sound of the answer, once for each answer."""
        if self._said_at is None or self._heard_at is None or self._told:
            return None
        self._told = True
        return self._heard_at - self._said_at

    def expect_no_answer(self) -> None:
        """What was said last may never be answered, so the next sound is no answer to it."""
        self._told = True

    @property
    def is_saying(self) -> bool:
        """Whether something is being said into the microphone."""
        return bool(self._to_say)

    def say(self, sound: bytes) -> None:
        """Say something into the microphone (PCM16, mono, 24 kHz) after what is being said."""
        self._said_at = self._heard_at = None
        self._told = False
        self._to_say += sound[: len(sound) - len(sound) % pcm.SAMPLE_BYTES]

    def play(self, audio: events.AudioOut) -> None:
        """Let the assistant be heard; a rate other than 24 kHz or something that is no audio is passed over."""
        try:
            data = base64.b64decode(audio.data, validate=True)
        except (binascii.Error, ValueError):
            self._warn_once("base64", "audio that is not base64 was passed over")
            return
        if audio.rate_hz != pcm.RATE_HZ or audio.channels != 1:
            self._warn_once(
                "format", f"expected audio at 24000 Hz, mono; passed over {audio.rate_hz} Hz, {audio.channels} channels"
            )
            return
        if self._buffered_bytes + len(data) > pcm.bytes_for_ms(MAX_BUFFERED_MS):
            self._warn_once(
                "amount", f"more than {MAX_BUFFERED_MS // 1000} s of speech waited to be heard; some was dropped"
            )
            return
        # A server may cut its audio anywhere; half a sample left over must not turn all that follows into noise.
        item_id, half = self._half
        data = half + data if item_id == audio.item_id else data
        whole = len(data) - len(data) % pcm.SAMPLE_BYTES
        self._half = audio.item_id, data[whole:]
        data = data[:whole]
        self._buffered_bytes += len(data)
        self._to_hear.append(_Speech(audio.item_id, data))

    def _warn_once(self, kind: str, message: str) -> None:
        if kind not in self._warned:
            self._warned.add(kind)
            _log.warning("! %s", message)

    def stop(self) -> None:
        """Fall silent."""
        self._to_hear.clear()
        self._half = (None, b"")
        self._buffered_bytes = 0

    async def run(self, listener: Listener) -> None:
        """Go on, a frame every 20 ms, until cancelled."""
        due = self._clock.now()
        while True:
            now = self._clock.now()
            if now - due > _MAX_BEHIND_S:
                # The machine slept; the time that is gone was silent.
                due = now
            while due <= now:
                self._tick(listener)
                due += _FRAME_S
            await asyncio.sleep(max(0.0, due - self._clock.now()))

    def _tick(self, listener: Listener) -> None:
        said = self._next_said()
        heard, items = self._next_heard()
        listener.captured(base64.b64encode(said).decode("ascii"))
        for item_id in items:
            listener.played(item_id, pcm.ms_for_bytes(self._heard_bytes[item_id]))
        if self._tape is not None:
            self._tape.add(said, heard)

    def _next_said(self) -> bytes:
        if not self._to_say:
            return _SILENCE
        frame = bytes(self._to_say[: pcm.FRAME_BYTES])
        del self._to_say[: pcm.FRAME_BYTES]
        if not self._to_say:
            self._said_at = self._clock.now()
        return frame.ljust(pcm.FRAME_BYTES, b"\0")

    def _next_heard(self) -> tuple[bytes, list[str]]:
        frame = bytearray()
        items: list[str] = []
        while self._to_hear and len(frame) < pcm.FRAME_BYTES:
            speech = self._to_hear[0]
            piece = speech.data[speech.position : speech.position + pcm.FRAME_BYTES - len(frame)]
            speech.position += len(piece)
            self._buffered_bytes -= len(piece)
            frame += piece
            if speech.item_id is not None:
                self._note(speech.item_id, len(piece), items)
            if speech.position >= len(speech.data):
                self._to_hear.popleft()
        if frame and self._heard_at is None and self._said_at is not None:
            self._heard_at = self._clock.now()
        return bytes(frame.ljust(pcm.FRAME_BYTES, b"\0")), items

    def _note(self, item_id: str, n_bytes: int, items: list[str]) -> None:
        if item_id not in self._heard_bytes:
            # Only what is being heard matters; the items before it are over.
            self._heard_bytes = {kept: heard for kept, heard in self._heard_bytes.items() if kept in items}
        self._heard_bytes[item_id] = self._heard_bytes.get(item_id, 0) + n_bytes
        if item_id not in items:
            items.append(item_id)
