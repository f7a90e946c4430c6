"""The v2 dialect: the public Realtime protocol as Codex speaks it.

Source: realtime.md 1.6, 1.7 (outbound), 1.8, 1.10 (inbound), 4.3 and 5.3 (prefixes).
"""

from __future__ import annotations

from typing import Final

import msgspec

from backchannel.wire.realtime import events, inbound, intents, outbound
from backchannel.wire.realtime.dialect import Abilities, InstructionChange
from backchannel.wire.realtime.endpoint import PUBLIC
from backchannel.wire.realtime.inbound import MAX_U16, MAX_U32, MalformedError, Message, number, optional
from backchannel.wire.realtime.outbound import AGENT_PREFIX, USER_PREFIX, Json, Messages, capped, encode, prefixed, row
from backchannel.wire.realtime.session import Mode, SessionSettings, Tool
from backchannel.wire.realtime.voices import V2_VOICES, default_first

__all__ = ["V2"]

_RATE_HZ: Final = 24_000


# Outbound


class _Truncate(msgspec.Struct, tag="conversation.item.truncate", gc=False):
    item_id: str
    content_index: int
    audio_end_ms: int


_RESPONSE_CREATE: Final = (encode({"type": "response.create"}),)
_TRANSCRIPTION: Final = {"model": "gpt-4o-mini-transcribe"}


def _add_text(intent: intents.AddText) -> Messages:
    text = prefixed(USER_PREFIX, intent.text) if intent.role == "user" else intent.text
    return outbound.message_item(intent.role, text)


def _mirror(intent: intents.MirrorTyped) -> Messages:
    text = capped(prefixed(USER_PREFIX, intent.text), max_tokens=outbound.MAX_MIRRORED_TOKENS)
    return outbound.message_item("user", text)


def _agent_text(text: str) -> Messages:
    return outbound.message_item("user", capped(prefixed(AGENT_PREFIX, text)))


def _speak(intent: intents.SpeakText) -> Messages:
    return _agent_text(intent.text) if intent.text.strip() else ()


def _report(intent: intents.ReportProgress) -> Messages:
    if intent.handoff_id is None and not intent.text.strip():
        return ()
    return _agent_text(intent.text)


def _report_as_item(intent: intents.ReportAsItem) -> Messages:
    text = outbound.item_text(intent, mark=AGENT_PREFIX)
    return outbound.message_item("developer", text) if text else ()


def _finish(intent: intents.FinishHandoff) -> Messages:
    return outbound.output_item(intent.handoff_id, intent.output)


def _answer(intent: intents.AnswerCall) -> Messages:
    return outbound.output_item(intent.call_id, intent.output)


def _request_response(_: intents.RequestResponse) -> Messages:
    return _RESPONSE_CREATE


def _truncate(intent: intents.Truncate) -> Messages:
    return (encode(_Truncate(item_id=intent.item_id, content_index=0, audio_end_ms=intent.audio_end_ms)),)


def _change_instructions(intent: intents.ChangeInstructions) -> Messages:
    # What an update does not name stays as it is.
    return (encode(_update_with({"type": "realtime", "instructions": intent.instructions})),)


def _update(intent: intents.UpdateSession) -> Messages:
    return (encode(_update_with(_session(intent.settings))),)


def _update_with(session: Json) -> Json:
    return {"type": "session.update", "session": session}


def _session(settings: SessionSettings) -> Json:
    if settings.mode is Mode.TRANSCRIPTION:
        heard = {"format": outbound.PCM_FORMAT, "transcription": _TRANSCRIPTION}
        return {"type": "transcription", "audio": {"input": heard}}
    return {
        "type": "realtime",
        "instructions": settings.instructions,
        "output_modalities": [settings.modality.value],
        "audio": {
            "input": {
                "format": outbound.PCM_FORMAT,
                "noise_reduction": {"type": "near_field"},
                "transcription": _TRANSCRIPTION,
                "turn_detection": {
                    "type": "server_vad",
                    "interrupt_response": True,
                    "create_response": True,
                    "silence_duration_ms": 500,
                },
            },
            "output": {"format": outbound.PCM_FORMAT, "voice": settings.voice},
        },
        "tools": [_tool(tool) for tool in settings.tools],
        "tool_choice": "auto",
    }


def _tool(tool: Tool) -> Json:
    properties: Json = {}
    for parameter in tool.parameters:
        text: Json = {"type": "string", "description": parameter.description}
        if parameter.choices:
            text["enum"] = list(parameter.choices)
        properties[parameter.name] = text
    parameters: Json = {"type": "object", "properties": properties}
    if properties:
        parameters["required"] = list(properties)
    parameters["additionalProperties"] = False
    return {"type": "function", "name": tool.name, "description": tool.description, "parameters": parameters}


_WRITERS: Final = dict(
    (
        row(intents.AppendAudio, outbound.append_audio),
        row(intents.AddText, _add_text),
        row(intents.MirrorTyped, _mirror),
        row(intents.SpeakText, _speak),
        row(intents.ReportProgress, _report),
        row(intents.ReportAsItem, _report_as_item),
        row(intents.FinishHandoff, _finish),
        row(intents.AnswerCall, _answer),
        row(intents.RequestResponse, _request_response),
        row(intents.Truncate, _truncate),
        row(intents.ChangeInstructions, _change_instructions),
        row(intents.UpdateSession, _update),
        row(intents.CloseSession, outbound.nothing),
    )
)


# Inbound


class _Audio(Message, tag="response.output_audio.delta"):
    delta: str
    item_id: object = None
    sample_rate: object = None
    channels: object = msgspec.UNSET
    num_channels: object = None
    samples_per_channel: object = None

    def event(self) -> events.AudioOut:
        rate_hz = number(self.sample_rate, up_to=MAX_U32)
        # The second name counts only where the first is missing, not where it holds nonsense.
        channels = number(self.num_channels if self.channels is msgspec.UNSET else self.channels, up_to=MAX_U16)
        return events.AudioOut(
            data=self.delta,
            rate_hz=_RATE_HZ if rate_hz is None else rate_hz,
            channels=1 if channels is None else channels,
            samples_per_channel=number(self.samples_per_channel, up_to=MAX_U32),
            item_id=optional(self.item_id),
        )


class _LegacyAudio(_Audio, tag="response.audio.delta"):
    pass


class _SpeechStarted(Message, tag="input_audio_buffer.speech_started"):
    item_id: object = None

    def event(self) -> events.InputSpeechStarted:
        return events.InputSpeechStarted(item_id=self.item_id if isinstance(self.item_id, str) else None)


class _SpeechStopped(Message, tag="input_audio_buffer.speech_stopped"):
    # The reference does not look at it; we wait for it before the voice speaks unasked.
    item_id: object = None

    def event(self) -> events.InputSpeechStopped:
        return events.InputSpeechStopped(item_id=optional(self.item_id))


class _OutputTextDone(Message, tag="response.output_text.done"):
    text: str
    item_id: object = None

    def event(self) -> events.OutputTranscriptDone:
        return events.OutputTranscriptDone(text=self.text, item_id=optional(self.item_id))


class _ItemCreated(inbound.ItemAdded, tag="conversation.item.created"):
    pass


class _Item(msgspec.Struct, gc=False):
    type: object = None
    name: object = None
    id: object = None
    call_id: object = None
    arguments: object = None


class _ItemDone(Message, tag="conversation.item.done"):
    item: _Item

    def event(self) -> events.ItemDone | events.HandoffRequested | events.NoopRequested | events.ToolCalled:
        item = self.item
        item_id = item.id if isinstance(item.id, str) else None
        if item.type == "function_call" and isinstance(item.name, str):
            call_id = item.call_id if isinstance(item.call_id, str) and item.call_id else item_id
            if call_id is not None:
                arguments = item.arguments if isinstance(item.arguments, str) else ""
                return _called(item.name, call_id, item_id or call_id, arguments)
        if item_id is None:
            raise MalformedError("expected a string as item.id")
        return events.ItemDone(item_id=item_id)


def _called(
    name: str, call_id: str, item_id: str, arguments: str
) -> events.HandoffRequested | events.NoopRequested | events.ToolCalled:
    match name:
        case "background_agent":
            return events.HandoffRequested(handoff_id=call_id, item_id=item_id, text=_request(arguments))
        case "remain_silent":
            return events.NoopRequested(call_id=call_id, item_id=item_id)
        case _:
            return events.ToolCalled(call_id=call_id, item_id=item_id, name=name, arguments=arguments)


class _Arguments(msgspec.Struct, gc=False):
    """Where the request of a call may stand; the first that says something counts."""

    input_transcript: object = None
    input: object = None
    text: object = None
    prompt: object = None
    query: object = None


_decode_arguments: Final = msgspec.json.Decoder(_Arguments).decode


def _request(arguments: str) -> str:
    """What is asked for in a call's arguments; arguments that say it in no known way are the request themselves."""
    try:
        found = _decode_arguments(arguments)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return arguments
    for value in (found.input_transcript, found.input, found.text, found.prompt, found.query):
        # Most are missing, so that is asked first.
        if value and isinstance(value, str) and (request := value.strip()):
            return request
    return arguments


class _StatusError(msgspec.Struct, gc=False):
    message: object = None
    code: object = None


class _StatusDetails(msgspec.Struct, gc=False):
    error: _StatusError | inbound.OtherJson = None


class _Response(msgspec.Struct, gc=False):
    id: object = None
    status: object = None
    status_details: _StatusDetails | inbound.OtherJson = None

    def failure(self) -> str | None:
        """Why it failed; None when it did not."""
        if self.status != "failed":
            return None
        details = self.status_details
        error = details.error if isinstance(details, _StatusDetails) else None
        if not isinstance(error, _StatusError):
            return "it failed"
        return optional(error.message) or optional(error.code) or "it failed"


class _ResponseMessage(Message):
    response: _Response | inbound.OtherJson = None
    response_id: object = None

    def id(self) -> str | None:
        nested = optional(self.response.id) if isinstance(self.response, _Response) else None
        return optional(self.response_id) if nested is None else nested


class _ResponseCreated(_ResponseMessage, tag="response.created"):
    def event(self) -> events.ResponseCreated:
        return events.ResponseCreated(response_id=self.id())


class _ResponseCancelled(_ResponseMessage, tag="response.cancelled"):
    def event(self) -> events.ResponseCancelled:
        return events.ResponseCancelled(response_id=self.id())


class _ResponseDone(_ResponseMessage, tag="response.done"):
    def event(self) -> events.ResponseDone:
        failure = self.response.failure() if isinstance(self.response, _Response) else None
        return events.ResponseDone(response_id=self.id(), failure=failure)


class V2:
    """The v2 dialect."""

    name: Final = "v2"
    voices: Final = default_first(V2_VOICES, "marin")
    default_model: Final = "gpt-realtime-1.5"
    endpoint: Final = PUBLIC
    abilities: Final = Abilities(
        creates_responses=True,
        truncates=True,
        answers_tool_calls=True,
        carries_roles=True,
        replaces_active_handoff=False,
        names_requests=True,
        completes_transcripts=True,
        mixes_transcripts=False,
        tells_speech=True,
        waits_for_session=False,
        configures_sideband=True,
        text_modality=True,
        transcribes=True,
        initial_items=False,
        speaks_by_channel=False,
        streams_reports=False,
        instruction_change=InstructionChange.REPLACE,
        announces_close=False,
        abnormal_close_is_error=False,
    )

    encode = staticmethod(outbound.encoder(_WRITERS))
    decode = staticmethod(
        inbound.decoder(
            (
                _Audio,
                _LegacyAudio,
                inbound.InputTranscription,
                inbound.InputTranscribed,
                inbound.OutputText,
                inbound.OutputAudioTranscription,
                _OutputTextDone,
                inbound.OutputAudioTranscribed,
                _SpeechStarted,
                _SpeechStopped,
                inbound.ItemAdded,
                _ItemCreated,
                _ItemDone,
                _ResponseCreated,
                _ResponseCancelled,
                _ResponseDone,
                inbound.SessionUpdated,
                inbound.Error,
            )
        )
    )

    def call_session(self, settings: SessionSettings) -> Json:
        """The session as the creation of a call describes it."""
        return {**_session(settings), "model": settings.model or self.default_model}
