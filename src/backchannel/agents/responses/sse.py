"""Server-sent events: bytes in, the data of each event out. Pure.

Names and ids of events are not needed here, so they are passed over. Lines end with a newline, with or without a
carriage return before it; that a carriage return alone may end one, too, is made use of by nobody.

Source: the HTML standard, 9.2.6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAX_BYTES", "EventStream", "TooLong"]

MAX_BYTES: Final = 16 * 1024 * 1024
"""A longer event is an error; as for a message of a websocket."""


class TooLong(Exception):
    """An event is longer than is allowed here."""


class EventStream:
    """Reads one stream."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._data: list[bytes] = []
        self._size = 0
        """Of the event that is not complete yet."""

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The data of the events that are complete with this piece.

        Raises:
            TooLong: An event is longer than `MAX_BYTES`.
        """
        self._size += len(piece)
        *lines, rest = piece.split(b"\n")
        for line in lines:
            self._line += line
            yield from self._end_line()
        self._line += rest
        if self._size > MAX_BYTES:
            raise TooLong(f"the model's server sent an event longer than {MAX_BYTES} bytes")

    def _end_line(self) -> Iterator[bytes]:
        line = bytes(self._line.removesuffix(b"\r"))
        self._line.clear()
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
        elif not line:
            self._size = 0
            if self._data:
                yield b"\n".join(self._data)
                self._data = []
