from __future__ import annotations

import itertools
import pickle
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


def heard_until_ms(transcript: Transcript) -> int | None:
    """Asked by a call, since it changes between two questions."""
    return transcript.heard_until_ms


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


def test_where_pieces_do_not_come_mixed_a_change_of_speaker_begins_a_new_utterance() -> None:
    transcript = Transcript()
    transcript.delta("user", "run ", is_mixed=False)
    transcript.delta("user", "it", is_mixed=False)
    transcript.delta("assistant", "sure", is_mixed=False)
    transcript.delta("user", "and log", is_mixed=False)
    transcript.delta("assistant", "", is_mixed=False)
    transcript.delta("user", " it", is_mixed=False)
    transcript.delta("assistant", "of an item", item_id="a", is_mixed=False)
    transcript.delta("user", " all", is_mixed=False)

    assert transcript.tail() == "user: run it\nassistant: sure\nuser: and log it all\nassistant: of an item"
    assert [entry.text for entry in transcript.take("")] == ["run it", "sure", "and log it all", "of an item"]
    assert transcript.tail() == ""


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


def test_the_request_has_its_room_before_older_words() -> None:
    transcript = Transcript()
    for letter in "abcd":
        transcript.done("user", letter * 2041)
    assert [entry.text[0] for entry in transcript.take("run the tests")] == ["b", "c", "d", "r"]

    transcript.done("user", "a" * 2 * MAX_BYTES)
    assert transcript.take("run the tests") == (user("run the tests"),)

    (entry,) = transcript.take("a" * MAX_BYTES)
    assert entry.text == "…" + "a" * (MAX_BYTES - 7 - 3)


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


# Items: the words of the server's items, in its order


def test_words_that_come_late_stand_where_their_item_was_placed() -> None:
    transcript = Transcript()
    transcript.placed("question", None)
    transcript.placed("answer", "question")
    transcript.delta("assistant", "on it", item_id="answer")
    transcript.delta("user", "run the", item_id="question")
    transcript.done("user", "run the tests", item_id="question")

    assert transcript.take("") == (user("run the tests"), assistant("on it"))


def test_an_item_is_placed_between_two_others() -> None:
    transcript = Transcript()
    transcript.placed("first", None)
    transcript.placed("last", "first")
    transcript.placed("middle", "first")
    for item_id in ("last", "first", "middle"):
        transcript.done("user", item_id, item_id=item_id)

    assert transcript.take("") == (user("first"), user("middle"), user("last"))


def test_an_item_after_one_that_is_not_known_comes_last() -> None:
    transcript = Transcript()
    transcript.done("assistant", "hello")
    transcript.placed("question", "never heard of")
    transcript.done("assistant", "on it")
    transcript.done("user", "run the tests", item_id="question")

    assert transcript.take("") == (assistant("hello"), user("run the tests"), assistant("on it"))


def test_an_item_stays_where_it_was_placed_first() -> None:
    transcript = Transcript()
    transcript.placed("first", None)
    transcript.placed("second", "first")
    transcript.placed("first", "second")
    transcript.done("user", "two", item_id="second")
    transcript.done("user", "one", item_id="first")

    assert transcript.take("") == (user("one"), user("two"))


def test_the_words_of_an_item_that_was_never_placed_come_last() -> None:
    transcript = Transcript()
    transcript.done("user", "hello")
    transcript.delta("assistant", "hi", item_id="answer")

    assert transcript.take("") == (user("hello"), assistant("hi"))


def test_several_items_of_one_speaker_are_open_at_once() -> None:
    transcript = Transcript()
    transcript.delta("user", "run ", item_id="a")
    transcript.delta("user", "no", item_id="b")
    transcript.delta("user", "um")
    transcript.delta("user", "the tests", item_id="a")
    transcript.delta("user", ", stop", item_id="b")
    transcript.began("user")
    transcript.delta("user", " it", item_id="b")

    assert transcript.take("") == (user("run the tests"), user("no, stop it"), user("um"))


def test_an_item_that_never_gets_words_says_nothing() -> None:
    transcript = Transcript()
    transcript.placed("call", None)
    transcript.done("user", "", item_id="call")
    transcript.done("assistant", "", item_id="never placed")
    transcript.delta("user", "", item_id="call")

    assert transcript.take("") == ()
    assert transcript.account() == ""


def test_an_item_without_words_keeps_its_place_over_a_handoff() -> None:
    transcript = Transcript()
    transcript.done("assistant", "hello")
    transcript.placed("question", None)
    transcript.take("")
    transcript.done("assistant", "on it")
    transcript.done("user", "run the tests", item_id="question")

    assert transcript.take("") == (user("run the tests"), assistant("on it"))


def test_of_too_many_items_without_words_the_oldest_is_forgotten() -> None:
    transcript = Transcript()
    transcript.placed("with words", None)
    transcript.done("user", "spoken", item_id="with words")
    for number in range(257):
        transcript.placed(f"item {number}", None)
    transcript.done("user", "kept", item_id="item 1")
    transcript.done("user", "kept too", item_id="item 256")
    transcript.done("user", "forgotten", item_id="item 0")

    assert [entry.text for entry in transcript.take("")] == ["spoken", "kept", "kept too", "forgotten"]


def test_one_that_got_words_is_not_among_those_without() -> None:
    transcript = Transcript()
    for number in range(256):
        transcript.placed(f"item {number}", None)
    transcript.done("user", "spoken", item_id="item 0")
    transcript.placed("item 256", None)
    transcript.done("user", "later", item_id="item 2")
    transcript.done("user", "first of those left", item_id="item 1")

    assert [entry.text for entry in transcript.take("")] == ["spoken", "first of those left", "later"]


def test_a_repeated_whole_text_of_an_item_replaces_the_one_before() -> None:
    transcript = Transcript()
    transcript.done("user", "run the test", item_id="question")
    transcript.done("assistant", "on it")
    transcript.done("user", "run the tests", item_id="question")

    assert transcript.take("") == (user("run the tests"), assistant("on it"))


def test_a_repeated_whole_text_is_not_handed_over_again() -> None:
    transcript = Transcript()
    transcript.done("user", "run the tests", item_id="question")
    transcript.take("")
    transcript.placed("question", None)
    transcript.done("user", "run the tests", item_id="question")
    transcript.delta("user", "run the tests", item_id="question")

    assert transcript.take("") == ()
    assert transcript.account() == "user: run the tests"


def test_so_many_items_that_were_handed_over_are_remembered() -> None:
    transcript = Transcript()
    for number in range(257):
        transcript.done("user", f"said {number}", item_id=f"item {number}")
    transcript.take("")
    for number in range(257):
        transcript.done("user", f"said {number}", item_id=f"item {number}")

    assert transcript.take("") == (user("said 0"),)


def test_a_piece_that_comes_after_its_whole_text_is_dropped() -> None:
    transcript = Transcript()
    transcript.done("user", "run the tests", item_id="question")
    transcript.delta("user", " tests", item_id="question")

    assert transcript.take("") == (user("run the tests"),)


@pytest.mark.parametrize(
    ("pieces_later", "whole", "rest"),
    [
        ((), "run the tests", (" the tests",)),
        ((" the", " test"), " run the tests", (" the tests",)),
        ((" the",), "run", ()),
        ((), "run\n", ()),
        ((" the tests",), "ran the tests", ("ran the tests",)),
        ((" the", " tests"), "", (" the tests",)),
    ],
)
def test_of_an_item_that_was_handed_over_unfinished_the_rest_is_new(
    pieces_later: tuple[str, ...], whole: str, rest: tuple[str, ...]
) -> None:
    transcript = Transcript()
    transcript.delta("user", " run", item_id="question")
    assert transcript.take("") == (user(" run"),)
    for piece in pieces_later:
        transcript.delta("user", piece, item_id="question")
    transcript.done("user", whole, item_id="question")

    assert transcript.take("") == tuple(map(user, rest))
    transcript.done("user", whole, item_id="question")
    assert transcript.take("") == ()


def test_what_was_handed_over_in_parts_is_remembered_as_a_whole() -> None:
    transcript = Transcript()
    for piece in ("run", " the", " tests"):
        transcript.delta("user", piece, item_id="question")
        assert transcript.take("") == (user(piece),)
    transcript.done("user", "run the tests now", item_id="question")

    assert transcript.take("") == (user(" now"),)


def test_what_is_longer_than_a_handoff_is_not_remembered_for_its_rest() -> None:
    transcript = Transcript()
    for _ in range(2):
        transcript.delta("user", "a" * 5000, item_id="question")
        assert size(transcript.take("")) == 5007
    transcript.done("user", "a" * 10_000 + "end", item_id="question")

    (entry,) = transcript.take("")
    assert entry.text.startswith("…")
    assert entry.text.endswith("aend")


def test_an_item_that_was_dropped_while_open_goes_on_in_a_new_utterance() -> None:
    transcript = Transcript()
    transcript.delta("user", "old", item_id="question")
    transcript.done("user", "older", item_id="finished")
    transcript.placed("call", None)
    for letter in "abcd":
        transcript.done("assistant", letter * 2035)
    transcript.delta("assistant", "e")
    transcript.delta("user", "new", item_id="question")
    transcript.done("user", "older", item_id="finished")

    assert [entry.text[:3] for entry in transcript.take("")] == ["bbb", "ccc", "ddd", "e", "new"]


def test_the_place_of_words_that_are_still_to_come_outlives_older_ones_that_are_dropped() -> None:
    transcript = Transcript()
    transcript.placed("question", None)
    for letter in "abcde":
        transcript.done("assistant", letter * 2037)
    transcript.done("user", "q", item_id="question")

    assert [entry.text[0] for entry in transcript.take("")] == ["q", "c", "d", "e"]


# Times: what the user said up to a handoff


def test_up_to_a_time_what_the_user_said_later_waits_for_the_next_handoff() -> None:
    transcript = Transcript()
    transcript.delta("user", "run the tests", end_ms=1000)
    transcript.delta("user", " and", end_ms=1001)
    transcript.delta("assistant", "on it", end_ms=5000)
    transcript.delta("user", " wait", end_ms=1500)

    assert transcript.take("", until_ms=1000) == (user("run the tests"), assistant("on it"))
    assert transcript.take("", until_ms=1000) == ()
    transcript.delta("user", " then", end_ms=2000)
    assert transcript.take("", until_ms=1500) == (user(" and wait"),)
    assert transcript.take("", until_ms=None) == (user(" then"),)


def test_what_has_no_time_is_taken_up_to_any() -> None:
    transcript = Transcript()
    transcript.delta("user", "one ", end_ms=1000)
    transcript.delta("user", "two ")
    transcript.delta("user", "three ", end_ms=500)

    assert transcript.take("", until_ms=0) == (user("two "),)
    assert transcript.take("", until_ms=500) == (user("three "),)
    assert transcript.take("", until_ms=1000) == (user("one "),)


def test_the_whole_text_ends_when_its_last_piece_ended() -> None:
    transcript = Transcript()
    transcript.delta("user", "ran", end_ms=500)
    transcript.delta("user", " the", end_ms=900)
    transcript.done("user", "run the")

    assert transcript.take("", until_ms=899) == ()
    assert transcript.take("", until_ms=900) == (user("run the"),)


def test_of_a_whole_text_only_the_rest_is_new_after_a_handoff_up_to_a_time() -> None:
    transcript = Transcript()
    transcript.delta("user", "run", end_ms=500)
    transcript.delta("user", " these tests", end_ms=900)
    assert transcript.take("", until_ms=500) == (user("run"),)
    transcript.done("user", "run the tests")

    assert transcript.take("") == (user(" the tests"),)


def test_what_waits_for_the_next_handoff_takes_no_more_room_than_it_has() -> None:
    transcript = Transcript()
    transcript.delta("user", "a" * 4000, end_ms=500)
    transcript.delta("user", "b" * 2041, end_ms=900)
    assert size(transcript.take("", until_ms=500)) == 4007

    for letter in "cde":
        transcript.done("assistant", letter * 2036)
    assert [entry.text[0] for entry in transcript.take("")] == ["b", "c", "d", "e"]


def test_how_far_the_user_was_heard_is_told_by_the_latest_time() -> None:
    transcript = Transcript()
    assert heard_until_ms(transcript) is None
    transcript.delta("assistant", "hello", end_ms=100)
    transcript.delta("user", "hi")
    assert heard_until_ms(transcript) is None

    transcript.delta("user", "run", end_ms=0)
    assert heard_until_ms(transcript) == 0
    transcript.delta("user", " the", end_ms=900)
    transcript.delta("user", " tests", end_ms=800)
    assert heard_until_ms(transcript) == 900
    transcript.delta("user", "", end_ms=1000)
    assert heard_until_ms(transcript) == 1000


# A request that comes before its words


@pytest.mark.parametrize("late", ["run the tests", " Run the tests\n"])
def test_a_request_that_came_before_its_words_is_not_said_again_by_them(late: str) -> None:
    transcript = Transcript()
    transcript.placed("question", None)
    assert transcript.take(" run the Tests ") == (user("run the Tests"),)
    transcript.done("assistant", "on it")
    transcript.done("assistant", "run the tests")
    transcript.delta("user", "run", item_id="question")
    transcript.done("user", late, item_id="question")
    transcript.done("user", "and the linter")

    assert transcript.take("") == (assistant("on it"), assistant("run the tests"), user("and the linter"))


def test_a_request_that_the_user_says_again_is_said_again() -> None:
    transcript = Transcript()
    transcript.take("go on")
    transcript.done("user", "go on")
    transcript.done("user", "go on")
    assert transcript.take("") == (user("go on"),)

    transcript.done("user", "go on")
    assert transcript.take("") == (user("go on"),)


def test_a_request_whose_words_had_come_is_said_again_when_the_user_does() -> None:
    transcript = Transcript()
    transcript.done("user", "go on")
    assert transcript.take("go on") == (user("go on"),)
    transcript.done("user", "go on")

    assert transcript.take("") == (user("go on"),)


def test_a_second_request_stands_beside_the_late_words_of_the_first() -> None:
    transcript = Transcript()
    transcript.take("go on")
    transcript.done("user", "go on")
    assert transcript.take("go on") == (user("go on"),)
    transcript.done("user", "go on")
    assert transcript.take("") == ()


# The history


def test_the_history_is_what_everybody_said_in_order() -> None:
    transcript = Transcript()
    transcript.placed("question", None)
    transcript.delta("assistant", "on it", item_id="answer")
    transcript.done("user", "run the tests", item_id="question")
    transcript.take("run the tests")
    transcript.typed("only\nthose of the core")
    transcript.reported("All 12\r\npass.\n")
    transcript.delta("user", "fine,")

    assert transcript.account() == (
        "user: run the tests\nassistant: on it\nuser (typed): only those of the core\nagent: All 12 pass.\nuser: fine,"
    )
    assert transcript.take("") == (user("fine,"),)


def test_the_history_is_empty_when_nothing_was_said() -> None:
    transcript = Transcript()
    transcript.typed("")
    transcript.reported("")
    transcript.delta("user", " \n")

    assert transcript.account() == ""


def test_what_is_finished_after_a_handoff_is_once_in_the_history() -> None:
    transcript = Transcript()
    transcript.delta("user", "run")
    transcript.take("")
    transcript.done("user", "run the tests")
    transcript.delta("assistant", "on", item_id="answer")
    transcript.take("")
    transcript.done("assistant", "on it", item_id="answer")
    transcript.done("assistant", "on it", item_id="answer")

    assert transcript.account() == "user: run the tests\nassistant: on it"


def test_of_what_the_agent_said_the_beginning_is_history() -> None:
    transcript = Transcript()
    transcript.reported("é" * 1001)

    assert transcript.account() == "agent: " + "é" * 1000


def test_what_is_told_elsewhere_is_left_out_of_the_history() -> None:
    transcript = Transcript()
    report = "a" * 2000
    transcript.done("user", "one")
    transcript.typed("two")
    transcript.reported("three")
    transcript.reported(report)
    transcript.typed(report[:1000])

    assert transcript.account(leaving_out=frozenset({"two", report})) == (
        "user: one\nagent: three\nuser (typed): " + "a" * 1000
    )


def test_of_a_long_history_the_oldest_is_dropped() -> None:
    transcript = Transcript()
    # With `user (typed)` each takes 12 + 3 + 2033 = 2048 bytes: exactly four fit.
    for letter in "abcd":
        transcript.typed(letter * 2033)
    assert transcript.account().startswith("user (typed): aaa")

    transcript.typed("e" * 2033)
    account = transcript.account()
    assert account.startswith("user (typed): bbb")
    assert len(account) == MAX_BYTES - 1
    assert transcript.take("") == ()


def test_the_history_forgets_no_words_that_wait_for_a_handoff() -> None:
    transcript = Transcript()
    transcript.done("user", "run the tests")
    transcript.typed("a" * MAX_BYTES)

    assert "tests" not in transcript.account()
    assert transcript.take("") == (user("run the tests"),)


# A lost session, and a new conversation


def test_ids_and_times_mean_nothing_after_the_session_was_lost() -> None:
    transcript = Transcript()
    transcript.done("assistant", "hello", item_id="item")
    transcript.delta("user", "run", end_ms=90_000)
    transcript.delta("user", " it", end_ms=91_000)
    transcript.placed("later", None)
    transcript.take("hello", until_ms=90_000)
    transcript.transport_lost()
    assert heard_until_ms(transcript) is None

    transcript.delta("user", "again", end_ms=10)
    transcript.done("user", "more", item_id="item")
    transcript.done("user", "last", item_id="later")
    assert heard_until_ms(transcript) == 10
    assert transcript.take("", until_ms=10) == (user(" it"), user("again"), user("more"), user("last"))


def test_words_that_were_said_before_the_session_was_lost_stay() -> None:
    transcript = Transcript()
    transcript.delta("user", "run the tests", item_id="question")
    transcript.delta("assistant", "on")
    transcript.typed("quickly")
    transcript.transport_lost()
    transcript.delta("assistant", "hello again")
    transcript.done("user", "hello", item_id="question")

    assert transcript.account() == (
        "user: run the tests\nassistant: on\nuser (typed): quickly\nassistant: hello again\nuser: hello"
    )
    assert transcript.take("") == (user("run the tests"), assistant("on"), assistant("hello again"), user("hello"))


def test_the_places_of_a_lost_session_take_no_room() -> None:
    transcript = Transcript()
    for number in range(256):
        transcript.placed(f"item {number}", None)
    transcript.transport_lost()
    for number in range(256):
        transcript.placed(f"item {number}", None)
    transcript.done("user", "last", item_id="item 255")
    transcript.done("user", "first", item_id="item 0")

    assert transcript.take("") == (user("first"), user("last"))


def test_a_request_of_a_lost_session_has_no_late_words() -> None:
    transcript = Transcript()
    transcript.take("go on")
    transcript.transport_lost()
    transcript.done("user", "go on")

    assert transcript.take("") == (user("go on"),)


def test_a_new_conversation_knows_nothing_of_the_one_before() -> None:
    transcript = Transcript()
    transcript.placed("later", None)
    transcript.delta("user", "run", end_ms=90_000)
    transcript.done("assistant", "hello", item_id="item")
    transcript.typed("quickly")
    transcript.take("go on", until_ms=0)
    transcript.cleared()

    assert heard_until_ms(transcript) is None
    assert transcript.account() == ""
    assert transcript.take("") == ()

    transcript.take("go on")
    transcript.cleared()
    transcript.done("user", "go on")
    transcript.done("user", "one", item_id="item")
    transcript.done("user", "two", item_id="later")
    assert transcript.take("") == (user("go on"), user("one"), user("two"))


# Counterparts of the reference's tests


def test_a_handoff_takes_only_what_was_said_after_the_one_before() -> None:
    # takes_only_transcript_after_last_handoff_once
    transcript = Transcript()
    transcript.done("user", "run the tests")
    transcript.done("assistant", "on it")
    transcript.take("run the tests")
    transcript.done("assistant", "they pass")
    transcript.done("user", "commit it")

    assert transcript.take("commit it") == (assistant("they pass"), user("commit it"))
    assert transcript.take("") == ()


def test_the_transcript_outlives_a_reconnect_and_whole_texts_still_replace_pieces() -> None:
    # transcript_state_survives_reconnect_and_reconciles_done
    transcript = Transcript()
    transcript.delta("user", "ran the", item_id="a")
    transcript.done("user", "run the tests", item_id="a")
    transcript.transport_lost()
    transcript.delta("user", "and commits", item_id="a")
    transcript.done("user", "and commit", item_id="a")

    assert transcript.take("") == (user("run the tests"), user("and commit"))


def test_of_a_long_transcript_the_end_is_kept_within_the_bound() -> None:
    # active_transcript_retains_a_bounded_suffix
    transcript = Transcript()
    for number in range(2000):
        transcript.done("user" if number % 2 else "assistant", f"utterance {number}")

    said = transcript.take("")
    assert MAX_BYTES - 40 < size(said) <= MAX_BYTES
    first = 2000 - len(said)
    assert [entry.text for entry in said] == [f"utterance {number}" for number in range(first, 2000)]


@pytest.mark.parametrize("order", [("user", "assistant"), ("assistant", "user")])
def test_two_who_speak_at_once_are_told_apart_across_a_reconnect_whoever_ends_first(
    order: tuple[Speaker, Speaker],
) -> None:
    # interleaved_transcripts_reconcile_across_reconnect_in_either_completion_order
    transcript = Transcript()
    transcript.delta("user", "before ")
    transcript.delta("assistant", "earlier ")
    transcript.delta("user", "that")
    transcript.delta("assistant", "on")
    transcript.transport_lost()
    transcript.delta("user", "ran ")
    transcript.delta("assistant", "I ")
    transcript.delta("user", "the")
    whole = {"user": "run the tests", "assistant": "I do"}
    for speaker in order:
        transcript.done(speaker, whole[speaker])

    assert transcript.take("") == (
        user("before that"),
        assistant("earlier on"),
        user("run the tests"),
        assistant("I do"),
    )


def test_repeated_words_and_whole_texts_without_pieces_are_utterances_of_their_own() -> None:
    # completed_utterances_keep_repeated_speech_and_final_only_turns_distinct
    transcript = Transcript()
    transcript.delta("user", "yes")
    transcript.done("user", "yes")
    transcript.done("user", "yes")
    transcript.done("assistant", "yes", item_id="a")
    transcript.done("assistant", "yes", item_id="b")
    transcript.delta("user", "yes")

    assert transcript.take("") == (user("yes"), user("yes"), assistant("yes"), assistant("yes"), user("yes"))


def test_words_are_cut_to_the_same_end_however_they_come() -> None:
    text = "".join(f"é{number} " for number in range(6000))
    whole, pieces = Transcript(), Transcript()
    whole.done("user", text)
    for start in range(0, len(text), 7):
        pieces.delta("user", text[start : start + 7])

    assert pieces.account() == whole.account()
    assert pieces.take("") == whole.take("")


@pytest.mark.parametrize(("piece", "times"), [("a word ", 20_000), ("a" * 1_000_000, 2)])
def test_words_without_end_take_no_room_without_end(piece: str, times: int) -> None:
    transcript = Transcript()
    for _ in range(times):
        transcript.delta("user", piece)

    assert len(pickle.dumps(transcript)) < 16 * MAX_BYTES


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["placed", "delta", "delta", "done", "take", "take until", "lost"]),
            st.integers(0, 5),
            st.integers(0, 6),
        ),
        max_size=60,
    )
)
def test_in_whatever_order_it_comes_every_word_is_handed_over_once(steps: list[tuple[str, int, int]]) -> None:
    transcript = Transcript()
    letters = itertools.count(0x4E00)
    # What each item says: letters that nothing else has. Even ones are the user's; the last two have no id.
    texts = ["".join(chr(next(letters)) for _ in range(4)) for _ in range(6)]
    told, finished = [0] * 6, [False] * 6
    said, taken = "", ""
    for what, index, number in steps:
        speaker, item_id = SPEAKERS[index % 2], f"item {index}" if index < 4 else None
        if what == "placed" and item_id is not None:
            transcript.placed(item_id, f"item {number}" if number < 4 else None)
        elif what == "delta" and not finished[index] and told[index] < 4:
            piece = texts[index][told[index]]
            transcript.delta(speaker, piece, item_id=item_id, end_ms=number if number else None)
            told[index] += 1
            said += piece
        elif what == "done" and item_id is not None:
            transcript.done(speaker, texts[index], item_id=item_id)
            finished[index] = True
            said += texts[index][told[index] :]
            told[index] = 4
        elif what.startswith("take"):
            taken += "".join(e.text for e in transcript.take("", until_ms=number if what == "take until" else None))
        elif what == "lost":
            transcript.transport_lost()
            texts = ["".join(chr(next(letters)) for _ in range(4)) for _ in range(6)]
            told, finished = [0] * 6, [False] * 6
    taken += "".join(entry.text for entry in transcript.take(""))

    assert sorted(taken) == sorted(said)
    assert transcript.take("") == ()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["placed", "delta", "done", "take", "lost", "typed", "reported"]),
            st.sampled_from(SPEAKERS),
            st.one_of(st.none(), st.sampled_from("abc")),
            st.text("aé€😀\n", max_size=3),
            st.one_of(st.integers(0, 10), st.integers(500, 6000)),
        ),
        max_size=40,
    )
)
def test_in_whatever_order_it_comes_it_stays_within_its_bounds_and_no_character_is_cut(
    steps: list[tuple[str, Speaker, str | None, str, int]],
) -> None:
    transcript = Transcript()
    for what, speaker, item_id, text, number in steps:
        if what == "placed":
            transcript.placed(item_id or "d", text)
        elif what == "delta":
            transcript.delta(speaker, text * number, item_id=item_id, end_ms=number)
        elif what == "done":
            transcript.done(speaker, text * number, item_id=item_id)
        elif what == "take":
            said = transcript.take(text, until_ms=number)
            assert size(said) <= MAX_BYTES
            assert {letter for entry in said for letter in entry.text} <= set("aé€😀\n…")
        elif what == "lost":
            transcript.transport_lost()
        elif what == "typed":
            transcript.typed(text * number)
        else:
            transcript.reported(text * number)
        account = transcript.account()
        assert len(account.encode()) <= MAX_BYTES
        assert set(account) <= set("useragent (typed): assistant: aé€😀…\n")

    # What was taken takes no room any more.
    transcript.take("")
    for letter in "abcde":
        transcript.done("user", letter * 2041)
    assert [entry.text[0] for entry in transcript.take("")] == ["b", "c", "d", "e"]


@given(
    st.lists(st.tuples(st.sampled_from(SPEAKERS), ANY_TEXT, st.none() | st.integers(0, 9), st.booleans()), max_size=20),
    ANY_TEXT,
    st.none() | st.integers(0, 9),
)
def test_what_would_be_taken_can_be_looked_at_and_stays(
    said: list[tuple[Speaker, str, int | None, bool]], request_text: str, until_ms: int | None
) -> None:
    transcript = Transcript()
    for speaker, text, end_ms, is_done in said:
        if is_done:
            transcript.done(speaker, text)
        else:
            transcript.delta(speaker, text, end_ms=end_ms)
    seen = transcript.peek(request_text, until_ms=until_ms)
    assert transcript.peek(request_text, until_ms=until_ms) == seen
    assert transcript.take(request_text, until_ms=until_ms) == seen
