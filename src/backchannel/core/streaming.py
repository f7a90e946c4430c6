"""Streaming: what the agent is still writing, passed on to the voice in pieces.

Theory of operation. A message is streamed if a delegation waits when it begins, as long as that one does: a piece at
most every `FLUSH_S`, and no more than the head that fits besides a tail. When the message is complete its rest goes
out, or for a long one what the head still lacks, a mark, and the tail. A message of which nothing has gone out, or
that became another text than was streamed, is passed on whole, as if it had not been streamed.

Where a text says by its first characters whether it may be spoken, nothing goes out before they are there.

Source: realtime.md 5.4.
"""

from __future__ import annotations

from typing import Final

__all__ = ["FLUSH_S", "TIMER", "Streaming"]

FLUSH_S: Final = 0.2
TIMER: Final = "streaming"
_MAX_BYTES: Final = 4000
"""Of one message, 1000 estimated tokens."""
_MARK: Final = "\n…output truncated…\n"
_HEAD_BYTES: Final = (_MAX_BYTES - len(_MARK.encode())) // 2
_TAIL_BYTES: Final = _MAX_BYTES - len(_MARK.encode()) - _HEAD_BYTES


class Streaming:
    """Follows the message that is being written.

    Args:
        tags: How a text can begin that says whether it may be spoken.
    """

    def __init__(self, tags: tuple[str, ...] = ()) -> None:
        self.deadline: float | None = None
        """When the next piece is due."""
        self._tags = tags
        self._is_writing = False
        self._call_id: str | None = None
        """The delegation that it belongs to; None when it is not streamed."""
        self._head = ""
        self._is_full = False
        self._n_sent = 0
        """Characters of the head."""
        self._flushed_at = 0.0

    @property
    def head(self) -> str:
        """How the message begins."""
        return self._head

    def wrote(self, call_id: str | None, piece: str, now: float) -> None:
        """The agent has written more; the delegation that waits for it is None when none does."""
        if not self._is_writing:
            self._is_writing = True
            self._call_id = call_id
            self._flushed_at = now
        elif call_id != self._call_id:
            self.lost()
        if self._call_id is None or self._is_full:
            return
        grown = self._head + piece
        self._head = grown[: _n_fitting(grown.encode("utf-8", "replace")[:_HEAD_BYTES])]
        self._is_full = self._head != grown
        is_undecided = any(tag.startswith(self._head) and tag != self._head for tag in self._tags)
        if self.deadline is None and not is_undecided and len(self._head) > self._n_sent:
            self.deadline = max(now, self._flushed_at + FLUSH_S)

    def due(self, call_id: str | None, now: float) -> str | None:
        """The piece that is to go out now; None when it is not time, or another delegation waits by now, or none."""
        if call_id != self._call_id:
            self.lost()
        if self.deadline is None or self.deadline > now:
            return None
        self.deadline = None
        self._flushed_at = now
        piece, self._n_sent = self._head[self._n_sent :], len(self._head)
        return piece

    def completed(self, call_id: str | None, text: str) -> str | None:
        """The message is complete: what is left of it to go out; None when it is to be passed on whole."""
        sent = self._head[: self._n_sent] if call_id == self._call_id else ""
        self.dropped()
        if call_id is None or not text.startswith(sent):
            return None
        shortened = _shortened(text)
        # One that came at once is passed on whole, but is cut as one that was streamed.
        return shortened[len(sent) :] if sent or shortened != text else None

    def dropped(self) -> None:
        """Nothing more comes of it."""
        self._is_writing = False
        self.lost()

    def lost(self) -> None:
        """Nobody is there any more who has heard its beginning: it is passed on whole."""
        self._call_id = self.deadline = None
        self._head, self._is_full, self._n_sent = "", False, 0


def _shortened(text: str) -> str:
    data = text.encode("utf-8", "replace")
    if len(data) <= _MAX_BYTES:
        return text
    return text[: _n_fitting(data[:_HEAD_BYTES])] + _MARK + text[-_n_fitting(data[-_TAIL_BYTES:]) :]


def _n_fitting(data: bytes) -> int:
    """How many characters are whole in a part of a text."""
    return len(data.decode("utf-8", "ignore"))
