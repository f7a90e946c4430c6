from __future__ import annotations

import pytest

from backchannel.engine.speech.hearing_worker import HEADER, distance, encode_frame, grammar_words

GRAMMAR = """#JSGF V1.0 UTF-8 en;
/* a comment with
   words */
grammar some.name;
public <request> = /0.7/ run [all] (the tests | the-lot) {tag} | <stop>+; // not this
<stop> = stop* "now";
"""


def test_the_words_of_a_grammar() -> None:
    assert grammar_words(GRAMMAR) == ["run", "all", "the", "tests", "the-lot", "stop", "now"]


def test_a_frame_says_its_length() -> None:
    frame = encode_frame(b"A", b"12345")
    assert HEADER.unpack(frame[: HEADER.size]) == (b"A", 5)
    assert frame[HEADER.size :] == b"12345"


@pytest.mark.parametrize(
    ("some", "others", "expected"),
    [
        ("", "", 0.0),
        ("abc", "abc", 0.0),
        ("abc", "", 1.0),
        ("abc", "xyz", 1.0),
        ("abcd", "abd", 0.25),
        ("ab", "ba", 1.0),
    ],
)
def test_distance(some: str, others: str, expected: float) -> None:
    assert distance(some, others) == expected
    assert distance(others, some) == expected
