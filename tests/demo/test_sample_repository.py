from __future__ import annotations

import ast
import datetime
import os
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[2] / "scripts" / "demo"
MAKE = """
import datetime, os, pathlib, sys
sys.path.insert(0, sys.argv[1])
from sample_repository import make_sample_repository
now = datetime.datetime.fromisoformat(sys.argv[3])
make_sample_repository(pathlib.Path(sys.argv[2]), env=dict(os.environ), now=now)
"""
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
MONDAY = datetime.datetime(2025, 3, 3, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))
MOMENTS = [
    MONDAY,
    MONDAY + datetime.timedelta(minutes=5),
    *(MONDAY + datetime.timedelta(days=day, hours=14, minutes=30) for day in range(7)),
    MONDAY + datetime.timedelta(days=6, hours=23, minutes=59, seconds=59),
]


def make(folder: Path, *, now: datetime.datetime = MOMENTS[3], env: dict[str, str] | None = None) -> Path:
    """The project, made in a process of its own."""
    folder.mkdir()
    subprocess.run(
        [sys.executable, "-c", MAKE, str(DEMO), str(folder), now.isoformat()],
        env={**CLEAN, **(env or {})},
        check=True,
        capture_output=True,
    )
    return folder


def git(folder: Path, *arguments: str) -> str:
    env = {**CLEAN, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    done = subprocess.run(["git", *arguments], cwd=folder, env=env, check=True, capture_output=True, text=True)
    return done.stdout


def run_tests(folder: Path, *names: str) -> int:
    return subprocess.run(
        [sys.executable, "-m", "unittest", *names], cwd=folder, env=CLEAN, capture_output=True, timeout=15, check=False
    ).returncode


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("demo") / "project")


@pytest.mark.parametrize("now", MOMENTS, ids=lambda now: now.strftime("%a-%H:%M"))
def test_all_but_the_first_commit_are_of_this_week(now: datetime.datetime, tmp_path: Path) -> None:
    folder = make(tmp_path / "project", now=now)
    for kind in ("%aI", "%cI"):
        newest, second, third, first = map(
            datetime.datetime.fromisoformat, git(folder, "log", f"--format={kind}").split()
        )
        assert MONDAY <= third <= second <= newest <= now
        assert MONDAY - datetime.timedelta(days=21) < first < MONDAY


def test_the_commits_are_in_order_and_nothing_is_left_over(project: Path) -> None:
    assert git(project, "log", "--format=%an: %s").splitlines() == [
        "Grace: Wait longer after each failed attempt",
        "Grace: Write the handbook and check it",
        "Ada: Read shipping labels",
        "Ada: Begin the project",
    ]
    assert git(project, "status", "--porcelain") == ""
    assert git(project, "branch", "--show-current") == "main\n"


def test_variables_of_git_do_not_lead_into_another_repository(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    git(mine, "init", "--quiet", "--initial-branch=mine")
    before = sorted(path.name for path in (mine / ".git").rglob("*"))
    variables = {
        "GIT_DIR": str(mine / ".git"),
        "GIT_WORK_TREE": str(mine),
        "GIT_INDEX_FILE": str(mine / ".git" / "index"),
        "GIT_AUTHOR_DATE": "2001-01-01T00:00:00Z",
    }
    folder = make(tmp_path / "project", env=variables)
    assert sorted(path.name for path in (mine / ".git").rglob("*")) == before
    assert len(git(folder, "log", "--oneline").splitlines()) == 4


def test_the_tests_take_about_twenty_seconds(project: Path) -> None:
    duration_s = 0.0
    for path in project.rglob("test_*.py"):
        tree = ast.parse(path.read_text())
        names = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        (delay_s,) = [
            node.args[0].value
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and ast.unparse(node.func) == "time.sleep"
            and isinstance(node.args[0], ast.Constant)
        ]
        assert isinstance(delay_s, float)
        duration_s += delay_s * sum(name.startswith("test_") for name in names)
    assert duration_s == pytest.approx(20, abs=2)


def test_the_folders_that_can_be_asked_for_have_tests(project: Path) -> None:
    found = sorted(str(path.relative_to(project)) for path in project.rglob("test_*.py"))
    assert found == ["core/test_parser.py", "core/test_retry.py", "docs/test_handbook.py"]


def test_the_one_that_fails_fails(project: Path) -> None:
    test = "core.test_retry.RetryTest.test_never_waits_longer_than_the_longest"
    assert run_tests(project, test) == 1


def test_exactly_one_fails_when_nothing_is_waited_for(project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", str(project), str(copy)], check=True)
    for path in copy.rglob("test_*.py"):
        path.write_text(path.read_text().replace("time.sleep(", "time.gmtime("))
    done = subprocess.run(
        [sys.executable, "-m", "unittest", "discover"], cwd=copy, env=CLEAN, capture_output=True, text=True, check=False
    )
    assert "Ran 13 tests" in done.stderr
    assert "FAILED (failures=1)" in done.stderr
    assert "FAIL: test_never_waits_longer_than_the_longest" in done.stderr


def test_the_speech_of_the_demo_is_there() -> None:
    names = {path.name for path in (DEMO / "speech").glob("*.wav")}
    assert names == {
        "what-changed-this-week.wav",
        "run-the-tests.wav",
        "how-is-it-going.wav",
        "only-the-core-tests.wav",
        "stop.wav",
    }
