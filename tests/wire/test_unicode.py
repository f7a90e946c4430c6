from __future__ import annotations

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from backchannel.wire.unicode import encodable

ANY_TEXT = st.text(st.characters(exclude_categories=()))


def test_a_lone_surrogate_becomes_a_question_mark_wherever_it_stands() -> None:
    value = {"\udc80": ["a\ud800b", ("\udfff",)], "n": 1, "yes": True, "none": None}

    assert encodable(value) == {"?": ["a?b", ["?"]], "n": 1, "yes": True, "none": None}


class Told(msgspec.Struct, frozen=True):
    text: str
    n: int
    inside: "Told | None" = None
    raw: msgspec.Raw = msgspec.Raw(b"{}")


def test_a_struct_comes_back_as_one_of_the_same_kind() -> None:
    told = Told("a\ud800b", 1, Told("\udc80", 2))

    assert encodable(told) == Told("a?b", 1, Told("?", 2))


@given(st.text())
def test_text_that_has_utf_8_comes_back_as_it_is(text: str) -> None:
    assert encodable(text) == text


@given(st.recursive(ANY_TEXT | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner)))
def test_everything_that_comes_back_has_utf_8(value: object) -> None:
    assert json.dumps(encodable(value), ensure_ascii=False).encode()
