"""Writes the recording of a conversation to a file, without ever holding up the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
from typing import TYPE_CHECKING, Final

from backchannel import __version__
from backchannel.core import recording
from backchannel.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import BinaryIO, Self

    from backchannel.core import Options, effects, events

__all__ = ["Recorder"]

_log = logging.getLogger(__name__)
_FLUSH_S: Final = 0.25


class Recorder:
    """A recording that grows while the conversation goes on.

    Lines are collected and written by a thread every quarter of a second, so a killed process loses no more than that
    (bound: what a conversation does in that time). Ownership: use it as an asynchronous context manager.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: list[bytes] = []
        self._file: BinaryIO | None = None
        self._flushing: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Open the file.

        Raises:
            UsageError: The file cannot be written.
        """
        try:
            self._file = await asyncio.to_thread(self._path.open, "wb")
        except OSError as exc:
            raise UsageError(
                f"the recording {self._path} cannot be written: {exc.strerror}; choose another file"
            ) from exc
        self._flushing = asyncio.get_running_loop().create_task(self._flush_regularly(), name="recorder")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Write what is left and close the file."""
        # Not cancelled: a write that is going on in its thread would go on beside the last one.
        self._closing.set()
        if self._flushing is not None:
            await asyncio.wait([self._flushing])
        await asyncio.to_thread(self._finish, self._take())

    def begin(self, *, options: Options, dialect: str) -> None:
        """Write the header."""
        started_at = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        header = recording.Header(options=options, dialect=dialect, started_at=started_at, made_by=__version__)
        self._lines.append(recording.encode_header(header))

    def add(self, t: float, event: events.Event, done: list[effects.Effect]) -> None:
        """Write an event and what came of it."""
        self._lines.append(recording.encode_recorded(recording.Recorded(t=t, event=event)))
        for effect in done:
            self._lines.append(recording.encode_recorded(recording.Recorded(t=t, effect=effect)))

    async def _flush_regularly(self) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FLUSH_S):
                    await self._closing.wait()
            await asyncio.to_thread(self._write, self._take())

    def _take(self) -> list[bytes]:
        # On the event loop: a thread that takes the list could miss a line that is being added to it.
        lines, self._lines = self._lines, []
        return lines

    def _write(self, lines: list[bytes]) -> None:
        if self._file is None or not lines:
            return
        try:
            self._file.writelines(lines)
            self._file.flush()
        except OSError as exc:
            _log.error("! recording %s cannot be written any more: %s", self._path, exc.strerror)
            self._close()

    def _finish(self, lines: list[bytes]) -> None:
        self._write(lines)
        self._close()

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            # It writes what is left, which fails once more where writing failed; that has been said.
            with contextlib.suppress(OSError):
                file.close()
