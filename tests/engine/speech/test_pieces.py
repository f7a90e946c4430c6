from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.engine.speech.pieces import MAX_PIECE_CHARS, MAX_TEXT_CHARS, clean_text, split_text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("", ""),
        ("  \n ... !? ", ""),
        ("one\x00two\x1b[0m three\u202e", "one two [0m three"),
        ("first line\n\nsecond line.\nthird", "first line. second line. third"),
        ("it\u2019s \u201cfine\u201d \u2014 really\u2026", 'it\'s "fine" , really.'),
        ("[[h@l'oU]]", "[ [h@l'oU] ]"),
    ],
)
def test_clean_text(text: str, cleaned: str) -> None:
    assert clean_text(text) == cleaned


def test_accents_are_taken_off_where_only_ascii_is_known() -> None:
    assert clean_text("caf\u00e9 \u4e16", ascii_only=True) == "cafe"
    assert clean_text("caf\u00e9 \u4e16") == "caf\u00e9 \u4e16"


def test_long_text_is_cut_at_a_word() -> None:
    cleaned = clean_text("word " * MAX_TEXT_CHARS)
    assert MAX_TEXT_CHARS - 5 <= len(cleaned) <= MAX_TEXT_CHARS
    assert cleaned.endswith("word")


def test_pieces_are_sentences_and_the_first_is_short() -> None:
    text = (
        "I looked at the forty two files that changed since the last release, which took a while because of "
        "their size, and found three. All of them are fine. No. Shall I show them to you?"
    )
    pieces = split_text(text)
    assert pieces[0] == "I looked at the forty two files that changed since the last release,"
    assert pieces[2:] == ["All of them are fine. No.", "Shall I show them to you?"]
    assert " ".join(pieces) == text


@given(st.text(max_size=3000))
def test_any_text_gives_bounded_pieces_with_something_to_pronounce(text: str) -> None:
    cleaned = clean_text(text)
    assert len(cleaned) <= MAX_TEXT_CHARS
    assert cleaned.isprintable()
    pieces = split_text(cleaned)
    assert bool(pieces) == bool(cleaned)
    for piece in pieces:
        assert len(piece) <= MAX_PIECE_CHARS + 1 + 24
        assert any(char.isalnum() for char in piece)
        assert "[[" not in piece
