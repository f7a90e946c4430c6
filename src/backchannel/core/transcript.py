"""The transcript: who said what since work was last handed over, and what was said lately at all.

Theory of operation. What is said is kept twice, in two rows of utterances that work alike: one waits for the next
handoff, which takes it; the other is the history, from which a session that has to be restored is told what went
before, and which no handoff empties. Each is bounded by itself: past 8192 bytes the oldest utterances are dropped, and
of a single longer one the tail is kept.

Which utterance words belong to is told by the id of their item. Where there is none, each speaker has at most one open
utterance, so that two people speaking at once do not cut each other's words to pieces. Words are added to it, and a
final text closes and replaces them.

Order. The user's words are often transcribed after the answer to them has begun. So an item gets its place when the
server puts it into its conversation (`placed`), and its words stand there when they come. Items that never get words
(calls, results) say nothing; 256 of them are remembered.

Nothing is said twice. A handoff that takes an unfinished utterance remembers what it took, and of the final text only
the rest is new; a finished one that was taken is over, whatever is still said about it. Where a handoff names its
request before the user's words have come, they are not said again when they do.

Cost. Words come often, so nothing is counted anew when they do: sizes are running totals, words are put together when
somebody asks for them, and an utterance that is too long is cut only once it is twice too long.

The file is long because the row and the transcript explain each other, and nobody else has a use for the row.

Source: realtime.md 1.12 (the newest form); items, times and the history are ours.
"""

from __future__ import annotations

import collections
import dataclasses
from typing import TYPE_CHECKING, Final, Generic, Literal, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backchannel.core.screen import Speaker

__all__ = ["MAX_BYTES", "MAX_REPORT_CHARACTERS", "REMEMBERED", "Transcript", "Utterance"]

MAX_BYTES: Final = 8192
"""Of what waits for a handoff, and of the history."""
REMEMBERED: Final = 256
"""So many items that got no words, and so many that were handed over."""
MAX_REPORT_CHARACTERS: Final = 1000
"""So much of what the agent said is part of the history."""
_OVERHEAD_BYTES: Final = 3
_CUT: Final = "…"

_Role: TypeAlias = Literal["user", "assistant", "user (typed)", "agent"]
_R = TypeVar("_R", bound=str)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """What one speaker said in one go."""

    speaker: Speaker
    text: str


class Transcript:
    """What was said, in the order in which it was begun."""

    def __init__(self) -> None:
        self._waiting: _Row[Speaker] = _Row()
        self._history: _Row[_Role] = _Row()
        self._requested = ""
        """What the last handoff asked for, where the user's words had not come."""
        self._heard_until_ms: int | None = None
        self._latest: Speaker | None = None
        """Whose the newest piece without an item is."""

    @property
    def heard_until_ms(self) -> int | None:
        """How far the user's words have been transcribed; None before the first that tells."""
        return self._heard_until_ms

    def began(self, speaker: Speaker) -> None:
        """The speaker's next words without an item are a new utterance."""
        self._waiting.close(speaker)
        self._history.close(speaker)

    def placed(self, item_id: str, after_item_id: str | None) -> None:
        """The server put an item into its conversation: its words stand there, however late they come.

        Args:
            item_id: The item; one that is known already stays where it is.
            after_item_id: The item before it; it comes last after one that is not known.
        """
        self._waiting.place(item_id, after_item_id)
        self._history.place(item_id, after_item_id)

    def delta(
        self,
        speaker: Speaker,
        text: str,
        *,
        item_id: str | None = None,
        end_ms: int | None = None,
        is_mixed: bool = True,
    ) -> None:
        """More of what a speaker says.

        Args:
            speaker: Who speaks.
            text: The piece.
            item_id: The item that it belongs to; None for the speaker's open utterance.
            end_ms: Up to where it reaches since the session began.
            is_mixed: Whether pieces of what both say come by turns while both speak; else the open utterance of who
                spoke before somebody else did is over.
        """
        if text and item_id is None:
            if not is_mixed and self._latest not in (None, speaker):
                self.began(speaker)
            self._latest = speaker
        if end_ms is not None and speaker == "user":
            self._heard_until_ms = max(end_ms, self._heard_until_ms or 0)
        if text:
            self._waiting.add(speaker, text, item_id, end_ms)
            self._history.add(speaker, text, item_id, None)

    def done(self, speaker: Speaker, text: str, *, item_id: str | None = None) -> None:
        """The whole of what a speaker said; replaces the pieces."""
        self._waiting.finish(speaker, text, item_id)
        self._history.finish(speaker, text, item_id)

    def typed(self, text: str) -> None:
        """The user typed something to the agent, which is history and never handed over."""
        self._history.finish("user (typed)", text, None)

    def reported(self, text: str) -> None:
        """The agent said something, which is history and never handed over."""
        self._history.finish("agent", text[:MAX_REPORT_CHARACTERS], None)

    def take(self, request: str, *, until_ms: int | None = None) -> tuple[Utterance, ...]:
        """What was said, for a handoff that asks for `request`; afterwards it waits no more.

        The request itself stands in it once, also where the user's words have not been transcribed yet.

        Args:
            request: What is asked for; may be empty.
            until_ms: What the user said later than this, as far as its times tell, waits for the next handoff.
        """
        said, is_news = self._with_request(self._waiting.take(until_ms), request.strip())
        self._requested = request.strip() if is_news else ""
        return said

    def peek(self, request: str, *, until_ms: int | None = None) -> tuple[Utterance, ...]:
        """What `take` would give, which stays here."""
        said, _ = self._with_request(self._waiting.due(until_ms), request.strip())
        return said

    def account(self, *, leaving_out: frozenset[str] = frozenset()) -> str:
        """What was said lately, one `role: text` line an utterance; empty when nothing was.

        Args:
            leaving_out: Texts that are told elsewhere.
        """
        reports_left_out = {text[:MAX_REPORT_CHARACTERS] for text in leaving_out}
        return "\n".join(
            f"{role}: {' '.join(text.splitlines())}"
            for role, text in self._history.texts()
            if text.strip() and text not in (reports_left_out if role == "agent" else leaving_out)
        )

    def transport_lost(self) -> None:
        """The session is over and another will take its place: what was said stays, its ids and times mean nothing."""
        self._waiting.lose_session()
        self._history.lose_session()
        self._requested = ""
        self._heard_until_ms = None

    def tail(self) -> str:
        """What was said since the last handoff, one `role: text` line an utterance; empty when nothing was."""
        return "\n".join(f"{entry.speaker}: {entry.text}" for entry in self.peek(""))

    def cleared(self) -> None:
        """A new conversation takes the place of this one."""
        self._waiting = _Row()
        self._history = _Row()
        self._requested = ""
        self._heard_until_ms = None

    def _with_request(self, due: Iterator[tuple[Speaker, str]], request: str) -> tuple[tuple[Utterance, ...], bool]:
        """What is due with the request in it, and whether that did not stand in it before."""
        said = self._without_requested([Utterance(speaker=role, text=text) for role, text in due])
        spoken = {entry.text.strip() for entry in said if entry.speaker == "user"}
        is_news = bool(request) and request not in spoken
        if is_news:
            said.append(Utterance(speaker="user", text=request))
        return _bounded(said), is_news

    def _without_requested(self, said: list[Utterance]) -> list[Utterance]:
        """Without the words that the handoff before has told already; once, since people repeat themselves."""
        if not self._requested:
            return said
        for index, entry in enumerate(said):
            if entry.speaker == "user" and entry.text.strip().casefold() == self._requested.casefold():
                return said[:index] + said[index + 1 :]
        return said


class _Node(Generic[_R]):
    """One utterance, or the place of one that has no words yet."""

    __slots__ = ("after", "before", "finished", "handed", "item_id", "pieces", "role", "size")

    def __init__(self, item_id: str | None = None, handed: str = "") -> None:
        self.item_id = item_id
        self.role: _R | None = None
        """None as long as there are no words."""
        self.pieces: collections.deque[tuple[str, int | None]] = collections.deque()
        """With the times at which they end."""
        self.size = 0
        self.finished = False
        self.handed = handed
        """What was taken of it before; the final text says that again."""
        self.before: _Node[_R] = self
        self.after: _Node[_R] = self


class _Row(Generic[_R]):
    """Utterances in a row: a ring of nodes, because the late ones belong into the middle."""

    def __init__(self) -> None:
        self._ring: _Node[_R] = _Node()
        """Before the first and after the last."""
        self._items: dict[str, _Node[_R]] = {}
        self._wordless: dict[str, _Node[_R]] = {}
        """Those of them that have no words, oldest first."""
        self._open: dict[_R, _Node[_R]] = {}
        """Where words without an item belong."""
        self._over: dict[str, str | None] = {}
        """Items that left the row: with what was taken of an unfinished one, None for a finished one."""
        self._total = 0
        self._spoken = 0
        """How many utterances have words."""

    def close(self, role: _R) -> None:
        self._open.pop(role, None)

    def place(self, item_id: str, after_item_id: str | None) -> None:
        if item_id in self._items or item_id in self._over:
            return
        before = self._items.get(after_item_id) if after_item_id is not None else None
        self._wordless[item_id] = self._insert(_Node(item_id), before or self._ring.before)
        if len(self._wordless) > REMEMBERED:
            self._remove(next(iter(self._wordless.values())))

    def add(self, role: _R, text: str, item_id: str | None, end_ms: int | None) -> None:
        node = self._node(role, item_id)
        if node is None or node.finished:
            # A late piece: the final text has it.
            return
        self._put(node, role, text, end_ms)

    def finish(self, role: _R, text: str, item_id: str | None) -> None:
        if not text:
            # It says no more than that no piece follows.
            if item_id is None:
                self.close(role)
            return
        node = self._node(role, item_id)
        if node is None:
            return
        if item_id is None:
            self.close(role)
        node.finished = True
        if node.handed:
            text = _rest(text, node.handed)
            if not text.strip():
                self._leave(node)
                return
        end_ms = max((end for _, end in node.pieces if end is not None), default=None)
        for piece, _ in node.pieces:
            self._grow(node, -_bytes(piece))
        node.pieces.clear()
        self._put(node, role, text, end_ms)

    def take(self, until_ms: int | None) -> Iterator[tuple[_R, str]]:
        for node in self._nodes():
            if node.role is None:
                continue
            words, later = _split(node, until_ms)
            if words is None:
                continue
            yield node.role, _fitting(node.role, words)
            # What is longer than a handoff can be is not remembered: its final text is cut anyway.
            node.handed = node.handed + words if len(node.handed) + len(words) <= MAX_BYTES else ""
            if later:
                self._grow(node, -_bytes(words))
                node.pieces = later
            else:
                self._leave(node)

    def due(self, until_ms: int | None) -> Iterator[tuple[_R, str]]:
        """What `take` gives, and leaves here."""
        for node in self._nodes():
            if node.role is not None and (words := _split(node, until_ms)[0]) is not None:
                yield node.role, _fitting(node.role, words)

    def texts(self) -> Iterator[tuple[_R, str]]:
        for node in self._nodes():
            if node.role is not None:
                yield node.role, _fitting(node.role, "".join(text for text, _ in node.pieces))

    def lose_session(self) -> None:
        for node in self._nodes():
            if node.role is None:
                self._remove(node)
                continue
            node.item_id = None
            node.pieces = collections.deque((text, None) for text, _ in node.pieces)
        self._items.clear()
        self._open.clear()
        self._over.clear()

    def _nodes(self) -> Iterator[_Node[_R]]:
        """All of them; the one that was given may be removed."""
        node = self._ring.after
        while node is not self._ring:
            following = node.after
            yield node
            node = following

    def _node(self, role: _R, item_id: str | None) -> _Node[_R] | None:
        """Where words belong; None for those of an item that is over."""
        if item_id is None:
            node = self._open.get(role)
            if node is None:
                node = self._open[role] = self._insert(_Node(), self._ring.before)
            return node
        node = self._items.get(item_id)
        if node is None:
            handed = self._over.get(item_id, "")
            if handed is None:
                return None
            self._over.pop(item_id, None)
            node = self._insert(_Node(item_id, handed), self._ring.before)
        return node

    def _insert(self, node: _Node[_R], before: _Node[_R]) -> _Node[_R]:
        node.before, node.after = before, before.after
        node.before.after = node.after.before = node
        if node.item_id is not None:
            self._items[node.item_id] = node
        return node

    def _put(self, node: _Node[_R], role: _R, text: str, end_ms: int | None) -> None:
        if node.role is None:
            node.role = role
            self._spoken += 1
            self._grow(node, len(role) + _OVERHEAD_BYTES)
            if node.item_id is not None:
                self._wordless.pop(node.item_id, None)
        size = _bytes(text)
        if size > MAX_BYTES:
            text = _tail(text, MAX_BYTES)
            size = _bytes(text)
        node.pieces.append((text, end_ms))
        self._grow(node, size)
        if node.size > 2 * MAX_BYTES:
            # Still too long afterwards, so that `_fitting` marks it as cut.
            while node.size - (first := _bytes(node.pieces[0][0])) > MAX_BYTES:
                node.pieces.popleft()
                self._grow(node, -first)
        while self._total > MAX_BYTES and self._spoken > 1:
            self._leave(self._oldest())

    def _grow(self, node: _Node[_R], size: int) -> None:
        node.size += size
        self._total += size

    def _oldest(self) -> _Node[_R]:
        # Of those without words there are few, so looking past them has its bound.
        node = self._ring.after
        while node.role is None:
            node = node.after
        return node

    def _leave(self, node: _Node[_R]) -> None:
        """It was taken, or was dropped because it is too old."""
        self._remove(node)
        if node.item_id is None:
            return
        self._over[node.item_id] = None if node.finished else node.handed
        if len(self._over) > REMEMBERED:
            del self._over[next(iter(self._over))]

    def _remove(self, node: _Node[_R]) -> None:
        node.before.after, node.after.before = node.after, node.before
        if node.role is not None:
            self._total -= node.size
            self._spoken -= 1
            if self._open.get(node.role) is node:
                del self._open[node.role]
        if node.item_id is not None:
            del self._items[node.item_id]
            self._wordless.pop(node.item_id, None)


def _split(node: _Node[_R], until_ms: int | None) -> tuple[str | None, collections.deque[tuple[str, int | None]]]:
    """The words up to a time, None where there are none, and the pieces after it; of the user only."""
    later: collections.deque[tuple[str, int | None]] = collections.deque()
    if until_ms is None or node.role != "user":
        now = list(node.pieces)
    else:
        now = []
        for text, end_ms in node.pieces:
            (now if end_ms is None or end_ms <= until_ms else later).append((text, end_ms))
    return "".join(text for text, _ in now) if now else None, later


def _bounded(said: list[Utterance]) -> tuple[Utterance, ...]:
    said = [Utterance(speaker=entry.speaker, text=_fitting(entry.speaker, entry.text)) for entry in said]
    total = sum(_size(entry.speaker, entry.text) for entry in said)
    first = 0
    while total > MAX_BYTES and first < len(said) - 1:
        total -= _size(said[first].speaker, said[first].text)
        first += 1
    return tuple(said[first:])


def _rest(text: str, told: str) -> str:
    """What of a final text is new; all of it where it begins otherwise than its pieces did."""
    whole, told = text.lstrip(), told.strip()
    return whole[len(told) :] if whole.startswith(told) else text


def _fitting(role: str, text: str) -> str:
    """The text, or its end behind a mark where alone it is too long."""
    if _size(role, text) <= MAX_BYTES:
        return text
    return _CUT + _tail(text, MAX_BYTES - _size(role, _CUT))


def _tail(text: str, max_bytes: int) -> str:
    # A character has at least one byte, so what is before these characters needs no encoding.
    return text[-max_bytes:].encode("utf-8", "replace")[-max_bytes:].decode("utf-8", "ignore")


def _size(role: str, text: str) -> int:
    return len(role) + _bytes(text) + _OVERHEAD_BYTES


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
