"""The conversation as a sound file: left the user, right the assistant as it was heard."""

from __future__ import annotations

import array
import asyncio
import logging
import sys
import wave
from typing import TYPE_CHECKING, Final

from backchannel.errors import UsageError
from backchannel.wire import pcm

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

__all__ = ["Tape"]

_log = logging.getLogger(__name__)
_FLUSH_S: Final = 0.5


class Tape:
    """A stereo WAV file (24 kHz, 16 bit) that grows while the conversation goes on.

    Sound is collected and written by a thread twice a second; after each write the file's header is right, so a killed
    process leaves a playable file. Ownership: use it as an asynchronous context manager.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._left = bytearray()
        self._right = bytearray()
        self._file: wave.Wave_write | None = None
        self._flushing: asyncio.Task[None] | None = None

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
        if self._flushing is not None:
            self._flushing.cancel()
            await asyncio.wait([self._flushing])
        await asyncio.to_thread(self._finish)

    def add(self, user: bytes, assistant: bytes) -> None:
        """Add what was said and heard at the same time: two pieces of PCM16 of equal length."""
        self._left += user
        self._right += assistant

    def _open(self) -> wave.Wave_write:
        file = wave.open(str(self._path), "wb")  # noqa: SIM115 - closed by __aexit__
        file.setnchannels(2)
        file.setsampwidth(pcm.SAMPLE_BYTES)
        file.setframerate(pcm.RATE_HZ)
        return file

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_S)
            # Taken here, on the event loop, so that the two channels stay in step.
            left, right = self._take()
            await asyncio.shield(asyncio.to_thread(self._write, left, right))

    def _take(self) -> tuple[bytes, bytes]:
        taken = bytes(self._left), bytes(self._right)
        self._left.clear()
        self._right.clear()
        return taken

    def _write(self, left: bytes, right: bytes) -> None:
        if self._file is None or not left:
            return
        stereo = array.array("h", bytes(2 * len(left)))
        stereo[0::2] = array.array("h", left)
        stereo[1::2] = array.array("h", right)
        if sys.byteorder == "big":
            # The pieces were read with the wrong byte order, so they are written with the wrong one too.
            stereo.byteswap()
        try:
            self._file.writeframes(stereo.tobytes())
        except OSError as exc:
            _log.error("! sound file %s cannot be written any more: %s", self._path, exc.strerror)
            self._file = None

    def _finish(self) -> None:
        self._write(*self._take())
        if self._file is not None:
            self._file.close()
            self._file = None
