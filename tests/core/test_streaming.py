from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backchannel.core.streaming import FLUSH_S, Streaming

MARK = "\n…output truncated…\n"


def streamed(call_id: str | None = "c", *pieces: str, tags: tuple[str, ...] = ()) -> Streaming:
    streaming = Streaming(tags)
    for piece in pieces:
        streaming.wrote(call_id, piece, 0.0)
    return streaming


def test_pieces_go_out_every_so_often_and_the_rest_at_the_end() -> None:
    streaming = Streaming()
    streaming.wrote("c", "One", 1.0)
    assert streaming.deadline == 1.0 + FLUSH_S
    streaming.wrote("c", " two", 1.1)
    assert streaming.due("c", 1.19) is None
    assert streaming.due("c", 1.2) == "One two"
    assert streaming.due("c", 1.3) is None
    streaming.wrote("c", " three", 1.21)
    assert streaming.deadline == 1.2 + FLUSH_S
    assert streaming.completed("c", "One two three four") == " three four"
    # The next message is another one, and at once when it has been long enough.
    streaming.wrote("c", "Five", 9.0)
    assert streaming.head == "Five"
    assert streaming.due("c", 9.2) == "Five"
    streaming.wrote("c", ".", 10.0)
    assert streaming.deadline == 10.0
    assert streaming.completed("c", "Five") == ""


def test_a_message_of_which_nothing_went_out_is_passed_on_whole() -> None:
    assert streamed().completed("c", "One") is None
    assert streamed("c", "On").completed("c", "One") is None


def test_a_message_that_begins_without_a_delegation_is_not_streamed() -> None:
    streaming = streamed(None, "One")
    streaming.wrote("c", " two", 1.0)
    assert streaming.deadline is None
    assert streaming.completed("c", "One two") is None
    assert streaming.completed(None, "One two") is None


def test_a_message_of_which_the_delegation_changes_is_passed_on_whole() -> None:
    for later in ("d", None):
        streaming = streamed("c", "One")
        assert streaming.due("c", 1.0) == "One"
        streaming.wrote(later, " two", 1.0)
        assert streaming.deadline is None
        assert streaming.completed(later, "One two") is None
    streaming = streamed("c", "One")
    streaming.due("c", 1.0)
    assert streaming.completed("d", "One two") is None


def test_a_piece_does_not_go_to_another_delegation() -> None:
    for now_waiting in ("d", None):
        streaming = streamed("c", "One")
        assert streaming.due(now_waiting, 1.0) is None
        assert streaming.deadline is None
        assert streaming.completed(now_waiting, "One") is None


def test_a_text_that_became_another_one_is_passed_on_whole() -> None:
    streaming = streamed("c", "One")
    streaming.due("c", 1.0)
    assert streaming.completed("c", "1") is None


def test_what_is_dropped_is_forgotten() -> None:
    streaming = streamed("c", "One")
    streaming.due("c", 1.0)
    streaming.wrote("c", " tw", 1.0)
    streaming.dropped()
    assert streaming.deadline is None
    streaming.wrote("c", "Three", 2.0)
    assert streaming.due("c", 2.2) == "Three"


def test_when_nobody_has_heard_its_beginning_it_goes_on_unstreamed() -> None:
    streaming = streamed("c", "One")
    streaming.due("c", 1.0)
    streaming.lost()
    streaming.wrote("c", " two", 2.0)
    assert streaming.deadline is None
    assert streaming.completed("c", "One two") is None
    streaming.wrote("c", "Three", 3.0)
    assert streaming.deadline is not None


def test_nothing_goes_out_before_it_is_known_whether_it_may_be_spoken() -> None:
    streaming = streamed("c", "", "[AN", tags=("[ANALYSIS]", "[COMMENTARY]"))
    assert streaming.deadline is None
    streaming.wrote("c", "SWER", 1.0)
    assert streaming.due("c", 1.2) == "[ANSWER"
    streaming = streamed("c", "[ANALYSIS]", tags=("[ANALYSIS]", "[COMMENTARY]"))
    assert streaming.due("c", 1.0) == "[ANALYSIS]"


def test_of_a_long_message_the_middle_is_left_out() -> None:
    streaming = streamed("c", "a" * 3000)
    head = streaming.due("c", 1.0)
    assert head is not None
    assert 1900 < len(head) < 2000
    streaming.wrote("c", "b" * 3000, 1.0)
    assert streaming.due("c", 2.0) is None
    rest = streaming.completed("c", "a" * 3000 + "b" * 3000)
    assert rest == MARK + "b" * (4000 - len(head) - len(MARK.encode()))


def test_a_long_message_that_came_at_once_is_cut_as_one_that_was_streamed() -> None:
    text = "a" * 3000 + "b" * 3000
    cut = Streaming().completed("c", text)
    assert cut is not None
    assert len(cut.encode()) == 4000
    assert cut.startswith("a")
    assert cut.endswith("b")
    assert MARK in cut
    assert Streaming().completed(None, text) is None
    assert Streaming().completed("c", text[:4000]) is None


@given(text=st.text(st.sampled_from("aé😀\udcff\n"), max_size=30), n=st.integers(1, 400), size=st.integers(1, 700))
def test_pieces_and_rest_are_the_text_or_its_two_ends(text: str, n: int, size: int) -> None:
    whole = text * n
    streaming, gone, now = Streaming(), "", 0.0
    for start in range(0, len(whole), size):
        streaming.wrote("c", whole[start : start + size], now)
        now += FLUSH_S
        gone += streaming.due("c", now) or ""
    rest = streaming.completed("c", whole)
    if rest is None:
        assert not whole
        return
    said = gone + rest
    if len(whole.encode("utf-8", "replace")) <= 4000:
        assert said == whole
        return
    head, _, tail = said.partition(MARK)
    assert whole.startswith(head)
    assert whole.endswith(tail)
    assert 3990 <= len(said.encode("utf-8", "replace")) <= 4000
