"""How one session hears: the client's audio becomes turns, and each turn becomes words.

The stream comes in at 24 kHz and goes on at 16 kHz, in the chunks that the voice detector wants. Where the server finds
the turns, the recogniser gets each turn from its padding to shortly after its last word; where the client commits its
turns itself, it gets everything. It decodes while the audio still comes. Commands to it (audio, end of an utterance,
forget) wait in one queue in their order, so that the next turn's audio never gets into the turn before.

The recogniser belongs to the session, which closes it. The queue holds `MAX_WAITING` commands; when the recogniser is
that far behind (minutes), audio waits, and with it the client.

Measured on two shared cores: resampling costs 4 us a frame of 20 ms at any quality, voice detection about 1 ms for
32 ms of audio. The best quality delays the stream by 27 ms and is worth it: the recogniser understands visibly more.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import logging
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import soxr

from backchannel.engine.speech.base import HEARING_RATE_HZ, SPEAKING_RATE_HZ
from backchannel.engine.turns import Started, Stopped, TurnDetector, TurnOptions
from backchannel.errors import BackchannelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from backchannel.engine.speech.base import Heard, SpeechToText, VoiceActivity

__all__ = [
    "MAX_UTTERANCE_MS",
    "MIN_COMMIT_MS",
    "Failed",
    "Hearing",
    "HearingEvent",
    "Transcribed",
    "TurnBegun",
    "TurnEnded",
]

MAX_UTTERANCE_MS: Final = 30_000
"""How much audio a client may collect before it commits."""
MIN_COMMIT_MS: Final = 100
"""A commit of less audio than this is refused, as the public API does."""
MAX_WAITING: Final = 4096
TRAILING_MS: Final = 100
"""The recogniser gets this much of the silence after the last word; the rest would only cost time."""
FINISH_DEADLINE_S: Final = 20.0
SLICE_BYTES: Final = SPEAKING_RATE_HZ * 2 // 10
"""Audio is heard in slices of 100 ms, between which others have their turn on the event loop."""

_BYTES_PER_MS: Final = HEARING_RATE_HZ * 2 / 1000
_log: Final = logging.getLogger("backchannel.engine")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TurnBegun:
    """The user began to speak."""

    item_id: str
    audio_start_ms: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TurnEnded:
    """The user's turn is over, and its audio committed."""

    item_id: str
    audio_end_ms: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Transcribed:
    """What was said in a turn."""

    item_id: str
    heard: Heard


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The recogniser failed on a turn."""

    item_id: str
    reason: str


HearingEvent: TypeAlias = TurnBegun | TurnEnded | Transcribed | Failed


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Feed:
    pcm: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Finish:
    item_id: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Discard:
    pass


class Hearing:
    """One session's ears."""

    def __init__(
        self,
        *,
        voice_activity: VoiceActivity,
        speech_to_text: SpeechToText,
        new_item_id: Callable[[], str],
        on_event: Callable[[HearingEvent], None],
    ) -> None:
        self._voice = voice_activity
        self._recogniser = speech_to_text
        self._new_item_id = new_item_id
        self._on_event = on_event
        self._resampler = soxr.ResampleStream(SPEAKING_RATE_HZ, HEARING_RATE_HZ, 1, dtype="int16", quality="HQ")
        self._commands: asyncio.Queue[_Feed | _Finish | _Discard] = asyncio.Queue(MAX_WAITING)
        self._detector: TurnDetector | None = None
        self._item_id: str | None = None
        self._half_sample = b""
        self._rest = b""
        self._recent: collections.deque[bytes] = collections.deque()
        self._held: list[bytes] = []
        self._collected_ms = 0.0

    async def configure(self, options: TurnOptions | None) -> None:
        """Find turns by these rules; None: the client commits them. A change between the two forgets the buffer."""
        if (options is None) != (self._detector is None):
            await self.clear()
            self._detector = None if options is None else TurnDetector(options)
        elif options is not None and self._detector is not None:
            self._detector.configure(options)

    async def append(self, pcm: bytes) -> bool:
        """Hear more of the stream (24 kHz).

        Returns:
            Whether there was room for all of it: a client that commits its turns itself may collect
            `MAX_UTTERANCE_MS`, and what is beyond that is lost.
        """
        pcm = self._half_sample + pcm
        whole = len(pcm) & ~1
        self._half_sample = pcm[whole:]
        kept = True
        for begin in range(0, whole, SLICE_BYTES):
            kept &= await self._slice(pcm[begin : min(begin + SLICE_BYTES, whole)])
            if whole > SLICE_BYTES:
                await asyncio.sleep(0)
        return kept

    async def commit(self) -> str | None:
        """End the turn here, because the client says so.

        Returns:
            The id of the turn's item; None when there is nothing to commit.
        """
        if self._detector is not None:
            stopped = self._detector.stop()
            return None if stopped is None else await self._ended(stopped, announced=False)
        if self._collected_ms < MIN_COMMIT_MS:
            return None
        if self._rest:
            await self._commands.put(_Feed(pcm=self._rest))
            self._rest = b""
        item_id = self._new_item_id()
        self._collected_ms = 0.0
        await self._commands.put(_Finish(item_id=item_id))
        return item_id

    async def clear(self) -> None:
        """Forget what was heard since the last turn, and the turn that is open."""
        if self._detector is not None:
            self._detector.reset()
        self._item_id = None
        self._half_sample = self._rest = b""
        self._recent.clear()
        self._held.clear()
        self._collected_ms = 0.0
        await self._commands.put(_Discard())

    async def run(self) -> None:
        """Serve the recogniser until cancelled."""
        started = False
        while True:
            command = await self._commands.get()
            if not started and not isinstance(command, _Discard):
                started = await self._start()
            match command:
                case _Feed(pcm=pcm):
                    if started:
                        self._recogniser.feed(pcm)
                case _Finish(item_id=item_id):
                    await self._finish(item_id, started=started)
                case _Discard():
                    self._recogniser.discard()

    async def _start(self) -> bool:
        try:
            await self._recogniser.start()
        except BackchannelError as exc:
            _log.warning("! the recogniser did not start: %s", exc)
            return False
        return True

    async def _finish(self, item_id: str, *, started: bool) -> None:
        try:
            if not started:
                self._on_event(Failed(item_id=item_id, reason="the recogniser did not start"))
                return
            async with asyncio.timeout(FINISH_DEADLINE_S):
                heard = await self._recogniser.finish()
        except BackchannelError as exc:
            _log.warning("! the recogniser failed: %s", exc)
            self._on_event(Failed(item_id=item_id, reason=str(exc)))
        except TimeoutError:
            _log.warning("! the recogniser took longer than %.0f s and was given up", FINISH_DEADLINE_S)
            self._recogniser.discard()
            self._on_event(Failed(item_id=item_id, reason="the recogniser took too long"))
        else:
            self._on_event(Transcribed(item_id=item_id, heard=heard))

    async def _slice(self, pcm: bytes) -> bool:
        samples = np.frombuffer(pcm, dtype="<i2")
        heard = self._rest + self._resampler.resample_chunk(samples).astype("<i2", copy=False).tobytes()
        size = self._voice.chunk_bytes
        whole = len(heard) - len(heard) % size
        self._rest = heard[whole:]
        kept = True
        for begin in range(0, whole, size):
            kept &= await self._chunk(heard[begin : begin + size])
        return kept

    async def _chunk(self, chunk: bytes) -> bool:
        chunk_ms = len(chunk) / _BYTES_PER_MS
        detector = self._detector
        if detector is None:
            if self._collected_ms + chunk_ms > MAX_UTTERANCE_MS:
                return False
            self._collected_ms += chunk_ms
            await self._commands.put(_Feed(pcm=chunk))
            return True
        events = detector.hear(self._voice.probability(chunk), chunk_ms)
        if self._item_id is not None and detector.speaking:
            await self._listen(detector, chunk)
        else:
            self._recent.append(chunk)
        for event in events:
            match event:
                case Started(audio_start_ms=start_ms):
                    await self._begun(start_ms, detector.position_ms, chunk_ms)
                case Stopped():
                    await self._ended(event, announced=True)
        self._forget_old(detector.options, chunk_ms)
        return True

    async def _listen(self, detector: TurnDetector, chunk: bytes) -> None:
        """Pass a turn's audio on, but hold back a silence until somebody speaks on."""
        if detector.silent_ms > TRAILING_MS:
            self._held.append(chunk)
            return
        for held in [*self._held, chunk]:
            await self._commands.put(_Feed(pcm=held))
        self._held.clear()

    async def _begun(self, start_ms: int, position_ms: float, chunk_ms: float) -> None:
        self._item_id = self._new_item_id()
        self._on_event(TurnBegun(item_id=self._item_id, audio_start_ms=start_ms))
        n_chunks = max(1, round((position_ms - start_ms) / chunk_ms))
        recent = list(self._recent)[-n_chunks:]
        self._recent.clear()
        for chunk in recent:
            await self._commands.put(_Feed(pcm=chunk))

    async def _ended(self, stopped: Stopped, *, announced: bool) -> str | None:
        """End the open turn; `announced`: the session is told, because it did not ask for this."""
        item_id, self._item_id = self._item_id, None
        self._held.clear()
        if item_id is None:
            return None
        if announced:
            self._on_event(TurnEnded(item_id=item_id, audio_end_ms=stopped.audio_end_ms))
        await self._commands.put(_Finish(item_id=item_id))
        return item_id

    def _forget_old(self, options: TurnOptions, chunk_ms: float) -> None:
        # What a turn may reach back: its padding, the voice before it counts as a turn, and gaps in that voice.
        n_chunks = round((options.prefix_padding_ms + 4 * options.min_speech_ms) / chunk_ms) + 4
        while len(self._recent) > n_chunks:
            self._recent.popleft()
