"""The v2 dialect: the public Realtime protocol as Codex speaks it.

Source: realtime.md 1.6, 1.7 (outbound), 1.8, 1.10 (inbound), 4.3 and 5.3 (prefixes).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias, assert_never

import msgspec

from backchannel.wire.realtime import events, intents
from backchannel.wire.realtime.dialect import Abilities
from backchannel.wire.tokens import truncate_middle
from backchannel.wire.unicode import encodable

if TYPE_CHECKING:
    from collections.abc import Callable

    from backchannel.wire.realtime.session import SessionSettings, Tool

__all__ = ["AGENT_PREFIX", "MAX_MIRRORED_TOKENS", "MAX_REPORT_TOKENS", "USER_PREFIX", "V2"]

USER_PREFIX: Final = "[USER] "
AGENT_PREFIX: Final = "[BACKEND] "
MAX_REPORT_TOKENS: Final = 1000
MAX_MIRRORED_TOKENS: Final = 300

_RATE_HZ: Final = 24_000
_MAX_U32: Final = 2**32 - 1
_MAX_U16: Final = 2**16 - 1


class V2:
    """The v2 dialect."""

    name: Final = "v2"
    voices: Final = ("marin", "cedar", "alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse")
    default_model: Final = "gpt-realtime-1.5"
    abilities: Final = Abilities(creates_responses=True, truncates=True, answers_tool_calls=True, carries_roles=True)

    def encode(self, intent: intents.Intent) -> tuple[bytes, ...]:
        """The messages that say this."""
        match intent:
            case intents.AppendAudio(audio=audio):
                return (_encode(_Append(audio=audio)),)
            case intents.AddText(role=role, text=text):
                return (_encode(_message(role, _prefixed(USER_PREFIX, text) if role == "user" else text)),)
            case intents.MirrorTyped(text=text):
                return _capped("user", _prefixed(USER_PREFIX, text), MAX_MIRRORED_TOKENS)
            case intents.ReportProgress(text=text):
                return _capped("user", _prefixed(AGENT_PREFIX, text), MAX_REPORT_TOKENS)
            case intents.FinishHandoff(handoff_id=call_id, output=output):
                return (_encode(_answer(call_id, output)),)
            case intents.AnswerCall(call_id=call_id, output=output):
                return (_encode(_answer(call_id, output)),)
            case intents.RequestResponse():
                return (_RESPONSE_CREATE,)
            case intents.Truncate(item_id=item_id, audio_end_ms=end_ms):
                return (_encode(_Truncate(item_id=item_id, content_index=0, audio_end_ms=end_ms)),)
            case intents.UpdateSession(settings=settings):
                return (_encode({"type": "session.update", "session": _session(settings)}),)
        assert_never(intent)

    def decode(self, message: str | bytes) -> events.Event | events.Skipped:
        """What a server's message means."""
        try:
            inbound = _decoder.decode(message)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return events.Skipped(kind="?", malformed="not a JSON object with a type")
        reader = _READERS.get(inbound.type)
        if reader is None:
            return events.Skipped(kind=inbound.type)
        try:
            return reader(inbound)
        except _MalformedError as exc:
            return events.Skipped(kind=inbound.type, malformed=str(exc))


# Outbound


class _Append(msgspec.Struct, tag="input_audio_buffer.append"):
    audio: str


class _Truncate(msgspec.Struct, tag="conversation.item.truncate"):
    item_id: str
    content_index: int
    audio_end_ms: int


_encoder: Final = msgspec.json.Encoder()
_RESPONSE_CREATE: Final = _encoder.encode({"type": "response.create"})
_Json: TypeAlias = dict[str, object]


def _encode(value: _Append | _Truncate | _Json) -> bytes:
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        return _encoder.encode(encodable(msgspec.to_builtins(value)))


def _message(role: intents.Role, text: str) -> _Json:
    content = {"type": "output_text" if role == "assistant" else "input_text", "text": text}
    return _create({"type": "message", "role": role, "content": [content]})


def _answer(call_id: str, output: str) -> _Json:
    capped = truncate_middle(output, max_tokens=MAX_REPORT_TOKENS)
    return _create({"type": "function_call_output", "call_id": call_id, "output": capped})


def _create(item: _Json) -> _Json:
    return {"type": "conversation.item.create", "item": item}


def _prefixed(prefix: str, text: str) -> str:
    return text if not text or text.startswith(prefix) else prefix + text


def _capped(role: intents.Role, text: str, max_tokens: int) -> tuple[bytes, ...]:
    return (_encode(_message(role, truncate_middle(text, max_tokens=max_tokens))),)


def _session(settings: SessionSettings) -> _Json:
    return {
        "type": "realtime",
        "instructions": settings.instructions,
        "output_modalities": [settings.modality.value],
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": _RATE_HZ},
                "noise_reduction": {"type": "near_field"},
                "transcription": {"model": "gpt-4o-mini-transcribe"},
                "turn_detection": {
                    "type": "server_vad",
                    "interrupt_response": True,
                    "create_response": True,
                    "silence_duration_ms": 500,
                },
            },
            "output": {"format": {"type": "audio/pcm", "rate": _RATE_HZ}, "voice": settings.voice},
        },
        "tools": [_tool(tool) for tool in settings.tools],
        "tool_choice": "auto",
    }


def _tool(tool: Tool) -> _Json:
    parameters: _Json = {"type": "object", "properties": {}, "additionalProperties": False}
    if tool.parameter is not None:
        text = {"type": "string", "description": tool.parameter.description}
        parameters = {
            "type": "object",
            "properties": {tool.parameter.name: text},
            "required": [tool.parameter.name],
            "additionalProperties": False,
        }
    return {"type": "function", "name": tool.name, "description": tool.description, "parameters": parameters}


# Inbound


class _Inbound(msgspec.Struct):
    """Every field that any message has, of any type: the readers below check the ones they need.

    This makes leniency the normal path: a wrong-typed optional field takes its default, a wrong-typed required one
    drops the message, and neither costs a second decoding.
    """

    type: str
    delta: object = None
    transcript: object = None
    text: object = None
    item_id: object = None
    sample_rate: object = None
    channels: object = msgspec.UNSET
    num_channels: object = None
    samples_per_channel: object = None
    item: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    session: object = None
    response: object = None
    response_id: object = None
    error: object = msgspec.UNSET
    message: object = None


class _FunctionCall(msgspec.Struct):
    """The fields of an item that a reader looks at, of any type."""

    type: object = None
    name: object = None
    id: object = None
    call_id: object = None
    arguments: object = None


class _MalformedError(Exception):
    """A required field is missing or has the wrong type."""


_decoder: Final = msgspec.json.Decoder(_Inbound)
_item_decoder: Final = msgspec.json.Decoder(_FunctionCall)
_json_decoder: Final = msgspec.json.Decoder()


def _required(value: object, name: str) -> str:
    if isinstance(value, str):
        return value
    raise _MalformedError(f"{name} must be a string")


def _optional(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object, *, up_to: int) -> int | None:
    # bool is an int to Python but not to JSON.
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= up_to:
        return value
    return None


def _fields(value: object) -> dict[object, object]:
    return value if isinstance(value, dict) else {}


def _session_updated(inbound: _Inbound) -> events.Event:
    session = _fields(inbound.session)
    return events.SessionUpdated(
        session_id=_required(session.get("id"), "session.id"),
        instructions=_optional(session.get("instructions")),
    )


def _audio(inbound: _Inbound) -> events.Event:
    channels = inbound.num_channels if inbound.channels is msgspec.UNSET else inbound.channels
    rate_hz = _number(inbound.sample_rate, up_to=_MAX_U32)
    n_channels = _number(channels, up_to=_MAX_U16)
    return events.AudioOut(
        data=_required(inbound.delta, "delta"),
        rate_hz=_RATE_HZ if rate_hz is None else rate_hz,
        channels=1 if n_channels is None else n_channels,
        samples_per_channel=_number(inbound.samples_per_channel, up_to=_MAX_U32),
        item_id=_optional(inbound.item_id),
    )


def _speech_started(inbound: _Inbound) -> events.Event:
    return events.InputSpeechStarted(item_id=_optional(inbound.item_id))


def _speech_stopped(inbound: _Inbound) -> events.Event:
    return events.InputSpeechStopped(item_id=_optional(inbound.item_id))


def _input_delta(inbound: _Inbound) -> events.Event:
    return events.InputTranscriptDelta(delta=_required(inbound.delta, "delta"))


def _input_done(inbound: _Inbound) -> events.Event:
    return events.InputTranscriptDone(text=_required(inbound.transcript, "transcript"))


def _output_delta(inbound: _Inbound) -> events.Event:
    return events.OutputTranscriptDelta(delta=_required(inbound.delta, "delta"))


def _output_text_done(inbound: _Inbound) -> events.Event:
    return events.OutputTranscriptDone(text=_required(inbound.text, "text"))


def _output_transcript_done(inbound: _Inbound) -> events.Event:
    return events.OutputTranscriptDone(text=_required(inbound.transcript, "transcript"))


def _item_added(inbound: _Inbound) -> events.Event:
    return events.ItemAdded(item=_raw_item(inbound))


def _item_done(inbound: _Inbound) -> events.Event:
    try:
        item = _item_decoder.decode(_raw_item(inbound))
    except (msgspec.MsgspecError, UnicodeError) as exc:
        raise _MalformedError("item must be an object") from exc
    item_id = _optional(item.id)
    if item.type == "function_call" and isinstance(item.name, str):
        call_id = _optional(item.call_id) or item_id
        if call_id is not None:
            return _called(item.name, call_id, item_id or call_id, _optional(item.arguments) or "")
    return events.ItemDone(item_id=_required(item_id, "item.id"))


def _called(name: str, call_id: str, item_id: str, arguments: str) -> events.Event:
    match name:
        case "background_agent":
            return events.HandoffRequested(handoff_id=call_id, item_id=item_id, text=_request(arguments))
        case "remain_silent":
            return events.NoopRequested(call_id=call_id, item_id=item_id)
        case _:
            return events.ToolCalled(call_id=call_id, item_id=item_id, name=name, arguments=arguments)


_REQUEST_KEYS: Final = ("input_transcript", "input", "text", "prompt", "query")


def _request(arguments: str) -> str:
    """What is asked for in a call's arguments; arguments that say it in no known way are the request themselves."""
    try:
        fields = _fields(_json_decoder.decode(arguments))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return arguments
    for key in _REQUEST_KEYS:
        value = fields.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return arguments


def _raw_item(inbound: _Inbound) -> msgspec.Raw:
    if isinstance(inbound.item, msgspec.Raw):
        return inbound.item.copy()
    raise _MalformedError("item is missing")


def _response_id(inbound: _Inbound) -> str | None:
    nested = _optional(_fields(inbound.response).get("id"))
    return nested if nested is not None else _optional(inbound.response_id)


def _response_created(inbound: _Inbound) -> events.Event:
    return events.ResponseCreated(response_id=_response_id(inbound))


def _response_cancelled(inbound: _Inbound) -> events.Event:
    return events.ResponseCancelled(response_id=_response_id(inbound))


def _response_done(inbound: _Inbound) -> events.Event:
    return events.ResponseDone(response_id=_response_id(inbound))


def _error(inbound: _Inbound) -> events.Event:
    fields = _fields(inbound.error)
    code = _optional(fields.get("code"))
    message = _optional(inbound.message)
    if message is None:
        message = _optional(fields.get("message"))
    if message is None:
        if inbound.error is msgspec.UNSET:
            raise _MalformedError("there is neither a message nor an error")
        message = _encoder.encode(inbound.error).decode()
    return events.ServerError(message=message, code=code)


_READERS: Final[dict[str, Callable[[_Inbound], events.Event]]] = {
    "session.updated": _session_updated,
    "response.output_audio.delta": _audio,
    "response.audio.delta": _audio,
    "conversation.item.input_audio_transcription.delta": _input_delta,
    "conversation.item.input_audio_transcription.completed": _input_done,
    "response.output_text.delta": _output_delta,
    "response.output_audio_transcript.delta": _output_delta,
    "response.output_text.done": _output_text_done,
    "response.output_audio_transcript.done": _output_transcript_done,
    "input_audio_buffer.speech_started": _speech_started,
    "input_audio_buffer.speech_stopped": _speech_stopped,
    "conversation.item.added": _item_added,
    "conversation.item.created": _item_added,
    "conversation.item.done": _item_done,
    "response.created": _response_created,
    "response.cancelled": _response_cancelled,
    "response.done": _response_done,
    "error": _error,
}
"""Source: realtime.md 1.10; `speech_stopped` is ours: the reference does not look at it, and we wait for it before
speaking."""
