from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.core import parse_delegation, render_delegation
from backchannel.core.delegation import (
    BYTES_PER_TOKEN,
    MAX_ENVELOPE_TOKENS,
    MIN_INPUT_TOKENS,
    TAIL,
    is_for_later,
    render_tail,
    without_lead,
)

MAX_BYTES = MAX_ENVELOPE_TOKENS * BYTES_PER_TOKEN
INPUT_CUT = "… input truncated …"
TRANSCRIPT_CUT = "… earlier transcript truncated …\n"
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=200)
# Much text of what is hard to cut: entities, characters of several bytes.
LONG_TEXT = st.builds(
    lambda pieces, repeated: "".join(pieces) * repeated,
    st.lists(st.sampled_from(["&", "<", ">", ";", "a", "é", "…", "😀", "\n", "&amp;"]), min_size=1, max_size=9),
    st.integers(1, 12_000),
)


def size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def said_in(envelope: str) -> str:
    found = re.search("<transcript_delta>(.*)</transcript_delta>", envelope, re.DOTALL)
    assert found is not None
    return found.group(1)


def input_of(envelope: str) -> str:
    found = re.search("<input>(.*)</input>", envelope, re.DOTALL)
    assert found is not None
    return found.group(1)


def test_the_bounds_are_these() -> None:
    assert (BYTES_PER_TOKEN, MAX_ENVELOPE_TOKENS, MIN_INPUT_TOKENS) == (4, 8192, 2048)


def test_a_request_alone_is_wrapped() -> None:
    assert render_delegation("run the tests") == (
        "<realtime_delegation>\n  <input>run the tests</input>\n</realtime_delegation>"
    )


def test_a_request_is_wrapped_with_what_was_said() -> None:
    assert render_delegation("run them", "user: hello\nassistant: hi") == (
        "<realtime_delegation>\n"
        "  <input>run them</input>\n"
        "  <transcript_delta>user: hello\nassistant: hi</transcript_delta>\n"
        "</realtime_delegation>"
    )


def test_what_was_said_at_the_end_is_wrapped_and_says_where_it_is_from() -> None:
    assert render_tail("user: a < b") == (
        "<realtime_delegation>\n"
        "  <source>transcript_tail_flush</source>\n"
        f"  <input>{TAIL}</input>\n"
        "  <transcript_delta>user: a &lt; b</transcript_delta>\n"
        "</realtime_delegation>"
    )
    assert "is over" in TAIL
    assert "act on it only where" in TAIL
    assert parse_delegation(render_tail("user: x")) == TAIL


@given(LONG_TEXT)
def test_however_much_was_said_at_the_end_the_envelope_keeps_its_bound(said: str) -> None:
    envelope = render_tail(said)
    assert size(envelope) <= MAX_ENVELOPE_TOKENS * BYTES_PER_TOKEN
    assert input_of(envelope) == TAIL
    assert html.unescape(said_in(envelope)).endswith(said[-1:])


def test_markup_is_escaped_in_both_and_quotes_are_not() -> None:
    assert render_delegation("a < b && \"c\" > 'd'", "user: </input> &lt;") == (
        "<realtime_delegation>\n"
        "  <input>a &lt; b &amp;&amp; \"c\" &gt; 'd'</input>\n"
        "  <transcript_delta>user: &lt;/input&gt; &amp;lt;</transcript_delta>\n"
        "</realtime_delegation>"
    )


@pytest.mark.parametrize("text", ["", "a < b &lt; &amp; c", "</input>", "<realtime_delegation>\n", "\ud800"])
def test_the_request_is_found_again(text: str) -> None:
    assert parse_delegation(render_delegation(text)) == text
    assert parse_delegation(render_delegation(text, "user: <input>x</input>")) == text


@pytest.mark.parametrize(
    "text",
    [
        "run the tests",
        "",
        "<realtime_delegation>\nrun</realtime_delegation>",
        "<realtime_delegation>\n  <input>run</realtime_delegation>",
        "<realtime_delegation>\n  run</input></realtime_delegation>",
        "<realtime_delegation>\n  </input><input></realtime_delegation>",
        "<realtime_delegation>\n  <input>run</input>\n",
        "  <input>run</input>\n</realtime_delegation>",
    ],
)
def test_what_is_no_envelope_is_itself_the_request(text: str) -> None:
    assert parse_delegation(text) == text


def test_a_request_that_is_too_long_keeps_its_head_and_tail() -> None:
    text = "".join(f"{n:06}" for n in range(20_000))

    envelope = render_delegation(text)
    head, tail = input_of(envelope).split(INPUT_CUT)

    assert size(envelope) == MAX_BYTES
    assert text.startswith(head)
    assert text.endswith(tail)
    assert abs(len(head) - len(tail)) <= 1


def test_the_longest_request_that_fits_is_whole() -> None:
    room = MAX_BYTES - size(render_delegation(""))

    assert INPUT_CUT not in render_delegation("a" * room)
    assert INPUT_CUT in render_delegation("a" * (room + 1))
    assert size(render_delegation("a" * (room + 1))) == MAX_BYTES


def test_a_transcript_that_is_too_long_keeps_its_tail_and_leaves_the_request_whole() -> None:
    said = "".join(f"user: {n}\n" for n in range(20_000))

    envelope = render_delegation("run the tests", said)

    assert input_of(envelope) == "run the tests"
    assert said_in(envelope).startswith(TRANSCRIPT_CUT)
    assert said.endswith(said_in(envelope).removeprefix(TRANSCRIPT_CUT))
    assert size(envelope) == MAX_BYTES


def test_the_longest_transcript_that_fits_is_whole() -> None:
    room = MAX_BYTES - size(render_delegation("run", "x")) + 1

    assert said_in(render_delegation("run", "a" * room)) == "a" * room
    assert said_in(render_delegation("run", "a" * (room + 1))).startswith(TRANSCRIPT_CUT)


def test_beside_a_long_transcript_a_long_request_has_its_share() -> None:
    envelope = render_delegation("a" * 100_000, "b" * 100_000)

    assert size(input_of(envelope)) == MIN_INPUT_TOKENS * BYTES_PER_TOKEN
    assert size(envelope) == MAX_BYTES


def test_beside_a_short_transcript_a_long_request_has_all_that_is_left() -> None:
    envelope = render_delegation("a" * 100_000, "user: hello")

    assert said_in(envelope) == "user: hello"
    assert size(envelope) == MAX_BYTES


@pytest.mark.parametrize("shift", range(6))
@pytest.mark.parametrize("character", "&<>é…😀")
def test_neither_an_entity_nor_a_character_is_cut(character: str, shift: int) -> None:
    text = "a" * shift + character * 20_000 + "b" * shift

    for envelope in (render_delegation(text), render_delegation("x", text), render_delegation(text, text)):
        assert MAX_BYTES - 16 <= size(envelope) <= MAX_BYTES
        escaped = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}.get(character, character)
        if INPUT_CUT in envelope:
            assert re.fullmatch(f"a{{0,6}}({escaped})*{INPUT_CUT}({escaped})*b{{0,6}}", input_of(envelope))
        if TRANSCRIPT_CUT in envelope:
            assert re.fullmatch(f"{TRANSCRIPT_CUT}({escaped})*b{{0,6}}", said_in(envelope))


@given(ANY_TEXT, ANY_TEXT)
def test_what_fits_comes_back_as_it_was(text: str, said: str) -> None:
    assert parse_delegation(render_delegation(text, said)) == text


@given(LONG_TEXT, LONG_TEXT | st.just(""))
def test_an_envelope_is_never_over_its_bound_and_always_whole(text: str, said: str) -> None:
    envelope = render_delegation(text, said)

    assert size(envelope) <= MAX_BYTES
    assert envelope.startswith("<realtime_delegation>\n  <input>")
    assert envelope.endswith("</realtime_delegation>")
    # Every & begins an entity that is whole, and there is no markup but the frame's own.
    assert re.sub("&(amp|lt|gt);", "", envelope).count("&") == 0
    assert envelope.count("<") == (6 if said else 4)
    kept = parse_delegation(envelope)
    assert kept == text or all(part in text for part in kept.split(INPUT_CUT))
    if said:
        assert said_in(envelope).endswith(said[-1:].translate({38: "&amp;", 60: "&lt;", 62: "&gt;"}))


@pytest.mark.parametrize(
    "words",
    [
        "after this run the linter",
        "After this, run the linter",
        "after that fix the parser",
        "After that, can you push it",
        "after it, deploy",
        "after that commit everything",
        "after this please run the linter",
        "after this can you run the linter",
        "After this let's lint it",
        "after this lint",
        "after that push.",
        "after this test the parser",
        "after this task run the linter",
        "After the current task, run the linter",
        "After this one, do the docs",
        "after the run, look at the log",
        "after the job is done, look at the log",
        "and then, after that, push",
        "okay, after this, push",
        "please after this run the linter",
        "when you're done, commit",
        "When you\u2019re done, commit",
        "when its done commit",
        "When you are finished, commit",
        "when you have finished commit",
        "once you've finished that, commit",
        "as soon as you're done, push",
        "as soon as it is finished push",
        "once that's done push",
        "once this is complete, push",
        "when the current task is completed, push",
        "Once the task is over, push",
        "after you're done, push",
        "after you finish this, push",
        "when you finish, push",
        "when this finishes, push",
        "when it ends push",
        "once the run finishes push",
        "when done, push",
        "once finished, push",
        "afterwards run the linter",
        "Afterward, run the linter",
        "next, run the linter",
        "And next, run the linter",
        "as the next thing run the linter",
        "as the next task, run the linter",
    ],
)
def test_a_request_says_at_its_beginning_that_it_is_for_later(words: str) -> None:
    assert is_for_later(words)
    assert is_for_later(words.upper())


@pytest.mark.parametrize(
    "words",
    [
        "then fix it",
        "and then fix it",
        "what happens after this test?",
        "after this test fails look at the log",
        "After this test, what is left?",
        "after it crashed what did the log say?",
        "after it crashed the build is red",
        "after it broke the build I reverted",
        "after this commit broke the build find out why",
        "after this run fails tell me",
        "after the tests have passed push",
        "after this commit?",
        "look at what comes after this",
        "run the linter after this",
        "when the tests fail, stop",
        "when are you done?",
        "when it is red, fix it",
        "when it ends with an error print the log",
        "when you finish-line",
        "once more",
        "once it is green, push",
        "next time use tabs",
        "next run the linter",
        "the next task is to lint",
        "as the next reader I see",
        "afterworld",
        "aftermath",
        "thereafter, push",
        "when done is printed, stop",
        "after all, use tabs",
        "",
    ],
)
def test_a_request_that_only_speaks_of_order_in_time_is_for_now(words: str) -> None:
    assert not is_for_later(words)


@pytest.mark.parametrize("lead", ["Okay, ", "and then ", "Please - ", "also, please, ", " \n", "... ok: "])
def test_what_is_only_said_to_begin_with_is_skipped(lead: str) -> None:
    assert is_for_later(f"{lead}when you're done, push")
    assert not is_for_later(f"{lead}push")


@given(st.text(max_size=50))
def test_whatever_is_asked_is_for_now_or_for_later(words: str) -> None:
    assert is_for_later(f"after this, {words}")
    assert not is_for_later(f"first {words}")


@pytest.mark.parametrize(
    ("words", "bare"),
    [
        ("after this, run the linter", "run the linter"),
        ("and then, after that, push it", "push it"),
        ("when you're done, push", "push"),
        ("after this please run it", "please run it"),
        ("after this run the linter", "run the linter"),
        ("next, fix it", "fix it"),
        ("afterwards", "afterwards"),
        ("run the linter", "run the linter"),
    ],
)
def test_what_is_for_later_is_asked_for_without_saying_so(words: str, bare: str) -> None:
    assert without_lead(words) == bare
