"""A small project for the demo to talk about: a week of commits, tests that take a while, one of them failing."""

from __future__ import annotations

import dataclasses
import datetime
import subprocess
import textwrap
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["make_sample_repository"]

_WEEK: Final = datetime.timedelta(days=7)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Commit:
    """What one commit adds or changes."""

    author: str
    subject: str
    files: Mapping[str, str]
    age: float
    """Where in the week it stands: 0 is now, 1 the beginning of the week; more is before it."""


def _python(text: str) -> str:
    return textwrap.dedent(text).lstrip()


_README: Final = """\
# Parcel

Parcel reads shipping labels and works out what a delivery costs.

- `core/` holds the label parser and the retry logic.
- `docs/` holds the handbook and its checks.
"""

_PARSER: Final = _python(
    '''
    """Reads shipping labels."""


    def parse_label(text: str) -> dict[str, str]:
        """The fields of a label, one `name: value` a line."""
        pairs = (line.partition(":") for line in text.splitlines() if ":" in line)
        return {name.strip(): value.strip() for name, _, value in pairs}
    '''
)

_RETRY_BROKEN: Final = _python(
    '''
    """When to try again."""


    def delays(attempts: int, base: float = 0.2, longest: float = 5.0) -> list[float]:
        """How long to wait before each attempt, doubling up to the longest."""
        return [base * 2**n for n in range(attempts)]
    '''
)

_TEST_CORE: Final = _python(
    '''
    """Tests of the parser; each waits for a label printer that answers slowly."""

    import time
    import unittest

    from core.parser import parse_label


    class ParserTest(unittest.TestCase):
        def setUp(self) -> None:
            time.sleep(1.5)

        def test_reads_a_field(self) -> None:
            self.assertEqual(parse_label("to: Rome"), {"to": "Rome"})

        def test_reads_two_fields(self) -> None:
            self.assertEqual(len(parse_label("to: Rome\\nweight: 3")), 2)

        def test_ignores_other_lines(self) -> None:
            self.assertEqual(parse_label("fragile"), {})

        def test_strips_blanks(self) -> None:
            self.assertEqual(parse_label(" to :  Rome "), {"to": "Rome"})

        def test_keeps_colons_in_values(self) -> None:
            self.assertEqual(parse_label("at: 12:30"), {"at": "12:30"})


    if __name__ == "__main__":
        unittest.main()
    '''
)

_TEST_RETRY: Final = _python(
    '''
    """Tests of the retry logic."""

    import time
    import unittest

    from core.retry import delays


    class RetryTest(unittest.TestCase):
        def setUp(self) -> None:
            time.sleep(1.5)

        def test_doubles(self) -> None:
            self.assertEqual(delays(3), [0.2, 0.4, 0.8])

        def test_never_waits_longer_than_the_longest(self) -> None:
            self.assertLessEqual(max(delays(8)), 5.0)

        def test_no_attempts_no_delays(self) -> None:
            self.assertEqual(delays(0), [])
    '''
)

_TEST_DOCS: Final = _python(
    '''
    """Tests of the handbook; each reads it the slow way."""

    import pathlib
    import time
    import unittest

    HANDBOOK = pathlib.Path(__file__).with_name("handbook.md")


    class HandbookTest(unittest.TestCase):
        def setUp(self) -> None:
            time.sleep(1.6)
            self.text = HANDBOOK.read_text(encoding="utf-8")

        def test_has_a_title(self) -> None:
            self.assertTrue(self.text.startswith("# "))

        def test_names_the_parser(self) -> None:
            self.assertIn("parse_label", self.text)

        def test_names_the_retries(self) -> None:
            self.assertIn("delays", self.text)

        def test_has_an_example(self) -> None:
            self.assertIn("to: Rome", self.text)

        def test_ends_with_a_line_end(self) -> None:
            self.assertTrue(self.text.endswith("\\n"))
    '''
)

_HANDBOOK: Final = """\
# Handbook

`parse_label` turns a label such as `to: Rome` into a dictionary. `delays` says how long to wait between attempts.
"""

_COMMITS: Final = (
    _Commit(author="Ada", subject="Begin the project", files={"README.md": _README, "core/__init__.py": ""}, age=2.5),
    _Commit(
        author="Ada",
        subject="Read shipping labels",
        files={"core/parser.py": _PARSER, "core/test_parser.py": _TEST_CORE},
        age=0.8,
    ),
    _Commit(
        author="Grace",
        subject="Write the handbook and check it",
        files={"docs/__init__.py": "", "docs/handbook.md": _HANDBOOK, "docs/test_handbook.py": _TEST_DOCS},
        age=0.5,
    ),
    _Commit(
        author="Grace",
        subject="Wait longer after each failed attempt",
        files={"core/retry.py": _RETRY_BROKEN, "core/test_retry.py": _TEST_RETRY},
        age=0.1,
    ),
)


def make_sample_repository(folder: Path, *, env: Mapping[str, str], now: datetime.datetime) -> None:
    """Make the project in an empty folder.

    Args:
        folder: Where; it exists.
        env: The environment for git, whose own configuration and variables are not looked at.
        now: The time of the newest commit's week; all but the first commit are dated in it.
    """
    monday = (now - datetime.timedelta(days=now.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
    # Without its variables: GIT_DIR, as a hook has it, would put these commits into somebody's real repository.
    git_env = {name: value for name, value in env.items() if not name.startswith("GIT_")}
    git_env |= {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    _git(folder, git_env, "init", "--quiet", "--initial-branch=main")
    for commit in _COMMITS:
        for name, text in commit.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        dated = now - (now - monday) * commit.age if commit.age <= 1 else monday - _WEEK * (commit.age - 1)
        who = {
            "GIT_AUTHOR_NAME": commit.author,
            "GIT_AUTHOR_EMAIL": f"{commit.author.lower()}@example.com",
            "GIT_AUTHOR_DATE": dated.isoformat(),
            "GIT_COMMITTER_NAME": commit.author,
            "GIT_COMMITTER_EMAIL": f"{commit.author.lower()}@example.com",
            "GIT_COMMITTER_DATE": dated.isoformat(),
        }
        _git(folder, git_env, "add", ".")
        _git(folder, {**git_env, **who}, "commit", "--quiet", "-m", commit.subject)


def _git(folder: Path, env: Mapping[str, str], *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, env=env, check=True)
