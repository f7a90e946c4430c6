"""The items of a conversation as the Realtime protocol shows them, and the conversation that holds them. Pure."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias, assert_never

import msgspec
from msgspec import UNSET, UnsetType

__all__ = [
    "MAX_ITEMS",
    "MAX_TEXT_CHARS",
    "ContentPart",
    "Conversation",
    "FunctionCallItem",
    "FunctionCallOutputItem",
    "Item",
    "MessageItem",
    "NewFunctionCall",
    "NewFunctionCallOutput",
    "NewItem",
    "NewMessage",
    "NewPart",
    "created_item",
]

MAX_ITEMS: Final = 1000
"""A conversation that grows beyond this forgets its oldest items."""

MAX_TEXT_CHARS: Final = 65_536
"""No text that a client puts into the conversation is longer."""

Words: TypeAlias = Annotated[str, msgspec.Meta(max_length=MAX_TEXT_CHARS)]
Role: TypeAlias = Literal["user", "assistant", "system", "developer"]
Status: TypeAlias = Literal["in_progress", "completed", "incomplete"]


class NewPart(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of content that a client puts into a message."""

    type: Literal["input_text", "output_text", "text", "input_audio", "output_audio"]
    text: Words | None = None
    transcript: Words | None = None


class NewMessage(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="message"):
    """A message that a client creates."""

    id: str | None = None
    role: Role
    content: Annotated[list[NewPart], msgspec.Meta(max_length=8)]


class NewFunctionCall(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="function_call"):
    """A call that a client restores from an earlier session."""

    id: str | None = None
    call_id: str | None = None
    name: str
    arguments: Words


class NewFunctionCallOutput(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="function_call_output"):
    """The answer of a call."""

    id: str | None = None
    call_id: str
    output: Words


NewItem: TypeAlias = NewMessage | NewFunctionCall | NewFunctionCallOutput


class ContentPart(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a message's content."""

    type: Literal["input_text", "output_text", "text", "input_audio", "output_audio"]
    text: str | UnsetType = UNSET
    transcript: str | UnsetType | None = UNSET


class MessageItem(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="message"):
    """Something said or written."""

    id: str
    object: Literal["realtime.item"] = "realtime.item"
    status: Status = "completed"
    role: Role
    content: list[ContentPart]

    @property
    def text(self) -> str:
        """All its words."""
        return "".join(part.text or part.transcript or "" for part in self.content)


class FunctionCallItem(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="function_call"):
    """A tool that the assistant calls."""

    id: str
    object: Literal["realtime.item"] = "realtime.item"
    status: Status = "completed"
    call_id: str
    name: str
    arguments: str


class FunctionCallOutputItem(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="function_call_output"):
    """What a tool answered."""

    id: str
    object: Literal["realtime.item"] = "realtime.item"
    status: Status = "completed"
    call_id: str
    output: str


Item: TypeAlias = MessageItem | FunctionCallItem | FunctionCallOutputItem


class Conversation:
    """The items in their order; beyond `MAX_ITEMS` the oldest goes."""

    def __init__(self) -> None:
        self._items: dict[str, Item] = {}
        self._order: list[str] = []

    def __len__(self) -> int:
        return len(self._order)

    @property
    def last_id(self) -> str | None:
        """The id of the newest item, None while there is none."""
        return self._order[-1] if self._order else None

    def get(self, item_id: str) -> Item | None:
        """The item of this id."""
        return self._items.get(item_id)

    def before(self, item_id: str) -> str | None:
        """The id of the item that stands before this one; None for the first, and for one that is gone."""
        at = self._order.index(item_id) if item_id in self._items else 0
        return self._order[at - 1] if at else None

    def add(self, item: Item, *, after: str | None = None) -> str | None:
        """Put a new item at the end, or behind the item `after` (`root`: at the front).

        Returns:
            The id of the item before it.
        """
        at = len(self._order) if after is None else 0 if after == "root" else self._order.index(after) + 1
        self._items[item.id] = item
        self._order.insert(at, item.id)
        previous = self._order[at - 1] if at else None
        if len(self._order) > MAX_ITEMS:
            del self._items[self._order.pop(0)]
        return previous

    def replace(self, item: Item) -> None:
        """Put this in the place of the item with its id; do nothing when that one is gone."""
        if item.id in self._items:
            self._items[item.id] = item

    def delete(self, item_id: str) -> None:
        """Take an item out."""
        del self._items[item_id]
        self._order.remove(item_id)


def created_item(item: NewItem, *, item_id: str, call_id: str) -> Item:
    """The item as the conversation holds it; the ids are for those that the client left out."""
    item_id = item.id or item_id
    match item:
        case NewMessage(role=role, content=content):
            return MessageItem(id=item_id, role=role, content=[_new_part(part) for part in content])
        case NewFunctionCall(call_id=given, name=name, arguments=arguments):
            return FunctionCallItem(id=item_id, call_id=given or call_id, name=name, arguments=arguments)
        case NewFunctionCallOutput(call_id=answered, output=output):
            return FunctionCallOutputItem(id=item_id, call_id=answered, output=output)
    assert_never(item)


def _new_part(part: NewPart) -> ContentPart:
    if part.type in ("input_audio", "output_audio"):
        return ContentPart(type=part.type, transcript=part.transcript)
    return ContentPart(type=part.type, text=part.text or "")
