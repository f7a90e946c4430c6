"""Recordings: a conversation as it went through the core, one line of JSON each event and effect.

The first line is `{"format":"backchannel-recording","version":1,...}` with the options of the conversation. Then come
`{"t":seconds,"in":{"type":...}}` for each event and, under it, `{"t":seconds,"out":{"type":...}}` for each effect of
it. Times count from the opening of the recording. Audio stands in it as durations only, instructions and keys not at
all; what was said and typed does.

Since the core decides by event and time alone, the events of a recording give the same effects again: `replay`.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

import msgspec

from backchannel.core.conversation import Conversation
from backchannel.core.effects import Effect
from backchannel.core.events import Event
from backchannel.core.options import Options
from backchannel.errors import RecordingError
from backchannel.wire import unicode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "FORMAT",
    "VERSION",
    "Difference",
    "Header",
    "Recorded",
    "encode_header",
    "encode_recorded",
    "read",
    "replay",
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
    options: Options


class Recorded(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"event": "in", "effect": "out"}):
    """One further line: an event, or an effect of the event before it."""

    t: float
    """Seconds since the recording began."""
    event: Event | None = None
    effect: Effect | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A place where a replay went another way than the recording."""

    t: float
    event: Event
    recorded: tuple[Effect, ...]
    replayed: tuple[Effect, ...]


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


def read(lines: Iterable[bytes]) -> tuple[Header, Iterator[Recorded]]:
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
        return _header_decoder.decode(first), _records(enumerate(rest, start=2))
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
        raise RecordingError(f"line 1: expected the header of a {FORMAT}: {exc}") from exc


def _records(numbered: Iterable[tuple[int, bytes]]) -> Iterator[Recorded]:
    for number, line in numbered:
        try:
            record = _line_decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
            raise RecordingError(f"line {number}: expected an event or an effect: {exc}") from exc
        if (record.event is None) == (record.effect is None):
            raise RecordingError(f"line {number}: expected either an event (in) or an effect (out)")
        yield record


def replay(header: Header, records: Iterable[Recorded]) -> Iterator[Difference]:
    """Run a recording's events through the core again and yield where the effects differ."""
    conversation = Conversation(header.options)
    for t, event, recorded in _steps(records):
        replayed = tuple(conversation.handle(event, t))
        if _encoder.encode(replayed) != _encoder.encode(recorded):
            yield Difference(t=t, event=event, recorded=recorded, replayed=replayed)


def _steps(records: Iterable[Recorded]) -> Iterator[tuple[float, Event, tuple[Effect, ...]]]:
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
