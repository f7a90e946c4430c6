"""What commands print, made harmless and bounded. Pure."""

from __future__ import annotations

import codecs
import re
from typing import Final

__all__ = ["Excerpt", "Printed", "clean"]

_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])")
_UNFINISHED: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*|[ -/]*)?$")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_MAX_UNFINISHED: Final = 64


def clean(text: str) -> str:
    """A text without terminal control sequences and control characters; lines end in a newline alone."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROLS.sub("", _ESCAPES.sub("", text))


class Printed:
    """Turns a command's bytes into clean text, piece by piece.

    Undecodable bytes become the replacement character; what is cut in the middle of a character or of a control
    sequence waits for the next piece.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, data: bytes, *, last: bool = False) -> str:
        """The clean text of the next piece."""
        text = self._rest + self._decoder.decode(data, last)
        self._rest = ""
        if not last:
            cut = _UNFINISHED.search(text)
            if cut is not None and len(text) - cut.start() <= _MAX_UNFINISHED:
                text, self._rest = text[: cut.start()], text[cut.start() :]
            elif text.endswith("\r"):
                text, self._rest = text[:-1], "\r"
        return clean(text)


class Excerpt:
    """Keeps the head and the tail of a text of any length.

    Bounded: never more than twice `head_chars + tail_chars` characters are held.
    """

    def __init__(self, *, head_chars: int, tail_chars: int) -> None:
        self._head_chars = head_chars
        self._tail_chars = tail_chars
        self._head = ""
        self._tail = ""
        self._dropped = 0

    def feed(self, text: str) -> str:
        """Add text; returns the part that went into the head."""
        room = self._head_chars - len(self._head)
        taken, rest = text[:room], text[room:]
        self._head += taken
        if rest:
            self._tail += rest
            if len(self._tail) > 2 * self._tail_chars:
                self._trim()
        return taken

    def _trim(self) -> None:
        self._dropped += max(0, len(self._tail) - self._tail_chars)
        self._tail = self._tail[-self._tail_chars :]

    @property
    def rest(self) -> str:
        """What came after the head: the tail, after a line that tells how much is missing."""
        self._trim()
        notice = f"\n[{self._dropped} characters left out]\n" if self._dropped else ""
        return notice + self._tail

    @property
    def text(self) -> str:
        """Head and tail."""
        return self._head + self.rest
