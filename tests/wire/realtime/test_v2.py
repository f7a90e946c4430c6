from __future__ import annotations

import json
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.wire.realtime import TOOLS, V2, Modality, Mode, SessionSettings, events, intents
from backchannel.wire.realtime.outbound import MAX_MIRRORED_TOKENS, MAX_REPORT_TOKENS
from backchannel.wire.realtime.session import Tool, ToolParameter
from backchannel.wire.tokens import estimate_tokens
from tests.wire.realtime.examples import INTENTS, SETTINGS

DIALECT: Final = V2()
ANY_TEXT: Final = st.text(st.characters(exclude_categories=()))
JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)
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
        (intents.ReportProgress(handoff_id="call_1", text=""), ""),
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
    (parameter,) = agent.parameters

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
                        "properties": {"prompt": {"type": "string", "description": parameter.description}},
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


def test_a_tool_says_what_may_be_chosen() -> None:
    level = ToolParameter(name="level", description="How much.", choices=("silent", "results"))
    tool = Tool(name="set_updates", description="Sets the level.", parameters=(level,))
    message = encoded(
        intents.UpdateSession(settings=SessionSettings(instructions="Be brief.", voice="marin", tools=(tool,)))
    )

    assert isinstance(message, dict)
    assert message["session"]["tools"][0]["parameters"] == {
        "type": "object",
        "properties": {"level": {"type": "string", "description": "How much.", "enum": ["silent", "results"]}},
        "required": ["level"],
        "additionalProperties": False,
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


def test_every_intent_but_one_has_words_in_this_dialect() -> None:
    assert [intent for intent in INTENTS if not DIALECT.encode(intent)] == [intents.CloseSession()]


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


def test_what_is_to_be_said_is_an_item_of_the_agent_and_a_response_is_asked_for_elsewhere() -> None:
    assert encoded(intents.SpeakText(text="say this")) == message_item("user", "[BACKEND] say this")
    assert encoded(intents.SpeakText(text="[BACKEND] say this")) == message_item("user", "[BACKEND] say this")


@pytest.mark.parametrize(
    "intent",
    [
        intents.SpeakText(text=""),
        intents.SpeakText(text=" \n"),
        intents.ReportProgress(handoff_id=None, text=""),
        intents.ReportProgress(handoff_id=None, text=" "),
        intents.ReportAsItem(text=""),
        intents.ReportAsItem(text=" ", prefix="note"),
        intents.CloseSession(),
    ],
)
def test_nothing_is_said_without_words(intent: intents.Intent) -> None:
    assert DIALECT.encode(intent) == ()


def test_phase_and_channel_make_no_difference_here() -> None:
    report = intents.ReportProgress(handoff_id="call_1", text="ran", phase="commentary", channel="speakable")
    finish = intents.FinishHandoff(handoff_id="call_1", output="done", is_news=True, channel="speakable")

    assert encoded(report) == message_item("user", "[BACKEND] ran")
    assert encoded(finish) == output_item("call_1", "done")


def test_a_report_as_an_item_is_a_developers_marked_as_the_agents_and_its_prefix_counts_too() -> None:
    assert encoded(intents.ReportAsItem(text="ran")) == message_item("developer", "[BACKEND] ran")
    assert encoded(intents.ReportAsItem(text="[BACKEND] ran")) == message_item("developer", "[BACKEND] ran")
    assert encoded(intents.ReportAsItem(text="ran", prefix="From the agent:")) == message_item(
        "developer", "From the agent:\n\n[BACKEND] ran"
    )
    message = encoded(intents.ReportAsItem(text=LONG, prefix="From the agent:"))
    assert isinstance(message, dict)
    text = message["item"]["content"][0]["text"]
    assert estimate_tokens(text) == MAX_REPORT_TOKENS
    assert text.startswith("From the agent:\n\n[BACKEND] ")


def test_new_instructions_are_an_update_that_names_nothing_else() -> None:
    assert encoded(intents.ChangeInstructions(instructions="Be loud.")) == {
        "type": "session.update",
        "session": {"type": "realtime", "instructions": "Be loud."},
    }


def test_a_session_that_only_transcribes_has_neither_instructions_nor_output_nor_tools() -> None:
    settings = SessionSettings(
        instructions="Be brief.", voice="marin", mode=Mode.TRANSCRIPTION, tools=tuple(TOOLS.values())
    )

    assert encoded(intents.UpdateSession(settings=settings)) == {
        "type": "session.update",
        "session": {
            "type": "transcription",
            "audio": {"input": {"format": FORMAT, "transcription": {"model": "gpt-4o-mini-transcribe"}}},
        },
    }


def test_a_call_is_told_the_session_with_its_model() -> None:
    settings = SessionSettings(instructions="Be brief.", voice="marin", tools=(TOOLS["remain_silent"],))
    update = encoded(intents.UpdateSession(settings=settings))
    assert isinstance(update, dict)

    assert DIALECT.call_session(settings) == {**update["session"], "model": "gpt-realtime-1.5"}
    other = msgspec.structs.replace(settings, model="gpt-realtime-2")
    assert DIALECT.call_session(other) == {**update["session"], "model": "gpt-realtime-2"}


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


FAILED = {"type": "failed", "error": {"type": "server_error", "code": "server_error", "message": "Too busy."}}


@pytest.mark.parametrize(
    ("response", "failure"),
    [
        ({"status": "failed", "status_details": FAILED}, "Too busy."),
        ({"status": "failed", "status_details": {"error": {"message": 5, "code": "quota"}}}, "quota"),
        ({"status": "failed", "status_details": {"error": {"message": ""}}}, "it failed"),
        ({"status": "failed", "status_details": {"error": "Too busy."}}, "it failed"),
        ({"status": "failed", "status_details": [1]}, "it failed"),
        ({"status": "failed"}, "it failed"),
        ({"status": "cancelled", "status_details": {"type": "cancelled", "reason": "turn_detected"}}, None),
        ({"status": "incomplete", "status_details": {"reason": "max_output_tokens"}}, None),
        ({"status": ["failed"]}, None),
        ({"status": "completed", "status_details": FAILED}, None),
    ],
)
def test_a_response_that_failed_says_why(response: dict[str, object], failure: str | None) -> None:
    done = decoded(type="response.done", response={"id": "r", **response})

    assert done == events.ResponseDone(response_id="r", failure=failure)


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
        ({"id": "i", "call_id": ""}, "i", "i"),
        ({"id": "", "call_id": "c"}, "c", "c"),
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
        events.Skipped(kind="conversation.item.done", malformed="expected a string as item.id")
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
    ("fields", "names"),
    [
        ({"type": "session.updated"}, "session"),
        ({"type": "session.updated", "session": []}, "session"),
        ({"type": "session.updated", "session": {}}, "id"),
        ({"type": "session.updated", "session": {"id": 5}}, "session.id"),
        ({"type": "response.output_audio.delta"}, "delta"),
        ({"type": "response.audio.delta", "delta": 5}, "delta"),
        ({"type": "response.audio.delta", "delta": None, "audio": "AAAA"}, "delta"),
        ({"type": "conversation.item.input_audio_transcription.delta", "delta": []}, "delta"),
        ({"type": "conversation.item.input_audio_transcription.completed"}, "transcript"),
        ({"type": "response.output_text.delta", "text": "x"}, "delta"),
        ({"type": "response.output_audio_transcript.delta"}, "delta"),
        ({"type": "response.output_text.done", "transcript": "x"}, "text"),
        ({"type": "response.output_audio_transcript.done", "text": "x"}, "transcript"),
        ({"type": "conversation.item.added"}, "item"),
        ({"type": "conversation.item.created"}, "item"),
        ({"type": "conversation.item.done"}, "item"),
        ({"type": "conversation.item.done", "item": []}, "item"),
        ({"type": "conversation.item.done", "item": {"id": 5}}, "item.id"),
        ({"type": "conversation.item.done", "item": {}}, "item.id"),
        ({"type": "error"}, "a message nor an error"),
        ({"type": "error", "message": 5}, "a message nor an error"),
    ],
)
def test_a_message_without_what_it_needs_is_skipped_as_malformed(fields: dict[str, object], names: str) -> None:
    skipped = decoded(**fields)

    assert isinstance(skipped, events.Skipped)
    assert skipped.kind == fields["type"]
    assert names in str(skipped.malformed)


@pytest.mark.parametrize(
    "kind", ["", "session.created", "rate_limits.updated", "response.function_call_arguments.done"]
)
def test_a_message_of_an_unknown_type_is_skipped(kind: str) -> None:
    assert decoded(type=kind, delta=5, item=[]) == events.Skipped(kind=kind)


NO_MESSAGES: Final[tuple[str | bytes, ...]] = (
    "", " ", "null", "5", "[]", '"error"', "{}", '{"type":5}', '{"type":null}', "{", '{"type":"error"', "\ufeff{}",
    '{"type":"error","message":"m"} x', b"\xff\xfe", b'{"type":"error","message":"\xff"}',
    '{"type":"error","message":"\ud800"}', '{"type":"error","message":"\\ud800"}', '{"type":"error","error":1e999}',
    '{"type":"error","error":' + "9" * 5000 + "}", "[" * 100_000, '{"type":"error","x":' + "[" * 100_000,
)  # fmt: skip


@pytest.mark.parametrize("message", NO_MESSAGES, ids=range(len(NO_MESSAGES)))
def test_what_is_no_message_is_skipped(message: str | bytes) -> None:
    skipped = DIALECT.decode(message)

    assert isinstance(skipped, events.Skipped)
    assert skipped.kind in ("?", "error")
    assert skipped.malformed is not None


def test_of_a_repeated_key_the_last_counts() -> None:
    assert DIALECT.decode('{"type":"error","message":"a","message":"b"}') == events.ServerError(message="b")


def test_two_types_are_none() -> None:
    for types in ('"type":"x","type":"error"', '"type":"error","type":"x"'):
        assert isinstance(DIALECT.decode(f'{{{types},"message":"m"}}'), events.Skipped)


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
    event = decoded(type="conversation.item.done", item=item)

    assert isinstance(event, events.Event | events.Skipped)
    msgspec.json.encode(event)


def test_settings_travel_as_an_intent_too() -> None:
    assert isinstance(encoded(intents.UpdateSession(settings=SETTINGS)), dict)
