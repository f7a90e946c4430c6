"""Lines typed at a terminal, read without holding up the event loop."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["typed_lines"]

_MAX_LINES: Final = 64
_CHUNK_BYTES: Final = 4096
_MAX_LINE_CHARACTERS: Final = 64 * 1024


@contextlib.asynccontextmanager
async def typed_lines(descriptor: int) -> AsyncIterator[AsyncIterator[str]]:
    """The lines of a terminal or pipe, without their ends, until the end of input.

    At most 64 lines (and what came together with the last) wait to be taken; then reading pauses and the system keeps
    the rest. A line longer than 64 Ki characters comes in pieces. A terminal that goes away is an end of input.
    """
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest = ""

    def read() -> None:
        nonlocal rest
        try:
            data = os.read(descriptor, _CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        *whole, rest = (rest + decoder.decode(data, final=not data)).split("\n")
        for line in whole:
            lines.put_nowait(line.removesuffix("\r"))
        if rest and (not data or len(rest) > _MAX_LINE_CHARACTERS):
            lines.put_nowait(rest)
            rest = ""
        if not data:
            lines.put_nowait(None)
        if not data or lines.qsize() >= _MAX_LINES:
            loop.remove_reader(descriptor)

    async def taken() -> AsyncIterator[str]:
        while (line := await lines.get()) is not None:
            if lines.qsize() == _MAX_LINES - 1:
                loop.add_reader(descriptor, read)
            yield line

    loop.add_reader(descriptor, read)
    try:
        yield taken()
    finally:
        loop.remove_reader(descriptor)
