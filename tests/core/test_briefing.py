from __future__ import annotations

import pytest

from backchannel.core.briefing import ENDED, MAX_TAILS, MAX_TOKENS, STARTED, Briefing, Note
from backchannel.wire.tokens import estimate_tokens


def framed(text: str) -> Note:
    return Note("developer", f"<realtime_conversation>\n{text}\n</realtime_conversation>")


def test_the_agent_is_told_of_the_beginning_with_its_next_turn_and_once() -> None:
    briefing = Briefing()
    assert briefing.take() == ()
    briefing.begins()

    assert briefing.take() == (framed(STARTED),)
    assert briefing.take() == ()


def test_the_agent_is_told_of_the_end_with_its_next_turn_and_once() -> None:
    briefing = Briefing()
    briefing.begins()
    briefing.take()
    briefing.ends()

    assert briefing.take() == (framed(ENDED),)
    assert briefing.take() == ()


def test_what_is_over_before_the_agent_heard_of_it_is_not_told() -> None:
    briefing = Briefing()
    briefing.begins()
    briefing.ends()

    assert briefing.take() == ()


def test_an_end_without_a_beginning_is_not_told() -> None:
    briefing = Briefing()
    briefing.ends()

    assert briefing.take() == ()


def test_when_a_conversation_takes_the_place_of_another_the_end_comes_before_the_beginning() -> None:
    briefing = Briefing()
    briefing.begins()
    briefing.take()
    briefing.ends()
    briefing.begins("be quick")

    assert briefing.take() == (framed(ENDED), framed("be quick"))


def test_an_end_is_told_once_however_often_it_comes() -> None:
    briefing = Briefing()
    briefing.begins()
    briefing.take()
    briefing.ends("over")
    briefing.begins()
    briefing.ends()
    briefing.ends()

    assert briefing.take() == (framed("over"),)


@pytest.mark.parametrize("text", ["", "your own words"])
def test_other_texts_take_the_place_of_ours(text: str) -> None:
    briefing = Briefing()
    briefing.begins(text)
    started = briefing.take()
    briefing.ends(text)

    assert (started, briefing.take()) == ((framed(text),), (framed(text),))


def test_what_was_said_at_the_end_comes_first_as_the_users() -> None:
    briefing = Briefing()
    briefing.begins()
    briefing.take()
    briefing.ends(tail="<tail 1>")
    briefing.begins("again")

    assert briefing.take() == (Note("user", "<tail 1>"), framed(ENDED), framed("again"))
    assert briefing.take() == ()


def test_what_was_said_is_told_also_where_the_agent_never_heard_of_the_voice() -> None:
    briefing = Briefing()
    for n in range(MAX_TAILS + 2):
        briefing.begins()
        briefing.ends(tail=f"<tail {n}>")

    # Of many, the newest.
    assert briefing.take() == tuple(Note("user", f"<tail {n}>") for n in range(2, MAX_TAILS + 2))


def test_what_did_not_reach_the_agent_is_told_first_the_next_time() -> None:
    briefing = Briefing()
    briefing.begins()
    briefing.put_back(briefing.take())
    briefing.ends(tail="<tail>")

    assert briefing.take() == (framed(STARTED), Note("user", "<tail>"), framed(ENDED))
    assert briefing.take() == ()


def test_what_was_put_back_stays_in_its_order() -> None:
    briefing = Briefing()
    first, second, third = (Note("user", text) for text in ("<1>", "<2>", "<3>"))
    briefing.put_back((first,))
    briefing.put_back((second,))

    assert briefing.after_returned((third,)) == (first, second, third)
    assert briefing.after_returned((third,)) == (third,)


def test_a_text_that_is_given_in_the_place_of_ours_is_bounded() -> None:
    assert MAX_TOKENS == 8192


@pytest.mark.parametrize(
    ("text", "first_line", "conveys"),
    [
        (
            STARTED,
            "Realtime conversation started.",
            ["recognised from speech", "no work at all", "say briefly", "spoken"],
        ),
        (ENDED, "Realtime conversation ended.", ["types again", "not recognised from speech", "Reason: inactive"]),
    ],
)
def test_our_texts_say_what_an_agent_has_to_know(text: str, first_line: str, conveys: list[str]) -> None:
    assert text.splitlines()[0] == first_line
    assert [words for words in conveys if words not in text] == []
    assert estimate_tokens(text) <= MAX_TOKENS
