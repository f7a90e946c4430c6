"""What all tests share: Hypothesis profiles, that no test logs a secret, and that none leaves a task behind."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from blockbuster import blockbuster_ctx
from hypothesis import HealthCheck, settings

from tests.planted import LogWatch, planted_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator

# Chosen by `--hypothesis-profile`, or by the environment variable HYPOTHESIS_PROFILE.
settings.register_profile(
    "quick",
    max_examples=120,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
# For runs that only have to reach every line, or to notice a planted fault quickly.
settings.register_profile("brief", settings.get_profile("quick"), max_examples=10, stateful_step_count=20)
settings.register_profile(
    "fuzz",
    max_examples=1_000,
    stateful_step_count=80,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

# No test reads what belongs to whoever runs it, or writes into their home; the file inside a file does not exist. Each
# test has a home of its own besides (below): this is for what happens before.
os.environ["BACKCHANNEL_HOME"] = os.environ["CODEX_HOME"] = os.environ["CLAUDE_CONFIG_DIR"] = os.devnull

_HOMES = itertools.count()
_GRACE_S = 1.0
_WATCH = LogWatch()


def pytest_configure() -> None:
    """Let everything be logged from here on, whatever a test sets; `log_level` in pyproject.toml spares the report."""
    logging.getLogger().addHandler(_WATCH)
    for name in ("", "backchannel"):  # ours by a level of its own, since a test may change the root's
        logging.getLogger(name).setLevel(1)


def pytest_unconfigure() -> None:
    """Leave no handler behind."""
    logging.getLogger().removeHandler(_WATCH)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail the test in which a planted secret was logged or printed: its own part, its setup or its teardown."""
    report = yield
    leaks = _WATCH.leaks()
    for name, text in report.sections:
        # What was logged has been looked at with its level, and more closely.
        leaks += [f"{name}: {found!r}" for found in planted_in(text) if not name.startswith("Captured log")]
    if leaks and not report.failed:
        report.outcome = "failed"
        report.longrepr = "a planted secret was shown:\n" + "\n".join(leaks)
    return report


@pytest.fixture(autouse=True)
def home_of_its_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where `talk` keeps its conversations in a test, also that of another process; made when something is kept."""
    monkeypatch.setenv("BACKCHANNEL_HOME", str(tmp_path_factory.getbasetemp() / "homes" / str(next(_HOMES))))


def pytest_itemcollected(item: pytest.Item) -> None:
    """Put every asynchronous test under the check below."""
    if isinstance(item, pytest.Function) and pytest_asyncio.is_async_test(item):
        # First, so that it sees what is left when all other fixtures are gone.
        item.fixturenames.insert(0, "no_task_is_left_behind")


@pytest_asyncio.fixture
async def no_task_is_left_behind() -> AsyncIterator[None]:
    """Fails a test when a task that was started in it is still there at its end."""
    yield
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        # What is ending may end.
        _, others = await asyncio.wait(others, timeout=_GRACE_S)
    assert not others, f"left behind: {sorted(task.get_name() + ' ' + repr(task.get_coro()) for task in others)}"


@pytest.fixture
def nothing_blocks_the_loop() -> Iterator[None]:
    """Fails a test that asks for it (`usefixtures`) when our own code makes a blocking call on the event loop."""
    with blockbuster_ctx("backchannel"):
        yield
