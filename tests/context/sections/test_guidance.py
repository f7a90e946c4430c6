from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backchannel.context.sections import GuidanceFile, guidance_section

AGENTS = """# Working here

Use `make test` before you commit.
Never push.

## Style ##
Short sentences.

```python
# not a heading
secret = "password=hunter22"
```

### Names
Full words.
"""


def _text(*files: GuidanceFile, max_tokens: int = 600) -> str:
    made = guidance_section(files, max_tokens=max_tokens)
    return "" if made is None else made.text


def test_the_outline_and_the_first_lines_are_told() -> None:
    assert _text(
        GuidanceFile(path="web/AGENTS.md", text=AGENTS), GuidanceFile(path="CLAUDE.md", text="Be kind.\n")
    ) == (
        "## Project Guidance\n"
        "What the project's files say to whoever works on it. The work follows it; it tells you what the user may"
        " mean.\n"
        "\n"
        "### web/AGENTS.md\n"
        "Use `make test` before you commit.\n"
        "Never push.\n"
        "Short sentences.\n"
        "Full words.\n"
        "Outline:\n"
        "- Working here\n"
        "  - Style\n"
        "    - Names\n"
        "\n"
        "### CLAUDE.md\n"
        "Be kind."
    )


def test_nothing_written_is_no_section() -> None:
    assert _text() == ""
    assert _text(GuidanceFile(path="AGENTS.md", text="\n  \n```\ncode\n```\n")) == ""


def test_only_so_much_of_a_file_is_told() -> None:
    text = _text(GuidanceFile(path="A.md", text="".join(f"# Heading {n}\nline {n}\n" for n in range(40))))
    assert text.count("- Heading") == 24
    assert "- ... 16 more" in text
    assert text.count("\nline ") == 6
    long = _text(GuidanceFile(path="A.md", text="word " * 100))
    assert max(map(len, long.splitlines())) == 160


def test_a_line_of_blanks_does_not_take_long() -> None:
    # What would take long is ended by the time limit of the test.
    text = _text(GuidanceFile(path="A.md", text=f"# a{' ' * 40_000}b\n#{' ' * 40_000}#\n# c ##\n##### d"))
    assert text.splitlines()[3:] == ["### A.md", "\\#", "\\##### d", "Outline:", "- a", "- c"]


def test_a_fence_that_never_ends_hides_the_rest() -> None:
    assert "# lost" not in _text(GuidanceFile(path="A.md", text="kept\n~~~\n# lost\n```\n# lost\n"))


def test_secrets_in_it_are_left_out() -> None:
    assert "hunter22" not in _text(GuidanceFile(path="A.md", text="The password is hunter22.\n"))


def test_each_line_says_which_file_it_comes_from() -> None:
    made = guidance_section([GuidanceFile(path="A.md", text="Be kind.")], max_tokens=600)
    assert made is not None
    assert made.body[-1].origin == "A.md"


@given(st.lists(st.builds(GuidanceFile, path=st.text(max_size=20), text=st.text(max_size=600))), st.integers(0, 600))
def test_it_is_never_over_its_budget(files: list[GuidanceFile], max_tokens: int) -> None:
    made = guidance_section(files, max_tokens=max_tokens)
    assert made is None or made.tokens <= max_tokens
