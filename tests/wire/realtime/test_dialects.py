from __future__ import annotations

from typing import Any, Final

import msgspec
import pytest

from backchannel.errors import UsageError
from backchannel.wire.realtime import (
    DEFAULT_DIALECT,
    DIALECTS,
    LISTED_VOICES,
    Dialect,
    InitialItem,
    Modality,
    Mode,
    SessionSettings,
    check_session,
    dialect_named,
)
from backchannel.wire.realtime.dialects import MAX_INITIAL_ITEMS, MAX_TOKENS

TOO_LONG: Final = "x" * (4 * MAX_TOKENS + 1)


def settings(dialect: Dialect, **changes: Any) -> SessionSettings:
    plain = SessionSettings(instructions="Be brief.", voice=dialect.voices[0])
    return msgspec.structs.replace(plain, **changes)


def refusal(name: str, **changes: Any) -> str:
    with pytest.raises(UsageError) as caught:
        check_session(DIALECTS[name], settings(DIALECTS[name], **changes))
    return str(caught.value)


def items(*texts: str) -> tuple[InitialItem, ...]:
    return tuple(InitialItem(role="user", text=text) for text in texts)


def test_there_are_four_dialects_and_one_is_the_default() -> None:
    assert list(DIALECTS) == ["v1", "v2", "v3", "live"]
    assert dialect_named(DEFAULT_DIALECT).name == "v2"
    assert all(dialect_named(name).name == name for name in DIALECTS)


def test_an_unknown_dialect_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"unknown dialect 'v9'; choose one of: v1, v2, v3, live"):
        dialect_named("v9")


def test_each_dialect_has_the_voices_that_are_listed_and_its_default_first() -> None:
    assert {name: dialect.voices[0] for name, dialect in DIALECTS.items()} == {
        "v1": "cove",
        "v2": "marin",
        "v3": "cove",
        "live": "marin",
    }
    for name, dialect in DIALECTS.items():
        assert sorted(dialect.voices) == sorted(LISTED_VOICES[name])


@pytest.mark.parametrize("name", DIALECTS)
def test_every_voice_of_a_dialect_is_taken(name: str) -> None:
    for voice in DIALECTS[name].voices:
        check_session(DIALECTS[name], settings(DIALECTS[name], voice=voice))


@pytest.mark.parametrize(("name", "voice"), [("v1", "cedar"), ("v2", "cove"), ("v3", "marin"), ("v1", "aube")])
def test_a_voice_of_another_dialect_is_refused_with_those_there_are(name: str, voice: str) -> None:
    message = refusal(name, voice=voice)

    assert message.startswith(f"{name} has no voice '{voice}'; choose one of: {', '.join(LISTED_VOICES[name])}")
    assert "--voice" in message


def test_an_unknown_voice_is_refused() -> None:
    assert "has no voice ''" in refusal("live", voice="")


def test_only_v2_answers_in_text() -> None:
    check_session(DIALECTS["v2"], settings(DIALECTS["v2"], modality=Modality.TEXT))

    for name in ("v1", "v3", "live"):
        assert refusal(name, modality=Modality.TEXT) == (
            f"{name} cannot answer in text; take v2 (--dialect), or ask for audio"
        )


@pytest.mark.parametrize("name", DIALECTS)
def test_a_session_that_only_transcribes_is_a_conversation_where_there_is_no_such_thing(name: str) -> None:
    check_session(DIALECTS[name], settings(DIALECTS[name], mode=Mode.TRANSCRIPTION))


@pytest.mark.parametrize("name", ["v1", "v2"])
def test_initial_items_need_a_dialect_that_takes_them(name: str) -> None:
    assert refusal(name, initial_items=items("earlier")) == (
        f"a session in {name} cannot begin with initial items; take v3 or live (--dialect), or leave them out"
    )


@pytest.mark.parametrize("name", ["v3", "live"])
def test_initial_items_are_bounded_in_number(name: str) -> None:
    check_session(DIALECTS[name], settings(DIALECTS[name], initial_items=items(*["x"] * MAX_INITIAL_ITEMS)))

    message = refusal(name, initial_items=items(*["x"] * (MAX_INITIAL_ITEMS + 1)))
    assert message.startswith("got 129 initial items, expected no more than 128")


@pytest.mark.parametrize("name", ["v3", "live"])
def test_each_initial_item_is_bounded(name: str) -> None:
    check_session(DIALECTS[name], settings(DIALECTS[name], initial_items=items(TOO_LONG[:-1])))

    message = refusal(name, initial_items=items("x", TOO_LONG))
    assert message.startswith("initial item 2 has about 8193 tokens, expected no more than 8192")


@pytest.mark.parametrize("name", ["v3", "live"])
def test_initial_items_are_bounded_together(name: str) -> None:
    halves = items(TOO_LONG[: 2 * MAX_TOKENS], TOO_LONG[: 2 * MAX_TOKENS])
    check_session(DIALECTS[name], settings(DIALECTS[name], initial_items=halves))

    message = refusal(name, initial_items=(*halves, *items("x")))
    assert message.startswith("the initial items have about 8193 tokens together, expected no more than 8192")


@pytest.mark.parametrize("which", ["start", "end"])
def test_instructions_for_the_agent_are_bounded(which: str) -> None:
    dialect = DIALECTS["v2"]

    def check(text: str | None) -> None:
        given = {"start_instructions": None, "end_instructions": None, f"{which}_instructions": text}
        check_session(dialect, settings(dialect), **given)

    check(None)
    check("")
    check(TOO_LONG[:-1])
    with pytest.raises(UsageError, match=f"^the {which} instructions for the agent have about 8193 tokens, expected"):
        check(TOO_LONG)
