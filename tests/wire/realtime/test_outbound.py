from __future__ import annotations

import json

import pytest

from backchannel.wire.realtime import InitialItem, SessionSettings, intents, outbound
from backchannel.wire.realtime.outbound import MAX_PIECE_BYTES, SURELY_ONE_PIECE
from backchannel.wire.tokens import estimate_tokens


def test_the_limits_are_those_of_the_protocol() -> None:
    assert (outbound.MAX_MIRRORED_TOKENS, outbound.MAX_REPORT_TOKENS, MAX_PIECE_BYTES) == (300, 1000, 500)
    assert SURELY_ONE_PIECE * len("\N{SLIGHTLY SMILING FACE}".encode()) <= MAX_PIECE_BYTES


def test_a_table_says_each_intent_in_its_way() -> None:
    say = outbound.encoder(
        dict(
            (
                outbound.row(intents.AppendAudio, outbound.append_audio),
                outbound.row(intents.CloseSession, outbound.nothing),
            )
        )
    )

    assert say(intents.AppendAudio(audio="AAAA")) == (b'{"type":"input_audio_buffer.append","audio":"AAAA"}',)
    assert say(intents.CloseSession()) == ()


def test_what_has_no_utf_8_is_said_with_question_marks() -> None:
    def write(intent: intents.UpdateSession) -> outbound.Messages:
        return (outbound.encode({"said": intent.settings.instructions, "voice": intent.settings.voice}),)

    say = outbound.encoder(dict((outbound.row(intents.UpdateSession, write),)))
    settings = SessionSettings(instructions="é\ud800!", voice="marin")

    (message,) = say(intents.UpdateSession(settings=settings))

    assert json.loads(message) == {"said": "é?!", "voice": "marin"}


@pytest.mark.parametrize(
    ("role", "kind"), [("user", "input_text"), ("developer", "input_text"), ("assistant", "output_text")]
)
def test_what_the_assistant_said_is_output_and_all_else_is_input(role: intents.Role, kind: str) -> None:
    item = {"type": "message", "role": role, "content": [{"type": kind, "text": "hi"}]}

    (message,) = outbound.message_item(role, "hi")
    assert message == json.dumps({"type": "conversation.item.create", "item": item}, separators=(",", ":")).encode()
    assert json.loads(outbound.encode(outbound.initial_item(InitialItem(role=role, text="hi")))) == item


def test_the_answer_to_a_call_is_bounded() -> None:
    (message,) = outbound.output_item("call_1", "x" * 10_000)

    item = json.loads(message)["item"]
    assert {**item, "output": ""} == {"type": "function_call_output", "call_id": "call_1", "output": ""}
    assert estimate_tokens(item["output"]) == outbound.MAX_REPORT_TOKENS


@pytest.mark.parametrize(
    ("text", "made"), [("hi", "[USER] hi"), ("[USER] hi", "[USER] hi"), ("", ""), ("a [USER] b", "[USER] a [USER] b")]
)
def test_a_prefix_is_neither_doubled_nor_put_before_nothing(text: str, made: str) -> None:
    assert outbound.prefixed(outbound.USER_PREFIX, text) == made


@pytest.mark.parametrize("text", ["x" * 4000, "é" * 2000, "x" * 1000, ""])
def test_a_text_that_fits_is_not_capped(text: str) -> None:
    assert outbound.capped(text) == text


@pytest.mark.parametrize("text", ["x" * 4001, "é" * 2001])
def test_a_text_that_is_too_long_loses_its_middle(text: str) -> None:
    capped = outbound.capped(text)

    # A character that is not cut may leave a few bytes unused.
    assert outbound.MAX_REPORT_TOKENS - 1 <= estimate_tokens(capped) <= outbound.MAX_REPORT_TOKENS
    assert "tokens truncated" in capped


def test_the_text_of_an_item_has_its_prefix_before_it() -> None:
    assert outbound.item_text(intents.ReportAsItem(text="ran", prefix="Agent:")) == "Agent:\n\nran"
    assert outbound.item_text(intents.ReportAsItem(text="ran", prefix="")) == "ran"
    assert outbound.item_text(intents.ReportAsItem(text=" ", prefix="Agent:")) == ""


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("", [0]),
        ("x" * 500, [500]),
        ("x" * 501, [500, 1]),
        ("x" * 1000, [500, 500]),
        ("é" * 250, [500]),
        ("é" * 251, [500, 2]),
        ("x" + "é" * 250, [499, 2]),
        ("中" * 167, [498, 3]),
        ("\N{SLIGHTLY SMILING FACE}" * 126, [500, 4]),
        ("xxx" + "\N{SLIGHTLY SMILING FACE}" * 126, [499, 8]),
        ("\ud800" * 501, [500, 1]),
    ],
)
def test_pieces_are_as_large_as_they_may_be_and_cut_no_character(text: str, sizes: list[int]) -> None:
    found = outbound.pieces(text)

    assert [len(piece.encode()) for piece in found] == sizes
    assert "".join(found) == text.encode("utf-8", "replace").decode()
