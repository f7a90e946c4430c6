from __future__ import annotations

import json
from typing import Any, Final

import msgspec
import pytest

from backchannel.wire.realtime import V1, Mode, SessionSettings, events, intents
from backchannel.wire.realtime.outbound import MAX_MIRRORED_TOKENS, MAX_REPORT_TOKENS
from backchannel.wire.realtime.v1 import FINAL_LABEL
from backchannel.wire.tokens import estimate_tokens
from tests.wire.realtime.examples import INTENTS
from tests.wire.realtime.frames import FRAMES

DIALECT: Final = V1()
LONG: Final = "x" * 10_000
SILENT: Final = (intents.AnswerCall, intents.RequestResponse, intents.Truncate, intents.ChangeInstructions)


def encoded(intent: intents.Intent) -> Any:
    (message,) = DIALECT.encode(intent)
    assert message.startswith(b'{"type":"')
    return json.loads(message)


def decoded(**fields: object) -> events.Event | events.Skipped:
    return DIALECT.decode(json.dumps(fields))


def item(role: str, text: str, kind: str = "input_text") -> object:
    content = [{"type": kind, "text": text}]
    return {"type": "conversation.item.create", "item": {"type": "message", "role": role, "content": content}}


@pytest.mark.parametrize(
    ("intent", "message"),
    [
        (intents.AppendAudio(audio="AAAA"), b'{"type":"input_audio_buffer.append","audio":"AAAA"}'),
        (
            intents.AddText(role="user", text="hi"),
            (
                b'{"type":"conversation.item.create","item":{"type":"message","role":"user",'
                b'"content":[{"type":"input_text","text":"hi"}]}}'
            ),
        ),
        (
            intents.ReportProgress(handoff_id="h", text="ran", phase="commentary"),
            b'{"type":"conversation.handoff.append","handoff_id":"h","output_text":"ran"}',
        ),
    ],
)
def test_messages_are_these_bytes(intent: intents.Intent, message: bytes) -> None:
    assert DIALECT.encode(intent) == (message,)


def test_a_text_keeps_its_role_and_has_no_prefix() -> None:
    assert encoded(intents.AddText(role="developer", text="hi")) == item("developer", "hi")
    assert encoded(intents.AddText(role="assistant", text="hi")) == item("assistant", "hi", "output_text")
    assert encoded(intents.MirrorTyped(text="hi")) == item("user", "hi")


def test_what_was_typed_is_capped() -> None:
    text = encoded(intents.MirrorTyped(text=LONG))["item"]["content"][0]["text"]

    assert estimate_tokens(text) == MAX_MIRRORED_TOKENS


@pytest.mark.parametrize(
    ("intent", "handoff_id", "text"),
    [
        (intents.ReportProgress(handoff_id="h", text="ran", phase="final"), "h", FINAL_LABEL + "ran"),
        (intents.ReportProgress(handoff_id="h", text="ran"), "h", FINAL_LABEL + "ran"),
        (intents.ReportProgress(handoff_id="h", text="ran", phase="commentary"), "h", "ran"),
        (intents.ReportProgress(handoff_id="h", text="", phase="commentary"), "h", ""),
        (intents.ReportProgress(handoff_id=None, text="ran"), "codex", FINAL_LABEL + "ran"),
        (intents.ReportProgress(handoff_id=None, text="ran", phase="commentary"), "codex", "ran"),
        (intents.SpeakText(text="say this"), "codex", "say this"),
        (intents.FinishHandoff(handoff_id="h", output="It failed.", is_news=True), "h", FINAL_LABEL + "It failed."),
    ],
)
def test_what_the_agent_says_belongs_to_the_handoff_and_is_marked_when_it_is_final(
    intent: intents.Intent, handoff_id: str, text: str
) -> None:
    assert encoded(intent) == {"type": "conversation.handoff.append", "handoff_id": handoff_id, "output_text": text}


@pytest.mark.parametrize(
    "intent",
    [
        intents.ReportProgress(handoff_id="h", text=LONG),
        intents.SpeakText(text=LONG),
        intents.FinishHandoff(handoff_id="h", output=LONG, is_news=True),
    ],
)
def test_what_the_agent_says_is_capped(intent: intents.Intent) -> None:
    text = encoded(intent)["output_text"].removeprefix(FINAL_LABEL)

    assert estimate_tokens(text) == MAX_REPORT_TOKENS


def test_the_label_is_the_protocols() -> None:
    assert FINAL_LABEL == '"Agent Final Message":\n\n'


def test_a_report_as_an_item_is_a_developers() -> None:
    assert encoded(intents.ReportAsItem(text="ran", prefix="Agent:")) == item("developer", "Agent:\n\nran")


@pytest.mark.parametrize(
    "intent",
    [
        intents.ReportProgress(handoff_id=None, text=" "),
        intents.SpeakText(text=" "),
        intents.ReportAsItem(text=" "),
        intents.FinishHandoff(handoff_id="h", output="done"),
        intents.CloseSession(),
        *(intent for intent in INTENTS if isinstance(intent, SILENT)),
    ],
)
def test_for_this_there_are_no_words(intent: intents.Intent) -> None:
    assert DIALECT.encode(intent) == ()


@pytest.mark.parametrize("mode", Mode)
def test_a_session_is_a_conversation_in_any_mode(mode: Mode) -> None:
    settings = SessionSettings(instructions="Be brief.", voice="cove", mode=mode, session_id="s")
    pcm = {"type": "audio/pcm", "rate": 24_000}
    session = {
        "type": "quicksilver",
        "instructions": "Be brief.",
        "audio": {"input": {"format": pcm}, "output": {"voice": "cove"}},
    }

    assert encoded(intents.UpdateSession(settings=settings)) == {"type": "session.update", "session": session}
    assert DIALECT.call_session(settings) == {**session, "model": "gpt-realtime-1.5"}
    assert DIALECT.call_session(msgspec.structs.replace(settings, model="m")) == {**session, "model": "m"}


@pytest.mark.parametrize(("frame", "event"), FRAMES["v1"])
def test_a_message_means_this(frame: dict[str, object], event: events.Event) -> None:
    decoded_event = decoded(**frame)

    if isinstance(event, events.ItemAdded):
        assert isinstance(decoded_event, events.ItemAdded)
        assert bytes(decoded_event.item) == json.dumps(frame["item"]).encode()
    else:
        assert decoded_event == event


AUDIO: Final[dict[str, object]] = {
    "type": "conversation.output_audio.delta", "delta": "AAAA", "sample_rate": 24_000, "channels": 1
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "taken"),
    [
        ({"delta": "!!"}, {"data": "!!"}),
        ({"data": "BBBB"}, {"data": "AAAA"}),
        ({"delta": 5, "data": "BBBB"}, {"data": "BBBB"}),
        ({"delta": ""}, {"data": ""}),
        ({"sample_rate": 0}, {"rate_hz": 0}),
        ({"sample_rate": 2**32 - 1}, {"rate_hz": 2**32 - 1}),
        ({"channels": 2**16 - 1}, {"channels": 2**16 - 1}),
        ({"channels": 2, "num_channels": 7}, {"channels": 2}),
        ({"samples_per_channel": 480}, {"samples_per_channel": 480}),
        ({"samples_per_channel": "480"}, {"samples_per_channel": None}),
        ({"samples_per_channel": 2**32}, {"samples_per_channel": None}),
        ({"item_id": "item_1"}, {"item_id": None}),
    ],
)
def test_audio_is_taken_as_it_describes_itself(changes: dict[str, object], taken: dict[str, object]) -> None:
    audio = decoded(**{**AUDIO, **changes})

    plain = events.AudioOut(data="AAAA", rate_hz=24_000, channels=1)
    assert audio == msgspec.structs.replace(plain, **taken)


def test_the_second_name_of_channels_counts_where_the_first_is_missing() -> None:
    fields = {key: value for key, value in AUDIO.items() if key != "channels"}

    assert decoded(**fields, num_channels=2) == events.AudioOut(data="AAAA", rate_hz=24_000, channels=2)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"delta": 5}, "delta"),
        ({"sample_rate": None}, "sample_rate"),
        ({"sample_rate": "24000"}, "sample_rate"),
        ({"sample_rate": 2**32}, "sample_rate"),
        ({"sample_rate": 24_000.0}, "sample_rate"),
        ({"channels": "1"}, "channels"),
        ({"channels": None, "num_channels": 1}, "channels"),
        ({"channels": 2**16, "num_channels": 1}, "channels"),
        ({"channels": True}, "channels"),
    ],
)
def test_audio_that_does_not_describe_itself_is_dropped(changes: dict[str, object], names: str) -> None:
    skipped = decoded(**{**AUDIO, **changes})

    assert isinstance(skipped, events.Skipped)
    assert names in str(skipped.malformed)


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "session.updated", "session": {"id": 5}},
        {"type": "conversation.output_audio.delta"},
        {"type": "conversation.input_transcript.delta"},
        {"type": "conversation.input_transcript.turn_marked", "delta": "x"},
        {"type": "conversation.output_transcript.delta", "delta": None},
        {"type": "conversation.item.added"},
        {"type": "conversation.item.done", "item": {}},
        {"type": "conversation.item.done", "item": []},
        {"type": "conversation.handoff.requested", "handoff_id": "h", "item_id": "i"},
        {"type": "conversation.handoff.requested", "handoff_id": "h", "input_transcript": "x"},
        {"type": "conversation.handoff.requested", "handoff_id": 5, "item_id": "i", "input_transcript": "x"},
        {"type": "error"},
    ],
)
def test_a_message_without_what_it_needs_is_malformed(fields: dict[str, object]) -> None:
    skipped = decoded(**fields)

    assert isinstance(skipped, events.Skipped)
    assert skipped.kind == fields["type"]
    assert skipped.malformed is not None


def test_a_call_of_a_tool_is_an_item_like_any_other() -> None:
    call = {"id": "i", "type": "function_call", "name": "background_agent", "call_id": "c", "arguments": "{}"}

    assert decoded(type="conversation.item.done", item=call) == events.ItemDone(item_id="i")


@pytest.mark.parametrize(
    "kind",
    [
        "conversation.output_transcript.turn_marked",
        "conversation.output_transcript.done",
        "response.output_text.done",
        "response.output_audio.delta",
        "input_audio_buffer.speech_started",
        "response.created",
        "session.created",
    ],
)
def test_a_message_that_v1_does_not_have_is_skipped(kind: str) -> None:
    assert decoded(type=kind, delta="x", transcript="x") == events.Skipped(kind=kind)
