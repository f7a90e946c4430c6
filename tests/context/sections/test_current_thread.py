from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.context.sections import Turn, current_thread_section, is_contextual, turns_of
from backchannel.core import Outcome
from backchannel.threads import AgentSaid, Entry, PeerSaid, Spoken, TurnBegan, TurnEnded, UserAsked


def _asked(text: str) -> UserAsked:
    return UserAsked(at_ms=1, text=text)


def _said(text: str, *, is_final: bool = True) -> AgentSaid:
    return AgentSaid(at_ms=1, text=text, is_final=is_final)


def _turns(*pairs: tuple[str, str]) -> list[Turn]:
    return [Turn(asked=asked, at_ms=0, answers=(answer,) if answer else ()) for asked, answer in pairs]


def _text(turns: list[Turn], *, max_tokens: int = 1200, max_turn_tokens: int = 300) -> str:
    made = current_thread_section(turns, max_tokens=max_tokens, max_turn_tokens=max_turn_tokens, origin="thread a")
    return "" if made is None else made.text


def test_short_turns_are_told_newest_first() -> None:
    turns = _turns(("one", "first"), ("two", "second"), ("three", ""), ("four\nlines", "fourth\n\nanswer"))
    assert _text(turns) == (
        "## Current Thread\n"
        "The latest turns of this very thread, newest first, so that the conversation can go on from there.\n"
        "\n"
        "### Latest turn\n"
        "User:\n"
        "four\n"
        "lines\n"
        "\n"
        "Assistant:\n"
        "fourth\n"
        "\n"
        "answer\n"
        "\n"
        "### Previous turn 1\n"
        "User:\n"
        "three\n"
        "\n"
        "### Previous turn 2\n"
        "User:\n"
        "two\n"
        "\n"
        "Assistant:\n"
        "second\n"
        "\n"
        "### Previous turn 3\n"
        "User:\n"
        "one\n"
        "\n"
        "Assistant:\n"
        "first"
    )


def test_a_long_turn_keeps_its_beginning_and_its_end() -> None:
    text = _text(_turns(("begin " + "middle " * 900 + "end", "")))
    assert "### Latest turn\nUser:\nbegin middle" in text
    assert text.endswith("middle end")
    assert text.count("tokens truncated…") == 1


def test_the_newest_turns_are_kept_when_there_are_too_many() -> None:
    turns = _turns(*((f"question {number} " + "word " * 120, f"answer {number}") for number in range(40)))
    text = _text(turns)
    assert text.count("### ") >= 3
    assert "question 39" in text
    assert "question 0 " not in text
    # What had no room is cut inside its own turn, and nowhere else.
    assert text.count("tokens truncated…") <= 1


def test_eight_turns_of_which_one_is_long_leave_room_for_seven() -> None:
    turns = _turns(*((f"old {number} " + "a" * 640, "") for number in range(7)), ("long " + "b" * 4000, ""))
    text = _text(turns)
    assert text.count("### ") == 7
    assert text.split("\n\n")[-1].count("tokens truncated…") == 1


def test_without_turns_there_is_no_section() -> None:
    assert _text([]) == ""


def test_without_room_there_is_no_section() -> None:
    assert _text(_turns(("one", "")), max_tokens=30) == ""


@given(
    st.lists(st.tuples(st.text(min_size=1, max_size=2000), st.text(max_size=2000)), max_size=12),
    st.integers(40, 1200),
    st.integers(1, 400),
)
def test_it_is_never_over_its_budget_and_keeps_the_newest(
    pairs: list[tuple[str, str]], max_tokens: int, max_turn_tokens: int
) -> None:
    turns = _turns(*pairs)
    made = current_thread_section(turns, max_tokens=max_tokens, max_turn_tokens=max_turn_tokens, origin="x")
    again = current_thread_section(turns, max_tokens=max_tokens, max_turn_tokens=max_turn_tokens, origin="x")
    assert made == again
    if made is not None:
        assert made.tokens <= max_tokens
        headings = [line.text for line in made.body if line.text.startswith(("### Latest", "### Previous"))]
        # A heading may itself be lost to a budget of a few tokens; those that are there count up from the newest.
        ages = [0 if "Latest" in heading else int(heading.split()[-1]) for heading in headings if "…" not in heading]
        assert ages == sorted(ages)


def test_each_message_of_the_user_begins_a_turn() -> None:
    entries: list[Entry] = [
        _said("before anybody asked"),
        PeerSaid(at_ms=1, author="helper", text="too early"),
        _asked("  one  "),
        _asked("two"),
        _said(" looking "),
        _said("   "),
        PeerSaid(at_ms=1, author="helper", text="found it"),
        TurnBegan(at_ms=1, turn_id="t", request="two"),
        TurnEnded(at_ms=1, turn_id="t", outcome=Outcome.COMPLETED),
        Spoken(at_ms=1, speaker="user", text="spoken"),
        _asked("  "),
        _asked("<environment_context>\n  <cwd>/a</cwd>\n</environment_context>"),
        _said("done"),
    ]
    assert turns_of(entries) == (
        Turn(asked="one", at_ms=1),
        Turn(asked="two", at_ms=1, answers=("looking", "Agent message from helper:\nfound it", "done")),
    )


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("<environment_context>", True),
        ("\n <realtime_delegation>\n  <input>x</input>", True),
        ("<realtime_conversation>\nx", True),
        ("# AGENTS.md instructions for /a", True),
        ("<user_instructions>", True),
        ("<turn_aborted>", True),
        ("what does <environment_context> mean?", False),
        ("# AGENTS", False),
        ("", False),
    ],
)
def test_messages_that_no_user_wrote_are_known(text: str, *, is_one: bool) -> None:
    assert is_contextual(text) is is_one
