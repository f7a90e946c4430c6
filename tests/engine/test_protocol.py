from __future__ import annotations

import base64
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.engine import protocol
from backchannel.engine.items import (
    MAX_TEXT_CHARS,
    ContentPart,
    MessageItem,
    NewFunctionCallOutput,
    NewMessage,
    NewPart,
)
from backchannel.engine.protocol import Invalid, decode, encode

SESSION_OF_THE_V2_DIALECT = {
    "type": "realtime",
    "instructions": "Be brief.",
    "output_modalities": ["audio"],
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "noise_reduction": {"type": "near_field"},
            "transcription": {"model": "gpt-4o-mini-transcribe"},
            "turn_detection": {
                "type": "server_vad",
                "interrupt_response": True,
                "create_response": True,
                "silence_duration_ms": 500,
            },
        },
        "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin"},
    },
    "tools": [
        {
            "type": "function",
            "name": "background_agent",
            "description": "Hands work over.",
            "parameters": {"type": "object", "properties": {"prompt": {"type": "string"}}},
        }
    ],
    "tool_choice": "auto",
}


def test_the_messages_of_the_v2_dialect_are_understood() -> None:
    sound = base64.b64encode(b"\x01\x02" * 480).decode()
    update = decode(json.dumps({"type": "session.update", "session": SESSION_OF_THE_V2_DIALECT}))
    assert isinstance(update, protocol.UpdateSession)
    assert update.session.instructions == "Be brief."
    assert isinstance(update.session.tools, list)
    assert update.session.tools[0].name == "background_agent"
    assert decode(json.dumps({"type": "input_audio_buffer.append", "audio": sound})) == protocol.AppendAudio(
        audio=b"\x01\x02" * 480
    )
    content = {"type": "input_text", "text": "[BACKEND] Half of it is done."}
    item = {"type": "message", "role": "user", "content": [content]}
    assert decode(json.dumps({"type": "conversation.item.create", "item": item})) == protocol.CreateItem(
        item=NewMessage(role="user", content=[NewPart(type="input_text", text="[BACKEND] Half of it is done.")])
    )
    output = {"type": "function_call_output", "call_id": "call_1", "output": "Done."}
    assert decode(json.dumps({"type": "conversation.item.create", "item": output})) == protocol.CreateItem(
        item=NewFunctionCallOutput(call_id="call_1", output="Done.")
    )
    assert decode('{"type":"response.create"}') == protocol.CreateResponse()
    truncate = {"type": "conversation.item.truncate", "item_id": "item_1", "content_index": 0, "audio_end_ms": 700}
    assert decode(json.dumps(truncate)) == protocol.TruncateItem(item_id="item_1", audio_end_ms=700)


@pytest.mark.parametrize(
    ("text", "code", "param"),
    [
        ("", "invalid_json", None),
        ("{", "invalid_json", None),
        ("[" * 5000, "invalid_json", None),
        ("[]", "invalid_type", None),
        ("null", "invalid_type", None),
        ("{}", "missing_required_parameter", "type"),
        ('{"type":7}', "missing_required_parameter", "type"),
        ('{"type":"session.create"}', "invalid_value", "type"),
        ('{"type":"session.update"}', "missing_required_parameter", "session"),
        ('{"type":"input_audio_buffer.append"}', "missing_required_parameter", "audio"),
        ('{"type":"input_audio_buffer.append","audio":5}', "invalid_type", "audio"),
        ('{"type":"input_audio_buffer.append","audio":"no base64!"}', "invalid_value", "audio"),
        ('{"type":"conversation.item.create","item":{"type":"song"}}', "invalid_value", "item.type"),
        (
            '{"type":"conversation.item.create","item":{"type":"message","role":"king","content":[]}}',
            "invalid_value",
            "item.role",
        ),
        (
            '{"type":"conversation.item.create","item":{"type":"message","role":"user","content":[{"type":"x"}]}}',
            "invalid_value",
            "item.content[0].type",
        ),
        (
            '{"type":"conversation.item.create","item":{"type":"function_call_output","output":""}}',
            "missing_required_parameter",
            "item.call_id",
        ),
        (
            '{"type":"conversation.item.create","item":{"type":"function_call_output","call_id":"c","output":"'
            + "x" * (MAX_TEXT_CHARS + 1)
            + '"}}',
            "invalid_value",
            "item.output",
        ),
        (
            '{"type":"conversation.item.truncate","item_id":"i","audio_end_ms":-1}',
            "invalid_value",
            "audio_end_ms",
        ),
        (
            '{"type":"session.update","session":{"audio":{"input":{"format":{"type":"audio/pcm","rate":8000}}}}}',
            "invalid_value",
            "session.audio.input.format.rate",
        ),
        (
            '{"type":"session.update","session":{"audio":{"input":{"turn_detection":{"threshold":2}}}}}',
            "invalid_value",
            "session.audio.input.turn_detection.threshold",
        ),
        (
            '{"type":"session.update","session":{"output_modalities":["audio","text"]}}',
            "invalid_value",
            "session.output_modalities",
        ),
    ],
)
def test_what_is_no_event_says_what_and_where(text: str, code: str, param: str | None) -> None:
    event = decode(text)
    assert isinstance(event, Invalid)
    assert (event.code, event.param) == (code, param)
    assert event.message


def test_the_clients_own_event_id_comes_back_with_the_error() -> None:
    event = decode('{"type":"nonsense","event_id":"mine"}')
    assert isinstance(event, Invalid)
    assert event.event_id == "mine"


def test_unknown_members_are_ignored() -> None:
    assert decode('{"type":"response.create","response":{"temperature":0.8},"x":[1]}') == protocol.CreateResponse(
        response=protocol.ResponseOptions()
    )


def test_an_event_carries_its_type_and_id() -> None:
    event = protocol.SpeechStarted(audio_start_ms=120, item_id="item_1")
    assert json.loads(encode(event, "event_1")) == {
        "type": "input_audio_buffer.speech_started",
        "event_id": "event_1",
        "audio_start_ms": 120,
        "item_id": "item_1",
    }


def test_speech_is_base64_and_items_show_only_what_they_have() -> None:
    delta = protocol.OutputAudioDelta(response_id="r", output_index=0, item_id="i", delta=b"\x00\x01\x02")
    assert json.loads(encode(delta, "e"))["delta"] == "AAEC"
    item = MessageItem(id="i", role="assistant", content=[ContentPart(type="output_audio", transcript="Hi.")])
    shown = json.loads(encode(protocol.ItemDone(previous_item_id=None, item=item), "e"))["item"]
    assert shown == {
        "type": "message",
        "id": "i",
        "object": "realtime.item",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_audio", "transcript": "Hi."}],
    }


def test_half_a_surrogate_pair_does_not_stop_an_event() -> None:
    body = protocol.ErrorBody(type="invalid_request_error", code=None, message="\ud800 is odd", event_id="\udfff")
    error = json.loads(encode(protocol.ErrorEvent(error=body), "e"))["error"]
    assert error["message"] == "? is odd"


@given(st.text())
def test_any_text_is_an_event_or_an_error(text: str) -> None:
    assert msgspec.json.encode(str(decode(text)).encode("utf-8", "replace").decode())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = ("event_id", "session", "audio", "item", "item_id", "audio_end_ms", "response", "content_index", "type")
KINDS = (
    "session.update",
    "input_audio_buffer.append",
    "conversation.item.create",
    "conversation.item.truncate",
    "response.create",
    "response.cancel",
)


@given(kind=st.sampled_from(KINDS), members=st.dictionaries(st.sampled_from(MEMBERS), json_values, max_size=5))
def test_any_members_of_a_known_event_are_taken_or_refused(kind: str, members: dict[str, object]) -> None:
    event = decode(json.dumps({**members, "type": kind}))
    if isinstance(event, Invalid):
        refusal = protocol.ErrorBody(
            type="invalid_request_error", code=event.code, message=event.message, param=event.param
        )
        assert encode(protocol.ErrorEvent(error=refusal), "e")
