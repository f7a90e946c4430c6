"""The conversation as a sound file: left the user, right the assistant as it was heard."""

from __future__ import annotations

import array
import asyncio
import contextlib
import logging
import sys
import wave
from typing import TYPE_CHECKING, Final

from backchannel.errors import UsageError
from backchannel.wire import pcm

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import BinaryIO, Self

__all__ = ["Tape"]

_log = logging.getLogger(__name__)
_FLUSH_S: Final = 0.5
_MAX_BYTES: Final = 2**32 - 2**16
"""What the header of a WAV file can count; some 12 hours."""


class Tape:
    """A stereo WAV file (24 kHz, 16 bit) that grows while the conversation goes on.

    Sound is collected and written by a thread twice a second; after each write the file's header is right, so a killed
    process leaves a playable file. Ownership: use it as an asynchronous context manager.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._left = bytearray()
        self._right = bytearray()
        self._bytes: BinaryIO | None = None
        self._file: wave.Wave_write | None = None
        self._flushing: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._written_bytes = 0

    async def __aenter__(self) -> Self:
        """Open the file.

        Raises:
            UsageError: The file cannot be written.
        """
        try:
            self._file = await asyncio.to_thread(self._open)
        except OSError as exc:
            raise UsageError(
                f"the sound file {self._path} cannot be written: {exc.strerror}; choose another file"
            ) from exc
        self._flushing = asyncio.get_running_loop().create_task(self._flush_regularly(), name="tape")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Write what is left and close the file."""
        # Not cancelled: a write that is going on in its thread would go on beside the last one.
        self._closing.set()
        if self._flushing is not None:
            await asyncio.wait([self._flushing])
        await asyncio.to_thread(self._finish, *self._take())

    def add(self, user: bytes, assistant: bytes) -> None:
        """Add what was said and heard at the same time: two pieces of PCM16 of equal length."""
        self._left += user
        self._right += assistant

    def _open(self) -> wave.Wave_write:
        # Ours, since `wave` can neither be told to flush nor take a failure to open without a word on stderr.
        self._bytes = self._path.open("wb")
        file = wave.open(self._bytes, "wb")  # noqa: SIM115 - closed by __aexit__
        file.setnchannels(2)
        file.setsampwidth(pcm.SAMPLE_BYTES)
        file.setframerate(pcm.RATE_HZ)
        return file

    async def _flush_regularly(self) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FLUSH_S):
                    await self._closing.wait()
            await asyncio.to_thread(self._write, *self._take())

    def _take(self) -> tuple[bytes, bytes]:
        # On the event loop, so that the two channels stay in step.
        taken = bytes(self._left), bytes(self._right)
        self._left.clear()
        self._right.clear()
        return taken

    def _write(self, left: bytes, right: bytes) -> None:
        if self._file is None or self._bytes is None or not left:
            return
        stereo = array.array("h", bytes(2 * len(left)))
        stereo[0::2] = array.array("h", left)
        stereo[1::2] = array.array("h", right)
        if sys.byteorder == "big":
            # The pieces were read with the wrong byte order, so they are written with the wrong one too.
            stereo.byteswap()
        self._written_bytes += 2 * len(left)
        if self._written_bytes > _MAX_BYTES:
            _log.error("! sound file %s is as long as a WAV file can be; the rest is not saved", self._path)
            self._close()
            return
        try:
            self._file.writeframes(stereo.tobytes())
            self._bytes.flush()
        except OSError as exc:
            _log.error("! sound file %s cannot be written any more: %s", self._path, exc.strerror)
            self._close()

    def _finish(self, left: bytes, right: bytes) -> None:
        self._write(left, right)
        self._close()

    def _close(self) -> None:
        for file in (self._file, self._bytes):
            # It writes what is left, which fails once more where writing failed; that has been said.
            with contextlib.suppress(OSError):
                if file is not None:
                    file.close()
        self._file = self._bytes = None
