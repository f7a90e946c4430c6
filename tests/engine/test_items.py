from __future__ import annotations

import pytest

from backchannel.engine.items import MAX_ITEMS, ContentPart, Conversation, MessageItem


def message(item_id: str, text: str = "") -> MessageItem:
    return MessageItem(id=item_id, role="user", content=[ContentPart(type="input_text", text=text)])


def test_items_stand_in_their_order() -> None:
    assert Conversation().last_id is None
    conversation = Conversation()
    assert conversation.add(message("a")) is None
    assert conversation.add(message("c")) == "a"
    assert conversation.add(message("b"), after="a") == "a"
    assert conversation.add(message("first"), after="root") is None
    assert [conversation.before(item) for item in ("first", "a", "b", "c")] == [None, "first", "a", "b"]
    assert conversation.last_id == "c"
    assert len(conversation) == 4


def test_an_item_can_be_replaced_and_deleted() -> None:
    conversation = Conversation()
    conversation.add(message("a"))
    conversation.replace(message("a", "new"))
    conversation.replace(message("gone", "nothing"))
    item = conversation.get("a")
    assert isinstance(item, MessageItem)
    assert item.text == "new"
    conversation.delete("a")
    assert conversation.get("a") is None
    assert conversation.get("gone") is None
    assert conversation.before("a") is None
    with pytest.raises(KeyError):
        conversation.delete("a")


def test_a_long_conversation_forgets_its_oldest_items() -> None:
    conversation = Conversation()
    for index in range(MAX_ITEMS + 5):
        conversation.add(message(str(index)))
    assert len(conversation) == MAX_ITEMS
    assert conversation.get("4") is None
    assert conversation.before("5") is None
    assert conversation.last_id == str(MAX_ITEMS + 4)
