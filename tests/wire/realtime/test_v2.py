from __future__ import annotations

import json
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.wire.realtime import TOOLS, V2, Modality, SessionSettings, events, intents
from backchannel.wire.realtime.outbound import MAX_MIRRORED_TOKENS, MAX_REPORT_TOKENS
from backchannel.wire.tokens import estimate_tokens
from tests.wire.realtime.examples import INTENTS, SETTINGS

DIALECT: Final = V2()
ANY_TEXT: Final = st.text(st.characters(exclude_categories=()))
FORMAT: Final = {"type": "audio/pcm", "rate": 24_000}
LONG: Final = "x" * 10_000


def encoded(intent: intents.Intent) -> object:
    """The one message of an intent; its first key is `type`."""
    (message,) = DIALECT.encode(intent)
    assert message.startswith(b'{"type":"')
    return json.loads(message)


def message_item(role: str, text: str, kind: str = "input_text") -> object:
    return {
        "type": "conversation.item.create",
        "item": {"type": "message", "role": role, "content": [{"type": kind, "text": text}]},
    }


def output_item(call_id: str, output: str) -> object:
    return {
        "type": "conversation.item.create",
        "item": {"type": "function_call_output", "call_id": call_id, "output": output},
    }


def decoded(**fields: object) -> events.Event | events.Skipped:
    return DIALECT.decode(json.dumps(fields))


# Outbound, byte for byte: the keys in this order, no space between them.


@pytest.mark.parametrize(
    ("intent", "message"),
    [
        (intents.AppendAudio(audio="AAAA"), b'{"type":"input_audio_buffer.append","audio":"AAAA"}'),
        (
            intents.AddText(role="user", text="hi"),
            (
                b'{"type":"conversation.item.create","item":{"type":"message","role":"user",'
                b'"content":[{"type":"input_text","text":"[USER] hi"}]}}'
            ),
        ),
        (
            intents.AnswerCall(call_id="call_1", output=""),
            b'{"type":"conversation.item.create","item":{"type":"function_call_output","call_id":"call_1","output":""}}',
        ),
        (intents.RequestResponse(), b'{"type":"response.create"}'),
        (
            intents.Truncate(item_id="item_1", audio_end_ms=120),
            b'{"type":"conversation.item.truncate","item_id":"item_1","content_index":0,"audio_end_ms":120}',
        ),
    ],
)
def test_messages_are_these_bytes(intent: intents.Intent, message: bytes) -> None:
    assert DIALECT.encode(intent) == (message,)


@pytest.mark.parametrize("audio", ["AAAA", "not base64!", "!!", ""])
def test_audio_is_sent_on_as_it_came(audio: str) -> None:
    assert encoded(intents.AppendAudio(audio=audio)) == {"type": "input_audio_buffer.append", "audio": audio}


def test_only_what_the_user_says_is_marked_as_the_users() -> None:
    assert encoded(intents.AddText(role="user", text="hi")) == message_item("user", "[USER] hi")
    assert encoded(intents.AddText(role="developer", text="hi")) == message_item("developer", "hi")


def test_what_the_assistant_said_is_output() -> None:
    assert encoded(intents.AddText(role="assistant", text="hi")) == message_item("assistant", "hi", "output_text")


@pytest.mark.parametrize(
    ("intent", "text"),
    [
        (intents.AddText(role="user", text="[USER] hi"), "[USER] hi"),
        (intents.AddText(role="user", text=""), ""),
        (intents.MirrorTyped(text="hi"), "[USER] hi"),
        (intents.MirrorTyped(text="[USER] hi"), "[USER] hi"),
        (intents.MirrorTyped(text=""), ""),
        (intents.ReportProgress(handoff_id="call_1", text="ran"), "[BACKEND] ran"),
        (intents.ReportProgress(handoff_id=None, text="[BACKEND] ran"), "[BACKEND] ran"),
        (intents.ReportProgress(handoff_id=None, text=""), ""),
    ],
)
def test_a_prefix_is_neither_doubled_nor_put_before_nothing(intent: intents.Intent, text: str) -> None:
    assert encoded(intent) == message_item("user", text)


@pytest.mark.parametrize(
    ("intent", "prefix", "max_tokens"),
    [
        (intents.MirrorTyped(text=LONG), "[USER] x", MAX_MIRRORED_TOKENS),
        (intents.ReportProgress(handoff_id=None, text=LONG), "[BACKEND] x", MAX_REPORT_TOKENS),
    ],
)
def test_what_the_voice_is_let_know_is_capped(intent: intents.Intent, prefix: str, max_tokens: int) -> None:
    message = encoded(intent)

    assert isinstance(message, dict)
    text = message["item"]["content"][0]["text"]
    assert text.startswith(prefix)
    assert text.endswith("x")
    assert "tokens truncated" in text
    assert estimate_tokens(text) == max_tokens


def test_the_caps_are_those_of_the_protocol() -> None:
    assert (MAX_MIRRORED_TOKENS, MAX_REPORT_TOKENS) == (300, 1000)


def test_text_that_is_added_on_purpose_is_not_capped() -> None:
    assert encoded(intents.AddText(role="developer", text=LONG)) == message_item("developer", LONG)


def test_a_finished_delegation_is_an_answered_call() -> None:
    assert encoded(intents.FinishHandoff(handoff_id="call_1", output="done")) == output_item("call_1", "done")


@pytest.mark.parametrize(
    "intent",
    [intents.AnswerCall(call_id="call_1", output=LONG), intents.FinishHandoff(handoff_id="call_1", output=LONG)],
)
def test_the_answer_of_a_call_is_capped_too(intent: intents.Intent) -> None:
    message = encoded(intent)

    assert isinstance(message, dict)
    assert estimate_tokens(message["item"]["output"]) == MAX_REPORT_TOKENS


def test_a_session_is_given_all_its_settings() -> None:
    settings = SessionSettings(instructions="Be brief.", voice="marin", tools=tuple(TOOLS.values())[:2])
    agent, silent = settings.tools
    assert agent.parameter is not None

    assert encoded(intents.UpdateSession(settings=settings)) == {
        "type": "session.update",
        "session": {
            "type": "realtime",
            "instructions": "Be brief.",
            "output_modalities": ["audio"],
            "audio": {
                "input": {
                    "format": FORMAT,
                    "noise_reduction": {"type": "near_field"},
                    "transcription": {"model": "gpt-4o-mini-transcribe"},
                    "turn_detection": {
                        "type": "server_vad",
                        "interrupt_response": True,
                        "create_response": True,
                        "silence_duration_ms": 500,
                    },
                },
                "output": {"format": FORMAT, "voice": "marin"},
            },
            "tools": [
                {
                    "type": "function",
                    "name": "background_agent",
                    "description": agent.description,
                    "parameters": {
                        "type": "object",
                        "properties": {"prompt": {"type": "string", "description": agent.parameter.description}},
                        "required": ["prompt"],
                        "additionalProperties": False,
                    },
                },
                {
                    "type": "function",
                    "name": "remain_silent",
                    "description": silent.description,
                    "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
                },
            ],
            "tool_choice": "auto",
        },
    }


def test_a_session_in_text_keeps_its_voice_and_empty_instructions_are_sent() -> None:
    message = encoded(
        intents.UpdateSession(settings=SessionSettings(instructions="", voice="cedar", modality=Modality.TEXT))
    )

    assert isinstance(message, dict)
    session = message["session"]
    assert session["output_modalities"] == ["text"]
    assert session["instructions"] == ""
    assert session["audio"]["output"]["voice"] == "cedar"
    assert session["tools"] == []


def test_every_intent_has_words_in_this_dialect() -> None:
    assert [intent for intent in INTENTS if not DIALECT.encode(intent)] == []


@given(ANY_TEXT)
def test_any_text_can_be_sent(text: str) -> None:
    for intent in (
        intents.AppendAudio(audio=text),
        intents.AddText(role="user", text=text),
        intents.MirrorTyped(text=text),
        intents.ReportProgress(handoff_id=text, text=text),
        intents.FinishHandoff(handoff_id=text, output=text),
        intents.AnswerCall(call_id=text, output=text),
        intents.Truncate(item_id=text, audio_end_ms=1),
        intents.UpdateSession(settings=SessionSettings(instructions=text, voice=text)),
    ):
        assert isinstance(encoded(intent), dict)


def test_a_lone_surrogate_is_replaced_and_nothing_else_changes() -> None:
    assert encoded(intents.Truncate(item_id="a\ud800", audio_end_ms=7)) == {
        "type": "conversation.item.truncate",
        "item_id": "a?",
        "content_index": 0,
        "audio_end_ms": 7,
    }
    assert encoded(intents.AddText(role="developer", text="\udc80é")) == message_item("developer", "?é")


# Inbound, row by row.


@pytest.mark.parametrize(
    ("fields", "event"),
    [
        (
            {"type": "session.updated", "session": {"id": "sess_1", "instructions": "x"}},
            events.SessionUpdated(session_id="sess_1", instructions="x"),
        ),
        ({"type": "session.updated", "session": {"id": "s"}}, events.SessionUpdated(session_id="s")),
        (
            {"type": "session.updated", "session": {"id": "s", "instructions": 5}},
            events.SessionUpdated(session_id="s"),
        ),
        (
            {"type": "conversation.item.input_audio_transcription.delta", "delta": "ru"},
            events.InputTranscriptDelta(delta="ru"),
        ),
        (
            {"type": "conversation.item.input_audio_transcription.completed", "transcript": "run"},
            events.InputTranscriptDone(text="run"),
        ),
        ({"type": "response.output_text.delta", "delta": "o"}, events.OutputTranscriptDelta(delta="o")),
        ({"type": "response.output_audio_transcript.delta", "delta": "o"}, events.OutputTranscriptDelta(delta="o")),
        ({"type": "response.output_text.done", "text": "on it"}, events.OutputTranscriptDone(text="on it")),
        (
            {"type": "response.output_audio_transcript.done", "transcript": "on it"},
            events.OutputTranscriptDone(text="on it"),
        ),
        ({"type": "input_audio_buffer.speech_started", "item_id": "i"}, events.InputSpeechStarted(item_id="i")),
        ({"type": "input_audio_buffer.speech_started"}, events.InputSpeechStarted()),
        ({"type": "input_audio_buffer.speech_started", "item_id": 5}, events.InputSpeechStarted()),
        ({"type": "input_audio_buffer.speech_stopped", "item_id": "i"}, events.InputSpeechStopped(item_id="i")),
        ({"type": "input_audio_buffer.speech_stopped", "item_id": []}, events.InputSpeechStopped()),
        ({"type": "conversation.item.done", "item": {"id": "i", "type": "message"}}, events.ItemDone(item_id="i")),
    ],
)
def test_a_message_means_this(fields: dict[str, object], event: events.Event) -> None:
    assert decoded(**fields) == event


@pytest.mark.parametrize("kind", ["response.output_audio.delta", "response.audio.delta"])
def test_audio_takes_the_formats_defaults(kind: str) -> None:
    assert decoded(type=kind, delta="AAAA") == events.AudioOut(data="AAAA", rate_hz=24_000, channels=1)


def test_audio_is_taken_as_it_describes_itself() -> None:
    audio = decoded(
        type="response.output_audio.delta",
        delta="not base64!",
        sample_rate=16_000,
        channels=2,
        samples_per_channel=480,
        item_id="i",
    )

    assert audio == events.AudioOut(
        data="not base64!", rate_hz=16_000, channels=2, samples_per_channel=480, item_id="i"
    )


@pytest.mark.parametrize(
    ("field", "value", "taken"),
    [
        ("sample_rate", 0, 0),
        ("sample_rate", 2**32 - 1, 2**32 - 1),
        ("sample_rate", 2**32, 24_000),
        ("sample_rate", -1, 24_000),
        ("sample_rate", "16000", 24_000),
        ("sample_rate", 16_000.0, 24_000),
        ("sample_rate", True, 24_000),
        ("sample_rate", None, 24_000),
        ("channels", 2**16 - 1, 2**16 - 1),
        ("channels", 2**16, 1),
        ("channels", "2", 1),
        ("num_channels", 2, 2),
        ("num_channels", [], 1),
        ("samples_per_channel", 0, 0),
        ("samples_per_channel", 2**32 - 1, 2**32 - 1),
        ("samples_per_channel", 2**32, None),
        ("samples_per_channel", -5, None),
        ("samples_per_channel", False, None),
        ("item_id", 5, None),
        ("item_id", {}, None),
    ],
)
def test_a_number_of_audio_that_is_none_takes_its_default(field: str, value: object, taken: object) -> None:
    audio = decoded(type="response.audio.delta", delta="AAAA", **{field: value})

    assert isinstance(audio, events.AudioOut)
    read = {
        "sample_rate": audio.rate_hz,
        "channels": audio.channels,
        "num_channels": audio.channels,
        "samples_per_channel": audio.samples_per_channel,
        "item_id": audio.item_id,
    }
    assert read[field] == taken
    assert type(read[field]) is type(taken)


def test_the_second_name_of_channels_counts_only_where_the_first_is_missing() -> None:
    for channels, taken in ((2, 2), ("x", 1), (None, 1)):
        audio = decoded(type="response.audio.delta", delta="AAAA", channels=channels, num_channels=7)
        assert isinstance(audio, events.AudioOut)
        assert audio.channels == taken


@pytest.mark.parametrize("kind", ["conversation.item.added", "conversation.item.created"])
@pytest.mark.parametrize("item", ['{"id": "i",  "n": 1e3}', "5", "null", "[]"])
def test_an_added_item_is_handed_on_as_it_came(kind: str, item: str) -> None:
    event = DIALECT.decode(f'{{"type":"{kind}","item":{item}}}')

    assert isinstance(event, events.ItemAdded)
    assert bytes(event.item) == item.encode()


@pytest.mark.parametrize(
    ("kind", "made"),
    [
        ("response.created", events.ResponseCreated),
        ("response.cancelled", events.ResponseCancelled),
        ("response.done", events.ResponseDone),
    ],
)
def test_a_responses_id_is_found_in_two_places_or_is_none(
    kind: str, made: type[events.ResponseCreated | events.ResponseCancelled | events.ResponseDone]
) -> None:
    assert decoded(type=kind, response={"id": "a"}, response_id="b") == made(response_id="a")
    assert decoded(type=kind, response={"id": 5}, response_id="b") == made(response_id="b")
    assert decoded(type=kind, response="x", response_id="b") == made(response_id="b")
    assert decoded(type=kind, response_id=5) == made(response_id=None)
    assert decoded(type=kind) == made(response_id=None)


def test_calls_inside_a_finished_response_delegate_nothing() -> None:
    call = {"type": "function_call", "name": "background_agent", "call_id": "c", "arguments": '{"prompt":"x"}'}

    assert decoded(type="response.done", response={"id": "r", "output": [call]}) == events.ResponseDone(response_id="r")


# Calls of tools.


def call(**fields: object) -> events.Event | events.Skipped:
    item = {"type": "function_call", "name": "background_agent", "id": "item_1", "call_id": "call_1", **fields}
    return decoded(type="conversation.item.done", item=item)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"prompt":"run the tests"}', "run the tests"),
        ('{"prompt":"  run \\n"}', "run"),
        ('{"query":"q","prompt":"p","text":"t","input":"i","input_transcript":"it"}', "it"),
        ('{"query":"q","prompt":"p","text":"t","input":"i"}', "i"),
        ('{"query":"q","prompt":"p","text":"t"}', "t"),
        ('{"query":"q","prompt":"p"}', "p"),
        ('{"query":"q"}', "q"),
        ('{"text":"  ","prompt":"p"}', "p"),
        ('{"text":5,"prompt":"p"}', "p"),
        ("", ""),
        ("{}", "{}"),
        ('{"request":"x"}', '{"request":"x"}'),
        ('{"prompt":"  "}', '{"prompt":"  "}'),
        ("run the tests", "run the tests"),
        ('{"prompt":', '{"prompt":'),
        ('["prompt"]', '["prompt"]'),
        ('"prompt"', '"prompt"'),
        ('{"prompt":"\\ud800"}', '{"prompt":"\\ud800"}'),
        ("[" * 5000, "[" * 5000),
    ],
)
def test_the_request_is_found_in_the_arguments(arguments: str, text: str) -> None:
    assert call(arguments=arguments) == events.HandoffRequested(handoff_id="call_1", item_id="item_1", text=text)


@pytest.mark.parametrize("arguments", [None, 5, {"prompt": "x"}, []])
def test_arguments_that_are_no_string_are_none(arguments: object) -> None:
    assert call(arguments=arguments) == events.HandoffRequested(handoff_id="call_1", item_id="item_1", text="")


@pytest.mark.parametrize(
    ("ids", "call_id", "item_id"),
    [
        ({"id": "i", "call_id": "c"}, "c", "i"),
        ({"id": "i"}, "i", "i"),
        ({"call_id": "c"}, "c", "c"),
        ({"id": 5, "call_id": "c"}, "c", "c"),
        ({"id": "i", "call_id": 5}, "i", "i"),
    ],
)
def test_one_id_stands_in_for_the_other(ids: dict[str, object], call_id: str, item_id: str) -> None:
    def called(name: str) -> events.Event | events.Skipped:
        return decoded(type="conversation.item.done", item={"type": "function_call", "name": name, **ids})

    assert called("background_agent") == events.HandoffRequested(handoff_id=call_id, item_id=item_id, text="")
    assert called("remain_silent") == events.NoopRequested(call_id=call_id, item_id=item_id)
    assert called("agent_status") == events.ToolCalled(
        call_id=call_id, item_id=item_id, name="agent_status", arguments=""
    )


def test_other_tools_keep_their_arguments_as_they_came() -> None:
    assert call(name="set_updates", arguments='{"level": 5') == events.ToolCalled(
        call_id="call_1", item_id="item_1", name="set_updates", arguments='{"level": 5'
    )


def test_a_call_without_any_id_is_malformed() -> None:
    assert decoded(type="conversation.item.done", item={"type": "function_call", "name": "remain_silent"}) == (
        events.Skipped(kind="conversation.item.done", malformed="item.id must be a string")
    )


@pytest.mark.parametrize(
    "fields", [{"name": 5}, {"name": None}, {"type": "function_call_output"}, {"type": "message"}, {"type": 5}]
)
def test_what_is_no_call_is_an_item_that_is_done(fields: dict[str, object]) -> None:
    assert call(**fields) == events.ItemDone(item_id="item_1")


# Errors.


@pytest.mark.parametrize(
    ("fields", "message", "code"),
    [
        ({"message": "top", "error": {"message": "inner", "code": "c"}}, "top", "c"),
        ({"error": {"message": "inner", "code": "c"}}, "inner", "c"),
        ({"error": {"message": "inner", "code": 5}}, "inner", None),
        ({"message": 5, "error": {"message": "inner"}}, "inner", None),
        ({"message": ""}, "", None),
        ({"error": {"message": 5}}, '{"message":5}', None),
        ({"error": {"code": "c"}}, '{"code":"c"}', "c"),
        ({"error": "broken"}, '"broken"', None),
        ({"error": [1, 2.5, None]}, "[1,2.5,null]", None),
        ({"error": None}, "null", None),
        ({"error": {"n": 10**30}}, '{"n":1000000000000000000000000000000}', None),
    ],
)
def test_an_errors_text_is_the_best_that_there_is(fields: dict[str, object], message: str, code: str | None) -> None:
    assert decoded(type="error", **fields) == events.ServerError(message=message, code=code)


# What means nothing to us.


@pytest.mark.parametrize(
    ("fields", "malformed"),
    [
        ({"type": "session.updated"}, "session.id must be a string"),
        ({"type": "session.updated", "session": []}, "session.id must be a string"),
        ({"type": "session.updated", "session": {"id": 5}}, "session.id must be a string"),
        ({"type": "response.output_audio.delta"}, "delta must be a string"),
        ({"type": "response.audio.delta", "delta": 5}, "delta must be a string"),
        ({"type": "response.audio.delta", "delta": None, "audio": "AAAA"}, "delta must be a string"),
        ({"type": "conversation.item.input_audio_transcription.delta", "delta": []}, "delta must be a string"),
        ({"type": "conversation.item.input_audio_transcription.completed"}, "transcript must be a string"),
        ({"type": "response.output_text.delta", "text": "x"}, "delta must be a string"),
        ({"type": "response.output_audio_transcript.delta"}, "delta must be a string"),
        ({"type": "response.output_text.done", "transcript": "x"}, "text must be a string"),
        ({"type": "response.output_audio_transcript.done", "text": "x"}, "transcript must be a string"),
        ({"type": "conversation.item.added"}, "item is missing"),
        ({"type": "conversation.item.created"}, "item is missing"),
        ({"type": "conversation.item.done"}, "item is missing"),
        ({"type": "conversation.item.done", "item": []}, "item must be an object"),
        ({"type": "conversation.item.done", "item": {"id": 5}}, "item.id must be a string"),
        ({"type": "conversation.item.done", "item": {}}, "item.id must be a string"),
        ({"type": "error"}, "there is neither a message nor an error"),
        ({"type": "error", "message": 5}, "there is neither a message nor an error"),
    ],
)
def test_a_message_without_what_it_needs_is_skipped_as_malformed(fields: dict[str, object], malformed: str) -> None:
    assert decoded(**fields) == events.Skipped(kind=str(fields["type"]), malformed=malformed)


@pytest.mark.parametrize(
    "kind", ["", "session.created", "rate_limits.updated", "response.function_call_arguments.done"]
)
def test_a_message_of_an_unknown_type_is_skipped(kind: str) -> None:
    assert decoded(type=kind, delta=5, item=[]) == events.Skipped(kind=kind)


NO_MESSAGES: Final[tuple[str | bytes, ...]] = (
    "", " ", "null", "5", "[]", '"error"', "{}", '{"type":5}', '{"type":null}', "{", '{"type":"error"', "\ufeff{}",
    '{"type":"error","message":"m"} x', b"\xff\xfe", b'{"type":"error","message":"\xff"}',
    '{"type":"error","message":"\ud800"}', '{"type":"error","message":"\\ud800"}', '{"type":"error","delta":1e999}',
    '{"type":"error","delta":' + "9" * 5000 + "}", "[" * 100_000, '{"type":"error","x":' + "[" * 100_000,
)  # fmt: skip


@pytest.mark.parametrize("message", NO_MESSAGES, ids=range(len(NO_MESSAGES)))
def test_what_is_no_message_is_skipped(message: str | bytes) -> None:
    assert DIALECT.decode(message) == events.Skipped(kind="?", malformed="not a JSON object with a type")


def test_of_a_repeated_key_the_last_counts() -> None:
    assert DIALECT.decode('{"type":"x","type":"error","message":"a","message":"b"}') == events.ServerError(message="b")


def test_a_message_may_come_as_bytes() -> None:
    assert DIALECT.decode(b'{"type":"error","message":"m"}') == events.ServerError(message="m")


@pytest.mark.parametrize("depth", range(900, 1010))
def test_deep_nesting_is_no_exception_at_any_depth(depth: int) -> None:
    deep = "[" * depth + "]" * depth
    for message in (
        f'{{"type":"error","error":{deep}}}',
        f'{{"type":"conversation.item.done","item":{{"id":"i","x":{deep}}}}}',
        f'{{"type":"conversation.item.added","item":{deep}}}',
        json.dumps(
            {
                "type": "conversation.item.done",
                "item": {"type": "function_call", "name": "background_agent", "id": "i", "arguments": deep},
            }
        ),
    ):
        assert isinstance(DIALECT.decode(message), events.Event | events.Skipped)


# Fuzz: frames as a server sends them, broken in every way.

FRAMES: Final[tuple[bytes, ...]] = (
    b'{"type":"session.updated","event_id":"e1","session":{"id":"sess_1","instructions":"x","tools":[]}}',
    (
        b'{"type":"response.output_audio.delta","response_id":"r","item_id":"i","output_index":0,"delta":"AAAA",'
        b'"sample_rate":24000,"channels":1,"samples_per_channel":480}'
    ),
    b'{"type":"conversation.item.input_audio_transcription.completed","item_id":"i","transcript":"run the tests"}',
    (
        b'{"type":"conversation.item.done","item":{"id":"i","type":"function_call","name":"background_agent",'
        b'"call_id":"c","arguments":"{\\"prompt\\":\\"run the tests\\"}"}}'
    ),
    b'{"type":"conversation.item.added","item":{"id":"i","type":"message","role":"user","content":[]}}',
    b'{"type":"response.done","response":{"id":"r","status":"cancelled","output":[]}}',
    b'{"type":"input_audio_buffer.speech_started","audio_start_ms":100,"item_id":"i"}',
    b'{"type":"error","error":{"type":"invalid_request_error","code":"item_not_found","message":"gone","param":null}}',
)
JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)
KINDS: Final = (
    "session.updated", "response.output_audio.delta", "conversation.item.input_audio_transcription.delta",
    "conversation.item.input_audio_transcription.completed", "response.output_text.delta", "response.output_text.done",
    "response.output_audio_transcript.done", "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped",
    "conversation.item.added", "conversation.item.done", "response.created", "response.cancelled", "response.done",
    "error",
)  # fmt: skip


def assert_decodes(message: str | bytes) -> None:
    """Some value comes of it, and the value can be written down and read again."""
    event = DIALECT.decode(message)
    assert isinstance(event, events.Event | events.Skipped)
    msgspec.json.encode(event)


@given(st.binary())
def test_any_bytes_are_an_event_or_skipped(message: bytes) -> None:
    assert_decodes(message)


@given(ANY_TEXT)
def test_any_text_is_an_event_or_skipped(message: str) -> None:
    assert_decodes(message)


@given(st.data())
def test_a_broken_frame_is_an_event_or_skipped(data: st.DataObject) -> None:
    frame = bytearray(data.draw(st.sampled_from(FRAMES)))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(frame)))
        end = data.draw(st.integers(start, min(len(frame), start + 20)))
        frame[start:end] = data.draw(st.binary(max_size=6) | st.sampled_from([b'"', b"{", b"[" * 2000, b"9" * 400]))
    assert_decodes(bytes(frame))
    assert_decodes(bytes(frame).decode("utf-8", "surrogateescape"))


@given(
    st.sampled_from(KINDS),
    st.dictionaries(
        st.sampled_from(
            ["delta", "transcript", "text", "item_id", "sample_rate", "channels", "num_channels", "samples_per_channel",
             "item", "session", "response", "response_id", "error", "message", "other"]
        ),
        JSON,
    ),
)  # fmt: skip
def test_fields_of_any_type_are_an_event_or_skipped(kind: str, fields: dict[str, object]) -> None:
    assert_decodes(json.dumps({"type": kind, **fields}))


@given(
    st.fixed_dictionaries(
        {"type": st.just("function_call") | JSON},
        optional={
            "name": st.sampled_from(["background_agent", "remain_silent", "agent_status"]) | JSON,
            "id": st.text(max_size=3) | JSON,
            "call_id": st.text(max_size=3) | JSON,
            "arguments": JSON.map(json.dumps) | JSON,
        },
    )
)
def test_calls_of_any_shape_are_an_event_or_skipped(item: dict[str, object]) -> None:
    assert_decodes(json.dumps({"type": "conversation.item.done", "item": item}))


@pytest.mark.parametrize("frame", FRAMES)
def test_a_whole_frame_is_an_event_and_every_part_of_it_is_skipped(frame: bytes) -> None:
    assert isinstance(DIALECT.decode(frame), events.Event)
    assert isinstance(DIALECT.decode(b" \n" + frame + b"\t"), events.Event)
    for length in range(len(frame)):
        assert isinstance(DIALECT.decode(frame[:length]), events.Skipped)
    assert isinstance(DIALECT.decode(frame + b"}"), events.Skipped)


def test_settings_travel_as_an_intent_too() -> None:
    assert isinstance(encoded(intents.UpdateSession(settings=SETTINGS)), dict)
