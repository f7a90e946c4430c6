"""Items as they come from a server, and as they go back to it."""

from __future__ import annotations

import json

import pytest

from backchannel.agents.responses.items import (
    Call,
    Item,
    Kept,
    Output,
    Said,
    Spoken,
    SpokenPhase,
    encode_item,
    read_item,
    size_of,
)


def read(value: object) -> Item | None:
    return read_item(json.dumps(value).encode())


def sent(item: Item | None) -> object:
    assert item is not None
    return json.loads(encode_item(item))


def test_a_message_goes_back_without_its_id_and_status() -> None:
    came = {
        "type": "message",
        "role": "assistant",
        "id": "msg_1",
        "status": "completed",
        "phase": "commentary",
        "content": [
            {"type": "output_text", "text": "Good ", "annotations": []},
            {"type": "output_text", "text": "day"},
        ],
    }

    item = read(came)

    assert isinstance(item, Spoken)
    assert (item.text, item.phase) == ("Good day", SpokenPhase.COMMENTARY)
    assert sent(item) == {name: value for name, value in came.items() if name not in {"id", "status"}}
    assert size_of(item) == len(encode_item(item))


@pytest.mark.parametrize(("phase", "read_as"), [("final_answer", SpokenPhase.FINAL), ("odd", None), (None, None)])
def test_what_the_model_calls_its_message(phase: str | None, read_as: SpokenPhase | None) -> None:
    item = read({"type": "message", "phase": phase, "content": [{"type": "refusal", "refusal": "I cannot."}]})

    assert isinstance(item, Spoken)
    assert (item.text, item.phase) == ("I cannot.", read_as)


def test_calls_of_both_kinds_are_answered_in_kind() -> None:
    function = read({"type": "function_call", "id": "x", "call_id": "a", "name": "f", "arguments": '{"b": 1}'})
    custom = read({"type": "custom_tool_call", "id": "y", "call_id": "c", "name": "g", "input": "text"})

    assert isinstance(function, Call)
    assert (function.call_id, function.name, function.arguments, function.is_freeform) == ("a", "f", '{"b": 1}', False)
    assert isinstance(custom, Call)
    assert (custom.call_id, custom.name, custom.arguments, custom.is_freeform) == ("c", "g", "text", True)
    assert sent(custom) == {"type": "custom_tool_call", "call_id": "c", "name": "g", "input": "text"}
    assert sent(Output("a", "out")) == {"type": "function_call_output", "call_id": "a", "output": "out"}
    assert sent(Output("c", "out", is_freeform=True))["type"] == "custom_tool_call_output"  # type: ignore[index]  # JSON


def test_a_thought_is_kept_when_it_can_be_read_again() -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "abc"}

    assert isinstance(read(thought), Kept)
    assert sent(read(thought)) == {"type": "reasoning", "summary": [], "encrypted_content": "abc"}
    assert read({**thought, "encrypted_content": None}) is None


@pytest.mark.parametrize(
    "raw",
    [
        b"null",
        b"[]",
        b"{",
        b'{"type":"\xff"}',
        b'{"type":"web_search_call","id":"w"}',
        b'{"type":"function_call","name":"f"}',
        b'{"type":"message","content":[{"type":"output_text","text":" "}]}',
        b'{"type":"message","content":"text"}',
    ],
)
def test_what_means_nothing_is_no_item(raw: bytes) -> None:
    assert read_item(raw) is None


def test_what_is_said_to_a_model() -> None:
    assert sent(Said("developer", "Be <brief>.")) == {
        "type": "message",
        "role": "developer",
        "content": [{"type": "input_text", "text": "Be <brief>."}],
    }
    assert b"\\ud83d" in encode_item(Output("a", "half \ud83d"))
