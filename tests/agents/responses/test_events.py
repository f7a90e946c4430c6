"""Events of a stream: what counts, and what is passed over."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.agents.responses.events import (
    Began,
    Completed,
    Cut,
    ItemBegan,
    ItemDone,
    StreamEvent,
    TextAdded,
    ThoughtAdded,
    ThoughtDone,
    read_event,
)
from backchannel.agents.responses.failures import Cause, Failure
from backchannel.agents.responses.items import Kept, Spoken
from backchannel.core import TokensUsed
from backchannel.testing import responses as server


def read(value: object) -> StreamEvent | None:
    return read_event(json.dumps(value))


def completed_with(usage: object) -> dict[str, object]:
    return {"type": "response.completed", "response": {"id": "r1", "usage": usage}}


def thinks(**fields: object) -> dict[str, object]:
    return {"type": "response.reasoning_summary_text.delta", **fields}


def thought(**fields: object) -> dict[str, object]:
    return {"type": "response.output_item.done", "item": {"type": "reasoning", **fields}}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (server.created(), Began()),
        ({"type": "response.output_item.added", "item": {"type": "message"}}, ItemBegan()),
        (server.text_delta("a"), TextAdded("a")),
        ({"type": "response.refusal.delta", "delta": "no"}, TextAdded("no")),
        (server.text_delta(""), None),
        (server.completed("r1"), Completed("r1")),
        ({"type": "response.completed"}, Completed(None)),
        (server.completed("r1", tokens=(5, 2)), Completed("r1", TokensUsed(input=5, output=2))),
        (
            completed_with(
                {
                    "input_tokens": 5,
                    "output_tokens": 2,
                    "input_tokens_details": {"cached_tokens": 3},
                    "output_tokens_details": {"reasoning_tokens": 1},
                }
            ),
            Completed("r1", TokensUsed(input=5, cached_input=3, output=2, reasoning_output=1)),
        ),
        (completed_with({"input_tokens": "many"}), Completed("r1")),
        (completed_with(None), Completed("r1")),
        ({"type": "response.incomplete"}, Cut("no reason given")),
        (
            {"type": "response.incomplete", "response": {"incomplete_details": {"reason": "max_output_tokens"}}},
            Cut("it reached the most that the model may write"),
        ),
        ({"type": "response.incomplete", "response": {"incomplete_details": {"reason": "tired"}}}, Cut("tired")),
        ({"type": "response.made_up", "x": 1}, None),
        ({"type": "response.output_item.done", "item": {"type": "image"}}, None),
        ({"type": "response.output_item.done"}, None),
        (thinks(delta="Hm"), ThoughtAdded("Hm", 0)),
        (thinks(delta="Hm", summary_index=3), ThoughtAdded("Hm", 3)),
        (thinks(delta="Hm", summary_index=-3), ThoughtAdded("Hm", 0)),
        (thinks(delta=""), None),
        (thinks(delta="Hm", summary_index="x"), ThoughtAdded("Hm", 0)),
        (thinks(delta="Hm", summary_index=True), ThoughtAdded("Hm", 0)),
        (server.text_delta("a") | {"summary_index": None}, TextAdded("a")),
        ({"type": "response.completed", "summary_index": "x"}, Completed(None)),
        (thought(), ThoughtDone((), None)),
        (thought(summary=[{"text": "**A**"}, {"text": " "}, {}, {"text": "B"}]), ThoughtDone(("**A**", "B"), None)),
        (thought(summary=["x", {"text": None}, {"text": 3}]), ThoughtDone((), None)),
        (thought(summary="x"), ThoughtDone((), None)),
        ({"type": "response.output_item.done", "item": {"id": "no type"}}, None),
        ({"type": 3}, None),
        ([], None),
    ],
)
def test_events_are_read(event: object, expected: StreamEvent | None) -> None:
    assert read(event) == expected


def test_an_item_comes_whole() -> None:
    event = read(server.message("Hello."))

    assert isinstance(event, ItemDone)
    assert isinstance(event.item, Spoken)
    assert event.item.text == "Hello."


@pytest.mark.parametrize(
    ("event", "cause", "words"),
    [
        ({"type": "response.failed"}, Cause.PASSING, "the model's server reported a failure"),
        (
            {"type": "response.failed", "response": {"error": {"code": "server_error", "message": "Oops."}}},
            Cause.PASSING,
            "the model's server reported a failure: Oops",
        ),
        ({"type": "response.failed", "response": {"error": {"code": "context_length_exceeded"}}}, Cause.TOO_LONG, None),
        ({"type": "response.failed", "response": {"error": {"code": "insufficient_quota"}}}, Cause.SETTLED, None),
        ({"type": "error", "code": "server_error", "message": "x"}, Cause.PASSING, None),
        ({"type": "error", "status": 400, "error": {"code": "previous_response_not_found"}}, Cause.STALE, None),
        (
            {"type": "error", "status": 400, "error": {"code": "websocket_connection_limit_reached"}},
            Cause.PASSING,
            None,
        ),
        ({"type": "error", "status": 400, "error": {"type": "invalid_request_error"}}, Cause.SETTLED, None),
        ({"type": "error", "status_code": 503, "error": {"message": "busy"}}, Cause.PASSING, None),
        (
            {"type": "error", "error": {"code": "x", "message": "bad key sk-abcdef12345 in Bearer\nabc"}},
            Cause.PASSING,
            "the model's server reported a failure: bad key [left out] in [left out]",
        ),
        ({"type": "error", "error": {"code": "c", "message": "x" * 301}}, Cause.PASSING, "failure: c"),
    ],
)
def test_failures_say_whether_they_pass(event: object, cause: Cause, words: str | None) -> None:
    failure = read(event)

    assert isinstance(failure, Failure)
    assert failure.cause is cause
    assert words is None or failure.reason.endswith(words)


@given(st.binary() | st.text(alphabet=st.characters(codec="utf-8")))
def test_anything_can_come(raw: bytes | str) -> None:
    read_event(raw)


@pytest.mark.parametrize("summary", [None, [{"text": None}], "x"])
def test_a_thought_whose_summary_cannot_be_read_is_sent_back(summary: object) -> None:
    event = read_event(json.dumps(thought(summary=summary, encrypted_content="abc")))
    assert isinstance(event, ThoughtDone)
    assert event.parts == ()
    assert isinstance(event.item, Kept)


def test_a_thought_that_can_be_read_again_comes_with_what_is_told_of_it() -> None:
    event = read_event(json.dumps(thought(summary=[{"text": "Hm."}], encrypted_content="abc")))
    assert isinstance(event, ThoughtDone)
    assert event.parts == ("Hm.",)
    assert isinstance(event.item, Kept)
