from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.wire.tokens import BYTES_PER_TOKEN, estimate_tokens, fits, truncate_middle

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=400)


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("…", 1), ("é" * 4, 2)])
def test_a_token_is_four_bytes_begun(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens


@pytest.mark.parametrize(
    ("text", "seen"), [("", True), ("a" * 20, True), ("a" * 21, False), ("é" * 5, True), ("é" * 6, False)]
)
def test_a_text_that_surely_fits_is_seen_at_a_glance(text: str, *, seen: bool) -> None:
    assert fits(text, 20) is seen


@given(ANY_TEXT, st.integers(0, 500))
def test_what_seems_to_fit_does(text: str, max_bytes: int) -> None:
    if fits(text, max_bytes):
        assert len(text.encode("utf-8", "replace")) <= max_bytes


def test_a_text_that_fits_is_left_alone() -> None:
    assert truncate_middle("a" * 40, max_tokens=10) == "a" * 40
    assert truncate_middle("", max_tokens=0) == ""


def test_a_longer_text_keeps_its_head_and_tail_around_what_is_missing() -> None:
    text = "".join(f"{n:04}" for n in range(100))

    cut = truncate_middle(text, max_tokens=20)

    head, missing, tail = re.split(r"…(\d+) tokens truncated…", cut)
    assert text.startswith(head)
    assert text.endswith(tail)
    assert abs(len(head) - len(tail)) <= 1
    assert int(missing) == -(-(400 - len(head) - len(tail)) // 4)
    assert 76 <= len(cut.encode()) <= 80


def test_what_is_said_to_be_missing_is_rounded_up() -> None:
    # 60 bytes of budget, of which the marker is given 28; 67 or 68 of the 99 or 100 bytes are missing.
    for n_bytes in (99, 100):
        cut = truncate_middle("a" * n_bytes, max_tokens=15)
        assert cut == "a" * 16 + "…17 tokens truncated…" + "a" * 16


@pytest.mark.parametrize(
    ("n_bytes", "half", "missing"),
    [
        (4001, 1988, 7),
        (4005, 1988, 8),
        (4012, 1988, 9),
        # With its second digit the marker needs another token.
        (4013, 1986, 11),
        (4372, 1986, 100),
        (400_000, 1986, 99_007),
        (404_000, 1984, 100_008),
    ],
)
def test_the_halves_and_the_marker_are_those_of_the_reference(n_bytes: int, half: int, missing: int) -> None:
    # Measured with codex 0.169.0: what an agent said, of so many bytes, in 1000 tokens.
    cut = truncate_middle("a" * n_bytes, max_tokens=1000)
    assert cut == "a" * half + f"…{missing} tokens truncated…" + "a" * half


@pytest.mark.parametrize("max_tokens", [-1, 0, 1, 5])
def test_a_budget_too_small_for_the_marker_gives_nothing(max_tokens: int) -> None:
    assert truncate_middle("a" * 100, max_tokens=max_tokens) == ""


def test_a_budget_of_just_the_marker_gives_the_marker() -> None:
    # "…25 tokens truncated…" is 25 bytes long: 7 tokens hold it, 6 do not.
    assert truncate_middle("a" * 100, max_tokens=7) == "…25 tokens truncated…"
    assert truncate_middle("a" * 100, max_tokens=6) == ""


def test_characters_are_not_cut() -> None:
    cut = truncate_middle("😀" * 100, max_tokens=20)

    assert set(re.sub(r"…\d+ tokens truncated…", "", cut)) == {"😀"}


@given(ANY_TEXT, st.integers(-2, 60))
def test_the_result_is_never_over_the_budget(text: str, max_tokens: int) -> None:
    cut = truncate_middle(text, max_tokens=max_tokens)

    assert cut == text or len(cut.encode("utf-8", "replace")) <= max(0, max_tokens) * BYTES_PER_TOKEN
    assert estimate_tokens(cut) <= max(0, max_tokens)


@given(ANY_TEXT, st.integers(8, 60))
def test_the_result_is_made_of_the_texts_ends(text: str, max_tokens: int) -> None:
    cut = truncate_middle(text, max_tokens=max_tokens)

    if cut != text:
        marked = list(re.finditer(r"…\d+ tokens truncated…", cut))
        replaced = text.encode("utf-8", "replace").decode()
        assert any(
            replaced.startswith(cut[: match.start()]) and replaced.endswith(cut[match.end() :]) for match in marked
        )
