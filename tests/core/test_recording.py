from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.core import Conversation, Options, Speech, effects, events, recording
from backchannel.core.recording import Header, Recorded
from backchannel.errors import RecordingError
from backchannel.wire.realtime import events as server
from tests.core.examples import EFFECTS, EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterable

OPTIONS: Final = Options(speech=Speech.RESULTS, quiet_ms=500)
HEADER: Final = Header(dialect="v2", started_at="2026-01-02T03:04:05.678+00:00", options=OPTIONS)
HEADER_LINE: Final = recording.encode_header(HEADER)

SESSION: Final[tuple[tuple[float, events.Event], ...]] = (
    (0.1, events.TransportOpened()),
    (1.0, server.InputSpeechStarted(item_id="i1")),
    (2.0, server.InputSpeechStopped(item_id="i1")),
    (2.2, server.InputTranscriptDone(text="run the tests")),
    (2.3, server.HandoffRequested(handoff_id="c1", item_id="i2", text="run the tests")),
    (2.4, server.ItemAdded(item=msgspec.Raw(b'{\n  "id": "i2",\r\n  "name": "a\\nb"\n}'))),
    (9.0, events.StopRequested()),
)


def record(session: Iterable[tuple[float, events.Event]] = SESSION) -> list[bytes]:
    """A session run through the core, as a recorder writes it."""
    conversation = Conversation(OPTIONS)
    lines = [HEADER_LINE]
    for t, event in session:
        lines.append(recording.encode_recorded(Recorded(t=t, event=event)))
        lines += [recording.encode_recorded(Recorded(t=t, effect=made)) for made in conversation.handle(event, t)]
    return lines


def differences(lines: list[bytes]) -> list[recording.Step]:
    header, records = recording.read(lines)
    return list(recording.replay(header, records))


def test_the_first_line_names_the_format() -> None:
    first = (
        b'{"format":"backchannel-recording","version":1,"dialect":"v2","started_at":"2026-01-02T03:04:05.678+00:00",'
        b'"made_by":null,"options":{"speech":"results","quiet_ms":500,'
    )
    assert HEADER_LINE.startswith(first)
    assert HEADER_LINE.endswith(b"}}\n")
    assert json.loads(HEADER_LINE)["options"].keys() == set(Options.__struct_fields__)


def test_an_event_stands_in_a_line_of_its_own() -> None:
    assert recording.encode_recorded(Recorded(t=1.5, event=events.TextTyped(text="é\n"))) == (
        '{"t":1.5,"in":{"type":"text_typed","text":"é\\n"}}\n'.encode()
    )


def test_an_effect_stands_in_a_line_of_its_own() -> None:
    assert recording.encode_recorded(Recorded(t=1.5, effect=effects.CancelTimer(name="floor"))) == (
        b'{"t":1.5,"out":{"type":"cancel_timer","name":"floor"}}\n'
    )


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_every_event_comes_back_as_it_was(event: events.Event) -> None:
    line = recording.encode_recorded(Recorded(t=1.0, event=event))
    _, (record,) = recording.read([HEADER_LINE, line])

    assert type(record.event) is type(event)
    assert record.effect is None
    assert recording.encode_recorded(record) == line


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda effect: type(effect).__name__)
def test_every_effect_comes_back_as_it_was(effect: effects.Effect) -> None:
    line = recording.encode_recorded(Recorded(t=1.0, effect=effect))
    _, (record,) = recording.read([HEADER_LINE, line])

    assert record == Recorded(t=1.0, effect=effect)


@pytest.mark.parametrize("line_end", ["\n", "\r", "\r\n"])
def test_an_item_that_came_on_several_lines_is_recorded_on_one(line_end: str) -> None:
    item = f'{{{line_end} "text": "a\\nb  c",{line_end} "n": 1e3}}'.encode()

    line = recording.encode_recorded(Recorded(t=1.0, event=server.ItemAdded(item=msgspec.Raw(item))))

    assert line == b'{"t":1.0,"in":{"type":"item_added","item":{"text":"a\\nb  c","n":1e3}}}\n'


def test_what_has_no_utf_8_is_recorded_with_question_marks() -> None:
    line = recording.encode_recorded(Recorded(t=1.0, event=events.TextTyped(text="a\udc80b")))

    assert line == b'{"t":1.0,"in":{"type":"text_typed","text":"a?b"}}\n'


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_can_be_recorded_and_read(text: str) -> None:
    line = recording.encode_recorded(Recorded(t=0.0, event=events.TextTyped(text=text)))
    _, records = recording.read([HEADER_LINE, line])

    assert line.count(b"\n") == 1
    assert [type(record.event) for record in records] == [events.TextTyped]


def test_the_header_comes_back_as_it_was() -> None:
    header, records = recording.read([HEADER_LINE])

    assert header == HEADER
    assert list(records) == []


def test_lines_are_read_as_they_are_asked_for() -> None:
    _, records = recording.read([HEADER_LINE, b'{"t":1,"in":{"type":"stop_requested"}}\n', b"broken\n"])

    assert next(records) == Recorded(t=1.0, event=events.StopRequested())
    with pytest.raises(RecordingError, match="line 3"):
        next(records)


@pytest.mark.parametrize(
    ("first", "problem"),
    [
        (b"", "line 1: expected the header of a backchannel-recording"),
        (b"\xff\n", "line 1: expected the header"),
        (b"[]\n", "line 1: expected the header"),
        (b'{"t":1,"in":{"type":"stop_requested"}}\n', "line 1: expected a backchannel-recording, got format ''"),
        (b'{"format":"other","version":1}\n', "line 1: expected a backchannel-recording, got format 'other'"),
        (
            b'{"format":"backchannel-recording","version":2}\n',
            "line 1: expected version 1, got 2; use a newer backchannel",
        ),
        (b'{"format":"backchannel-recording"}\n', "line 1: expected version 1, got 0"),
        (b'{"format":"backchannel-recording","version":"1"}\n', "line 1: expected the header"),
        (b'{"format":"backchannel-recording","version":1}\n', "line 1: expected the header"),
        (HEADER_LINE.replace(b'"quiet_ms"', b'"quiet_s"'), "line 1: expected the header .*quiet_s"),
        (b'{"format":"backchannel-recording","version":1,"x":' + b"[" * 100_000 + b"\n", "line 1: expected the header"),
    ],
)
def test_a_file_that_is_no_recording_is_refused(first: bytes, problem: str) -> None:
    with pytest.raises(RecordingError, match=problem):
        recording.read([first])


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(RecordingError, match="line 1: expected the header"):
        recording.read([])


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"\n", "line 2: expected an event or an effect"),
        (b'{"t":1,"in":{"type":"text_ty\n', "line 2: expected an event or an effect"),
        (b'{"t":1,"in":{"type":"unheard_of"}}\n', "line 2: expected an event or an effect"),
        (b'{"t":1,"in":{"type":"text_typed","text":"\xff"}}\n', "line 2: expected an event or an effect"),
        (b'{"in":{"type":"stop_requested"}}\n', "line 2: expected an event or an effect"),
        (
            b'{"t":1,"in":{"type":"item_added","item":' + b"[" * 100_000 + b"\n",
            "line 2: expected an event or an effect",
        ),
        (b'{"t":1}\n', r"line 2: expected either an event \(in\) or an effect \(out\)"),
        (
            b'{"t":1,"in":{"type":"stop_requested"},"out":{"type":"send_audio"}}\n',
            r"line 2: expected either an event \(in\) or an effect \(out\)",
        ),
    ],
)
def test_a_line_that_is_neither_event_nor_effect_is_refused_by_its_number(line: bytes, problem: str) -> None:
    _, records = recording.read([HEADER_LINE, line])

    with pytest.raises(RecordingError, match=problem):
        list(records)


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b'{"t":1,"in":{"type":"text_ty',
        b'{"t":1,"in":{"type":"text_typed","text":"\xc3',
        b'{"t":1,"in":{"type":"item_added","item":' + b"[" * 100_000,
    ],
)
def test_a_last_line_that_is_cut_ends_the_recording(line: bytes) -> None:
    _, records = recording.read([HEADER_LINE, b'{"t":1,"in":{"type":"stop_requested"}}\n', line])

    assert records.cut_line is None
    assert list(records) == [Recorded(t=1.0, event=events.StopRequested())]
    assert records.cut_line == 3


def test_a_last_line_that_is_whole_needs_no_line_end() -> None:
    _, records = recording.read([HEADER_LINE, b'{"t":1,"in":{"type":"stop_requested"}}'])

    assert list(records) == [Recorded(t=1.0, event=events.StopRequested())]
    assert records.cut_line is None


def test_a_last_line_with_a_line_end_is_broken_and_not_cut() -> None:
    _, records = recording.read([HEADER_LINE, b'{"t":1,"in":{"type":"text_ty\n'])

    with pytest.raises(RecordingError, match="line 2"):
        next(records)
    assert records.cut_line is None


def test_a_line_without_a_line_end_that_is_not_the_last_is_broken() -> None:
    # As whoever reads a bounded number of bytes at a time gives it.
    _, records = recording.read([HEADER_LINE, b'{"t":1,"in":{"type":"text_ty', b'ped","text":"x"}}\n'])

    with pytest.raises(RecordingError, match="line 2"):
        next(records)


def test_a_header_that_is_cut_is_no_recording() -> None:
    with pytest.raises(RecordingError, match="line 1: expected the header"):
        recording.read([HEADER_LINE[:-9]])


def test_the_header_of_an_older_version_has_the_defaults_of_what_it_lacks() -> None:
    header, _ = recording.read(
        [b'{"format":"backchannel-recording","version":1,"dialect":"v2","started_at":"x","options":{"quiet_ms":5}}\n']
    )

    assert header == Header(dialect="v2", started_at="x", made_by=None, options=Options(quiet_ms=5))


def test_an_event_of_an_older_version_has_the_defaults_of_what_it_lacks() -> None:
    _, records = recording.read([HEADER_LINE, b'{"t":1,"in":{"type":"input_speech_started"}}\n'])

    assert [record.event for record in records] == [server.InputSpeechStarted(item_id=None)]


def test_a_header_says_which_version_made_it() -> None:
    header = Header(dialect="v2", started_at="x", made_by="1.2.3", options=OPTIONS)

    line = recording.encode_header(header)

    assert b'"made_by":"1.2.3"' in line
    assert recording.read([line])[0] == header


def test_a_recording_replays_without_a_difference() -> None:
    assert differences(record()) == []


def test_a_recording_that_was_cut_short_after_an_event_shows_what_is_missing() -> None:
    lines = record(SESSION[:1])[:2]

    (difference,) = differences(lines)

    assert difference.t == 0.1
    assert difference.event == events.TransportOpened()
    assert difference.recorded == ()
    assert difference.replayed[:2] == (effects.TakeTransport(), effects.Configure())


def test_a_replay_shows_where_it_went_another_way() -> None:
    lines = [line.replace(b'"turn_1"', b'"turn_7"') for line in record()]

    (difference,) = differences(lines)

    assert difference.t == 2.3
    assert isinstance(difference.event, server.HandoffRequested)
    assert "turn_7" in repr(difference.recorded)
    assert "turn_1" in repr(difference.replayed)


def test_steps_have_what_came_then_and_what_comes_now() -> None:
    header, records = recording.read(record())

    steps = list(recording.steps(header, records))

    assert [(step.t, type(step.event)) for step in steps] == [(t, type(event)) for t, event in SESSION]
    assert all(step.recorded == step.replayed for step in steps)
    assert not any(step.differs or step.is_cut for step in steps)


@pytest.mark.parametrize("n_bytes", [1, 40])
def test_what_a_cut_took_from_the_last_event_is_no_difference(n_bytes: int) -> None:
    lines = record()
    header, records = recording.read([*lines[:-1], lines[-1][:n_bytes]])

    *before, last = recording.steps(header, records)

    assert last.is_cut
    assert last.recorded == last.replayed[:-1]
    assert not last.differs
    assert not any(step.is_cut for step in before)


def test_what_stands_before_a_cut_still_has_to_be_what_comes_now() -> None:
    lines = record()
    stray = recording.encode_recorded(Recorded(t=9.0, effect=effects.StopPlayback()))
    event = next(n for n, line in enumerate(lines) if b"stop_requested" in line)

    (difference,) = differences([*lines[: event + 1], stray, b'{"t":9'])

    assert difference.is_cut
    assert difference.recorded == (effects.StopPlayback(),)


def test_more_than_comes_now_is_a_difference_also_before_a_cut() -> None:
    stray = recording.encode_recorded(Recorded(t=9.0, effect=effects.StopPlayback()))

    (difference,) = differences([*record(), stray, b'{"t":9'])

    assert difference.recorded == (*difference.replayed, effects.StopPlayback())


def test_an_event_that_the_core_does_not_take_is_a_difference_and_the_rest_goes_on() -> None:
    again = recording.encode_recorded(Recorded(t=0.2, event=events.TransportOpened()))
    lines = record()
    second = next(n for n, line in enumerate(lines) if b'"in":{"type":"input_speech_started"' in line)

    (difference,) = differences([*lines[:second], again, *lines[second:]])

    assert difference.t == 0.2
    assert difference.replayed == ()
    assert difference.refusal is not None
    assert difference.refusal.startswith("expected no opening while live")


def test_a_replay_uses_the_options_of_its_recording() -> None:
    typed = ((0.1, events.TransportOpened()), (1.0, events.TextTyped(text="x")))
    lines = record(typed)
    header = json.loads(lines[0])
    header["options"]["mirror_typed_text"] = False

    (difference,) = differences([json.dumps(header).encode(), *lines[1:]])

    assert len(difference.recorded) == len(difference.replayed) + 1


def test_effects_before_the_first_event_belong_to_nothing() -> None:
    lines = record()
    stray = recording.encode_recorded(Recorded(t=0.0, effect=effects.SendAudio()))

    assert differences([lines[0], stray, *lines[1:]]) == []


def test_a_recording_without_events_replays_to_nothing() -> None:
    assert differences([HEADER_LINE]) == []
