"""What a server sends while a model answers, as much of it as matters here. The same over HTTP and over a websocket.

Unknown events are passed over; one that cannot be read is too, since everything that counts comes again, whole, in an
item or at the end.

Source: app-server.md 5.2.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Final, TypeAlias

import msgspec

from backchannel.agents.responses.failures import Cause, Failure
from backchannel.agents.responses.items import Item, read_item, read_thought
from backchannel.core import TokensUsed

__all__ = [
    "Began",
    "Completed",
    "Cut",
    "ItemBegan",
    "ItemDone",
    "StreamEvent",
    "TextAdded",
    "ThoughtAdded",
    "ThoughtDone",
    "read_event",
]


@dataclasses.dataclass(frozen=True, slots=True)
class Began:
    """The server took the request."""


@dataclasses.dataclass(frozen=True, slots=True)
class ItemBegan:
    """The model began with another item."""


@dataclasses.dataclass(frozen=True, slots=True)
class TextAdded:
    """A piece of a message that is being written."""

    delta: str


@dataclasses.dataclass(frozen=True, slots=True)
class ThoughtAdded:
    """A piece of what the model tells of its thoughts."""

    delta: str
    part: int


@dataclasses.dataclass(frozen=True, slots=True)
class ThoughtDone:
    """What the model tells of a thought is complete."""

    parts: tuple[str, ...]
    item: Item | None
    """The thought itself, where it is to be sent back."""


@dataclasses.dataclass(frozen=True, slots=True)
class ItemDone:
    """An item is complete."""

    item: Item


@dataclasses.dataclass(frozen=True, slots=True)
class Completed:
    """The response is complete."""

    response_id: str | None = None
    tokens: TokensUsed | None = None
    """What it cost, where the server says so."""


@dataclasses.dataclass(frozen=True, slots=True)
class Cut:
    """The response ended before it was complete, and asking again would not help."""

    reason: str


StreamEvent: TypeAlias = (
    Began | ItemBegan | TextAdded | ThoughtAdded | ThoughtDone | ItemDone | Completed | Cut | Failure
)
"""Everything that is taken from a stream; after the last three nothing comes."""


class _Error(msgspec.Struct):
    code: str | None = None
    type: str | None = None
    message: str | None = None


class _Incomplete(msgspec.Struct):
    reason: str = "no reason given"


class _InputDetails(msgspec.Struct):
    cached_tokens: int = 0


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int = 0


class _Usage(msgspec.Struct):
    input_tokens: int = 0
    output_tokens: int = 0
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None


class _Response(msgspec.Struct):
    id: str | None = None
    error: _Error | None = None
    incomplete_details: _Incomplete | None = None
    usage: msgspec.Raw = msgspec.Raw(b"null")


class _Event(msgspec.Struct):
    type: str
    delta: str = ""
    summary_index: object = None
    item: msgspec.Raw = msgspec.Raw(b"null")
    response: _Response | None = None
    error: _Error | None = None
    code: str | None = None
    message: str | None = None
    status: int | None = None
    status_code: int | None = None


_DECODER: Final = msgspec.json.Decoder(_Event)
_TOO_LONG: Final = frozenset({"context_length_exceeded"})
_STALE: Final = frozenset({"previous_response_not_found"})
_SETTLED: Final = frozenset(
    {"insufficient_quota", "invalid_prompt", "usage_limit_reached", "usage_not_included", "model_not_found"}
)
_MAX_WORDS: Final = 300
_KEY_LIKE: Final = re.compile(r"\b(?:sk|pk|rk|ek)[-_][\w*.-]{4,}|\bBearer\s+\S+", re.IGNORECASE)
_CUT_BECAUSE: Final = {
    "max_output_tokens": "it reached the most that the model may write",
    "content_filter": "the provider's filter stopped it",
}


def read_event(raw: str | bytes) -> StreamEvent | None:
    """An event of a stream; None for one that means nothing here."""
    try:
        event = _DECODER.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    match event.type:
        case "response.created":
            return Began()
        case "response.output_item.added":
            return ItemBegan()
        case "response.output_text.delta" | "response.refusal.delta":
            return TextAdded(event.delta) if event.delta else None
        case "response.reasoning_summary_text.delta":
            part = event.summary_index
            # A truth value is no number here.
            return ThoughtAdded(event.delta, max(0, part) if type(part) is int else 0) if event.delta else None
        case "response.output_item.done":
            raw_item = bytes(event.item)
            item, thought = read_item(raw_item), read_thought(raw_item)
            if thought is not None:
                return ThoughtDone(thought, item)
            return None if item is None else ItemDone(item)
        case "response.completed" | "response.done":
            if event.response is None:
                return Completed()
            return Completed(event.response.id, _tokens(event.response.usage))
        case "response.incomplete":
            details = event.response.incomplete_details if event.response is not None else None
            reason = (details or _Incomplete()).reason
            return Cut(_CUT_BECAUSE.get(reason, _words(reason) or "no reason given"))
        case "response.failed":
            return _failure((event.response.error if event.response is not None else None) or _Error(), status=None)
        case "error":
            error = event.error or _Error(code=event.code, message=event.message)
            return _failure(error, status=event.status or event.status_code)
        case _:
            return None


def _tokens(raw: msgspec.Raw) -> TokensUsed | None:
    try:
        usage = msgspec.json.decode(raw, type=_Usage | None)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        # A number in a way of its own is no reason to lose an answer.
        return None
    if usage is None or not (usage.input_tokens or usage.output_tokens):
        return None
    return TokensUsed(
        input=usage.input_tokens,
        cached_input=(usage.input_tokens_details or _InputDetails()).cached_tokens,
        output=usage.output_tokens,
        reasoning_output=(usage.output_tokens_details or _OutputDetails()).reasoning_tokens,
    )


def _failure(error: _Error, *, status: int | None) -> Failure:
    code = error.code or error.type or ""
    if code in _TOO_LONG:
        cause = Cause.TOO_LONG
    elif code in _STALE:
        cause = Cause.STALE
    elif code in _SETTLED or (
        status is not None and 400 <= status < 500 and code != "websocket_connection_limit_reached"
    ):
        cause = Cause.SETTLED
    else:
        cause = Cause.PASSING
    said = _words(error.message or "") or _words(code)
    return Failure(cause, "the model's server reported a failure" + (f": {said}" if said else ""))


def _words(text: str) -> str:
    """A server's short words for a person, without what looks like a key."""
    words = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return "" if len(words) > _MAX_WORDS else _KEY_LIKE.sub("[left out]", words).rstrip(".")
