from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.context.sections import ChangedFile, RepositoryState, repository_state_section


def _text(state: RepositoryState, *, as_of: str | None = None, max_tokens: int = 300) -> str:
    made = repository_state_section(state, as_of=as_of, max_tokens=max_tokens)
    return "" if made is None else made.text


def test_the_branch_and_the_changes_are_told() -> None:
    state = RepositoryState(
        branch="fix-login",
        commit="c" * 40,
        upstream="origin/main",
        ahead=2,
        behind=1,
        operation="a rebase",
        files=(
            ChangedFile(path="web/new/", kind="new"),
            ChangedFile(path="b.py", kind="changed"),
            ChangedFile(path="a.py", kind="changed"),
            ChangedFile(path="z.py", kind="conflict"),
            ChangedFile(path="c.py", kind="staged"),
        ),
    )
    assert _text(state) == (
        "## Repository State\n"
        "Branch: fix-login, 2 commits ahead of and 1 commit behind origin/main\n"
        "Under way: a rebase\n"
        "Changes: 1 in conflict, 1 staged, 2 not staged, 1 not tracked\n"
        "\n"
        "Changed files:\n"
        "- z.py (in conflict)\n"
        "- c.py (staged)\n"
        "- a.py (not staged)\n"
        "- b.py (not staged)\n"
        "- web/new/ (not tracked)"
    )


@pytest.mark.parametrize(
    ("state", "branch"),
    [
        (RepositoryState(branch="main", commit="c"), "Branch: main"),
        (RepositoryState(branch="main"), "Branch: main, without a commit"),
        (RepositoryState(branch="main", commit="c", upstream="o/main"), "Branch: main, level with o/main"),
        (RepositoryState(commit="0123456789abcdef"), "Branch: none is checked out, at commit 0123456789ab"),
        (RepositoryState(), "Branch: none is checked out"),
        (RepositoryState(branch="a\x1bb", commit="c"), "Branch: a\N{REPLACEMENT CHARACTER}b"),
    ],
)
def test_where_it_stands(state: RepositoryState, branch: str) -> None:
    assert _text(state).splitlines()[1:] == [branch, "Changes: none, everything is committed"]


def test_what_is_not_known_is_said() -> None:
    state = RepositoryState(branch="main", commit="c", files=None)
    assert "Changes: not known, since git is not installed" in _text(state)


def test_files_that_may_hold_secrets_are_counted_and_not_named() -> None:
    files = (ChangedFile(path=".env", kind="new"), ChangedFile(path="certs/a.pem", kind="changed"))
    text = _text(RepositoryState(branch="main", commit="c", files=files))
    assert "Changes: 1 not staged, 1 not tracked" in text
    assert "Changed files" not in text


def test_twenty_files_are_named() -> None:
    files = tuple(ChangedFile(path=f"{number:03}.py", kind="changed") for number in range(50))
    text = _text(RepositoryState(branch="main", commit="c", files=files))
    assert text.count("(not staged)") == 20
    assert text.endswith("- ... 30 more")


def test_an_older_find_says_so() -> None:
    assert "As of: 60 seconds before" in _text(RepositoryState(branch="main"), as_of="60 seconds before")


@given(
    st.lists(st.builds(ChangedFile, path=st.text(max_size=80), kind=st.sampled_from(["new", "staged"])), max_size=40),
    st.integers(0, 300),
)
def test_it_is_never_over_its_budget(files: list[ChangedFile], max_tokens: int) -> None:
    made = repository_state_section(
        RepositoryState(branch="main", files=tuple(files)), as_of=None, max_tokens=max_tokens
    )
    assert made is None or made.tokens <= max_tokens
