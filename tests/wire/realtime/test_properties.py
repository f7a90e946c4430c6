"""What holds in every dialect, whatever comes and whatever is said."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.wire.realtime import DIALECTS, Dialect, InitialItem, Mode, SessionSettings, events, intents
from backchannel.wire.realtime.outbound import MAX_PIECE_BYTES
from tests.wire.realtime.examples import INTENTS
from tests.wire.realtime.frames import FRAMES

NAMES: Final = tuple(DIALECTS)
ANY_TEXT: Final = st.text(st.characters(exclude_categories=()))
JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)
BYTES: Final = {
    name: tuple(json.dumps(frame, separators=(",", ":")).encode() for frame, _ in frames)
    for name, frames in FRAMES.items()
}
FIELDS: Final = sorted({field for frames in FRAMES.values() for frame, _ in frames for field in frame} - {"type"})
WEDGES: Final = (
    b'"',
    b"{",
    b"}",
    b"[" * 2000,
    b"9" * 400,
    b"1e999",
    b"-0",
    b"\\ud800",
    b"\xed\xa0\x80",
    b"\xff",
    b"null",
)


def assert_decodes(dialect: Dialect, message: str | bytes) -> None:
    """Some value comes of it, and the value can be written down."""
    event = dialect.decode(message)
    assert isinstance(event, events.Event | events.Skipped)
    msgspec.json.encode(event)


@pytest.mark.parametrize("name", NAMES)
@given(message=st.binary() | ANY_TEXT)
def test_anything_is_an_event_or_skipped(name: str, message: bytes | str) -> None:
    assert_decodes(DIALECTS[name], message)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_a_broken_frame_is_an_event_or_skipped(name: str, data: st.DataObject) -> None:
    frame = bytearray(data.draw(st.sampled_from(BYTES[name])))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(frame)))
        end = data.draw(st.integers(start, min(len(frame), start + 20)))
        frame[start:end] = data.draw(st.binary(max_size=6) | st.sampled_from(WEDGES))
    assert_decodes(DIALECTS[name], bytes(frame))
    assert_decodes(DIALECTS[name], bytes(frame).decode("utf-8", "surrogateescape"))


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_fields_of_any_type_are_an_event_or_skipped(name: str, data: st.DataObject) -> None:
    frame, _ = data.draw(st.sampled_from(FRAMES[name]))
    other = data.draw(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4))
    dropped = data.draw(st.sets(st.sampled_from(FIELDS), max_size=2))
    fields = {key: value for key, value in {**frame, **other}.items() if key not in dropped}
    assert_decodes(DIALECTS[name], json.dumps(fields))


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_parts_of_any_type_are_an_event_or_skipped(name: str, data: st.DataObject) -> None:
    frame = json.loads(data.draw(st.sampled_from(BYTES[name])))
    nested = [field for field, value in frame.items() if isinstance(value, dict)]
    for field in nested:
        frame[field].update(data.draw(st.dictionaries(st.sampled_from(sorted(frame[field])), JSON, max_size=3)))
    assert_decodes(DIALECTS[name], json.dumps(frame))


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_repeated_keys_are_an_event_or_skipped(name: str, data: st.DataObject) -> None:
    first, second = (data.draw(st.sampled_from(BYTES[name])) for _ in range(2))
    assert_decodes(DIALECTS[name], first[:-1] + b"," + second[1:])


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_of_message_has_an_example_and_means_what_it_says(name: str) -> None:
    dialect = DIALECTS[name]
    for frame, event in FRAMES[name]:
        for message in (json.dumps(frame), json.dumps(frame).encode(), json.dumps(frame, indent=2)):
            decoded = dialect.decode(message)
            if isinstance(decoded, events.ItemAdded):
                assert json.loads(bytes(decoded.item)) == frame["item"]
            else:
                assert decoded == event


_TRANSCRIPTS: Final = {
    "conversation.item.input_audio_transcription.delta",
    "conversation.item.input_audio_transcription.completed",
    "response.output_text.delta",
    "response.output_audio_transcript.delta",
    "response.output_audio_transcript.done",
}
_COMMON: Final = {"session.updated", "error"}
READ: Final = {
    "v1": {
        *_COMMON,
        *_TRANSCRIPTS,
        "conversation.output_audio.delta",
        "conversation.input_transcript.delta",
        "conversation.input_transcript.turn_marked",
        "conversation.output_transcript.delta",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.handoff.requested",
    },
    "v2": {
        *_COMMON,
        *_TRANSCRIPTS,
        "response.output_audio.delta",
        "response.audio.delta",
        "response.output_text.done",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "conversation.item.added",
        "conversation.item.created",
        "conversation.item.done",
        "response.created",
        "response.cancelled",
        "response.done",
    },
    "v3": {
        *_COMMON,
        "session.started",
        "output_audio.delta",
        "input_transcript.added",
        "output_transcript.added",
        "turn.done",
        "delegation.created",
    },
    "live": {
        *_COMMON,
        "session.started",
        "session.output_audio.delta",
        "session.input_transcript.delta",
        "session.output_transcript.delta",
        "session.delegation.created",
        "session.closed",
    },
}
"""Everything that is read (realtime.md 1.9 to 1.11)."""


@pytest.mark.parametrize("name", NAMES)
def test_each_dialect_reads_its_own_messages_and_no_others(name: str) -> None:
    assert {str(frame["type"]) for frame, _ in FRAMES[name]} == READ[name]
    for frames in FRAMES.values():
        for frame, _ in frames:
            event = DIALECTS[name].decode(json.dumps(frame))
            is_unknown = event == events.Skipped(kind=str(frame["type"]))
            # The end of a live session that was asked for is no news.
            if frame["type"] not in READ[name] or frame["type"] != "session.closed":
                assert is_unknown == (frame["type"] not in READ[name])


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_the_keys_does_not_matter(name: str) -> None:
    dialect = DIALECTS[name]
    for frame, _ in FRAMES[name]:
        turned = dict(reversed(frame.items()))
        encoded = [msgspec.json.encode(dialect.decode(json.dumps(either))) for either in (frame, turned)]
        assert encoded[0] == encoded[1]


@pytest.mark.parametrize("name", NAMES)
def test_a_part_of_a_frame_is_skipped(name: str) -> None:
    decode = DIALECTS[name].decode
    for frame in BYTES[name]:
        for end in range(len(frame)):
            assert isinstance(decode(frame[:end]), events.Skipped)
        assert isinstance(decode(frame + b"}"), events.Skipped)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("depth", [100, 500, *range(900, 1010, 10), 100_000])
def test_deep_nesting_is_no_exception(name: str, depth: int) -> None:
    deep = "[" * depth + "]" * depth
    for frame, _ in FRAMES[name]:
        for field in FIELDS:
            shell = json.dumps({**frame, field: "DEEP"})
            assert_decodes(DIALECTS[name], shell.replace('"DEEP"', deep))


# What is said.


def said(dialect: Dialect, intent: intents.Intent) -> list[dict[str, Any]]:
    messages = [json.loads(message) for message in dialect.encode(intent)]
    assert all(isinstance(message["type"], str) for message in messages)
    return messages


def texts(value: object) -> list[str]:
    """Every text that a message carries."""
    match value:
        case {"text": str(text)} | {"output_text": str(text)} | {"content": str(text)} | {"output": str(text)}:
            return [text]
        case dict():
            return [text for item in value.values() for text in texts(item)]
        case list():
            return [text for item in value for text in texts(item)]
        case _:
            return []


@pytest.mark.parametrize("name", NAMES)
def test_every_dialect_knows_every_intent(name: str) -> None:
    for intent in INTENTS:
        said(DIALECTS[name], intent)


SENT: Final = {
    "v1": {"input_audio_buffer.append", "conversation.item.create", "conversation.handoff.append", "session.update"},
    "v2": {
        "input_audio_buffer.append",
        "conversation.item.create",
        "conversation.item.truncate",
        "response.create",
        "session.update",
    },
    "v3": {"input_audio.append", "session.context.append", "delegation.context.append", "session.update"},
    "live": {
        "session.input_audio.append",
        "session.thinking.append",
        "session.commentary.append",
        "session.instructions.append",
        "session.start",
        "session.close",
    },
}
"""Everything that is ever said (realtime.md 1.6): no commit of a buffer, no cancelling, no retrieving."""


@pytest.mark.parametrize("name", NAMES)
def test_these_messages_are_sent_and_no_others(name: str) -> None:
    messages = [message for intent in INTENTS for message in said(DIALECTS[name], intent)]

    assert {message["type"] for message in messages} == SENT[name]
    assert not any("event_id" in message for message in messages)


@pytest.mark.parametrize("name", NAMES)
def test_the_type_comes_first_and_what_would_be_null_is_left_out(name: str) -> None:
    for intent in INTENTS:
        for message in DIALECTS[name].encode(intent):
            assert message.startswith(b'{"type":"')
            # The live protocol wants it to be said that a text belongs to no delegation.
            assert b"null" not in message.replace(b'"delegation_id":null', b"")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("audio", ["AAAA", "not base64!", "!!", ""])
def test_audio_goes_through_as_it_is_in_both_directions(name: str, audio: str) -> None:
    dialect = DIALECTS[name]
    (message,) = said(dialect, intents.AppendAudio(audio=audio))
    assert message["audio"] == audio
    assert set(message) == {"type", "audio"}
    n_kinds = 0
    for frame, event in FRAMES[name]:
        if isinstance(event, events.AudioOut):
            heard = dialect.decode(json.dumps({k: audio if v == "AAAA" else v for k, v in frame.items()}))
            assert heard == msgspec.structs.replace(event, data=audio)
            n_kinds += 1
    assert n_kinds >= 1


@pytest.mark.parametrize("name", NAMES)
@given(text=ANY_TEXT, channel=st.sampled_from([None, "speakable", "commentary"]), n=st.integers(0, 400))
def test_any_text_can_be_said(name: str, text: str, channel: intents.Channel | None, n: int) -> None:
    dialect = DIALECTS[name]
    text *= n
    items = (InitialItem(role="assistant", text=text),)
    settings = SessionSettings(instructions=text, voice=text, model=text, initial_items=items)
    every: tuple[intents.Intent, ...] = (
        intents.AppendAudio(audio=text),
        intents.AddText(role="user", text=text),
        intents.AddText(role="developer", text=text),
        intents.AddText(role="assistant", text=text),
        intents.MirrorTyped(text=text),
        intents.SpeakText(text=text),
        intents.ReportProgress(handoff_id=text, text=text, channel=channel),
        intents.ReportProgress(handoff_id=None, text=text, channel=channel, phase="commentary"),
        intents.ReportAsItem(text=text, prefix=text, channel=channel),
        intents.FinishHandoff(handoff_id=text, output=text, is_news=True, channel=channel),
        intents.AnswerCall(call_id=text, output=text),
        intents.Truncate(item_id=text, audio_end_ms=1),
        intents.ChangeInstructions(instructions=text),
        intents.UpdateSession(settings=settings),
        intents.UpdateSession(settings=msgspec.structs.replace(settings, mode=Mode.TRANSCRIPTION)),
    )
    for intent in every:
        said(dialect, intent)


@pytest.mark.parametrize("name", NAMES)
@given(text=ANY_TEXT, n=st.integers(1, 400))
def test_what_is_said_arrives_whole_and_in_order(name: str, text: str, n: int) -> None:
    text *= n
    messages = said(DIALECTS[name], intents.AddText(role="developer", text=text))
    arrived = [part for message in messages for part in texts(message)]
    whole = text.encode("utf-8", "replace").decode()

    assert "".join(arrived) == (whole if whole.strip() or name != "live" else "")
    if name in ("v3", "live"):
        assert all(len(part.encode()) <= MAX_PIECE_BYTES for part in arrived)
        # No piece is smaller than it has to be.
        assert all(len(part.encode()) > MAX_PIECE_BYTES - 4 for part in arrived[:-1])
    else:
        assert len(arrived) == 1
