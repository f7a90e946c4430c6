from __future__ import annotations

import json
from typing import Any, Final

import msgspec
import pytest

from backchannel.wire.realtime import InitialItem, Live, SessionSettings, events, intents
from backchannel.wire.realtime.outbound import MAX_MIRRORED_TOKENS, MAX_PIECE_BYTES, MAX_REPORT_TOKENS
from backchannel.wire.tokens import estimate_tokens
from tests.wire.realtime.examples import INTENTS
from tests.wire.realtime.frames import FRAMES

DIALECT: Final = Live()
LONG: Final = "x" * 10_000
THINKING: Final = "session.thinking.append"
COMMENTARY: Final = "session.commentary.append"
INSTRUCTIONS: Final = "session.instructions.append"


def encoded(intent: intents.Intent) -> list[Any]:
    return [json.loads(message) for message in DIALECT.encode(intent)]


def decoded(**fields: object) -> events.Event | events.Skipped:
    return DIALECT.decode(json.dumps(fields))


@pytest.mark.parametrize(
    ("intent", "message"),
    [
        (intents.AppendAudio(audio="AAAA"), b'{"type":"session.input_audio.append","audio":"AAAA"}'),
        (
            intents.ReportProgress(handoff_id="del_1", text="ran"),
            b'{"type":"session.commentary.append","content":"ran","delegation_id":"del_1"}',
        ),
        (
            intents.ReportProgress(handoff_id=None, text="ran", phase="commentary"),
            b'{"type":"session.thinking.append","content":"ran","delegation_id":null}',
        ),
        (intents.CloseSession(), b'{"type":"session.close"}'),
    ],
)
def test_messages_are_these_bytes(intent: intents.Intent, message: bytes) -> None:
    assert DIALECT.encode(intent) == (message,)


@pytest.mark.parametrize(
    ("intent", "kind", "content", "delegation_id"),
    [
        (intents.AddText(role="user", text="hi"), THINKING, "[USER] hi", None),
        (intents.AddText(role="developer", text="hi"), INSTRUCTIONS, "hi", None),
        (intents.AddText(role="assistant", text="hi"), THINKING, "hi", None),
        (intents.MirrorTyped(text="hi"), THINKING, "[USER] hi", None),
        (intents.SpeakText(text="hi"), COMMENTARY, "hi", None),
        (intents.ReportProgress(handoff_id="d", text="ran", phase="final"), COMMENTARY, "ran", "d"),
        (intents.ReportProgress(handoff_id="d", text="ran", phase="commentary"), THINKING, "ran", "d"),
        (
            intents.ReportProgress(handoff_id="d", text="ran", phase="commentary", channel="speakable"),
            COMMENTARY,
            "ran",
            "d",
        ),
        (
            intents.ReportProgress(handoff_id="d", text="ran", phase="final", channel="commentary"),
            THINKING,
            "ran",
            "d",
        ),
        (intents.ReportAsItem(text="ran", prefix="Agent:"), THINKING, "Agent:\n\nran", None),
        (intents.ReportAsItem(text="ran", channel="speakable"), COMMENTARY, "ran", None),
        (intents.FinishHandoff(handoff_id="d", output="It failed.", is_news=True), COMMENTARY, "It failed.", "d"),
        (
            intents.FinishHandoff(handoff_id="d", output="It failed.", is_news=True, channel="commentary"),
            THINKING,
            "It failed.",
            "d",
        ),
        (intents.ChangeInstructions(instructions="Be loud."), INSTRUCTIONS, "Be loud.", None),
    ],
)
def test_a_text_is_silent_or_may_be_spoken_or_instructs(
    intent: intents.Intent, kind: str, content: str, delegation_id: str | None
) -> None:
    assert encoded(intent) == [{"type": kind, "content": content, "delegation_id": delegation_id}]


@pytest.mark.parametrize(
    "intent",
    [
        intents.AddText(role="user", text=" "),
        intents.MirrorTyped(text=""),
        intents.SpeakText(text=" "),
        intents.ReportProgress(handoff_id="d", text=" "),
        intents.ReportAsItem(text=""),
        intents.FinishHandoff(handoff_id="d", output="done"),
        intents.FinishHandoff(handoff_id="d", output=" ", is_news=True),
        intents.ChangeInstructions(instructions=" "),
        *(
            intent
            for intent in INTENTS
            if isinstance(intent, intents.AnswerCall | intents.RequestResponse | intents.Truncate)
        ),
    ],
)
def test_for_this_there_are_no_words(intent: intents.Intent) -> None:
    assert DIALECT.encode(intent) == ()


@pytest.mark.parametrize(
    ("intent", "max_tokens"),
    [
        (intents.MirrorTyped(text=LONG), MAX_MIRRORED_TOKENS),
        (intents.SpeakText(text=LONG), MAX_REPORT_TOKENS),
        (intents.ReportProgress(handoff_id="d", text=LONG), MAX_REPORT_TOKENS),
        (intents.FinishHandoff(handoff_id="d", output=LONG, is_news=True), MAX_REPORT_TOKENS),
        (intents.ReportAsItem(text=LONG), MAX_REPORT_TOKENS),
        (intents.AddText(role="developer", text=LONG), 2500),
    ],
)
def test_no_text_has_more_tokens_than_the_protocol_allows(intent: intents.Intent, max_tokens: int) -> None:
    pieces = [message["content"] for message in encoded(intent)]

    # A token is a byte at least, so 500 bytes are never more than 500 tokens.
    assert all(len(piece.encode()) <= MAX_PIECE_BYTES for piece in pieces)
    assert estimate_tokens("".join(pieces)) == max_tokens


def test_the_first_message_starts_the_session() -> None:
    items = (InitialItem(role="user", text="earlier"), InitialItem(role="assistant", text="reply"))
    settings = SessionSettings(instructions="Be brief.", voice="marin", initial_items=items)
    session = {
        "model": "gpt-live-1",
        "instructions": "Be brief.",
        "audio": {"format": {"type": "audio/pcm", "rate": 24_000}, "output": {"voice": "marin"}},
        "delegation": {"type": "client"},
        "input": [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "earlier"}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "reply"}]},
        ],
    }

    assert encoded(intents.UpdateSession(settings=settings)) == [{"type": "session.start", "session": session}]


def test_a_call_agrees_on_its_own_format() -> None:
    settings = SessionSettings(instructions="", voice="marin", model="gpt-live-2")

    assert DIALECT.call_session(settings) == {
        "model": "gpt-live-2",
        "instructions": "",
        "audio": {"output": {"voice": "marin"}},
        "delegation": {"type": "client"},
    }


@pytest.mark.parametrize(("frame", "event"), FRAMES["live"])
def test_a_message_means_this(frame: dict[str, object], event: events.Event) -> None:
    assert decoded(**frame) == event


def test_times_are_left_out_where_they_are_none() -> None:
    assert decoded(type="session.input_transcript.delta", delta="x", end_ms="soon") == (
        events.InputTranscriptDelta(delta="x")
    )
    delegation = {"id": "d", "target": "client"}
    assert decoded(type="session.delegation.created", delegation=delegation, offset_ms=True) == (
        events.HandoffRequested(handoff_id="d", item_id="d", text="")
    )


def test_what_is_left_out_is_not_written_down_either() -> None:
    delta = events.InputTranscriptDelta(delta="x")
    handoff = events.HandoffRequested(handoff_id="d", item_id="d", text="")

    assert msgspec.json.encode(delta) == b'{"type":"input_transcript_delta","delta":"x"}'
    assert b"offset_ms" not in msgspec.json.encode(handoff)


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("expired", "session_expired"),
        ("content", "session_closed_for_content"),
        ("connection_lost", "session_connection_lost"),
        ("bored", "session_closed"),
    ],
)
def test_an_end_that_nobody_asked_for_is_an_error(reason: str, code: str) -> None:
    error = decoded(type="session.closed", reason=reason)

    assert isinstance(error, events.ServerError)
    assert error.code == code


@pytest.mark.parametrize("reason", ["close_requested", "remote_hangup"])
def test_an_end_that_was_asked_for_is_told_by_the_transport(reason: str) -> None:
    assert decoded(type="session.closed", reason=reason) == events.Skipped(kind="session.closed")


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "session.started", "session": {"status": "active"}},
        {"type": "session.output_audio.delta", "audio": "AAAA"},
        {"type": "session.input_transcript.delta", "text": "x"},
        {"type": "session.output_transcript.delta", "delta": 5},
        {"type": "session.delegation.created", "offset_ms": 5},
        {"type": "session.delegation.created", "delegation": {"target": "client"}},
        {"type": "session.delegation.created", "delegation": {"id": "d", "target": "responses"}},
        {"type": "session.closed"},
        {"type": "error"},
    ],
)
def test_a_message_without_what_it_needs_is_malformed(fields: dict[str, object]) -> None:
    skipped = decoded(**fields)

    assert isinstance(skipped, events.Skipped)
    assert skipped.kind == fields["type"]
    assert skipped.malformed is not None


@pytest.mark.parametrize(
    "kind",
    [
        "session.commentary.appended",
        "session.thinking.appended",
        "session.instructions.appended",
        "session.input_audio.append",
        "session.usage.updated",
        "session.input_audio.muted",
        "info",
        "delegation.created",
    ],
)
def test_a_message_that_says_nothing_we_need_is_skipped(kind: str) -> None:
    assert decoded(type=kind, audio="AAAA", delta="x") == events.Skipped(kind=kind)
