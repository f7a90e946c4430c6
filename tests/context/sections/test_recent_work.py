from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backchannel.context.sections import MAX_THREADS, RecentThread, recent_work_section
from backchannel.threads import Source, Thread


def _recent(
    thread_id: str,
    cwd: str,
    *,
    ask: str | None = "fix it",
    at_ms: int = 0,
    project: str | None = None,
    branch: str | None = None,
    source: Source = "backchannel",
) -> RecentThread:
    thread = Thread(
        thread_id=thread_id,
        cwd=cwd,
        created_at_ms=at_ms,
        updated_at_ms=at_ms,
        branch=branch,
        first_ask=ask,
        source=source,
    )
    return RecentThread(thread=thread, project=project)


def _text(*threads: RecentThread, here: str = "/nowhere", max_tokens: int = 2200) -> str:
    made = recent_work_section(threads, here=here, max_tokens=max_tokens)
    return "" if made is None else made.text


def test_threads_are_grouped_by_project_with_the_current_one_first() -> None:
    text = _text(
        _recent("a", "/code/app", ask="fix   the\nlogin", at_ms=1_000, project="/code/app"),
        _recent("b", "/code/app/web", ask="write tests", at_ms=3_000, project="/code/app", branch="main"),
        _recent("c", "/notes", ask="sort these", at_ms=9_000),
        here="/code/app",
    )
    assert text == (
        "## Recent Work\n"
        "### Git repo: /code/app\n"
        "Recent sessions: 2\n"
        "Latest activity: 1970-01-01T00:00:03.000+00:00\n"
        "Latest branch: main\n"
        "\n"
        "User asks:\n"
        "- /code/app/web: write tests\n"
        "- /code/app: fix the login\n"
        "\n"
        "### Directory: /notes\n"
        "Recent sessions: 1\n"
        "Latest activity: 1970-01-01T00:00:09.000+00:00\n"
        "\n"
        "User asks:\n"
        "- /notes: sort these"
    )


def test_other_groups_go_by_the_latest_activity_and_then_by_path() -> None:
    text = _text(_recent("a", "/b", at_ms=5), _recent("b", "/a", at_ms=5), _recent("c", "/c", at_ms=9))
    assert [line.split(": ")[1] for line in text.splitlines() if line.startswith("###")] == ["/c", "/a", "/b"]


def test_the_same_ask_in_the_same_folder_is_told_once() -> None:
    text = _text(
        *(_recent(str(number), "/a", ask="again", at_ms=number) for number in range(4)),
        _recent("x", "/a/b", ask="again", project=None),
    )
    assert text.count("- /a: again") == 1
    assert "Recent sessions: 4" in text
    assert "- /a/b: again" in text


def test_eight_asks_are_told_here_and_five_elsewhere() -> None:
    threads = [
        _recent(f"{place}{number}", place, ask=f"ask {number}", at_ms=number)
        for place in ("/here", "/there")
        for number in range(12)
    ]
    text = _text(*threads, here="/here")
    assert text.count("- /here: ") == 8
    assert text.count("- /there: ") == 5
    assert "- /here: ask 11" in text
    assert "- /there: ask 6" not in text


def test_eight_groups_of_the_newest_forty_threads_are_told() -> None:
    threads = [_recent(f"{number:03}", f"/{number:03}", at_ms=1000 - number) for number in range(60)]
    text = _text(*threads, max_tokens=100_000)
    assert text.count("### ") == 8
    crowd = [_recent(f"{number:03}", "/a", ask=f"{number}", at_ms=1000 - number) for number in range(60)]
    assert f"Recent sessions: {MAX_THREADS}" in _text(*crowd)


def test_a_long_ask_is_shortened() -> None:
    (line,) = [line for line in _text(_recent("a", "/a", ask="word " * 200)).splitlines() if line.startswith("- ")]
    ask = line.removeprefix("- /a: ")
    assert len(ask) == 240
    assert ask.endswith("...")
    whole = "x" * 240
    assert f"- /a: {whole}" in _text(_recent("a", "/a", ask=whole)).splitlines()


def test_a_group_without_asks_is_left_out_unless_it_has_a_branch() -> None:
    assert _text(_recent("a", "/a", ask=None), _recent("b", "/a", ask=" \n ")) == ""
    assert _text(_recent("a", "/a", ask=None, branch="main")).endswith("Latest branch: main\n\nUser asks:")
    assert _text() == ""


def test_a_blank_branch_is_none() -> None:
    assert "branch" not in _text(_recent("a", "/a", branch="  "))


def test_threads_of_other_agents_say_whose_they_are() -> None:
    text = _text(
        _recent("a", "/a", ask="one", source="codex"),
        _recent("b", "/a", ask="two", source="claude_code", at_ms=1),
        _recent("c", "/a", ask="three", at_ms=2),
    )
    assert text.splitlines()[-3:] == ["- /a: three", "- /a: two (Claude Code)", "- /a: one (Codex)"]


def test_delegations_are_told_as_they_are_and_secrets_are_not() -> None:
    text = _text(
        _recent("a", "/a", ask="<realtime_delegation>\n  <input>go</input>\n</realtime_delegation>"),
        _recent("b", "/a", ask="use sk-proj-abcdefghij0123456789 here"),
        _recent("c", "/a\nb", ask="x"),
    )
    assert "- /a: <realtime_delegation> <input>go</input> </realtime_delegation>" in text
    assert "- /a: use [left out] here" in text
    assert "abcdefghij" not in text
    assert "- /a\N{REPLACEMENT CHARACTER}b: x" in text


def test_each_line_says_which_thread_it_comes_from() -> None:
    made = recent_work_section([_recent("a1", "/a", source="codex")], here="/a", max_tokens=2200)
    assert made is not None
    assert {line.origin for line in made.body if line.text.startswith("- ")} == {"codex thread a1"}


@given(
    st.lists(
        st.builds(
            _recent,
            st.text(max_size=4),
            st.sampled_from(["/a", "/b", "/c/d"]),
            ask=st.none() | st.text(max_size=400),
            at_ms=st.integers(0, 2**41),
            project=st.sampled_from([None, "/c"]),
            branch=st.none() | st.text(max_size=10),
        ),
        max_size=60,
    ),
    st.integers(0, 2200),
)
def test_it_is_never_over_its_budget(threads: list[RecentThread], max_tokens: int) -> None:
    made = recent_work_section(threads, here="/a", max_tokens=max_tokens)
    assert made == recent_work_section(threads, here="/a", max_tokens=max_tokens)
    assert made is None or made.tokens <= max_tokens
