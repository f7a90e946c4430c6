from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from backchannel import __version__
from backchannel.core import Conversation, Options, effects, events, recording, screen
from backchannel.core.recording import Header, Recorded
from backchannel.errors import RecordingError, UsageError
from backchannel.testing import ManualClock
from backchannel.tui import JsonReport, Lines, LinesReport, Notice, Pace, ShownEvent, check_recording, show_recording
from backchannel.wire.realtime import events as server

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

RECORDINGS: Final = sorted((Path(__file__).parents[1] / "recordings").glob("*.jsonl"))

SESSION: Final[tuple[tuple[float, events.Event], ...]] = (
    (0.5, events.TransportOpened()),
    (1.0, events.TextTyped(text="run the tests")),
    (2.0, server.OutputTranscriptDone(text="On it.")),
    (9.0, events.StopRequested()),
)


def recorded(session: Iterable[tuple[float, events.Event]] = SESSION, made_by: str | None = __version__) -> list[bytes]:
    """A session's recording, a line each."""
    options = Options()
    conversation = Conversation(options)
    header = Header(dialect="v2", started_at="2026-01-02T03:04:05.678+00:00", made_by=made_by, options=options)
    lines = [recording.encode_header(header)]
    for t, event in session:
        lines.append(recording.encode_recorded(Recorded(t=t, event=event)))
        lines += [recording.encode_recorded(Recorded(t=t, effect=made)) for made in conversation.handle(event, t)]
    return lines


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "session.jsonl"


def write(path: Path, lines: list[bytes]) -> None:
    path.write_bytes(b"".join(lines))


class Shown:
    """A screen that keeps what it is shown and when."""

    def __init__(self, clock: ManualClock | None = None) -> None:
        self._clock = clock or ManualClock()
        self.events: list[ShownEvent] = []
        self.times: list[float] = []
        self.shown_at: list[float] = []

    def show(self, t: float, event: ShownEvent) -> None:
        self.events.append(event)
        self.times.append(t)
        self.shown_at.append(self._clock.now())


def shown(path: Path) -> list[ShownEvent]:
    screen = Shown()
    assert show_recording(path, shown_on=screen) == 0
    return screen.events


def checked(path: Path) -> tuple[int, str]:
    out = io.StringIO()
    return check_recording(path, told_to=LinesReport(out)), out.getvalue()


def checked_as_json(path: Path) -> tuple[int, list[dict[str, object]]]:
    out = io.StringIO()
    status = check_recording(path, told_to=JsonReport(out))
    return status, [json.loads(line) for line in out.getvalue().splitlines()]


# Recordings as tests


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_a_recording_that_was_attached_replays_without_a_difference(path: Path) -> None:
    """Every file of tests/recordings is a test: what went wrong once is put there, with the decisions that are right.

    When decisions change on purpose, they are recorded anew, in a folder with a README.md and a few lines of Python:

        backchannel talk --text --say 'list the files' --say 'search for town' --record typed.jsonl
        backchannel talk --say 'list the files' --record spoken.jsonl
    """
    status, told = checked(path)

    assert told.endswith(", no difference\n"), told
    assert status == 0


def test_there_are_recordings_of_typing_and_of_speech() -> None:
    assert {"spoken", "typed"} <= {path.stem for path in RECORDINGS}


# What is shown


def test_what_a_person_saw_is_shown_again_at_the_times_it_had(path: Path) -> None:
    write(path, recorded())
    screen_then = Shown()

    assert show_recording(path, shown_on=screen_then) == 0

    assert screen_then.events == [
        screen.ConversationStarted(),
        screen.TypedText(text="run the tests"),
        screen.TaskStarted(turn_id="turn_1", request="run the tests", by_voice=False),
        screen.TranscriptDone(speaker="assistant", text="On it."),
        screen.ConversationClosed(reason=screen.CloseReason.REQUESTED),
    ]
    assert screen_then.times == [0.5, 1.0, 1.0, 2.0, 9.0]


def test_what_is_shown_is_what_was_recorded_and_not_what_would_come_now(path: Path) -> None:
    write(
        path,
        [line.replace(b'"task_started","turn_id":"turn_1"', b'"task_stopping","turn_id":"x"') for line in recorded()],
    )

    assert screen.TaskStopping(turn_id="x") in shown(path)


def test_that_this_version_decides_otherwise_is_said_once_at_the_end(path: Path) -> None:
    write(path, [line.replace(b'"turn_1"', b'"turn_7"') for line in recorded(made_by="0.0.7")])

    *_, last = shown(path)

    assert last == Notice(
        message="this version decides otherwise at 1 of 4 events and --check says where;"
        f" the recording was made by version 0.0.7, and this is {__version__}"
    )


def test_a_line_that_was_cut_is_said_and_the_rest_is_shown(path: Path) -> None:
    lines = recorded()
    write(path, [*lines[:-1], lines[-1][:-9]])

    events_shown = shown(path)

    assert events_shown[:-1] == [screen.ConversationStarted(), *events_shown[1:-1]]
    assert screen.TranscriptDone(speaker="assistant", text="On it.") in events_shown
    assert events_shown[-1] == Notice(
        message=f"line {len(lines)} is cut off, as when the process that recorded it was killed;"
        " what stands before it was used"
    )


def test_the_lines_are_those_of_talk(path: Path) -> None:
    write(path, recorded())
    out = io.StringIO()

    show_recording(path, shown_on=Lines(out, colour=False))

    assert out.getvalue().splitlines()[1] == "   1.00  you type run the tests"


# In time


@pytest.mark.parametrize(("speed", "moments"), [(1, [0.5, 1.0, 1.0, 2.0, 9.0]), (10, [0.05, 0.1, 0.1, 0.2, 0.9])])
def test_at_a_pace_everything_is_shown_when_it_is_due(speed: float, moments: list[float], path: Path) -> None:
    write(path, recorded())
    clock = ManualClock(start_s=500.0)
    seen = Shown(clock)

    show_recording(path, shown_on=seen, pace=Pace(speed=speed, clock=clock, sleep=clock.advance))

    assert [at - 500.0 for at in seen.shown_at] == pytest.approx(moments)


def test_waiting_ends_when_it_is_time_also_after_short_sleeps() -> None:
    clock = ManualClock()
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.advance(min(seconds, 40.0))

    Pace(speed=1, clock=clock, sleep=sleep).wait_for(100.0)

    assert clock.now() == 100.0
    assert slept == [60.0, 60.0, 20.0]


def test_what_is_overdue_is_not_waited_for() -> None:
    clock = ManualClock()
    pace = Pace(speed=1, clock=clock, sleep=clock.advance)
    clock.advance(5.0)

    pace.wait_for(4.0)

    assert clock.now() == 5.0


def test_waiting_is_ended_by_an_interruption(path: Path) -> None:
    write(path, recorded())

    def interrupted(seconds: float) -> None:
        del seconds
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        show_recording(path, shown_on=Shown(), pace=Pace(speed=1, clock=ManualClock(), sleep=interrupted))


# The check


def test_a_check_without_a_difference_is_one_sentence(path: Path) -> None:
    lines = recorded()
    write(path, lines)

    assert checked(path) == (0, f"4 events, {len(lines) - 5} effects, no difference\n")


def test_a_check_says_one_in_the_singular(path: Path) -> None:
    write(path, recorded([(0.5, events.OpenFailed(message="no"))]))

    assert checked(path) == (0, "1 event, 1 effect, no difference\n")


def test_a_difference_is_told_by_time_event_and_effects(path: Path) -> None:
    # The first of them stands in the effect that starts the turn.
    lines = recorded(made_by="0.0.7")
    position = next(n for n, line in enumerate(lines) if b"start_turn" in line)
    lines[position] = lines[position].replace(b'"turn_1"', b'"turn_7"')
    write(path, lines)

    status, told = checked(path)

    assert status == 1
    assert told == (
        'at 1.000 s: {"type":"text_typed","text":"run the tests"}\n'
        "  --- recorded\n"
        "  +++ now\n"
        "  @@ -1,5 +1,5 @@\n"
        '   {"type":"show","event":{"type":"typed_text","text":"run the tests"}}\n'
        '   {"type":"send","intent":{"type":"mirror_typed","text":"run the tests"}}\n'
        '  -{"type":"start_turn","turn_id":"turn_7","text":"run the tests"}\n'
        '  +{"type":"start_turn","turn_id":"turn_1","text":"run the tests"}\n'
        '   {"type":"show","event":{"type":"task_started","turn_id":"turn_1","request":"run the tests",'
        '"by_voice":false}}\n'
        '   {"type":"set_timer","name":"heartbeat","deadline":21.0}\n'
        "\n"
        f"4 events, {len(lines) - 5} effects, 1 difference;"
        f" the recording was made by version 0.0.7, and this is {__version__}\n"
    )


def test_a_recording_that_does_not_name_its_version_differs_by_an_unnamed_one(path: Path) -> None:
    write(path, [line.replace(b'"turn_1"', b'"turn_7"') for line in recorded(made_by=None)])

    _, told = checked(path)

    assert told.endswith(
        f"1 difference; the recording was made by a version that it does not name, and this is {__version__}\n"
    )


def typed(n: int) -> Iterator[tuple[float, events.Event]]:
    yield 0.5, events.TransportOpened()
    for number in range(n):
        yield 1.0 + number, server.OutputTranscriptDone(text=f"{number}")


@pytest.mark.parametrize(
    ("n", "rest"), [(10, []), (11, ["… and 1 more difference"]), (14, ["… and 4 more differences"])]
)
def test_no_more_than_ten_differences_are_told_and_the_rest_is_counted(n: int, rest: list[str], path: Path) -> None:
    write(path, [line.replace(b'"assistant"', b'"user"') for line in recorded(typed(n))])

    status, told = checked(path)

    lines = told.splitlines()
    assert status == 1
    assert sum(line.startswith("at ") for line in lines) == 10
    assert [line for line in lines if line.startswith("…")] == rest
    assert f", {n} differences; " in lines[-1]


def test_a_long_difference_is_not_told_whole(path: Path) -> None:
    lines = recorded()
    many = [recording.encode_recorded(Recorded(t=9.0, effect=effects.SendAudio()))] * 200
    write(path, [*lines, *many])

    _, told = checked(path)

    assert "  … " in told
    assert len(told.splitlines()) == 1 + 60 + 1 + 1 + 1


def test_an_event_that_the_core_does_not_take_is_a_difference(path: Path) -> None:
    lines = recorded()
    write(path, [*lines, recording.encode_recorded(Recorded(t=9.5, event=events.TransportOpened()))])

    status, told = checked(path)

    assert status == 1
    assert (
        'at 9.500 s: {"type":"transport_opened"}\n'
        "  this version does not take the event: expected no opening while closed"
    ) in told
    assert "5 events" in told


def test_a_difference_cannot_steer_a_terminal(path: Path) -> None:
    lines = recorded([(0.5, events.TransportOpened()), (1.0, events.TextTyped(text="a\x9b2Jb\u202ec é"))])
    write(path, [line.replace(b'"turn_1"', b'"turn_7"') for line in lines])

    _, told = checked(path)

    assert "a\\u009b2Jb\\u202ec é" in told
    assert all(line.isprintable() for line in told.splitlines())


def test_a_check_uses_what_stands_before_a_cut(path: Path) -> None:
    lines = recorded()
    # The end has several effects, of which the last is cut.
    write(path, [*lines[:-1], lines[-1][:20]])

    status, told = checked(path)

    assert status == 0
    assert told == (
        f"line {len(lines)} is cut off, as when the process that recorded it was killed;"
        " what stands before it was used\n"
        f"4 events, {len(lines) - 6} effects, no difference\n"
    )


def test_a_check_for_a_script_is_json(path: Path) -> None:
    lines = [line.replace(b'"assistant"', b'"user"') for line in recorded(made_by="0.0.7")]
    write(path, [*lines[:-1], lines[-1][:20]])

    status, (difference, notice, verdict) = checked_as_json(path)

    assert status == 1
    assert list(difference)[:2] == ["t", "type"]
    assert difference == {
        "t": 2.0,
        "type": "difference",
        "event": {"type": "output_transcript_done", "text": "On it."},
        "recorded": [{"type": "show", "event": {"type": "transcript_done", "speaker": "user", "text": "On it."}}],
        "replayed": [{"type": "show", "event": {"type": "transcript_done", "speaker": "assistant", "text": "On it."}}],
        "refusal": None,
    }
    assert notice["type"] == "notice"
    assert verdict == {
        "t": 9.0,
        "type": "verdict",
        "events": 4,
        "effects": len(lines) - 6,
        "differences": 1,
        "made_by": "0.0.7",
        "version": __version__,
    }


# Older recordings


def test_a_recording_without_what_has_a_default_now_loads(path: Path) -> None:
    lines = recorded()
    header = json.loads(lines[0])
    del header["made_by"]
    del header["options"]["replaces_active_handoff"]
    write(path, [json.dumps(header).encode() + b"\n", *lines[1:]])

    assert checked(path)[0] == 0


# Files that cannot be used


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is not a recording that this version .* can read: line 1: expected the header"),
        (b"# Parcel\n", "is not a recording that this version .* can read: line 1: expected the header"),
        (b"\x00\xff" * 1000, "is not a recording that this version .* can read: line 1: expected the header"),
        (b'{"t":0,"type":"typed_text"}\n', "line 1: expected a backchannel-recording, got format ''"),
        (b'{"format":"backchannel-recording","version":2}\n', "line 1: expected version 1, got 2; use a newer"),
    ],
)
def test_a_file_that_is_no_recording_is_refused_by_its_name(content: bytes, problem: str, path: Path) -> None:
    path.write_bytes(content)

    for attempt in (shown, checked):
        with pytest.raises(RecordingError, match=f"session.jsonl .*{problem}"):
            attempt(path)


def test_a_line_that_is_broken_in_the_middle_is_named(path: Path) -> None:
    lines = recorded()
    write(path, [*lines[:3], lines[3][:20] + b"\n", *lines[4:]])

    with pytest.raises(
        RecordingError, match=r"session.jsonl is broken: line 4: expected an event or an effect: [^;]*$"
    ):
        checked(path)


def test_a_line_that_another_version_wrote_says_so(path: Path) -> None:
    write(path, [*recorded(made_by="7.0.0"), b'{"t":9.5,"in":{"type":"unheard_of"}}\n'])

    with pytest.raises(RecordingError, match=r"unheard_of.*; it was made by version 7.0.0, and this is "):
        checked(path)


@pytest.mark.parametrize(
    ("where", "problem"), [("missing.jsonl", "No such file or directory"), (".", "Is a directory")]
)
def test_a_file_that_cannot_be_opened_is_bad_use(where: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"cannot be read: {problem}; name a file that"):
        checked(tmp_path / where)


def test_a_file_that_fails_while_it_is_read_is_bad_use() -> None:
    with pytest.raises(UsageError, match="cannot be read: Input/output error"):
        checked(Path("/proc/self/mem"))


# Much of it


def test_a_long_recording_is_not_held_in_memory(path: Path) -> None:
    """Its lines are taken one at a time: what is not there yet cannot have been read."""
    lines = recorded(typed(5000))
    write(path, lines)
    longest = 0

    class Watching(Shown):
        def show(self, t: float, event: ShownEvent) -> None:
            nonlocal longest
            super().show(t, event)
            if len(self.events) == 10:
                # The rest is replaced while it is shown; a reader that had taken it all would not notice.
                with path.open("r+b") as file:
                    file.truncate(path.stat().st_size // 2)
            longest = len(self.events)

    show_recording(path, shown_on=Watching())

    assert 2000 < longest < 3000
