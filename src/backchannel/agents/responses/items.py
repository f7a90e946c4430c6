"""What a model is told and what it answers: the items of a conversation, as the Responses API has them.

An item that came from the server is sent back as it came, without its id and its status: nothing is stored there, so an
id would name nothing.

Source: app-server.md 5.2 and 6.4.
"""

from __future__ import annotations

import dataclasses
import enum
import json
from typing import Final, Literal, TypeAlias, assert_never

import msgspec

__all__ = [
    "Call",
    "Item",
    "Kept",
    "Output",
    "Said",
    "Spoken",
    "SpokenPhase",
    "encode_item",
    "read_item",
    "size_of",
    "spoken",
]

_NOT_SENT_BACK: Final = ("id", "status")


class SpokenPhase(enum.Enum):
    """What the model says a message of its own is."""

    COMMENTARY = "commentary"
    FINAL = "final_answer"


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """A message to the model."""

    role: Literal["user", "developer"]
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Spoken:
    """A message of the model."""

    text: str
    json: str = dataclasses.field(repr=False)
    phase: SpokenPhase | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """The model wants a tool to be used."""

    call_id: str
    name: str
    arguments: str
    """JSON; of a freeform tool any text."""
    json: str = dataclasses.field(repr=False)
    is_freeform: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Output:
    """What came of a call."""

    call_id: str
    text: str
    is_freeform: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """Anything else of the model that it wants back, such as what it thought."""

    json: str = dataclasses.field(repr=False)


Item: TypeAlias = Said | Spoken | Call | Output | Kept
"""Everything that a conversation with a model consists of."""


class _Content(msgspec.Struct):
    text: str = ""
    refusal: str = ""


class _Message(msgspec.Struct, tag="message"):
    content: list[_Content] = []
    phase: str | None = None


class _FunctionCall(msgspec.Struct, tag="function_call"):
    call_id: str
    name: str
    arguments: str = ""


class _CustomCall(msgspec.Struct, tag="custom_tool_call"):
    call_id: str
    name: str
    input: str = ""


class _Reasoning(msgspec.Struct, tag="reasoning"):
    encrypted_content: str | None = None


_DECODER: Final = msgspec.json.Decoder(_Message | _FunctionCall | _CustomCall | _Reasoning)


class _Thought(msgspec.Struct):
    type: str = ""
    summary: object = None


_THOUGHT: Final = msgspec.json.Decoder(_Thought)


def read_item(raw: bytes) -> Item | None:
    """An item of a response; None for one that means nothing here or cannot be sent back."""
    item: _Message | _FunctionCall | _CustomCall | _Reasoning
    try:
        item = _DECODER.decode(raw)
        sent_back = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    for name in _NOT_SENT_BACK:
        sent_back.pop(name, None)
    text = msgspec.json.encode(sent_back).decode()
    match item:
        case _Message(content=content, phase=phase):
            words = "".join(part.text or part.refusal for part in content)
            known = {each.value: each for each in SpokenPhase}
            return Spoken(words, text, known.get(phase or "")) if words.strip() else None
        case _FunctionCall(call_id=call_id, name=name, arguments=arguments):
            return Call(call_id, name, arguments, text)
        case _CustomCall(call_id=call_id, name=name, input=arguments):
            return Call(call_id, name, arguments, text, is_freeform=True)
        case _Reasoning(encrypted_content=encrypted):
            # Without its content, which only the server can read, it would be a name for something that is not kept.
            return Kept(text) if encrypted else None
        case _ as unreachable:
            assert_never(unreachable)


def read_thought(raw: bytes) -> tuple[str, ...] | None:
    """What the model tells of a thought, in parts; None for an item that is none."""
    try:
        item = _THOUGHT.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    if item.type != "reasoning":
        return None
    parts = item.summary if isinstance(item.summary, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return tuple(text for text in texts if isinstance(text, str) and text.strip())


def spoken(text: str, phase: SpokenPhase) -> Spoken:
    """A message of the model that it does not remember itself."""
    content = [{"type": "output_text", "text": text}]
    message = {"type": "message", "role": "assistant", "content": content, "phase": phase.value}
    return Spoken(text, _encode(message).decode(), phase)


def encode_item(item: Item) -> bytes:
    """An item as it is sent."""
    match item:
        case Spoken(json=text) | Call(json=text) | Kept(json=text):
            return text.encode()
        case Said(role=role, text=text):
            content = [{"type": "input_text", "text": text}]
            return _encode({"type": "message", "role": role, "content": content})
        case Output(call_id=call_id, text=text, is_freeform=is_freeform):
            kind = "custom_tool_call_output" if is_freeform else "function_call_output"
            return _encode({"type": kind, "call_id": call_id, "output": text})
        case _ as unreachable:
            assert_never(unreachable)


def size_of(item: Item) -> int:
    """How much of a request it takes, in bytes."""
    return len(encode_item(item))


def _encode(value: object) -> bytes:
    # Half a surrogate pair has no UTF-8; the escape that JSON has for it is taken by every server.
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(value).encode()
