"""`backchannel replay`: what a recorded conversation showed, and whether today's core decides as it did then.

A recording is read a line at a time and never held whole.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import functools
import json
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from backchannel import __version__
from backchannel.core import effects, events, recording
from backchannel.errors import RecordingError, UsageError
from backchannel.tui.lines import Notice
from backchannel.wire import unicode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO, TextIO

    from backchannel.net import Clock
    from backchannel.tui.lines import Screen

__all__ = [
    "DifferenceFound",
    "JsonReport",
    "LinesReport",
    "Pace",
    "Report",
    "Verdict",
    "check_recording",
    "show_recording",
]

MAX_DIFFERENCES: Final = 10
"""How many are told; the rest is counted. Where one decision differs, often all that follow from it do."""
_MAX_DIFF_LINES: Final = 60
_MAX_LINE_BYTES: Final = 128 * 1024 * 1024
"""A message of a server has at most 16 MiB, and JSON's escapes make at most six bytes of one."""
_LONGEST_SLEEP_S: Final = 60.0


class Pace:
    """Waits until the moment of an event.

    Args:
        speed: 1 is as it was, 10 is ten times as fast.
        clock: What time it is.
        sleep: Waits for that many seconds, or less; called with no more than a minute.
    """

    def __init__(self, *, speed: float, clock: Clock, sleep: Callable[[float], object]) -> None:
        self._speed = speed
        self._clock = clock
        self._sleep = sleep
        self._began_at = clock.now()

    def wait_for(self, t: float) -> None:
        """Come back when it is time for what happened `t` seconds after the beginning."""
        due_at = self._began_at + t / self._speed
        while (left_s := due_at - self._clock.now()) > 0:
            self._sleep(min(left_s, _LONGEST_SLEEP_S))


def show_recording(path: Path, *, shown_on: Screen, pace: Pace | None = None) -> int:
    """Show what a person saw of a conversation, at once or at a pace, and return the exit status.

    Raises:
        UsageError: The file cannot be read.
        RecordingError: It is not a recording, or broken.
    """
    t = 0.0
    n_events = n_differences = 0
    with _opened(path) as opened:
        for step in opened.steps():
            t = step.t
            n_events += 1
            n_differences += step.differs
            for effect in step.recorded:
                if not isinstance(effect, effects.Show):
                    continue
                if pace is not None:
                    pace.wait_for(t)
                shown_on.show(t, effect.event)
        if opened.cut is not None:
            shown_on.show(t, Notice(message=opened.cut))
        if n_differences:
            message = (
                f"this version decides otherwise at {n_differences} of {_counted(n_events, 'event')}"
                f" and --check says where; the recording {_made_by(opened.header.made_by)}"
            )
            shown_on.show(t, Notice(message=message))
    return 0


class DifferenceFound(msgspec.Struct, frozen=True, kw_only=True, tag="difference"):
    """At an event, this version of Backchannel decides otherwise than the one that recorded it."""

    event: events.Event
    recorded: tuple[effects.Effect, ...]
    """The effects that stand in the recording."""
    replayed: tuple[effects.Effect, ...]
    """The effects that came now."""
    refusal: str | None
    """Why the core does not take the event at all, where it does not."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True, tag="verdict"):
    """What came of a check; always the last line."""

    events: int
    effects: int
    """Those that stand in the recording."""
    differences: int
    """At how many events the effects differ."""
    made_by: str | None
    """The version that recorded it."""
    version: str
    """The version that checked it."""


class Report(Protocol):
    """Where a check is reported."""

    def difference(self, step: recording.Step) -> None:
        """A place where the replay went another way."""

    def notice(self, t: float, message: str) -> None:
        """Something a person should know."""

    def end(self, t: float, verdict: Verdict) -> None:
        """All was replayed."""


def check_recording(path: Path, *, told_to: Report) -> int:
    """Replay a recording, tell where the effects differ, and return the exit status: 0 where they do not, else 1.

    Raises:
        UsageError: The file cannot be read.
        RecordingError: It is not a recording, or broken.
    """
    t = 0.0
    n_events = n_effects = n_differences = 0
    with _opened(path) as opened:
        for step in opened.steps():
            t = step.t
            n_events += 1
            n_effects += len(step.recorded)
            if step.differs:
                n_differences += 1
                if n_differences <= MAX_DIFFERENCES:
                    told_to.difference(step)
        if opened.cut is not None:
            told_to.notice(t, opened.cut)
        verdict = Verdict(
            events=n_events,
            effects=n_effects,
            differences=n_differences,
            made_by=opened.header.made_by,
            version=__version__,
        )
        told_to.end(t, verdict)
    return 1 if n_differences else 0


class LinesReport:
    """Differences as unified diffs, and a sentence at the end."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def difference(self, step: recording.Step) -> None:
        """Print when, at what event, and what is gone and what is new."""
        self._write(f"at {step.t:.3f} s: {_json(step.event)}")
        if step.refusal is not None:
            self._write(f"  this version does not take the event: {step.refusal}")
        recorded, replayed = map(_json, step.recorded), map(_json, step.replayed)
        diff = list(difflib.unified_diff([*recorded], [*replayed], "recorded", "now", lineterm=""))
        for line in diff[:_MAX_DIFF_LINES]:
            self._write(f"  {line}")
        if len(diff) > _MAX_DIFF_LINES:
            self._write(f"  … {len(diff) - _MAX_DIFF_LINES} more lines")
        self._write("")

    def notice(self, t: float, message: str) -> None:
        """Print it as it is."""
        del t
        self._write(message)

    def end(self, t: float, verdict: Verdict) -> None:
        """Print the sentence."""
        del t
        if verdict.differences > MAX_DIFFERENCES:
            self._write(f"… and {_counted(verdict.differences - MAX_DIFFERENCES, 'more difference')}")
        found = _counted(verdict.differences, "difference") if verdict.differences else "no difference"
        sentence = f"{_counted(verdict.events, 'event')}, {_counted(verdict.effects, 'effect')}, {found}"
        if verdict.differences:
            sentence += f"; the recording {_made_by(verdict.made_by)}"
        self._write(sentence)

    def _write(self, line: str) -> None:
        self._out.write(_printable(line) + "\n")
        self._out.flush()


class JsonReport:
    """One JSON object a line, in the manner of `JsonLines`."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def difference(self, step: recording.Step) -> None:
        """Print a `difference`."""
        found = DifferenceFound(event=step.event, recorded=step.recorded, replayed=step.replayed, refusal=step.refusal)
        self._write(step.t, found)

    def notice(self, t: float, message: str) -> None:
        """Print a `notice`."""
        self._write(t, Notice(message=message))

    def end(self, t: float, verdict: Verdict) -> None:
        """Print the `verdict`."""
        self._write(t, verdict)

    def _write(self, t: float, told: DifferenceFound | Notice | Verdict) -> None:
        fields = {"t": round(t, 3), **msgspec.to_builtins(told)}
        self._out.write(msgspec.json.encode(unicode.encodable(fields)).decode() + "\n")
        self._out.flush()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """A recording that is being read; its errors say which file they are about."""

    path: Path
    header: recording.Header
    records: recording.Records

    @property
    def cut(self) -> str | None:
        """What to say of the last line, once all is read."""
        if self.records.cut_line is None:
            return None
        return (
            f"line {self.records.cut_line} is cut off, as when the process that recorded it was killed;"
            " what stands before it was used"
        )

    def steps(self) -> Iterator[recording.Step]:
        try:
            yield from recording.steps(self.header, self.records)
        except RecordingError as exc:
            # What is new in another version reads like a broken line.
            other = "" if self.header.made_by == __version__ else f"; it {_made_by(self.header.made_by)}"
            raise RecordingError(f"the recording {self.path} is broken: {exc}{other}") from exc


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[_Opened]:
    try:
        file = path.open("rb")
    except OSError as exc:
        raise _unreadable(path, exc) from exc
    with file:
        try:
            header, records = recording.read(_lines(path, file))
        except RecordingError as exc:
            raise RecordingError(
                f"{path} is not a recording that this version ({__version__}) can read: {exc}"
            ) from exc
        yield _Opened(path=path, header=header, records=records)


def _lines(path: Path, file: BinaryIO) -> Iterator[bytes]:
    try:
        yield from iter(functools.partial(file.readline, _MAX_LINE_BYTES), b"")
    except OSError as exc:
        raise _unreadable(path, exc) from exc


def _unreadable(path: Path, exc: OSError) -> UsageError:
    return UsageError(
        f"the recording {path} cannot be read: {exc.strerror}; name a file that `backchannel talk --record` wrote"
    )


def _json(value: events.Event | effects.Effect) -> str:
    return msgspec.json.encode(value).decode()


def _made_by(version: str | None) -> str:
    by = f"version {version}" if version else "a version that it does not name"
    return f"was made by {by}, and this is {__version__}"


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _printable(text: str) -> str:
    """JSON that cannot steer a terminal and still says the same."""
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)
