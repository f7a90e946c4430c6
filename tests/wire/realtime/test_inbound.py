from __future__ import annotations

import msgspec
import pytest

from backchannel.wire.realtime import events, inbound
from backchannel.wire.realtime.inbound import MalformedError, Message, number, optional

DECODE = inbound.decoder(
    (
        inbound.SessionUpdated,
        inbound.InputTranscription,
        inbound.InputTranscribed,
        inbound.OutputText,
        inbound.OutputAudioTranscription,
        inbound.OutputAudioTranscribed,
        inbound.ItemAdded,
        inbound.Error,
    )
)


class Picky(Message, tag="picky"):
    """Takes one word only."""

    word: str

    def event(self) -> events.Event:
        if self.word != "please":
            raise MalformedError("expected please as word")
        return events.InputSpeechStarted()


def test_a_table_reads_its_messages_and_no_others() -> None:
    decode = inbound.decoder((Picky, inbound.Error))

    assert decode('{"type":"picky","word":"please"}') == events.InputSpeechStarted()
    assert decode('{"type":"picky","word":"now"}') == events.Skipped(kind="picky", malformed="expected please as word")
    assert decode('{"type":"session.updated","session":{"id":"s"}}') == events.Skipped(kind="session.updated")


def test_one_message_alone_is_a_table_too() -> None:
    assert inbound.decoder((Picky,))(b'{"type":"picky","word":"please"}') == events.InputSpeechStarted()


def test_a_required_field_of_another_type_is_named_and_not_quoted() -> None:
    skipped = inbound.decoder((Picky,))('{"type":"picky","word":{"secret":"planted-key-h2"}}')

    assert isinstance(skipped, events.Skipped)
    assert skipped.kind == "picky"
    assert "word" in str(skipped.malformed)
    assert "planted-key-h2" not in str(skipped.malformed)


@pytest.mark.parametrize("message", ["", "[]", "{}", '{"type":5}', b"\xff", "\ud800", "[" * 100_000])
def test_what_has_no_type_is_skipped(message: str | bytes) -> None:
    assert DECODE(message) == events.Skipped(kind="?", malformed="not a JSON object with a type")


def test_an_unknown_type_is_told_as_it_can_stand_in_a_log() -> None:
    assert DECODE('{"type":"a\\u0000b\\nc"}') == events.Skipped(kind="a?b?c")
    assert DECODE(f'{{"type":"{"x" * 101}"}}') == events.Skipped(kind="x" * 100)
    assert DECODE(f'{{"type":"{"x" * 100}"}}') == events.Skipped(kind="x" * 100)


@pytest.mark.parametrize("types", ['"type":"planted-key-h2","type":"error"', '"type":"error","type":"planted-key-h2"'])
def test_of_two_types_the_reason_quotes_none(types: str) -> None:
    skipped = DECODE(f'{{{types},"message":"m"}}')

    assert isinstance(skipped, events.Skipped)
    assert "planted-key-h2" not in str(skipped.malformed)


def test_two_types_are_the_reason_where_the_last_is_known() -> None:
    assert DECODE('{"type":"x","type":"error"}') == events.Skipped(kind="error", malformed="it has two types")


@pytest.mark.parametrize(
    ("message", "event"),
    [
        (
            '{"type":"session.updated","session":{"id":"s","instructions":"x"}}',
            events.SessionUpdated(session_id="s", instructions="x"),
        ),
        (
            '{"type":"conversation.item.input_audio_transcription.delta","delta":"r"}',
            events.InputTranscriptDelta(delta="r"),
        ),
        (
            '{"type":"conversation.item.input_audio_transcription.completed","transcript":"r"}',
            events.InputTranscriptDone(text="r"),
        ),
        ('{"type":"response.output_text.delta","delta":"o"}', events.OutputTranscriptDelta(delta="o")),
        ('{"type":"response.output_audio_transcript.delta","delta":"o"}', events.OutputTranscriptDelta(delta="o")),
        ('{"type":"response.output_audio_transcript.done","transcript":"o"}', events.OutputTranscriptDone(text="o")),
        ('{"type":"error","message":"m"}', events.ServerError(message="m")),
    ],
)
def test_messages_that_dialects_share(message: str, event: events.Event) -> None:
    assert DECODE(message) == event


@pytest.mark.parametrize("item", ['{"id": "i",  "n": 1e3}', "5", "null", "[]"])
def test_an_added_item_is_handed_on_as_it_came(item: str) -> None:
    event = DECODE(f'{{"type":"conversation.item.added","item":{item}}}')

    assert isinstance(event, events.ItemAdded)
    assert bytes(event.item) == item.encode()
    assert event.item_id == ("i" if "id" in item else None)


def test_an_added_item_says_what_it_comes_after() -> None:
    event = DECODE('{"type":"conversation.item.added","previous_item_id":"h","item":{"id":"i"}}')
    nowhere = DECODE('{"type":"conversation.item.added","previous_item_id":5,"item":{"id":6}}')

    assert isinstance(event, events.ItemAdded)
    assert (event.item_id, event.after_item_id) == ("i", "h")
    assert isinstance(nowhere, events.ItemAdded)
    assert (nowhere.item_id, nowhere.after_item_id) == (None, None)


@pytest.mark.parametrize(
    ("fields", "message", "code"),
    [
        ('"message":"top","error":{"message":"inner","code":"c"}', "top", "c"),
        ('"error":{"message":"inner","code":5}', "inner", None),
        ('"message":5,"error":{"message":"inner"}', "inner", None),
        ('"error":{"code":"c"}', '{"code":"c"}', "c"),
        ('"error":[1, 2.5, null]', "[1,2.5,null]", None),
        ('"error":null', "null", None),
    ],
)
def test_an_errors_text_is_the_best_that_there_is(fields: str, message: str, code: str | None) -> None:
    assert DECODE(f'{{"type":"error",{fields}}}') == events.ServerError(message=message, code=code)


def test_an_error_without_anything_is_malformed() -> None:
    assert DECODE('{"type":"error","message":5}') == events.Skipped(
        kind="error", malformed="there is neither a message nor an error"
    )


def test_an_optional_string_of_another_type_is_none() -> None:
    assert optional("x") == "x"
    others: tuple[object, ...] = (None, 5, [], {}, msgspec.UNSET)
    assert [optional(value) for value in others] == [None] * 5


@pytest.mark.parametrize(
    ("value", "taken"),
    [(0, 0), (255, 255), (256, None), (-1, None), (1.0, None), (True, None), ("1", None), (None, None), ([], None)],
)
def test_a_number_is_whole_not_negative_and_bounded(value: object, taken: int | None) -> None:
    assert number(value, up_to=255) == taken
