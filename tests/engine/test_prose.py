from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.engine.prose import MAX_SPOKEN_CHARS, spoken_form


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("All 12 tests pass.", "All 12 tests pass."),
        ("All pass.\n\nA long list\nof names", "All pass."),
        ("One. Two! Three? Four.", "One. Two!"),
        ("The test in `core/test_a.py` fails.", "The test in core/test_a.py fails."),
        ("**Done.** See [the log](https://example.org/x).", "Done. See the log."),
        ("# Result\n\nIt works.", "Result"),
        ("- two files changed\n- one is new", "two files changed one is new"),
        ("```python\nprint(1)\n```\n\nThat prints one.", "That prints one."),
        ("Here:\n```\nx = {}\n```", "Here:"),
        ("```\nnever closed\n", ""),
        ("| a | b |\n|---|---|\n| 1 | 2 |", ""),
        ("diff --git a/x b/x\n@@ -1 +1 @@\n-old\n+new\n\nOne line changed.", "One line changed."),
        ("for (i = 0; i < n; i++) { a[i] = b[i]; }\n\nThat was code.", "That was code."),
        ("snake_case names and 2 * 3 stay", "snake_case names and 2 * 3 stay"),
        ("", ""),
        ("...\n\n---\n\n!!!", ""),
        ("a\x00b\x1bc\nd", "a b c d"),
    ],
)
def test_what_is_said_of_a_text(text: str, said: str) -> None:
    assert spoken_form(text) == said


def test_a_long_sentence_is_cut_between_words() -> None:
    said = spoken_form("word " * 200)
    assert len(said) <= MAX_SPOKEN_CHARS
    assert said.endswith("word…")


def test_a_second_sentence_that_does_not_fit_is_left_out_whole() -> None:
    assert spoken_form("Short. " + "long " * 80 + "end.") == "Short."


@given(st.text(max_size=2000))
def test_any_text_gives_something_short_in_one_line(text: str) -> None:
    said = spoken_form(text)
    assert len(said) <= MAX_SPOKEN_CHARS
    assert "\n" not in said
    assert "```" not in said
    said.encode()


@given(
    st.lists(st.sampled_from(["a", "b.", " ", "\n", "```", "|", "`", "# ", "+x", "é", '"', "! ", "…"]), max_size=300)
)
def test_markup_never_breaks_it(pieces: list[str]) -> None:
    said = spoken_form("".join(pieces))
    assert len(said) <= MAX_SPOKEN_CHARS
    assert "`" not in said
