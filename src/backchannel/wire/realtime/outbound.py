"""Writing what is said to a server: the messages, prefixes and limits that dialects have in common.

A dialect is a table of writers, one for each kind of intent. Messages of which there are many are structs; the settings
of a session, sent once, are plain dictionaries. A text without UTF-8 (lone surrogates) is sent with question marks in
the place of what cannot be written.

Source: realtime.md 1.6, 1.7 and 5.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import msgspec

from backchannel.wire.realtime.session import Role
from backchannel.wire.tokens import fits, truncate_middle
from backchannel.wire.unicode import encodable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from backchannel.wire.realtime.intents import AppendAudio, Intent, ReportAsItem
    from backchannel.wire.realtime.session import InitialItem

__all__ = [
    "AGENT_PREFIX",
    "MAX_MIRRORED_TOKENS",
    "MAX_PIECE_BYTES",
    "MAX_REPORT_TOKENS",
    "PCM_FORMAT",
    "SURELY_ONE_PIECE",
    "USER_PREFIX",
    "CallOutput",
    "Json",
    "Messages",
    "Row",
    "TextPart",
    "append_audio",
    "capped",
    "encode",
    "encoder",
    "initial_item",
    "item_text",
    "message_item",
    "nothing",
    "output_item",
    "pieces",
    "prefixed",
    "row",
]

USER_PREFIX: Final = "[USER] "
AGENT_PREFIX: Final = "[BACKEND] "
MAX_REPORT_TOKENS: Final = 1000
MAX_MIRRORED_TOKENS: Final = 300
MAX_PIECE_BYTES: Final = 500
"""The longest text of one message in dialects that bound it."""
SURELY_ONE_PIECE: Final = MAX_PIECE_BYTES // 4
"""So many characters have no more bytes than that."""

Json: TypeAlias = dict[str, object]
Messages: TypeAlias = tuple[bytes, ...]
# A writer takes the kind of intent that its row stands for: `row` checks that, the type of a table cannot say it.
Row: TypeAlias = "tuple[type[msgspec.Struct], Callable[[Any], Messages]]"

PCM_FORMAT: Final[Json] = {"type": "audio/pcm", "rate": 24_000}

_Intent = TypeVar("_Intent", bound=msgspec.Struct)
_encoder: Final = msgspec.json.Encoder()
encode: Final = _encoder.encode


def row(kind: type[_Intent], writer: Callable[[_Intent], Messages]) -> Row:
    """One row of a dialect's table: how this kind of intent is said."""
    return kind, writer


def encoder(writers: Mapping[type[msgspec.Struct], Callable[[Any], Messages]]) -> Callable[[Intent], Messages]:
    """A function that says any intent, by a table that has a row for each."""

    def say(intent: Intent) -> Messages:
        write = writers[type(intent)]
        try:
            return write(intent)
        except UnicodeEncodeError:
            return write(msgspec.convert(encodable(msgspec.to_builtins(intent)), type(intent)))

    return say


def nothing(_: Intent) -> Messages:
    """The writer of what a dialect has no words for."""
    return ()


class TextPart(msgspec.Struct, gc=False):
    """A part of a message."""

    type: str
    text: str


class _Message(msgspec.Struct, tag="message", gc=False):
    role: Role
    content: tuple[TextPart]


class CallOutput(msgspec.Struct, tag="function_call_output", gc=False):
    """The answer to a call of a tool."""

    call_id: str
    output: str


class _CreateItem(msgspec.Struct, tag="conversation.item.create", gc=False):
    item: _Message | CallOutput


class _AppendAudio(msgspec.Struct, tag="input_audio_buffer.append", gc=False):
    audio: str


def append_audio(intent: AppendAudio) -> Messages:
    """A piece of the user's voice, as v1 and v2 say it."""
    return (encode(_AppendAudio(audio=intent.audio)),)


def message_item(role: Role, text: str) -> Messages:
    """A text in the conversation."""
    return (encode(_CreateItem(_Message(role, (_part(role, text),)))),)


def output_item(call_id: str, output: str) -> Messages:
    """The answer to a call of a tool, in at most `MAX_REPORT_TOKENS`."""
    return (encode(_CreateItem(item=CallOutput(call_id=call_id, output=capped(output)))),)


def initial_item(item: InitialItem) -> object:
    """Something that was said before the session began."""
    return _Message(item.role, (_part(item.role, item.text),))


def _part(role: Role, text: str) -> TextPart:
    return TextPart("output_text" if role == "assistant" else "input_text", text)


def prefixed(prefix: str, text: str) -> str:
    """The text behind a prefix, which is neither doubled nor put before nothing."""
    if not text:
        return text
    # Looking for it anywhere is much quicker than the call, which is then hardly ever needed.
    return text if prefix in text and text.startswith(prefix) else prefix + text


def capped(text: str, *, max_tokens: int = MAX_REPORT_TOKENS) -> str:
    """The text, its middle left out where it is too long."""
    # No character has more bytes than a token stands for.
    return text if len(text) <= max_tokens else truncate_middle(text, max_tokens=max_tokens)


def item_text(intent: ReportAsItem, *, mark: str = "") -> str:
    """The text of what is reported as a developer's message, with the agent's mark before what it said.

    Empty when there is nothing to report.
    """
    if not intent.text.strip():
        return ""
    said = capped(prefixed(mark, intent.text))
    return capped(f"{intent.prefix}\n\n{said}") if intent.prefix else said


def pieces(text: str) -> tuple[str, ...]:
    """The text in pieces of at most `MAX_PIECE_BYTES` of UTF-8, no character cut; an empty text is one piece."""
    if fits(text, MAX_PIECE_BYTES):
        return (text,)
    data = text.encode("utf-8", "replace")
    found = []
    start = 0
    while start < len(data):
        end = min(start + MAX_PIECE_BYTES, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1
        found.append(data[start:end].decode())
        start = end
    return tuple(found)
