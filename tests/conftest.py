"""What all tests share: Hypothesis profiles, and that no asynchronous test leaves a task behind."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from blockbuster import blockbuster_ctx
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

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

# No test reads the configuration of whoever runs it; the file inside a file does not exist.
os.environ["BACKCHANNEL_HOME"] = os.environ["CODEX_HOME"] = os.devnull

_GRACE_S = 1.0


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
