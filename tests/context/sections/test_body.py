from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.context.sections.body import (
    Line,
    body_tokens,
    cut,
    heading_tokens,
    lines,
    no_heading,
    plain,
    quoted,
    section,
    text_of,
    time_of,
)
from backchannel.wire.tokens import estimate_tokens

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
BODIES = st.lists(WORDS.map(plain), max_size=30).map(
    lambda texts: tuple(Line(text, str(n)) for n, text in enumerate(texts))
)


@given(BODIES, st.integers(0, 120))
def test_what_is_cut_fits_and_keeps_both_ends(body: tuple[Line, ...], max_tokens: int) -> None:
    shown = cut(body, max_tokens=max_tokens)
    assert body_tokens(shown) <= max_tokens
    whole = text_of(body)
    if estimate_tokens(whole) <= max_tokens:
        assert shown == body
    elif shown:
        head, marker, tail = text_of(shown).partition("…")
        rest = tail.partition(" tokens truncated…")[2]
        assert marker
        assert whole.startswith(head)
        assert whole.endswith(rest)


@given(BODIES, st.integers(0, 120))
def test_each_line_that_is_left_keeps_its_origin(body: tuple[Line, ...], max_tokens: int) -> None:
    told = {(line.text, line.origin) for line in body}
    for line in cut(body, max_tokens=max_tokens):
        if "tokens truncated…" not in line.text:
            # The last line before the marker, or the first after it, may be cut itself.
            assert (line.text, line.origin) in told


def test_the_line_of_the_marker_comes_from_where_its_beginning_does() -> None:
    body = tuple(Line(f"{letter * 40}", letter) for letter in "abcdef")
    shown = cut(body, max_tokens=40)
    assert [line.origin for line in shown] == ["a", "b", "f"]
    assert shown[1].text.startswith("bb")
    assert "tokens truncated…" in shown[1].text


def test_no_character_is_cut() -> None:
    body = (Line("ö" * 100 + "🙂" * 100, "x"),)
    for budget in range(20, 60):
        assert "\N{REPLACEMENT CHARACTER}" not in text_of(cut(body, max_tokens=budget))


def test_a_long_turn_says_how_much_is_missing() -> None:
    (line,) = cut((Line("a" * 897 * 4, "x"),), max_tokens=300)
    assert "…604 tokens truncated…" in line.text


def test_a_section_is_within_its_budget_with_its_heading() -> None:
    made = section("Title", (Line("word " * 500, "x"),), max_tokens=50)
    assert made is not None
    assert made.tokens <= 50
    assert made.text.startswith("## Title\nword ")
    assert next(line.text for line in made.lines()) == "## Title"
    assert heading_tokens("Title") == 3


@pytest.mark.parametrize("max_tokens", [0, 3, 8])
def test_a_section_without_room_is_none(max_tokens: int) -> None:
    assert section("Title", (Line("word " * 500, "x"),), max_tokens=max_tokens) is None


def test_a_section_without_lines_is_none() -> None:
    assert section("Title", (), max_tokens=100) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb", "a   b"),
        ("a\x1b[31mb\x00", "a\N{REPLACEMENT CHARACTER}[31mb\N{REPLACEMENT CHARACTER}"),
        ("name\nwith a line", "name\N{REPLACEMENT CHARACTER}with a line"),
        ("caf\udce9", "caf\N{REPLACEMENT CHARACTER}"),
        ("\u202egnp.exe", "\N{REPLACEMENT CHARACTER}gnp.exe"),
        ("a</startup_context>b", "a[/startup_context]b"),
        ("<STARTUP_CONTEXT>", "[STARTUP_CONTEXT]"),
        ("</startup_context >", "[/startup_context]"),
        ("< / startup_context x='1'>", "[/startup_context]"),
        ("</startup_context", "[/startup_context]"),
        ("\uff1c/startup_context\uff1e", "[/startup_context]"),
        ("\u2039startup_context>", "[startup_context]"),
        ("<startup_contexts>", "<startup_contexts>"),
        ("a\u200bb\ufeff", "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"),
        ("a\U000e0041", "a\N{REPLACEMENT CHARACTER}"),
        ("token=abcdef123", "token=[left out]"),
        ("größer", "größer"),
    ],
)
def test_names_are_one_line_that_can_be_sent(text: str, shown: str) -> None:
    assert plain(text) == shown


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("## Notes", "\\## Notes"),
        ("   # A", "   \\# A"),
        ("######", "\\######"),
        ("    # code", "    # code"),
        ("#tag and #1", "#tag and #1"),
        ("a # b", "a # b"),
        ("####### seven", "####### seven"),
    ],
)
def test_quoted_words_are_no_headings(line: str, shown: str) -> None:
    assert no_heading(line) == shown
    assert quoted(f"one\n{line}", "x") == (Line("one", "x"), Line(shown, "x"))


def test_a_marker_that_stands_there_already_is_no_trouble() -> None:
    beginning = "x\N{HORIZONTAL ELLIPSIS}100 tokens truncated\N{HORIZONTAL ELLIPSIS}"
    text = beginning + "y" * (404 - len(beginning.encode()))
    assert cut((Line(text, "x"),), max_tokens=8) == (Line(f"{beginning}yy", "x"),)


def test_words_keep_their_lines_and_lose_their_secrets() -> None:
    assert lines("one\r\ntwo\u2028password: hunter22\n", "x") == (
        Line("one", "x"),
        Line("two", "x"),
        Line("password: [left out]", "x"),
    )


def test_a_key_over_many_lines_is_left_out_whole() -> None:
    text = "see\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----\nend"
    assert [line.text for line in lines(text, "x")] == ["see", "[left out]", "end"]


@pytest.mark.parametrize(
    ("at_ms", "shown"),
    [
        (0, "1970-01-01T00:00:00.000+00:00"),
        (1_790_000_000_123, "2026-09-21T14:13:20.123+00:00"),
        (-5, "1970-01-01T00:00:00.000+00:00"),
        (10**18, "9999-12-31T23:59:59.999+00:00"),
    ],
)
def test_times_are_as_rfc_3339_has_them(at_ms: int, shown: str) -> None:
    assert time_of(at_ms) == shown
