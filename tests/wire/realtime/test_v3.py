from __future__ import annotations

import json
from typing import Any, Final

import msgspec
import pytest

from backchannel.wire.realtime import V1, V3, InitialItem, Mode, SessionSettings, events, intents
from backchannel.wire.realtime.outbound import MAX_MIRRORED_TOKENS, MAX_PIECE_BYTES, MAX_REPORT_TOKENS
from backchannel.wire.tokens import estimate_tokens
from tests.wire.realtime.examples import INTENTS
from tests.wire.realtime.frames import FRAMES

DIALECT: Final = V3()
LONG: Final = "x" * 10_000
SILENT: Final = (intents.AnswerCall, intents.RequestResponse, intents.Truncate, intents.ChangeInstructions)


def encoded(intent: intents.Intent) -> list[Any]:
    return [json.loads(message) for message in DIALECT.encode(intent)]


def decoded(**fields: object) -> events.Event | events.Skipped:
    return DIALECT.decode(json.dumps(fields))


def context(text: str, **more: str) -> object:
    return {"type": "session.context.append", **more, "content": [{"type": "input_text", "text": text}]}


def delegation(text: str, **more: str) -> object:
    content = [{"type": "input_text", "text": text}]
    return {"type": "delegation.context.append", "delegation_item_id": "del_1", **more, "content": content}


@pytest.mark.parametrize(
    ("intent", "message"),
    [
        (intents.AppendAudio(audio="AAAA"), b'{"type":"input_audio.append","audio":"AAAA"}'),
        (
            intents.AddText(role="user", text="hi"),
            b'{"type":"session.context.append","content":[{"type":"input_text","text":"hi"}]}',
        ),
        (
            intents.SpeakText(text="hi"),
            b'{"type":"session.context.append","channel":"speakable","content":[{"type":"input_text","text":"hi"}]}',
        ),
        (
            intents.ReportProgress(handoff_id="del_1", text="ran", channel="commentary"),
            (
                b'{"type":"delegation.context.append","delegation_item_id":"del_1","channel":"commentary",'
                b'"content":[{"type":"input_text","text":"ran"}]}'
            ),
        ),
    ],
)
def test_messages_are_these_bytes(intent: intents.Intent, message: bytes) -> None:
    assert DIALECT.encode(intent) == (message,)


@pytest.mark.parametrize("role", ["user", "developer", "assistant"])
def test_a_text_loses_its_role(role: intents.Role) -> None:
    assert encoded(intents.AddText(role=role, text="hi")) == [context("hi")]


def test_an_empty_text_is_a_message_too() -> None:
    assert encoded(intents.AddText(role="user", text="")) == [context("")]
    assert encoded(intents.ReportProgress(handoff_id="del_1", text="")) == [delegation("")]


@pytest.mark.parametrize(
    ("intent", "message"),
    [
        (intents.MirrorTyped(text="hi"), context("hi")),
        (intents.ReportProgress(handoff_id="del_1", text="ran"), delegation("ran")),
        (intents.ReportProgress(handoff_id="del_1", text="ran", phase="final"), delegation("ran")),
        (
            intents.ReportProgress(handoff_id="del_1", text="ran", channel="speakable"),
            delegation("ran", channel="speakable"),
        ),
        (intents.ReportProgress(handoff_id=None, text="ran"), context("ran")),
        (
            intents.ReportProgress(handoff_id=None, text="ran", channel="commentary"),
            context("ran", channel="commentary"),
        ),
        (intents.ReportAsItem(text="ran", prefix="Agent:"), context("Agent:\n\nran")),
        (intents.ReportAsItem(text="ran", channel="speakable"), context("ran", channel="speakable")),
        (intents.FinishHandoff(handoff_id="del_1", output="It failed.", is_news=True), delegation("It failed.")),
        (
            intents.FinishHandoff(handoff_id="del_1", output="It failed.", is_news=True, channel="speakable"),
            delegation("It failed.", channel="speakable"),
        ),
    ],
)
def test_what_the_agent_says_belongs_to_the_delegation_or_the_session(intent: intents.Intent, message: object) -> None:
    assert encoded(intent) == [message]


@pytest.mark.parametrize(
    ("intent", "max_tokens"),
    [
        (intents.MirrorTyped(text=LONG), MAX_MIRRORED_TOKENS),
        (intents.SpeakText(text=LONG), MAX_REPORT_TOKENS),
        (intents.ReportProgress(handoff_id=None, text=LONG), MAX_REPORT_TOKENS),
        (intents.ReportProgress(handoff_id="del_1", text=LONG), MAX_REPORT_TOKENS),
        (intents.ReportAsItem(text=LONG), MAX_REPORT_TOKENS),
        (intents.FinishHandoff(handoff_id="del_1", output=LONG, is_news=True), MAX_REPORT_TOKENS),
    ],
)
def test_a_long_text_is_capped_and_sent_in_pieces(intent: intents.Intent, max_tokens: int) -> None:
    messages = encoded(intent)
    pieces = [message["content"][0]["text"] for message in messages]

    assert all(len(message["content"]) == 1 for message in messages)
    assert all(len(piece.encode()) <= MAX_PIECE_BYTES for piece in pieces)
    assert estimate_tokens("".join(pieces)) == max_tokens
    # Pieces differ in their text only.
    assert len({json.dumps({**message, "content": []}) for message in messages}) == 1


def test_a_text_that_is_added_on_purpose_is_sent_whole() -> None:
    pieces = [message["content"][0]["text"] for message in encoded(intents.AddText(role="user", text=LONG))]

    assert [len(piece) for piece in pieces] == [500] * 20


@pytest.mark.parametrize(
    "intent",
    [
        intents.ReportProgress(handoff_id=None, text=" "),
        intents.SpeakText(text=" "),
        intents.ReportAsItem(text=" "),
        intents.FinishHandoff(handoff_id="del_1", output="done"),
        intents.CloseSession(),
        *(intent for intent in INTENTS if isinstance(intent, SILENT)),
    ],
)
def test_for_this_there_are_no_words(intent: intents.Intent) -> None:
    assert DIALECT.encode(intent) == ()


def test_a_session_is_given_what_v3_knows_of() -> None:
    settings = SessionSettings(instructions="", voice="cove", mode=Mode.TRANSCRIPTION)
    session = {"instructions": "", "audio": {"output": {"voice": "cove"}}, "delegation": {"type": "client"}}

    assert encoded(intents.UpdateSession(settings=settings)) == [{"type": "session.update", "session": session}]
    assert DIALECT.call_session(settings) == {**session, "model": "gpt-live-1-codex"}
    assert DIALECT.call_session(msgspec.structs.replace(settings, model="m")) == {**session, "model": "m"}


@pytest.mark.parametrize("ack_filler", [True, False])
def test_a_session_says_whether_the_voice_fills_the_moment(*, ack_filler: bool) -> None:
    settings = SessionSettings(instructions="", voice="cove", ack_filler=ack_filler)

    (message,) = encoded(intents.UpdateSession(settings=settings))
    assert message["session"]["delegation"] == {"type": "client", "ack_filler": ack_filler}


def test_a_session_begins_with_what_was_said_before_it() -> None:
    items = tuple(InitialItem(role=role, text="hi") for role in ("user", "developer", "assistant"))
    settings = SessionSettings(instructions="", voice="cove", initial_items=items)

    (message,) = encoded(intents.UpdateSession(settings=settings))
    assert message["session"]["initial_items"] == [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "hi"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hi"}]},
    ]


@pytest.mark.parametrize(("frame", "event"), FRAMES["v3"])
def test_a_message_means_this(frame: dict[str, object], event: events.Event) -> None:
    assert decoded(**frame) == event


def test_audio_has_one_format_whatever_it_says_of_itself() -> None:
    audio = decoded(type="output_audio.delta", audio="!!", sample_rate=48_000, channels=2, item_id="i")

    assert audio == events.AudioOut(data="!!", rate_hz=24_000, channels=1)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([], ""),
        ([{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}], "ab"),
        ([{"type": "output_text", "text": "a"}, {"type": "input_text", "text": "b"}], "b"),
        ([{"type": "input_text"}, {"type": "input_text", "text": 5}, {"text": "c"}], ""),
        (["a", 5, None, [], {"type": "input_text", "text": "b"}], "b"),
    ],
)
def test_the_request_is_every_text_of_the_delegation(content: list[object], text: str) -> None:
    item = {"id": "del_1", "type": "delegation", "target": "client", "content": content}

    requested = events.HandoffRequested(handoff_id="del_1", item_id="del_1", text=text)
    assert decoded(type="delegation.created", item=item) == requested


def test_the_same_request_is_the_same_handoff_in_v1() -> None:
    item = {"id": "h", "type": "delegation", "target": "client", "content": [{"type": "input_text", "text": "run"}]}
    legacy = {
        "type": "conversation.handoff.requested", "handoff_id": "h", "item_id": "h", "input_transcript": "run"
    }  # fmt: skip

    assert decoded(type="delegation.created", item=item) == V1().decode(json.dumps(legacy))


DELEGATION: Final[dict[str, object]] = {"id": "d", "type": "delegation", "target": "client", "content": []}


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "session.started"},
        {"type": "session.started", "session": {}},
        {"type": "session.updated", "session": {"id": None}},
        {"type": "output_audio.delta", "delta": "AAAA"},
        {"type": "output_audio.delta", "audio": 5},
        {"type": "input_transcript.added", "item": {}},
        {"type": "input_transcript.added", "text": "x"},
        {"type": "output_transcript.added", "item": {"text": 5}},
        {"type": "turn.done"},
        {"type": "turn.done", "turn": {"role": "user"}},
        {"type": "turn.done", "turn": {"role": 5, "transcript": "x"}},
        {"type": "turn.done", "turn": {"role": "system", "transcript": "x"}},
        {"type": "delegation.created"},
        {"type": "delegation.created", "item": []},
        {"type": "delegation.created", "item": {**DELEGATION, "id": 5}},
        {"type": "delegation.created", "item": {**DELEGATION, "type": "message"}},
        {"type": "delegation.created", "item": {**DELEGATION, "target": "server"}},
        {"type": "delegation.created", "item": {**DELEGATION, "content": "x"}},
        {"type": "delegation.created", "item": {**DELEGATION, "content": None}},
        {"type": "delegation.created", "item": {"id": "d", "type": "delegation", "target": "client"}},
        {"type": "error"},
    ],
)
def test_a_message_without_what_it_needs_is_malformed(fields: dict[str, object]) -> None:
    skipped = decoded(**fields)

    assert isinstance(skipped, events.Skipped)
    assert skipped.kind == fields["type"]
    assert skipped.malformed is not None


@pytest.mark.parametrize("kind", ["turn.created", "turn.delta", "delegation.context.appended", "response.created"])
def test_a_message_that_v3_does_not_have_is_skipped(kind: str) -> None:
    assert decoded(type=kind, item=DELEGATION) == events.Skipped(kind=kind)
