from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.threads import UserAsked, decode_entry, encode_entry
from backchannel.threads.encoding import from_column, to_column

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))


@given(ANY_TEXT)
def test_every_text_survives_in_an_entry(text: str) -> None:
    entry = UserAsked(at_ms=1, text=text)
    assert decode_entry(encode_entry(entry)) == entry


@given(ANY_TEXT)
def test_every_text_survives_in_a_column(text: str) -> None:
    assert from_column(to_column(text)) == text


def test_what_has_utf8_is_text_and_readable() -> None:
    assert to_column("/p/ä") == "/p/ä"
    assert to_column("/p/\udcff") == b"/p/\xed\xb3\xbf"
    assert to_column(None) is None
    assert (
        encode_entry(UserAsked(at_ms=1, text="ä"))
        == '{"type":"user_asked","at_ms":1,"text":"ä","by_voice":false}'.encode()
    )


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b'{"type":"user_asked"}', b'"\\udcff"', b"[" * 100_000])
def test_what_is_no_entry_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode_entry(data)
