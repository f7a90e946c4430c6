from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.core.transcript import MAX_BYTES, Transcript, Utterance

if TYPE_CHECKING:
    from backchannel.core.screen import Speaker

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30)
SPEAKERS: tuple[Speaker, Speaker] = ("user", "assistant")


def user(text: str) -> Utterance:
    return Utterance(speaker="user", text=text)


def assistant(text: str) -> Utterance:
    return Utterance(speaker="assistant", text=text)


def size(said: tuple[Utterance, ...]) -> int:
    return sum(len(entry.speaker) + len(entry.text.encode("utf-8", "replace")) + 3 for entry in said)


def test_pieces_of_one_utterance_are_put_together() -> None:
    transcript = Transcript()
    transcript.delta("user", "run ")
    transcript.delta("user", "the tests")

    assert transcript.take("") == (user("run the tests"),)


def test_the_whole_text_replaces_the_pieces() -> None:
    transcript = Transcript()
    transcript.delta("user", "ran the")
    transcript.done("user", "run the tests")

    assert transcript.take("") == (user("run the tests"),)


def test_a_whole_text_needs_no_pieces() -> None:
    transcript = Transcript()
    transcript.done("assistant", "on it")

    assert transcript.take("") == (assistant("on it"),)


def test_two_who_speak_at_once_do_not_cut_each_other_to_pieces() -> None:
    transcript = Transcript()
    transcript.delta("user", "run ")
    transcript.delta("assistant", "I ")
    transcript.delta("user", "the tests")
    transcript.delta("assistant", "am")
    transcript.done("assistant", "I am here")
    transcript.done("user", "run the tests")

    assert transcript.take("") == (user("run the tests"), assistant("I am here"))


def test_the_same_words_said_twice_are_two_utterances() -> None:
    transcript = Transcript()
    transcript.done("user", "yes")
    transcript.done("user", "yes")
    transcript.delta("user", "yes")

    assert transcript.take("") == (user("yes"), user("yes"), user("yes"))


def test_speaking_anew_begins_a_new_utterance_of_that_speaker_only() -> None:
    transcript = Transcript()
    transcript.delta("user", "one")
    transcript.delta("assistant", "a")
    transcript.began("user")
    transcript.delta("user", "two")
    transcript.delta("assistant", "b")

    assert transcript.take("") == (user("one"), assistant("ab"), user("two"))


def test_beginning_without_speaking_leaves_nothing() -> None:
    transcript = Transcript()
    transcript.began("user")
    transcript.began("assistant")

    assert transcript.take("") == ()


def test_an_empty_piece_neither_adds_nor_reopens() -> None:
    transcript = Transcript()
    transcript.done("user", "one")
    transcript.delta("user", "")
    transcript.done("user", "two")

    assert transcript.take("") == (user("one"), user("two"))


def test_an_empty_whole_text_closes_the_utterance_and_keeps_its_pieces() -> None:
    transcript = Transcript()
    transcript.delta("user", "one")
    transcript.done("user", "")
    transcript.delta("user", "two")

    assert transcript.take("") == (user("one"), user("two"))


def test_a_handoff_takes_each_utterance_once() -> None:
    transcript = Transcript()
    transcript.done("user", "hello")
    transcript.delta("assistant", "hi")

    assert transcript.take("") == (user("hello"), assistant("hi"))
    assert transcript.take("") == ()

    transcript.delta("assistant", " there")
    assert transcript.take("") == (assistant(" there"),)


def test_an_utterance_that_is_finished_after_its_handoff_is_a_new_one() -> None:
    transcript = Transcript()
    transcript.delta("user", "run")
    transcript.take("")
    transcript.done("user", "run the tests")

    assert transcript.take("") == (user("run the tests"),)


@pytest.mark.parametrize("request_text", ["run the tests", "  run the tests\n"])
def test_the_request_stands_in_what_is_handed_over_also_before_it_was_transcribed(request_text: str) -> None:
    transcript = Transcript()
    transcript.done("user", "hello")

    assert transcript.take(request_text) == (user("hello"), user("run the tests"))


def test_the_request_stands_in_what_is_handed_over_once() -> None:
    transcript = Transcript()
    transcript.done("user", " run the tests ")
    transcript.done("assistant", "on it")

    assert transcript.take("run the tests") == (user(" run the tests "), assistant("on it"))


def test_a_request_in_the_assistants_words_is_still_the_users() -> None:
    transcript = Transcript()
    transcript.done("assistant", "run the tests")

    assert transcript.take("run the tests") == (assistant("run the tests"), user("run the tests"))


@pytest.mark.parametrize("request_text", ["", "  \n"])
def test_an_empty_request_adds_nothing(request_text: str) -> None:
    assert Transcript().take(request_text) == ()


def test_of_too_much_the_oldest_is_dropped() -> None:
    transcript = Transcript()
    # Each takes 4 + 3 + 2041 = 2048 bytes: exactly four fit.
    for letter in "abcd":
        transcript.done("user", letter * 2041)
    assert [entry.text[0] for entry in transcript.take("")] == ["a", "b", "c", "d"]

    for letter in "abcde":
        transcript.done("user", letter * 2041)
    assert [entry.text[0] for entry in transcript.take("")] == ["b", "c", "d", "e"]


def test_of_one_that_is_too_long_the_tail_is_kept() -> None:
    transcript = Transcript()
    transcript.done("user", "a" * MAX_BYTES + "end")

    (entry,) = transcript.take("")

    assert entry.text == "…" + "a" * (MAX_BYTES - 7 - 3 - 3) + "end"
    assert size((entry,)) == MAX_BYTES


def test_the_bound_is_that_of_the_protocol() -> None:
    assert MAX_BYTES == 8192


def test_one_that_just_fits_is_whole() -> None:
    transcript = Transcript()
    transcript.done("user", "a" * (MAX_BYTES - 7))

    assert transcript.take("") == (user("a" * (MAX_BYTES - 7)),)


def test_no_character_is_cut() -> None:
    transcript = Transcript()
    transcript.done("assistant", "😀" * MAX_BYTES)

    (entry,) = transcript.take("")

    assert set(entry.text) == {"…", "😀"}
    assert MAX_BYTES - 4 < size((entry,)) <= MAX_BYTES


def test_who_was_dropped_while_speaking_goes_on_in_a_new_utterance() -> None:
    transcript = Transcript()
    transcript.delta("user", "old")
    transcript.done("assistant", "a" * (MAX_BYTES - 20))
    transcript.delta("assistant", "b" * 100)
    transcript.delta("user", "new")
    assert transcript.take("") == (assistant("b" * 100), user("new"))

    transcript.delta("user", "old")
    transcript.done("assistant", "a" * (MAX_BYTES - 20))
    transcript.done("assistant", "b" * 100)
    transcript.done("user", "whole")
    assert transcript.take("") == (assistant("b" * 100), user("whole"))


def test_an_utterance_that_grows_too_old_and_too_long_is_dropped_itself() -> None:
    transcript = Transcript()
    transcript.delta("user", "first")
    transcript.done("assistant", "second")
    transcript.delta("user", "x" * MAX_BYTES)
    transcript.delta("user", "third")

    assert transcript.take("") == (assistant("second"), user("third"))


@given(
    st.lists(
        st.tuples(st.sampled_from(["began", "delta", "done"]), st.sampled_from(SPEAKERS), ANY_TEXT, st.integers(1, 400))
    )
)
def test_whatever_is_said_it_stays_within_its_bound_and_nothing_is_empty(
    steps: list[tuple[str, Speaker, str, int]],
) -> None:
    transcript = Transcript()
    for what, speaker, text, repeated in steps:
        if what == "began":
            transcript.began(speaker)
        elif what == "delta":
            transcript.delta(speaker, text * repeated)
        else:
            transcript.done(speaker, text * repeated)

    said = transcript.take("")
    assert size(said) <= MAX_BYTES
    assert all(entry.text for entry in said)
    assert transcript.take("") == ()


@given(st.lists(st.tuples(st.sampled_from(SPEAKERS), st.text(min_size=1, max_size=20), st.booleans()), max_size=20))
def test_while_it_fits_nothing_that_was_said_is_lost(steps: list[tuple[Speaker, str, bool]]) -> None:
    transcript = Transcript()
    taken: list[Utterance] = []
    for speaker, text, hand_over in steps:
        transcript.delta(speaker, text)
        if hand_over:
            taken += transcript.take("")
    taken += transcript.take("")

    for speaker in SPEAKERS:
        heard = "".join(entry.text for entry in taken if entry.speaker == speaker)
        assert heard == "".join(text for by, text, _ in steps if by == speaker)
