from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backchannel.context.sections import SeenTests, Working, open_work_section
from backchannel.threads import OpenTask, RanTests


def _working(request: str, *, waits_for: str | None = None, cwd: str = "/app") -> Working:
    task = OpenTask(turn_id="t", request=request, began_at_ms=1000, waits_for=waits_for)
    return Working(thread_id="a", cwd=cwd, task=task)


def _tests(*failures: str, command: str = "pytest -x") -> SeenTests:
    run = RanTests(at_ms=2000, command=command, passed=False, failures=failures)
    return SeenTests(thread_id="b", cwd="/app", tests=run)


def _text(working: list[Working], tests: SeenTests | None = None) -> str:
    made = open_work_section(working, tests, max_tokens=400)
    return "" if made is None else made.text


def test_what_waits_what_runs_and_what_failed_is_told() -> None:
    text = _text(
        [_working("fix  the\nlogin"), _working("deploy it", waits_for="run `git push`", cwd="/web")],
        _tests("test_a.py::test_one", "test_a.py::test_two"),
    )
    assert text == (
        "## Open Work\n"
        "Waiting for the user's permission:\n"
        "- /web: deploy it (wants to run `git push`)\n"
        "\n"
        "Still running:\n"
        "- /app: fix the login (since 1970-01-01T00:00:01.000+00:00)\n"
        "\n"
        "The last run of tests failed: pytest -x, at 1970-01-01T00:00:02.000+00:00\n"
        "- test_a.py::test_one\n"
        "- test_a.py::test_two"
    )


def test_when_all_is_done_there_is_no_section() -> None:
    assert _text([]) == ""


def test_only_so_many_are_told() -> None:
    text = _text([_working(f"task {number}") for number in range(12)], _tests(*(f"test_{n}" for n in range(9))))
    assert text.count("- /app: ") == 8
    assert "- ... 4 more\n" in text
    assert text.count("- test_") == 5
    assert text.endswith("- ... 4 more")


def test_words_are_shortened_and_secrets_left_out() -> None:
    text = _text([_working("word " * 400), _working("use token=abcdef123")], _tests(command="PASSWORD=hunter22 pytest"))
    assert "abcdef123" not in text
    assert "hunter22" not in text
    assert all(len(line) < 320 for line in text.splitlines())


@given(
    st.lists(st.builds(_working, st.text(max_size=300), waits_for=st.none() | st.text(max_size=300))),
    st.integers(0, 400),
)
def test_it_is_never_over_its_budget(working: list[Working], max_tokens: int) -> None:
    made = open_work_section(working, _tests("a", "b"), max_tokens=max_tokens)
    assert made is None or made.tokens <= max_tokens
