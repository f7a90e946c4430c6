from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backchannel.agents.outputs import Excerpt, Printed, clean
from backchannel.agents.workspace.phrasing import MAX_SPOKEN_CHARS, counted, listed, sentence, shortened


def test_control_sequences_are_taken_out() -> None:
    assert (
        clean("\x1b[1;31mred\x1b[0m \x1b]0;title\x07and\x00 \x1b(Bplain\r\n10%\r20%\n") == "red and plain\n10%\n20%\n"
    )


@given(st.binary(max_size=80), st.lists(st.integers(min_value=0, max_value=80), max_size=4))
def test_bytes_read_the_same_in_any_pieces(data: bytes, cuts: list[int]) -> None:
    printed = Printed()
    at = 0
    pieces = ""
    for cut in sorted(cuts):
        pieces += printed.feed(data[at:cut])
        at = max(at, cut)
    pieces += printed.feed(data[at:]) + printed.feed(b"", last=True)
    whole = Printed()
    assert pieces == whole.feed(data) + whole.feed(b"", last=True)


def test_a_sequence_cut_in_two_is_one() -> None:
    printed = Printed()
    assert [printed.feed(piece) for piece in (b"a\x1b[3", b"1mb\r", b"\nc\xc3", b"\xa9")] == ["a", "b", "\nc", "é"]


@given(st.lists(st.text(max_size=30), max_size=20))
def test_an_excerpt_keeps_head_and_tail(pieces: list[str]) -> None:
    excerpt = Excerpt(head_chars=20, tail_chars=10)
    head = "".join(excerpt.feed(piece) for piece in pieces)
    whole = "".join(pieces)
    assert head == whole[:20]
    assert excerpt.text.startswith(whole[:20])
    assert excerpt.text.endswith(whole[20:][-10:])
    if len(whole) <= 30:
        assert excerpt.text == whole
    else:
        assert f"[{len(whole) - 30} characters left out]" in excerpt.text


@given(st.text(max_size=400))
def test_a_sentence_is_fit_to_be_said(text: str) -> None:
    said = sentence(text)
    assert "\n" not in said
    assert len(said) <= MAX_SPOKEN_CHARS + 1


def test_numbers_and_lists_are_said() -> None:
    assert [counted(n, "file") for n in (0, 1, 12, 13)] == ["no files", "one file", "twelve files", "13 files"]
    assert listed([]) == ""
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(["a", "b", "c", "d", "e"]) == "a, b and three more"
    assert shortened("word " * 20, 12) == "word word…"
