"""The wire of the public Realtime protocol, seen from the server: client events in, server events out. Pure.

Everything a client may send is decoded here into one closed union; what does not fit becomes an `Invalid` that says
what, where and why, so that the session can answer with an `error` event and go on. Items are in `items.py`.

Source: the public GA protocol as realtime.md 1.6, 1.7 and 1.10 use it. Differences that a client can notice: audio is
24 kHz PCM only, `max_output_tokens` and the like are accepted and ignored, usage is not counted.

The file is long because it is one vocabulary: some three dozen kinds of message and their parts.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from backchannel.engine.items import (
    Item,
    NewItem,
)

__all__ = [
    "MAX_MESSAGE_BYTES",
    "AppendAudio",
    "AudioFormat",
    "AudioSettings",
    "BufferCleared",
    "BufferCommitted",
    "CancelResponse",
    "ClearBuffer",
    "ClientEvent",
    "CommitBuffer",
    "ContentPartAdded",
    "ContentPartDone",
    "CreateItem",
    "CreateResponse",
    "DeleteItem",
    "ErrorBody",
    "ErrorEvent",
    "FunctionArgumentsDelta",
    "FunctionArgumentsDone",
    "InputSettings",
    "Invalid",
    "ItemAdded",
    "ItemDeleted",
    "ItemDone",
    "ItemRetrieved",
    "ItemTruncated",
    "NoiseReduction",
    "OutputAudioDelta",
    "OutputAudioDone",
    "OutputItemAdded",
    "OutputItemDone",
    "OutputSettings",
    "OutputTextDelta",
    "OutputTextDone",
    "OutputTranscriptDelta",
    "OutputTranscriptDone",
    "Part",
    "ResponseAudio",
    "ResponseAudioOutput",
    "ResponseBody",
    "ResponseCreated",
    "ResponseDone",
    "ResponseOptions",
    "RetrieveItem",
    "ServerEvent",
    "SessionBody",
    "SessionCreated",
    "SessionPatch",
    "SessionUpdated",
    "SpeechStarted",
    "SpeechStopped",
    "StatusDetails",
    "StatusError",
    "Tool",
    "ToolChoice",
    "Transcription",
    "TranscriptionCompleted",
    "TranscriptionDelta",
    "TranscriptionFailed",
    "TruncateItem",
    "TurnDetection",
    "UpdateSession",
    "decode",
    "encode",
]

MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024
"""The largest client event that is read: over a minute of audio in one piece. (The public API takes 15 MiB.)"""

Modality: TypeAlias = Literal["audio", "text"]


# ---- settings ------------------------------------------------------------------------------------------------


class AudioFormat(msgspec.Struct, frozen=True, kw_only=True):
    """How samples are coded; there is one way."""

    type: Literal["audio/pcm"] = "audio/pcm"
    rate: Literal[24000] = 24000


class Transcription(msgspec.Struct, frozen=True, kw_only=True):
    """That the user's speech is written down for the client. The names of models mean nothing here."""

    model: str | None = None
    language: str | None = None
    prompt: str | None = None


class NoiseReduction(msgspec.Struct, frozen=True, kw_only=True):
    """Accepted and echoed; there is no such filter here."""

    type: Literal["near_field", "far_field"]


class TurnDetection(msgspec.Struct, frozen=True, kw_only=True):
    """When the server takes the user's turn as begun and ended; what is absent keeps its value."""

    type: Literal["server_vad", "semantic_vad"] = "server_vad"
    threshold: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] | None = None
    prefix_padding_ms: Annotated[int, msgspec.Meta(ge=0, le=5000)] | None = None
    silence_duration_ms: Annotated[int, msgspec.Meta(ge=50, le=10_000)] | None = None
    create_response: bool | None = None
    interrupt_response: bool | None = None


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A function that the client offers."""

    type: Literal["function"] = "function"
    name: str
    description: str | None = None
    parameters: dict[str, object] = msgspec.field(default_factory=dict)
    """A JSON Schema, which is echoed and not read."""


class NamedTool(msgspec.Struct, frozen=True, kw_only=True):
    """The one tool that is to be called."""

    type: Literal["function"] = "function"
    name: str


ToolChoice: TypeAlias = Literal["auto", "none", "required"] | NamedTool


class InputPatch(msgspec.Struct, frozen=True, kw_only=True):
    """`session.audio.input` of an update."""

    format: AudioFormat | UnsetType | None = UNSET
    transcription: Transcription | UnsetType | None = UNSET
    noise_reduction: NoiseReduction | UnsetType | None = UNSET
    turn_detection: TurnDetection | UnsetType | None = UNSET


class OutputPatch(msgspec.Struct, frozen=True, kw_only=True):
    """`session.audio.output` of an update."""

    format: AudioFormat | UnsetType | None = UNSET
    voice: str | UnsetType = UNSET


class AudioPatch(msgspec.Struct, frozen=True, kw_only=True):
    """`session.audio` of an update."""

    input: InputPatch | UnsetType = UNSET
    output: OutputPatch | UnsetType = UNSET


class SessionPatch(msgspec.Struct, frozen=True, kw_only=True):
    """`session` of an update: what is absent keeps its value."""

    type: Literal["realtime", "transcription"] | UnsetType = UNSET
    instructions: str | UnsetType = UNSET
    output_modalities: Annotated[list[Modality], msgspec.Meta(min_length=1, max_length=1)] | UnsetType = UNSET
    audio: AudioPatch | UnsetType = UNSET
    tools: Annotated[list[Tool], msgspec.Meta(max_length=128)] | UnsetType = UNSET
    tool_choice: ToolChoice | UnsetType = UNSET


class InputSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`session.audio.input` as it stands."""

    format: AudioFormat = AudioFormat()
    transcription: Transcription | None = None
    noise_reduction: NoiseReduction | None = None
    turn_detection: TurnDetection | None = None


class OutputSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`session.audio.output` as it stands."""

    format: AudioFormat = AudioFormat()
    voice: str = "marin"
    speed: float = 1.0


class AudioSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`session.audio` as it stands."""

    input: InputSettings = InputSettings()
    output: OutputSettings = OutputSettings()


class SessionBody(msgspec.Struct, frozen=True, kw_only=True):
    """A session's settings as they stand."""

    id: str
    object: Literal["realtime.session"] = "realtime.session"
    type: Literal["realtime", "transcription"] = "realtime"
    model: str
    instructions: str = ""
    output_modalities: list[Modality] = msgspec.field(default_factory=lambda: list[Modality](["audio"]))
    audio: AudioSettings = AudioSettings()
    tools: list[Tool] = msgspec.field(default_factory=list)
    tool_choice: ToolChoice = "auto"
    max_output_tokens: int | Literal["inf"] = "inf"


# ---- client events -------------------------------------------------------------------------------------------


class _ClientEvent(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    event_id: str | None = None


class UpdateSession(_ClientEvent, frozen=True, kw_only=True, tag="session.update"):
    """Change settings."""

    session: SessionPatch


class AppendAudio(_ClientEvent, frozen=True, kw_only=True, tag="input_audio_buffer.append"):
    """More of what the microphone hears; base64 on the wire."""

    audio: bytes


class CommitBuffer(_ClientEvent, frozen=True, kw_only=True, tag="input_audio_buffer.commit"):
    """The user's turn ends here."""


class ClearBuffer(_ClientEvent, frozen=True, kw_only=True, tag="input_audio_buffer.clear"):
    """Forget the audio that is not committed."""


class CreateItem(_ClientEvent, frozen=True, kw_only=True, tag="conversation.item.create"):
    """Put something into the conversation."""

    item: NewItem
    previous_item_id: str | None = None


class RetrieveItem(_ClientEvent, frozen=True, kw_only=True, tag="conversation.item.retrieve"):
    """Show an item as the server has it."""

    item_id: str


class DeleteItem(_ClientEvent, frozen=True, kw_only=True, tag="conversation.item.delete"):
    """Take an item out of the conversation."""

    item_id: str


class TruncateItem(_ClientEvent, frozen=True, kw_only=True, tag="conversation.item.truncate"):
    """The user heard this much of the assistant's speech and no more."""

    item_id: str
    content_index: int = 0
    audio_end_ms: Annotated[int, msgspec.Meta(ge=0)]


class ResponseOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a response does otherwise than the session says."""

    output_modalities: Annotated[list[Modality], msgspec.Meta(min_length=1, max_length=1)] | None = None
    tools: Annotated[list[Tool], msgspec.Meta(max_length=128)] | None = None
    tool_choice: ToolChoice | None = None
    conversation: Literal["auto"] = "auto"
    metadata: Annotated[dict[str, str], msgspec.Meta(max_length=16)] | None = None


class CreateResponse(_ClientEvent, frozen=True, kw_only=True, tag="response.create"):
    """Say or do what there is to be said or done."""

    response: ResponseOptions | None = None


class CancelResponse(_ClientEvent, frozen=True, kw_only=True, tag="response.cancel"):
    """Stop the active response."""

    response_id: str | None = None


ClientEvent: TypeAlias = (
    UpdateSession
    | AppendAudio
    | CommitBuffer
    | ClearBuffer
    | CreateItem
    | RetrieveItem
    | DeleteItem
    | TruncateItem
    | CreateResponse
    | CancelResponse
)


class Invalid(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is no client event; it is answered by an `error` event."""

    code: str
    message: str
    param: str | None = None
    event_id: str | None = None


# ---- server events -------------------------------------------------------------------------------------------


class _ServerEvent(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    event_id: str = ""
    """Given by `encode`."""


class _ResponseEvent(_ServerEvent, frozen=True, kw_only=True):
    response_id: str
    output_index: int


class _PartEvent(_ResponseEvent, frozen=True, kw_only=True):
    item_id: str
    content_index: int = 0


class SessionCreated(_ServerEvent, frozen=True, kw_only=True, tag="session.created"):
    """The first event of a session."""

    session: SessionBody


class SessionUpdated(_ServerEvent, frozen=True, kw_only=True, tag="session.updated"):
    """The settings as they are after an update."""

    session: SessionBody


class SpeechStarted(_ServerEvent, frozen=True, kw_only=True, tag="input_audio_buffer.speech_started"):
    """The user began to speak; the item will have this id."""

    audio_start_ms: int
    item_id: str


class SpeechStopped(_ServerEvent, frozen=True, kw_only=True, tag="input_audio_buffer.speech_stopped"):
    """The user's turn is over."""

    audio_end_ms: int
    item_id: str


class BufferCommitted(_ServerEvent, frozen=True, kw_only=True, tag="input_audio_buffer.committed"):
    """The buffered audio is an item now."""

    previous_item_id: str | None
    item_id: str


class BufferCleared(_ServerEvent, frozen=True, kw_only=True, tag="input_audio_buffer.cleared"):
    """The buffered audio is forgotten."""


class ItemAdded(_ServerEvent, frozen=True, kw_only=True, tag="conversation.item.added"):
    """An item is in the conversation, perhaps still growing."""

    previous_item_id: str | None
    item: Item


class ItemDone(_ServerEvent, frozen=True, kw_only=True, tag="conversation.item.done"):
    """An item grows no more."""

    previous_item_id: str | None
    item: Item


class ItemRetrieved(_ServerEvent, frozen=True, kw_only=True, tag="conversation.item.retrieved"):
    """An item as the server has it."""

    item: Item


class ItemDeleted(_ServerEvent, frozen=True, kw_only=True, tag="conversation.item.deleted"):
    """An item is gone."""

    item_id: str


class ItemTruncated(_ServerEvent, frozen=True, kw_only=True, tag="conversation.item.truncated"):
    """An item of speech ends here."""

    item_id: str
    content_index: int
    audio_end_ms: int


class TranscriptionDelta(
    _ServerEvent, frozen=True, kw_only=True, tag="conversation.item.input_audio_transcription.delta"
):
    """A piece of what the user said."""

    item_id: str
    content_index: int = 0
    delta: str


class TranscriptionCompleted(
    _ServerEvent, frozen=True, kw_only=True, tag="conversation.item.input_audio_transcription.completed"
):
    """What the user said."""

    item_id: str
    content_index: int = 0
    transcript: str


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong, whose fault it was (`type`), and with what."""

    type: Literal["invalid_request_error", "server_error"]
    code: str | None
    message: str
    param: str | None = None
    event_id: str | None = None
    """The client's id of its event that caused this."""


class TranscriptionFailed(
    _ServerEvent, frozen=True, kw_only=True, tag="conversation.item.input_audio_transcription.failed"
):
    """The recogniser failed on this item."""

    item_id: str
    content_index: int = 0
    error: ErrorBody


class StatusError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a response failed."""

    type: str
    code: str


class StatusDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Why a response is not complete."""

    type: Literal["cancelled", "failed"]
    reason: Literal["turn_detected", "client_cancelled"] | UnsetType = UNSET
    error: StatusError | UnsetType = UNSET


class ResponseAudioOutput(msgspec.Struct, frozen=True, kw_only=True):
    """`response.audio.output`."""

    format: AudioFormat = AudioFormat()
    voice: str


class ResponseAudio(msgspec.Struct, frozen=True, kw_only=True):
    """`response.audio`."""

    output: ResponseAudioOutput


class ResponseBody(msgspec.Struct, frozen=True, kw_only=True):
    """A response as it stands."""

    id: str
    object: Literal["realtime.response"] = "realtime.response"
    conversation_id: str
    status: Literal["in_progress", "completed", "cancelled", "failed"]
    status_details: StatusDetails | None = None
    output: list[Item] = msgspec.field(default_factory=list)
    output_modalities: list[Modality]
    audio: ResponseAudio
    max_output_tokens: int | Literal["inf"] = "inf"
    usage: None = None
    metadata: dict[str, str] | None = None


class ResponseCreated(_ServerEvent, frozen=True, kw_only=True, tag="response.created"):
    """A response begins."""

    response: ResponseBody


class ResponseDone(_ServerEvent, frozen=True, kw_only=True, tag="response.done"):
    """A response is over, however it ended."""

    response: ResponseBody


class OutputItemAdded(_ResponseEvent, frozen=True, kw_only=True, tag="response.output_item.added"):
    """The response begins an item."""

    item: Item


class OutputItemDone(_ResponseEvent, frozen=True, kw_only=True, tag="response.output_item.done"):
    """The response is done with an item."""

    item: Item


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a message's content, as the response's events show it."""

    type: Literal["audio", "text"]
    text: str | UnsetType = UNSET
    transcript: str | UnsetType = UNSET


class ContentPartAdded(_PartEvent, frozen=True, kw_only=True, tag="response.content_part.added"):
    """A message begins a part."""

    part: Part


class ContentPartDone(_PartEvent, frozen=True, kw_only=True, tag="response.content_part.done"):
    """A part is complete."""

    part: Part


class OutputAudioDelta(_PartEvent, frozen=True, kw_only=True, tag="response.output_audio.delta"):
    """A piece of speech: 24 kHz mono PCM16; base64 on the wire."""

    delta: bytes


class OutputAudioDone(_PartEvent, frozen=True, kw_only=True, tag="response.output_audio.done"):
    """The speech of this part is complete."""


class OutputTranscriptDelta(_PartEvent, frozen=True, kw_only=True, tag="response.output_audio_transcript.delta"):
    """Words that the speech says."""

    delta: str


class OutputTranscriptDone(_PartEvent, frozen=True, kw_only=True, tag="response.output_audio_transcript.done"):
    """All the words of the speech."""

    transcript: str


class OutputTextDelta(_PartEvent, frozen=True, kw_only=True, tag="response.output_text.delta"):
    """Words of a written answer."""

    delta: str


class OutputTextDone(_PartEvent, frozen=True, kw_only=True, tag="response.output_text.done"):
    """All the words of a written answer."""

    text: str


class FunctionArgumentsDelta(_ResponseEvent, frozen=True, kw_only=True, tag="response.function_call_arguments.delta"):
    """A piece of a call's arguments."""

    item_id: str
    call_id: str
    delta: str


class FunctionArgumentsDone(_ResponseEvent, frozen=True, kw_only=True, tag="response.function_call_arguments.done"):
    """A call's arguments are complete."""

    item_id: str
    call_id: str
    name: str
    arguments: str


class ErrorEvent(_ServerEvent, frozen=True, kw_only=True, tag="error"):
    """Something was wrong; the session goes on."""

    error: ErrorBody


ServerEvent: TypeAlias = (
    SessionCreated
    | SessionUpdated
    | SpeechStarted
    | SpeechStopped
    | BufferCommitted
    | BufferCleared
    | ItemAdded
    | ItemDone
    | ItemRetrieved
    | ItemDeleted
    | ItemTruncated
    | TranscriptionDelta
    | TranscriptionCompleted
    | TranscriptionFailed
    | ResponseCreated
    | ResponseDone
    | OutputItemAdded
    | OutputItemDone
    | ContentPartAdded
    | ContentPartDone
    | OutputAudioDelta
    | OutputAudioDone
    | OutputTranscriptDelta
    | OutputTranscriptDone
    | OutputTextDelta
    | OutputTextDone
    | FunctionArgumentsDelta
    | FunctionArgumentsDone
    | ErrorEvent
)


# ---- codec ---------------------------------------------------------------------------------------------------


_decoder: Final[msgspec.json.Decoder[ClientEvent]] = msgspec.json.Decoder(ClientEvent)
_any_decoder: Final = msgspec.json.Decoder()
_encoder: Final = msgspec.json.Encoder()
_AT: Final = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?$", re.DOTALL)
_MISSING: Final = re.compile(r"missing required field `(?P<name>[^`]*)`")
_MAX_SHOWN: Final = 200


def decode(text: str) -> ClientEvent | Invalid:
    """What a client's text message asks for."""
    try:
        return _decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
        return _diagnose(text, str(exc))


def encode(event: ServerEvent, event_id: str) -> str:
    """The text message of an event."""
    numbered = msgspec.structs.replace(event, event_id=event_id)
    try:
        return _encoder.encode(numbered).decode()
    except UnicodeEncodeError:
        # Half of a surrogate pair, from a client's `\\ud800`, has no UTF-8; the readers see a question mark instead.
        return _encoder.encode(_without_surrogates(msgspec.to_builtins(numbered))).decode()


def _diagnose(text: str, reason: str) -> Invalid:
    try:
        value = _any_decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return Invalid(code="invalid_json", message="The message is not valid JSON.")
    if not isinstance(value, dict):
        return Invalid(code="invalid_type", message="The message is not a JSON object.")
    given = value.get("event_id")
    event_id = given if isinstance(given, str) else None
    if not isinstance(value.get("type"), str):
        return Invalid(
            code="missing_required_parameter", message="Missing parameter: 'type'.", param="type", event_id=event_id
        )
    match = _AT.match(reason)
    if match is None:
        raise AssertionError("the pattern matches any text")
    what, path = match["what"], match["path"] or ""
    missing = _MISSING.search(what)
    if missing is not None:
        param = f"{path}.{missing['name']}" if path else missing["name"]
        return Invalid(
            code="missing_required_parameter",
            message=f"Missing parameter: '{param}'.",
            param=param,
            event_id=event_id,
        )
    code = "invalid_type" if "got `" in what else "invalid_value"
    return Invalid(
        code=code,
        message=f"Invalid {path or 'message'}: {what[:_MAX_SHOWN]}.",
        param=path or None,
        event_id=event_id,
    )


def _without_surrogates(value: object) -> object:
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case dict():
            return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
        case list() | tuple():
            return [_without_surrogates(item) for item in value]
        case _:
            return value
