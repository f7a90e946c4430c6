"""Reading what a server says: leniently, and in one decoding.

Each kind of message is a struct. A required field has its type, and a message without it is dropped; an optional field
may hold any JSON, and takes its default where that is of another type. So leniency is the normal path, which costs
neither a second decoding nor checks of what msgspec has checked. A dialect is a table of such structs, among which
msgspec chooses by the message's type.

The messages that several dialects have in common stand here.

Source: realtime.md 1.8.
"""

from __future__ import annotations

import functools
import operator
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from backchannel.wire.realtime import events

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "MAX_U16",
    "MAX_U32",
    "Error",
    "InputTranscribed",
    "InputTranscription",
    "ItemAdded",
    "MalformedError",
    "Message",
    "OtherJson",
    "OutputAudioTranscribed",
    "OutputAudioTranscription",
    "OutputText",
    "SessionUpdated",
    "decoder",
    "number",
    "optional",
]

MAX_U32: Final = 2**32 - 1
MAX_U16: Final = 2**16 - 1

OtherJson: TypeAlias = str | bool | int | float | list[msgspec.Raw] | None
"""What may stand where an object is expected that is optional, or of which something is."""


class MalformedError(Exception):
    """A required field is missing or has the wrong type, in a way that no type of ours can say."""


class Message(msgspec.Struct, gc=False):
    """One kind of message, told from others by its tag.

    Instances live for the length of one decoding and hold no cycles, so the garbage collector need not know them.
    """

    def event(self) -> events.Event | events.Skipped:
        """What it means.

        Raises:
            MalformedError: A required field is missing or has the wrong type.
        """
        raise AssertionError("every kind of message says what it means")


def decoder(messages: tuple[type[Message], ...]) -> Callable[[str | bytes], events.Event | events.Skipped]:
    """A function that reads these messages: any bytes give an event or `Skipped`, never an exception."""
    known: msgspec.json.Decoder[Message] = msgspec.json.Decoder(functools.reduce(operator.or_, messages))
    decode_known = known.decode
    kinds = frozenset(str(message.__struct_config__.tag) for message in messages)

    def decode(message: str | bytes) -> events.Event | events.Skipped:
        try:
            return decode_known(message).event()
        except (MalformedError, msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
            return _skipped(message, kinds, exc)

    return decode


class _AnyMessage(msgspec.Struct):
    """As much as every message has."""

    type: str


_MAX_KIND: Final = 100
"""A longer type is none that a person knows."""
_any_decoder: Final = msgspec.json.Decoder(_AnyMessage)
_encoder: Final = msgspec.json.Encoder()


def _skipped(message: str | bytes, kinds: frozenset[str], why: Exception) -> events.Skipped:
    try:
        kind = _any_decoder.decode(message).type
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return events.Skipped(kind="?", malformed="not a JSON object with a type")
    if kind not in kinds:
        return events.Skipped(kind=_shown(kind))
    # The reason names fields and types, never what stands in them; but of two types it would quote the other one.
    reason = str(why)
    return events.Skipped(kind=kind, malformed="it has two types" if reason.startswith("Invalid value") else reason)


def _shown(kind: str) -> str:
    """An unknown type, which may be anything, as it can stand in a line of a log."""
    return "".join(each if each.isprintable() else "?" for each in kind[:_MAX_KIND])


def optional(value: object) -> str | None:
    """A string, or None in the place of everything else."""
    return value if isinstance(value, str) else None


def number(value: object, *, up_to: int) -> int | None:
    """A whole number from 0, or None in the place of everything else."""
    # `isinstance` would take a bool for an int too.
    return value if type(value) is int and 0 <= value <= up_to else None


class _Session(msgspec.Struct, gc=False):
    id: str
    instructions: object = None


class SessionUpdated(Message, tag="session.updated"):
    """The settings were taken."""

    session: _Session

    def event(self) -> events.SessionUpdated:
        """What it means."""
        return events.SessionUpdated(session_id=self.session.id, instructions=optional(self.session.instructions))


class InputTranscription(Message, tag="conversation.item.input_audio_transcription.delta"):
    """A piece of what the user said."""

    delta: str
    item_id: object = None

    def event(self) -> events.InputTranscriptDelta:
        """What it means."""
        return events.InputTranscriptDelta(delta=self.delta, item_id=optional(self.item_id))


class InputTranscribed(Message, tag="conversation.item.input_audio_transcription.completed"):
    """What the user said, whole."""

    transcript: str
    item_id: object = None

    def event(self) -> events.InputTranscriptDone:
        """What it means."""
        return events.InputTranscriptDone(text=self.transcript, item_id=optional(self.item_id))


class OutputText(Message, tag="response.output_text.delta"):
    """A piece of what the assistant answers, in text."""

    delta: str
    item_id: object = None

    def event(self) -> events.OutputTranscriptDelta:
        """What it means."""
        return events.OutputTranscriptDelta(delta=self.delta, item_id=optional(self.item_id))


class OutputAudioTranscription(OutputText, tag="response.output_audio_transcript.delta"):
    """A piece of what the assistant says."""


class OutputAudioTranscribed(Message, tag="response.output_audio_transcript.done"):
    """What the assistant said, whole."""

    transcript: str
    item_id: object = None

    def event(self) -> events.OutputTranscriptDone:
        """What it means."""
        return events.OutputTranscriptDone(text=self.transcript, item_id=optional(self.item_id))


class _Place(msgspec.Struct, gc=False):
    id: object = None


_decode_place: Final = msgspec.json.Decoder(_Place).decode


class ItemAdded(Message, tag="conversation.item.added"):
    """Something was added to the conversation."""

    item: msgspec.Raw
    previous_item_id: object = None

    def event(self) -> events.ItemAdded:
        """What it means."""
        after_item_id = optional(self.previous_item_id)
        try:
            place = _decode_place(self.item)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            # Whatever an item is, it is handed on; only where it stands is not known then.
            return events.ItemAdded(item=self.item, after_item_id=after_item_id)
        return events.ItemAdded(item=self.item, item_id=optional(place.id), after_item_id=after_item_id)


class Error(Message, tag="error"):
    """Something went wrong."""

    error: object = msgspec.UNSET
    message: object = None

    def event(self) -> events.ServerError:
        """What it means: the best text that there is."""
        fields: dict[object, object] = self.error if isinstance(self.error, dict) else {}
        message = optional(self.message)
        if message is None:
            message = optional(fields.get("message"))
        if message is None:
            if self.error is msgspec.UNSET:
                raise MalformedError("there is neither a message nor an error")
            message = _encoder.encode(self.error).decode()
        return events.ServerError(message=message, code=optional(fields.get("code")))
