"""Running real tests with real runners, and explaining what failed."""

from __future__ import annotations

import json
import os
import sys
import time
import venv
from typing import TYPE_CHECKING

import pytest

from backchannel.agents import WorkspaceOptions
from backchannel.core import AgentCommandEnded, AgentCommandOutput, Outcome
from tests.agents.projects import Heard, agent_in, ask, environment, processes_in, write

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

QUICK = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}

SUITE = {
    "tests/core/test_retry.py": """
        def test_delays():
            assert [1, 2] == [1, 2]

        def test_retry_backoff():
            longest = 5
            assert max([1, 2, 8]) <= longest
    """,
    "tests/core/test_parser.py": """
        import pytest

        @pytest.mark.parametrize("n", [1, 2])
        def test_parses(n):
            assert n

        @pytest.mark.skip
        def test_later(): ...
    """,
    "tests/docs/test_guide.py": """
        def test_guide():
            assert True
    """,
}


def left_behind(root: Path) -> list[str]:
    """What a test run made in a project."""
    return [path.name for path in root.rglob("*") if path.suffix == ".pyc" or path.name == ".pytest_cache"]


async def run_in(root: Path, text: str, *, options: WorkspaceOptions | None = None, **env: str) -> Heard:
    async with agent_in(root, env=environment(root.parent, **QUICK, **env), options=options) as agent:
        return await ask(agent, text)


async def test_a_run_is_told_in_counts_and_names(tmp_path: Path) -> None:
    write(tmp_path, SUITE)
    heard = await run_in(tmp_path, "run the tests")
    assert heard.spoken == "Four passed, one failed, one skipped: test_retry_backoff in core."
    assert "tests/core/test_retry.py:6" in heard.details
    assert "assert 8 <= 5" in heard.details
    assert heard.commands == ["pytest"]
    assert "PASSED" in heard.output
    (comment,) = heard.comments
    assert comment.startswith("First failure: test_retry_backoff in core; ")
    assert comment.endswith(" of six tests done.")
    (ended,) = [r for r in heard.reports if isinstance(r, AgentCommandEnded)]
    assert ended.exit_status == 1
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("run the docs tests", "The docs tests: the test passed"),
        ("run the core tests", "The core tests: three passed, one failed, one skipped: test_retry_backoff in core."),
        ("run the tests in test parser", "The test parser tests: two passed, one skipped"),
        ("run the backoff tests", "The backoff tests: none passed, one failed: test_retry_backoff in core."),
        ("run the moon tests", "I found no tests called moon."),
        ("run the failed tests", "No failed test is on record, so there is nothing to run again."),
        ("run the tests and stop at the first failure", "Three passed, one failed, one skipped: test_retry_backoff"),
    ],
)
async def test_a_part_can_be_run(tmp_path: Path, text: str, expected: str) -> None:
    write(tmp_path, SUITE)
    assert (await run_in(tmp_path, text)).spoken.startswith(expected)


async def test_failed_tests_run_again_and_are_explained(tmp_path: Path) -> None:
    write(tmp_path, SUITE)
    async with agent_in(tmp_path, env=environment(tmp_path, **QUICK)) as agent:
        assert (await ask(agent, "why did it fail")).final == (
            "I know of no failed test. Ask me to run the tests first."
        )
        await ask(agent, "run the tests")
        explained = await ask(agent, "why did it fail")
        assert explained.spoken == "Test_retry_backoff failed, in test_retry.py line 6: assert 8 <= 5."
        assert "+  where 8 = max" in explained.details
        assert not explained.commands
        assert (await ask(agent, "how is it going")).final.startswith(
            "Nothing is running. The last tests: Four passed, one failed"
        )
        again = await ask(agent, "run the failed tests")
        assert again.spoken == "The failed tests: none passed, one failed: test_retry_backoff in core."
        write(tmp_path, {"tests/core/test_retry.py": "def test_retry_backoff():\n    pass\n"})
        assert (await ask(agent, "run the failed tests")).spoken.startswith("The failed tests: the test passed")
        assert (await ask(agent, "what failed")).spoken.startswith("Nothing failed in the last run")


async def test_a_failure_on_record_is_run_again_and_explained(tmp_path: Path) -> None:
    write(tmp_path, SUITE)
    record = {"tests/core/test_retry.py::test_retry_backoff": True}
    write(tmp_path, {".pytest_cache/v/cache/lastfailed": json.dumps(record)})
    heard = await run_in(tmp_path, "explain the last failure")
    assert heard.comments[0] == "One test is on record as failed. I run it again to see why."
    assert heard.spoken == "Test_retry_backoff failed, in test_retry.py line 6: assert 8 <= 5."


@pytest.mark.parametrize("record", ["not json", "[]", '{"a": ', '{"--fixtures": true}'])
async def test_a_broken_record_is_none(tmp_path: Path, record: str) -> None:
    write(tmp_path, SUITE | {".pytest_cache/v/cache/lastfailed": record})
    assert (await run_in(tmp_path, "explain the last failure")).spoken.startswith("I know of no failed test")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"a.txt": "a"}, "I found no tests in this workspace."),
        ({"pytest.ini": "[pytest]\n"}, "Pytest found no tests to run for the tests."),
        (
            {"pytest.ini": "[pytest]\naddopts = --no-such-flag\n", "test_a.py": ""},
            "Pytest could not start: ERROR: usage:",
        ),
        ({"test_a.py": "import nothing_of_that_name\n"}, "None passed, one failed: test_a.py."),
        ({"test_a.py": "def test_a():\n    assert 1\n"}, "The test passed; it took"),
        ({"conftest.py": "raise SystemExit(7)\n", "test_a.py": ""}, "The tests failed, status 7."),
        (
            {"test_a.py": "import os, signal\ndef test_a():\n    os.kill(os.getpid(), signal.SIGKILL)\n"},
            "The test runner was ended by signal 9.",
        ),
    ],
    ids=["none", "empty", "usage", "import", "good", "exits", "crash"],
)
async def test_odd_runs_are_told_honestly(tmp_path: Path, files: Mapping[str, str], expected: str) -> None:
    write(tmp_path, files)
    heard = await run_in(tmp_path, "run the tests")
    assert heard.spoken.startswith(expected)
    assert heard.outcome is Outcome.COMPLETED


async def test_quiet_configuration_is_read_too(tmp_path: Path) -> None:
    write(tmp_path, SUITE | {"pytest.ini": "[pytest]\naddopts = -q\n"})
    assert (await run_in(tmp_path, "run the tests")).spoken.startswith("Four passed, one failed, one skipped")


async def test_slow_tests_are_left_out_where_they_are_marked(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "pytest.ini": "[pytest]\nmarkers =\n    slow: takes long\n",
            "test_a.py": "import pytest\n@pytest.mark.slow\ndef test_a(): ...\ndef test_b(): ...\n",
        },
    )
    heard = await run_in(tmp_path, "run the tests without the slow ones")
    assert heard.spoken.startswith("The test passed")
    assert heard.commands == ["pytest -m 'not slow'"]


# ---- other runners --------------------------------------------------------------------------------------------


async def test_a_project_without_pytest_uses_unittest(tmp_path: Path) -> None:
    venv.create(tmp_path / ".venv", with_pip=False, symlinks=True)
    write(
        tmp_path,
        {
            "core/__init__.py": "",
            "core/test_core.py": """
                import unittest

                class CoreTest(unittest.TestCase):
                    def test_good(self): ...
                    def test_bad(self):
                        self.assertEqual(1, 2)
            """,
            "test_top.py": "import unittest\nclass TopTest(unittest.TestCase):\n    def test_top(self): ...\n",
        },
    )
    async with agent_in(tmp_path, env=environment(tmp_path)) as agent:
        heard = await ask(agent, "run the tests")
        assert heard.spoken == "Two passed, one failed: test_bad in core."
        assert heard.commands == ["python -m unittest discover -v"]
        explained = await ask(agent, "why did it fail")
        assert explained.spoken == "Test_bad failed, in test_core.py line 6: AssertionError: 1 != 2."
        assert (await ask(agent, "run the failed tests")).spoken.startswith("The failed tests: none passed, one failed")
        assert (await ask(agent, "run the core tests")).spoken.startswith("The core tests: one passed, one failed")
    write(tmp_path, {"core/test_core.py": "def test_plain(): ...\n", "test_top.py": ""})
    assert (await run_in(tmp_path, "run the tests")).spoken == (
        "Pytest is not installed where I looked, and unittest found no tests."
    )


def program(folder: Path, name: str, output: str, status: int) -> str:
    """A program of this name that prints something; the PATH to find it."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!{sys.executable}\nimport sys\nprint('''{output}''')\nsys.exit({status})\n")
    (folder / name).chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


CARGO = """
running 2 tests
test retry::tests::doubles ... ok
test retry::tests::backoff ... FAILED

failures:

---- retry::tests::backoff stdout ----
thread 'retry::tests::backoff' panicked at src/retry.rs:12:9:
assertion `left == right` failed

failures:
    retry::tests::backoff

test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
"""
GO = """
=== RUN   TestParse
--- PASS: TestParse (0.00s)
=== RUN   TestRetry
    retry_test.go:14: got 8, want 5
--- FAIL: TestRetry (0.00s)
FAIL
FAIL\texample.com/retry\t0.002s
"""
JEST = """
FAIL src/retry.test.js
Tests:       1 failed, 4 passed, 5 total
"""
NODE = """
ok 1 - parses
# tests 3
# pass 3
# fail 0
"""


@pytest.mark.parametrize(
    ("name", "files", "output", "status", "expected"),
    [
        ("cargo", {"Cargo.toml": "[package]\n"}, CARGO, 101, "One passed, one failed: backoff in retry."),
        ("go", {"go.mod": "module x\n"}, GO, 1, "One passed, one failed: TestRetry."),
        ("npm", {"package.json": '{"scripts": {"test": "jest"}}'}, JEST, 1, "Four passed, one failed"),
        ("npm", {"package.json": '{"scripts": {"test": "node --test"}}'}, NODE, 0, "All three tests passed"),
        ("npm", {"package.json": '{"scripts": {"test": "x"}}'}, "fine", 0, "The tests passed."),
        ("npm", {"package.json": '{"scripts": {"test": "x"}}'}, "sorry", 3, "The tests failed, status 3."),
        ("make", {"Makefile": "test:\n\ttrue\n"}, "== 3 passed in 0.1s ==", 0, "All three tests passed"),
    ],
    ids=["cargo", "go", "jest", "node", "silent", "sorry", "make"],
)
async def test_other_runners_are_understood(
    tmp_path: Path, name: str, files: Mapping[str, str], output: str, status: int, expected: str
) -> None:
    root = tmp_path / "project"
    write(root, files)
    path = program(tmp_path / "bin", name, output, status)
    heard = await run_in(root, "run the tests", PATH=path)
    assert heard.spoken.startswith(expected)
    assert heard.commands[0].split()[0] == name


async def test_a_missing_runner_is_told_of(tmp_path: Path) -> None:
    write(tmp_path, {"Cargo.toml": "[package]\n"})
    heard = await run_in(tmp_path, "run the tests", PATH=str(tmp_path))
    assert heard.final == "The tests need cargo, which is not installed here."


async def test_a_runner_that_cannot_start_is_told_of(tmp_path: Path) -> None:
    write(tmp_path, {".venv/bin/python": "this is no program", "test_a.py": "def test_a(): ...\n"})
    (tmp_path / ".venv/bin/python").chmod(0o755)
    heard = await run_in(tmp_path, "run the tests")
    assert heard.spoken == "I could not start unittest."
    assert heard.outcome is Outcome.COMPLETED


async def test_make_cannot_run_a_part(tmp_path: Path) -> None:
    write(tmp_path, {"Makefile": "test:\n\ttrue\n"})
    heard = await run_in(tmp_path, "run the core tests")
    assert heard.spoken == "These tests run by make, and I know no way to run only a part of them."


# ---- time and size --------------------------------------------------------------------------------------------


async def test_a_time_limit_ends_a_run(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"test_a.py": "import time\ndef test_a(): ...\ndef test_b(): time.sleep(60)\n"},
    )
    started_s = time.monotonic()
    heard = await run_in(tmp_path, "run the tests", options=WorkspaceOptions(test_limit_s=3.0))
    assert time.monotonic() - started_s < 10
    assert (
        heard.spoken
        == "I stopped the tests after three seconds, the time limit. One of two tests done, all good so far."
    )
    (ended,) = [r for r in heard.reports if isinstance(r, AgentCommandEnded)]
    assert ended.exit_status is None
    assert processes_in(tmp_path) == []


async def test_progress_is_told_from_time_to_time(tmp_path: Path) -> None:
    write(tmp_path, {"test_a.py": "import time\n" + "".join(f"def test_{n}(): time.sleep(0.2)\n" for n in range(8))})
    heard = await run_in(tmp_path, "run the tests", options=WorkspaceOptions(progress_interval_s=0.5))
    assert heard.spoken.startswith("All eight tests passed")
    assert 2 <= len(heard.comments) <= 5
    assert all(comment.endswith("of eight tests done, all good so far.") for comment in heard.comments)
    assert heard.comments == list(dict.fromkeys(heard.comments))


async def test_enormous_output_stays_bounded(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "Makefile": """
            test:
            \t@echo the very first line
            \t@head -c 20000000 /dev/zero | tr '\\0' 'x' | fold -w 100
            \t@echo
            \t@echo == 5 passed in 1.0s ==
            """
        },
    )
    heard = await run_in(tmp_path, "run the tests")
    assert heard.spoken.startswith("All five tests passed")
    assert "the very first line" in heard.output
    assert "characters left out" in heard.output
    assert heard.output.endswith("== 5 passed in 1.0s ==\n")
    assert len(heard.output) < 200_000
    assert max(len(r.text) for r in heard.reports if isinstance(r, AgentCommandOutput)) <= 70_000
    assert len(heard.final) < 20_000


async def test_output_of_any_bytes_is_text(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"Makefile": "test:\n\t@printf 'x\\351y \\033[31mred\\033[0m \\033]0;title\\007 \\000 end\\r\\n'\n"},
    )
    heard = await run_in(tmp_path, "run the tests")
    assert "x\ufffdy red   end\n" in heard.output
    assert heard.spoken == "The tests passed."
