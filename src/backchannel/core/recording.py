"""Recordings: a conversation as it went through the core, one line of JSON each event and effect.

The first line is `{"format":"backchannel-recording","version":1,...}` with the options of the conversation. Then come
`{"t":seconds,"in":{"type":...}}` for each event and, under it, `{"t":seconds,"out":{"type":...}}` for each effect of
it. Times count from the opening of the recording. Audio stands in it as durations only, instructions and keys not at
all; what was said and typed does.

Since the core decides by event and time alone, the events of a recording give the same effects again: `replay`.

A process that is killed leaves a last line that ends in its middle. Such a file is used as far as it goes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from backchannel.core.conversation import Conversation
from backchannel.core.effects import Effect
from backchannel.core.events import Event
from backchannel.core.options import Options
from backchannel.errors import LocalProtocolError, RecordingError
from backchannel.wire import unicode

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "FORMAT",
    "VERSION",
    "Header",
    "Recorded",
    "Records",
    "Step",
    "encode_header",
    "encode_recorded",
    "read",
    "replay",
    "steps",
]

FORMAT: Final = "backchannel-recording"
VERSION: Final = 1


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line."""

    format: str = FORMAT
    version: int = VERSION
    dialect: str
    started_at: str
    """When the recording began, RFC 3339; for people."""
    made_by: str | None = None
    """The version of Backchannel that recorded it; null in recordings from before this was written down."""
    options: Options


class Recorded(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"event": "in", "effect": "out"}):
    """One further line: an event, or an effect of the event before it."""

    t: float
    """Seconds since the recording began."""
    event: Event | None = None
    effect: Effect | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An event of a recording, what came of it then, and what comes of it now."""

    t: float
    event: Event
    recorded: tuple[Effect, ...]
    replayed: tuple[Effect, ...]
    refusal: str | None
    """Why today's core does not take the event at all; then nothing is replayed."""
    is_cut: bool
    """The recording ends in the middle of the line after this, so `recorded` may lack its last effects."""

    @property
    def differs(self) -> bool:
        """Whether the replay went another way."""
        if self.refusal is not None:
            return True
        return self.recorded != (self.replayed[: len(self.recorded)] if self.is_cut else self.replayed)


class _Preamble(msgspec.Struct):
    format: str = ""
    version: int = 0


_encoder: Final = msgspec.json.Encoder()
_preamble_decoder: Final = msgspec.json.Decoder(_Preamble)
_header_decoder: Final = msgspec.json.Decoder(Header)
_line_decoder: Final = msgspec.json.Decoder(Recorded)


def encode_header(header: Header) -> bytes:
    """The first line, with its line end."""
    return _encoder.encode(header) + b"\n"


def encode_recorded(recorded: Recorded) -> bytes:
    """A further line, with its line end."""
    try:
        line = _encoder.encode(recorded)
    except UnicodeEncodeError:
        # A lone surrogate, as a terminal makes it of broken input, has no UTF-8.
        line = _encoder.encode(unicode.encodable(msgspec.to_builtins(recorded)))
    if b"\n" in line or b"\r" in line:
        # An item stands in it as the server wrote it, which may have been on several lines. Any negative indent means
        # one line.
        line = msgspec.json.format(line, indent=-1)  # mutants: same
    return line + b"\n"


def read(lines: Iterable[bytes]) -> tuple[Header, Records]:
    """The header and the lines after it, which are read as they are asked for.

    Raises:
        RecordingError: A line is not one of a recording (for a line after the first: when it is asked for).
    """
    rest = iter(lines)
    first = next(rest, b"")
    try:
        preamble = _preamble_decoder.decode(first)
        if preamble.format != FORMAT:
            raise RecordingError(f"line 1: expected a {FORMAT}, got format {preamble.format!r}")
        if preamble.version != VERSION:
            raise RecordingError(f"line 1: expected version {VERSION}, got {preamble.version}; use a newer backchannel")
        return _header_decoder.decode(first), Records(rest)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
        raise RecordingError(f"line 1: expected the header of a {FORMAT}: {exc}") from exc


class Records(Iterator[Recorded]):
    """The lines after the first, read as they are asked for; one at a time is held.

    Args:
        lines: What follows the header, each with its line end.
    """

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self._number = 1
        self._cut_line: int | None = None

    @property
    def cut_line(self) -> int | None:
        """The number of the last line when it ends in its middle, which is known when all lines were asked for."""
        return self._cut_line

    def __next__(self) -> Recorded:
        """The next line.

        Raises:
            RecordingError: It is not one of a recording.
        """
        line = next(self._lines)
        self._number += 1
        try:
            record = _line_decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
            if not line.endswith(b"\n") and next(self._lines, None) is None:
                self._cut_line = self._number
                raise StopIteration from None  # the end, as far as a reader is concerned
            raise RecordingError(f"line {self._number}: expected an event or an effect: {exc}") from exc
        if (record.event is None) == (record.effect is None):
            raise RecordingError(f"line {self._number}: expected either an event (in) or an effect (out)")
        return record


def replay(header: Header, records: Iterable[Recorded]) -> Iterator[Step]:
    """Run a recording's events through the core again and yield where the effects differ."""
    return (step for step in steps(header, records) if step.differs)


def steps(header: Header, records: Iterable[Recorded]) -> Iterator[Step]:
    """Run a recording's events through the core again and yield each with its effects, then and now."""
    conversation = Conversation(header.options)
    for t, event, recorded in _grouped(records):
        try:
            replayed, refusal = tuple(conversation.handle(event, t)), None
        except LocalProtocolError as exc:
            # A contract that the shell of the recording kept or that did not hold then; nothing was changed by it.
            replayed, refusal = (), str(exc)
        # Only at the end are all lines read.
        is_cut = isinstance(records, Records) and records.cut_line is not None
        yield Step(t=t, event=event, recorded=recorded, replayed=replayed, refusal=refusal, is_cut=is_cut)


def _grouped(records: Iterable[Recorded]) -> Iterator[tuple[float, Event, tuple[Effect, ...]]]:
    current: tuple[float, Event] | None = None
    effects: list[Effect] = []
    for record in records:
        if record.effect is not None:
            effects.append(record.effect)
            continue
        if record.event is None:
            raise AssertionError("a record without an effect has an event")
        if current is not None:
            yield (*current, tuple(effects))
        current = (record.t, record.event)
        effects = []
    if current is not None:
        yield (*current, tuple(effects))
